"""Each op record on its own: complete, and its reference right on every case."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from graphc.errors import DTypeError, GraphcError, IndexRangeError, ShapeError
from graphc.ir.graph import Builder, evaluate, infer_types
from graphc.ir.op import Case, Contraction, Custom, Indexed, Lanes, NotDifferentiable, Op, Pointwise, Reduce
from graphc.ir.types import TensorType, bool_, dtype_of, f16, f32, f64, i32, type_of, u32
from graphc.ops import OPS, by_name
from tests.support.convolution import convolution
from tests.support.op_oracles import cholesky, row_order, threefry, triangular_solve

PLAIN = {name: op for name, op in OPS.items() if "structured" not in op.traits}
CONV = {"strides": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1), "spread": (1, 1), "groups": 1}
BY_NAME = {f"{name}-{n}": (op, case) for name, op in PLAIN.items() for n, case in enumerate(op.cases())}
CASES = [pytest.param(op, case, id=name) for name, (op, case) in BY_NAME.items()]
OF_FLOATS = [
    pytest.param(op, case, id=name)
    for name, (op, case) in BY_NAME.items()
    if op.name != "cast" and any(np.asarray(a).dtype.kind == "f" for a in case.inputs)
]


def run(op: Op, *arrays: Any, **attrs: Any) -> np.ndarray:
    """The op through the builder, the verifier and the executor."""
    builder = Builder()
    inputs = [np.asarray(a) for a in arrays]
    out = builder.apply(op, *(builder.input(TensorType(a.shape, dtype_of_exact(a))) for a in inputs), **attrs)
    graph = builder.build([out])
    graph.verify()
    return evaluate(graph, inputs)[0]


def dtype_of_exact(array: np.ndarray) -> Any:
    """The element type without narrowing."""
    return f64 if array.dtype == np.float64 else dtype_of(array.dtype)


def wide(*functions: Callable[..., Any]) -> Callable[..., Any]:
    """A float function computed in float64; integers are computed as they are."""
    (function,) = functions

    def expected(*arrays: np.ndarray, **attrs: Any) -> Any:
        return function(*(a.astype(np.float64) if a.dtype.kind == "f" else a for a in arrays), **attrs)

    return expected


def python_integers(function: Callable[[int, int], int], otherwise: Callable[..., Any]) -> Callable[..., Any]:
    """An integer function computed with Python's unbounded integers, reduced to 32 bits."""

    def expected(a: np.ndarray, b: np.ndarray) -> Any:
        if a.dtype.kind == "f":
            return otherwise(a.astype(np.float64), b.astype(np.float64))
        pairs = np.broadcast(a, b)
        found = [function(int(x), int(y)) & 0xFFFFFFFF for x, y in pairs]
        return np.array(found, np.uint32).reshape(pairs.shape).view(a.dtype)

    return expected


def integer_fmod(a: int, b: int) -> int:
    return 0 if b == 0 else int(math.copysign(1, a)) * (abs(a) % abs(b))


def integer_power(a: int, b: int) -> int:
    if b >= 0:
        return pow(a, b, 1 << 32)
    return 0 if abs(a) != 1 else (a if b % 2 else 1)


def shift_left(a: int, b: int) -> int:
    return a << b if 0 <= b < 32 else 0


def shift_right(a: int, b: int) -> int:
    return a >> b if 0 <= b < 32 else (-1 if a < 0 else 0)


def cast(x: np.ndarray, *, dtype: Any) -> np.ndarray:
    if dtype.kind not in ("int", "uint") or x.dtype.kind != "f":
        return x.astype(dtype.numpy)
    info = np.iinfo(dtype.numpy)
    found = [0 if math.isnan(v) else min(max(v, info.min), info.max) for v in x.reshape(-1).tolist()]
    return np.array([int(v) for v in found], dtype.numpy).reshape(x.shape)


def reduction(function: Callable[..., Any]) -> Callable[..., Any]:
    """A reduction done row by row, after the reduced axes were moved to the end."""

    def expected(x: np.ndarray, *, axes: tuple[int, ...], keepdims: bool) -> np.ndarray:
        kept = [axis for axis in range(x.ndim) if axis not in axes]
        shape = [x.shape[axis] for axis in kept]
        count = math.prod(x.shape[axis] for axis in axes)
        rows = x.transpose(*kept, *axes).reshape(math.prod(shape), count)
        if x.dtype.kind == "f":
            rows = rows.astype(np.float64)
        out = np.array([function(row) for row in rows]).reshape(shape)
        return out.reshape([1 if axis in axes else n for axis, n in enumerate(x.shape)]) if keepdims else out

    return expected


