"""intervals: what range the integers of a graph can have, by arithmetic on lowest and highest numbers.

The graph is followed once, forwards; loops until nothing changes, with little patience. Indices that are checked count
as being in range afterwards: where one is not, the program's results are not read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from graphc.ir.graph import Graph, Node, Value
from graphc.ir.scan import Scan
from graphc.ir.types import DType, NDArray, Shape
from graphc.ops.indexing import axis_length

Interval = tuple[int, int]
"""The lowest and the highest number."""

Box = Mapping[int, Interval]
"""The interval of arguments, by their position."""

PATIENCE: Final = 3
"""How often a loop is followed before what still grows counts as anything."""

DEPTH: Final = 4
"""How far up a condition on a value is applied to what is computed from it."""


def allowed(node: Node) -> tuple[Value, Interval] | None:
    """The indices of a node, and where they must lie; None for a node that does not index, or needs no check."""
    if "reports" in node.op.traits:
        return node.inputs[0], (node.attrs["low"], node.attrs["high"])
    if node.op.indices is None or node.attrs.get("clamp"):
        return None
    ids = node.inputs[node.op.indices]
    size = axis_length(node)
    return (ids, (-size, size - 1)) if ids.type.size else None


def whole(dtype: DType) -> Interval:
    """All numbers of an element type; bool counts as 0 and 1."""
    if dtype.kind == "bool":
        return 0, 1
    info = np.iinfo(dtype.numpy)
    return int(info.min), int(info.max)


def counts(value: Value) -> bool:
    """Whether intervals say something of a value."""
    return value.type.dtype.kind in ("int", "uint", "bool")


def hull(*parts: Interval) -> Interval:
    """The smallest interval that holds all of these."""
    return min(low for low, _ in parts), max(high for _, high in parts)


def meet(a: Interval, b: Interval) -> Interval:
    """What lies in both; where nothing does, the second one."""
    low, high = max(a[0], b[0]), min(a[1], b[1])
    return (low, high) if low <= high else b


def inside(part: Interval, of: Interval) -> bool:
    """Whether an interval lies in another one."""
    return of[0] <= part[0] and part[1] <= of[1]


class Intervals:
    """The intervals of a graph, for any intervals of its arguments. What is constant is looked at once."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._constant: dict[Value, Interval] = {}
        self._known: dict[Graph, tuple[list[Node], dict[Value, Node]]] = {}

    def proven(self, box: Box) -> dict[Node, bool]:
        """For each node that indexes, whether all its indices are in range if arguments lie in `box`."""
        return self._walk(box)[0]

    def outputs(self, box: Box) -> list[Interval | None]:
        """The interval of each output, None for floats."""
        return self._walk(box)[1]

    def _walk(self, box: Box) -> tuple[dict[Node, bool], list[Interval | None]]:
        walk = _Walk(self)
        given = [box.get(slot) for slot in range(len(self.graph.inputs))]
        made = walk.graph(self.graph, given)
        return walk.found, made

    def constant(self, value: Value, array: NDArray) -> Interval:
        """The interval of a constant."""
        if value not in self._constant:
            self._constant[value] = (int(array.min()), int(array.max())) if array.size else whole(value.type.dtype)
        return self._constant[value]

    def nodes(self, graph: Graph) -> tuple[list[Node], dict[Value, Node]]:
        """The nodes of a graph that matter here, and what makes each value of theirs."""
        if graph not in self._known:
            kept = [n for n in graph.nodes if any(map(counts, n.outputs)) or allowed(n) or _has_body(n)]
            self._known[graph] = kept, {v: n for n in kept for v in n.outputs}
        return self._known[graph]


def _has_body(node: Node) -> bool:
    return node.op.inlined or node.op.repeats


