"""Methods, operators and functions of ndarray on Arrays give what NumPy gives: generated from ndarray's own names."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.ir.types import dtype_of
from tests.support.everyday import EXACT, SMOOTH
from tests.support.numpy_calls import CALLS, Call

DEVICES = ("wgpu", "numpy")
X = np.array([[1.5, -2.0, 0.25], [3.0, 4.0, -1.0]], np.float32)
I = np.array([[3, 1, 2], [0, 5, 4]], np.int32)  # noqa: E741
B = np.array([[True, False, True], [False, True, True]])

METHODS: dict[str, list[Callable[..., Any]]] = {
    "T": [lambda x: x.T],
    "mT": [lambda x: x[None].mT],
    "all": [lambda x: x.all(), lambda x: x.all(axis=1, keepdims=True)],
    "any": [lambda x: x.any(0)],
    "argmax": [lambda x: x.argmax(), lambda x: x.argmax(axis=1)],
    "argmin": [lambda x: x.argmin(0)],
    "argpartition": [lambda x: x.argpartition(0, axis=0)[0]],
    "argsort": [lambda x: x.argsort(), lambda x: x.argsort(axis=0, kind="stable")],
    "astype": [lambda x: x.astype(np.int32), lambda x: x.astype(bool), lambda x: x.astype("float32", copy=False)],
    "byteswap": [lambda x: x.byteswap().byteswap()],
    "choose": [lambda x: (x.astype(np.int32) % 2).choose([x, x + 1])],
    "clip": [lambda x: x.clip(0, 2), lambda x: x.clip(min=1)],
    "compress": [lambda x: x.compress([True, False], axis=0), lambda x: x.compress([False, True, True, False, True])],
    "conj": [lambda x: x.conj()],
    "conjugate": [lambda x: x.conjugate()],
    "copy": [lambda x: x.copy()],
    "cumprod": [lambda x: x.cumprod(1)],
    "cumsum": [lambda x: x.cumsum(), lambda x: x.cumsum(axis=0)],
    "diagonal": [lambda x: x.diagonal(), lambda x: x.diagonal(1)],
    "dot": [lambda x: x.dot(x.T)],
    "dtype": [lambda x: x.dtype.kind],
    "flat": [lambda x: [float(v) for v in x.flat]],
    "flatten": [lambda x: x.flatten(), lambda x: x.flatten("F")],
    "imag": [lambda x: x.imag],
    "item": [lambda x: x.item(1), lambda x: x.item((1, 2)), lambda x: x[0, 0].item()],
    "itemsize": [lambda x: x.astype(np.float32).itemsize],
    "max": [lambda x: x.max(), lambda x: x.max(axis=1, keepdims=True)],
    "mean": [lambda x: x.mean(), lambda x: x.mean(axis=(0, 1))],
    "min": [lambda x: x.min(0), lambda x: x.min(initial=-1)],
    "nbytes": [lambda x: x.nbytes],
    "ndim": [lambda x: x.ndim],
    "nonzero": [lambda x: x.nonzero()],
    "prod": [lambda x: x.prod(), lambda x: x.prod(axis=1)],
    "ravel": [lambda x: x.ravel(), lambda x: x.ravel(order="F")],
    "real": [lambda x: x.real],
    "repeat": [lambda x: x.repeat(2, axis=1), lambda x: x.repeat([1, 0, 2], axis=1)],
    "reshape": [lambda x: x.reshape(3, 2), lambda x: x.reshape((-1,)), lambda x: x.reshape(2, -1, order="F")],
    "round": [lambda x: x.round(), lambda x: x.round(1)],
    "searchsorted": [
        lambda x: (x[0] * 0 + np.arange(3, dtype=np.float32)).searchsorted(np.array([0.5, 1], np.float32))
    ],
    "shape": [lambda x: x.shape],
    "size": [lambda x: x.size],
    "squeeze": [lambda x: x[None].squeeze(), lambda x: x[:, :1].squeeze(axis=1)],
    "std": [lambda x: x.std(), lambda x: x.std(axis=1, ddof=1)],
    "strides": [lambda x: x.strides],
    "sum": [lambda x: x.sum(), lambda x: x.sum(axis=-1), lambda x: x.sum(where=x > 0, initial=2)],
    "swapaxes": [lambda x: x.swapaxes(0, 1)],
    "take": [lambda x: x.take([2, 0], axis=1), lambda x: x.take(4)],
    "tobytes": [lambda x: x.astype(np.float32).tobytes()],
    "tolist": [lambda x: x.tolist()],
    "trace": [lambda x: x.trace()],
    "transpose": [lambda x: x.transpose(), lambda x: x.transpose(1, 0), lambda x: x.transpose((0, 1))],
    "var": [lambda x: x.var(), lambda x: x.var(axis=0, keepdims=True)],
    "view": [lambda x: x.astype(np.float32).view(np.int32)],
}
"""Each name of ndarray that an Array has, in calls of it."""

ELSEWHERE = {
    "device": "the Device, where ndarray has 'cpu'",
    "to_device": "takes a Device",
    "tofile": "writes a file: test_files",
    **dict.fromkeys(("fill", "partition", "put", "resize", "sort"), "changes the array: test_what_changes"),
    **dict.fromkeys(("base", "ctypes", "data", "flags"), "memory of the host: np.asarray(x) has one"),
    **dict.fromkeys(("dump", "dumps", "getfield", "setfield", "setflags"), "pickles and records: np.asarray(x) has it"),
}

_ARITHMETIC = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "eq", "ne", "lt", "le", "gt", "ge", "matmul")
OPERATORS: list[Callable[..., Any]] = [
    *(getattr(operator, name) for name in _ARITHMETIC),
    divmod,
    lambda a, b: operator.and_(a > 1, b),
    lambda a, b: operator.xor(a > 1, b > 0),
    lambda a, b: operator.or_(a > 1, b > 0),
    lambda a, b: (a.astype(np.int32) << 2) >> 1 | ~a.astype(np.int32),
    lambda a, b: (-a, +a, abs(a)),
]

KEYS: list[Any] = [
    0, -1, (1, 2), (0, -3), slice(1, None), (slice(None), slice(None, None, -1)), None, Ellipsis, (..., 1), (0, ...),
    (None, 1, slice(0, 2)), [1, 0, 1], (slice(None), [2, 0]), ([0, 1], [2, 0]), np.array([[0], [1]]), B, (1, B[0]),
    np.int64(1), (slice(None), None, np.int32(-1)), (), True, X > 0,
]  # fmt: skip


@pytest.fixture(params=DEVICES)
def name(request: Any) -> Any:
    return request.param


def same(made: Any, want: Any, device: str, what: str = "") -> None:
    """A result on a device is an Array there, with NumPy's shape, type and numbers."""
    if isinstance(want, tuple | list) and not all(isinstance(w, int | float) for w in want):
        assert type(made) is type(want) or type(made) is tuple, what
        assert len(made) == len(want), what
        for m, w in zip(made, want, strict=True):
            same(m, w, device, what)
        return
    if not isinstance(want, np.ndarray | np.generic):
        assert made == want, what
        return
    assert isinstance(made, graphc.Array), (what, type(made))
    assert made.device is graphc.device(device), what
    assert (made.shape, made.dtype) == (want.shape, dtype_of(want.dtype).numpy), what
    np.testing.assert_allclose(np.asarray(made), np.asarray(want), rtol=3e-6, atol=2e-6, err_msg=what)


