"""Graphviz: text that is safe in a DOT file, the program that lays pictures out, and what to do without it."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sysconfig
import unicodedata
from importlib import metadata
from pathlib import Path
from typing import Final

import graphviz

from graphc.ir.text import HIDDEN

log: Final = logging.getLogger("graphc")

TIMEOUT: Final = 120.0
"""Seconds after which a layout is given up."""


def clean(text: str, limit: int = 120) -> str:
    """User text as it may be shown: control, formatting and unassigned characters replaced, long text shortened."""
    shown = "".join("�" if unicodedata.category(c) in HIDDEN else c for c in text[: 4 * limit])
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def label(*lines: str, align: str = "c", limit: int = 120) -> str:
    """A DOT label of these lines, taken literally: no escapes, entities or HTML. align: "c", "l" or "r"."""
    end = {"c": r"\n", "l": r"\l", "r": r"\r"}[align]
    shown = [str(graphviz.escape(clean(line, limit).replace("&", "&amp;"))) for line in lines]
    text = end.join(shown) if align == "c" else "".join(line + end for line in shown)
    literal: str = graphviz.nohtml(text)  # a str that is never taken for HTML, even as <b>
    return literal


def find_dot() -> str | None:
    """The absolute path of a Graphviz program: the one that graphviz-pure brings, else `dot` on the PATH, else None."""
    try:
        found = metadata.files("graphviz-pure") or []
    except metadata.PackageNotFoundError:
        found = []
    brought = [Path(str(file.locate())) for file in found if file.name in ("graphviz-pure", "graphviz-pure.exe")]
    scripts = Path(sysconfig.get_path("scripts"))
    brought += [scripts / "graphviz-pure", scripts / "graphviz-pure.exe"]
    for path in brought:
        if path.is_file():
            return str(path.resolve())
    return shutil.which("dot")


def render(source: str, kind: str = "svg") -> bytes | None:
    """The picture of a DOT source ("svg" or "png"), or None, with a line in the log, where there is no layout program.

    A layout that fails or takes longer than TIMEOUT counts as none.
    """
    program = find_dot()
    if program is None:
        log.warning("graphc: no Graphviz program was found; `pip install graphviz-pure` brings one")
        return None
    try:
        done = subprocess.run(
            [program, f"-T{kind}"], input=source.encode(), capture_output=True, timeout=TIMEOUT, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        detail = getattr(error, "stderr", b"") or str(error).encode()
        log.warning("graphc: %s could not lay the picture out: %s", program, detail.decode(errors="replace")[:200])
        return None
    return done.stdout
