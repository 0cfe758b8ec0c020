"""Where a cotangent is known to be zero, so that what a derivative is there does not matter.

The gradient of `np.where(kept, f(x), 0)` is that of f where `kept` holds, and 0 elsewhere. By the chain rule alone it
would be 0 times the derivative of f, which is NaN where that is infinite or NaN: at the logarithm of a masked zero, in
the loss of a masked row of NaN. So the condition goes along with the cotangent, back through operations that work on
each element or row by itself, and each gradient is chosen by it anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from graphc.errors import ShapeError
from graphc.ir.graph import Builder, Node, Value
from graphc.ir.types import Shape, broadcast_shapes
from graphc.ops import by_name
from graphc.ops.reduce import reduced_shape

LINEAR: Final = frozenset(("add", "sub", "neg", "cast", "copysign", "stop_gradient"))
"""Elementwise operations whose derivatives are finite numbers, whatever the operands are."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The cotangent is 0 where `condition` is not `holds`; the condition broadcasts to its shape."""

    condition: Value
    holds: bool

    def choose(self, builder: Builder, gradient: Value) -> Value:
        """The gradient, 0 where nothing is kept."""
        zero = builder.constant(gradient.type.dtype.numpy.type(0))
        pair = (gradient, zero) if self.holds else (zero, gradient)
        return builder.apply(by_name("where"), self.condition, *pair)


def kept_by(builder: Builder, node: Node, kept: Kept | None, gradients: list[Value | None]) -> list[Kept | None]:
    """What is kept of the gradients of the node's inputs, given that of its output; brings the gradients to it.

    node: with inputs in the graph being built. Nothing is known of what is None.
    """
    if node.op.name == "where":
        chosen = [Kept(node.inputs[0], n == 1) for n in (1, 2)]
        both = chosen if kept is None else [_both(builder, kept, part) for part in chosen]
        return [None, *(_fitting(part, v) for part, v in zip(both, node.inputs[1:], strict=True))]
    if kept is None or len(node.outputs) != 1:
        return [None] * len(gradients)
    if "pointwise" in node.op.traits:
        if not _bounded(builder, node):
            gradients[:] = [None if g is None else kept.choose(builder, g) for g in gradients]
        return [_fitting(kept, v) for v in node.inputs]
    moved = _moved(builder, node, kept)
    return [moved, *[None] * (len(gradients) - 1)]


def _both(builder: Builder, a: Kept, b: Kept) -> Kept:
    """What is kept by both."""
    held = [k.condition if k.holds else builder.apply(by_name("not"), k.condition) for k in (a, b)]
    return Kept(builder.apply(by_name("and"), *held), True)


def _bounded(builder: Builder, node: Node) -> bool:
    """Whether 0 times a derivative is 0: it is linear, or a product with a number that is known."""
    known = sum(v in builder.constants for v in node.inputs)
    return node.op.name in LINEAR or (node.op.name == "mul" and known > 0)


def _moved(builder: Builder, node: Node, kept: Kept) -> Kept | None:
    """The same for the operand of a view, of a sum along axes or of a choice in each row; None for other operations."""
    x, out, condition = node.inputs[0].type, node.out.type, kept.condition
    if node.op.name == "take_along_axis":
        return _fitting(kept, node.inputs[0])
    if condition.type.shape != out.shape:
        return None
    if node.op.name == "reshape":
        return Kept(_shaped(builder, condition, x.shape), kept.holds)
    if node.op.name == "transpose":
        perm = node.attrs["perm"]
        back = tuple(perm.index(axis) for axis in range(len(perm)))
        return Kept(builder.apply(by_name("transpose"), condition, perm=back), kept.holds)
    if node.op.name in ("sum", "mean"):
        return Kept(_shaped(builder, condition, reduced_shape(x.shape, node.attrs["axes"], True)), kept.holds)
    return None


def _shaped(builder: Builder, value: Value, shape: Shape) -> Value:
    return value if value.type.shape == shape else builder.apply(by_name("reshape"), value, shape=shape)


def _fitting(kept: Kept, operand: Value) -> Kept | None:
    """`kept` where its condition broadcasts to the shape of an operand: rows that are dropped are dropped whole."""
    shape = operand.type.shape
    try:
        return kept if broadcast_shapes(kept.condition.type.shape, shape) == shape else None
    except ShapeError:
        return None