def test_every_name_of_ndarray_is_here() -> None:
    assert {n for n in dir(np.ndarray) if n[0] != "_"} <= {*METHODS, *ELSEWHERE}
    missing = [n for n in METHODS if not hasattr(graphc.asarray(X, "numpy"), n)]
    assert not missing


@pytest.mark.parametrize("kind", ["float32", "int32", "bool"])
def test_methods_give_numpys_results(name: str, kind: str) -> None:
    host = {"float32": X, "int32": I, "bool": B}[kind]
    x = graphc.asarray(host, name)
    refused = set()
    for method, calls in METHODS.items():
        if method == "round" and kind == "bool":
            continue  # NumPy gives half precision for it, or raises
        for at, call in enumerate(calls):
            try:
                with np.errstate(all="ignore"):
                    want = call(host)
            except TypeError:  # NumPy has no such method for truth
                with pytest.raises(graphc.GraphcError):
                    call(x)
                refused.add(method)
                continue
            same(call(x), want, name, f"{method} {at} of {kind}")
    assert refused <= ({"clip"} if kind == "bool" else set())


@pytest.mark.parametrize("at", range(len(OPERATORS)))
def test_operators_give_numpys_results(name: str, at: int) -> None:
    operate, x = OPERATORS[at], graphc.asarray(X, name)
    matrix = operate is operator.matmul
    others: list[Any] = [X.T] if matrix else [X, 2, 0.5, X[0], np.float32(3), np.int32(2)]
    for other in others:
        on_device = graphc.asarray(other, name) if isinstance(other, np.ndarray) else other
        with np.errstate(all="ignore"):
            try:
                want = operate(X, other)
            except TypeError:
                with pytest.raises(graphc.GraphcError):
                    operate(x, other)
                continue
            same(operate(x, other), want, name)
            same(operate(x, on_device), want, name)
            if at < len(OPERATORS) - 5:
                same(operate(other, x), operate(other, X), name)


