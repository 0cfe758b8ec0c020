"""From the bytes of a file to a program of steps, checked on the way: all that a file can say wrong is said here.

A file is not trusted. Its bytes are parsed by onnx, its graphs have to be in order and finite, its tensors are what
their shapes say, and what it calls is known; so running it needs no checks of its own.
"""

from __future__ import annotations

import inspect
import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import onnx
from google.protobuf.message import DecodeError
from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto

from graphc.errors import path_of
from graphc.ir.types import NDArray
from graphc.onnx import ops, registry
from graphc.onnx.errors import OnnxError, UnsupportedError
from graphc.onnx.tensors import ELEMENTS, to_array

DEEPEST: Final = 16
"""Sub-graphs within sub-graphs, and functions within functions."""

MOST_STEPS: Final = 200_000
"""Nodes of a model with those of its functions at each place where they are called."""

MOST_BYTES: Final = 1 << 34
"""Bytes of all tensors of a model."""

MOST_AXES: Final = 64
LONGEST_NAME: Final = 4096
OLDEST: Final = 1

STANDARD: Final = ("", "ai.onnx")


Scope = tuple[AbstractSet[str], ...]
"""The names that graphs around one have by then; sets that grow as their graphs are read."""


@dataclass(frozen=True)
class Reference:
    """An attribute within a function: that of its caller with this name."""

    name: str


@dataclass(frozen=True, eq=False)
class Step:
    """One node: what it computes, from which names to which. attrs: ndarrays, numbers, strings, lists, Blocks.

    body: the function that it calls, where it is one. same: for each output the input whose element type it has.
    """

    domain: str
    op: str
    name: str
    version: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Mapping[str, Any]
    importer: registry.Importer | None = None
    body: Function | None = None
    same: tuple[int | None, ...] = ()
    proto: NodeProto | None = None


@dataclass(frozen=True, eq=False)
class Block:
    """A graph: tensors that it holds, and steps from its inputs to its outputs."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tensors: Mapping[str, NDArray]
    steps: tuple[Step, ...]


@dataclass(frozen=True, eq=False)
class Function:
    """A function: a graph whose attributes come from where it is called. defaults: of those that have one."""

    block: Block
    defaults: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Port:
    """An input or an output of a model. element: the number of its element type; shape: None where it is not said."""

    name: str
    element: int
    shape: tuple[int | str | None, ...] | None


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model that was read and checked."""

    block: Block
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    opsets: Mapping[str, int]


def read(source: str | os.PathLike[str] | bytes | ModelProto) -> Loaded:
    """A model from a path, from bytes, or as onnx has read it. Raises OnnxError and UnsupportedError."""
    folder = None
    if isinstance(source, ModelProto):
        model = source
    else:
        if isinstance(source, bytes):
            data = source
        else:
            path = path_of("onnx.load", source)
            folder = path.resolve().parent
            try:
                data = path.read_bytes()
            except OSError as error:
                raise OnnxError(f"{path} cannot be read: {error.strerror}") from error
        model = ModelProto()
        try:
            model.ParseFromString(data)
        except DecodeError as error:
            raise OnnxError("this is no ONNX model: it cannot be parsed") from error
    try:
        return _Reader(model, folder).model()
    except OnnxError:
        raise
    except (TypeError, ValueError, LookupError, AttributeError, OverflowError, RecursionError) as error:
        raise OnnxError(f"this model is damaged: {error}") from error


@dataclass
class _Missing:
    """Operators that there is no importer for, and where they stand."""

    where: dict[str, list[str]] = field(default_factory=dict)

    def add(self, domain: str, op: str, version: int, node: str) -> None:
        key = f"{domain + '.' if domain not in STANDARD else ''}{op}"
        self.where.setdefault(f"{key} (opset {version})", []).append(node)

    def check(self) -> None:
        if not self.where:
            return
        count = sum(map(len, self.where.values()))
        parts = [
            f"{op}: {len(nodes)} ({', '.join(map(repr, nodes[:3]))}{', ...' if len(nodes) > 3 else ''})"
            for op, nodes in sorted(self.where.items())
        ]
        raise UnsupportedError(
            f"{count} node{'s' if count > 1 else ''} of {len(parts)} operator{'s' if len(parts) > 1 else ''} "
            f"without an importer: {'; '.join(parts)}"
        )


