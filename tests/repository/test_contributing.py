"""What CONTRIBUTING.md, the Makefile and the changelog name is there."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.support.adapters import ROOT

DOCS = ROOT / "docs"
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
TARGETS = set(re.findall(r"^([a-z][a-z-]*):(?!=)", MAKEFILE, re.M))


def test_every_target_is_described_and_declared() -> None:
    (declared,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.M)
    assert set(declared.split()) == TARGETS
    assert set(re.findall(r"^([a-z-]+): .*## \S", MAKEFILE, re.M)) == TARGETS


@pytest.mark.parametrize("file", ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{p.name}" for p in DOCS.glob("*.md"))])
def test_targets_that_are_told_of_exist(file: str) -> None:
    text = (ROOT / file).read_text("utf-8")
    fenced = "\n".join(re.findall(r"^```.*?^```", text, re.M | re.S))
    commands = re.findall(r"`make ([^`]*)`", text) + re.findall(r"^make ([^#\n]*)", fenced, re.M)
    words = " ".join(commands).split()
    assert {word for word in words if re.fullmatch(r"[a-z][a-z-]*", word)} <= TARGETS


def test_the_files_of_a_target_exist() -> None:
    for name in re.findall(r"tests/[\w*./]+", MAKEFILE):
        assert list(ROOT.glob(name)), name


def test_every_path_in_contributing_exists() -> None:
    named = re.findall(r"`((?:tests|graphc|passes|kernels|docs)/[\w*./]*)[^`]*`", CONTRIBUTING)
    named += re.findall(r"\]\((?!https:)([^)#]+)", CONTRIBUTING)
    assert len(named) > 40
    for name in named:
        assert list(ROOT.glob(name)), name


def test_headings_that_are_linked_exist() -> None:
    for file, anchor in re.findall(r"\]\((?!https:)([^)#]*)#([^)]*)\)", CONTRIBUTING):
        headings = re.findall(r"^#+ (.*)$", (ROOT / file).read_text("utf-8"), re.M)
        assert anchor in {re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-")) for heading in headings}


def test_the_option_that_writes_golden_files_exists() -> None:
    assert "--rewrite-golden" in CONTRIBUTING
    assert '"--rewrite-golden"' in (ROOT / "tests" / "conftest.py").read_text("utf-8")


def test_the_changelog_is_in_versions_newest_first() -> None:
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert re.fullmatch(r"0\.\d+\.\d+|[1-9]\d*\.\d+\.\d+", version)
    assert headings[0] == "Unreleased" or headings[0].startswith(f"{version} (")
    released = headings[1:] if headings[0] == "Unreleased" else headings
    found = [re.fullmatch(r"(\d+)\.(\d+)\.(\d+) \(\d{4}-\d\d-\d\d\)", heading) for heading in released]
    numbers = [tuple(map(int, match.groups())) for match in found if match]
    assert len(numbers) == len(released)
    assert numbers == sorted(set(numbers), reverse=True)
