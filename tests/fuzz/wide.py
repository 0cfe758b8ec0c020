"""What a graph computes, and how far a right executor may be from it.

A graph is run by the references of its ops in float64. Then it is run a few times more with the result of every op that
rounds moved by a few units in the last place of the element type that it has on a device. Where these runs agree, a
result is decided: an executor must come near it. What they do to a result is how much rounding may do to it; where they
disagree on NaN, on infinity or on a truth value, nothing can be asked.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from graphc.ir.graph import Graph, Node, Value
from graphc.ir.op import Custom
from graphc.ir.types import DType, f64
from graphc.ops.attention import attend, attend_backward
from graphc.ops.structured import scan
from graphc.tracing.trace import spec, trace

NOISE: Final = (None, "up", "down", "random 1", "random 2", "random 3", "flush", "nearest", "only flush")
"""The runs: exact; all results moved up, all down; at random; at random with denormal numbers and -0 taken as 0; each
result the nearest of its element type, so that what is no whole number or zero in float64 may be one; exact with
denormal numbers taken as 0, which noise, as of sines, may hide."""

STILL: Final = (None, "only flush")
"""The runs in which nothing is moved."""

ULPS: Final = 4.0
"""Units in the last place by which a result is moved."""

SLACK: Final = 6.0
"""How many times more than the runs differ a result may be off."""

EXACT: Final = frozenset(
    (
        *("neg", "abs", "sign", "floor", "ceil", "trunc", "round", "maximum", "minimum", "where", "copysign"),
        *("max", "min", "reshape", "transpose", "broadcast_to", "slice", "flip", "pad", "concatenate", "tril", "triu"),
        *("take", "take_along_axis", "index_update", "iota", "stop_gradient", "barrier", "random_bits"),
    )
)
"""Ops whose float results are among their operands, or are whole."""

OFTEN_EXACT: Final = frozenset(("add", "sub", "mul", "cast"))
"""Ops that any executor computes exactly where the result has few enough digits."""

SUMS: Final = frozenset(("sum", "mean", "matmul", "cumsum", "scatter_add"))
"""Ops that add many terms: what they may be off by goes by the sizes of the terms."""

ADDED_AT_ONCE: Final = 32
"""A running sum is made of as many parts as a part has numbers, and adds either one after the other: of equal numbers
all roundings go one way, and so many of them move a result as far as one does in other sums."""

ONE_BY_ONE: Final = 2048
"""Numbers up to which NumPy's running sums, one number after the other, may be off by more than those of parts."""

JUMPS: Final = frozenset(("floor", "ceil", "trunc", "round", "sign", "floordiv", "mod", "fmod"))
"""Ops on floats whose results jump."""

PLAIN: Final[dict[str, Callable[..., Any]]] = {"attention": attend, "attention_backward": attend_backward}
"""Ops that compute in many steps, and the functions that they stand for."""

FACTORS: Final = Custom("factor")
"""The lowering of decompositions."""

RANGE: Final = {
    "f32": (float(np.finfo(np.float32).max), float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).eps)),
    "f16": (float(np.finfo(np.float16).max), float(np.finfo(np.float16).tiny), float(np.finfo(np.float16).eps)),
}


