"""The state of an export: nodes, constants and names of an ONNX graph under construction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

import numpy as np
import onnx
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

from graphc.ir.graph import Graph, Node, Value
from graphc.onnx.errors import UnsupportedError
from graphc.onnx.tensors import NUMBERS

OPSET: Final = 20
"""What is exported: understood by every runtime of the last years."""

Exporter = Callable[..., "str | Sequence[str]"]
EXPORTERS: Final[dict[str, Exporter]] = {}
"""Name of an op -> what writes it: called with the Writer, the node and the names of its operands."""


def exporter(*names: str) -> Callable[[Exporter], Exporter]:
    """Enter a function as the exporter of these ops."""

    def enter(function: Exporter) -> Exporter:
        for name in names:
            EXPORTERS[name] = function
        return function

    return enter


@dataclass
class Names:
    """Names that are taken, in a model."""

    taken: set[str] = field(default_factory=set)

    def new(self, wanted: str) -> str:
        """A name like this one that nobody has."""
        name, n = wanted, 1
        while name in self.taken or not name:
            n += 1
            name = f"{wanted}_{n}"
        self.taken.add(name)
        return name


class Writer:
    """One graph that is being written. outer: that of the graph around it, whose values it may read."""

    def __init__(self, names: Names, outer: Writer | None = None) -> None:
        self.names = names
        self.outer = outer
        self.nodes: list[NodeProto] = []
        self.tensors: list[TensorProto] = []
        self.name_of: dict[Value, str] = {}
        self.written: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self.node: Node | None = None

    def named(self, value: Value) -> str:
        """The name of a value of the graph."""
        if value in self.name_of:
            return self.name_of[value]
        assert self.outer is not None
        return self.outer.named(value)

    def add(self, op: str, *inputs: str, count: int = 1, out: Sequence[str] = (), **attrs: Any) -> Any:
        """A node; the name of its output, or names. out: what they are to be called."""
        assert self.node is not None
        outputs = [self.names.new(n) for n in out] or [self.names.new(op) for _ in range(count)]
        made = helper.make_node(op, inputs, outputs, self.names.new(f"{self.node.op.name}/{op}"), **attrs)
        if self.node.source.lines:
            made.doc_string = f"{self.node.op.name} at {self.node.source}"
        self.nodes.append(made)
        return outputs[0] if count == 1 else outputs

    def constant(self, array: Any, name: str = "constant") -> str:
        """A tensor of the file, each once; the name of it."""
        data = np.asarray(array, order="C")
        key = (data.dtype.str, data.shape, data.tobytes() if data.size < 4096 else np.random.default_rng().bytes(16))
        if key not in self.written:
            self.written[key] = self.names.new(name)
            self.tensors.append(numpy_helper.from_array(data, self.written[key]))
        return self.written[key]

    def ints(self, values: Sequence[int]) -> str:
        """A shape, or a list of axes."""
        return self.constant(np.asarray(values, np.int64), "ints")

    def reshape(self, name: str, shape: Sequence[int]) -> str:
        """The elements in another shape, in which zeros are lengths."""
        return str(self.add("Reshape", name, self.ints(shape), allowzero=int(0 in shape)))

    def like(self, value: Value, number: Any) -> str:
        """A number of the element type of a value."""
        return self.constant(np.asarray(number).astype(value.type.dtype.numpy), "number")

    def cast(self, name: str, *dtypes: Any) -> str:
        """To another element type, by way of others; between integers the low bits stay."""
        for dtype in dtypes:
            name = self.add("Cast", name, to=NUMBERS[np.dtype(dtype)])
        return name

    def refuse(self, why: str) -> NoReturn:
        """Raise UnsupportedError that names the op and the line."""
        assert self.node is not None
        raise UnsupportedError(f"export of {self.node.op.name}: {why}{self.node.source.at}")

    def write(self, graph: Graph) -> None:
        """The nodes of a graph whose inputs have names already."""
        for value, array in graph.constants.items():
            self.name_of[value] = self.constant(array)
        missing = sorted({node.op.name for node in graph.nodes} - set(EXPORTERS))
        if missing:
            counts = {name: graph.count(name) for name in missing}
            raise UnsupportedError(
                f"{sum(counts.values())} nodes cannot be exported: "
                + ", ".join(f"{name} ({n})" for name, n in counts.items())
            )
        for node in graph.nodes:
            self.node = node
            made = EXPORTERS[node.op.name](self, node, *map(self.named, node.inputs))
            names = [made] if isinstance(made, str) else made
            for value, name in zip(node.outputs, names, strict=True):
                self.name_of[value] = name

    def inline(self, graph: Graph, names: Sequence[str]) -> list[str]:
        """The nodes of a graph for inputs of these names; the names of its outputs."""
        node = self.node
        self.name_of.update(zip(graph.inputs, names, strict=True))
        self.write(graph)
        self.node = node
        return [self.named(v) for v in graph.outputs]

    def results(self, graph: Graph, wanted: Sequence[str]) -> list[onnx.ValueInfoProto]:
        """The outputs of a graph, under names of their own."""
        infos = []
        for value, name in zip(graph.outputs, wanted, strict=True):
            own = self.names.new(name)
            self.nodes.append(helper.make_node("Identity", [self.named(value)], [own], self.names.new("output")))
            infos.append(info(own, value))
        return infos

    def graph(
        self, name: str, inputs: Sequence[onnx.ValueInfoProto], outputs: Sequence[onnx.ValueInfoProto]
    ) -> GraphProto:
        """What was written."""
        return helper.make_graph(self.nodes, name, inputs, outputs, self.tensors)


def info(name: str, value: Value) -> onnx.ValueInfoProto:
    """The name and type of an input or an output."""
    return helper.make_tensor_value_info(name, NUMBERS[value.type.dtype.numpy], value.type.shape)
