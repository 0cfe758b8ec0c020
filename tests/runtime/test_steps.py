"""Many steps a submit: the same bytes as step by step, batches drawn on the device as on the host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
import graphc.random
from graphc.models import MODELS, train
from graphc.models.data import Corpus
from graphc.models.rundir import RunDirectory
from graphc.models.steps import many, steps_of_submit
from graphc.models.train import RunConfig, training_step

CORPUS = Corpus("test", "\n".join(["anna", "bert", "carla", "dan", "eva", "fred", "gina", "hans"] * 8))
SMALL = {
    "microgpt": {"context": 8, "width": 8, "heads": 2},
    "mlp": {},
    "bigram": {},
    "batchnorm_mlp": {"hidden": 10},
    "gpt": {"context": 8, "width": 8, "heads": 2, "layers": 1},
}

ON_GPU = [("microgpt", "wgpu"), ("mlp", "wgpu"), ("gpt", "wgpu")]


def parts(name: str, batch_size: int = 3) -> tuple[Any, Any, Any, Any, Any]:
    """Model, config, batches, optimizer and first parameters."""
    model = MODELS[name]
    config, _ = model.configure(CORPUS, **SMALL[name])
    batches = model.batches(CORPUS, config, batch_size, 5)
    optimizer = graphc.optim.adam(0.01)
    return model, config, batches, optimizer, model.init(graphc.random.key(1), config)


@pytest.mark.parametrize(("name", "device"), [*((name, "numpy") for name in sorted(SMALL)), *ON_GPU])
def test_batches_drawn_on_the_device_are_those_of_the_host(name: str, device: str) -> None:
    batches = parts(name)[2]
    draw = graphc.compile(batches.draw, device=device)
    for step in (0, 1, 100_003):
        for found, wanted in zip(draw(batches.data, np.int32(step)), batches(step), strict=True):
            np.testing.assert_array_equal(np.asarray(found), wanted)


@pytest.mark.parametrize("name", ["microgpt", "batchnorm_mlp"])
def test_many_steps_are_to_the_bit_what_single_steps_are(name: str) -> None:
    model, config, batches, optimizer, first = parts(name)
    steps = many(training_step(model, config, optimizer, 3), batches.draw)
    program = graphc.compile(steps, static=("count",))
    runs = []
    for counts in ([1] * 6, [4, 1, 1]):
        params, state, losses = first, optimizer.init(first), []
        done = 0
        for count in counts:
            params, state, seen = program(params, state, batches.data, np.int32(done), count)
            losses += np.asarray(seen).tolist()
            done += count
        runs.append((losses, [np.asarray(leaf).tobytes() for leaf in graphc.tree.leaves(params)]))
    assert runs[0] == runs[1]
    assert len(set(runs[0][0])) == 6


@pytest.mark.parametrize("evaluate_every", [0, 4])
def test_a_run_does_not_depend_on_how_it_is_divided(
    evaluate_every: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = RunConfig(
        "microgpt", None, 11, 2, "adam", 0.01, "linear", 7, SMALL["microgpt"], evaluate_every=evaluate_every
    )
    results = []
    for size in (1, 3):
        monkeypatch.setattr(train, "steps_of_submit", lambda step, interval, size=size: size)
        directory = RunDirectory(tmp_path / str(size), every=5)
        trained = train.train(run, CORPUS, directory)
        assert [path.name for path in directory.checkpoints()][-1] == "step-00000011.safetensors"
        assert list(trained.evaluated) == ([4, 8, 11] if evaluate_every else [])
        lines = (directory.path / "metrics.jsonl").read_text().splitlines()
        assert len(lines) == len(trained.losses) == 11
        results.append((trained.losses, [np.asarray(leaf).tobytes() for leaf in graphc.tree.leaves(trained.params)]))
    assert results[0] == results[1]


def test_how_many_steps_are_submitted() -> None:
    model, config, batches, optimizer, first = parts("microgpt")
    step = graphc.compile(training_step(model, config, optimizer), device="wgpu")
    executable = step.lower(first, optimizer.init(first), *batches(0))
    most = steps_of_submit(executable, 10**6)
    assert 8 <= most <= 256
    assert steps_of_submit(executable, 5) == 5
    assert steps_of_submit(executable, 1) == 1
    n = steps_of_submit(executable, 499)
    assert n <= most
    assert 499 // n + 499 % n <= 499 // most + 499 % most
    on_host = graphc.compile(training_step(model, config, optimizer), device="numpy")
    assert steps_of_submit(on_host.lower(first, optimizer.init(first), *batches(0)), 499) == 1


def test_a_step_in_a_loop_copies_next_to_nothing() -> None:
    model, config, batches, optimizer, first = parts("microgpt", 1)
    steps = many(training_step(model, config, optimizer), batches.draw)
    options: Any = {"donate": ("params", "state"), "static": ("count",)}
    program = graphc.compile(steps, device="wgpu", target="software", **options)
    plan = program.lower(first, optimizer.init(first), batches.data, np.int32(0), 8).plan
    (loop,) = plan.loops
    names = [plan.kernels[d.kernel].name for d in plan.dispatches[loop.first : loop.last + 1]]
    # lm_head's rows are no whole vectors, so that both of its moments are copied; so is the number of the step.
    assert sum("loop_yield" in name for name in names) <= 3
    assert len(names) <= 55
