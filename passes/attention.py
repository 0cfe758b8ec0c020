"""attention: plain NumPy attention becomes one node, which one kernel computes without a T x S tensor in memory.

Found are softmax(scale * q @ k^T) @ v in the spellings that people use: the scale multiplied or divided, on the scores
or on an operand before; a causal mask by np.where or by an added array; the softmax as a quotient or as exp(x - lse),
with or without stop_gradient. A value in between that something else reads keeps it all as it is.

`value_and_grad` applies `raise_attention` to what it differentiates, so that the backward pass has no T x S tensor
either. The pass of the default pipeline does the same for the rest, and claims the nodes for which the target has
kernels; a node that is not claimed is expanded by `inline`, so that `passes=()` runs plain operations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from graphc.families.registry import family_of
from graphc.ir.graph import Builder, Graph, Node, Source, Value, prune, renamed, run_node
from graphc.ir.rewriting import inline_bodies, map_nodes, rewrite
from graphc.ir.types import NDArray, f16, f32
from graphc.ops import by_name
from graphc.ops.attention import MAX_HEAD, attend, attend_backward
from graphc.ops.attention import attention as attention_op
from graphc.plan.plan import Target
from graphc.tracing.trace import Tracer, wrap

HIDDEN: Final = -1e8
"""A score at or below this has no weight beside a score that is seen."""

MOST_MASK: Final = 1 << 24
"""Elements of the largest mask that is computed to see what it hides."""


@dataclass(frozen=True, slots=True)
class Attention:
    """The pass: the graph with attention as single nodes, claimed for kernels where the target can run these.

    target: what the program is compiled for; None: one that runs them all.
    """

    target: Target | None = None

    def __call__(self, graph: Graph) -> Graph:
        raised = raise_attention(inline_bodies(graph, lambda node: node.op.inlined))
        return map_nodes(raised, lambda node: self._claimed(node) if _is_attention(node) else node)

    def _claimed(self, node: Node) -> Node:
        claimed = self.target is None or runs(node, self.target)
        if claimed == node.attrs.get("kernel", False):
            return node
        attrs = {name: attr for name, attr in node.attrs.items() if name != "kernel"}
        return replace(node, attrs={**attrs, "kernel": True} if claimed else attrs)


attention: Final = Attention()


def runs(node: Node, target: Target) -> bool:
    """Whether a target can run the kernels of an op: its family says so."""
    family = family_of(node)
    return family is None or family.fits(Graph(tuple(dict.fromkeys(node.inputs)), {}, (node,), node.outputs), target)


def unserved(graph: Graph, target: Target) -> bool:
    """Whether a graph holds attention that is claimed for kernels, fused or in loops too, and `target` has none."""
    return any(
        unserved(node.attrs["body"], target)
        if "body" in node.attrs
        else _is_attention(node) and node.attrs.get("kernel", False) and not runs(node, target)
        for node in graph.nodes
    )


def raise_attention(graph: Graph) -> Graph:
    """The graph with each attention that is found as one node of the op `attention`."""
    finder = _Finder(graph)
    found = {match.top: match for match in map(finder.match, graph.nodes) if match is not None}

    def raised(builder: Builder, node: Node, env: Mapping[Value, Value]) -> Sequence[Value] | None:
        if node not in found:
            return None
        with builder.at(found[node].source()):
            return [found[node].build(builder, env)]

    return prune(rewrite(graph, raised)) if found else graph


def expand(graph: Graph, chosen: Callable[[Node], bool] = lambda node: not node.attrs.get("kernel")) -> Graph:
    """The graph with the chosen attention nodes as plain operations."""

    def plain(builder: Builder, node: Node, env: Mapping[Value, Value]) -> Sequence[Value] | None:
        if not (_is_attention(node) and chosen(node)):
            return None
        start = len(builder.nodes)
        found = _plain(builder, node, renamed(node.inputs, env))
        builder.nodes[start:] = [replace(made, source=node.source) for made in builder.nodes[start:]]
        return found

    expanded = rewrite(graph, plain)
    return graph if expanded is graph else prune(expanded)


def _plain(builder: Builder, node: Node, inputs: Iterable[Value]) -> list[Value]:
    """The operations that an attention node stands for; half precision is computed in single, as kernels do."""
    half = node.outputs[0].type.dtype == f16
    cast = by_name("cast")
    given = [builder.apply(cast, v, dtype=f32) if half and v.type.dtype == f16 else v for v in inputs]
    function: Any = attend if node.op is attention_op else attend_backward
    attrs = {name: attr for name, attr in node.attrs.items() if name != "kernel"}
    made: tuple[Tracer, ...] = function(*(wrap(builder, v) for v in given), **attrs)
    return [builder.apply(cast, x.value, dtype=f16) if half else x.value for x in made]


def _is_attention(node: Node) -> bool:
    return node.op.attends


@dataclass(slots=True)
class _Match:
    """What was found: operands (q, keys and v), scale and mask so far, and the nodes that become one.

    perm: the axes of the keys in the order [..., D, S]. dropout: key, probability to keep, factor of what is kept.
    """

    top: Node
    inside: list[Node] = field(default_factory=list)
    operands: tuple[Value, ...] = ()
    perm: tuple[int, ...] = ()
    scale: float = 1.0
    causal: bool = False
    dropout: tuple[Value, float, float] | None = None

    def source(self) -> Source:
        """The lines of all nodes."""
        ordered = [node.source for node in (self.top, *self.inside)]
        return ordered[-1].merged(reversed(ordered[:-1]))

    def build(self, builder: Builder, env: Mapping[Value, Value]) -> Value:
        """The value of the new node."""
        q, keys, v = (env.get(x, x) for x in self.operands)
        *lead, row, column = self.perm
        perm = (*lead, column, row)
        k = keys if perm == tuple(range(len(perm))) else builder.apply(by_name("transpose"), keys, perm=perm)
        attrs: dict[str, Any] = {"causal": self.causal, "scale": self.scale}
        if self.dropout is None:
            return builder.add(attention_op, q, k, v, **attrs)[0]
        key, keep, boost = self.dropout
        return builder.add(attention_op, q, k, v, env.get(key, key), **attrs, keep=keep, boost=boost)[0]


class _Finder:
    """Looks at a graph from each matmul upwards."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.made = graph.producers()
        self.outputs = set(graph.outputs)
        self.readers: dict[Value, int] = {}
        for node in graph.nodes:
            for value in dict.fromkeys(node.inputs):
                self.readers[value] = self.readers.get(value, 0) + 1
        self.known: dict[Value, NDArray] = dict(graph.constants)
        self.fixed = set(graph.constants)
        for node in graph.nodes:
            if all(v in self.fixed for v in node.inputs) and _computable(node):
                self.fixed.add(node.out)

    def match(self, node: Node) -> _Match | None:
        """The attention whose last operation is this node."""
        if node.op.name != "matmul" or node.out.type.dtype != f32:
            return None
        match = _Match(node)
        weights = self._dropped(match, node.inputs[0])
        scores = None if weights is None else self._softmax(match, weights)
        if scores is None or not self._scores(match, scores) or not self._closed(match):
            return None
        q, keys, v = (x.type.shape for x in match.operands)
        keys = tuple(keys[axis] for axis in match.perm)
        fits = q[:-2] == keys[:-2] == v[:-2] and min(q[-1], v[-1]) > 0 and max(q[-1], v[-1]) <= MAX_HEAD
        return match if fits and keys[-1] >= (q[-2] if match.causal else 1) else None

    def _made_by(self, match: _Match, value: Value, *ops: str) -> Node | None:
        """The node that makes `value`, if its op is one of these; it is then inside."""
        node = self.made.get(value)
        if node is None or node.op.name not in ops:
            return None
        if node not in match.inside:
            match.inside.append(node)
        return node

    def _closed(self, match: _Match) -> bool:
        """Whether nothing else reads what is computed inside."""
        read: dict[Value, int] = {}
        for node in (match.top, *match.inside):
            for value in dict.fromkeys(node.inputs):
                read[value] = read.get(value, 0) + 1
        return all(
            node.out not in self.outputs and self.readers.get(node.out, 0) == read.get(node.out, 0)
            for node in match.inside
        )

    # Dropout

    def _dropped(self, match: _Match, value: Value) -> Value | None:
        """The weights before dropout, which is noted; None where what is dropped is chosen in another way."""
        node = self._made_by(match, value, "where")
        if node is None:
            return value
        less = self._made_by(match, node.inputs[0], "lt")
        uniform = self._times(match, less.inputs[0]) if less is not None else None
        cast = self._made_by(match, uniform[0], "cast") if uniform is not None and uniform[1] == 2.0**-24 else None
        shift = self._made_by(match, cast.inputs[0], "shift_right") if cast is not None else None
        bits = self._made_by(match, shift.inputs[0], "random_bits") if shift is not None else None
        if less is None or shift is None or bits is None or bits.out.type.shape != value.type.shape:
            return None
        keep = self._number(less.inputs[1])
        if keep is None or self._number(shift.inputs[1]) != 8 or self._number(node.inputs[2]) != 0:
            return None
        weights, boost = self._times(match, node.inputs[1]) or (node.inputs[1], 1.0)
        match.dropout = (bits.inputs[0], keep, boost)
        return weights

    def _times(self, match: _Match, value: Value) -> tuple[Value, float] | None:
        """x and c, where `value` is x times the number c; the product is then inside."""
        node = self.made.get(value)
        if node is None or node.op.name != "mul":
            return None
        for x, factor in (node.inputs, node.inputs[::-1]):
            number = self._number(factor)
            if number is not None and x.type == value.type:
                self._made_by(match, value, "mul")
                return x, number
        return None

    # Softmax

    def _softmax(self, match: _Match, weights: Value) -> Value | None:
        """What `weights` is the softmax of, over the last axis."""
        last = self._made_by(match, weights, "div", "exp")
        if last is None:
            return None
        if last.op.name == "exp":
            return self._from_log(match, last.inputs[0])
        exp = self._made_by(match, last.inputs[0], "exp")
        total = self._reduction(match, last.inputs[1], "sum")
        if exp is None or total is None or total is not exp.out:
            return None
        return self._shifted(match, exp.inputs[0])

    def _shifted(self, match: _Match, value: Value) -> Value | None:
        """x, where `value` is x - max(x)."""
        sub = self._made_by(match, value, "sub")
        if sub is None:
            return None
        return sub.inputs[0] if self._reduction(match, sub.inputs[1], "max") is sub.inputs[0] else None

    def _from_log(self, match: _Match, value: Value) -> Value | None:
        """x, where `value` is x - logsumexp(x), the maximum taken off first or added to the logarithm."""
        sub = self._made_by(match, value, "sub")
        if sub is None:
            return None
        x, lse = sub.inputs
        shifted = self._shifted(match, x) if self.made.get(x, sub).op.name == "sub" else None
        if shifted is not None:
            inner = self._log_of(match, lse)
            again = inner is x or (inner is not None and self._shifted(match, inner) is shifted)
            return shifted if again else None
        add = self._made_by(match, self._unspread(match, lse), "add")
        if add is None:
            return None
        for top, log in (add.inputs, add.inputs[::-1]):
            if self.made.get(self._unspread(match, log), add).op.name == "log":
                inner = self._log_of(match, log)
                centre = self._shifted(match, inner) if inner is not None else None
                return x if centre is x and self._reduction(match, top, "max") is x else None
        return None

    def _log_of(self, match: _Match, value: Value) -> Value | None:
        """y, where `value` is log(sum(exp(y)))."""
        log = self._made_by(match, self._unspread(match, value), "log")
        total = self._reduction(match, log.inputs[0], "sum") if log is not None else None
        exp = self._made_by(match, total, "exp") if total is not None else None
        return None if exp is None else exp.inputs[0]

    def _reduction(self, match: _Match, value: Value, op: str) -> Value | None:
        """x, where `value` is the reduction of x over its last axis, with that axis kept."""
        node = self._made_by(match, self._unspread(match, value), op)
        if node is None:
            return None
        x = node.inputs[0]
        kept = value.type.ndim == x.type.ndim and value.type.shape[-1] in (1, x.type.shape[-1])
        return x if node.attrs["axes"] == (x.type.ndim - 1,) and kept else None

    def _unspread(self, match: _Match, value: Value) -> Value:
        """The value behind operations that leave a number for each row as it is."""
        while (node := self.made.get(value)) is not None:
            shape = node.inputs[0].type.shape if node.inputs else ()
            same = node.op.name == "stop_gradient"
            # A row's number, given its last axis back or repeated along it.
            same |= node.op.name == "reshape" and _rows(shape) == _rows(node.out.type.shape)
            same |= node.op.name == "broadcast_to" and shape[:-1] == node.out.type.shape[:-1] and shape[-1:] == (1,)
            if not same:
                break
            self._made_by(match, value, node.op.name)
            value = node.inputs[0]
        return value

    # Scores

    def _scores(self, match: _Match, value: Value) -> bool:
        """Follow scale and masks up to the product of queries and keys."""
        shape, last = value.type.shape, match.top.inputs[1]
        while (node := self._made_by(match, value, "mul", "div", "where", "add", "matmul")) is not None:
            if node.op.name == "matmul":
                match.operands = (self._unscaled(match, node.inputs[0]), self._keys(match, node.inputs[1]), last)
                return True
            if node.op.name in ("mul", "div"):
                found = self._scaled(match, node)
            else:
                found = self._where(match, node) if node.op.name == "where" else self._added(match, node)
            if found is None or found.type.shape != shape:
                return False
            value = found
        return False

    def _scaled(self, match: _Match, node: Node) -> Value | None:
        """x, where `node` is x times or over a positive number."""
        for x, factor in (node.inputs, node.inputs[::-1])[: 1 if node.op.name == "div" else 2]:
            number = self._number(factor)
            if number is not None and number > 0 and math.isfinite(number):
                match.scale = match.scale / number if node.op.name == "div" else match.scale * number
                return x
        return None

    def _unscaled(self, match: _Match, value: Value) -> Value:
        """An operand of the scores without its scale, if it has one that nothing else needs."""
        node = self.made.get(value)
        if node is not None and node.op.name in ("mul", "div") and self._read_once(value):
            found = self._scaled(match, node)
            if found is not None and found.type == value.type:
                match.inside.append(node)
                return found
        return value

    def _keys(self, match: _Match, value: Value) -> Value:
        """The keys without their transpose, which is noted, and without their scale."""
        node = self.made.get(value)
        match.perm = tuple(range(value.type.ndim))
        if node is None or node.op.name != "transpose":
            return self._unscaled(match, value)
        match.perm = node.attrs["perm"]
        if not self._read_once(value):
            return node.inputs[0]
        match.inside.append(node)
        return self._unscaled(match, node.inputs[0])

    def _read_once(self, value: Value) -> bool:
        return self.readers.get(value) == 1 and value not in self.outputs

    def _where(self, match: _Match, node: Node) -> Value | None:
        condition, a, b = node.inputs
        for x, other, keep in ((a, b, True), (b, a, False)):
            number = self._number(other)
            if number is not None and number * match.scale <= HIDDEN and self._hides(match, condition, keep):
                return x
        return None

    def _added(self, match: _Match, node: Node) -> Value | None:
        for x, other in (node.inputs, node.inputs[::-1]):
            array = self._value(other)
            if array is None or array.ndim < 2:
                continue
            seen, gone = array == 0, array * match.scale <= HIDDEN
            if bool(np.all(seen | gone)) and self._hides_array(match, seen, node.out.type.shape):
                return x
        return None

    def _hides(self, match: _Match, condition: Value, keep: bool) -> bool:
        """Whether the condition equals `keep` at the keys that a causal query sees, or everywhere; it is noted."""
        queries, keys = match.top.inputs[0].type.shape[-2:]
        node = self.made.get(condition)
        square = condition.type.shape[-2:] == (queries, keys)
        if node is not None and node.op.name == "tril" and node.attrs["k"] == keys - queries and square and keep:
            number = self._number(node.inputs[0])
            if number:
                match.causal = match.causal or queries > 1
                return True
        array = self._value(condition)
        return array is not None and self._hides_array(match, array == keep, match.top.inputs[0].type.shape)

    def _hides_array(self, match: _Match, seen: NDArray, shape: tuple[int, ...]) -> bool:
        queries, keys = shape[-2:]
        if bool(np.all(seen)):
            return True
        if seen.ndim < 2 or seen.shape[-2:] != (queries, keys):
            return False
        match.causal = True
        return bool(np.all(seen == np.tri(queries, keys, keys - queries, dtype=np.bool_)))

    # What is known

    def _number(self, value: Value) -> float | None:
        """The number that every element of `value` is."""
        while (node := self.made.get(value)) is not None and node.op.name in ("broadcast_to", "reshape"):
            value = node.inputs[0]
        array = self.graph.constants.get(value)
        return float(array.reshape(-1)[0]) if array is not None and array.size == 1 else None

    def _value(self, value: Value) -> NDArray | None:
        """The elements of a value that depends on constants alone."""
        if value not in self.fixed:
            return None
        if value not in self.known:
            node = self.made[value]
            arrays = [self._value(v) for v in node.inputs]
            self.known[value] = run_node(node, [array for array in arrays if array is not None])[0]
        return self.known[value]


def _computable(node: Node) -> bool:
    return len(node.outputs) == 1 and node.out.type.size <= MOST_MASK and "structured" not in node.op.traits


def _rows(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape without a last axis of one element."""
    return shape[:-1] if shape and shape[-1] == 1 else shape
