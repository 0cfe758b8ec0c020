"""No test ends before its last line: what does not apply is not among its parameters, or is skipped with a reason."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1]
NESTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def returns(node: ast.AST) -> Iterator[ast.Return]:
    """The return statements of a function, without those of functions inside of it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Return):
            yield child
        elif not isinstance(child, NESTED):
            yield from returns(child)


def early(source: str) -> list[str]:
    """`name:line` of each return statement in a test."""
    tests = (
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    )
    return [f"{test.name}:{found.lineno}" for test in tests for found in returns(test)]


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("test_*.py")), ids=lambda path: path.stem)
def test_no_test_returns(path: Path) -> None:
    assert early(path.read_text("utf-8")) == []


def test_returns_are_found() -> None:
    text = "def test_a(x):\n def f():\n  return 1\n if x:\n  return\n assert f()\ndef helper():\n return\n"
    assert early(text) == ["test_a:5"]
