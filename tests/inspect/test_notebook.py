"""The notebook of the documentation is executed, and each object shows itself as it should."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

import graphc
from graphc.ir.text import COLUMNS, Markup, cut, escaped, html_table, wrapped
from graphc.models.live import LivePlot
from tests.support.adapters import ROOT

NOTEBOOK = ROOT / "docs" / "notebook.ipynb"
HOSTILE = ["<script>alert(1)</script>", "\"&'%", "a\x00b\u202ec", "javascript:alert(1)", "x" * 10_000]


@pytest.fixture
def shell() -> Iterator[Any]:
    """IPython without a terminal, as a notebook's kernel has it."""
    instance: Any = InteractiveShell.instance
    yield instance()
    InteractiveShell.clear_instance()


def executed(shell: Any) -> list[tuple[str, Any, Any]]:
    """Source, result and what was displayed of each cell of code."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    found = []
    for cell in cells:
        if cell["cell_type"] != "code":
            continue
        with capture_output() as shown:
            done = shell.run_cell("".join(cell["source"]), silent=False)
        done.raise_error()
        found.append((cell["source"], done.result, shown.outputs))
    return found


def test_the_notebook_runs_and_shows_what_it_says(shell: Any) -> None:
    cells = executed(shell)
    bundles = [shell.display_formatter.format(result)[0] for _, result, _ in cells if result is not None]
    html = [bundle["text/html"] for bundle in bundles if "text/html" in bundle]
    drawn = [bundle["image/svg+xml"] for bundle in bundles if "image/svg+xml" in bundle]
    assert len(drawn) == 1
    assert "tanh" in drawn[0]
    assert len(html) == 5  # program, plan, memory, profile, Array
    for text in (*html, *drawn):
        ElementTree.fromstring(f"<div>{text}</div>")
    assert "bound by" in html[0]
    assert "workgroups" in html[1]
    assert "<svg" in html[2]
    assert "share" in html[3]
    assert "Array f32[8,16]" in html[4]
    (live,) = [shown for source, _, shown in cells if "LivePlot" in source]
    final = live[-1].data["text/html"]
    assert "step 60 of 60" in final
    assert "<polyline" in final


def test_a_live_plot_keeps_to_its_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("graphc.models.live.time.monotonic", lambda: now[0])
    shown: list[Any] = []

    class Handle:
        def update(self, html: Any) -> None:
            shown.append(html)

    def display(html: Any, display_id: bool) -> Handle:
        shown.append(html)
        return Handle()

    plot = LivePlot()
    monkeypatch.setattr(plot, "_display", display)
    plot.begin(10, 1010, 32)
    for step in range(1000):
        now[0] += 0.01
        plot.loss(11 + step, 3.0 - step / 500)
    plot.note("saved <there>")
    plot.end()
    assert 18 <= len(shown) <= 23
    last = plot.html()
    assert "step 1,010 of 1,010" in last
    assert "saved &lt;there&gt;" in last
    ElementTree.fromstring(f"<div>{last}</div>")


@pytest.mark.parametrize("text", HOSTILE)
def test_names_do_nothing(text: str) -> None:
    table = html_table(("name", "bytes"), [(text, 12), (Markup("<b>1</b>"), 0.5)], caption=text)
    tree = ElementTree.fromstring(f"<div>{table}</div>")
    assert {element.tag for element in tree.iter()} == {
        *["div", "table", "caption", "thead", "tbody", "tr", "th", "td", "b"]
    }
    assert not re.search("[\x00-\x09\x0b-\x1f\u202a-\u202e]", table)
    assert escaped(text).count("<") == 0


def test_lines_keep_to_their_columns() -> None:
    long = "  word " * 40
    assert max(map(len, wrapped(long).splitlines())) <= COLUMNS
    assert wrapped(long).split() == long.split()
    assert cut("y" * 101) == "y" * 99 + "…"
    assert cut("y" * 100) == "y" * 100


def test_what_is_printed_of_a_model_fits_a_hundred_columns(device: Any) -> None:
    from graphc.cli.subject import program

    fn, arguments, donate = program("microgpt", "training", 2, ())
    made = graphc.compile(fn, device=device, donate=donate).lower(*arguments)
    profile = made.profile(*arguments, repeat=1)
    for text in (made.plan, made.memory, made.kernels, made.contract, profile.table()):
        assert max(map(len, str(text).splitlines())) <= COLUMNS
    html = [item._repr_html_() for item in (made, made.plan, made.memory, profile)]
    for text in html:
        ElementTree.fromstring(f"<div>{text}</div>")


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (40, 50), (2, 2, 2)])
def test_an_array_shows_its_first_numbers(shape: tuple[int, ...]) -> None:
    array = graphc.asarray(np.arange(np.prod(shape, dtype=int)).reshape(shape), device="numpy")
    html = array._repr_html_()
    ElementTree.fromstring(f"<div>{html}</div>")
    assert "i32" in html or "int32" in html
    assert html.count("<tr>") == {(3,): 2, (2, 3): 3, (40, 50): 11}.get(shape, 0)


def test_times_are_written_into_a_drawing(device: Any, tmp_path: Path) -> None:
    def program(x: Any, w: Any) -> Any:
        return np.tanh(x @ w) @ w

    arguments = np.ones((64, 64), np.float32), np.ones((64, 64), np.float32)
    made = graphc.compile(program, device=device).lower(*arguments)
    profile = made.profile(*arguments, repeat=1)
    drawn = made.to_svg(tmp_path / "timed.svg", profile=profile)
    assert (tmp_path / "timed.svg").read_text(encoding="utf-8") == drawn
    shares = [float(share) for share in re.findall(r"[num]?s, ([\d.]+)%", drawn)]
    assert sum(shares) == pytest.approx(100, abs=0.5)
    assert "%" not in "".join(re.findall(r">([^<]*)</text>", made.to_svg()))
