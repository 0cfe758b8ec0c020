"""Array as NumPy users meet it, on both kinds of device."""

from __future__ import annotations

import asyncio
import copy
import operator
import pickle
from typing import Any

import numpy as np
import pytest

import graphc

DEVICES = ("wgpu", "numpy")


@pytest.fixture(params=DEVICES)
def name(request: Any) -> Any:
    return request.param


@pytest.mark.parametrize(
    "value",
    [
        np.arange(12, dtype=np.float32).reshape(3, 4),
        np.array([True, False, True]),
        np.array(-7, np.int32),
        np.array([3, 2**32 - 1], np.uint32),
        np.zeros((0, 5), np.float32),
        np.arange(24, dtype=np.float32).reshape(4, 6).T[::2],
    ],
    ids=["matrix", "bool", "scalar", "uint32", "empty", "strided"],
)
def test_what_goes_in_comes_out(name: Any, value: Any) -> None:
    array = graphc.asarray(value, device=name)
    host = np.asarray(array)
    assert (array.shape, array.dtype, array.nbytes) == (value.shape, value.dtype, value.nbytes)
    np.testing.assert_array_equal(host, value)
    assert host.dtype == value.dtype


def test_float16_where_the_device_has_it(name: Any) -> None:
    value = np.array([1.5, -2.5, 6e4], np.float16)
    if "shader-f16" in graphc.device(name).features:
        array = graphc.asarray(value, device=name)
        assert array.nbytes == 6
        np.testing.assert_array_equal(array, value)
    else:
        with pytest.raises(graphc.DeviceError, match="float16"):
            graphc.asarray(value, device=name)


def test_64_bits_are_narrowed_and_overflow_refused(name: Any) -> None:
    assert graphc.asarray(np.float64(0.1), device=name).dtype == np.float32
    assert graphc.asarray([1, 2, 3], device=name).dtype == np.int32
    with pytest.raises(graphc.DTypeError, match="9999999999"):
        graphc.asarray([1, 9999999999], device=name)


def test_a_one_element_array_is_a_number(name: Any) -> None:
    x = graphc.asarray(2.5, device=name)
    assert float(x) == 2.5
    assert int(x) == 2
    assert bool(x) is True
    assert x.item() == 2.5
    assert f"{x:.2f}" == "2.50"
    assert x + 1 == 3.5
    assert np.sqrt(x * 10) == 5.0
    assert [10, 20, 30][graphc.asarray(1, device=name)] == 20
    with pytest.raises(ValueError):
        float(graphc.asarray([1.0, 2.0], device=name))
    with pytest.raises(ValueError, match="ambiguous"):
        bool(graphc.asarray([1.0, 2.0], device=name))


def test_a_vector_behaves_as_a_sequence(name: Any) -> None:
    x = graphc.asarray([1.0, 2.0, 3.0], device=name)
    assert len(x) == 3
    assert list(x) == [1.0, 2.0, 3.0]
    assert x[-1] == 3.0
    np.testing.assert_array_equal(x[1:], [2.0, 3.0])
    np.testing.assert_array_equal(np.ones(3, np.float32) * x, [1.0, 2.0, 3.0])
    assert x.tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(TypeError):
        len(graphc.asarray(1.0, device=name))


def test_conversion_follows_numpy(name: Any) -> None:
    x = graphc.asarray([1.0, 2.0], device=name)
    assert np.asarray(x, dtype=np.int64).dtype == np.int64
    with pytest.raises(ValueError, match="copy"):
        np.asarray(x, copy=False)
    host = x.numpy()
    host[0] = 9
    np.testing.assert_array_equal(x, [1.0, 2.0])


def test_the_source_may_change_afterwards(name: Any) -> None:
    source = np.ones(100, np.float32)
    x = graphc.asarray(source, device=name)
    source[:] = 0
    np.testing.assert_array_equal(x, np.ones(100))


def test_waiting_is_possible_in_three_ways(name: Any) -> None:
    x = graphc.asarray(np.ones(8, np.float32), device=name)

    async def wait() -> Any:
        return await x

    assert asyncio.run(wait()) is x
    assert x.block_until_ready() is x
    assert x.is_ready()


def test_asarray_copies_between_devices_only() -> None:
    x = graphc.asarray([1.0], device="numpy")
    assert graphc.asarray(x, device="numpy") is x
    moved = graphc.asarray(x, device="wgpu")
    assert moved.device is graphc.device("wgpu")
    np.testing.assert_array_equal(moved, x)


def test_repr_shows_values_type_and_device(name: Any) -> None:
    text = repr(graphc.asarray([1.0, 2.0], device=name))
    assert "[1., 2.]" in text
    assert "float32" in text
    assert graphc.device(name).name in text


def test_copies_are_independent_of_donation(name: Any) -> None:
    x = graphc.asarray([1.0, 2.0], device=name)
    copies = (copy.copy(x), copy.deepcopy({"a": x})["a"], pickle.loads(pickle.dumps(x)))
    graphc.compile(lambda x: x + 1, device=name, donate=0)(x)
    for other in copies:
        np.testing.assert_array_equal(other, [1.0, 2.0])
    assert copies[0].device is graphc.device(name)


