"""The graph: values, nodes, the Builder that makes them, and the text that it is printed as.

Values and Nodes compare by identity and are never changed; a pass returns a new Graph. Every node keeps the source
lines of the user's code that it came from.
"""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from graphc.errors import GraphcError, GraphError
from graphc.ir.op import Node, Op
from graphc.ir.types import ALL_DTYPES, DType, NDArray, TensorType, type_of
from graphc.ir.value import BACKWARD, FORWARD, NOWHERE, UPDATE, Source, SourceLine, Value, new_value

if TYPE_CHECKING:
    import networkx

__all__ = [
    "BACKWARD",
    "FORWARD",
    "NOWHERE",
    "UPDATE",
    "Builder",
    "Called",
    "Graph",
    "Node",
    "Op",
    "Runs",
    "Source",
    "SourceLine",
    "Value",
    "describe",
    "draw_with",
    "evaluate",
    "execute",
    "format_attr",
    "format_graph",
    "format_node",
    "infer_types",
    "new_value",
    "prune",
    "renamed",
    "reports",
    "run_node",
    "value_names",
]

SHOWN: Final = 8
"""Most numbers of a constant that are printed; of larger ones the text gives the bytes."""

_WORD: Final = re.compile(r"[A-Za-z_][\w:]*")
_MEANT_OTHERWISE: Final = frozenset({"True", "False", "None", "inf", "nan", *(dtype.name for dtype in ALL_DTYPES)})
"""Words that as an attribute are no strings: a string of this kind is quoted."""


