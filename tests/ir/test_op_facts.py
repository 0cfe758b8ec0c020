"""Facts of ops: passes ask an op's record for them, not for the class of its lowering."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from graphc.errors import IndexRangeError
from graphc.ir.graph import Graph, Node, new_value
from graphc.ir.op import Attend, Custom, Indexed, Inline, Op, Pointwise, Reduce, Repeat
from graphc.ir.types import type_of
from graphc.ops import OPS
from graphc.reference import run_one

ROOT = Path(__file__).resolve().parents[2]

WRITES = {
    "graphc/ir/op.py": "the facts themselves",
    "graphc/codegen/emit.py": "writes what a lowering says",
    "graphc/codegen/reduction.py": "writes what a lowering says",
}
"""Files that look at the class of a lowering, those of the kernel families aside, and why."""


def looks_at_a_lowering(path: Path) -> bool:
    calls = (n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Call))
    return any(
        isinstance(call.func, ast.Name) and call.func.id == "isinstance" and "lowering" in ast.unparse(call.args[0])
        for call in calls
    )


def test_only_what_writes_kernels_looks_at_lowerings() -> None:
    files = [path for folder in ("graphc", "passes", "models") for path in (ROOT / folder).rglob("*.py")]
    found = {path.relative_to(ROOT).as_posix() for path in files if looks_at_a_lowering(path)}
    assert {file for file in found if not file.startswith("graphc/families/")} == set(WRITES)


@pytest.mark.parametrize("op", OPS.values(), ids=lambda op: op.name)
def test_facts_follow_from_the_lowering(op: Op) -> None:
    kinds = {
        Pointwise: op.elementwise,
        Indexed: op.indexed,
        Reduce: op.reduces,
        Attend: op.attends,
        Inline: op.inlined,
        Repeat: op.repeats,
    }
    assert [kind for kind, holds in kinds.items() if holds] == [k for k in kinds if isinstance(op.lowering, k)]
    assert op.maps == (op.elementwise or op.indexed)
    assert op.chooses == (op.name in ("argmax", "argmin"))
    assert not (op.indices is not None and not isinstance(op.lowering, Indexed | Custom))


def indexing(op: Op) -> list[Node]:
    """Nodes of the cases of an op whose operand holds indices, where there are any."""
    found = []
    for case in op.cases():
        arrays = [np.asarray(a) for a in case.inputs]
        if op.indices is not None and arrays[op.indices].size and "clamp" not in case.attrs:
            inputs = tuple(new_value(type_of(a)) for a in arrays)
            out = op.infer(*(v.type for v in inputs), **case.attrs)
            assert not isinstance(out, tuple)
            found.append(Node(op, inputs, (new_value(out),), dict(case.attrs)))
    return found


@pytest.mark.parametrize("op", [op for op in OPS.values() if op.indices is not None], ids=lambda op: op.name)
def test_the_operand_of_indices_is_the_one_that_is_said(op: Op) -> None:
    """An index far outside, put there, is refused."""
    assert indexing(op)
    for node in indexing(op):
        graph = Graph(node.inputs, {}, (node,), node.outputs)
        arrays = [np.zeros(v.type.shape, v.type.dtype.numpy) for v in node.inputs]
        assert op.indices is not None
        arrays[op.indices] += np.asarray(1_000_000, arrays[op.indices].dtype)
        with pytest.raises(IndexRangeError, match="1000000"):
            run_one(graph, node, arrays)


def test_those_that_index_are_known() -> None:
    assert {op.name for op in OPS.values() if op.indices is not None} == {
        "take",
        "take_along_axis",
        "index_update",
        "scatter_add",
    }
