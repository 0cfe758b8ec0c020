"""Golden passes: what each pass makes of a small graph, as text.

A file of `tests/golden/passes/` holds the graph before, the name of the pass, and the graph after. `pytest
tests/passes/test_golden_passes.py --rewrite-golden` writes the second part anew; the review is reading the diff.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from graphc.ir.parser import parse_graph
from graphc.ops import by_name
from graphc.passes import pipeline

FOLDER = Path(__file__).parents[1] / "golden" / "passes"
PASSES = {pipeline.pass_name(p): p for p in (*pipeline.DEFAULT, *pipeline.LEGALIZE)}
CASES = sorted(FOLDER.glob("*.txt"))


def test_every_pass_has_a_golden_graph() -> None:
    shown = {match[1] for path in CASES if (match := re.search(r"^after (\w+)$", path.read_text("utf-8"), re.M))}
    assert shown == set(PASSES)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_pass_makes_what_is_written(path: Path, rewrite_golden: bool) -> None:
    before, name, after = re.split(r"^after (\w+)\n", path.read_text("utf-8"), maxsplit=1, flags=re.M)
    graph = parse_graph(before, by_name)
    assert str(graph) == before.strip(), "the graph before is written as it is printed"
    made = str(pipeline.run(graph, (PASSES[name],)))
    if rewrite_golden:
        path.write_text(f"{graph}\n\nafter {name}\n\n{made}\n", "utf-8")
        after = made
    assert made == after.strip()
    assert made != before.strip(), "the pass has something to do"