class _Reader:
    """Reads one model."""

    def __init__(self, model: ModelProto, folder: Path | None) -> None:
        self.proto = model
        self.folder = folder
        self.missing = _Missing()
        self.local = {(_domain(f.domain), f.name): f for f in model.functions}
        self.functions: dict[tuple[str, str, int], Function] = {}
        self.weights: Counter[tuple[str, str, int]] = Counter()
        self.calling: list[tuple[str, str, int]] = []
        self.steps = 0
        self.bytes = 0

    def model(self) -> Loaded:
        graph = self.proto.graph
        if not self.proto.HasField("graph") or not self.proto.opset_import:
            raise OnnxError("this is no ONNX model: it has no graph, or no operator sets")
        if len(self.local) != len(self.proto.functions):
            raise OnnxError("two functions have one name")
        opsets = _opsets(self.proto.opset_import)
        newest = onnx.defs.onnx_opset_version()
        version = opsets.get("", newest)
        if not OLDEST <= version <= newest:
            raise UnsupportedError(f"the model uses opset {version}: those from {OLDEST} to {newest} are imported")
        block = self.block(graph, opsets, (), 0)
        self.missing.check()
        return Loaded(
            block,
            tuple(_port(v) for v in graph.input if v.name not in block.tensors),
            tuple(_port(v) for v in graph.output),
            opsets,
        )

    def block(self, graph: GraphProto, opsets: Mapping[str, int], outer: Scope, depth: int) -> Block:
        if depth > DEEPEST:
            raise OnnxError(f"graph {_short(graph.name)}: sub-graphs within sub-graphs, more than {DEEPEST} deep")
        if graph.sparse_initializer:
            raise UnsupportedError(f"graph {_short(graph.name)}: sparse tensors are not imported")
        tensors = {}
        for tensor in graph.initializer:
            _check_name(tensor.name)
            if tensor.name in tensors:
                raise OnnxError(f"tensor {_short(tensor.name)} is there twice")
            tensors[tensor.name] = self.tensor(tensor)
        inputs = tuple(v.name for v in graph.input)
        for name in (*inputs, *(v.name for v in graph.output), graph.name):
            _check_name(name)
        if len(set(inputs)) != len(inputs):
            raise OnnxError(f"graph {_short(graph.name)}: two inputs have one name")
        steps = self.ordered(graph.node, opsets, {*inputs, *tensors}, outer, depth)
        known = {*inputs, *tensors, *(name for step in steps for name in step.outputs)}
        outputs = tuple(v.name for v in graph.output)
        for name in outputs:
            if name not in known and not _within(name, outer):
                raise OnnxError(f"graph {_short(graph.name)}: nothing makes its output {_short(name)}")
        free = tuple(name for name in inputs if name not in tensors)
        return Block(graph.name, free if depth == 0 else inputs, outputs, tensors, steps)

    def ordered(
        self,
        nodes: Iterable[NodeProto],
        opsets: Mapping[str, int],
        own: set[str],
        outer: Scope,
        depth: int,
    ) -> tuple[Step, ...]:
        """The steps of nodes, each of which reads what is there by then."""
        made = set(own)
        steps = []
        for node in nodes:
            self.steps += 1
            if self.steps > MOST_STEPS:
                raise OnnxError(f"more than {MOST_STEPS} nodes")
            _check_name(node.op_type)
            where = f"{_short(node.op_type)} (node {_short(node.name or ','.join(node.output))})"
            for name in (*node.input, *node.output, node.name, node.op_type, node.domain):
                _check_name(name)
            for name in node.input:
                if name and name not in made and not _within(name, outer):
                    raise OnnxError(
                        f"{where} reads {_short(name)}, which nothing makes before it: the nodes are out of order, or "
                        "go in a circle"
                    )
            steps.append(self.step(node, opsets, (*outer, made), depth))
            for name in filter(None, node.output):
                if name in made:
                    raise OnnxError(f"{where} makes {_short(name)}, which is there already")
                made.add(name)
        return tuple(steps)

    def step(self, node: NodeProto, opsets: Mapping[str, int], names: Scope, depth: int) -> Step:
        domain, name = _domain(node.domain), node.name or ",".join(node.output)
        if domain not in opsets and (domain, node.op_type) not in self.local:
            raise OnnxError(f"{node.op_type} (node {_short(name)}): the model names no operator set {domain!r}")
        version = opsets.get(domain, 1)
        attrs = {a.name: self.attribute(a, opsets, names, depth) for a in node.attribute}
        importer: registry.Importer | None = None
        body: Function | None = None
        proto: NodeProto | None = None
        same: tuple[int | None, ...] = ()
        if (domain, node.op_type) in self.local:
            body = self.function(self.local[domain, node.op_type], version)
        else:
            schema = _schema(node.op_type, domain, version)
            importer = registry.find(domain, node.op_type, version)
            if schema is None:
                self.missing.add(domain, node.op_type, version, name)
            elif importer is not None:
                _check_attributes(importer, attrs, f"{node.op_type} (node {_short(name)})")
                same = _same_types(schema, len(node.input), len(node.output))
            elif schema.has_function:
                defaults = {n: a.default_value for n, a in schema.attributes.items() if a.default_value.name}
                attrs = {n: self.attribute(a, opsets, names, depth) for n, a in defaults.items()} | attrs
                standard = opsets.get("", onnx.defs.onnx_opset_version())
                body = self.function(_body_of(schema, standard), version)
            elif schema.has_context_dependent_function:
                proto = node
            else:
                self.missing.add(domain, node.op_type, version, name)
        outputs, inputs = tuple(node.output), tuple(node.input)
        return Step(domain, node.op_type, name, version, inputs, outputs, attrs, importer, body, same, proto)

    def tensor(self, tensor: onnx.TensorProto) -> NDArray:
        """The numbers of a tensor; there may be so many of them in a model."""
        made = to_array(tensor, self.folder)
        self.bytes += made.nbytes
        if self.bytes > MOST_BYTES:
            raise OnnxError(f"its tensors have more than {MOST_BYTES} bytes")
        return made

    def attribute(self, a: AttributeProto, opsets: Mapping[str, int], names: Scope, depth: int) -> Any:
        if a.ref_attr_name:
            return Reference(a.ref_attr_name)
        if a.type == AttributeProto.GRAPH:
            return self.block(a.g, opsets, names, depth + 1)
        if a.type == AttributeProto.TENSOR:
            return self.tensor(a.t)
        if a.type == AttributeProto.STRING:
            return a.s.decode("utf-8", "replace")
        if a.type == AttributeProto.STRINGS:
            return [s.decode("utf-8", "replace") for s in a.strings]
        if a.type in (AttributeProto.FLOAT, AttributeProto.INT, AttributeProto.FLOATS, AttributeProto.INTS):
            found = onnx.helper.get_attribute_value(a)
            return list(found) if a.type in (AttributeProto.FLOATS, AttributeProto.INTS) else found
        raise UnsupportedError(f"attribute {_short(a.name)} is of a kind ({a.type}) that is not imported")

    def function(self, proto: FunctionProto, version: int) -> Function:
        """The body of a function, read once, and counted at each place where it is called."""
        for name in (proto.domain, proto.name, *proto.input, *proto.output):
            _check_name(name)
        key = (_domain(proto.domain), proto.name, version)
        if key in self.calling:
            raise OnnxError(f"function {_short(proto.name)} calls itself")
        found = self.functions.get(key)
        if found is not None:
            self.steps += self.weights[key]
            return found
        if len(self.calling) >= DEEPEST:
            raise OnnxError(f"functions within functions, more than {DEEPEST} deep")
        self.calling.append(key)
        before = self.steps
        made = read_function(self, proto)
        self.weights[key] = self.steps - before
        self.calling.pop()
        self.functions[key] = made
        return made


