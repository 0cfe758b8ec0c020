"""Random programs of 1 to 40 steps: fused on the GPU, unfused on the GPU and the NumPy reference agree, both ways."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import graphc
from tests.support.programs import RandomProgram, programs

QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def close(got: Any, want: Any, what: str, program: RandomProgram) -> None:
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, f"{what}: shape {got.shape}, want {want.shape}\n{program}"
    scale = max(1.0, float(np.max(np.abs(want), initial=0.0)))
    worst = float(np.max(np.abs(got.astype(np.float64) - want), initial=0.0))
    assert worst <= 2e-4 * scale, f"{what}: off by {worst:.3g} of {scale:.3g}\n{program}"


def agree(program: RandomProgram, seed: int) -> None:
    inputs = program.arrays(seed)
    eager = program(*(x.astype(np.float64) for x in inputs))
    both = graphc.value_and_grad(program.loss, argnums=tuple(range(len(inputs))))
    _, reference = graphc.compile(both, device="numpy", passes=())(*inputs)
    ways: dict[str, dict[str, Any]] = {"fused": {}, "unfused": {"passes": ()}}
    for label, options in ways.items():
        for k, out in enumerate(graphc.compile(program, device="wgpu", **options)(*inputs)):
            close(out, eager[k], f"{label} output {k}", program)
        _, grads = graphc.compile(both, device="wgpu", **options)(*inputs)
        for k, grad in enumerate(grads):
            close(grad, reference[k], f"{label} gradient {k}", program)


@settings(max_examples=50, deadline=None, suppress_health_check=QUIET)
@given(program=programs(max_steps=25), seed=st.integers(0, 5))
def test_random_programs_agree(program: RandomProgram, seed: int) -> None:
    agree(program, seed)


@pytest.mark.slow
@settings(max_examples=500, deadline=None, suppress_health_check=QUIET)
@given(program=programs(max_steps=40), seed=st.integers(0, 99))
def test_many_random_programs_agree(program: RandomProgram, seed: int) -> None:
    agree(program, seed)