@dataclass(frozen=True, slots=True)
class Called:
    """What the arguments and results of a program are called, by the paths to them, for who looks at it: the first
    inputs ("params.layers[0].wv") and the outputs ("result[1]") of its graph, in order."""

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A static program: inputs, constants, nodes in topological order, outputs.

    called: see Called; passes need not care, the pipeline hands it on.
    """

    inputs: tuple[Value, ...]
    constants: Mapping[Value, NDArray]
    nodes: tuple[Node, ...]
    outputs: tuple[Value, ...]
    called: Called = Called()

    def producers(self) -> dict[Value, Node]:
        """The node that makes each value."""
        return {out: node for node in self.nodes for out in node.outputs}

    def consumers(self) -> dict[Value, list[Node]]:
        """The nodes that read each value, each once, in order; values that nothing reads have an empty list."""
        found: dict[Value, list[Node]] = {v: [] for v in self.values()}
        for node in self.nodes:
            for value in dict.fromkeys(node.inputs):
                found[value].append(node)
        return found

    def values(self) -> Iterator[Value]:
        """Inputs, constants and node outputs, in order."""
        yield from self.inputs
        yield from self.constants
        for node in self.nodes:
            yield from node.outputs

    def count(self, op_name: str) -> int:
        """How many nodes apply the op of this name."""
        return sum(node.op.name == op_name for node in self.nodes)

    def verify(self, inferred: set[Node] | None = None) -> None:
        """Raise GraphError naming the node where an invariant is broken.

        inferred: nodes whose types are known to be right, because a graph verified before held them; those of this
        graph are added.
        """
        known: set[Value] = set()
        for value in itertools.chain(self.inputs, self.constants):
            if value in known:
                raise GraphError(f"{value!r} is defined twice")
            known.add(value)
        for value, array in self.constants.items():
            if type_of(array) != value.type:
                raise GraphError(f"constant {value!r} holds {type_of(array)}")
        for node in self.nodes:
            for value in node.inputs:
                if value not in known:
                    raise GraphError(f"{describe(self, node)}: input {value!r} is read before it is defined")
            if inferred is None or node not in inferred:
                types = infer_types(node.op, [v.type for v in node.inputs], node.attrs)
                if types != tuple(v.type for v in node.outputs):
                    raise GraphError(f"{describe(self, node)}: the types of its outputs should be {list(types)}")
            for value in node.outputs:
                if value in known:
                    raise GraphError(f"{describe(self, node)}: output {value!r} is defined twice")
                known.add(value)
        for value in self.outputs:
            if value not in known:
                raise GraphError(f"output {value!r} is not defined in the graph")
        if inferred is not None:
            inferred.update(self.nodes)

    def to_networkx(self) -> networkx.MultiDiGraph:
        """Nodes keyed "%name", with edges for the values that flow; see graphc.inspect.viz.convert."""
        return _pictures[-1].to_networkx(self)

    def to_dot(self, **options: Any) -> str:
        """Graphviz source of a drawing of the graph."""
        return _pictures[-1].to_dot(self, **options)

    def to_svg(self, path: Any = None, **options: Any) -> str:
        """An SVG drawing of the graph, also written to `path`. Needs no system package."""
        return _pictures[-1].to_svg(self, path, **options)

    def _repr_svg_(self) -> str:
        return self.to_svg()

    def __str__(self) -> str:
        return format_graph(self)


class Pictures(Protocol):
    """What draws graphs."""

    def to_networkx(self, graph: Graph, /) -> networkx.MultiDiGraph: ...

    def to_dot(self, graph: Graph, /, **options: Any) -> str: ...

    def to_svg(self, graph: Graph, path: Any, /, **options: Any) -> str: ...


_pictures: list[Pictures] = []


def draw_with(pictures: Pictures) -> None:
    """Have graphs drawn by this from now on; the intermediate representation knows of no drawing itself."""
    _pictures[:] = [pictures]


def value_names(graph: Graph) -> dict[Value, str]:
    """A unique printed name for each value: its hint where it has one, else its number in order."""
    names: dict[Value, str] = {}
    taken: set[str] = set()
    for number, value in enumerate(graph.values()):
        name = value.hint or str(number)
        if name in taken:
            name = f"{name}.{number}"
        taken.add(name)
        names[value] = f"%{name}"
    return names


def format_attr(value: Any) -> str:
    """One attribute as it is printed."""
    if isinstance(value, Graph):
        return f"<{len(value.nodes)} ops>"
    if isinstance(value, tuple):
        return "(" + ", ".join(format_attr(v) for v in value) + ("," if len(value) == 1 else "") + ")"
    if isinstance(value, str):
        plain = _WORD.fullmatch(value) and value not in _MEANT_OTHERWISE
        return value if plain else "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    if isinstance(value, DType | int | float | bool | type(None)):
        return str(value)
    return getattr(value, "__name__", type(value).__name__)


def format_node(node: Node, names: dict[Value, str]) -> str:
    """One node, without its source."""
    outputs = ", ".join(f"{names.get(v, repr(v))}: {v.type}" for v in node.outputs)
    arguments = [names.get(v, repr(v)) for v in node.inputs]
    arguments += [f"{key}={format_attr(value)}" for key, value in node.attrs.items() if key != "why"]
    return f"{outputs} = {node.op.name}({', '.join(arguments)})"


def describe(graph: Graph, node: Node) -> str:
    """One node with its source lines, for messages."""
    text = format_node(node, value_names(graph))
    return f"{text}  # {node.source}" if node.source.lines else text


def format_graph(graph: Graph) -> str:
    """The whole graph; the body of a fused node is indented below it."""
    return "\n".join(_lines(graph, ""))


def _lines(graph: Graph, indent: str) -> list[str]:
    names = value_names(graph)
    lines = [f"{indent}graph({', '.join(f'{names[v]}: {v.type}' for v in graph.inputs)})"]
    for value, array in graph.constants.items():
        shown = _constant(array)
        lines.append(f"{indent}  {names[value]}: {value.type} = constant {shown}")
    for node in graph.nodes:
        lines.append(f"{indent}  {format_node(node, names)}{_comment(node.source)}")
        for attr in node.attrs.values():
            if isinstance(attr, Graph):
                lines += _lines(attr, indent + "    ")
    lines.append(f"{indent}  return {', '.join(names[v] for v in graph.outputs)}")
    return lines


def _comment(source: Source) -> str:
    """Where a node comes from, and the phase that it belongs to unless that is the forward one."""
    phase = "" if source.phase == FORWARD else f"({source.phase})"
    text = " ".join(filter(None, (str(source), phase)))
    return f"  # {text}" if text else ""


def _constant(array: np.ndarray[Any, Any]) -> str:
    if array.size > SHOWN:
        return f"<{array.nbytes} bytes>"
    numbers = ", ".join(map(str, array.ravel()))  # each as short as its own precision allows
    return numbers if array.size == 1 else f"[{numbers}]"


def infer_types(op: Op, types: Sequence[TensorType], attrs: Mapping[str, Any]) -> tuple[TensorType, ...]:
    """Output types of `op`, as a tuple."""
    result = op.infer(*types, **attrs)
    return result if isinstance(result, tuple) else (result,)


Runs = Callable[[Node, list[NDArray]], "Sequence[NDArray]"]
"""Gives the outputs of a node for its operands."""


def execute(
    graph: Graph, arrays: Sequence[NDArray], run: Runs | None = None, keep: bool = False
) -> dict[Value, NDArray]:
    """Run a graph node by node: the only loop that does. Returns its outputs and what is left besides.

    run: how a node is run; by the reference of its op unless given. keep: all values stay; else each is freed after its
    last reader.
    """
    run = run or run_node
    last = {} if keep else {value: position for position, node in enumerate(graph.nodes) for value in node.inputs}
    kept = set(graph.outputs)
    env: dict[Value, NDArray] = dict(graph.constants)
    env.update(zip(graph.inputs, arrays, strict=True))
    for position, node in enumerate(graph.nodes):
        env.update(zip(node.outputs, run(node, [env[v] for v in node.inputs]), strict=True))
        for value in () if keep else set(node.inputs):
            if last[value] == position and value not in kept:
                del env[value]
    return env


def evaluate(graph: Graph, arrays: Sequence[NDArray]) -> list[NDArray]:
    """The outputs of a graph by the NumPy reference of each op."""
    env = execute(graph, arrays)
    return [env[v] for v in graph.outputs]


def run_node(node: Node, arrays: Sequence[NDArray]) -> tuple[NDArray, ...]:
    """The outputs of one node by the reference of its op, of exactly the node's types."""
    with np.errstate(all="ignore"):
        result = node.op.reference(*arrays, **node.attrs)
    results = result if isinstance(result, tuple) else (result,)
    return tuple(np.asarray(r, dtype=v.type.dtype.numpy) for r, v in zip(results, node.outputs, strict=True))