def running_sum(x: np.ndarray, *, axis: int, reverse: bool) -> np.ndarray:
    out = np.zeros(x.shape, np.float64 if x.dtype.kind == "f" else np.int64)
    for k in range(x.shape[axis]):
        taken = np.arange(k, x.shape[axis]) if reverse else np.arange(k + 1)
        out[(slice(None),) * axis + (k,)] = np.take(x, taken, axis=axis).astype(out.dtype).sum(axis=axis)
    return out


def by_position(place: Callable[..., tuple[int, ...] | None], shape_of: Callable[..., Any]) -> Callable[..., Any]:
    """A movement, element by element: `place` says where an output element comes from, None that it is a filler."""

    def expected(x: np.ndarray, **attrs: Any) -> np.ndarray:
        out = np.full(shape_of(x, **attrs), attrs.get("value", 0), x.dtype)
        for at in np.ndindex(out.shape):
            source = place(at, x.shape, **attrs)
            if source is not None:
                out[at] = x[source]
        return out

    return expected


def same_shape(x: np.ndarray, **attrs: Any) -> Any:
    return x.shape


def pad_shape(x: np.ndarray, *, low: Any, high: Any, interior: Any, value: Any) -> Any:
    return [a + (n + (n - 1) * i if n else 0) + b for a, b, i, n in zip(low, high, interior, x.shape, strict=True)]


def pad_place(at: Any, shape: Any, *, low: Any, high: Any, interior: Any, value: Any) -> Any:
    moved = [divmod(k - a, i + 1) for k, a, i in zip(at, low, interior, strict=True)]
    inside = all(rest == 0 and 0 <= k < n for (k, rest), n in zip(moved, shape, strict=True))
    return tuple(k for k, _ in moved) if inside else None


def normal(i: int, n: int) -> int:
    return min(max(i + n if i < 0 else i, 0), n - 1)


OUTSIDE = {"f": np.nan, "i": -(2**31), "u": 2**32 - 1, "b": True}


def take(x: np.ndarray, ids: np.ndarray, *, axis: int, clamp: bool = False) -> np.ndarray:
    out = np.full(x.shape[:axis] + ids.shape + x.shape[axis + 1 :], OUTSIDE[x.dtype.kind], x.dtype)
    for at in np.ndindex(ids.shape):
        front: tuple[Any, ...] = (slice(None),) * axis
        if clamp or -x.shape[axis] <= ids[at] < x.shape[axis]:
            out[front + at] = x[(*front, normal(int(ids[at]), x.shape[axis]))]
    return out


def take_along_axis(x: np.ndarray, ids: np.ndarray, *, axis: int) -> np.ndarray:
    shape = np.broadcast_shapes(*(tuple(1 if k == axis else n for k, n in enumerate(a.shape)) for a in (x, ids)))
    shape = (*shape[:axis], ids.shape[axis], *shape[axis + 1 :])
    out = np.zeros(shape, x.dtype)
    for at in np.ndindex(shape):
        i = int(ids[tuple(min(k, n - 1) for k, n in zip(at, ids.shape, strict=True))])
        source = [min(k, n - 1) for k, n in zip(at, x.shape, strict=True)]
        source[axis] = normal(i, x.shape[axis])
        out[at] = x[tuple(source)] if -x.shape[axis] <= i < x.shape[axis] else OUTSIDE[x.dtype.kind]
    return out


def scatter_add(ids: np.ndarray, updates: np.ndarray, *, axis: int, size: int) -> np.ndarray:
    kind = np.float64 if updates.dtype.kind == "f" else np.int64
    out = np.zeros((*updates.shape[:axis], size, *updates.shape[axis + ids.ndim :]), kind)
    front: tuple[Any, ...] = (slice(None),) * axis
    for at in np.ndindex(ids.shape):
        if -size <= ids[at] < size:
            out[(*front, normal(int(ids[at]), size))] += updates[front + at]
    return out