@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_indexing_gives_numpys_results(name: str, key: Any) -> None:
    x = graphc.asarray(X, name)
    same(x[key], X[key], name)
    items = key if isinstance(key, tuple) else (key,)
    moved = tuple(graphc.asarray(k, name) if isinstance(k, np.ndarray | list) and len(k) else k for k in items)
    same(x[moved if isinstance(key, tuple) else moved[0]], X[key], name)


@pytest.mark.parametrize("key", [2, -3, (0, 3), (0, 0, 0), [0, 2], (slice(None), [-4])], ids=repr)
def test_an_index_out_of_range_raises_as_in_numpy(name: str, key: Any) -> None:
    with pytest.raises(graphc.IndexRangeError):
        graphc.asarray(X, name)[key]
    with pytest.raises(IndexError):
        X[key]


EVERYDAY: dict[str, Any] = {**SMOOTH, **EXACT}
CALLED = [c for c in CALLS if not c.text.startswith(("np.add.at", "np.put_along_axis"))]
TO_HOST = ("np.array(", "np.asarray(", "np.vectorize(")
"""Calls that ask for an ndarray, and what is no function of NumPy's that knows of Arrays."""


def check_call(call: Call, device: str) -> None:
    with np.errstate(all="ignore"):
        want = call.function(*call.arguments)
        made = call.function(*(graphc.asarray(x, device) for x in call.arguments))
    if call.section == "Complex numbers":  # what is complex on the way is an ndarray of the host
        np.testing.assert_allclose(np.asarray(made), want, rtol=1e-4, atol=1e-5, err_msg=call.text)
    elif not (isinstance(made, np.ndarray) and made.dtype.kind == "c"):
        close(made, want, device, call.text)


def close(made: Any, want: Any, device: str, what: str) -> None:
    """As `same`, as near as decompositions are, which have signs of their own."""
    if isinstance(want, tuple | list):
        for m, w in zip(made, want, strict=True):
            close(m, w, device, what)
        return
    if isinstance(want, np.ndarray) and not what.startswith(TO_HOST):
        assert isinstance(made, graphc.Array), (what, type(made))
        assert made.device is graphc.device(device), what
    np.testing.assert_allclose(made, want, rtol=1e-4, atol=1e-5, err_msg=what)


@pytest.mark.parametrize("part", range(6))
def test_numpys_functions_work_on_arrays(part: int) -> None:
    for call in CALLED[part::6]:
        check_call(call, "numpy")


@pytest.mark.parametrize("part", range(6))
def test_everyday_numpy_works_on_arrays(part: int) -> None:
    for what in list(EVERYDAY)[part::6]:
        function, arguments = EVERYDAY[what]
        with np.errstate(all="ignore"):
            want = function(*arguments)
            made = function(*(graphc.asarray(x, "numpy") for x in arguments))
        found, expected = graphc.tree.leaves(made), graphc.tree.leaves(want)
        assert len(found) == len(expected), what
        for one, other in zip(found, expected, strict=True):
            assert isinstance(one, graphc.Array) or what == "round", what  # Python's round gives numbers of Python
            assert np.shape(one) == np.shape(other), what
            np.testing.assert_allclose(
                np.asarray(one, np.float64), np.asarray(other, np.float64), rtol=2e-5, atol=2e-5, err_msg=what
            )


def test_transforms_run_where_their_arrays_are(name: str) -> None:
    x = graphc.asarray(X, name)
    for made in (
        graphc.grad(lambda x: (x**2).sum())(x),
        graphc.grad(lambda p: (p["x"][0] ** 2).sum())({"x": [x]})["x"][0],
        graphc.scan(lambda c, row: (c + row, c), x[0], x)[0],
        graphc.nn.gelu(x),
        x.at[0].add(1),
    ):
        assert made.device is graphc.device(name)