def renamed(values: Iterable[Value], names: Mapping[Value, Value]) -> tuple[Value, ...]:
    """Values, or what has taken their place."""
    return tuple(names.get(value, value) for value in values)


def prune(graph: Graph) -> Graph:
    """The graph without the nodes and constants that no output depends on; the inputs stay."""
    live: set[Value] = set(graph.outputs)
    kept = []
    for node in reversed(graph.nodes):
        if not live.isdisjoint(node.outputs):
            kept.append(node)
            live.update(node.inputs)
    constants = {value: array for value, array in graph.constants.items() if value in live}
    if len(kept) == len(graph.nodes) and len(constants) == len(graph.constants):
        return graph
    return Graph(graph.inputs, constants, tuple(reversed(kept)), graph.outputs)


class Builder:
    """Makes a Graph, node by node. Shape rules run as nodes are added, and their errors name op, types and source."""

    def __init__(self, source: Source = NOWHERE) -> None:
        self.inputs: list[Value] = []
        self.constants: dict[Value, NDArray] = {}
        self.nodes: list[Node] = []
        self.source = source
        self.trace: object | None = None  # tracing's own state of a builder that it wraps

    def input(self, type: TensorType, hint: str = "") -> Value:
        """A new graph input."""
        value = new_value(type, hint)
        self.inputs.append(value)
        return value

    def constant(self, array: NDArray | np.generic | float | int | bool, hint: str = "") -> Value:
        """A constant tensor; the array must not be changed afterwards."""
        data = np.asarray(array)
        value = new_value(type_of(data), hint)
        self.constants[value] = data.astype(value.type.dtype.numpy, copy=False)
        return value

    def add(self, op: Op, *inputs: Value, **attrs: Any) -> tuple[Value, ...]:
        """Apply `op`; returns its outputs. Raises ShapeError, DTypeError or IndexRangeError with the user's line."""
        try:
            types = infer_types(op, [v.type for v in inputs], attrs)
        except GraphcError as error:
            raise self._located(error, op, inputs, attrs) from None
        node = Node(op, tuple(inputs), tuple(new_value(t) for t in types), attrs, self.source)
        self.nodes.append(node)
        return node.outputs

    def apply(self, op: Op, *inputs: Value, **attrs: Any) -> Value:
        """Apply an op that has one output."""
        return self.add(op, *inputs, **attrs)[0]

    @classmethod
    def of(cls, graph: Graph) -> Builder:
        """A builder that holds the inputs and constants of a graph already."""
        builder = cls()
        builder.inputs, builder.constants = list(graph.inputs), dict(graph.constants)
        return builder

    def copy(self, node: Node, env: Mapping[Value, Value]) -> tuple[Value, ...]:
        """Add `node` with its inputs renamed by `env`; returns its outputs, which stay the same objects."""
        inputs = renamed(node.inputs, env)
        self.nodes.append(node if inputs == node.inputs else replace(node, inputs=inputs))
        return node.outputs

    def inline(
        self, graph: Graph, arguments: Sequence[Value], source: Callable[[Source], Source] | None = None
    ) -> list[Value]:
        """Copy the nodes of `graph` in, its inputs bound to `arguments`; returns what its outputs became."""
        env: dict[Value, Value] = dict(zip(graph.inputs, arguments, strict=True))
        for value, array in graph.constants.items():
            env[value] = new_value(value.type, value.hint)
            self.constants[env[value]] = array
        for node in graph.nodes:
            outputs = tuple(new_value(v.type, v.hint) for v in node.outputs)
            env.update(zip(node.outputs, outputs, strict=True))
            where = source(node.source) if source else node.source
            self.nodes.append(Node(node.op, tuple(env[v] for v in node.inputs), outputs, node.attrs, where))
        return [env[v] for v in graph.outputs]

    @contextmanager
    def at(self, source: Source) -> Iterator[None]:
        """Give the nodes added inside this source."""
        saved, self.source = self.source, source
        try:
            yield
        finally:
            self.source = saved

    def build(self, outputs: Sequence[Value]) -> Graph:
        """The finished graph."""
        return Graph(tuple(self.inputs), dict(self.constants), tuple(self.nodes), tuple(outputs))

    def _located(self, error: GraphcError, op: Op, inputs: Sequence[Value], attrs: Mapping[str, Any]) -> GraphcError:
        """`error` with op, operand types, the node that was refused as it would be printed, and the user's line."""
        message = str(error)
        if inputs and not all(str(v.type) in message for v in inputs):
            given = zip(_operand_names(op, len(inputs)), inputs, strict=True)
            message = f"{', '.join(f'{name} is {v.type}' for name, v in given)}: {message}"
        graph = self.build(())
        names = value_names(graph)
        arguments = [names.get(v, f"%{v.hint or v.id}") for v in inputs]
        arguments += [f"{key}={format_attr(value)}" for key, value in attrs.items()]
        text = f"{op.name}: {message}\n  in  %{len(names)} = {op.name}({', '.join(arguments)})"
        return type(error)(text + self.source.at)


def _operand_names(op: Op, count: int) -> list[str]:
    """What the shape rule calls its operands; a, b, c where it takes any number of them."""
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [p.name for p in inspect.signature(op.infer).parameters.values() if p.kind in positional]
    if count == 1 and len(names) != 1:
        return ["x"]
    return names if len(names) == count else [chr(ord("a") + i) if i < 26 else f"operand {i}" for i in range(count)]


def reports(nodes: Iterable[Node]) -> Iterator[Node]:
    """The nodes that write to the program's faults, those in bodies too, in order."""
    for node in nodes:
        if "reports" in node.op.traits:
            yield node
        for body in node.attrs.values():
            if isinstance(body, Graph):
                yield from reports(body.nodes)
