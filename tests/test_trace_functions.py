"""Every NumPy function that traces gives what NumPy gives: values, shapes and element types."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.tracing import assert_same

rng = np.random.default_rng(0)


def floats(*shape: int, low: float = -2.0, high: float = 2.0) -> Any:
    return rng.uniform(low, high, shape).astype(np.float32)


def ints(*shape: int, low: int = -5, high: int = 6) -> Any:
    return rng.integers(low, high, shape).astype(np.int32)


X = floats(3, 4)
Y = floats(3, 4)
P = floats(3, 4, low=0.2, high=3.0)
I = ints(3, 4)
N = ints(3, 4, low=1, high=5)
B = rng.integers(0, 2, (3, 4)).astype(bool)
C = rng.integers(0, 2, (3, 4)).astype(bool)
V = floats(4)
T = floats(2, 3, 4)
H = X.astype(np.float16)
EDGE = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, np.inf, -np.inf, np.nan], np.float32)

UNARY = {
    "negative": X, "positive": X, "absolute": X, "fabs": X, "sign": EDGE, "square": X, "reciprocal": P, "sqrt": P,
    "cbrt": EDGE, "exp": X, "exp2": X, "expm1": X, "log": P, "log2": P, "log10": P, "log1p": P, "sin": X, "cos": X,
    "tan": X, "sinh": X, "cosh": X, "tanh": X, "arcsinh": X, "arctanh": X / 3, "deg2rad": X, "radians": X,
    "rad2deg": X, "degrees": X, "floor": EDGE, "ceil": EDGE, "rint": EDGE, "trunc": EDGE, "isnan": EDGE,
    "isfinite": EDGE, "isinf": EDGE, "logical_not": EDGE, "conjugate": X, "modf": X,
}  # fmt: skip

BINARY = {
    "add": (X, Y), "subtract": (X, Y), "multiply": (X, Y), "divide": (X, P), "true_divide": (X, P),
    "floor_divide": (X, P), "remainder": (X, P), "mod": (X, P), "fmod": (X, P), "power": (P, X), "float_power": (P, X),
    "maximum": (EDGE, EDGE[::-1]), "minimum": (EDGE, EDGE[::-1]), "fmax": (EDGE, EDGE[::-1]),
    "fmin": (EDGE, EDGE[::-1]), "hypot": (X, Y), "logaddexp": (X, Y), "heaviside": (EDGE, np.float32(0.5)),
    "equal": (I, N), "not_equal": (I, N), "less": (X, Y), "less_equal": (I, N), "greater": (X, Y),
    "greater_equal": (I, N), "logical_and": (B, C), "logical_or": (X, I), "logical_xor": (B, C),
    "bitwise_and": (I, N), "bitwise_or": (B, C), "bitwise_xor": (I, N), "left_shift": (I, N), "right_shift": (I, N),
    "divmod": (X, P), "vecdot": (X, Y), "matmul": (X, Y.T),
}  # fmt: skip


@pytest.mark.parametrize("name", UNARY)
def test_unary_ufunc(name: str) -> None:
    assert_same(getattr(np, name), UNARY[name])


@pytest.mark.parametrize("name", BINARY)
def test_binary_ufunc(name: str) -> None:
    assert_same(getattr(np, name), *BINARY[name])


@pytest.mark.parametrize("name", ["negative", "absolute", "sign", "square", "sqrt", "exp", "tanh", "floor", "rint", "isnan", "isinf", "isfinite", "invert", "reciprocal", "logical_not", "sin", "log1p", "fabs"])  # fmt: skip
def test_unary_ufunc_of_integers(name: str) -> None:
    assert_same(getattr(np, name), N)


@pytest.mark.parametrize("name", ["add", "multiply", "maximum", "minimum", "equal", "less", "greater_equal", "logical_and", "bitwise_xor", "true_divide"])  # fmt: skip
def test_binary_ufunc_of_bools(name: str) -> None:
    with np.errstate(all="ignore"):
        assert_same(getattr(np, name), B, C | ~C if name == "true_divide" else C)


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "true_divide", "floor_divide", "remainder", "power", "maximum", "less"])  # fmt: skip
@pytest.mark.parametrize("other", [2, 2.5, True, np.float32(1.5), np.float64(1.5), np.int64(3), N, X, H, B], ids=str)
@pytest.mark.parametrize("base", ["I", "P", "B", "H"])
def test_result_types_are_numpys(name: str, base: str, other: Any) -> None:
    ufunc = getattr(np, name)
    first = {"I": N, "P": P, "B": B, "H": np.abs(H) + 1}[base]
    if isinstance(other, np.ndarray) and other.dtype.kind == "f":
        other = np.abs(other) + 1
    try:
        with np.errstate(all="ignore"):
            wanted = ufunc(first, other)
    except TypeError:
        with pytest.raises(TypeError):
            assert_same(lambda a: ufunc(a, other), first)
        return
    if wanted.dtype.kind in "iu" and (base == "B" or isinstance(other, bool)) and name in ("floor_divide", "remainder"):
        other = 1 if isinstance(other, np.ndarray) and other.dtype == bool else other
    if isinstance(other, np.ndarray) and other.dtype == bool and name in ("floor_divide", "remainder", "true_divide"):
        other = other | True
    tolerance = 2e-3 if wanted.dtype == np.float16 else 2e-6
    assert_same(lambda a: ufunc(a, other), first, rtol=tolerance)
    assert_same(lambda a: ufunc(other, a), first | True if first.dtype == bool else first, rtol=tolerance)


OPERATORS: dict[str, Any] = {
    "arithmetic": lambda a, b: (a + b, a - b, a * b, a / b, a // b, a % b, a**b, -a, +a, abs(a)),
    "scalars": lambda a, b: (a + 1, 1 - a, 2 * a, 1 / a, a // 2, 7 % a, 2**a, 2.0**a, a - 0.5, divmod(a, 2)),
    "powers": lambda a, b: (a**1, a**2, a**3, a**4, a**0.5, a**-0.5, a**-1, a**-2, a**0, a**2.5, np.power(a, 2)),
    "comparisons": lambda a, b: (a < b, a <= b, a > b, a >= b, a == b, a != b, a < 1, 1 < a),
    "chained": lambda a, b: ((a > 1) & (b > 1) | ~(a < 1), (a > 1) ^ (b > 1)),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators(name: str) -> None:
    assert_same(OPERATORS[name], P, P[::-1].copy())


@pytest.mark.parametrize("other", [N, 3, np.int32(3)])
def test_integer_operators(other: Any) -> None:
    assert_same(lambda a: (a & other, a | other, a ^ other, a << other, a >> other, other & a, other << a % 3, ~a), I)
    assert_same(lambda a: (a // other, a % other, a**2, a**3, divmod(a, other), a / other, abs(a), -a), I)


def test_arrays_on_the_left() -> None:
    assert_same(lambda a: (X + a, X - a, X @ a.T, X < a, X**2 * a, np.float32(2) * a, np.float64(2) - a), Y)


REDUCTIONS: dict[str, Any] = {
    "sum": np.sum, "prod": np.prod, "mean": np.mean, "var": np.var, "std": np.std, "max": np.max, "min": np.min,
    "amax": np.amax, "amin": np.amin, "any": np.any, "all": np.all, "ptp": np.ptp, "count_nonzero": np.count_nonzero,
}  # fmt: skip


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), (1,), ()])
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions(name: str, axis: Any, keepdims: bool) -> None:
    assert_same(lambda t: REDUCTIONS[name](t, axis=axis, keepdims=keepdims), T)


@pytest.mark.parametrize("name", [n for n in REDUCTIONS if n != "ptp"])
@pytest.mark.parametrize("operand", [N, B, H], ids=["int", "bool", "half"])
def test_reductions_of_other_types(name: str, operand: Any) -> None:
    assert_same(lambda t: REDUCTIONS[name](t, 1), operand, rtol=4e-3 if operand is H else 2e-6, atol=2e-3)


@pytest.mark.parametrize("name", ["argmax", "argmin"])
@pytest.mark.parametrize("operand", [T, N, B], ids=["float", "int", "bool"])
def test_positions_of_extrema(name: str, operand: Any) -> None:
    fn = getattr(np, name)
    assert_same(
        lambda t: (fn(t), fn(t, 0), fn(t, axis=-1), fn(t, axis=1, keepdims=True), fn(t, keepdims=True)), operand
    )


OTHER_REDUCTIONS: dict[str, Any] = {
    "dtype": lambda x: (np.sum(x, dtype=np.int32), np.mean(x, dtype=np.float16), np.prod(x, 0, dtype="float32")),
    "ddof": lambda x: (np.var(x, ddof=1), np.std(x, axis=1, ddof=1), np.var(x, 0, correction=1)),
    "mean of var": lambda x: np.var(x, axis=1, mean=np.mean(x, axis=1, keepdims=True)),
    "methods": lambda x: (x.sum(), x.mean(0), x.var(1), x.std(), x.max(), x.min(-1), x.prod(1), x.argmax(), x.argmin(1)),
    "method keepdims": lambda x: (x.sum(axis=1, keepdims=True), x.mean(-1, keepdims=True), (x > 0).any(1), (x > 0).all()),
    "cumsum": lambda x: (np.cumsum(x), np.cumsum(x, axis=0), np.cumsum(x, -1), x.cumsum(1)),
    "ufunc reduce": lambda x: (np.add.reduce(x), np.add.reduce(x, axis=None), np.multiply.reduce(x, axis=1)),
    "ufunc extrema": lambda x: (np.maximum.reduce(x, axis=1, keepdims=True), np.minimum.reduce(x)),
    "ufunc logic": lambda x: (np.logical_and.reduce(x > 0), np.logical_or.reduce(x > 0, axis=1)),
    "accumulate": lambda x: (np.add.accumulate(x), np.add.accumulate(x, axis=1)),
    "ufunc outer": lambda x: (np.multiply.outer(x, x[0]), np.subtract.outer(x[:, 0], x)),
    "average": lambda x: (np.average(x), np.average(x, 1), np.average(x, axis=0, weights=np.array([1.0, 2, 3], "f4"))),
    "nansum": lambda x: (np.nansum(np.where(x > 0, np.float32(np.nan), x), 1), np.nanprod(x)),
    "dtype of ufunc": lambda x: np.add(x, 1, dtype=np.float16).astype(np.float32),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER_REDUCTIONS)
def test_other_reductions(name: str) -> None:
    assert_same(OTHER_REDUCTIONS[name], X, rtol=2e-3 if "dtype" in name else 2e-6)


SHAPES: dict[str, Any] = {
    "reshape": lambda t: (np.reshape(t, (4, 6)), t.reshape(2, -1), t.reshape((6, 4)), t.reshape(-1), np.reshape(t, 24)),
    "reshape F": lambda t: (np.reshape(t, (4, 6), order="F"), t.reshape(8, -1, order="F"), t.ravel("F")),
    "transpose": lambda t: (t.T, np.transpose(t), np.transpose(t, (1, 0, 2)), t.transpose(2, 0, 1), t.transpose((0, -1, 1))),
    "permute": lambda t: (np.permute_dims(t, (1, 2, 0)), np.matrix_transpose(t), t.mT, t.transpose()),
    "swapaxes": lambda t: (np.swapaxes(t, 0, 2), t.swapaxes(-1, -2)),
    "moveaxis": lambda t: (np.moveaxis(t, 0, -1), np.moveaxis(t, (0, 1), (2, 0)), np.rollaxis(t, 2), np.rollaxis(t, 0, 3)),
    "broadcast_to": lambda t: (np.broadcast_to(t, (5, 2, 3, 4)), np.broadcast_to(t[:1], (2, 3, 4))),
    "broadcast_arrays": lambda t: np.broadcast_arrays(t, t[0], t[0, 0]),
    "expand_dims": lambda t: (np.expand_dims(t, 0), np.expand_dims(t, (0, -1)), t[:, None], t[..., None]),
    "squeeze": lambda t: (np.squeeze(t[:1]), t[:, :1].squeeze(1), np.squeeze(t[:1, :, :1], axis=(0, 2))),
    "ravel": lambda t: (np.ravel(t), t.flatten(), t.ravel(), np.ravel(t[:0])),
    "atleast": lambda t: (np.atleast_1d(t[0, 0, 0]), np.atleast_2d(t[0, 0]), np.atleast_3d(t[0], t[0, 0], t[0, 0, 0])),
    "concatenate": lambda t: (np.concatenate([t, t]), np.concatenate((t, t[:, :1]), axis=1), np.concatenate([t, t], None)),
    "concatenate arrays": lambda t: (np.concatenate([t, np.ones((2, 3, 1), np.float32), np.zeros((2, 3, 2), np.int32)], -1),),
    "stack": lambda t: (np.stack([t, t]), np.stack([t, t], axis=-1), np.stack([t[0, 0, 0], 1.0, 2.0]), np.stack((t, T), 1)),
    "vstack": lambda t: (np.vstack([t[0], t[1]]), np.vstack([t[0, 0], t[0, 1]]), np.hstack([t[0], t[1]])),
    "hstack": lambda t: (np.hstack([t[0, 0], t[0, 1]]), np.dstack([t[0], t[1]]), np.column_stack([t[0, 0], t[0, 1]])),
    "split": lambda t: (np.split(t, 2), np.split(t, [1, 3], axis=2), np.split(t, 3, 1), np.split(t, [5], -1)),
    "array_split": lambda t: (np.array_split(t, 3, axis=2), np.array_split(t, [1, -1], 2), np.array_split(t, 3)),
    "hsplit": lambda t: (np.hsplit(t, 3), np.vsplit(t, 2), np.dsplit(t, 2), np.hsplit(t[0, 0], 2)),
    "unpacking": lambda t: (lambda a, b: (a * 2, b))(*t),
    "flip": lambda t: (np.flip(t), np.flip(t, 1), np.flip(t, (0, 2)), np.fliplr(t), np.flipud(t)),
    "roll": lambda t: (np.roll(t, 2), np.roll(t, 1, 0), np.roll(t, (1, -2), axis=(1, 2)), np.roll(t, -1, (0, 1)), np.roll(t, 9, 2)),
    "rot90": lambda t: (np.rot90(t), np.rot90(t, 2), np.rot90(t, 3), np.rot90(t, 1, (1, 2)), np.rot90(t, 4)),
    "repeat": lambda t: (np.repeat(t, 3), np.repeat(t, 2, axis=1), np.repeat(t, [1, 0, 2], axis=1), t.repeat(2, 0)),
    "tile": lambda t: (np.tile(t, 2), np.tile(t, (2, 1, 3)), np.tile(t, (2, 1, 1, 1)), np.tile(t[0, 0], (3, 1)), np.tile(t, 0)),
    "resize": lambda t: (np.resize(t, (5, 7)), np.resize(t, (2, 3))),
    "pad": lambda t: (np.pad(t, 1), np.pad(t, ((0, 0), (1, 2), (0, 3))), np.pad(t, (1, 2), constant_values=2.5)),
    "pad values": lambda t: (np.pad(t[0], ((1, 2), (2, 1)), constant_values=((1, 2), (3, 4))), np.pad(t, 0), np.pad(t[0, 0], (1, 0), constant_values=-np.inf)),
    "pad modes": lambda t: tuple(np.pad(t, ((1, 1), (2, 0), (0, 3)), mode=m) for m in ("edge", "reflect", "symmetric", "wrap")),
    "triangles": lambda t: (np.tril(t), np.triu(t), np.tril(t[0], -1), np.triu(t[0], 1), np.tril(t[0, 0])),
    "diag": lambda t: (np.diag(t[0]), np.diag(t[0], 1), np.diag(t[0], -2), np.diag(t[0, 0]), np.diag(t[0, 0], 2), np.diag(t[0, 0], -1)),
    "diagonal": lambda t: (np.diagonal(t), np.diagonal(t, 1, 1, 2), t.diagonal(0, 0, 2), np.diagflat(t[0]), np.diag(t[0], 9)),
    "trace": lambda t: (np.trace(t), np.trace(t, 1, 1, 2), t.trace(), np.linalg.trace(t), np.linalg.diagonal(t)),
    "meshgrid": lambda t: (np.meshgrid(t[0, 0], t[0, 1]), np.meshgrid(t[0, 0], t[0, :, 0], indexing="ij", sparse=True)),
    "like": lambda t: (np.zeros_like(t), np.ones_like(t), np.full_like(t, 3), np.full_like(t, 1.5, dtype=np.int32), np.zeros_like(t, shape=(2, 2))),
    "astype": lambda t: (t.astype(np.int32), t.astype("float16"), t.astype(bool), np.astype(t, np.uint8) if False else t.astype(float)),
    "unstack": lambda t: np.unstack(t, axis=1),
    "questions": lambda t: (np.shape(t)[0] * t, np.ndim(t) * t, np.size(t) * t, len(t) * t, t.ndim * t, t.size * t, np.size(t, 1) * t),
    "copies": lambda t: (np.copy(t), t.copy(), np.real(t), t.real, t.conj(), np.imag(t)),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name: str) -> None:
    assert_same(SHAPES[name], T)


SELECTIONS: dict[str, Any] = {
    "where": lambda x, i: (np.where(x > 0, x, 0), np.where(x > 0, 1, 0), np.where(i, x, i), np.where(x > 0, 1.5, i)),
    "select": lambda x, i: np.select([x > 1, x > 0], [x, x * 2], default=-1),
    "clip": lambda x, i: (np.clip(x, -1, 1), x.clip(0), np.clip(x, None, 0.5), np.clip(i, 0, 3), np.clip(x, min=0), x.clip(max=0)),
    "clip arrays": lambda x, i: (np.clip(x, Y - 1, Y + 1), np.clip(x, x - 1, None), np.clip(i, 0.5, 2.5)),
    "take": lambda x, i: (np.take(x, 2), np.take(x, [0, 2], axis=0), np.take(x, np.array([[0, -1]]), 1), x.take(1, axis=1)),
    "take traced": lambda x, i: (np.take(x, np.abs(i) % 3, axis=0), np.take(x, np.abs(i)), np.take_along_axis(X, np.abs(i) % 3, 0)),
    "take modes": lambda x, i: (np.take(x, i, axis=1, mode="wrap"), np.take(x, i, axis=0, mode="clip")),
    "take_along_axis": lambda x, i: (np.take_along_axis(x, np.argmax(x, 1, keepdims=True), 1), np.take_along_axis(x, i % 3, axis=0), np.take_along_axis(x, np.array([[1], [0], [-1]]), -1)),
    "round": lambda x, i: (np.round(x), np.around(x, 1), x.round(), np.round(i), round(0.5) * x, np.fix(x), np.round(x * 100, -1)),
    "nan_to_num": lambda x, i: (np.nan_to_num(x / np.where(x > 0, np.float32(0), x)), np.nan_to_num(np.log(x), nan=2.0)),
    "close": lambda x, i: (np.isclose(x, x + 1e-9), np.isclose(x, Y), np.allclose(x, x), np.allclose(x, Y), np.isclose(np.log(x), np.log(x), equal_nan=True)),
    "array_equal": lambda x, i: (np.array_equal(x, x), np.array_equal(x, Y)),
    "diff": lambda x, i: (np.diff(x), np.diff(x, 2, axis=0), np.diff(i), np.diff(x > 0)),
    "maximum": lambda x, i: (np.maximum(x, 0), np.minimum(x, i), np.maximum(i, 2.5)),
}  # fmt: skip


@pytest.mark.parametrize("name", SELECTIONS)
def test_selections(name: str) -> None:
    assert_same(SELECTIONS[name], X, I)


M = floats(4, 5)
BATCH = floats(2, 4, 5)
PRODUCTS: dict[str, Any] = {
    "matmul": lambda x, m, b: (x @ m, np.matmul(x, b), b.mT @ m, np.matmul(b.mT, b), x @ m[:, 0], m[:, 0] @ m, x[0] @ m[:, 0]),
    "matmul vectors": lambda x, m, b: (b @ m[0], x[0] @ b, np.matmul(x[0], x[0])),
    "matmul integers": lambda x, m, b: ((x > 0).astype(int) @ (m > 0).astype(int), (x > 0) @ (m > 0)),
    "dot": lambda x, m, b: (np.dot(x, m), np.dot(x[0], x[0]), x.dot(m[:, 0]), np.dot(x, 2), np.dot(x, b), np.dot(x[0], b)),
    "vdot": lambda x, m, b: (np.vdot(x, x), np.vdot(x, Y)),
    "inner": lambda x, m, b: (np.inner(x, Y), np.inner(x[0], x[1]), np.inner(b.mT, x), np.inner(x, 3.0)),
    "outer": lambda x, m, b: (np.outer(x, m), np.outer(x[0], V), np.linalg.outer(x[0], V)),
    "tensordot": lambda x, m, b: (np.tensordot(x, m, 1), np.tensordot(b, x, ([1], [1])), np.tensordot(x, Y, 2), np.tensordot(x[0], m[0], 0), np.tensordot(b, b, ((0, 2), (0, 2)))),
    "kron": lambda x, m, b: (np.kron(x, m), np.kron(x[0], m)),
    "cross": lambda x, m, b: (np.cross(x.T, Y.T), np.cross(x, Y, axis=0)),
    "norm": lambda x, m, b: (np.linalg.norm(x), np.linalg.norm(x, axis=1), np.linalg.norm(b, axis=(1, 2)), np.linalg.norm(x, "fro"), np.linalg.norm(x, 1), np.linalg.norm(x, np.inf), np.linalg.norm(x, -1)),
    "vector norms": lambda x, m, b: (*(np.linalg.norm(x, o, axis=1) for o in (0, 1, 2, 3, np.inf, -np.inf)), np.linalg.norm(x, axis=0, keepdims=True), np.linalg.vector_norm(b, axis=(0, 1)), np.linalg.matrix_norm(b)),
    "powers": lambda x, m, b: (np.linalg.matrix_power(x[:, :3], 5), np.linalg.multi_dot([x, m, m.T, x.T])),
    "linalg": lambda x, m, b: (np.linalg.matmul(x, m), np.linalg.tensordot(x, m, axes=1), np.linalg.vecdot(x, Y), np.linalg.matrix_transpose(b)),
}  # fmt: skip


@pytest.mark.parametrize("name", PRODUCTS)
def test_products(name: str) -> None:
    assert_same(PRODUCTS[name], X, M, BATCH, rtol=2e-5)


EINSUM: list[tuple[str, tuple[tuple[int, ...], ...]]] = [
    ("ij,jk->ik", ((3, 4), (4, 5))),
    ("ij,jk", ((3, 4), (4, 5))),
    ("ij,kj->ik", ((3, 4), (5, 4))),
    ("ij,jk->ki", ((3, 4), (4, 5))),
    ("bij,bjk->bik", ((2, 3, 4), (2, 4, 5))),
    ("bhqd,bhkd->bhqk", ((2, 3, 4, 5), (2, 3, 6, 5))),
    ("bhqk,bkhd->bqhd", ((2, 3, 4, 5), (2, 5, 3, 6))),
    ("btd,dhk->bhtk", ((2, 3, 4), (4, 2, 5))),
    ("ii", ((4, 4),)),
    ("ii->i", ((4, 4),)),
    ("iji->j", ((3, 4, 3),)),
    ("iii->i", ((3, 3, 3),)),
    ("ij->ji", ((3, 4),)),
    ("ij->", ((3, 4),)),
    ("ji", ((3, 4),)),
    ("i,i", ((4,), (4,))),
    ("i,j->ij", ((4,), (3,))),
    ("i,j->ji", ((4,), (3,))),
    ("i,i->i", ((4,), (4,))),
    ("ij,ij->i", ((3, 4), (3, 4))),
    ("ij,j->i", ((3, 4), (4,))),
    ("i,ij->j", ((3,), (3, 4))),
    ("ii,ij->j", ((3, 3), (3, 4))),
    ("...ij,...jk->...ik", ((2, 3, 4), (2, 4, 5))),
    ("...ij,...jk", ((7, 2, 3, 4), (2, 4, 5))),
    ("i...,i...->...", ((3, 4, 2), (3, 4, 2))),
    ("...i->...", ((2, 3, 4),)),
    ("...,...->...", ((3, 4), (4,))),
    ("ij,jk,kl->il", ((3, 4), (4, 5), (5, 2))),
    ("ij,jk,kl->li", ((3, 4), (4, 5), (5, 2))),
    ("a,b,c->abc", ((2,), (3,), (4,))),
    ("ijk,ijk,i->jk", ((2, 3, 4), (2, 3, 4), (2,))),
    ("ij,ij,ij,jk->ik", ((3, 4), (3, 4), (3, 4), (4, 5))),
    ("ij,kl->", ((3, 4), (2, 5))),
    ("ij,kl->ik", ((3, 4), (2, 5))),
    ("ijk,kl,lm,jn->imn", ((2, 3, 4), (4, 5), (5, 2), (3, 6))),
    ("ij,jk->ik", ((1, 4), (4, 5))),
    ("bij,bjk->bik", ((1, 3, 4), (2, 4, 5))),
    ("ij,ij->ij", ((1, 4), (3, 4))),
    ("ij,jk->ik", ((3, 0), (0, 5))),
    (",ij->ij", ((), (3, 4))),
    ("i j , j k -> i k", ((3, 4), (4, 5))),
]  # fmt: skip


@pytest.mark.parametrize(("subscripts", "shapes"), EINSUM, ids=lambda v: v if isinstance(v, str) else None)
def test_einsum(subscripts: str, shapes: Any) -> None:
    operands = [floats(*shape) for shape in shapes]
    assert_same(lambda *args: np.einsum(subscripts, *args), *operands, rtol=1e-5, atol=1e-5)


def test_einsum_calling_forms() -> None:
    assert_same(lambda x, m: np.einsum(x, [0, 1], m, [1, 2], [0, 2]), X, M, rtol=1e-5)
    assert_same(lambda x, m: np.einsum(x, [0, 1], m, [1, 2]), X, M, rtol=1e-5)
    assert_same(lambda t: np.einsum(t, [..., 0], [0, ...]), T)
    assert_same(lambda x, m: np.einsum("ij,jk->ik", x, m, optimize=True), X, M, rtol=1e-5)
    assert_same(lambda i, n: np.einsum("ij,ij->j", i, n), I, N)
    assert_same(lambda b, c: np.einsum("ij,kj->ik", b, c), B, C)
    assert_same(lambda i: np.einsum("ij,ij->i", i, X), I)


def test_zero_size_arrays() -> None:
    empty = np.zeros((0, 4), np.float32)
    assert_same(
        lambda e: (
            e + 1, np.sum(e), np.sum(e, 0), np.prod(e, 0), e @ M, np.concatenate([e, X]), e.T, e[:, 1:], np.any(e),
            np.all(e > 0, axis=0), np.roll(e, 1, 0), np.tile(e, (2, 1)), np.cumsum(e, 0), e.reshape(4, 0), e[::-1],
        ),
        empty,
    )  # fmt: skip


def test_zero_dimensional_arrays() -> None:
    zero = np.float32(1.5)
    assert_same(
        lambda z: (z + 1, np.sum(z), z * X, np.reshape(z, (1, 1)), z[None], z[...], z[()], np.max(z), z.T), zero
    )