def read_function(reader: _Reader, proto: FunctionProto) -> Function:
    """A function as a graph."""
    opsets = {"": onnx.defs.onnx_opset_version(), **_opsets(proto.opset_import)}
    inputs, outputs = tuple(proto.input), tuple(proto.output)
    steps = reader.ordered(proto.node, opsets, set(inputs), (), 1)
    made = {*inputs, *(name for step in steps for name in step.outputs)}
    for name in outputs:
        if name not in made:
            raise OnnxError(f"function {_short(proto.name)}: nothing makes its output {_short(name)}")
    defaults = {a.name: reader.attribute(a, opsets, (), 1) for a in proto.attribute_proto}
    return Function(Block(proto.name, inputs, outputs, {}, steps), defaults)


def function_of_schema(step: Step, types: list[onnx.TypeProto]) -> Function | None:
    """The body that a standard operator has for inputs of these types, if it has one."""
    schema = _schema(step.op, step.domain, step.version)
    if schema is None or step.proto is None:
        return None
    data = [t.SerializeToString() for t in types]
    text = schema.get_context_dependent_function(step.proto.SerializeToString(), data)
    proto = FunctionProto()
    proto.ParseFromString(text)
    reader = _Reader(ModelProto(), None)
    made = read_function(reader, proto)
    reader.missing.check()
    return made


