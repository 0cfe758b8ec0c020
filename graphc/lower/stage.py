"""Which textures hold copies of operands, dispatch by dispatch.

A tensor is copied when a kernel first reads it as texels, and stays until its texture is needed for another tensor of
the same layout: the activations that three projections share, or a gradient that two products read, are copied once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from graphc.lower.kernel import Operand, Texels
from graphc.lower.place import Placement
from graphc.plan import Binding, Staging, Texture

KEPT: Final = 2
"""Textures of one size, beyond what one dispatch needs at once: the last tensors read."""


class Textures:
    """The textures of a plan in the making. textures: those made so far."""

    def __init__(self) -> None:
        self.textures: list[Texture] = []
        self._sizes: dict[tuple[int, int], list[int]] = {}
        self._tensor: dict[int, int] = {}
        self._place: dict[int, tuple[int, int]] = {}

    def forget(self) -> None:
        """Count on no copy made so far: where a loop begins or ends, other dispatches may have come between."""
        self._tensor = dict.fromkeys(self._tensor, -1)

    def written(self, bindings: Sequence[Binding]) -> None:
        """Count on no copy of what a dispatch has written: a variable of a loop has other contents now."""
        places = {(b.buffer, b.offset) for b in bindings if b.access == "read_write"}
        for texture, place in self._place.items():
            if place in places:
                self._tensor[texture] = -1

    def holding(self, tensor: int) -> int:
        """The texture that holds a tensor."""
        return next(texture for texture, held in self._tensor.items() if held == tensor)

    def before(self, operands: Sequence[Operand], placement: Placement) -> tuple[Staging, ...]:
        """The copies that bring these operands of one dispatch into textures."""
        needed = {placement.number[o.value]: o.texture for o in operands if o.texture}
        copies = []
        for tensor, layout in needed.items():
            assert layout is not None
            spot = placement.tensors[tensor]
            texture = self._find(tensor, layout, frozenset(needed))
            if self._tensor.get(texture) != tensor:
                self._tensor[texture] = tensor
                self._place[texture] = spot.buffer, spot.offset
                copies.append(Staging(tensor, spot.buffer, spot.offset, texture))
        return tuple(copies)

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
