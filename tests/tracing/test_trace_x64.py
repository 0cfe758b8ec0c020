"""With enable_x64 the element types are NumPy's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.ir import types
from tests.support.operands import K, X
from tests.support.tracing import assert_same, run_traced


@pytest.fixture(autouse=True)
def _x64() -> Iterator[None]:
    types._Precision.x64 = True
    yield
    types._Precision.x64 = False


CASES: list[Any] = [
    lambda x, k: (x + 1, x * k, x + np.float64(1), k + 1, k / 2, k / k, x / 3),
    lambda x, k: (np.sum(k), np.mean(k), np.sum(x), np.cumsum(k), np.argmax(x), np.count_nonzero(k)),
    lambda x, k: (np.where(x > 0, 1, 0), np.where(x > 0, 1.0, 0.0), np.sqrt(k), np.exp(k), x**k),
    lambda x, k: (x.astype(float), x.astype(int), x[[0, 1]], np.take(x, k % 3, axis=0), x[k % 3]),
    lambda x, k: (np.astype(x, "float64") @ x.astype(float).T, np.einsum("ij,ij->i", x, k)),
]


@pytest.mark.parametrize("fn", CASES)
def test_results_have_numpys_types(fn: Any) -> None:
    assert_same(fn, X, K)
    assert_same(fn, X.astype(np.float64), K.astype(np.int64), rtol=1e-12, atol=1e-12)


def test_python_scalars_do_not_promote() -> None:
    assert run_traced(lambda x, lr, t: x * lr**t, X, 0.9, 3).dtype == np.float32
    assert run_traced(lambda lr, t: lr**t, 0.9, 3).dtype == np.float64


def test_it_comes_before_everything_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(types._Precision, "settled_by", "")
    types._Precision.x64 = False

    def half(x: Any) -> Any:
        return x / 2

    with pytest.raises(graphc.TraceError):
        graphc.compile(lambda x: float(x), device="numpy")(X)
    graphc.enable_x64()  # nothing has come of it
    compiled = graphc.compile(half, device="numpy")
    assert compiled(X.astype(np.float64)).dtype == np.float64
    graphc.enable_x64()  # it is on already
    types._Precision.x64 = False
    with pytest.raises(graphc.DTypeError, match="enable_x64: half is compiled with 32-bit types already"):
        graphc.enable_x64()
