"""What passes, kernels and devices ask of an op: facts on its record, and its name only where that is what is meant."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ASKED = (
    "passes",
    *(f"graphc/{name}" for name in ("analysis", "autodiff", "codegen", "families", "inspect", "ir", "lower")),
)
ASKED += ("graphc/plan", "graphc/runtime")
"""Folders of those who get nodes from others. What traces, and what translates op by op, is about names."""

BY_NAME = {
    "graphc/analysis/intervals.py": (8, "rules over ops: which numbers each gives"),
    "graphc/autodiff/cotangent_masks.py": (7, "rules over ops: where a gradient is 0 behind each"),
    "graphc/families/factor/kernel.py": (2, "five ops have this kernel, one algorithm each"),
    "graphc/families/host.py": (2, "NumPy's own functions for ops"),
    "graphc/ir/graph.py": (1, "Graph.count, which is asked for a name"),
    "graphc/runtime/numpy/blocks.py": (4, "NumPy's own functions for ops"),
    "graphc/runtime/numpy/program.py": (2, "NumPy's own functions for ops"),
    "passes/attention.py": (18, "a pattern of ops, and the steps that attention is expanded into"),
    "passes/canonicalize/algebra.py": (1, "rules over ops: x & True, x | True"),
    "passes/canonicalize/empty.py": (1, "an update by nothing"),
    "passes/canonicalize/fold.py": (1, "a constant that is broadcast stays small"),
    "passes/canonicalize/rules.py": (1, "rules ask for the op that made an operand by its name"),
    "passes/memory/residuals.py": (3, "a pattern: relu, whose mask is kept"),
    "passes/ranges.py": (2, "rules over ops: where indices come through unchanged"),
    "passes/split.py": (3, "rules over ops: which sums are made in parts"),
}
"""File: how often an op is known by its name there, and why."""

BY_LOWERING = {
    "graphc/codegen/emit.py": (3, "emits what the lowering says"),
    "graphc/codegen/reduction.py": (1, "emits what the lowering says"),
    "graphc/families/bodies.py": (1, "calls what the lowering says"),
    "graphc/ir/op.py": (11, "the facts themselves"),
}
"""File: how often it is asked what a lowering is, and why."""


def asks_name(node: ast.AST) -> bool:
    """Whether this compares `op.name`."""
    return isinstance(node, ast.Compare) and ast.unparse(node.left).split(".")[-2:] == ["op", "name"]


def asks_lowering(node: ast.AST) -> bool:
    """Whether this is isinstance(..lowering, ..)."""
    if not isinstance(node, ast.Call) or ast.unparse(node.func) != "isinstance":
        return False
    return ast.unparse(node.args[0]).split(".")[-1] == "lowering"


def asked() -> tuple[Counter[str], Counter[str]]:
    names: Counter[str] = Counter()
    lowerings: Counter[str] = Counter()
    for folder in ASKED:
        for path in (ROOT / folder).rglob("*.py"):
            file = path.relative_to(ROOT).as_posix()
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names[file] += asks_name(node)
                lowerings[file] += asks_lowering(node)
    return +names, +lowerings


def test_ops_are_known_by_name_only_where_a_reason_is_given() -> None:
    names, _ = asked()
    assert dict(names) == {file: count for file, (count, _) in BY_NAME.items()}


def test_lowerings_are_told_apart_only_where_a_reason_is_given() -> None:
    _, lowerings = asked()
    assert dict(lowerings) == {file: count for file, (count, _) in BY_LOWERING.items()}


def test_the_count_sees_what_it_counts() -> None:
    tree = ast.parse(
        "node.op.name == 'add'; op.name in RULES; node.op.traits; isinstance(op.lowering, Reduce); x.name == 1"
    )
    assert sum(map(asks_name, ast.walk(tree))) == 2
    assert sum(map(asks_lowering, ast.walk(tree))) == 1