class Wide:
    """One run in float64. noise: one of NOISE. clamped: whether a number was too large for its element type.

    unfactorable: whether a decomposition was given NaN or infinity.
    decisions: a checksum of each result that jumps where its operands change a little: integers, truth values, floors.
    """

    def __init__(self, noise: str | None) -> None:
        self.noise = noise
        self.clamped = False
        self.unfactorable = False
        self.decisions: list[int] = []
        self._random = np.random.default_rng(NOISE.index(noise))

    def run(self, graph: Graph, arrays: Sequence[Any]) -> list[Any]:
        """The outputs of a graph; floats are float64."""
        env: dict[Value, Any] = {value: self._constant(array) for value, array in graph.constants.items()}
        env.update((value, _wide(array)) for value, array in zip(graph.inputs, arrays, strict=True))
        for node in graph.nodes:
            given = [env[v] for v in node.inputs]
            if node.op.name in PLAIN:
                made: Sequence[Any] = self.run(_plain(node), given)
            elif node.op is scan:
                made = self._loop(node, given)
            elif "structured" in node.op.traits and isinstance(node.attrs.get("body"), Graph):
                made = self.run(node.attrs["body"], given)
            else:
                made = self._node(node, given)
            env.update(zip(node.outputs, made, strict=True))
        return [env[v] for v in graph.outputs]

    def _constant(self, array: Any) -> Any:
        """A constant; one that no few digits hold, such as 0.1, is not the same number in float64."""
        wide = _wide(array)
        if self.noise in (*STILL, "nearest") or array.dtype.kind != "f" or _coarse(wide, 1024):
            return wide
        return wide * (1 + np.finfo(array.dtype).eps * self._random.uniform(-1, 1, wide.shape))

    def _loop(self, node: Node, arrays: list[Any]) -> list[Any]:
        body, consts, carries = node.attrs["body"], node.attrs["consts"], node.attrs["carries"]
        length, first = node.attrs["length"], consts + carries
        carry = arrays[consts:first]
        types = [v.type for v in body.outputs[carries:]]
        stacks = [np.zeros((length, *t.shape), np.float64 if t.dtype.kind == "float" else t.dtype.numpy) for t in types]
        for i in reversed(range(length)) if node.attrs["reverse"] else range(length):
            made = self.run(body, [*arrays[:consts], *carry, *(x[i] for x in arrays[first:])])
            carry = made[:carries]
            for stack, y in zip(stacks, made[carries:], strict=True):
                stack[i] = y
        return [*carry, *stacks]

    def _node(self, node: Node, arrays: list[Any]) -> list[Any]:
        attrs = {key: _wide_dtype(value) for key, value in node.attrs.items()}
        if node.op.lowering == FACTORS:
            self.unfactorable |= not all(np.isfinite(a).all() for a in arrays)
        with np.errstate(all="ignore"):
            made = node.op.reference(*arrays, **attrs)
            results = made if isinstance(made, tuple) else (made,)
            return [
                self._rounded(node, np.asarray(r), v.type.dtype, arrays, attrs)
                for r, v in zip(results, node.outputs, strict=True)
            ]

    def _jumps(self, node: Node, arrays: list[Any]) -> bool:
        """Whether a little more or less in its operands may change a result of this node altogether."""
        whole = node.outputs[0].type.dtype.kind != "float" or node.op.name in JUMPS
        return whole and any(a.dtype.kind == "f" for a in arrays)

    def _rounded(self, node: Node, result: Any, dtype: DType, arrays: list[Any], attrs: dict[str, Any]) -> Any:
        """A result as an element type of few digits might have it."""
        if self._jumps(node, arrays):
            jumping = np.floor_divide(*arrays) if node.op.name in ("mod", "fmod") else result
            self.decisions.append(zlib.crc32(np.ascontiguousarray(jumping).tobytes()))
        if dtype.name not in RANGE:
            return result if dtype.kind == "float" else result.astype(dtype.numpy, copy=False)
        result = result.astype(np.float64, copy=False)
        if node.op.name == "copysign" and self.noise is not None:
            result = np.where(np.isnan(arrays[1]), self._either_sign(result), result)
        if self.noise == "nearest":
            result = result.astype(dtype.numpy).astype(np.float64)
            if node.op.name in SUMS and result.size:
                # What is added up on the way may be infinite, or infinite with both signs.
                over = (
                    _sizes(node, arrays, attrs) * (arrays[0].size / result.size if node.op.name == "mean" else 1)
                    > RANGE["f32"][0] / 2
                )
                self.clamped |= bool(over.any())
                result = np.where(over, np.nan, result)
            elif node.op.name == "prod":  # and what is multiplied on the way infinite, or 0
                result = np.where(_beyond(node, arrays, attrs), np.nan, result)
        elif self.noise not in STILL and node.op.name not in EXACT:
            amount = _amplitude(node, result, dtype, arrays, attrs)
            if self.noise in ("up", "down"):
                moved = result + (amount if self.noise == "up" else -amount)
            else:
                moved = result + amount * self._random.uniform(-1, 1, result.shape)
            result = np.where(np.isfinite(result), moved, result)
        most, least, _ = RANGE[dtype.name]
        over = np.abs(result) > most
        if (over & np.isfinite(result)).any():
            self.clamped = True
            result = np.where(over, np.copysign(np.inf, result), result)
        if self.noise in ("flush", "only flush"):
            result = np.where(np.abs(result) < least, 0.0, result)
        return result

    def _either_sign(self, sizes: Any) -> Any:
        """Numbers of these sizes with a sign that a NaN may have: a processor gives it which it likes."""
        fixed = {"up": 1.0, "down": -1.0}.get(self.noise or "")
        return np.abs(sizes) * (self._random.choice([-1.0, 1.0], sizes.shape) if fixed is None else fixed)


