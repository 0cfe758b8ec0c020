"""Every public function of graphc.nn refuses what it has no meaning for, by name, the same at once as in a trace."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn, random


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


X = normal(2, 4)
PROBABLE = np.full((2, 4), 0.5, np.float32)
LABELS = np.array([0, 3], np.int32)
SIDES = np.array([1.0, -1.0], np.float32)
HEADS = normal(1, 2, 4, 4)
SPACE = normal(1, 2, 5)
ROWS = np.full(4, 0.5, np.float32)
GRU = {"w_ih": normal(4, 9), "w_hh": normal(3, 9), "b_ih": normal(9), "b_hh": normal(9)}
LSTM = {"w_ih": normal(4, 12), "w_hh": normal(3, 12), "b_ih": normal(12), "b_hh": normal(12)}
MASKED = {"mask": np.array([[True, False, True, True]] * 2), "reduction": "mean"}
MASKED_ROWS = {"mask": np.array([True, True]), "reduction": "mean"}
LOSS = {"x": X, "target": PROBABLE, **MASKED}
CLASSES = {"labels": LABELS, **MASKED_ROWS, "ignore_index": None, "weight": ROWS}

RIGHT: dict[str, dict[str, Any]] = {
    "alibi": {"heads": 2, "queries": 3, "keys": 4},
    "alibi_slopes": {"heads": 2},
    "attention": {"q": HEADS, "k": HEADS, "v": HEADS, "causal": True, "scale": 0.5, "mask": np.ones((4, 4), np.bool_),
                  "alibi_slopes": ROWS[:2]},
    "avg_pool": {"x": SPACE, "window": 2, "stride": 1, "padding": 0},
    "batch_norm": {"x": X, "gain": ROWS, "bias": ROWS, "mean": ROWS, "var": ROWS, "train": True, "momentum": 0.1,
                   "eps": 1e-5, "axis": 1},
    "binary_cross_entropy": {"p": PROBABLE, "target": PROBABLE, **MASKED},
    "binary_cross_entropy_with_logits": {**LOSS, "pos_weight": ROWS},
    "cached_attention": {"q": HEADS, "k": HEADS, "v": HEADS, "cache": nn.kv_cache(1, 2, 4, 4), "scale": 0.5,
                         "alibi_slopes": ROWS[:2]},
    "causal_mask": {"queries": 3, "keys": 4},
    "conv": {"x": SPACE, "w": normal(2, 2, 3), "stride": 1, "padding": 0, "dilation": 1, "groups": 1},
    "conv_transpose": {"x": SPACE, "w": normal(2, 2, 3), "stride": 1, "padding": 0, "output_padding": 0, "dilation": 1,
                       "groups": 1},
    "cosine_embedding_loss": {"x1": X, "x2": PROBABLE, "target": SIDES, **MASKED_ROWS, "margin": 0.1},
    "cosine_similarity": {"a": X, "b": PROBABLE, "axis": -1, "eps": 1e-8},
    "cross_entropy": {"logits": X, **CLASSES, "label_smoothing": 0.1},
    "dropout": {"key": random.key(0), "x": X, "rate": 0.5},
    "embedding": {"table": X, "ids": LABELS % 2},
    "gaussian_nll_loss": {**LOSS, "var": PROBABLE, "full": True, "eps": 1e-6},
    "geglu": {"gate": X, "up": X, "axis": -1, "approximate": True},
    "gelu": {"x": X, "approximate": False},
    "group_norm": {"x": SPACE, "groups": 2, "gain": ROWS[:2], "bias": ROWS[:2], "eps": 1e-5},
    "gru": {"xs": normal(3, 2, 4), "h": normal(2, 3), **GRU, "mask": np.ones((3, 2), np.bool_), "reverse": True,
            "unroll": 1},
    "gru_cell": {"x": X, "h": normal(2, 3), **GRU},
    "hinge_embedding_loss": {**LOSS, "margin": 1.0},
    "huber_loss": {**LOSS, "delta": 1.0},
    "instance_norm": {"x": SPACE, "gain": ROWS[:2], "bias": ROWS[:2], "eps": 1e-5},
    "kl_div": {"logs": X, "target": PROBABLE, **MASKED, "log_target": False},
    "kv_cache": {"batch": 1, "heads": 2, "length": 4, "depth": 4, "value_depth": 4},
    "l1_loss": LOSS,
    "layer_norm": {"x": X, "gain": ROWS, "bias": ROWS, "eps": 1e-5},
    "linear": {"x": X, "weight": normal(4, 3), "bias": ROWS[:3]},
    "log_softmax": {"x": X, "axis": 1},
    "lstm": {"xs": normal(3, 2, 4), "state": (normal(2, 3), normal(2, 3)), **LSTM, "mask": np.ones((3, 2), np.bool_),
             "reverse": False, "unroll": 1},
    "lstm_cell": {"x": X, "state": (normal(2, 3), normal(2, 3)), **LSTM},
    "margin_ranking_loss": {"x1": X, "x2": PROBABLE, "target": 1.0, **MASKED, "margin": 0.1},
    "max_pool": {"x": SPACE, "window": 2, "stride": 1, "padding": 0},
    "mse_loss": LOSS,
    "nll_loss": {"logs": X, **CLASSES},
    "one_hot": {"ids": LABELS, "n": 4},
    "poisson_nll_loss": {**LOSS, "log_input": False, "full": True, "eps": 1.0},
    "relu": {"x": X},
    "rms_norm": {"x": X, "gain": ROWS, "eps": 1e-5},
    "rotary_embedding": {"x": X, "positions": LABELS, "base": 1e4, "dims": 4, "interleaved": True},
    "sigmoid": {"x": X},
    "silu": {"x": X},
    "smooth_l1_loss": {**LOSS, "beta": 1.0},
    "soft_margin_loss": LOSS,
    "softmax": {"x": X, "axis": 1},
    "softplus": {"x": X},
    "swiglu": {"gate": X, "up": X, "axis": 1},
    "triplet_margin_loss": {"anchor": X, "positive": PROBABLE, "negative": -X, **MASKED_ROWS, "margin": 1.0, "p": 2.0,
                            "eps": 1e-6, "swap": True},
}  # fmt: skip
"""A call of each function, with every argument that it has but dtypes."""


HELD = graphc.compile(lambda x: x.copy(), device="numpy")
"""An Array of what is given."""


def annotation(name: str, key: str) -> str:
    return str(inspect.signature(getattr(nn, name)).parameters[key].annotation)


def outcome(call: Callable[[], Any]) -> Any:
    """The leaves of a result, or the first line of an error of graphc; any other error, and a warning, goes on."""
    try:
        return [np.asarray(x) for x in graphc.tree.leaves(call())]
    except graphc.GraphcError as error:
        return str(error).splitlines()[0].replace("int64", "int32")


def test_each_function_has_a_right_call() -> None:
    assert sorted(RIGHT) == sorted(nn.__all__)
    for name, given in RIGHT.items():
        missing = inspect.signature(getattr(nn, name)).parameters.keys() - given.keys() - {"dtype"}
        assert not missing, name
        assert isinstance(outcome(lambda: getattr(nn, name)(**given)), list), name  # noqa: B023


@pytest.mark.parametrize("kind", ["int", "bool"])
@pytest.mark.parametrize(
    "name", [name for name in RIGHT if any(annotation(name, key) == "Array" for key in RIGHT[name])]
)
def test_integers_and_bools_are_refused_or_taken_right(name: str, kind: str) -> None:
    function = getattr(nn, name)
    for key, value in RIGHT[name].items():
        if not annotation(name, key).startswith("Array") or np.asarray(value).dtype.kind != "f" or not np.ndim(value):
            continue
        wrong = np.where(value > 0, 1, 2 if kind == "int" else 0).astype(kind)
        given = {**RIGHT[name], key: wrong}
        at_once = outcome(lambda: function(**given))  # noqa: B023
        held = outcome(lambda: function(**{**given, key: HELD(wrong)}))  # noqa: B023
        compiled = graphc.compile(lambda x: function(**{**given, key: x}), device="numpy")  # noqa: B023
        made = outcome(lambda: compiled(wrong))  # noqa: B023
        if isinstance(at_once, str):
            assert at_once == held == made, (key, at_once, held, made)
            assert at_once.startswith(f"{name}: ")
            assert "needs floats, as x.astype(np.float32) has them" in at_once
            continue
        floats = outcome(lambda: function(**{**given, key: wrong.astype(np.float32)}))  # noqa: B023
        for found in (at_once, held, made):
            assert not isinstance(found, str), (key, found)
            for a, b in zip(found, floats, strict=True):
                np.testing.assert_allclose(a.astype(np.float64), b, rtol=1e-4, atol=1e-5, err_msg=key)


@pytest.mark.parametrize("number", [True, 2])
@pytest.mark.parametrize("name", ["sigmoid", "silu"])
def test_numbers_of_python_are_refused_where_floats_are_needed(name: str, number: Any) -> None:
    with pytest.raises(graphc.DTypeError, match=rf"^{name}: x is (bool|int64): needs floats, as x.astype"):
        getattr(nn, name)(number)
    assert 0 < float(getattr(nn, name)(1.5)) < 1.5


SEVERAL = np.array([1.0, 1.0, 1.0])
WRONG: dict[str, tuple[Any, ...]] = {
    "Array": ("a", None, object(), [[1.0], [1.0, 2.0]], 1j),
    "bool": ("a", None, 1, 1.5, SEVERAL),
    "float": ("a", None, SEVERAL, [1.0]),
    "int": ("a", None, 1.5, SEVERAL),
    "str": ("a", None, 1, SEVERAL),
    "Setting": ("a", None, 1.5, SEVERAL),
    "Approximate": ("a", None, 1, 1.5, SEVERAL),
    "Cache": ("a", None, SEVERAL, {}),
    "LstmState": ("a", SEVERAL, ("a", "a")),
}


@pytest.mark.parametrize("name", RIGHT)
def test_settings_of_another_kind_are_refused(name: str) -> None:
    function = getattr(nn, name)
    for key in RIGHT[name]:
        written = annotation(name, key)
        for wrong in WRONG.get(written.removesuffix(" | None"), ("a", SEVERAL)):
            if wrong is None and written.endswith(" | None"):
                continue
            made = outcome(lambda: function(**{**RIGHT[name], key: wrong}))  # noqa: B023
            assert isinstance(made, str), (key, wrong, made)
            assert made.startswith((f"{name}: ", *ELSEWHERE.get(key, ()))), (key, wrong, made)


ELSEWHERE = {"heads": ("alibi_slopes: heads",), "unroll": ("scan: unroll",)}
"""Settings that are refused by the function that they are handed to."""

OUT_OF_RANGE: list[tuple[str, dict[str, Any], str]] = [
    ("mse_loss", {"mask": -1}, "the mask holds -1: needs bools, or weights of 0 or more"),
    ("nll_loss", {"mask": np.array([1.0, -0.5])}, "the mask holds -0.5"),
    ("binary_cross_entropy", {"target": 9}, "target is .*9.*: needs a number from 0 to 1"),
    ("binary_cross_entropy_with_logits", {"target": -1.0}, "target is .*: needs a number from 0 to 1"),
    ("gaussian_nll_loss", {"var": -1}, "var is -1: needs a number of 0 or more"),
    ("gaussian_nll_loss", {"eps": -1}, "eps is -1"),
    ("poisson_nll_loss", {"eps": -1}, "eps is -1: needs a number of 0 or more"),
    ("cosine_similarity", {"eps": -1}, "eps is -1: needs a number of 0 or more"),
    ("cosine_similarity", {"axis": 2}, "there is no axis 2"),
    ("cosine_similarity", {"a": X[:, :3]}, "a has shape"),
    *((name, {"eps": wrong}, f"eps is {wrong}: needs a number of 0 or more")
      for name in ("layer_norm", "rms_norm", "batch_norm", "group_norm", "instance_norm") for wrong in (-1, np.nan)),
    ("layer_norm", {"x": 1.5}, r"x is a number: need \[..., D\]"),
    ("layer_norm", {"gain": ROWS[:3]}, "gain has shape"),
    ("rms_norm", {"gain": ROWS[:3]}, "gain has shape"),
    ("batch_norm", {"mean": ROWS[:3]}, "mean has shape"),
    ("batch_norm", {"axis": 2}, "there is no axis 2"),
    ("softmax", {"axis": 9}, r"x has shape \(2, 4\): there is no axis 9"),
    ("log_softmax", {"axis": -3}, "there is no axis -3"),
    ("softmax", {"x": 1.5}, r"x has shape \(\): there is no axis 1"),
    ("attention", {"mask": np.ones((3, 4), np.bool_)}, "mask has shape"),
    ("causal_mask", {"queries": -1}, "queries and keys"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "given", "text"), OUT_OF_RANGE)
def test_settings_out_of_range_are_refused(name: str, given: dict[str, Any], text: str) -> None:
    def call() -> Any:
        return getattr(nn, name)(**{**RIGHT[name], **given})

    for run in (call, lambda: graphc.trace(lambda x: (call(), x), X)):
        with pytest.raises((graphc.ArgumentError, graphc.ShapeError), match=f"^{name}: .*{text}"):
            run()
