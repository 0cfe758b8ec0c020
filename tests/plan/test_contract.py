"""The compile contract: what a step takes is known, printed and held against the device before it runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc.errors import OutOfMemoryError
from graphc.models import MODELS, data, fit
from graphc.models.train import RunConfig, Silent, train, training_step
from graphc.runtime.base import Device
from tests.support.planning import transformer

RUN = RunConfig(model="mlp", data=None, steps=2, batch_size=64, optimizer="sgd", rate=0.1, decay="constant", seed=0)


def test_numbers_of_a_known_program(device: Any) -> None:
    def predict(params: Any, x: Any) -> Any:
        return np.tanh(x @ params["w"]) @ params["v"]

    params = {"w": graphc.spec((32, 64)), "v": graphc.spec((64, 16))}
    executable = graphc.compile(predict, device=device).lower(params, graphc.spec((8, 32)))
    contract = executable.contract
    assert contract.parameters == 32 * 64 + 64 * 16
    assert contract.parameter_bytes == 4 * contract.parameters
    assert contract.dispatches == len(executable.plan.dispatches)
    assert contract.flops >= 2 * 8 * 64 * (32 + 16)
    assert contract.peak_bytes == executable.memory.peak_bytes >= 8 * 64 * 4
    assert contract.total_bytes >= contract.peak_bytes + 4 * (contract.parameters + 8 * 32 + 8 * 16)
    assert contract.bytes_moved >= 4 * (contract.parameters + 8 * 32 + 8 * 16)
    assert 0 < contract.encode_seconds < 1e-3
    for word in ("3,072 parameters (12.3 kB)", "device memory", "dispatches", "kFLOP", "moved", "encode"):
        assert word in str(contract)


def test_without_an_argument_called_params_the_first_one_counts() -> None:
    contract = (
        graphc.compile(lambda w, x: x @ w, device="numpy").lower(graphc.spec((4, 3)), graphc.spec((2, 4))).contract
    )
    assert contract.parameters == 12
    assert graphc.compile(lambda: np.zeros(3), device="numpy").lower().contract.parameters == 0


def test_a_gpt_is_described_without_an_allocation() -> None:
    step, abstract = transformer(width=384, heads=6, layers=6, length=256, batch=64)
    contract = graphc.compile(step, device="numpy", donate=(0, 1)).lower(*abstract).contract
    assert 10e6 < contract.parameters < 12e6
    assert contract.flops > 1e12
    assert contract.total_bytes > contract.peak_bytes > 1e9


@pytest.mark.parametrize("most", [0, 1, 2, 5, 31, 63])
def test_the_largest_batch_is_found(most: Any) -> None:
    asked = []

    def fits(size: Any) -> Any:
        asked.append(size)
        return size <= most

    assert fit.largest(64, fits) == most
    assert len(asked) <= 12


@pytest.mark.parametrize("name", ["wgpu", "numpy"])
@pytest.mark.parametrize("inner", [1, 7])
def test_the_steps_of_a_loop_are_counted_one_by_one(name: Any, inner: Any) -> None:
    def loop(x: Any, steps: Any) -> Any:
        def one(c: Any, _: Any) -> Any:
            return graphc.scan(lambda c, _: (np.tanh(c @ c), None), c, length=inner)[0], None

        return graphc.scan(one, x, length=steps)[0]

    x = np.eye(64, dtype=np.float32)
    bills = {n: graphc.compile(loop, device=name, static="steps").lower(x, n).contract for n in (10, 20, 1000)}
    for what in ("flops", "dispatches", "bytes_moved", "encode_seconds"):
        few, more, many = (getattr(bills[n], what) for n in (10, 20, 1000))
        assert many - few == pytest.approx(99 * (more - few), rel=1e-9)
        assert more > few
    assert bills[1000].flops >= 1000 * inner * 2 * 64**3


class Notes(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: Any) -> None:
        self.lines.append(text)


def test_training_says_the_contract_first() -> None:
    notes = Notes()
    train(RUN, data.load(None), device="numpy", reporter=notes)
    assert "parameters" in notes.lines[0]


def test_a_step_that_the_device_cannot_hold_is_refused_with_the_batch_that_fits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, corpus = MODELS["mlp"], data.load(None)
    config, _ = model.configure(corpus)
    params, optimizer = model.init(graphc.random.key(0), config), RUN.make_optimizer()
    batch = model.batches(corpus, config, 20, 0)(0)
    step = graphc.compile(training_step(model, config, optimizer), device="numpy", donate=(0, 1))
    small = step.lower(params, optimizer.init(params), *batch).contract
    monkeypatch.setattr(Device, "capacity", small.total_bytes)
    with pytest.raises(
        OutOfMemoryError, match=r"a batch of 64 does not fit the device: .*--batch-size (\d+) would fit"
    ) as caught:
        train(RUN, data.load(None), device="numpy")
    best = int(str(caught.value).rpartition("--batch-size ")[2].split()[0])
    assert 20 <= best < 64
    monkeypatch.setattr(Device, "capacity", 1000)
    with pytest.raises(OutOfMemoryError, match="not even a batch of one fits"):
        train(RUN, data.load(None), device="numpy")


def test_the_capacity_of_what_runs_on_the_host_is_its_memory(device: Any) -> None:
    memory = graphc.device("numpy").capacity
    assert memory is None or memory > 1 << 28
    assert device.capacity == (memory if device.software else None)
