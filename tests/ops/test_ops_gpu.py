"""Each op's kernels: every case on the GPU against the reference, alone and among other ops, fused and not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.errors import DeviceError, DTypeError
from graphc.ir import types
from graphc.ir.graph import Builder, Graph, Value, evaluate, infer_types
from graphc.ir.op import Case, Op
from graphc.ir.types import type_of
from graphc.lower import lower
from graphc.ops import OPS, by_name
from graphc.passes import pipeline

PLAIN = {name: op for name, op in OPS.items() if "structured" not in op.traits}


def alone(op: Op, cases: tuple[Case, ...]) -> tuple[Graph, list[Any]]:
    """One graph with the op once for each case."""
    builder, arrays, outputs = Builder(), [], []
    for case in cases:
        inputs = [builder.input(type_of(np.asarray(a))) for a in case.inputs]
        arrays += [np.asarray(a) for a in case.inputs]
        outputs.append(builder.apply(op, *inputs, **case.attrs))
    return builder.build(outputs), arrays


def unchanged(builder: Builder, value: Value, units: dict[str, Value]) -> Value:
    """The value after an op that leaves it as it is, which no pass can know: the unit is an input."""
    name = {"float": "mul", "int": "mul", "uint": "mul", "bool": "xor"}[value.type.dtype.kind]
    return builder.apply(by_name(name), value, units[value.type.dtype.name])


def surrounded(op: Op, cases: tuple[Case, ...]) -> tuple[Graph, list[Any]]:
    """The same with a pointwise op before and after, to be computed in the middle of a kernel."""
    builder, outputs = Builder(), []
    ones = {"f32": np.float32(1), "i32": np.int32(1), "u32": np.uint32(1), "bool": np.bool_(False)}
    arrays = [np.asarray(one) for one in ones.values()]
    units = {name: builder.input(type_of(np.asarray(one))) for name, one in ones.items()}
    for case in cases:
        inputs = [builder.input(type_of(np.asarray(a))) for a in case.inputs]
        arrays += [np.asarray(a) for a in case.inputs]
        value = builder.apply(op, *(unchanged(builder, v, units) for v in inputs), **case.attrs)
        outputs.append(unchanged(builder, value, units))
    return builder.build(outputs), arrays


def check(graph: Graph, arrays: list[Any], cases: tuple[Case, ...], device: Any) -> None:
    """Run a graph on the device and compare each output with the reference, within the tolerance of its case."""
    plan = lower(graph, device.target, frozenset())
    found = [array.numpy() for array in device.prepare(graph, plan, frozenset())(arrays)]
    wrong = []
    for number, (case, result, expected) in enumerate(zip(cases, found, evaluate(graph, arrays), strict=True)):
        assert result.shape == expected.shape
        assert result.dtype == expected.dtype
        try:
            np.testing.assert_allclose(result, expected, rtol=case.rtol, atol=case.atol)
        except AssertionError as error:
            wrong.append(f"case {number}, attrs {dict(case.attrs)}: {error}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("op", PLAIN.values(), ids=lambda op: op.name)
def test_op_alone(op: Op, device: Any) -> None:
    cases = op.cases()
    graph, arrays = alone(op, cases)
    check(pipeline.run(graph, pipeline.LEGALIZE), arrays, cases, device)


@pytest.mark.parametrize("fuse", [False, True], ids=["unfused", "fused"])
@pytest.mark.parametrize("op", PLAIN.values(), ids=lambda op: op.name)
def test_op_among_others(op: Op, fuse: bool, device: Any) -> None:
    cases = op.cases()
    graph, arrays = surrounded(op, cases)
    check(pipeline.run(graph, pipeline.DEFAULT if fuse else pipeline.LEGALIZE), arrays, cases, device)


def halved(case: Case) -> Case:
    """The case in float16, with its tolerance."""
    arrays = [np.asarray(a) for a in case.inputs]
    with np.errstate(over="ignore"):
        inputs = tuple(a.astype(np.float16) if a.dtype == np.float32 else a for a in arrays)
    return replace(case, inputs=inputs, rtol=2e-3, atol=2e-3)


def of_floats(case: Case) -> bool:
    return any(np.asarray(a).dtype == np.float32 for a in case.inputs)


@contextmanager
def where_there_is(device: Any, *features: str) -> Iterator[None]:
    """What needs these features of a device; one that lacks some has to say so."""
    missing = [feature for feature in features if feature not in device.target.features]
    with pytest.raises(DeviceError, match="|".join(missing)) if missing else nullcontext():
        yield


def takes_halves(op: Op) -> bool:
    """Whether the op has cases in float16; NumPy's linear algebra has none."""
    cases = [halved(case) for case in op.cases() if of_floats(case)]
    try:
        return bool(cases) and bool(infer_types(op, [type_of(np.asarray(a)) for a in cases[0].inputs], cases[0].attrs))
    except DTypeError:
        return False


