"""What cannot be traced raises an error of the right type that names the user's line and says what to write instead."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy import array

import graphc
from tests.support.operands import B, K, X

HERE = "test_trace_errors.py"


def refused(error: type[Exception], text: str, fn: Callable[..., Any], *args: Any) -> str:
    """The message of the error that tracing `fn` raises; it names a line within `fn`."""
    with pytest.raises(error, match=text) as caught:
        graphc.trace(fn, *args)
    message = str(caught.value)
    assert isinstance(caught.value, graphc.GraphcError)
    found = re.search(rf"\n  at  {re.escape(HERE)}:(\d+)", message)
    assert found, message
    lines, first = inspect.getsourcelines(fn)
    assert first <= int(found[1]) < first + len(lines), message
    return message


def branch(x: Any) -> Any:
    y = x * 2
    if np.sum(y) > 0:
        return y
    return x


def loop(x: Any) -> Any:
    while x[0, 0] < 3:
        x = x + 1
    return x


def assign(x: Any) -> Any:
    y = x + 1
    y[0] = 0.0
    return y


def update(x: Any) -> Any:
    out = np.zeros((3, 4), np.float32)
    out += x
    return out


def grow(x: Any) -> Any:
    h = x
    h += 1
    h *= 2
    h @= np.eye(4, dtype=np.float32)
    return h


def test_a_local_name_is_bound_again() -> None:
    assert [node.op.name for node in graphc.trace(grow, X).nodes] == ["add", "mul", "matmul"]


CONVERSIONS: list[tuple[str, Callable[..., Any]]] = [
    ("np.where", branch),
    ("np.where", loop),
    ("np.where", lambda x: x[0, 0] > 0 and x[0, 0] < 1),
    ("np.where", lambda x: not x[0, 0]),
    ("np.where", lambda x: bool(x[0, 0])),
    ("np.where", lambda x: max(x[0, 0], x[0, 1])),
    ("astype", lambda x: float(x[0, 0])),
    ("astype", lambda x: int(x[0, 0])),
    ("static", lambda x: range(x[0, 0])),
    ("static", lambda x: np.eye(x[0, 0].astype(np.int32))),
    ("np.stack", lambda x: array(x)),
    ("np.stack", lambda x: array([x[0, 0], x[0, 1]])),
    ("np.stack", lambda x: np.float32(x[0, 0])),
    ("return it", lambda x: x.item()),
    ("return it", lambda x: x.tolist()),
    ("complex", lambda x: complex(x[0, 0])),
]


@pytest.mark.parametrize("case", range(len(CONVERSIONS)))
def test_conversions_to_numbers(case: int) -> None:
    text, fn = CONVERSIONS[case]
    refused(graphc.TraceError, text, fn, X)


CHANGES: list[tuple[str, Callable[..., Any]]] = [
    (r"np\.where\(mask, new, x\)", assign),
    ("out=", update),
    ("out=", lambda x: np.add(x, 1, out=np.zeros((3, 4)))),
    ("out=", lambda x: np.sum(x, axis=0, out=np.zeros(4))),
    ("where=", lambda x: np.add(x, 1, where=x > 0)),
    ("full_like", lambda x: x.fill(0)),
    ("np.where", lambda x: np.copyto(np.zeros((3, 4)), x)),
    ("graphc.put_along_axis", lambda x: np.put_along_axis(x, np.array([[0]]), 1, 0)),
]


@pytest.mark.parametrize("case", range(len(CHANGES)))
def test_changes_in_place(case: int) -> None:
    text, fn = CHANGES[case]
    refused(graphc.TraceError, text, fn, X)


NONSENSE: Any = "nonsense"

UNTRACEABLE: list[tuple[str, Callable[..., Any]]] = [
    (r"np\.where\(mask", lambda x: x[x > 0]),
    ("mask of no axes", lambda x: x[True]),
    ("np.stack", lambda x: np.zeros(4).__setitem__(0, x[0, 0])),
    ("np.stack", lambda x: np.zeros((2, 4)).__setitem__(0, x[0])),
    (r"got 'Tracer\(i32\[\]\)': .*static", lambda x: np.zeros(x[0, 0].astype(int))),
    ("not callable", lambda x: x(1)),
    ("np.sqrt", lambda x: math.gamma(x[0, 0])),
    ("call it", lambda x: np.vectorize(np.sum)(x)),
    ("key", lambda x: {x: 1}),
    (r"np\.where\(mask", lambda x: np.where(x > 0)),
    ("mask the elements with np.where", lambda x: np.nonzero(x)),
    ("np.where", lambda x: x.nonzero()),
    ("astype", lambda x: x[x]),
    ("static", lambda x: x[: x[0, 0].astype(int)]),
    ("moving window of known length", lambda x: x[x[0, 0].astype(int) : x[0, 1].astype(int)]),
    ("graphc.unique", lambda x: np.unique(x)),
    ("in place|cannot be changed", lambda x: x.sort()),
    ("np.i0 cannot be traced", lambda x: np.i0(x)),
    ("minlength=n", lambda x: np.bincount(x[0].astype(int))),
    ("method 'hazen'", lambda x: np.quantile(x, 0.5, method="hazen")),
    ("np.subtract.accumulate", lambda x: np.subtract.accumulate(x)),
    ("np.frexp cannot", lambda x: np.frexp(x)),
    ("would depend on values", lambda x: np.compress(x[0] > 0, x, axis=1)),
    ("bins='auto'", lambda x: np.histogram(x, bins="auto")),
    ("np.linalg.eig cannot.*eigvalsh", lambda x: np.linalg.eig(x[:3, :3])),
    (r"dtype=uint8: .*\.astype\(np\.uint8\)", lambda x: np.sum(x.astype(int), dtype=np.uint8)),
    (r"dtype=int16: .*32 bits", lambda x: np.add(x, 1, dtype=np.int16)),
    ("np.add.at", lambda x: np.add.at(x, 0, 1)),
    ("mode 'nonsense'", lambda x: np.pad(x, 1, mode=NONSENSE)),
    ("no matrix norm 3", lambda x: np.linalg.norm(x, 3)),
    ("axis= is traced", lambda x: np.sum(x, axis=x[0, 0].astype(int))),
    ("shape is traced", lambda x: np.reshape(x, (x[0, 0].astype(int), -1))),
    ("no array or number", lambda x: x + "a"),
    ("complex.*np.imag", lambda x: np.sqrt(x * 1j)),
    ("complex.*np.imag", lambda x: np.sort(np.fft.fft(x[0]))),
    ("no array or number", lambda x: x == None),  # noqa: E711
]


@pytest.mark.parametrize("case", range(len(UNTRACEABLE)))
def test_untraceable_code(case: int) -> None:
    text, fn = UNTRACEABLE[case]
    refused(graphc.TraceError, text, fn, X)


SHAPES: list[tuple[str, Callable[..., Any]]] = [
    (r"matmul: a is f32\[3,4\], b is f32\[3,4\]: need .*\n  in  %1 = matmul\(%x, %x\)", lambda x: x @ x),
    (r"need a.shape\[-1\] == b.shape\[0\], got 4 and 3", lambda x: x @ np.ones(3, np.float32)),
    (r"add: a is f32\[3,4\], b is f32\[3\].*do not broadcast", lambda x: x + x[:, 0]),
    (r"sum: axis 2 is out of range for 2 axes", lambda x: np.sum(x, axis=2)),
    (r"sum: axis .* twice", lambda x: np.sum(x, axis=(0, -2))),
    (r"12 elements, which do not fill shape \(5, -1\)", lambda x: x.reshape(5, -1)),
    (r"reshape: .*do not fill", lambda x: np.reshape(x, (3, 5))),
    (r"transpose: axes", lambda x: x.transpose(0, 0)),
    (r"squeeze: axis 0 of f32\[3,4\] has length 3", lambda x: x.squeeze(0)),
    (r"concatenate", lambda x: np.concatenate([x, x[:, 1:]])),
    (r"stack: all arrays need one shape", lambda x: np.stack([x, x[0]])),
    (r"split: axis 1 of f32\[3,4\] does not divide into 3", lambda x: np.split(x, 3, axis=1)),
    (r"broadcast_to", lambda x: np.broadcast_to(x, (2, 4))),
    (r"max: .*no elements", lambda x: np.max(x[:0])),
    (r"argmax: .*no elements", lambda x: np.argmax(x[:0])),
    (r"einsum: label 'j' has length 4 and 3", lambda x: np.einsum("ij,jk->ik", x, x)),
    (r"einsum: the output names 'z'", lambda x: np.einsum("ij->iz", x)),
    (r"einsum: subscripts name 3 axes", lambda x: np.einsum("ijk->i", x)),
    (r"tensordot: .*need a.shape\[1\] == b.shape\[0\], got 4 and 3", lambda x: np.tensordot(x, x, 1)),
    (r"pad: pad_width", lambda x: np.pad(x, ((1, 1), (2, 2), (3, 3)))),
    (r"where: ", lambda x: np.where(x[0, :3] > 0, x, 0)),
    (r"max: where= may leave nothing", lambda x: np.max(x, where=x > 0)),
    (r"partition: kth is 4", lambda x: np.partition(x, 4)),
    (r"searchsorted: the sorted array is f32\[3,4\]", lambda x: np.searchsorted(x, 1.0)),
    (r"gradient: axis 0 of f32\[1,4\] has 1 elements", lambda x: np.gradient(x[:1])),
    (r"interp: xp is", lambda x: np.interp(x, x[0], x[1, :3])),
    (r"block: the lists are nested", lambda x: np.block([x, [x]])),
    (r"digitize: bins must grow or fall", lambda x: np.digitize(x, [0, 2, 1])),
    (r"quantile: quantiles must lie", lambda x: np.quantile(x, 1.5)),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(SHAPES)))
def test_shapes_that_do_not_fit(case: int) -> None:
    text, fn = SHAPES[case]
    refused(graphc.ShapeError, text, fn, X)


TYPES: list[tuple[str, Callable[..., Any], Any]] = [
    ("no subtract for bool and bool", lambda b: b - b, B),
    ("no negative for bool", lambda b: -b, B),
    ("no bitwise_and for float32", lambda x: x & 1, X),
    ("no left_shift", lambda x: x << 1, X),
    ("4294967296 does not fit int32", lambda k: k + 2**32, K),
    ("-1 does not fit uint32", lambda k: k * -1, K.astype(np.uint32)),
    ("does not fit int32", lambda k: k + np.array([2**40]), K),
    ("complex", lambda x: x.astype(complex), X),
    ("negative integer powers", lambda k: k**-1, K),
]


@pytest.mark.parametrize("case", range(len(TYPES)))
def test_element_types_that_do_not_fit(case: int) -> None:
    text, fn, arg = TYPES[case]
    refused(graphc.DTypeError, text, fn, arg)


def test_arguments_that_are_no_arrays() -> None:
    with pytest.raises(graphc.TraceError, match=r'argument p\["mode"\] is a str, .*static'):
        graphc.trace(lambda p: p["x"], {"x": X, "mode": "train"})
    with pytest.raises(graphc.DTypeError, match="argument n: 1099511627776 does not fit int32"):
        graphc.trace(lambda n: n, 2**40)
    with pytest.raises(graphc.DTypeError, match=r"argument ids\[0\]: .* does not fit int32"):
        graphc.trace(lambda ids: ids[0], [np.array([2**40])])
    with pytest.raises(graphc.DTypeError, match="complex128"):
        graphc.trace(lambda z: z, np.ones(3, complex))


def test_results_that_are_no_arrays() -> None:
    with pytest.raises(graphc.TraceError, match=rf'result\["mode"\]: a str is no array.*\n  at  {HERE}'):
        graphc.trace(lambda x: {"y": x, "mode": "text"}, X)
    with pytest.raises(graphc.TraceError, match=r"result\[1\]: a function"):
        graphc.trace(lambda x: (x, lambda: x), X)


def test_a_leaked_tracer_names_where_it_was_made() -> None:
    kept: list[Any] = []

    def leaky(x: Any) -> Any:
        y = np.exp(x)
        kept.append(y)
        return y

    graphc.trace(leaky, X)
    line = inspect.getsourcelines(leaky)[1] + 1
    with pytest.raises(
        graphc.TraceError, match=rf"f32\[3,4\]\), made at {HERE}:{line},.*after its trace ended.*return it"
    ):
        kept[0] + 1
    for use in (np.sum, float, np.asarray, lambda t: t[0], lambda t: graphc.trace(lambda x: x + t, X)):
        with pytest.raises(graphc.TraceError, match="after its trace ended"):
            use(kept[0])


def test_a_tracer_of_a_trace_that_failed_is_leaked_too() -> None:
    kept: list[Any] = []

    def failing(x: Any) -> Any:
        kept.append(x)
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError):
        graphc.trace(failing, X)
    with pytest.raises(graphc.TraceError, match="after its trace ended"):
        kept[0] * 2
    assert len(graphc.trace(lambda x: x * 2, X).nodes) == 1


def test_the_text_of_a_shape_error() -> None:
    def mlp(params: Any, x: Any) -> Any:
        h = np.tanh(x @ params["w1"])
        return h @ params["w2"] + params["b2"]

    params = {"w1": np.ones((16, 128)), "w2": np.ones((64, 10)), "b2": np.ones(10)}
    with pytest.raises(graphc.ShapeError) as caught:
        graphc.trace(mlp, params, np.ones((32, 16)))
    line = inspect.getsourcelines(mlp)[1] + 2
    assert str(caught.value) == (
        "matmul: a is f32[32,128], b is f32[64,10]: need a.shape[-1] == b.shape[-2], got 128 and 64\n"
        "  in  %6 = matmul(%5, %w2)\n"
        f'  at  {HERE}:{line}: h @ params["w2"]'
    )


def test_unknown_attributes_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        graphc.trace(lambda x: x.nothing, X)
    assert graphc.trace(lambda x: x * 2 if not hasattr(x, "nothing") else x, X).count("mul") == 1
