"""Text that fits a terminal, and the HTML of what notebooks show. Nothing here knows what it writes about."""

from __future__ import annotations

import html
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

COLUMNS: Final = 100
"""Characters of a line of a table."""

MOST_ROWS: Final = 200
"""Rows of a table in a notebook; how many more there are is said below it."""

HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of characters that are not shown: control, format, surrogates, private, unassigned, separators."""


def cut(line: str, columns: int = COLUMNS) -> str:
    """A line of at most so many characters; what does not fit is an ellipsis."""
    return line if len(line) <= columns else f"{line[: columns - 1]}…"


def wrapped(line: str, columns: int = COLUMNS) -> str:
    """A line in as many as it takes, those after the first indented further. Words stay whole."""
    if len(line) <= columns:
        return line
    margin = " " * (len(line) - len(line.lstrip()) + 4)
    return textwrap.fill(
        line,
        columns,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
    )


def escaped(text: object) -> str:
    """Text as HTML shows it, without control characters and marks of direction."""
    shown = "".join("�" if unicodedata.category(c) in HIDDEN and c != "\n" else c for c in str(text))
    return html.escape(shown)


def html_text(text: object) -> str:
    """Text with its line breaks and spaces."""
    return f"<pre>{escaped(text)}</pre>"


def html_table(head: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> str:
    """A table; numbers stand at the right. A row may hold `Markup`, which is taken as it is."""
    found = list(rows)
    titles = "".join(f"<th>{escaped(title)}</th>" for title in head)
    lines = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in found[:MOST_ROWS])
    name = f"<caption>{escaped(caption)}</caption>" if caption else ""
    more = f"<p>… and {len(found) - MOST_ROWS} more</p>" if len(found) > MOST_ROWS else ""
    return f"<table>{name}<thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table>{more}"


def html_details(summary: str, body: str) -> str:
    """Something that is opened by a click."""
    return f"<details><summary>{escaped(summary)}</summary>{body}</details>"


class Markup(str):
    """HTML, not text."""

    __slots__ = ()


def html_bar(share: float) -> Markup:
    """A part of 1 as a bar."""
    width = max(0.0, min(1.0, share))
    return Markup(
        f'<svg width="100" height="10" role="img" aria-label="{width:.1%}">'
        f'<rect width="{100 * width:.1f}" height="10" fill="#4a7ebb"/></svg>'
    )


def _cell(value: object) -> str:
    if isinstance(value, Markup):
        return f"<td>{value}</td>"
    align = ' style="text-align:right"' if isinstance(value, int | float) else ""
    shown = f"{value:.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else value
    return f"<td{align}>{escaped(shown)}</td>"
