"""The array API standard: each of its functions gives what array_api_strict gives, for each kind of array."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import array_api_strict as strict
import numpy as np
import pytest

import graphc
from graphc import array_api
from graphc.ir.types import dtype_of
from tests.support.array_api_calls import ALL, MISSING, UNTRACED, Call, page, plain, refusal

PAGE = Path(__file__).resolve().parents[2] / "docs" / "array_api.md"
TRACED = [call for call in ALL if call.traced]


def strictly(call: Call) -> Any:
    """What the strict implementation gives, as ndarrays."""
    with np.errstate(all="ignore"):
        return plain(call.function(strict, *map(strict.asarray, call.arguments)))


def leaves(value: Any) -> list[Any]:
    return [x for item in value for x in leaves(item)] if isinstance(value, list | tuple) else [value]


def agree(made: Any, want: Any, what: str, narrowed: bool = True) -> None:
    """Results with the numbers, shapes and element types of the strict ones."""
    found, expected = leaves(made), leaves(want)
    assert len(found) == len(expected), what
    for one, other in zip(found, expected, strict=True):
        other = np.asarray(other)
        array = np.asarray(one)
        assert array.shape == other.shape, what
        if hasattr(one, "dtype"):
            kinds = {dtype_of(other.dtype).numpy} if narrowed else {other.dtype, dtype_of(other.dtype).numpy}
            assert array.dtype in kinds, (what, array.dtype, other.dtype)
        np.testing.assert_allclose(array, other, rtol=2e-5, atol=2e-5, err_msg=what)


def test_every_function_of_the_standard_is_in_the_list() -> None:
    listed = {call.function_name for call in ALL} | set(MISSING)
    own = {n for n, f in vars(strict).items() if inspect.isroutine(f) and n[0] != "_" and "flags" not in n}
    own |= {f"linalg.{n}" for n in strict.linalg.__all__} | {f"fft.{n}" for n in strict.fft.__all__}
    later = {"broadcast_shapes", "isin"}  # of the standard's next version
    assert own - listed == later
    for name in listed - set(MISSING):
        holder = array_api
        for part in name.split("."):
            holder = getattr(holder, part)
    assert set(dir(array_api)) <= {n for n in dir(array_api) if hasattr(array_api, n)}


def test_the_page_is_as_generated(rewrite_golden: bool) -> None:
    if rewrite_golden:
        PAGE.write_text(page(), "utf-8")
    assert PAGE.read_text("utf-8") == page()


def test_what_is_said_to_be_traced_is() -> None:
    assert {call.function_name for call in ALL if refusal(call)} == set(UNTRACED)


@pytest.mark.parametrize("kind", ["ndarray", "Array", "traced"])
def test_functions_give_what_the_strict_ones_give(kind: str) -> None:
    for call in TRACED if kind == "traced" else ALL:
        want = strictly(call)
        with np.errstate(all="ignore"):
            if kind == "traced":
                traced = lambda *args, call=call: plain(call.function(array_api, *args))  # noqa: E731
                made = graphc.compile(traced, device="numpy")(*call.arguments)
            else:
                given = [graphc.asarray(x, "numpy") if kind == "Array" else x for x in call.arguments]
                made = plain(call.function(array_api, *given))
                arrays = [x for x in leaves(made) if isinstance(x, graphc.Array)]
                assert kind == "ndarray" or not given or all(x.device.name == "numpy" for x in arrays), call.text
        agree(made, want, call.text, kind != "ndarray")


@pytest.mark.parametrize("part", range(3))
def test_kernels_give_the_same(part: int, device: Any) -> None:
    """Many calls in one program."""
    calls = TRACED[part::3]

    def program(arguments: list[Any]) -> list[Any]:
        return [plain(call.function(array_api, *given)) for call, given in zip(calls, arguments, strict=True)]

    found = graphc.compile(program, device=device)([call.arguments for call in calls])
    for call, got in zip(calls, found, strict=True):
        agree(got, strictly(call), call.text)


def test_the_namespace_says_what_it_is() -> None:
    x = graphc.asarray([1.0, 2], "numpy")
    assert x.__array_namespace__() is array_api
    assert x.__array_namespace__(api_version="2023.12") is array_api
    with pytest.raises(ValueError, match=r"2024\.12"):
        x.__array_namespace__(api_version="2031.12")
    info: Any = array_api.__array_namespace_info__()
    assert info.default_dtypes() == {"real floating": np.float32, "integral": np.int32, "indexing": np.int32}
    assert set(info.dtypes(kind="real floating")) <= {"float32", "float64"}
    assert "int32" in info.dtypes(kind=("integral", "bool"))
    assert x.device in info.devices() or x.device.name == "numpy"
    seen = [info.capabilities()["data-dependent shapes"]]

    def looks(x: Any) -> Any:
        seen.append(info.capabilities()["data-dependent shapes"])
        return x

    graphc.trace(looks, np.ones(2))
    assert seen == [True, False]
    moved = array_api.zeros(3, device="numpy")
    assert moved.device is graphc.device("numpy")
    with pytest.raises(ValueError, match="forbids"):
        array_api.asarray([1, 2], copy=False)
    assert array_api.asarray(x, copy=False) is x


def standardised(x: Any) -> Any:
    """A function against the standard, as libraries write it."""
    from array_api_compat import array_namespace, size

    xp = array_namespace(x)
    centred = x - xp.mean(x, axis=0, keepdims=True)
    scale = xp.where(xp.std(x, axis=0) > 0, xp.std(x, axis=0), xp.asarray(1.0))
    weights = xp.linspace(0, 1, x.shape[0])[:, None]
    return xp.concat([centred / scale, weights * xp.ones_like(x)], axis=1) * size(x)


def test_functions_against_array_api_compat_trace_unchanged() -> None:
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    want = standardised(x)
    for made in (standardised(graphc.asarray(x, "numpy")), graphc.compile(standardised, device="numpy")(x)):
        assert isinstance(made, graphc.Array)
        np.testing.assert_allclose(made, want, rtol=1e-5, atol=1e-5)


EXTRA: dict[str, Any] = {
    "angle": lambda xpx, xp, x: xpx.angle(x),
    "apply_where": lambda xpx, xp, x: xpx.apply_where(x > 0, x, lambda t: t * 2, fill_value=0.5),
    "argpartition": lambda xpx, xp, x: xpx.argpartition(x, 0, axis=1)[:, 0],
    "atleast_nd": lambda xpx, xp, x: xpx.atleast_nd(x[0, :], ndim=2),
    "cov": lambda xpx, xp, x: xpx.cov(x),
    "deg2rad": lambda xpx, xp, x: xpx.deg2rad(x),
    "isclose": lambda xpx, xp, x: xpx.isclose(x, x + 1e-9),
    "isin": lambda xpx, xp, x: xpx.isin(x, x[0, :]),
    "kron": lambda xpx, xp, x: xpx.kron(x, x),
    "nan_to_num": lambda xpx, xp, x: xpx.nan_to_num(x),
    "one_hot": lambda xpx, xp, x: xpx.one_hot(xp.argmax(x, axis=1), 4),
    "sinc": lambda xpx, xp, x: xpx.sinc(x),
    "nunique": lambda xpx, xp, x: xpx.nunique(xp.round(x)),
    "setdiff1d": lambda xpx, xp, x: xpx.setdiff1d(x, x[0, :]),
    "union1d": lambda xpx, xp, x: xpx.union1d(x[0, :], x[1, :]),
}
OF_VALUES = ("nunique", "setdiff1d", "union1d")
"""Those whose results have a shape that depends on values."""


@pytest.mark.parametrize("name", EXTRA)
def test_functions_of_array_api_extra(name: str) -> None:
    import array_api_extra as xpx

    x = np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32)
    want = EXTRA[name](xpx, strict, strict.asarray(x))
    agree(EXTRA[name](xpx, array_api, graphc.asarray(x, "numpy")), want, name)
    if name not in OF_VALUES:
        agree(graphc.compile(lambda x: EXTRA[name](xpx, array_api, x), device="numpy")(x), want, name)


def test_einops(device: Any) -> None:
    import einops

    x = np.random.default_rng(2).normal(size=(2, 3, 4, 6)).astype(np.float32)

    def patches(x: Any) -> Any:
        return (
            einops.rearrange(x, "b c (h p) (w q) -> b (h w) (p q c)", p=2, q=3),
            einops.reduce(x, "b c h w -> b c", "mean"),
            einops.reduce(x, "b c (h k) w -> b c h w", "max", k=2),
            einops.repeat(x[0], "c h w -> c h w k", k=3),
            einops.rearrange([x, x + 1], "n b c h w -> b n c (h w)"),
            einops.einsum(x, x, "b c h w, b d h w -> b c d"),
            einops.rearrange(x, "b ... w -> b w ..."),
            einops.pack([x, x[:, 0]], "b * h w")[0],
        )

    want = patches(x)
    for made in (patches(graphc.asarray(x, device)), graphc.compile(patches, device=device)(x)):
        for one, other in zip(made, want, strict=True):
            assert isinstance(one, graphc.Array)
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_dlpack(device: Any) -> None:
    host = np.arange(6, dtype=np.float32).reshape(2, 3)
    for place in (device, "numpy"):
        x: Any = graphc.asarray(host, place)
        assert x.__dlpack_device__() == (1, 0)
        taken = np.from_dlpack(x)
        np.testing.assert_array_equal(taken, host)
        back = graphc.from_dlpack(taken.T, device=place)
        assert (back.device, back.shape) == (x.device, (3, 2))
        np.testing.assert_array_equal(back, host.T)
        with pytest.raises(BufferError, match="copy"):
            x.__dlpack__(copy=False)
        with pytest.raises(BufferError, match="CPU"):
            x.__dlpack__(dl_device=(2, 0))
    for kind in ("bool", "int32", "uint32", "int64", "float64", "uint8"):
        np.testing.assert_array_equal(graphc.from_dlpack(np.ones(3, kind), device="numpy"), np.ones(3))
    source = host.copy()
    kept = graphc.from_dlpack(source, device="numpy")
    source[:] = 9
    np.testing.assert_array_equal(kept, host)
    with pytest.raises(graphc.DTypeError, match="complex"):
        graphc.from_dlpack(np.ones(3, np.complex64), device="numpy")
    with pytest.raises(graphc.DTypeError, match="mask"):
        graphc.from_dlpack(np.ma.array([1.0, 2]), device="numpy")
    with pytest.raises(ValueError, match="forbids"):
        graphc.from_dlpack(host, device="numpy", copy=False)
    with pytest.raises(graphc.DTypeError, match="__dlpack__"):
        graphc.from_dlpack([1.0])

    class Elsewhere:
        def __dlpack__(self, **options: Any) -> Any:
            raise AssertionError("nobody may ask")

        def __dlpack_device__(self) -> tuple[int, int]:
            return 2, 0

    with pytest.raises(graphc.DeviceError, match="copy it to the CPU"):
        graphc.from_dlpack(Elsewhere())


def test_jaxtyping_annotations() -> None:
    import jaxtyping

    real: Any = jaxtyping.Float
    whole: Any = jaxtyping.Int
    named = real[Any, "a b"]

    x = graphc.asarray(np.ones((2, 3), np.float32), "numpy")
    assert isinstance(x, real[graphc.Array, "2 b"])
    assert not isinstance(x, real[graphc.Array, "3 b"])
    assert not isinstance(x, whole[graphc.Array, "2 3"])
    seen = []

    def scaled(x: Any, k: float) -> Any:
        seen.append(isinstance(x, real[Any, "2 3"]))
        return x * k

    scaled.__annotations__.update({"x": named, "return": named})

    checked = jaxtyping.jaxtyped(typechecker=None)(scaled)
    np.testing.assert_array_equal(graphc.compile(checked, device="numpy")(x, 2.0), np.full((2, 3), 2))
    np.testing.assert_array_equal(checked(x, 2.0), np.full((2, 3), 2))
    assert seen == [True, True]


class Frame:
    """As a table of pandas looks: no element type of its own, and elements by `__array__`."""

    shape = (2, 2)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array([[1.0, 2], [3, 4]])


def image() -> Any:
    from PIL import Image

    return Image.fromarray(np.array([[1, 2], [3, 4]], np.uint8))


BUFFER: Any = np.array([[1.0, 2], [3, 4]])
CONTAINERS = {"memoryview": lambda: memoryview(BUFFER), "frame": Frame, "Pillow": image}


@pytest.mark.parametrize("name", CONTAINERS)
def test_other_containers_convert_or_are_refused(name: str) -> None:
    value: Any = CONTAINERS[name]()
    want = np.array([[1, 2], [3, 4]])
    made = graphc.asarray(value, "numpy")
    np.testing.assert_array_equal(made, want)
    np.testing.assert_array_equal(made + value, want * 2)
    for call in (graphc.compile(lambda x: x * 2, device="numpy"), lambda v: graphc.trace(lambda x: x * 2, v)):
        with pytest.raises(graphc.TraceError, match=r"write np\.asarray\(x\)"):
            call(value)


def test_masks_are_not_lost_in_lists() -> None:
    masked = np.ma.array([1.0, 2], mask=[True, False])
    for call in (
        lambda: graphc.asarray([masked, masked], "numpy"),
        lambda: array_api.asarray([masked]),
        lambda: graphc.asarray([1.0, np.ma.masked], "numpy"),
        lambda: graphc.trace(lambda x: np.add(x, [masked, masked]), np.ones((2, 2))),
        lambda: np.concatenate([graphc.asarray([1.0], "numpy"), masked]),
        lambda: graphc.asarray([1.0, 2], "numpy") + masked,
    ):
        with pytest.raises(graphc.DTypeError, match="mask would be lost"):
            call()
