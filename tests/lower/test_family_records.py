"""Kernel families as records: what a record holds, and that nothing else lists families by name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from graphc.families.record import Family
from graphc.families.registry import FAMILIES, NAMES, by_name, family_of
from graphc.inspect.viz.convert import KINDS
from graphc.inspect.viz.draw import COLOURS, FRAME_COLOURS
from graphc.ir.graph import Node, infer_types, new_value
from graphc.ir.op import Inline, Repeat
from graphc.ir.types import type_of
from graphc.ops import OPS

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("graphc", "passes", "kernels", "models")

OP_NAMES = {
    "graphc/tracing/einsum.py": "emits the op",
    "graphc/tracing/products.py": "emits the op",
    "graphc/tracing/reductions.py": "emits the op",
    "graphc/tracing/settings.py": "names of functions of NumPy",
    "graphc/tracing/methods.py": "a method of ndarray",
    "graphc/ops/attention.py": "the record of the op",
    "graphc/convolution.py": "applies the op",
    "graphc/nn/heads.py": "says which function refuses an argument",
    "graphc/ordering.py": "applies the op",
    "graphc/updates.py": "applies the op",
    "graphc/ops/order.py": "the record of the op",
    "graphc/tracing/scans.py": "emits the op",
    "graphc/tracing/sorting.py": "emits the op",
    "graphc/tracing/updates.py": "emits the op",
    "graphc/tracing/counting.py": "emits the op",
    "graphc/ops/conv.py": "the record of the op",
    "graphc/ops/decompose.py": "the records of the ops",
    "graphc/ops/indexing.py": "the record of the op, and which of its operands holds indices",
    "graphc/ops/linalg.py": "the record of the op",
    "graphc/ops/reduce.py": "the record of the op",
    "graphc/ops/structured.py": "the record of the op",
    "graphc/nn/__init__.py": "functions of the package",
    "graphc/optim/matrices.py": "moments over rows and columns",
    "graphc/array_api/__init__.py": "a function of the standard",
    "graphc/array_api/linalg.py": "a function of the standard",
    "graphc/onnx/exporters/arithmetic.py": "an exporter for each op",
    "graphc/onnx/exporters/structure.py": "an exporter for each op",
    "graphc/onnx/ops/__init__.py": "names of modules",
    "graphc/runtime/methods.py": "methods of ndarray",
    "graphc/runtime/numpy/program.py": "a kind of step",
    "passes/canonicalize/empty.py": "rules over ops",
    "passes/attention.py": "rules over ops",
    "passes/split.py": "rules over ops",
    "graphc/analysis/intervals.py": "rules over ops",
    "passes/__init__.py": "names of passes",
    "graphc/selftest/cases.py": "programs, each of which says what computes it",
    "graphc/bench/cases.py": "names of cases and passes",
    "graphc/bench/peers/with_tinygrad.py": "the name of a case",
    "graphc/bench/peers/with_torch.py": "the name of a case",
    "graphc/bench/peers/with_cuda.py": "names of rows",
    "graphc/bench/gpu/rows.py": "names of rows",
    "graphc/report/launches.py": "a place in a table",
    "graphc/cli/report.py": "what a page shows of a run",
    "graphc/bench/gpu/report.py": "names of rows",
}
"""Files that hold a word which is the name of a family, too, and what it names there."""

BY_NAME = {
    ("graphc/bench/peaks.py", "map"): "a kernel that is no program's, which a plan has to call something",
    ("graphc/bench/gpu/limits.py", "map"): "kernels that are no program's, as those of peaks.py",
    ("graphc/lower/assemble.py", "map"): "copies an output that is an input as well",
}
"""(file, family) where one family is meant, and why."""


def named(path: Path) -> Iterator[str]:
    """The families that a file names: in a text that is no docstring, or as a module that it imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    said = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in NAMES and id(node) not in said:
            yield str(node.value)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("graphc.families"):
            inner = (node.module or "").split(".")[2:3] or [alias.name for alias in node.names]
            yield from (name for name in inner if name in NAMES)


def test_no_module_outside_of_the_families_names_one() -> None:
    found = set()
    for path in (p for folder in FOLDERS for p in (ROOT / folder).rglob("*.py")):
        file = path.relative_to(ROOT).as_posix()
        if not file.startswith("graphc/families/") and file not in OP_NAMES:
            found |= {(file, name) for name in named(path)}
    assert found == set(BY_NAME)


def test_the_exceptions_are_needed() -> None:
    assert all(list(named(ROOT / file)) for file in OP_NAMES)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_family_is_a_folder(family: Family) -> None:
    folder = ROOT / "graphc" / "families" / family.name
    assert (folder / "__init__.py").is_file()
    assert family.name.isidentifier()
    assert family.doc
    assert by_name(family.name) is family


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_family_has_colours(family: Family) -> None:
    colours = (family.colours.box, family.colours.frame, family.colours.bar)
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in colours)
    assert family.kind in KINDS
    assert COLOURS[family.kind] == family.colours.box
    assert FRAME_COLOURS[family.kind] == family.colours.frame


def nodes() -> Iterator[Node]:
    """A node of each case of each op."""
    for op in OPS.values():
        for case in op.cases():
            inputs = tuple(new_value(type_of(np.asarray(a))) for a in case.inputs)
            types = infer_types(op, [v.type for v in inputs], case.attrs)
            yield Node(op, inputs, tuple(map(new_value, types)), dict(case.attrs))


def test_each_op_belongs_to_one_family() -> None:
    for node in nodes():
        found = [family for family in FAMILIES if family.lowers(node.op) and family.computes(node)]
        if isinstance(node.op.lowering, Inline | Repeat):
            assert family_of(node) is None
        else:
            assert found == [family_of(node)], node.op.name
            assert found[0].operations(node) >= 0
            assert found[0].size(node) >= 0
