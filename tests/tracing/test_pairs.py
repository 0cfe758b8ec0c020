"""Complex numbers within a function, and Fourier transforms: against NumPy, with gradients against differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc

RNG = np.random.default_rng(3)
X = RNG.normal(size=(3, 192)).astype(np.float32)
V = RNG.normal(size=7).astype(np.float32)
F = np.fft

FUNCTIONS: dict[str, tuple[Callable[[Any], Any], np.ndarray]] = {
    "arithmetic": (lambda v: np.abs((v * 1j + 2) * (v - 1j * V) / (3 - 1j * v) - (1 + 1j)), V),
    "exp": (lambda v: np.angle(np.exp(1j * v) * (v - 2j)), V),
    "fft": (lambda x: np.stack([np.real(F.fft(x)), F.fft(x).imag]), X),
    "fft along another axis": (lambda x: np.abs(F.fft(x, axis=0)), X),
    "padded": (lambda x: np.imag(F.fft(x, 250, norm="ortho")), X),
    "prime": (lambda x: np.real(F.fft(x[:, :131])), X),
    "rfft and back": (lambda x: F.irfft(F.rfft(x) * (1 + 0.5j)), X),
    "odd": (lambda v: F.irfft(F.rfft(v), 7), V),
    "convolution": (lambda x: np.real(F.ifft(F.fft(x) * F.fft(np.cos(x)))), X),
    "parts": (lambda x: np.abs(np.sum(F.fft(x).reshape(3, 2, 96)[:, 0], axis=1).conj()), X),
}


def weighted(y: Any) -> Any:
    return np.sum(y * np.cos(np.arange(y.size)).reshape(y.shape).astype(y.dtype))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_results_and_gradients_are_numpys(name: str) -> None:
    function, x = FUNCTIONS[name]
    wide, step = x.astype(np.float64), 1e-6
    program = graphc.compile(lambda x: (function(x), graphc.grad(lambda x: weighted(function(x)))(x)), device="numpy")
    found, gradient = map(np.asarray, program(x))
    want = function(wide)
    np.testing.assert_allclose(found, want, atol=1e-5 * np.abs(want).max())
    direction = np.sin(1 + np.arange(x.size)).reshape(x.shape)
    ends = [weighted(function(wide + sign * step * direction)) for sign in (1, -1)]
    slope = np.sum(gradient * direction)
    assert abs(slope - (ends[0] - ends[1]) / (2 * step)) < 1e-5 * np.abs(gradient * direction).sum()


@pytest.mark.parametrize("passes", [(), graphc.passes.DEFAULT], ids=["unfused", "fused"])
def test_kernels_give_the_same(passes: Any, device: Any) -> None:
    def program(x: Any, v: Any) -> list[Any]:
        return [function(x if given is X else v) for function, given in FUNCTIONS.values()]

    for got, want in zip(graphc.compile(program, device=device, passes=passes)(X, V), program(X, V), strict=True):
        np.testing.assert_allclose(np.asarray(got), want, atol=2e-5 * np.abs(want).max())


@pytest.mark.parametrize(
    ("text", "function"),
    [
        ("np.imag", lambda x: x * 1j),
        ("np.sort of complex", lambda x: np.sort(F.fft(x))),
        ("np.sqrt of complex|np.imag", lambda x: np.sqrt(x * 1j)),
        ("prime factor", lambda x: np.abs(F.fft(x, 4099))),
        ("rfft takes real numbers", lambda x: np.abs(F.rfft(F.fft(x)))),
    ],
)
def test_what_cannot_be_complex_says_so(text: str, function: Callable[[Any], Any]) -> None:
    with pytest.raises(graphc.TraceError, match=text):
        graphc.compile(function, device="numpy")(V)
