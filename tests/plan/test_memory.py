"""Memory planning: places never overlap, and the checker would notice."""

from __future__ import annotations

from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphc.errors import GraphError, OutOfMemoryError
from graphc.plan import allocate
from graphc.plan.allocate import STRATEGIES, Assignment, Lifetime, assign, check, lower_bound

ALIGN = 256

lifetimes = st.lists(
    st.tuples(st.integers(0, 5000), st.integers(0, 30), st.integers(0, 12)).map(
        lambda t: Lifetime("", t[0], t[1], t[1] + t[2])
    ),
    max_size=40,
).map(lambda found: [replace(t, name=f"t{i}") for i, t in enumerate(found)])


def overlaps(a: Lifetime, b: Lifetime) -> bool:
    return a.start <= b.end and b.start <= a.end and a.nbytes > 0 and b.nbytes > 0


def by_hand(tensors: list[Lifetime], found: Assignment) -> bool:
    """Whether no two tensors that are live at once share a byte: every pair, the plain way."""
    for i, a in enumerate(tensors):
        for j, b in enumerate(tensors[:i]):
            if overlaps(a, b) and found.arenas[i] == found.arenas[j]:
                apart = (
                    found.offsets[i] + a.nbytes <= found.offsets[j] or found.offsets[j] + b.nbytes <= found.offsets[i]
                )
                if not apart:
                    return False
    return True


@settings(deadline=None, max_examples=150)
@given(lifetimes)
def test_places_never_overlap_and_the_peak_is_bounded(tensors: list[Lifetime]) -> None:
    for strategy in STRATEGIES:
        found = assign(tensors, ALIGN, strategies=[strategy])
        assert by_hand(tensors, found)
        check(tensors, found, ALIGN)
        assert found.lower_bound <= found.peak <= found.naive
    best = assign(tensors, ALIGN)
    with mock.patch.object(allocate, "MAX_TURNS", 0):  # as a strategy has them, and no better
        assert best.peak <= min(assign(tensors, ALIGN, strategies=[s]).peak for s in STRATEGIES)


@settings(deadline=None, max_examples=60)
@given(lifetimes)
def test_arenas_hold_the_largest_buffer_size(tensors: list[Lifetime]) -> None:
    limit = 20 * ALIGN
    found = assign(tensors, ALIGN, max_buffer_bytes=limit)
    assert all(nbytes <= limit for nbytes in found.arena_bytes)
    assert by_hand(tensors, found)
    check(tensors, found, ALIGN, limit)


@settings(deadline=None, max_examples=100)
@given(lifetimes.filter(bool), st.data())
def test_checker_agrees_with_every_pair_after_a_place_is_spoiled(tensors: list[Lifetime], data: st.DataObject) -> None:
    found = assign(tensors, ALIGN)
    spoiled = data.draw(st.integers(0, len(tensors) - 1))
    offsets = list(found.offsets)
    offsets[spoiled] = ALIGN * data.draw(st.integers(0, 20))
    room = max(o + t.nbytes for o, t in zip(offsets, tensors, strict=True))
    moved = replace(found, offsets=tuple(offsets), arena_bytes=(room,))
    if by_hand(tensors, moved):
        check(tensors, moved, ALIGN)
    else:
        with pytest.raises(GraphError, match="share bytes"):
            check(tensors, moved, ALIGN)


def test_checker_names_both_tensors() -> None:
    tensors = [Lifetime("first", 100, 0, 4), Lifetime("second", 300, 2, 3)]
    wrong = Assignment((0, 0), (256, 0), (1024,), 0, 0, "")
    with pytest.raises(GraphError, match=r"tensors first and second are both live at dispatch 2"):
        check(tensors, wrong, ALIGN)


@pytest.mark.parametrize(
    ("offset", "room", "message"),
    [(100, 1024, "no multiple of 256"), (768, 1024, "outside arena 0"), (0, 4096, "a buffer may have 2048")],
)
def test_checker_refuses_bad_places(offset: int, room: int, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        check([Lifetime("t", 300, 0, 1)], Assignment((0,), (offset,), (room,), 0, 0, ""), ALIGN, 2048)


def test_a_chain_needs_two_places() -> None:
    chain = [Lifetime(f"t{i}", 1000, i, i + 1) for i in range(500)]
    found = assign(chain, ALIGN)
    assert found.peak == found.lower_bound == 2 * 1024
    assert found.naive == 500 * 1024


def test_the_same_lifetimes_give_the_same_places() -> None:
    rng = np.random.default_rng(3)
    tensors = [
        Lifetime(f"t{i}", int(rng.integers(1, 9000)), int(s), int(s + rng.integers(0, 50)))
        for i, s in enumerate(rng.integers(0, 300, 400))
    ]
    assert assign(tensors, ALIGN) == assign(list(tensors), ALIGN)


def test_three_thousand_tensors() -> None:
    rng = np.random.default_rng(0)
    starts = rng.integers(0, 3000, 3000)
    tensors = [
        Lifetime(f"t{i}", int(rng.integers(1, 1 << 20)), int(s), int(s + rng.integers(1, 200)))
        for i, s in enumerate(starts)
    ]
    found = assign(tensors, ALIGN)
    check(tensors, found, ALIGN)
    assert found.peak <= 1.15 * found.lower_bound


def test_empty_tensors_need_no_place() -> None:
    found = assign([Lifetime("a", 0, 0, 9), Lifetime("b", 4, 3, 3)], ALIGN)
    assert found.peak == found.naive == found.lower_bound == ALIGN
    assert assign([], ALIGN).peak == 0
    assert lower_bound([], ALIGN) == 0


def test_a_tensor_larger_than_a_buffer_is_named() -> None:
    with pytest.raises(OutOfMemoryError, match="tensor big needs 2048 bytes, and a buffer may have 1024"):
        assign([Lifetime("big", 2000, 0, 1)], ALIGN, max_buffer_bytes=1024)