def test_numpy_functions_run_on_the_device(name: Any) -> None:
    x = graphc.asarray([[1.0, 2.0], [3.0, 4.0]], device=name)
    host = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
    for function in (
        np.sum,
        np.mean,
        np.transpose,
        np.ravel,
        np.exp,
        lambda v: np.concatenate([v, v]),
        lambda v: v @ v,
    ):
        made = function(x)
        assert isinstance(made, graphc.Array)
        assert made.device is graphc.device(name)
        np.testing.assert_allclose(made, function(host), rtol=1e-6)
    with pytest.raises(AttributeError, match=r"np\.asarray"):
        _ = x.flags
    with pytest.raises(AttributeError, match="nonsense"):
        x.nonsense()


def test_an_array_in_a_closure_is_a_constant(name: Any) -> None:
    x = graphc.asarray([1.0, 2.0], device=name)
    f = graphc.compile(lambda y: x * y + np.where(y > 1, x, y) - (y / x), device=name)
    y = np.array([3.0, 0.5], np.float32)
    h = np.array([1.0, 2.0], np.float32)
    np.testing.assert_allclose(f(y), h * y + np.where(y > 1, h, y) - y / h, rtol=1e-6)


IN_PLACE = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "lshift", "rshift", "and", "or", "xor"]


@pytest.mark.parametrize("op", IN_PLACE)
@pytest.mark.parametrize("right", ["ndarray", "Array", "number", "float64", "wider", "narrower", "bool"])
@pytest.mark.parametrize("left", ["float32", "int32", "bool", "0-d"])
def test_operators_in_place_bind_a_new_array(name: Any, op: Any, left: Any, right: Any) -> None:
    """What NumPy's operator leaves in the left operand is what the name stands for; the Array itself never changes."""
    start = {
        "float32": np.array([[1.5, -2.0], [3.0, 4.0]], np.float32),
        "int32": np.array([[5, 2], [3, 7]], np.int32),
        "bool": np.array([[True, False], [True, True]]),
        "0-d": np.array(3.0, np.float32),
    }[left]
    plain = np.array([[2, 1], [1, 3]], start.dtype)
    other = {
        "ndarray": plain,
        "Array": graphc.asarray(plain, device=name),
        "number": 2,
        "float64": plain.astype(np.float64),
        "wider": np.ones((3, 2, 2), start.dtype),
        "narrower": plain[0],
        "bool": np.array([True, False]),
    }[right]
    function = getattr(operator, f"i{op}")
    x = kept = graphc.asarray(start, device=name)
    want, refusal = in_place(function, start.copy(), plain if right == "Array" else other)
    if refusal:
        with pytest.raises(refusal):
            function(x, other)
    else:
        with np.errstate(all="ignore"):
            x = function(x, other)
        assert isinstance(x, graphc.Array)
        assert (x.device, x.dtype, x.shape) == (graphc.device(name), want.dtype, want.shape)
        np.testing.assert_array_equal(x, want)
    np.testing.assert_array_equal(kept, start)


def in_place(function: Any, left: Any, right: Any) -> Any:
    """What NumPy's operator leaves, and the error of graphc's that stands for one of NumPy's."""
    with np.errstate(all="ignore"):
        try:
            return function(left, right), None
        except TypeError:
            return None, graphc.DTypeError
        except ValueError:
            return None, graphc.ShapeError


def test_an_array_is_not_changed(name: Any) -> None:
    x = graphc.asarray([1.0, 2.0, 3.0], device=name)
    wrong: Any = x
    for call in (
        lambda: np.add(1, 2, out=wrong),
        lambda: np.add(np.ones(3), x, out=(wrong,)),
        lambda: np.add.accumulate(x, out=wrong),
        lambda: x.__setitem__(0, 5),
    ):
        with pytest.raises(graphc.ImmutableError, match="never changes: write"):
            call()
    total = np.zeros(3, np.float32)
    total += x
    np.testing.assert_array_equal(total, [1, 2, 3])
    np.testing.assert_array_equal(x == None, [False] * 3)  # noqa: E711  # as NumPy compares with None
    masked = np.ma.array([1.0, 2, 3], mask=[False, True, False])
    np.testing.assert_array_equal(masked + x, np.ma.array([2.0, 0, 6], mask=masked.mask))


def test_parameters_are_updated_in_place_in_a_loop_of_ones_own(name: Any) -> None:
    params = {"w": graphc.asarray(np.ones(3, np.float32), device=name)}
    slope = graphc.compile(graphc.grad(lambda p: np.sum(p["w"] * p["w"])), device=name)
    for _ in range(3):
        params["w"] -= 0.25 * slope(params)["w"]
    np.testing.assert_allclose(params["w"], np.full(3, 0.125), rtol=1e-6)
