"""The sizes of a convolution."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.ir.graph import Node
from graphc.ir.index import LANES
from graphc.ir.op import Op
from graphc.ops.conv import conv


def convolves(op: Op) -> bool:
    """Whether an op is a convolution."""
    return op is conv


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a convolution. ins, outs: channels of a group. taps: of the kernel. size: of the result."""

    batch: int
    groups: int
    ins: int
    outs: int
    taps: tuple[int, int]
    size: tuple[int, int]

    @property
    def plane(self) -> int:
        """Positions of a channel of the result."""
        return self.size[0] * self.size[1]

    @property
    def lanes(self) -> int:
        """Positions of an invocation."""
        return LANES if self.plane >= LANES else 1

    @property
    def rows(self) -> int:
        """Rows of the kernel, of all channels, that a sum goes over."""
        return self.ins * self.taps[0]

    @property
    def terms(self) -> int:
        """Products of a sum."""
        return self.rows * self.taps[1]

    def blocks(self, channels: int) -> int:
        """Blocks of so many channels, in all."""
        return self.batch * self.groups * -(-self.outs // channels)

    def items(self, channels: int) -> int:
        """Invocations that the whole takes, if none of its sums is shared out."""
        return self.blocks(channels) * -(-self.plane // self.lanes)


def shape_of(node: Node) -> Shape:
    """The sizes of a convolution."""
    x, w, groups = node.inputs[0].type.shape, node.inputs[1].type.shape, node.attrs["groups"]
    out = node.out.type.shape
    return Shape(x[0], groups, w[1], w[0] // groups, (w[2], w[3]), (out[2], out[3]))
