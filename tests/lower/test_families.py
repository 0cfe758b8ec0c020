"""What one kernel may compute: claims about how ops read their operands, against what their references do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc.errors import GraphError
from graphc.families.bodies import column_space, kept, row_space, trailing
from graphc.families.registry import by_name, check_family, family_of
from graphc.ir.graph import Node, infer_types, new_value, run_node
from graphc.ir.op import Indexed, Op, Pointwise
from graphc.ir.types import f32, i32, type_of
from graphc.ops import OPS
from tests.support.fusing import Maker

MAPPED = [op for op in OPS.values() if isinstance(op.lowering, Pointwise | Indexed) and op.cases()]


def changed(array: Any, rows: Any, row: Any) -> Any:
    """The array with every element of one of its `rows` rows changed."""
    copy = np.array(array)
    part = copy.reshape(rows, -1)[row]
    part[...] = ~part if copy.dtype == bool else part + 1
    return copy


@pytest.mark.parametrize("op", MAPPED, ids=lambda op: op.name)
def test_kept_rows_depend_on_their_own_row_only(op: Op) -> None:
    for case in op.cases():
        arrays = [np.asarray(a) for a in case.inputs]
        inputs = tuple(new_value(type_of(a)) for a in arrays)
        (out_type,) = infer_types(op, [v.type for v in inputs], case.attrs)
        node = Node(op, inputs, (new_value(out_type),), case.attrs)
        if out_type.size == 0 or any(a.size == 0 for a in arrays):
            continue
        (before,) = run_node(node, arrays)
        for position, rows in enumerate(kept(node)):
            assert before.size % rows == arrays[position].size % rows == 0
            for row in range(min(rows, 4)):
                others = [changed(a, rows, row) if k == position else a for k, a in enumerate(arrays)]
                (after,) = run_node(node, others)
                same = np.delete(before.reshape(rows, -1), row, 0), np.delete(after.reshape(rows, -1), row, 0)
                np.testing.assert_array_equal(*same)


def node_of(name: str, *shapes: tuple[int, ...], **attrs: Any) -> Node:
    b = Maker()
    dtypes = [f32] * len(shapes)
    if name in ("take", "take_along_axis"):
        dtypes[1] = i32
    b.op(name, *(b.tensor(*s, dtype=d) for s, d in zip(shapes, dtypes, strict=True)), **attrs)
    return b.nodes[-1]


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (node_of("add", (4, 3, 2), (4, 1, 1)), (24, 4)),
        (node_of("add", (4, 3, 2), (3, 2)), (24, 1)),
        (node_of("reshape", (4, 6), shape=(2, 12)), (24,)),
        (node_of("transpose", (4, 6), perm=(1, 0)), (1,)),
        (node_of("transpose", (2, 3, 4, 5), perm=(0, 2, 1, 3)), (2,)),
        (node_of("transpose", (4, 1, 6), perm=(0, 2, 1)), (24,)),
        (node_of("slice", (4, 6), start=(0, 1), stop=(4, 5), step=(1, 1)), (4,)),
        (node_of("flip", (4, 6), axes=(1,)), (4,)),
        (node_of("broadcast_to", (4, 1), shape=(4, 6)), (4,)),
        (node_of("take_along_axis", (4, 6), (4, 1), axis=1), (4, 4)),
        (node_of("concatenate", (4, 6), (4, 2), axis=1), (4, 4)),
        (node_of("tril", (4, 6), k=0), (24,)),
    ],
    ids=lambda x: x.op.name if isinstance(x, Node) else "",
)
def test_kept_finds_all_rows(node: Node, expected: tuple[int, ...]) -> None:
    assert kept(node) == expected


def test_trailing_ignores_axes_of_one_element() -> None:
    assert trailing((4, 3, 2), (1, 2)) == (4, 6)
    assert trailing((4, 1, 3, 1), (1, 2)) == (4, 3)
    assert trailing((4, 3, 1), (1,)) == (4, 3)
    assert trailing((4, 3), (0,)) is None
    assert trailing((4, 3), ()) == (12, 1)
    assert trailing((), ()) == (1, 1)
    assert trailing((2, 3, 4), (0, 2)) is None


def refused(b: Maker, family: str, *outputs: Any) -> str:
    with pytest.raises(GraphError) as error:
        check_family(b.build(outputs), family)
    return str(error.value)


def test_row_bodies() -> None:
    b = Maker()
    x = b.tensor(4, 6)
    p = b.softmax(x)
    check_family(b.build([p]), "row")
    assert row_space(b.build([p])) == (4, 6)
    turned = b.op("transpose", p, perm=(1, 0))
    assert "outside of its row" in refused(b, "row", turned)
    b = Maker()
    x = b.tensor(4, 6)
    s = b.reduce("sum", x, 1)
    assert "neither 4 nor 24" in refused(b, "row", s, b.op("exp", b.tensor(5)))
    b.reduce("sum", b.tensor(4, 5), 1)
    assert "one row space" in refused(b, "row", s)


def test_column_bodies() -> None:
    b = Maker()
    x = b.tensor(4, 6)
    s = b.reduce("sum", b.op("exp", x), 0)
    graph = b.build([b.op("mul", s, 2.0)])
    check_family(graph, "column")
    assert column_space(graph) == ((4, 6), (0,))
    assert "another position" in refused(b, "column", b.op("sub", x, s))
    b = Maker()
    assert "not the last ones" in refused(b, "column", b.reduce("sum", b.tensor(4, 6), 1))


def test_matmul_bodies() -> None:
    b = Maker()
    x, w = b.tensor(4, 6), b.tensor(5, 6)
    h = b.op("matmul", x, b.op("transpose", w, perm=(1, 0)))
    check_family(b.build([b.op("add", h, b.op("exp", b.tensor(5)))]), "matmul")
    assert "another position" in refused(b, "matmul", b.op("transpose", h, perm=(1, 0)))
    b = Maker()
    assert "which is no view" in refused(b, "matmul", b.op("matmul", b.op("exp", b.tensor(2, 3)), b.tensor(3, 4)))
    b = Maker()
    assert "holds one matmul, got 0" in refused(b, "matmul", b.op("exp", b.tensor(2, 3)))


def test_map_bodies() -> None:
    b = Maker()
    x = b.op("exp", b.tensor(2, 3))
    check_family(b.build([x, b.op("neg", x)]), "map")
    assert "one shape" in refused(b, "map", x, b.op("reshape", x, shape=(6,)))
    assert "does not compute sum" in refused(b, "map", b.reduce("sum", x, 1))
    b = Maker()
    big = b.constant(np.zeros(3, np.float32))
    assert "must be an input" in refused(b, "map", b.op("exp", big))
    b = Maker()
    assert "is not computed" in refused(b, "map", b.tensor(3))
    assert "no kernel family" in refused(b, "column major")


def test_family_of_single_nodes() -> None:
    assert family_of(node_of("exp", (4,))) is by_name("map")
    assert family_of(node_of("sum", (4, 6), axes=(1,), keepdims=False)) is by_name("row")
    assert family_of(node_of("sum", (4, 6), axes=(0,), keepdims=False)) is by_name("column")
    assert family_of(node_of("matmul", (4, 6), (6, 4))) is by_name("matmul")
    assert family_of(node_of("cumsum", (4, 6), axis=0, reverse=False)) is by_name("cumsum")
