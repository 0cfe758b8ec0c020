"""tap: statistics of values and gradients from inside a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.errors import DTypeError, TraceError
from graphc.models import train
from graphc.models.data import Corpus
from graphc.models.rundir import RunDirectory
from graphc.taps import BINS

RNG = np.random.default_rng(0)
W = [RNG.normal(size=(6, 6)).astype(np.float32) for _ in range(2)]
X = RNG.normal(size=(16, 6)).astype(np.float32)


def loss(w: Any, x: Any) -> Any:
    for number, matrix in enumerate(w):
        x = graphc.tap(f"tanh{number}", np.tanh(x @ matrix))
    return np.mean(x**2)


def by_hand() -> dict[str, np.ndarray[Any, Any]]:
    first = np.tanh(X @ W[0])
    second = np.tanh(first @ W[1])
    slope = 2 * second / second.size
    return {
        "tanh0": first,
        "tanh1": second,
        "tanh1'": slope,
        "tanh0'": (slope * (1 - second**2)) @ W[1].T,
    }


def check(found: Any, wanted: Any, rtol: float = 2e-5) -> None:
    assert float(found["mean"]) == pytest.approx(wanted.mean(), rel=rtol, abs=1e-6)
    assert float(found["std"]) == pytest.approx(wanted.std(), rel=rtol)
    assert float(found["saturation"]) == pytest.approx((np.abs(wanted) > 0.97).mean())
    assert float(found["low"]) == pytest.approx(wanted.min(), rel=rtol)
    assert float(found["high"]) == pytest.approx(wanted.max(), rel=rtol)
    counts = np.asarray(found["histogram"])
    assert counts.sum() == wanted.size
    assert counts.shape == (BINS,)
    # A value at the border of two bins may fall on either side.
    assert np.abs(counts - np.histogram(wanted, BINS)[0]).sum() <= 4


@pytest.mark.parametrize("device", ["numpy", "wgpu"])
def test_values_and_gradients(device: str) -> None:
    value, grads, report = graphc.compile(graphc.with_taps(loss), device=device)(W, X)
    plain, wanted = graphc.compile(graphc.value_and_grad(loss), device=device)(W, X)
    assert float(value) == pytest.approx(float(plain), rel=1e-6)
    for a, b in zip(grads, wanted, strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=0, atol=1e-7)
    expected = by_hand()
    for name in ("tanh0", "tanh1"):
        check(report[name]["value"], expected[name])
        check(report[name]["gradient"], expected[f"{name}'"])


def test_in_a_scan_of_steps() -> None:
    def steps(w: Any, x: Any) -> Any:
        def step(w: Any, _: Any) -> Any:
            value, grads, report = graphc.with_taps(loss)(w, x)
            return graphc.tree.map(lambda a, g: a - g, w, grads), (value, report)

        return graphc.scan(step, w, length=3)

    _, (values, report) = graphc.compile(steps)(W, X)
    assert np.asarray(values).shape == (3,)
    assert np.asarray(report["tanh0"]["gradient"]["histogram"]).shape == (3, BINS)
    check({k: np.asarray(v)[0] for k, v in report["tanh1"]["value"].items()}, by_hand()["tanh1"])


def layers(w: Any, x: Any) -> Any:
    """`loss` as a loop over its layers, each of which is computed again in the backward pass."""

    @graphc.checkpoint
    def layer(x: Any, matrix: Any) -> Any:
        return graphc.tap("tanh", np.tanh(x @ matrix))

    x, sums = graphc.scan(lambda x, matrix: (layer(x, matrix), np.sum(x)), x, w)
    return np.mean(graphc.tap("last", x) ** 2) + 0 * np.sum(sums)


@pytest.mark.parametrize("device", ["numpy", "wgpu"])
def test_taps_in_a_loop_over_layers_that_are_checkpointed(device: str) -> None:
    value, grads, report = graphc.compile(graphc.with_taps(layers), device=device)(np.stack(W), X)
    plain, wanted = graphc.compile(graphc.value_and_grad(loss), device=device)(W, X)
    assert float(value) == pytest.approx(float(plain), rel=1e-6)
    np.testing.assert_allclose(np.asarray(grads), np.stack(wanted), rtol=0, atol=1e-7)
    expected = by_hand()
    for number in range(2):
        for kind, mark in (("value", ""), ("gradient", "'")):
            found = {key: np.asarray(array)[number] for key, array in report["tanh"][kind].items()}
            check(found, expected[f"tanh{number}{mark}"])
    check(report["last"]["gradient"], expected["tanh1'"])


def test_gradients_are_of_arguments_that_are_there() -> None:
    wrapped = graphc.with_taps(lambda w, x: loss([w], x), argnums=np.int32(-2))
    assert wrapped(W[0], X)[1].shape == W[0].shape
    with pytest.raises(TraceError, match="argnums 2, but 2 positional"):
        graphc.with_taps(lambda w, x: loss([w], x), argnums=2)(W[0], X)


def test_taps_in_loops_of_loops_backwards_and_of_a_number() -> None:
    def inner(c: Any, x: Any) -> Any:
        return c + graphc.tap("product", c * x), None

    def outer(c: Any, row: Any) -> Any:
        return graphc.scan(inner, c, row)[0], None

    def total(x: Any) -> Any:
        return graphc.scan(outer, 1.0, x, reverse=True)[0]

    x = np.array([[2, 3, 4], [0.5, -1, 2]], np.float32)
    value, _, report = graphc.with_taps(total)(x)
    assert float(value) == pytest.approx(float(np.prod(1 + x)), abs=1e-5)
    means = np.asarray(report["product"]["value"]["mean"])
    np.testing.assert_allclose(means, [[0.0, 0.0, 0.0], [0.5, -1.5, 0.0]], atol=1e-6)
    np.testing.assert_allclose(np.asarray(report["product"]["gradient"]["mean"]), [[20, 5, 1], [0, 180, 60]], atol=1e-4)


def test_elsewhere_a_tap_is_nothing() -> None:
    assert graphc.tap("x", X) is X
    graph = graphc.trace(loss, W, X)
    assert not [v for v in graph.values() if v.type.shape == (BINS,)]


def test_with_aux_and_on_arrays() -> None:
    (value, aux), (gradient,), report = graphc.with_taps(lambda x: (np.sum(graphc.tap("x", x) ** 2), x[0]), (0,), True)(
        X
    )
    assert float(value) == pytest.approx(float((X**2).sum()), rel=1e-6)
    np.testing.assert_array_equal(np.asarray(aux), X[0])
    np.testing.assert_allclose(np.asarray(gradient), 2 * X, rtol=1e-6)
    check(report["x"]["gradient"], 2 * X)


def test_errors() -> None:
    def twice(x: Any) -> Any:
        return np.sum(graphc.tap("a", graphc.tap("a", x)))

    def integers(x: Any) -> Any:
        return np.sum(graphc.tap("a", x.astype(np.int32)).astype(np.float32) * x)

    def inside(x: Any) -> Any:
        return np.sum(graphc.grad(lambda x: np.sum(graphc.tap("a", x) ** 2))(x))

    def in_two_loops(x: Any) -> Any:
        both = [graphc.scan(lambda c, r: (graphc.tap("a", c + r), None), x[0], x)[0] for _ in range(2)]
        return np.sum(both[0] + both[1])

    with pytest.raises(TraceError, match="two of the name 'a'"):
        graphc.with_taps(twice)(X)
    with pytest.raises(DTypeError, match="'a' is int32"):
        graphc.with_taps(integers)(X)
    with pytest.raises(TraceError, match="inside a custom_vjp, a gradient"):
        graphc.with_taps(inside)(X)
    with pytest.raises(TraceError, match="two of the name 'a'"):
        graphc.with_taps(in_two_loops)(X)


BRANCHES: dict[str, Any] = {
    "cond": lambda f, x: graphc.cond(x[0, 0] > 0, f, lambda x: x, x),
    "known cond": lambda f, x: graphc.cond(True, f, lambda x: x, x),
    "switch": lambda f, x: graphc.switch(x[0, 0].astype(np.int32), [lambda x: x, f], x),
    "while_loop": lambda f, x: graphc.while_loop(lambda x: x[0, 0] < 3, f, x, max_steps=2),
    "vmap": lambda f, x: graphc.vmap(f)(x),
}


@pytest.mark.parametrize("name", BRANCHES)
def test_what_may_not_be_computed_has_no_taps(name: str) -> None:
    run = BRANCHES[name]

    def tapped(x: Any) -> Any:
        return graphc.tap("a", x * 2)

    with pytest.raises(TraceError, match="'a' stands inside a custom_vjp, a gradient, a vmap, or a branch"):
        graphc.with_taps(lambda x: np.sum(run(tapped, x)))(X)
    graphc.trace(lambda x: run(tapped, x), X)  # with nobody who collects them they are nothing


def test_the_condition_of_a_loop_is_computed_at_each_turn() -> None:
    def total(x: Any) -> Any:
        return graphc.while_loop(lambda x: graphc.tap("x", x) < 5, lambda x: x * 2, x, max_steps=4)

    value, gradient, report = graphc.with_taps(total)(np.float32(2))
    assert float(value) == 8
    assert float(gradient) == 4
    np.testing.assert_array_equal(np.asarray(report["x"]["value"]["mean"]), [2, 4, 8, 8])


def test_a_run_of_batchnorm_mlp_reports_its_tanh_layers(tmp_path: Path) -> None:
    corpus = Corpus("test", "\n".join(["anna", "bert", "carla", "dan", "eva"] * 8))
    run = train.RunConfig("batchnorm_mlp", None, 4, 8, "sgd", 0.1, "constant", 0, {"hidden": 10}, evaluate_every=2)
    directory = RunDirectory(tmp_path)
    trained = train.train(run, corpus, directory)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert ["taps" in line for line in lines] == [False, True, False, True]
    first = lines[1]["taps"]["tanh0"]
    assert sum(first["value"]["histogram"]) == 8 * 10
    assert 0 < first["gradient"]["std"] < 1
    assert trained.taps[2] == lines[1]["taps"]
