"""Rules of `simplify` for ops that move elements, casts, and reductions of little."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from graphc.ir.graph import Node, Value
from graphc.ir.types import DType, broadcast_shapes
from graphc.passes.canonicalize.rules import Rewriter, Rule


def same_type(rw: Rewriter, node: Node) -> Value | None:
    """reshape, broadcast_to, cast, slice, pad or concatenate of one operand to what it is already -> x."""
    x = node.inputs[0]
    return x if len(node.inputs) == 1 and x.type == node.out.type else None


def reshape_of_reshape(rw: Rewriter, node: Node) -> Value | None:
    """reshape(reshape(x)) -> reshape(x)."""
    inner = rw.producer(node.inputs[0], "reshape")
    return None if inner is None else rw.emit("reshape", inner.inputs[0], also=inner, shape=node.attrs["shape"])


def reshape_of_fill(rw: Rewriter, node: Node) -> Value | None:
    """reshape or transpose of one number everywhere -> that number in the new shape."""
    inner = rw.producer(node.inputs[0], "broadcast_to")
    if inner is None or inner.inputs[0].type.size != 1 or node.out.type.size == 1:
        return None
    one = rw.emit("reshape", inner.inputs[0], also=inner, shape=())
    return rw.emit("broadcast_to", one, shape=node.out.type.shape)


def transpose_of_transpose(rw: Rewriter, node: Node) -> Value | None:
    """transpose(transpose(x, p), q) -> transpose(x, p[q])."""
    inner = rw.producer(node.inputs[0], "transpose")
    if inner is None:
        return None
    perm = tuple(inner.attrs["perm"][axis] for axis in node.attrs["perm"])
    return rw.emit("transpose", inner.inputs[0], also=inner, perm=perm)


def transpose_of_ones(rw: Rewriter, node: Node) -> Value | None:
    """A transpose that keeps the order of the axes that are longer than 1 -> x, or a reshape, which costs nothing."""
    x, perm = node.inputs[0], node.attrs["perm"]
    moved = [axis for axis in perm if x.type.shape[axis] != 1]
    if moved != sorted(moved):
        return None
    return x if list(perm) == sorted(perm) else rw.emit("reshape", x, shape=node.out.type.shape)


def broadcast_of_broadcast(rw: Rewriter, node: Node) -> Value | None:
    """broadcast_to(broadcast_to(x)) -> broadcast_to(x)."""
    inner = rw.producer(node.inputs[0], "broadcast_to")
    return None if inner is None else rw.emit("broadcast_to", inner.inputs[0], also=inner, shape=node.attrs["shape"])


def broadcast_of_leading_ones(rw: Rewriter, node: Node) -> Value | None:
    """broadcast_to(reshape(x)) where the reshape only puts ones in front -> broadcast_to(x)."""
    inner = rw.producer(node.inputs[0], "reshape")
    if inner is None:
        return None
    x, shape = inner.inputs[0], inner.out.type.shape
    extra = len(shape) - x.type.ndim
    if extra <= 0 or shape != (1,) * extra + x.type.shape:
        return None
    return rw.emit("broadcast_to", x, also=inner, shape=node.attrs["shape"])


def flip_of_ones(rw: Rewriter, node: Node) -> Value | None:
    """flip along axes of length 1 or less -> x; flip(flip(x)) over the same axes -> x."""
    x, axes = node.inputs[0], node.attrs["axes"]
    if all(x.type.shape[axis] <= 1 for axis in axes):
        return x
    inner = rw.producer(x, "flip")
    return inner.inputs[0] if inner is not None and set(inner.attrs["axes"]) == set(axes) else None


def slice_of_slice(rw: Rewriter, node: Node) -> Value | None:
    """slice(slice(x)) -> slice(x)."""
    inner = rw.producer(node.inputs[0], "slice")
    if inner is None or not node.out.type.size:
        return None
    a, b = inner.attrs, node.attrs
    step = tuple(m * n for m, n in zip(a["step"], b["step"], strict=True))
    start = tuple(s + m * t for s, m, t in zip(a["start"], a["step"], b["start"], strict=True))
    stop = tuple(s + k * (n - 1) + 1 for s, k, n in zip(start, step, node.out.type.shape, strict=True))
    return rw.emit("slice", inner.inputs[0], also=inner, start=start, stop=stop, step=step)


def holds(wide: DType, narrow: DType) -> bool:
    """Whether `wide` has every value of `narrow`."""
    if wide == narrow or narrow.kind == "bool":
        return True
    if wide.kind == "bool":
        return False
    bits = {"float": {2: 11, 4: 24, 8: 53}, "int": {4: 31, 8: 63}, "uint": {4: 32}}
    room = bits[wide.kind][wide.itemsize] >= bits[narrow.kind][narrow.itemsize]
    if narrow.kind == "float":
        return wide.kind == "float" and room
    return room and not (narrow.kind == "int" and wide.kind == "uint")


def cast_of_cast(rw: Rewriter, node: Node) -> Value | None:
    """cast(cast(x, b), c) -> cast(x, c) where b has every value of x and the conversion to c is the same from both."""
    inner = rw.producer(node.inputs[0], "cast")
    if inner is None:
        return None
    x, middle, target = inner.inputs[0], inner.out.type.dtype, node.attrs["dtype"]
    # From a float out of range an integer is clamped, from an integer it wraps: the kinds must not change there.
    alike = middle.kind == x.type.dtype.kind or x.type.dtype.kind == "bool" or target.kind in ("float", "bool")
    if not holds(middle, x.type.dtype) or not alike:
        return None
    return rw.emit("cast", x, also=inner, dtype=target)


def reduce_of_ones(rw: Rewriter, node: Node) -> Value | None:
    """sum, mean, prod, max or min over axes of length 1 -> reshape."""
    x = node.inputs[0]
    if any(x.type.shape[axis] != 1 for axis in node.attrs["axes"]):
        return None
    return rw.emit("reshape", x, shape=node.out.type.shape)


def reduce_of_reduce(rw: Rewriter, node: Node) -> Value | None:
    """max(max(x)), min(min(x)), and sums and products of integers -> one reduction over all of the axes."""
    inner = rw.producer(node.inputs[0], node.op.name)
    exact = node.op.associative or node.out.type.dtype.kind != "float"
    if inner is None or not exact or rw.readers(inner.out) > 1:
        return None
    x, first = inner.inputs[0], set(inner.attrs["axes"])
    left = [axis for axis in range(x.type.ndim) if inner.attrs["keepdims"] or axis not in first]
    axes = tuple(sorted(first.union(left[axis] for axis in node.attrs["axes"])))
    merged = rw.emit(node.op.name, x, also=inner, axes=axes, keepdims=False)
    return rw.emit("reshape", merged, shape=node.out.type.shape)


def drop_broadcast(rw: Rewriter, node: Node) -> Value | None:
    """A pointwise op of broadcast_to(x) whose other operands have the full shape -> the op of x, which broadcasts."""
    inputs = list(node.inputs)
    for position, value in enumerate(inputs):
        spread = rw.producer(value, "broadcast_to")
        if spread is None:
            continue
        others = [v.type.shape for i, v in enumerate(inputs) if i != position]
        if broadcast_shapes(spread.inputs[0].type.shape, *others) == node.out.type.shape:
            inputs[position] = spread.inputs[0]
    if inputs == list(node.inputs):
        return None
    return rw.emit(node.op.name, *inputs, **node.attrs)


def pointwise_of_fill(rw: Rewriter, node: Node) -> Value | None:
    """cast(broadcast_to(x)) -> broadcast_to(cast(x))."""
    spread = rw.producer(node.inputs[0], "broadcast_to")
    if spread is None or spread.inputs[0].type.size == node.out.type.size:
        return None
    inner = rw.emit(node.op.name, spread.inputs[0], also=spread, **node.attrs)
    return rw.emit("broadcast_to", inner, shape=node.out.type.shape)


REDUCTIONS: Final[tuple[Rule, ...]] = (reduce_of_ones, reduce_of_reduce)

RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    "reshape": (same_type, reshape_of_reshape, reshape_of_fill),
    "transpose": (transpose_of_ones, transpose_of_transpose, reshape_of_fill),
    "broadcast_to": (same_type, broadcast_of_broadcast, broadcast_of_leading_ones),
    "slice": (same_type, slice_of_slice),
    "flip": (flip_of_ones,),
    "pad": (same_type,),
    "concatenate": (same_type,),
    "cast": (same_type, cast_of_cast, pointwise_of_fill),
    "sum": REDUCTIONS,
    "mean": (reduce_of_ones,),
    "prod": REDUCTIONS,
    "max": REDUCTIONS,
    "min": REDUCTIONS,
    **dict.fromkeys(
        ("add", "sub", "mul", "div", "pow", "maximum", "minimum", "eq", "ne", "lt", "le", "gt", "ge", "and", "or"),
        (drop_broadcast,),
    ),
    "where": (drop_broadcast,),
}
