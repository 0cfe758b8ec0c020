"""Index arithmetic: expressions are evaluated as WGSL would, for every lane, and compared with NumPy positions."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from graphc.ir import index as ix
from graphc.ir.index import Idx, Index, constant, variable

U32 = np.uint32


def evaluate(text: str, **variables: int) -> np.ndarray:
    """A WGSL index expression as NumPy: a scalar or four lanes of u32, with wrap-around."""
    source = re.sub(r"\b(\d+)u\b", r"U32(\1)", text).replace("vec4<u32>", "vec4").replace("/", "//")
    lanes = {
        "U32": U32,
        "vec4": lambda *v: np.array(v * (4 // len(v)), U32) if len(v) in (1, 4) else None,
        "min": np.minimum,
    }
    with np.errstate(over="ignore"):
        return np.asarray(eval(source, lanes, {k: U32(v) for k, v in variables.items()}), U32)


def lanes_of(idx: Idx, **variables: int) -> list[int]:
    """The four lanes of an index, and a check of what it claims of itself."""
    lanes = np.broadcast_to(evaluate(idx.vector, **variables), (4,)).astype(np.int64)
    if idx.lane is not None:
        first = int(evaluate(idx.text, **variables))
        assert [(first + k * idx.lane) % 2**32 for k in range(4)] == lanes.tolist(), "lane"
        assert first % idx.align == 0, "align"
    if idx.const is not None:
        assert set(lanes.tolist()) == {idx.const}
    return [int(lane) for lane in lanes]


VECTOR = variable("i", 96, 4, 1)
SCALAR = variable("i", 96)
CASES = [(VECTOR, range(0, 96, 4)), (SCALAR, range(96))]


@pytest.mark.parametrize("c", [1, 2, 3, 4, 5, 8, 12, 24, 96, 100])
@pytest.mark.parametrize(("base", "starts"), CASES)
def test_divide_and_modulo_agree_with_integers(c: Any, base: Any, starts: Any) -> None:
    for scaled, factor in ((base, 1), (ix.multiply(base, 4), 4), (ix.multiply(base, 3), 3), (ix.add(base, base), 2)):
        quotient, rest = ix.divide(scaled, c), ix.modulo(scaled, c)
        for i in starts:
            values = [(i + k * (base.lane or 0)) * factor for k in range(4)]
            assert lanes_of(scaled, i=i) == values
            assert lanes_of(quotient, i=i) == [v // c for v in values]
            assert lanes_of(rest, i=i) == [v % c for v in values]
            assert all(v // c < quotient.bound and v % c < rest.bound for v in values)


@pytest.mark.parametrize(("base", "starts"), CASES)
def test_reverse_and_clamp(base: Any, starts: Any) -> None:
    for i in starts:
        values = [i + k * (base.lane or 0) for k in range(4)]
        assert lanes_of(ix.reverse(base, 96), i=i) == [95 - v for v in values]
        assert lanes_of(ix.clamp(base, 50), i=i) == [min(v, 49) for v in values]
        assert lanes_of(ix.clamp(ix.subtract(base, 7), 96), i=i) == [v - 7 if v >= 7 else 95 for v in values]


def test_constants_are_folded() -> None:
    assert ix.add(constant(3), constant(4)).const == 7
    assert ix.divide(constant(9), 2).const == 4
    assert ix.modulo(constant(9), 2).const == 1
    assert ix.multiply(VECTOR, 0).const == 0
    assert ix.clamp(constant(9), 0).const == 0


def test_a_vector_inside_one_row_stays_a_vector() -> None:
    """The bias of a [24, 4] tensor is read with one vec4 load: its index has consecutive, aligned lanes."""
    column = ix.modulo(VECTOR, 8)
    assert (column.lane, column.align % 4) == (1, 0)
    assert ix.divide(VECTOR, 8).uniform
    assert ix.modulo(VECTOR, 6).lane is None


@pytest.mark.parametrize("seed", range(40))
def test_chains_of_views_read_the_right_element(seed: Any) -> None:
    """Follow one element through random views, in Python integers beside the generated expressions."""
    rng = np.random.default_rng(seed)
    shapes = [(4, 6, 4), (2, 3, 16), (96,), (8, 12), (24, 4), (3, 32), (1, 96), (6, 1, 16)]
    shape = shapes[rng.integers(len(shapes))]
    start = VECTOR if rng.random() < 0.7 else SCALAR
    index = Index(shape, flat=start)
    reads = np.arange(96).reshape(shape)  # which element of the current operand each output element reads
    for _ in range(rng.integers(1, 5)):
        kind = rng.integers(3)
        at = index.shape
        if kind == 0:
            new = shapes[rng.integers(len(shapes))]
            index = index.reshaped(new)
        elif kind == 1:
            perm = tuple(rng.permutation(len(at)).tolist())
            operand = tuple(at[perm.index(a)] for a in range(len(at)))
            index = Index(operand, [index.dims[perm.index(a)] for a in range(len(at))])
            reads = np.transpose(np.arange(96).reshape(operand), perm).reshape(-1)[reads]
        else:
            index = Index(at, [ix.reverse(d, n) for d, n in zip(index.dims, at, strict=True)])
            reads = np.flip(np.arange(96).reshape(at)).reshape(-1)[reads]
    flat = reads.reshape(-1)
    for i in range(0, 96, 4 if start is VECTOR else 1):
        expected = [int(flat[min(i + k * (start.lane or 0), 95)]) for k in range(4)]
        assert lanes_of(index.flat, i=i) == expected
        assert lanes_of(index.map(lambda idx: idx).flat, i=i) == expected


def test_broadcast_reads_the_operand_of_lower_rank() -> None:
    index = Index((4, 6, 4), flat=SCALAR)
    row = index.broadcast_from((6, 1))
    column = index.broadcast_from((4,))
    for i in range(96):
        _, b, c = np.unravel_index(i, (4, 6, 4))
        assert lanes_of(row.flat, i=i)[0] == b
        assert lanes_of(column.flat, i=i)[0] == c
    assert index.broadcast_from((1, 1)).flat.const == 0
    assert math.prod(index.shape) == 96


def test_equal_positions_have_equal_keys_whatever_they_are_made_of() -> None:
    a = Index((4, 8), [variable("r", 4), variable("c", 8, 4, 1)])
    b = Index((4, 8), [variable("r", 4), variable("c", 8, 4, 1)])
    assert a.key == b.key
    assert a.key != Index((4, 8), [variable("r", 4), variable("c", 8, 4, 0)]).key


def test_axes_that_a_reshape_merges_cost_no_division() -> None:
    dims = [variable(name, n) for name, n in zip("bthd", (2, 5, 3, 4), strict=True)]
    for shape in ((2, 5, 12), (10, 12), (2, 15, 4), (1, 10, 12), (120,), (2, 5, 1, 12)):
        index = Index((2, 5, 3, 4), dims).reshaped(shape)
        assert not any(sign in dim.text for dim in index.dims for sign in "/%")
        for at in ((0, 0, 0, 0), (1, 4, 2, 3), (1, 2, 0, 3)):
            names = dict(zip("bthd", at, strict=True))
            found = tuple(int(evaluate(dim.text, **names)) for dim in index.dims)
            assert np.ravel_multi_index(found, shape) == np.ravel_multi_index(at, (2, 5, 3, 4))
    split = Index((10, 12), [variable("m", 10), variable("n", 12)]).reshaped((2, 5, 12))
    assert "/" in split.dims[0].text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ((6, 8), (2, 3, 2, 4)),
        ((2, 3, 8), (6, 2, 4)),
        ((6, 1, 8), (1, 3, 2, 8, 1)),
        ((4, 6), (3, 8)),
        ((24,), (2, 1, 12)),
        ((2, 3, 4, 2), (2, 12, 2)),
    ],
)
def test_reshapes_of_known_coordinates_agree_with_numpy(old: Any, new: Any) -> None:
    variables = [variable(name, n) for name, n in zip("abcd", old, strict=False)]
    index = Index(old, variables).reshaped(new)
    for place in np.ndindex(*old):
        named = dict(zip("abcd", map(int, place), strict=False))
        want = np.unravel_index(np.ravel_multi_index(place, old), new)
        assert [int(evaluate(d.text, **named)) for d in index.dims] == list(map(int, want))
        assert int(evaluate(index.flat.text, **named)) == np.ravel_multi_index(place, old)


def test_axes_that_a_reshape_keeps_apart_are_not_mixed() -> None:
    rows, column = variable("m", 1024), Idx("(k * 4u)", 1, 4, 384)
    merged = Index((1024, 384), [rows, column]).reshaped((4, 256, 384)).reshaped((4, 256, 6, 64))
    assert [d.text for d in merged.dims] == ["(m / 256u)", "(m % 256u)", "((k * 4u) / 64u)", "((k * 4u) % 64u)"]
    assert (merged.dims[-1].lane, merged.dims[-1].align) == (1, 4)


def test_axes_of_length_one_keep_the_flat_position() -> None:
    """What computes in place relies on it: the element at a position is read from the same one."""
    flat = variable("i", 6)
    assert Index((1, 2, 3), flat=flat).broadcast_from((2, 3)).flat.text == "i"


@pytest.mark.parametrize(("rows", "inner"), [(4, (6,)), (2, (3, 4)), (3, (8,)), (6, (2, 2)), (8, (3,))])
@pytest.mark.parametrize("start", [VECTOR, SCALAR])
@pytest.mark.parametrize("by", [0, 1, 12, 24])
def test_rows_that_come_again_are_one_remainder(rows: int, inner: tuple[int, ...], start: Idx, by: int) -> None:
    """As np.tile reads its operand: (offset / row % rows) and the place in a row are a remainder of the offset."""
    part = rows * math.prod(inner)
    times = -(-(96 + by) // part)
    moved = ix.moved(start, by, times * part) if by else replace(start, bound=times * part)
    outer = Index((times * rows, *inner), flat=moved)
    read = outer.reshaped((times, rows, *inner)).broadcast_from((rows, *inner))
    assert "/" not in read.flat.text
    assert read.flat.text.count("%") == 1
    for i in range(0, 96, 4 if start is VECTOR else 1):
        assert lanes_of(read.flat, i=i) == [(i + by + k * (start.lane or 0)) % part for k in range(4)]


@pytest.mark.parametrize("seed", range(60))
def test_views_of_repeated_rows_read_the_right_element(seed: int) -> None:
    """Tiles within tiles, reshaped on the way, of rows that are a part of more rows."""
    rng = np.random.default_rng(seed)
    inner = tuple(rng.integers(1, 5, rng.integers(1, 3)).tolist())
    rows, first, second = (int(n) for n in rng.integers(1, 5, 3))
    operand = np.arange(rows * math.prod(inner)).reshape(rows, *inner)
    once = np.tile(operand, (first, *(1 for _ in inner)))
    whole = np.tile(once, (second, *(1 for _ in inner)))
    lane = int(rng.integers(2))
    start = variable("i", whole.size, 4 if lane else 1, lane)
    index = Index(whole.shape, flat=start)
    if rng.integers(2):
        index = index.reshaped((whole.size,)).reshaped(whole.shape)
    index = index.reshaped((second, *once.shape)).broadcast_from(once.shape)
    index = index.reshaped((first, *operand.shape)).broadcast_from(operand.shape)
    for i in range(0, whole.size, 4 if lane else 1):
        places = [i + k * lane for k in range(4)]
        want = [int(whole.reshape(-1)[p]) if p < whole.size else None for p in places]
        found = lanes_of(index.flat, i=i)
        assert [f for f, w in zip(found, want, strict=True) if w is not None] == [w for w in want if w is not None]
        assert max(found) < operand.size or None in want