def test_linear_algebra_alone_has_no_half_precision() -> None:
    floats = [op for op in PLAIN.values() if any(map(of_floats, op.cases()))]
    assert {op.name for op in floats if not takes_halves(op)} == {"cholesky", "triangular_solve"}


@pytest.mark.parametrize("op", [op for op in PLAIN.values() if takes_halves(op)], ids=lambda op: op.name)
def test_op_in_half_precision(op: Op, device: Any) -> None:
    cases = tuple(halved(c) for c in op.cases() if of_floats(c))
    graph, arrays = alone(op, cases)
    with where_there_is(device, "shader-f16"):
        check(pipeline.run(graph, pipeline.DEFAULT), arrays, cases, device)


WIDE = {np.dtype(np.float32): np.float64, np.dtype(np.int32): np.int64}


@pytest.fixture
def x64(device: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Types of 64 bits, where the adapter has them."""
    if not {"shader-f64", "shader-int64"} <= device.target.features:
        pytest.skip("this adapter has no 64-bit types")
    monkeypatch.setattr(types._Precision, "x64", True)


@pytest.mark.parametrize("op", PLAIN.values(), ids=lambda op: op.name)
def test_op_in_64_bits(op: Op, device: Any, x64: None) -> None:
    cases = []
    for case in op.cases():
        arrays = [np.asarray(a) for a in case.inputs]
        inputs = tuple(a.astype(WIDE.get(a.dtype, a.dtype)) for a in arrays)
        cases.append(replace(case, inputs=inputs, rtol=1e-12, atol=1e-13))
    graph, arrays = alone(op, tuple(cases))
    check(pipeline.run(graph, pipeline.DEFAULT), arrays, tuple(cases), device)


@pytest.mark.parametrize(
    "name",
    [
        "exp",
        "expm1",
        "log",
        "log1p",
        "tanh",
        "sigmoid",
        "erf",
        "sin",
        "cos",
        "arctan",
        "log2",
        "log10",
        "cbrt",
        "sinh",
        "cosh",
        "arcsinh",
    ],
)
def test_float64_functions_are_accurate(name: str, device: Any, x64: None) -> None:
    rng = np.random.default_rng(3)
    spread = np.exp(rng.uniform(-600, 600, 3000))
    x = np.concatenate([rng.uniform(-8, 8, 9000), rng.uniform(-1e-3, 1e-3, 1000), spread, -spread])
    if name in ("sin", "cos"):
        quarters = np.round(np.exp(rng.uniform(0, 36, 3000))) * (np.pi / 2)
        near = [1e5, -1e5, np.nextafter(1e5, 2e5)]
        x = np.concatenate([x, rng.uniform(-3e5, 3e5, 3000), quarters, -quarters, near])
    case = Case((x,), rtol=1e-15, atol=1e-300)
    graph, arrays = alone(by_name(name), (case,))
    check(graph, arrays, (case,), device)


def test_the_float64_nearest_to_a_multiple_of_half_pi(device: Any, x64: None) -> None:
    """NumPy's own cosine may be off by 7 ULP there. The value is that of 1,400 bits of pi."""
    found = np.asarray(graphc.compile(lambda x: np.cos(x), device=device)(np.array([6381956970095103 * 2.0**797])))
    np.testing.assert_allclose(found, -4.68716592425462761112e-19, rtol=1e-15, atol=0)


NUMBERS = (1.7976931348623157e308, 1.7e308, 1e-310, -5e-324, 4.9406564584124654e-320)


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_of_64_bits_in_a_program(number: float, device: Any, x64: None) -> None:
    """Also those that no literal can hold."""
    x = np.array([1.0, -1.0, 2.0])
    found = np.asarray(graphc.compile(lambda x: np.where(x > 0, number, x), device=device)(x))
    assert found.tobytes() == np.where(x > 0, number, x).tobytes()


def test_integers_of_64_bits_from_others(device: Any, x64: None) -> None:
    """Unsigned ones keep their values, and floats beyond the ends give the ends, as with 32 bits."""
    edges = np.array([0, 1, 2**31 - 1, 2**31, 2**32 - 1], np.uint32)
    signed = edges.astype(np.int32)
    wide = np.array([1e19, -1e19, np.nan, np.inf, -np.inf, 9.3e18, -(2.0**63), 1.5, -1.5, 2.0**53 + 2])

    def program(*arrays: Any) -> Any:
        return [a.astype(np.int64) for a in arrays]

    arrays = edges, signed, wide, wide.astype(np.float32)
    found = [np.asarray(a) for a in graphc.compile(program, device=device)(*arrays)]
    most = np.iinfo(np.int64)
    ends = [most.max, most.min, 0, most.max, most.min, most.max, most.min, 1, -1]
    np.testing.assert_array_equal(found[0], edges.astype(np.int64))
    np.testing.assert_array_equal(found[1], signed.astype(np.int64))
    np.testing.assert_array_equal(found[2], [*ends, 2**53 + 2])
    np.testing.assert_array_equal(found[3], [*ends, 2**53])