def told_apart(exact: Any, apart: Any, eps: float) -> Any:
    """Which elements moved by more than rounding moves them, given that some decision fell otherwise."""
    finite = np.where(np.isfinite(exact), np.abs(exact), 0)
    size = finite + (np.sqrt(np.mean(finite**2)) if finite.size else 0)
    return apart > 100 * eps * size


def _sizes(node: Node, arrays: list[Any], attrs: dict[str, Any]) -> Any:
    """The sums of the sizes of what a node adds up."""
    return node.op.reference(*(np.abs(a) if a.dtype.kind == "f" else a for a in arrays), **attrs)


def _beyond(node: Node, arrays: list[Any], attrs: dict[str, Any]) -> Any:
    """Whether a product of some of the numbers of a product may lie beyond float32, though that of all does not."""
    most, least, _ = RANGE["f32"]
    sizes = np.abs(arrays[0])
    large = np.asarray(node.op.reference(np.maximum(sizes, 1), **attrs))
    small = np.asarray(node.op.reference(np.minimum(np.where(sizes == 0, 1, sizes), 1), **attrs))
    return (large > most / 2) | (small < 2 * least)


def _amplitude(node: Node, result: Any, dtype: DType, arrays: list[Any], attrs: dict[str, Any]) -> Any:
    """By how much the result of a node may be off."""
    _, least, eps = RANGE[dtype.name]
    name, size = node.op.name, np.abs(result)
    fine = RANGE["f32"][2]
    if name in SUMS:
        terms = _sizes(node, arrays, attrs)
        count = max(1.0, max(np.size(a) for a in arrays) / max(1, result.size))
        depth = 1 + math.log2(count) / 4
        if name in ("cumsum", "scatter_add"):
            added = arrays[0].shape[attrs["axis"]] if name == "cumsum" else max(map(np.size, arrays))
            depth += max(math.sqrt(added), min(added, ONE_BY_ONE) / 4) / ADDED_AT_ONCE
        amount = ULPS * (fine * terms * depth + (eps * size if eps != fine else 0))
    elif "transcendental" in node.op.traits:
        floor = 1.0 + np.abs(arrays[0]) * 1e-3 if name in ("sin", "cos") else 0.0
        amount = 2 * ULPS * eps * np.maximum(size, floor)
    elif name == "prod":
        count = max(1.0, arrays[0].size / max(1, result.size))
        amount = ULPS * eps * size * math.sqrt(count)
    else:
        amount = ULPS * eps * size
    if name in SUMS:
        exact = (
            name != "mean" and dtype.name == "f32" and all(_coarse(a, 32 if name == "matmul" else 1024) for a in arrays)
        )
        amount = np.where(terms < 8192, 0.0, amount) if exact else amount
        lost = RANGE["f32"][1] * max(np.size(a) for a in arrays)  # each term that is denormal may be taken as 0
        amount = np.where((terms != 0) & (terms < lost / fine), amount + lost, amount)
    elif name in OFTEN_EXACT:
        amount = np.where(result == result.astype(dtype.numpy), 0.0, amount)
    return amount + np.where(size < least, least * eps, 0.0) * (name not in OFTEN_EXACT)


