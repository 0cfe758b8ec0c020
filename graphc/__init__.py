"""graphc: NumPy in, GPU program out."""

from __future__ import annotations

from pathlib import Path as _Path

_root = _Path(__file__).resolve().parent.parent
if (_root / "pyproject.toml").is_file() and (_root / "passes").is_dir():
    # A source checkout: graphc.passes, graphc.kernels and graphc.models are folders beside this one.
    __path__.append(str(_root))