def _opsets(imports: Iterable[Any]) -> dict[str, int]:
    return {_domain(entry.domain): entry.version for entry in imports}


def _domain(name: str) -> str:
    return "" if name in STANDARD else name


def _schema(op: str, domain: str, version: int) -> Any:
    try:
        return onnx.defs.get_schema(op, version, domain)
    except onnx.defs.SchemaError:
        return None


def _body_of(schema: Any, version: int) -> FunctionProto:
    """The function that a schema has for a version of the standard operators."""
    versions = schema.function_opset_versions
    proto = FunctionProto()
    proto.ParseFromString(
        schema.get_function_with_opset_version(max((v for v in versions if v <= version), default=versions[0]))
    )
    return proto


def _check_attributes(importer: registry.Importer, attrs: Mapping[str, Any], what: str) -> None:
    parameters = inspect.signature(importer).parameters.values()
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
        return
    unknown = sorted(set(attrs) - {p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY})
    if unknown:
        raise UnsupportedError(f"{what}: its attribute {', '.join(map(_short, unknown))} is not imported")


def _same_types(schema: Any, inputs: int, outputs: int) -> tuple[int | None, ...]:
    """For each output the first input of the same type variable."""
    found: list[int | None] = []
    for k in range(outputs):
        formal = schema.outputs[min(k, len(schema.outputs) - 1)]
        alike = (i for i, x in enumerate(schema.inputs[:inputs]) if x.type_str == formal.type_str)
        several = "Variadic" in str(formal.option) and not formal.is_homogeneous
        found.append(None if several else next(alike, None))
    return tuple(found)


def _port(info: onnx.ValueInfoProto) -> Port:
    """An input or output; raises OnnxError for a shape that no tensor has."""
    _check_name(info.name)
    tensor = info.type.tensor_type
    if info.type.WhichOneof("value") not in ("tensor_type", None):
        raise UnsupportedError(f"{_short(info.name)} is no tensor: {info.type.WhichOneof('value')}")
    if tensor.elem_type and tensor.elem_type not in ELEMENTS:
        kind = onnx.TensorProto.DataType.Name(tensor.elem_type) if tensor.elem_type < 64 else tensor.elem_type
        raise UnsupportedError(f"{_short(info.name)} is of element type {kind}, which is not imported")
    shape = None
    if tensor.HasField("shape"):
        shape = tuple(d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in tensor.shape.dim)
        lengths = [n for n in shape if isinstance(n, int)]
        if any(n < 0 for n in lengths) or math.prod(n or 1 for n in lengths) > MOST_BYTES or len(shape) > MOST_AXES:
            raise OnnxError(f"{_short(info.name)} has a shape that makes no sense: {list(shape[:MOST_AXES])}")
    return Port(info.name, tensor.elem_type, shape)


def _within(name: str, scope: Scope) -> bool:
    return any(name in names for names in scope)


def _check_name(name: str | bytes) -> None:
    if isinstance(name, bytes):  # as protobuf gives what is no text
        raise OnnxError(f"a name that is no text: {name[:80]!r}")
    if len(name) > LONGEST_NAME:
        raise OnnxError(f"a name of {len(name)} characters, {_short(name)}: at most {LONGEST_NAME}")


def _short(name: str) -> str:
    return repr(name if len(name) <= 80 else f"{name[:77]}...")


del ops  # imported to enter its operators in the table
