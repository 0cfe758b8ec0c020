"""The graph: values, nodes, and the Builder that makes them.

Values and Nodes compare by identity and are never changed; a pass returns a new Graph. Every node keeps the source
lines of the user's code that it came from.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.errors import GraphcError, GraphError
from graphc.ir.op import Op
from graphc.ir.types import NDArray, TensorType, type_of

if TYPE_CHECKING:
    import networkx

FORWARD, BACKWARD, UPDATE = "forward", "backward", "update"


@dataclass(frozen=True, slots=True, order=True)
class SourceLine:
    """One line of the user's code."""

    file: str
    line: int
    text: str = ""
    function: str = ""

    def __str__(self) -> str:
        return f"{self.file.replace(chr(92), '/').rsplit('/', 1)[-1]}:{self.line}"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a node came from: its lines (a fused node has several) and the phase of the program it belongs to."""

    lines: tuple[SourceLine, ...] = ()
    phase: str = FORWARD
    scope: str = ""

    def merged(self, others: Iterable[Source]) -> Source:
        """The union of the lines, in order of first appearance."""
        lines = dict.fromkeys(self.lines)
        for other in others:
            lines.update(dict.fromkeys(other.lines))
        return replace(self, lines=tuple(lines))

    @property
    def at(self) -> str:
        """The last line of a message: where in the user's code, and what stands there. Empty where that is unknown."""
        if not self.lines:
            return ""
        line = self.lines[0]
        return f"\n  at  {line}" + (f": {line.text}" if line.text else "")

    def __str__(self) -> str:
        return ", ".join(dict.fromkeys(str(line) for line in self.lines))  # a line may hold several expressions


NOWHERE = Source()
_ids = itertools.count()


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A tensor in a graph. id: unique in this process. hint: the name it had in the user's code, for printing."""

    id: int
    type: TensorType
    hint: str = ""

    def __repr__(self) -> str:
        return f"%{self.hint or self.id}:{self.type}"


def new_value(type: TensorType, hint: str = "") -> Value:
    """A fresh Value."""
    return Value(next(_ids), type, hint)


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One application of an Op. attrs hold static parameters: numbers, strings, tuples of them, DTypes, sub-graphs."""

    op: Op
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    source: Source = NOWHERE

    @property
    def out(self) -> Value:
        """The only output."""
        return self.outputs[0]

    def __repr__(self) -> str:
        return f"{self.op.name}({', '.join(map(repr, self.inputs))})"


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
        from graphc.ir.printer import describe

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
        from graphc.inspect.viz.convert import to_networkx

        return to_networkx(self)

    def to_dot(self, **options: Any) -> str:
        """Graphviz source of a drawing of the graph."""
        from graphc.inspect.viz.draw import to_dot

        return to_dot(self, **options)

    def to_svg(self, path: Any = None, **options: Any) -> str:
        """An SVG drawing of the graph, also written to `path`. Needs no system package."""
        from graphc.inspect.viz.draw import to_svg

        return to_svg(self, path, **options)

    def _repr_svg_(self) -> str:
        return self.to_svg()

    def __str__(self) -> str:
        from graphc.ir.printer import format_graph

        return format_graph(self)


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


def inline_bodies(graph: Graph, chosen: Callable[[Node], bool]) -> Graph:
    """Put attrs["body"] in the place of each chosen node, also within bodies (it recurs only as deep as these nest).

    The nodes of a body keep their own source lines and take the phase of the node that they replace.
    """
    if not any(chosen(node) for node in graph.nodes):
        return graph
    builder = Builder()
    builder.inputs = list(graph.inputs)
    builder.constants = dict(graph.constants)
    env: dict[Value, Value] = {}
    for node in graph.nodes:
        if not chosen(node):
            builder.copy(node, env)
            continue

        def located(source: Source, outer: Source = node.source) -> Source:
            phase = outer.phase if source.phase == FORWARD else source.phase
            return replace(source, lines=source.lines or outer.lines, phase=phase)

        body = inline_bodies(node.attrs["body"], chosen)
        outputs = builder.inline(body, renamed(node.inputs, env), located)
        env.update(zip(node.outputs, outputs, strict=True))
    return builder.build(renamed(graph.outputs, env))


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

    def copy(self, node: Node, env: Mapping[Value, Value]) -> None:
        """Add `node` with its inputs renamed by `env`, keeping its outputs (so values stay the same objects)."""
        inputs = renamed(node.inputs, env)
        self.nodes.append(node if inputs == node.inputs else replace(node, inputs=inputs))

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
        from graphc.ir.printer import format_attr, value_names

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
