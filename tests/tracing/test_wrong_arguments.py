"""What is no argument of a function of graphc is refused by that function, in a trace with the user's line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn, optim, random

X = np.arange(12, dtype=np.float32).reshape(3, 4)
KEY = random.key(0)
THREE: Any = 3
LOGITS, LABELS = np.zeros((3, 5), np.float32), np.array([0, 1, 4], np.int32)

WRONG: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "embedding": ("embedding: the table is a number", lambda x: nn.embedding(x[0, 0], LABELS)),
    "ignore_index": ("cross_entropy: ignore_index is 1.5", lambda x: nn.cross_entropy(LOGITS + x[0, 0], LABELS,
                                                                                      ignore_index=1.5 * THREE / 3)),
    "ignore_index of logs": ("nll_loss: ignore_index is True",
                             lambda x: nn.nll_loss(LOGITS + x[0, 0], LABELS, ignore_index=True)),
    "bernoulli": ("bernoulli: p is 7", lambda x: random.bernoulli(KEY, 7.0) & (x > 0)),
    "bernoulli of NaN": ("bernoulli: p is", lambda x: random.bernoulli(KEY, np.array([0.5, np.nan]))),
    "bernoulli of text": ("bernoulli: p is 'half'", lambda x: random.bernoulli(KEY, "half")),
    "normal": ("normal: std is -1", lambda x: random.normal(KEY, (2,), std=-1) + x[0, 0]),
    "key": ("seed of random numbers is 18446744073709551616", lambda x: random.key(2**64)),
    "scan": ("scan: step is 3", lambda x: graphc.scan(THREE, x[0], x)),
    "cond": ("cond: false_fn is 3", lambda x: graphc.cond(x[0, 0] > 0, lambda: x, THREE)),
    "cond of text": ("cond: pred must be a number", lambda x: graphc.cond("yes", lambda: x, lambda: x)),
    "switch": (r"switch: branches\[1\] is 3", lambda x: graphc.switch(0, [lambda: x, THREE])),
    "switch of one": (r"switch: branches\[0\] is 3", lambda x: graphc.switch(0, THREE)),
    "while_loop": ("while_loop: cond_fn is 3", lambda x: graphc.while_loop(THREE, lambda s: s, x, max_steps=2)),
    "while_loop of text": ("cond_fn.state. must be a number",
                           lambda x: graphc.while_loop(lambda s: "yes", lambda s: s, x, max_steps=2)),
    "fori_loop": ("fori_loop: body_fn is 3", lambda x: graphc.fori_loop(0, 2, THREE, x)),
    "fori_loop of text": ("fori_loop: upper must be a number", lambda x: graphc.fori_loop(0, "2", lambda i, s: s, x)),
    "chain": ("chain: the state is a dict",
              lambda x: optim.chain(optim.clip_by_global_norm(1.0), optim.sgd(0.1)).update(x, {}, x)),
}  # fmt: skip


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("name", WRONG)
def test_it_is_refused(name: str, traced: bool) -> None:
    text, call = WRONG[name]
    with pytest.raises(graphc.GraphcError, match=text) as caught:
        graphc.trace(call, X) if traced else call(X)
    assert not traced or "\n  at  test_wrong_arguments.py" in str(caught.value)


def test_a_loop_at_once_ends_where_its_condition_is_no_number() -> None:
    for wrong in ("yes", None, object(), ["a"]):
        with pytest.raises((graphc.DTypeError, graphc.ShapeError), match=r"cond_fn\(state\)"):
            graphc.while_loop(lambda s: wrong, lambda s: s + 1, X)  # noqa: B023


TRANSFORMS: dict[str, Callable[[], Any]] = {
    "grad": lambda: graphc.grad(THREE),
    "value_and_grad": lambda: graphc.value_and_grad(THREE),
    "with_taps": lambda: graphc.with_taps(THREE),
    "checkpoint": lambda: graphc.checkpoint(THREE),
    "custom_vjp": lambda: graphc.custom_vjp(np.sin, np.sin, THREE),
    "vmap": lambda: graphc.vmap(THREE),
    "jacfwd": lambda: graphc.jacfwd(THREE),
    "jacrev": lambda: graphc.jacrev(THREE),
    "hessian": lambda: graphc.hessian(THREE),
    "jvp": lambda: graphc.jvp(THREE, (X,), (X,)),
    "vjp": lambda: graphc.vjp(THREE, X),
    "linearize": lambda: graphc.linearize(THREE, X),
    "trace": lambda: graphc.trace(THREE, X),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_transform_is_of_a_function(name: str) -> None:
    with pytest.raises(graphc.TraceError, match=rf"{name}: \w+ is 3: needs a function"):
        TRANSFORMS[name]()


OPTIMIZERS: dict[str, Callable[[], optim.Optimizer]] = {
    "sgd": lambda: optim.sgd(0.1),
    "momentum": lambda: optim.momentum(0.1),
    "adam": lambda: optim.adam(0.1),
    "adamw": lambda: optim.adamw(0.1),
    "lion": lambda: optim.lion(0.1),
    "lars": lambda: optim.lars(0.1),
    "adafactor": lambda: optim.adafactor(0.1),
    "muon": lambda: optim.muon(0.1),
    "ema": lambda: optim.ema(optim.sgd(0.1)),
    "lookahead": lambda: optim.lookahead(optim.sgd(0.1)),
    "accumulate": lambda: optim.accumulate(optim.sgd(0.1), 2),
    "chain": lambda: optim.chain(optim.clip_by_global_norm(1.0), optim.adam(0.1)),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_update_looks_at_what_it_is_given(name: str) -> None:
    optimizer = OPTIMIZERS[name]()
    params = {"w": X, "b": X[0]}
    state = optimizer.init(params)
    for grads, wrong, text in (
        ({"w": X}, state, "the gradients are"),
        (None, state, "the gradients are"),
        ({"w": X, "b": X[1:, 0]}, state, r'gradient\["b"\] has shape \(2,\), and its parameter \(4,\)'),
        ({"w": X, "b": 1.0}, state, r'gradient\["b"\] is a float: needs an array'),
        (params, None, "the state is"),
        (params, {}, "the state is"),
        (params, params, "the state is"),
    ):
        with pytest.raises((graphc.ArgumentError, graphc.ShapeError), match=text):
            optimizer.update(grads, wrong, params)
        with pytest.raises((graphc.ArgumentError, graphc.ShapeError), match=text) as caught:
            graphc.trace(lambda p, g=grads, s=wrong: optimizer.update(g, s, p), params)
        assert "\n  at  test_wrong_arguments.py" in str(caught.value)
    optimizer.update(params, state, params)


def test_steps_of_what_is_no_state() -> None:
    for wrong in (3, (), {"m": 1}, [None]):
        with pytest.raises(graphc.ArgumentError, match="no state of an optimizer"):
            optim.steps_done(wrong)


@pytest.mark.parametrize("dtype", ["hello", str, "U4", object, complex, np.datetime64, "M8[s]", 3])
def test_a_spec_has_an_element_type(dtype: Any) -> None:
    for make in (graphc.Spec, graphc.spec):
        with pytest.raises(graphc.DTypeError):
            make((2,), dtype)


def test_a_spec_has_a_shape() -> None:
    shapes: list[Any] = [(2.5,), "ab", (-1,), None]
    for make in (graphc.Spec, graphc.spec):
        for wrong in shapes:
            with pytest.raises(graphc.ShapeError):
                make(wrong, "float32")


def test_an_export_is_of_a_program() -> None:
    from graphc import onnx

    programs: list[Any] = [3, None, "graph.onnx", lambda x: x, graphc.compile(lambda x: x)]
    for wrong in programs:
        with pytest.raises(graphc.TraceError, match="is no program: give"):
            onnx.export(wrong)
