"""Random programs for hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.fuzz.draw import draw as draw_program
from tests.fuzz.program import RandomProgram
from tests.fuzz.source import Source


@st.composite
def programs(draw: st.DrawFn, half: bool = True, most: int = 16) -> RandomProgram:
    """Programs of at most `most` statements. half: f16 may occur."""
    return draw_program(Source(lambda bound: draw(st.integers(0, bound - 1))), half, most)
