"""What is not drawn, and why: kinds of programs that are known to fail. A kind is taken out as it is mended."""

from __future__ import annotations

from typing import Final

OFF: Final[dict[str, str]] = {
    "wild data": "x - x, x * 0, 0 / x and x / 0 lose NaN and infinity where drivers or passes fold them",
    "long axes": "loops of more than 65,535 turns in one invocation stop on lavapipe",
    "mixed signs": "uint32 beside int32 compares and adds wrongly",
    "np.hypot(": "NaN beside infinity gives NaN, NumPy's infinity",
    "np.arcsinh(": "the slope at 0 is 0",
}
"""Names of kinds of statements (`grow.KINDS`) and of programs, and parts of statements; with the reason."""