def test_numpys_functions_work_on_a_gpu() -> None:
    for call in CALLED[::12]:
        check_call(call, "wgpu")


def test_numbers_that_do_not_fit_are_refused_as_in_numpy(name: str) -> None:
    x = graphc.asarray(np.array([1, 2], np.uint32), name)
    same(x + 2**31, np.array([1, 2], np.uint32) + 2**31, name)
    for number in (-1, 2**32):
        with pytest.raises(OverflowError):
            _ = x + number
    same(graphc.asarray(I, name) - (-(2**30)), I - (-(2**30)), name)


def test_arrays_that_are_gone_say_so(name: str) -> None:
    x = graphc.asarray(X, name)
    graphc.compile(lambda x: x + 1, device=name, donate=0)(x)
    for use in (lambda: x + 1, lambda: x.sum(), lambda: x[0], lambda: np.unique(x), lambda: x.T):
        with pytest.raises(graphc.DeviceError, match="donated"):
            use()


def test_programs_are_kept(name: str, caplog: Any) -> None:
    x = graphc.asarray(X, name)
    caplog.set_level("DEBUG", "graphc")
    for k in range(4):
        _ = (x + (0.123 + k)).sum(axis=0)[k % 3]
    assert sum("tracing" in record.message for record in caplog.records) <= 3


def test_what_changes_an_array_says_what_to_write(name: str) -> None:
    x: Any = graphc.asarray(X, name)
    for call in (
        lambda: x.sort(),
        lambda: x.fill(0),
        lambda: x.put([0], 1),
        lambda: x.partition(1),
        lambda: x.resize(6),
        lambda: np.copyto(x, 1),
        lambda: np.put_along_axis(x, I % 2, 0, 1),
        lambda: np.add.at(x, [0], 1),
        lambda: x.sum(out=x),
    ):
        with pytest.raises(graphc.ImmutableError, match="never changes: "):
            call()
    host = np.zeros((2, 3), np.float32)
    np.copyto(host, x)
    np.add(x, 1, out=host)
    np.testing.assert_array_equal(host, X + 1)
    np.testing.assert_array_equal(x, X)


def test_files(name: str, tmp_path: Any) -> None:
    x = graphc.asarray(X, name)
    np.save(tmp_path / "x.npy", x)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), X)
    x.tofile(tmp_path / "x.bin")
    np.testing.assert_array_equal(np.fromfile(tmp_path / "x.bin", np.float32), X.ravel())


def test_types_alone_wait_for_nothing(name: str) -> None:
    x: Any = graphc.asarray(X, name)
    assert (np.shape(x), np.ndim(x), np.size(x)) == ((2, 3), 2, 6)
    assert np.result_type(x, 1) == np.float32
    assert not np.iscomplexobj(x)


def test_arrays_work_inside_of_a_trace(name: str) -> None:
    """What a function computes of an Array that it closes over is a constant."""
    x = graphc.asarray(X, name)
    made = graphc.compile(lambda y: y * x[0] + (x.sum() if x.max() > 2 else 0), device=name)(X)
    np.testing.assert_allclose(made, X * X[0] + X.sum(), rtol=1e-6)


def test_a_function_of_numpy_code_works_on_trained_parameters(name: str) -> None:
    def apply(params: Any, x: Any) -> Any:
        h = np.maximum(x @ params["w"].T + params["b"], 0)
        h -= h.mean(axis=-1, keepdims=True)
        return graphc.nn.softmax(h / np.sqrt(h.var() + 1e-5)).reshape(-1)[::2]

    params = {"w": X, "b": np.array([0.5, -0.25], np.float32)}
    there = {k: graphc.asarray(v, name) for k, v in params.items()}
    same(apply(there, X), apply(params, X), name)
    moved = there["w"].to_device("numpy")
    assert moved.device is graphc.device("numpy")


@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (2,)], ids=str)
def test_ndarrays_are_indexed_by_arrays_as_by_ndarrays(shape: tuple[int, ...]) -> None:
    """One of a single element has a shape: it picks a row, and does not stand for a number."""
    x, ids = np.arange(6.0).reshape(3, 2), np.ones(shape, np.int32)
    index: Any = graphc.asarray(ids, device="numpy")
    found = x[index]
    assert np.shape(found) == x[ids].shape
    np.testing.assert_array_equal(np.asarray(found), x[ids])
