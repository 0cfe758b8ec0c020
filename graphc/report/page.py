"""The page: a document and the viewer in one HTML file that loads nothing and runs no script but its own."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib import resources
from typing import Any, Final

import jinja2

SCRIPTS: Final = (
    "base",
    "model",
    "inspect",
    "source",
    "layout",
    "graph",
    "passes",
    "kernels",
    "memory",
    "time",
    "run",
    "compare",
    "main",
)
"""Files of the viewer, in order: one script, whose functions see each other."""


def page(document: dict[str, Any]) -> str:
    """The HTML of a document, which holds texts of the user's program and may hold anything."""
    viewer = resources.files("graphc.report") / "viewer"
    script = "\n".join((viewer / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
    script = f'"use strict";\n(() => {{\n{script}\n}})();\n'
    style = (viewer / "report.css").read_text(encoding="utf-8")
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(
        (viewer / "report.html.j2").read_text(encoding="utf-8")
    )
    return template.render(
        title=document.get("name", "graph"),
        style=style,
        script=script,
        data=script_json(document),
        policy=f"default-src 'none'; script-src '{_sum(script)}'; style-src '{_sum(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'",
    )


def script_json(data: Any) -> str:
    """JSON for a script element: no character in it can end the element, begin a comment or end a line."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _sum(text: str) -> str:
    """What a content security policy calls a script or style by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