class _Walk:
    """One way through a graph. found: whether the indices of each node that indexes are in range."""

    def __init__(self, owner: Intervals) -> None:
        self.owner = owner
        self.found: dict[Node, bool] = {}
        self.silent = 0

    def graph(self, graph: Graph, given: Sequence[Interval | None]) -> list[Interval | None]:
        """The intervals of a graph's outputs for those of its inputs; None: not known."""
        nodes, producers = self.owner.nodes(graph)
        env = _Env(graph, producers)
        for value, interval in zip(graph.inputs, given, strict=True):
            if interval is not None and counts(value):
                env.known[value] = interval
        for value, array in graph.constants.items():
            if counts(value):
                env.known[value] = self.owner.constant(value, array)
        for node in nodes:
            self.node(node, env)
        return [env.get(v) for v in graph.outputs]

    def node(self, node: Node, env: _Env) -> None:
        limit = allowed(node)
        if limit is not None:
            ids, range_ = limit
            if not self.silent:
                self.found[node] = self.found.get(node, True) and inside(env[ids], range_)
            checked = meet(env[ids], range_)
            env.known[node.out if "reports" in node.op.traits else ids] = checked
            if "reports" in node.op.traits:
                return
        if node.op.repeats:
            made = self.loop(node, [env.get(v) for v in node.inputs])
        elif node.op.inlined:
            made = self.graph(node.attrs["body"], [env.get(v) for v in node.inputs])
        else:
            made = [env.computed(node)]
        for value, interval in zip(node.outputs, made, strict=False):
            if interval is not None and counts(value):
                env.known[value] = interval

    def loop(self, node: Node, given: list[Interval | None]) -> list[Interval | None]:
        """The intervals of a scan's results."""
        loop, body = Scan.of(node), node.attrs["body"]
        if not loop.length:
            return [*loop.operands(given).carries]
        carried = range(loop.consts, loop.consts + loop.carries)
        inputs = [(g or whole(v.type.dtype)) if counts(v) else None for v, g in zip(body.inputs, given, strict=True)]
        self.silent += 1
        attempt, grown = 0, True
        while grown:
            made = self.graph(body, inputs)
            grown = False
            for k in carried:
                before, after = inputs[k], made[k - loop.consts]
                if before is not None and after is not None and not inside(after, before):
                    inputs[k] = hull(before, after) if attempt < PATIENCE else whole(body.inputs[k].type.dtype)
                    grown = True
            attempt += 1
        self.silent -= 1
        made = self.graph(body, inputs)
        return [*loop.operands(inputs).carries, *loop.results(made).ys]


class _Env:
    """What is known of the values of one graph. More may be supposed of some, while `supposed` holds them."""

    def __init__(self, graph: Graph, producers: Mapping[Value, Node]) -> None:
        self.known: dict[Value, Interval] = {}
        self.producers = producers

    def get(self, value: Value) -> Interval | None:
        return self[value] if counts(value) else None

    def __getitem__(self, value: Value) -> Interval:
        found = self.known.get(value)
        return whole(value.type.dtype) if found is None else found

    def computed(self, node: Node, supposed: Mapping[Value, Interval] | None = None, depth: int = 0) -> Interval | None:
        """The interval of a node's output."""
        if not counts(node.out) or not node.out.type.size:
            return None
        full = whole(node.out.type.dtype)
        if node.op.name == "where":
            found = self._where(node, supposed or {}, depth)
        else:
            rule = RULES.get(node.op.name)
            if rule is None:
                return full
            parts = [self._supposed(v, supposed, depth) if counts(v) else None for v in node.inputs]
            found = rule(node, parts)
        return full if found is None or not inside(found, full) else found

    def _supposed(self, value: Value, supposed: Mapping[Value, Interval] | None, depth: int) -> Interval:
        """The interval of a value, if others have those in `supposed` at the same place."""
        if not supposed:
            return self[value]
        if value in supposed:
            return supposed[value]
        node = self.producers.get(value)
        if depth >= DEPTH or node is None or "pointwise" not in node.op.traits or node.op.name not in RULES:
            return self[value]
        here = {v: i for v, i in supposed.items() if _level(v, node.out.type.shape)}
        found = self.computed(node, here, depth + 1) if here else None
        return self[value] if found is None else meet(found, self[value])

    def _where(self, node: Node, supposed: Mapping[Value, Interval], depth: int) -> Interval | None:
        """Each branch under its condition, as far as that is a comparison of integers, element by element."""
        condition, *branches = node.inputs
        truth = self._supposed(condition, supposed, depth)
        parts = []
        for branch, holds in zip(branches, (True, False), strict=True):
            more = self._under(condition, holds, node.out.type.shape) if inside((holds, holds), truth) else None
            if more is not None:
                parts.append(self._supposed(branch, {**supposed, **more}, depth))
        return hull(*parts) if parts else None

    def _under(self, condition: Value, holds: bool, shape: Shape) -> dict[Value, Interval] | None:
        """What a condition says of the values that it compares; None where it cannot come out so."""
        node = self.producers.get(condition)
        while node is not None and node.op.name == "not":
            holds, node = not holds, self.producers.get(node.inputs[0])
        if node is None or node.op.name not in _COMPARED or not all(map(counts, node.inputs)):
            return {}
        a, b = node.inputs
        name = node.op.name if holds else _OPPOSITE[node.op.name]
        found: dict[Value, Interval] = {}
        for value, other, relation in ((a, b, name), (b, a, _TURNED[name])):
            narrowed = _COMPARED[relation](self[value], self[other])
            if narrowed[0] > narrowed[1]:
                return None
            for same in self._same(value):
                if _level(same, shape):
                    found[same] = narrowed
        return found

    def _same(self, value: Value) -> list[Value]:
        """The value, and those that it is a copy of in another integer type."""
        found = [value]
        while (node := self.producers.get(value)) is not None and node.op.name == "cast":
            source = node.inputs[0]
            if source.type.dtype.kind not in ("int", "uint") or not inside(self[source], whole(value.type.dtype)):
                break
            value = source
            found.append(value)
        return found


