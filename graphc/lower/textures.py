"""Which textures hold copies of operands, and before which dispatches the copies are made.

A tensor is copied before a kernel first reads it as texels, and stays until its texture is needed for another tensor of
the same layout: the activations that three projections share, or a gradient that two products read, are copied once.

Copies end a compute pass. So they are gathered: one that is needed waits for nothing but its dispatch, and those that
come later join it if by then their tensor has been written and their texture read for the last time. Stopping as late
as possible, and only for a copy that no stop before could serve, gives the fewest stops.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from graphc.codegen.kernel import Operand, Texels
from graphc.lower.buffers import BufferAssignment
from graphc.plan.plan import Binding, Texture, TextureCopy

KEPT: Final = 2
"""Textures of one size, beyond what one dispatch needs at once: the last tensors read."""


class Textures:
    """The textures of a plan in the making, dispatch by dispatch.

    textures: those made so far. copies: those made before each dispatch.
    """

    def __init__(self) -> None:
        self.textures: list[Texture] = []
        self.copies: dict[int, list[TextureCopy]] = {}
        self._sizes: dict[tuple[int, int], list[int]] = {}
        self._tensor: dict[int, int] = {}
        self._place: dict[int, tuple[int, int]] = {}
        # The first dispatch before which nothing hinders: that its loop begins or ends, that a place is written, or
        # that a texture is still to be read. stop: the last dispatch before which copies are made.
        self._edge = 0
        self._written: dict[tuple[int, int], int] = {}
        self._read: dict[int, int] = {}
        self._stop = 0

    def edge(self, number: int) -> None:
        """Count on no copy made before this dispatch, where a loop begins or ends: others may have come between."""
        self._tensor = dict.fromkeys(self._tensor, -1)
        self._edge = number

    def launched(self, number: int, bindings: Sequence[Binding]) -> None:
        """Note what a dispatch has read, and count on no copy of what it has written: a variable of a loop, say."""
        places = {(b.buffer, b.offset) for b in bindings if b.access == "read_write"}
        for texture, place in self._place.items():
            if place in places:
                self._tensor[texture] = -1
        self._written.update(dict.fromkeys(places, number + 1))
        self._read.update((b.texture, number + 1) for b in bindings if b.access == "texture")

    def holding(self, tensor: int) -> int:
        """The texture that holds a tensor."""
        return next(texture for texture, held in self._tensor.items() if held == tensor)

    def bring(self, number: int, operands: Sequence[Operand], assignment: BufferAssignment) -> None:
        """See to it that these operands of dispatch `number` are in textures by then."""
        needed = {assignment.number[o.value]: o.texture for o in operands if o.texture}
        for tensor, layout in needed.items():
            assert layout is not None
            spot = assignment.tensors[tensor]
            texture = self._find(tensor, layout, frozenset(needed))
            if self._tensor.get(texture) != tensor:
                place = spot.buffer, spot.offset
                if self._stop < max(self._edge, self._written.get(place, 0), self._read.get(texture, 0)):
                    self._stop = number
                self.copies.setdefault(self._stop, []).append(TextureCopy(tensor, *place, texture))
                self._tensor[texture] = tensor
                self._place[texture] = place

    def _find(self, tensor: int, layout: Texels, needed: frozenset[int]) -> int:
        """The texture that holds the tensor, or may: a free or new one, else the one used longest ago."""
        size = layout.width, layout.height
        used = self._sizes.setdefault(size, [])
        chosen = next((t for t in used if self._tensor[t] == tensor), None)
        if chosen is None and len(used) >= KEPT:
            chosen = next((t for t in used if self._tensor[t] not in needed), None)
        if chosen is None:
            chosen = len(self.textures)
            self.textures.append(Texture(f"operand{chosen}", *size))
        else:
            used.remove(chosen)
        used.append(chosen)
        return chosen