def index_update(x: np.ndarray, ids: np.ndarray, values: np.ndarray, *, axis: int) -> np.ndarray:
    out = x.copy()
    front: tuple[Any, ...] = (slice(None),) * axis
    for at in np.ndindex(ids.shape):
        if -x.shape[axis] <= ids[at] < x.shape[axis]:
            out[(*front, normal(int(ids[at]), x.shape[axis]))] = values[front + at]
    return out


def random_bits(key: np.ndarray, *, shape: tuple[int, ...]) -> np.ndarray:
    if key.ndim > 1:
        return np.stack([random_bits(one, shape=shape) for one in key])
    joined = int(key[0]) | int(key[1]) << 32
    return np.array([threefry(joined, n) for n in range(math.prod(shape))], np.uint32).reshape(shape)


EXPECTED: dict[str, Callable[..., Any]] = {
    "add": python_integers(lambda a, b: a + b, np.add),
    "sub": python_integers(lambda a, b: a - b, np.subtract),
    "mul": python_integers(lambda a, b: a * b, np.multiply),
    "div": wide(np.true_divide),
    "floordiv": python_integers(lambda a, b: a // b if b else 0, np.floor_divide),
    "mod": python_integers(lambda a, b: a % b if b else 0, np.remainder),
    "fmod": python_integers(integer_fmod, np.vectorize(lambda a, b: np.fmod(a, b), otypes=[np.float64])),
    "pow": python_integers(integer_power, np.power),
    "maximum": lambda a, b: np.where(np.isnan(a) | (a > b), a, b),
    "minimum": lambda a, b: np.where(np.isnan(a) | (a < b), a, b),
    "neg": lambda x: x.astype(np.float64) * -1 if x.dtype.kind == "f" else (~x + x.dtype.type(1)),
    "abs": lambda x: np.where(x < 0, np.zeros_like(x) - x, x),
    "sign": lambda x: np.where(np.isnan(x), x, (x > 0).astype(np.int32) - (x < 0)),
    "floor": np.vectorize(lambda v: v if not math.isfinite(v) else float(math.floor(v)), otypes=[np.float32]),
    "ceil": np.vectorize(lambda v: v if not math.isfinite(v) else float(math.ceil(v)), otypes=[np.float32]),
    "trunc": np.vectorize(lambda v: v if not math.isfinite(v) else float(math.trunc(v)), otypes=[np.float32]),
    "round": np.vectorize(lambda v: v if not math.isfinite(v) else float(round(float(v))), otypes=[np.float32]),
    "stop_gradient": lambda x: x,
    "exp": wide(np.exp),
    "expm1": wide(np.expm1),
    "log": wide(np.log),
    "log1p": wide(np.log1p),
    "sqrt": wide(np.sqrt),
    "rsqrt": wide(lambda x: x**-0.5),
    "tanh": wide(np.tanh),
    "sigmoid": wide(lambda x: 0.5 + 0.5 * np.tanh(x / 2)),
    "sin": wide(np.sin),
    "cos": wide(np.cos),
    "arctan": np.vectorize(lambda v: math.atan(float(v)), otypes=[np.float64]),
    "arctan2": np.vectorize(lambda y, x: math.atan2(float(y), float(x)), otypes=[np.float64]),
    "copysign": np.vectorize(lambda a, b: math.copysign(float(a), float(b)), otypes=[np.float64]),
    "log2": lambda x: np.log2(x.astype(np.float64)),
    "log10": lambda x: np.log10(x.astype(np.float64)),
    "cbrt": wide(lambda x: np.sign(x) * np.exp(np.log(np.where(x == 0, 1, np.abs(x))) / 3) * (x != 0)),
    "sinh": wide(lambda x: (np.exp(x) - np.exp(-x)) / 2),
    "cosh": wide(lambda x: (np.exp(x) + np.exp(-x)) / 2),
    "tan": wide(lambda x: np.sin(x) / np.cos(x)),
    "arcsin": wide(np.arcsin),
    "arccos": wide(lambda x: math.pi / 2 - np.arcsin(x)),
    "arcsinh": wide(np.arcsinh),
    "arccosh": wide(np.arccosh),
    "arctanh": wide(np.arctanh),
    "hypot": np.vectorize(lambda a, b: math.hypot(float(a), float(b)), otypes=[np.float64]),
    "erf": np.vectorize(lambda v: math.erf(float(v)), otypes=[np.float64]),
    "eq": lambda a, b: ~np.not_equal(a, b),
    "ne": lambda a, b: ~np.equal(a, b),
    "lt": lambda a, b: np.greater(b, a),
    "le": lambda a, b: np.less(a, b) | np.equal(a, b),
    "gt": lambda a, b: np.less(b, a),
    "ge": lambda a, b: np.greater(a, b) | np.equal(a, b),
    "and": lambda a, b: ~(~a | ~b),
    "or": lambda a, b: ~(~a & ~b),
    "xor": lambda a, b: (a | b) & ~(a & b),
    "not": lambda x: x ^ (True if x.dtype == bool else x.dtype.type(-1 if x.dtype.kind == "i" else 0xFFFFFFFF)),
    "shift_left": python_integers(shift_left, np.add),
    "shift_right": python_integers(shift_right, np.add),
    "where": lambda c, x, y: np.choose(c, [y, x]),
    "cast": cast,
    "isnan": lambda x: x != x,
    "isfinite": lambda x: np.abs(x) < np.inf,
    "sum": reduction(lambda row: np.sum(row, dtype=row.dtype)),
    "mean": reduction(lambda row: row.sum() / len(row)),
    "prod": reduction(lambda row: np.prod(row, dtype=row.dtype)),
    "max": reduction(lambda row: np.nan if np.isnan(row).any() else sorted(row)[-1]),
    "min": reduction(lambda row: np.nan if np.isnan(row).any() else sorted(row)[0]),
    "argmax": reduction(lambda row: next(k for k, v in enumerate(row) if np.isnan(v) or not np.any(~(row <= v)))),
    "argmin": reduction(lambda row: next(k for k, v in enumerate(row) if np.isnan(v) or not np.any(~(row >= v)))),
    "cumsum": running_sum,
    "reshape": lambda x, *, shape: np.array(x.reshape(-1).tolist(), x.dtype).reshape(shape),
    "transpose": lambda x, *, perm: np.moveaxis(x, perm, range(x.ndim)),
    "broadcast_to": lambda x, *, shape: x + np.zeros(shape, x.dtype),
    "slice": by_position(
        lambda at, shape, *, start, stop, step: tuple(a + k * s for k, a, s in zip(at, start, step, strict=True)),
        lambda x, *, start, stop, step: [len(range(*p)) for p in zip(start, stop, step, strict=True)],
    ),
    "flip": by_position(
        lambda at, shape, *, axes: tuple(shape[a] - 1 - k if a in axes else k for a, k in enumerate(at)),
        same_shape,
    ),
    "pad": by_position(pad_place, pad_shape),
    "concatenate": lambda *xs, axis: np.moveaxis(
        np.array([row for x in xs for row in np.moveaxis(x, axis, 0)], xs[0].dtype).reshape(
            -1, *np.moveaxis(xs[0], axis, 0).shape[1:]
        ),
        0,
        axis,
    ),
    "matmul": wide(lambda a, b: (a[..., :, :, None] * b[..., None, :, :]).sum(axis=-2)),
    "conv": wide(convolution),
    "checked": lambda ids, **attrs: ids + ids * 0,
    "take": take,
    "take_along_axis": take_along_axis,
    "scatter_add": scatter_add,
    "index_update": index_update,
    "argsort": row_order,
    "cholesky": cholesky,
    "triangular_solve": triangular_solve,
    "tril": by_position(lambda at, shape, *, k: at if at[-1] - at[-2] <= k else None, same_shape),
    "triu": by_position(lambda at, shape, *, k: at if at[-1] - at[-2] >= k else None, same_shape),
    "iota": lambda *, shape, axis, dtype: np.indices(shape)[axis].astype(dtype.numpy),
    "random_bits": random_bits,
}


def test_every_op_has_an_independent_expectation() -> None:
    assert set(EXPECTED) == set(PLAIN)


@pytest.mark.parametrize(("op", "case"), CASES)
def test_reference_equals_an_independent_computation(op: Op, case: Case) -> None:
    arrays = [np.asarray(a) for a in case.inputs]
    result = run(op, *arrays, **case.attrs)
    with np.errstate(all="ignore"):
        expected = np.asarray(EXPECTED[op.name](*arrays, **case.attrs))
        assert result.shape == expected.shape
        expected = expected.astype(result.dtype)
    if result.dtype.kind == "f":
        np.testing.assert_allclose(result, expected, rtol=case.rtol, atol=case.atol)
    else:
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(("op", "case"), CASES)
def test_reference_gives_the_inferred_type_by_itself(op: Op, case: Case) -> None:
    arrays = [np.asarray(a) for a in case.inputs]
    (inferred,) = infer_types(op, [type_of(a) for a in arrays], case.attrs)
    with np.errstate(all="ignore"):
        result = op.reference(*arrays, **case.attrs)
    assert not isinstance(result, tuple)
    assert type_of(result) == inferred


@pytest.mark.parametrize(("op", "case"), OF_FLOATS)
def test_float64_stays_float64(op: Op, case: Case) -> None:
    double = [np.asarray(a).astype(np.float64) if np.asarray(a).dtype.kind == "f" else a for a in case.inputs]
    types = [TensorType(np.asarray(a).shape, dtype_of_exact(np.asarray(a))) for a in double]
    (inferred,) = infer_types(op, types, case.attrs)
    with np.errstate(all="ignore"):
        result = np.asarray(op.reference(*double, **case.attrs))
        expected = np.asarray(EXPECTED[op.name](*map(np.asarray, double), **case.attrs))
    assert result.dtype == inferred.dtype.numpy
    if result.dtype == np.float64 and op.name not in ("floor", "ceil", "trunc", "round"):
        np.testing.assert_allclose(result, expected, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("op", PLAIN.values(), ids=lambda op: op.name)
def test_record_is_complete(op: Op) -> None:
    cases = op.cases()
    assert len(cases) >= 3
    assert op.doc
    assert isinstance(op.lowering, Pointwise | Indexed | Reduce | Contraction | Custom)
    assert callable(op.vjp) or isinstance(op.vjp, NotDifferentiable)
    assert ("pointwise" in op.traits) == isinstance(op.lowering, Pointwise)
    assert ("indexed" in op.traits) == isinstance(op.lowering, Indexed)
    assert ("reduction" in op.traits) == isinstance(op.lowering, Reduce)
    assert any(np.asarray(a).size == 0 for c in cases for a in c.inputs) or any(0 in c.attrs["shape"] for c in cases)
    assert by_name(op.name) is op


@pytest.mark.parametrize("op", [op for op in PLAIN.values() if callable(op.vjp)], ids=lambda op: op.name)
def test_every_differentiable_op_has_a_case_to_difference(op: Op) -> None:
    assert any(c.grad and c.inputs and any(np.asarray(a).dtype.kind == "f" for a in c.inputs) for c in op.cases())


@pytest.mark.parametrize("op", [op for op in PLAIN.values() if "commutative" in op.traits], ids=lambda op: op.name)
def test_commutative_ops_commute(op: Op) -> None:
    for case in op.cases():
        a, b = case.inputs
        np.testing.assert_array_equal(run(op, a, b), run(op, b, a))


def test_pointwise_text_names_functions_by_width() -> None:
    builder = Builder()
    x = builder.input(TensorType((4,), f32))
    builder.apply(by_name("log"), x)
    node = builder.nodes[-1]
    lowering = node.op.lowering
    assert isinstance(lowering, Pointwise)
    assert lowering.wgsl(Lanes(1), node, "x0") == "gc_log(x0)"
    assert lowering.wgsl(Lanes(4), node, "x0") == "gc_log_v4(x0)"


def test_narrow_floats_go_through_f32() -> None:
    builder = Builder()
    builder.apply(by_name("tanh"), builder.input(TensorType((4,), f16)))
    node = builder.nodes[-1]
    assert isinstance(node.op.lowering, Pointwise)
    assert node.op.lowering.wgsl(Lanes(4), node, "x") == "vec4<f16>(gc_tanh_v4(vec4<f32>(x)))"


def test_half_precision_sums_accumulate_in_float32() -> None:
    x = np.full((5000, 2), 1.0, np.float16)
    np.testing.assert_array_equal(run(by_name("sum"), x, axes=(0,), keepdims=False), np.full(2, 5000, np.float16))


@pytest.mark.parametrize("axes", [(0,), (0, 1), (0, 2), (2,)])
def test_long_float32_sums_are_accurate(axes: tuple[int, ...]) -> None:
    x = np.random.default_rng(3).random((20_011, 3, 7), dtype=np.float32)
    x = np.moveaxis(x, 0, 2) if axes == (2,) else x
    exact = x.sum(axis=axes, dtype=np.float64)
    found = run(by_name("sum"), x, axes=axes, keepdims=False)
    assert np.abs(found - exact).max() <= 1e-6 * np.abs(exact).max()


def test_scatter_add_of_many_rows_is_accurate() -> None:
    rng = np.random.default_rng(4)
    ids, rows = rng.integers(0, 27, 60_000).astype(np.int32), rng.random((60_000, 3), dtype=np.float32)
    exact = np.zeros((27, 3))
    np.add.at(exact, ids, rows.astype(np.float64))
    found = run(by_name("scatter_add"), ids, rows, axis=0, size=27)
    assert np.abs(found - exact).max() <= 1e-6 * np.max(exact)


def test_random_bits_equal_the_published_vector() -> None:
    # Known answer of Random123 for threefry2x32-20 with counter and key zero.
    assert threefry(0, 0) == 0x6B200159
    assert run(by_name("random_bits"), np.zeros(2, np.uint32), shape=(1,))[0] == 0x6B200159


def test_random_bits_do_not_depend_on_the_shape() -> None:
    key = np.array([1, 2], np.uint32)
    flat = run(by_name("random_bits"), key, shape=(12,))
    np.testing.assert_array_equal(run(by_name("random_bits"), key, shape=(3, 4)).reshape(-1), flat)


def t(dtype: Any, *shape: int) -> TensorType:
    return TensorType(shape, dtype)


BAD: list[tuple[str, list[TensorType], dict[str, Any], type[GraphcError], str]] = [
    ("add", [t(f32, 2), t(i32, 2)], {}, DTypeError, "f32 and i32"),
    ("add", [t(f32, 2, 3), t(f32, 4)], {}, ShapeError, "axis -1 is 3 and 4"),
    ("add", [t(bool_, 2), t(bool_, 2)], {}, DTypeError, "bool"),
    ("div", [t(i32, 2), t(i32, 2)], {}, DTypeError, "needs float operands, got i32"),
    ("exp", [t(i32, 2)], {}, DTypeError, "needs float operands, got i32"),
    ("and", [t(f32, 2), t(f32, 2)], {}, DTypeError, "int or uint or bool"),
    ("shift_left", [t(bool_, 2), t(bool_, 2)], {}, DTypeError, "bool"),
    ("where", [t(i32, 2), t(f32, 2), t(f32, 2)], {}, DTypeError, "needs a bool condition, got i32"),
    ("isnan", [t(i32, 2)], {}, DTypeError, "got i32"),
    ("sum", [t(f32, 2, 3)], {"axes": (2,), "keepdims": False}, ShapeError, "(2,)"),
    ("sum", [t(f32, 2, 3)], {"axes": (1, 0), "keepdims": False}, ShapeError, "(1, 0)"),
    ("sum", [t(bool_, 2)], {"axes": (0,), "keepdims": False}, DTypeError, "got bool"),
    ("mean", [t(i32, 2)], {"axes": (0,), "keepdims": False}, DTypeError, "got i32"),
    ("max", [t(f32, 0, 3)], {"axes": (0,), "keepdims": False}, ShapeError, "no element to choose"),
    ("argmax", [t(f32, 2, 3)], {"axes": (0, 1), "keepdims": False}, ShapeError, "exactly one axis"),
    ("cumsum", [t(f32, 2)], {"axis": 1, "reverse": False}, ShapeError, "axis 1"),
    ("reshape", [t(f32, 2, 3)], {"shape": (4,)}, ShapeError, "6 elements of [2, 3] do not fit the shape [4]"),
    ("reshape", [t(f32, 2, 3)], {"shape": (-2, -3)}, ShapeError, "[-2, -3]"),
    ("transpose", [t(f32, 2, 3)], {"perm": (0, 0)}, ShapeError, "(0, 0) is no permutation"),
    ("broadcast_to", [t(f32, 2, 3)], {"shape": (3,)}, ShapeError, "[2, 3] does not broadcast to [3]"),
    ("broadcast_to", [t(f32, 2)], {"shape": (1,)}, ShapeError, "[2] does not broadcast to [1]"),
    ("slice", [t(f32, 5)], {"start": (1,), "stop": (9,), "step": (1,)}, ShapeError, "no slice 1:9:1"),
    ("slice", [t(f32, 5)], {"start": (4,), "stop": (1,), "step": (1,)}, ShapeError, "no slice 4:1:1"),
    ("slice", [t(f32, 5)], {"start": (0,), "stop": (5,), "step": (0,)}, ShapeError, "no slice 0:5:0"),
    ("flip", [t(f32, 5)], {"axes": (1,)}, ShapeError, "(1,)"),
    ("pad", [t(f32, 5)], {"low": (-1,), "high": (0,), "interior": (0,), "value": 0.0}, ShapeError, "negative"),
    ("concatenate", [t(f32, 2, 3), t(f32, 2, 4)], {"axis": 0}, ShapeError, "[2, 3] and [2, 4]"),
    ("concatenate", [t(f32, 2), t(i32, 2)], {"axis": 0}, DTypeError, "f32 and i32"),
    ("concatenate", [], {"axis": 0}, ShapeError, "one operand"),
    ("matmul", [t(f32, 32, 128), t(f32, 64, 10)], {}, ShapeError, "a.shape[-1] == b.shape[-2], got 128 and 64"),
    ("matmul", [t(f32, 3), t(f32, 3, 4)], {}, ShapeError, "at least 2 axes"),
    ("matmul", [t(f32, 2, 3, 4), t(f32, 3, 4, 5)], {}, ShapeError, "do not broadcast"),
    ("conv", [t(f32, 1, 2, 4, 4), t(f32, 2, 2, 5, 1)], CONV, ShapeError, "reaches over 5 places of 4 along axis 0"),
    ("conv", [t(f32, 1, 2, 4, 4), t(f32, 2, 3, 1, 1)], CONV, ShapeError, "groups is 1"),
    ("conv", [t(f32, 1, 2, 4, 4), t(f32, 2, 2, 1, 1)], {**CONV, "strides": (0, 1)}, ShapeError, "at least 1"),
    ("take", [t(f32, 5), t(f32, 2)], {"axis": 0}, DTypeError, "integers, got f32"),
    ("take", [t(f32, 0, 3), t(i32, 2)], {"axis": 0}, IndexRangeError, "no element"),
    ("take_along_axis", [t(f32, 5, 3), t(i32, 5)], {"axis": 1}, ShapeError, "1 axes, need 2"),
    ("take_along_axis", [t(f32, 5, 3), t(i32, 4, 1)], {"axis": 1}, ShapeError, "do not broadcast"),
    ("scatter_add", [t(i32, 2), t(f32, 3)], {"axis": 0, "size": 4}, ShapeError, "[3]"),
    ("index_update", [t(f32, 5), t(i32, 2), t(f32, 3)], {"axis": 0}, ShapeError, "values are [3], need [2]"),
    ("index_update", [t(f32, 5), t(i32, 2), t(i32, 2)], {"axis": 0}, DTypeError, "f32 and i32"),
    ("tril", [t(f32, 5)], {"k": 0}, ShapeError, "at least 2 axes"),
    ("iota", [], {"shape": (3,), "axis": 1, "dtype": i32}, ShapeError, "axis 1"),
    ("random_bits", [t(u32, 3)], {"shape": (3,)}, ShapeError, "u32[2]"),
    ("random_bits", [t(i32, 2)], {"shape": (3,)}, DTypeError, "u32[2]"),
]


@pytest.mark.parametrize(("name", "types", "attrs", "error", "says"), BAD)
def test_shape_rules_refuse_and_name_what_does_not_fit(
    name: str, types: list[TensorType], attrs: dict[str, Any], error: type[GraphcError], says: str
) -> None:
    builder = Builder()
    with pytest.raises(error) as caught:
        builder.add(by_name(name), *(builder.input(type) for type in types), **attrs)
    assert says in str(caught.value)
    assert str(caught.value).startswith(name)
