"""What is not drawn, and why: kinds of programs that are known to fail. A kind is taken out as it is mended."""

from __future__ import annotations

from typing import Final

OFF: Final[dict[str, str]] = {}
"""Names of kinds of statements (`grow.KINDS`) and of programs, and parts of statements; with the reason."""
