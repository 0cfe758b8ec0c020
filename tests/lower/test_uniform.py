"""A few numbers that every invocation reads are bound as uniform buffers where storage buffers do not suffice."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.errors import GraphError
from graphc.ir.graph import Graph, evaluate
from graphc.lower import lower
from graphc.lower.buffers import pack
from graphc.passes.fusion.fuse import fuse
from graphc.plan.plan import Plan, Target
from graphc.plan.verify import check_plan
from graphc.reference import run_plan
from tests.support.fusing import Maker, arrays_for, assert_sound, kernels


def sums(small: int, large: int = 7) -> Graph:
    """The sum of `large` matrices and of `small` numbers."""
    make = Maker()
    total = make.tensor(32, 8)
    for _ in range(large - 1):
        total = make.op("add", total, make.tensor(32, 8))
    for _ in range(small):
        total = make.op("mul", total, make.tensor(1, 1))
    return make.build([total])


def accesses(plan: Plan) -> list[str]:
    return [b.access for d in plan.dispatches for b in d.bindings]


def test_numbers_take_no_storage_buffer_where_there_is_none_left() -> None:
    graph = sums(small=12)
    after = fuse(graph)
    assert_sound(graph, after)
    assert len(kernels(after)) == 1
    plan = lower(after, Target())
    assert accesses(plan).count("uniform") == 12
    arrays = arrays_for(graph)
    np.testing.assert_array_equal(run_plan(plan, after, arrays)[0], evaluate(graph, arrays)[0])


def test_there_are_no_more_than_the_limit() -> None:
    assert len(kernels(fuse(sums(small=13)))) == 2


def test_kernels_with_few_buffers_have_none() -> None:
    assert "uniform" not in accesses(lower(fuse(sums(small=1, large=6)), Target()))


def test_numbers_computed_in_the_program_lie_apart() -> None:
    """They are no part of an arena, which the same kernel writes to."""

    def program(xs: list[Any], step: Any) -> Any:
        total = sum(xs[1:], start=xs[0])
        rates = np.exp(step * np.arange(3, dtype=np.float32))
        scaled = total * rates[1]
        return scaled @ xs[0].T, scaled, total * rates[2], total - rates[0]

    xs = [np.random.default_rng(k).standard_normal((24, 40)).astype(np.float32) for k in range(5)]
    compiled = graphc.compile(program, device="wgpu", check=True)
    step = np.float32(0.5)
    plan = compiled.lower(xs, step).plan
    bound = [b for d in plan.dispatches for b in d.bindings if b.access == "uniform"]
    assert bound
    for dispatch in plan.dispatches:
        for binding in dispatch.bindings:
            if binding.access == "uniform":
                assert sum(b.buffer == binding.buffer for b in dispatch.bindings) == 1
    for got, want in zip(compiled(xs, step), program(xs, step), strict=True):
        np.testing.assert_allclose(got.numpy(), want, rtol=1e-4, atol=1e-4)


def test_small_tensors_lie_where_a_number_is_yet_to_come() -> None:
    """A number's buffer is free until it is written; nothing lies there that its own dispatch touches."""
    make = Maker()
    early, meeting, number, large = (make.tensor(n) for n in (8, 8, 8, 640))
    spans = {early: (0, 1), meeting: (0, 2), number: (2, 3), large: (1, 3)}
    sizes = {value: value.type.nbytes for value in spans}
    names = {value: f"%{value.id}" for value in spans}
    lone, left, assigned = pack([early, meeting, large], spans, sizes, {number}, (), names, Target())
    assert lone.home == {number: 0, early: 0}
    assert left == [meeting, large]
    assert lone.sizes == [32]
    assert assigned.peak == 256 + 2560


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.bool_])
def test_element_types_and_elements(dtype: Any) -> None:
    """One of many, and all of them in turn."""

    def program(xs: list[Any], few: Any) -> Any:
        total = sum(xs[1:], start=xs[0])
        spread = np.where(few, total, -total) if few.dtype == np.bool_ else total * few
        return spread + (total * few[5])

    xs = [np.random.default_rng(k).integers(-9, 9, (16, 33)).astype(np.float32) for k in range(7)]
    few = np.arange(33).astype(dtype)
    compiled = graphc.compile(program, device="wgpu")
    assert "uniform" in accesses(compiled.lower(xs, few).plan)
    np.testing.assert_array_equal(compiled(xs, few).numpy(), program(xs, few))


@pytest.mark.parametrize("merged", [False, True])
def test_no_compiler_knows_where_they_are_read(merged: bool, device: Any) -> None:
    """Mesa compiles a kernel anew for numbers that it branches by, and before 23.1 it ends the process doing so."""

    def program(xs: list[Any], small: list[Any]) -> Any:
        total = sum(xs[1:], start=xs[0])
        for numbers in small:
            total = np.where(numbers[3] > 0, total * numbers[2], total)
        return np.sum(total, axis=1, keepdims=True) * small[0][1] if merged else total

    xs = [np.full((2, 8), k, np.float32) for k in range(7)]
    small = [np.arange(k, k + 5, dtype=np.float32) for k in range(6)]
    kernels = graphc.compile(program, device=device).lower(xs, small).plan.kernels
    found = 0
    for kernel in kernels:
        for name in re.findall(r"var<uniform> (\w+)", kernel.wgsl):
            reads = re.findall(rf"\b{name}\[(.*)", kernel.wgsl)
            assert reads
            assert all("+ gc_unknown()]" in read for read in reads), kernel.wgsl
            found += 1
    assert found >= 4


def test_a_plan_may_not_write_to_them() -> None:
    after = fuse(sums(small=1))
    plan = lower(after, Target())
    check_plan(plan)
    (dispatch,) = plan.dispatches
    uniform = next(b for b in dispatch.bindings if b.access == "uniform")
    written = dispatch.bindings[-1]
    bindings = (*dispatch.bindings[:-1], replace(written, tensor=uniform.tensor, buffer=uniform.buffer, nbytes=16))
    with pytest.raises(GraphError, match="may only be read"):
        check_plan(replace(plan, dispatches=(replace(dispatch, bindings=bindings),)))
