"""PyTorch's operators written in NumPy: results and gradients of samples that PyTorch computed, on every device."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

import numpy as np
import pytest

import graphc
from tests.support import torch_golden
from tests.support.torch_samples import CALLS, Sample, compare

BY_NAME: Final[dict[str, list[Sample]]] = defaultdict(list)
for _sample in torch_golden.read():
    BY_NAME[_sample.name].append(_sample)

PARTS: Final = 12
"""Operators are tested in so many groups, by every twelfth name."""


def differences(samples: list[Sample], **options: Any) -> list[str]:
    found = []
    for sample in samples:
        try:
            found += [f"{sample.name}: {text}" for text in compare(sample, **options)]
        except Exception as error:
            found.append(f"{sample.name}: {type(error).__name__}: {error}")
    return found


def test_each_operator_has_samples() -> None:
    assert set(BY_NAME) == set(CALLS) - {"slice_scatter"}  # whose samples are too large for the file


def test_samples_of_each_operator_hold_numbers() -> None:
    without = {name for name, samples in BY_NAME.items() if not any(sample.holds_numbers for sample in samples)}
    assert without == set()


@pytest.mark.parametrize("part", range(PARTS))
def test_results_and_gradients_are_pytorchs(part: int) -> None:
    samples = [sample for name in sorted(BY_NAME)[part::PARTS] for sample in BY_NAME[name]]
    assert differences(samples, device="numpy") == []


@pytest.mark.slow
@pytest.mark.parametrize("passes", [(), graphc.passes.DEFAULT], ids=["unfused", "fused"])
@pytest.mark.parametrize("part", range(PARTS))
def test_kernels_give_pytorchs(part: int, passes: Any, device: Any) -> None:
    samples = [sample for name in sorted(BY_NAME)[part::PARTS] for sample in BY_NAME[name]]
    assert differences(samples, device=device, passes=passes) == []


def test_what_differs_is_found() -> None:
    sample = BY_NAME["cumprod"][0]
    results = [y + 1e-4 * np.abs(y).max() for y in sample.results]
    wrong = Sample(sample.name, sample.args, sample.kwargs, results, sample.gradients)
    assert "of the largest entry off" in differences([wrong], device="numpy")[0]
    (gradient,) = [g for g in sample.gradients or [] if g is not None]
    wrong = Sample(sample.name, sample.args, sample.kwargs, sample.results, [gradient * 1.001])
    assert "gradient 0 is" in differences([wrong], device="numpy")[0]
