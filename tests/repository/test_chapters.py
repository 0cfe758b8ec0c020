"""The chapters: what they show is what happens, and what they point to is there."""

from __future__ import annotations

import ast
import doctest
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
CHAPTERS = (
    "bigram",
    "mlp",
    "batchnorm_mlp",
    "microgpt",
    "gpt",
    "memory",
    "transforms",
    "tutorial",
    "howto",
    "own",
    "reliability",
    "faq",
)


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_examples_of_a_chapter_print_what_is_shown(chapter: str) -> None:
    text = (DOCS / f"{chapter}.md").read_text(encoding="utf-8")
    session = "\n".join(blocks(text, "pycon"))
    test = doctest.DocTestParser().get_doctest(session, {}, f"{chapter}.md", None, 0)
    assert len(test.examples) > 8
    said: list[str] = []
    doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    assert not said, "".join(said)


@pytest.mark.parametrize("chapter", [*CHAPTERS, "results"])
def test_a_chapter_points_to_files_that_are_there(chapter: str) -> None:
    text = (DOCS / f"{chapter}.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(((?!https?:)[^)#]+)", text)
    named = re.findall(r"`((?:graphc|models|tests)/[\w./]+\.py)`", text)
    for target in targets:
        assert (DOCS / target).exists(), target
    for name in named:
        assert (DOCS.parent / name).exists(), name
    assert targets
    for code in blocks(text, "python"):
        ast.parse(code)


@pytest.mark.parametrize("page", ["arrays", "report"])
def test_the_programs_of_a_page_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    programs = blocks((DOCS / f"{page}.md").read_text(encoding="utf-8"), "python")
    assert programs
    for code in programs:
        exec(compile(code, f"{page}.md", "exec"), {})


def test_no_page_has_a_program_that_nobody_runs() -> None:
    run = {*CHAPTERS, "arrays", "report", "onnx", "extending"}  # the last two have tests of their own
    assert {page.stem for page in DOCS.glob("*.md") if re.search("```(python|pycon)\n", page.read_text("utf-8"))} <= run