def _level(value: Value, shape: Shape) -> bool:
    """Whether a result of this shape reads a value, of its own shape or a single number, at its own place."""
    return value.type.shape == shape or value.type.size == 1


def _without(a: Interval, b: Interval) -> Interval:
    """`a` less the number b, if b is one number at an end of it."""
    if b[0] != b[1]:
        return a
    return a[0] + (a[0] == b[0]), a[1] - (a[1] == b[0])


_COMPARED: Final[Mapping[str, Callable[[Interval, Interval], Interval]]] = {
    "eq": lambda a, b: (max(a[0], b[0]), min(a[1], b[1])),
    "ne": _without,
    "lt": lambda a, b: (a[0], min(a[1], b[1] - 1)),
    "le": lambda a, b: (a[0], min(a[1], b[1])),
    "gt": lambda a, b: (max(a[0], b[0] + 1), a[1]),
    "ge": lambda a, b: (max(a[0], b[0]), a[1]),
}
"""What is left of a number's interval where it compares so with one in the second interval."""

_OPPOSITE: Final = {"eq": "ne", "ne": "eq", "lt": "ge", "le": "gt", "gt": "le", "ge": "lt"}
_TURNED: Final = {"eq": "eq", "ne": "ne", "lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}

Rule = Callable[[Node, Sequence[Any]], Interval | None]
"""The interval of a node's output for those of its operands, which are None for floats."""


def _same(node: Node, parts: Sequence[Interval]) -> Interval:
    return parts[0]


def _union(node: Node, parts: Sequence[Interval]) -> Interval:
    return hull(*parts)


def _product(node: Node, parts: Sequence[Interval]) -> Interval:
    found = [x * y for x in parts[0] for y in parts[1]]
    return min(found), max(found)


def _quotient(node: Node, parts: Sequence[Interval]) -> Interval | None:
    a, (low, high) = parts
    if low <= 0:
        return None
    found = [x // y for x in a for y in (low, high)]
    return min(found), max(found)


def _remainder(node: Node, parts: Sequence[Interval]) -> Interval | None:
    a, (low, high) = parts
    if low <= 0:
        return None
    return a if a[0] >= 0 and a[1] < low else (0, high - 1)


def _remainder_of_sign(node: Node, parts: Sequence[Interval]) -> Interval | None:
    a, (low, high) = parts
    if low <= 0:
        return None
    return max(min(a[0], 0), 1 - high), min(max(a[1], 0), high - 1)


def _magnitude(node: Node, parts: Sequence[Interval]) -> Interval:
    low, high = parts[0]
    return (0 if low <= 0 <= high else min(abs(low), abs(high))), max(abs(low), abs(high))


def _cast(node: Node, parts: Sequence[Interval | None]) -> Interval | None:
    if parts[0] is None:
        return None
    return parts[0] if node.out.type.dtype.kind != "bool" else (0, 1)


def _bits(node: Node, parts: Sequence[Interval]) -> Interval | None:
    """and, or, xor of what is not negative; one such operand of `and` is enough."""
    (a_low, a), (b_low, b) = parts
    if node.op.name == "and" and max(a_low, b_low) >= 0:
        return 0, min(high for low, high in parts if low >= 0)
    if node.op.name == "or" and min(a_low, b_low) >= 0:
        return max(a_low, b_low), (1 << max(a, b).bit_length()) - 1
    return (0, (1 << max(a, b).bit_length()) - 1) if min(a_low, b_low) >= 0 else None


def _and(node: Node, parts: Sequence[Interval]) -> Interval | None:
    if node.out.type.dtype.kind == "bool":
        return min(parts[0][0], parts[1][0]), min(parts[0][1], parts[1][1])
    return _bits(node, parts)


def _or(node: Node, parts: Sequence[Interval]) -> Interval | None:
    if node.out.type.dtype.kind == "bool":
        return max(parts[0][0], parts[1][0]), max(parts[0][1], parts[1][1])
    return _bits(node, parts)


def _not(node: Node, parts: Sequence[Interval]) -> Interval | None:
    low, high = parts[0]
    kind = node.out.type.dtype.kind
    return (1 - high, 1 - low) if kind == "bool" else (-high - 1, -low - 1) if kind == "int" else None


def _shift(node: Node, parts: Sequence[Interval]) -> Interval | None:
    """Shifts by less than the number of bits; one to the left that overflows says nothing."""
    a, (least, most) = parts
    if least < 0 or most >= 8 * node.out.type.dtype.itemsize:
        return None
    if node.op.name == "shift_right":
        found = [x >> s for x in a for s in (least, most)]
    else:
        found = [x << s for x in a for s in (least, most)]
    return min(found), max(found)


def _compared(node: Node, parts: Sequence[Interval | None]) -> Interval:
    a, b = parts
    if a is None or b is None:
        return 0, 1
    # Where no number of `a` is left that compares so, or in the opposite way, with any of `b`, all is decided.
    holds, fails = (_COMPARED[name](a, b) for name in (node.op.name, _OPPOSITE[node.op.name]))
    return int(fails[0] > fails[1]), int(holds[0] <= holds[1])


def _iota(node: Node, parts: Sequence[Interval]) -> Interval:
    return 0, node.attrs["shape"][node.attrs["axis"]] - 1


def _position(node: Node, parts: Sequence[Interval | None]) -> Interval:
    shape = node.inputs[0].type.shape
    return 0, math.prod(shape[a] for a in node.attrs["axes"]) - 1


def _padded(node: Node, parts: Sequence[Interval]) -> Interval:
    return hull(parts[0], (int(node.attrs["value"]),) * 2)


def _sum(node: Node, parts: Sequence[Interval]) -> Interval:
    count = math.prod(node.inputs[0].type.shape[a] for a in node.attrs["axes"])
    return parts[0][0] * count, parts[0][1] * count


def _running(node: Node, parts: Sequence[Interval]) -> Interval:
    count = node.inputs[0].type.shape[node.attrs["axis"]]
    low, high = parts[0]
    return min(low, low * count), max(high, high * count)


def _written(node: Node, parts: Sequence[Interval]) -> Interval:
    return hull(parts[0], parts[2])


def _sign(node: Node, parts: Sequence[Interval]) -> Interval:
    low, high = parts[0]
    return (low > 0) - (low < 0), (high > 0) - (high < 0)


RULES: Final[Mapping[str, Rule]] = {
    **dict.fromkeys(("reshape", "transpose", "broadcast_to", "slice", "flip", "stop_gradient", "barrier"), _same),
    **dict.fromkeys(("max", "min", "take", "take_along_axis"), _same),
    "concatenate": _union,
    "add": lambda node, parts: (parts[0][0] + parts[1][0], parts[0][1] + parts[1][1]),
    "sub": lambda node, parts: (parts[0][0] - parts[1][1], parts[0][1] - parts[1][0]),
    "mul": _product,
    "floordiv": _quotient,
    "mod": _remainder,
    "fmod": _remainder_of_sign,
    "neg": lambda node, parts: (-parts[0][1], -parts[0][0]),
    "abs": _magnitude,
    "sign": _sign,
    "maximum": lambda node, parts: (max(parts[0][0], parts[1][0]), max(parts[0][1], parts[1][1])),
    "minimum": lambda node, parts: (min(parts[0][0], parts[1][0]), min(parts[0][1], parts[1][1])),
    "cast": _cast,
    "and": _and,
    "or": _or,
    "xor": _bits,
    "not": _not,
    "shift_left": _shift,
    "shift_right": _shift,
    **dict.fromkeys(_COMPARED, _compared),
    "iota": _iota,
    "argmax": _position,
    "argmin": _position,
    "argsort": lambda node, parts: (0, max(node.inputs[0].type.shape[-1] - 1, 0)),
    "pad": _padded,
    "tril": lambda node, parts: hull(parts[0], (0, 0)),
    "triu": lambda node, parts: hull(parts[0], (0, 0)),
    "sum": _sum,
    "cumsum": _running,
    "index_update": _written,
}
"""The rules of ops whose results have an interval; an op that is not here can give any number. A result that does not
fit its type wraps around, and so can be any number too."""