def _coarse(array: Any, steps: int) -> bool:
    """Whether all numbers are whole multiples of 1 / steps, so that few of them add up exactly in any order."""
    return array.dtype.kind != "f" or bool(np.all(array * steps == np.floor(array * steps)))


def _plain(node: Node) -> Graph:
    """The graph of what a node computes, in ops that each round once."""
    attrs = {key: value for key, value in node.attrs.items() if key != "kernel"}
    operands = [spec(v.type.shape, v.type.dtype.numpy) for v in node.inputs]
    return trace(lambda *given: PLAIN[node.op.name](*given, **attrs), *operands)


def _wide(array: Any) -> Any:
    array = np.asarray(array)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _wide_dtype(value: Any) -> Any:
    return f64 if isinstance(value, DType) and value.kind == "float" else value


@dataclass(frozen=True)
class Bound:
    """What one output must be. decided: where anything can be asked. near: by how much it may differ there."""

    exact: Any
    decided: Any
    near: Any

    def wrong(self, found: Any) -> Any:
        """Where an output is not what it must be."""
        if self.exact.dtype.kind != "f":
            return self.decided & (found != self.exact)
        found = np.asarray(found, np.float64)
        with np.errstate(all="ignore"):
            same = (found == self.exact) | (np.isnan(found) & np.isnan(self.exact))
            close = np.isfinite(self.exact) & (np.abs(found - self.exact) <= self.near)
        return self.decided & ~same & ~close


@dataclass(frozen=True)
class Met:
    """What a graph comes upon on its way.

    clamped: a number too large for its element type. jumps: results that jump where their operands change a little.
    unfactorable: NaN or infinity in a matrix that is decomposed.
    """

    clamped: bool
    jumps: bool
    unfactorable: bool


def bounds(graph: Graph, arrays: Sequence[Any]) -> tuple[list[Bound], Met]:
    """What the outputs of a graph must be, and what was met on the way."""
    runs, clamped, unfactorable, decisions = [], False, False, set()
    for noise in NOISE:
        wide = Wide(noise)
        runs.append(wide.run(graph, arrays))
        clamped |= wide.clamped
        unfactorable |= wide.unfactorable
        decisions.add(tuple(wide.decisions))
    found = []
    for value, *made in zip(graph.outputs, *runs, strict=True):
        exact, moved = made[0], made[1:]
        if value.type.dtype.name not in RANGE:
            decided = np.all([m == exact for m in moved], axis=0)
            found.append(Bound(exact, decided, np.zeros(exact.shape)))
            continue
        _, least, eps = RANGE[value.type.dtype.name]
        with np.errstate(all="ignore"):
            agree = [
                (np.isnan(m) & np.isnan(exact)) | (m == exact) | (np.isfinite(m) & np.isfinite(exact)) for m in moved
            ]
            apart = np.max([np.where(np.isfinite(m - exact), np.abs(m - exact), 0) for m in moved], axis=0)
            near = SLACK * apart + ULPS * eps * np.abs(exact) + ULPS * least * eps
            near += np.where((exact != 0) & (np.abs(exact) - near < least), least, 0)  # what is denormal may be 0
        decided = np.all(agree, axis=0)
        if len(decisions) > 1:
            decided &= ~told_apart(exact, apart, eps)
        found.append(Bound(exact, decided, np.nan_to_num(near)))
    return found, Met(clamped, any(decisions), unfactorable)
