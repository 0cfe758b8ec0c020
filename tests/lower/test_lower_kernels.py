"""Kernels of the map, row and column families on the device, against NumPy, for several ways of laying them out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from graphc.codegen.rules import rules_of
from graphc.errors import DeviceError
from graphc.families.column.kernel import layout_of as column_layout
from graphc.families.row.kernel import grouped, layout_of
from graphc.ir.graph import Graph
from graphc.ir.types import bool_, f16, i32
from graphc.lower import lower
from graphc.ops import OPS
from graphc.plan.plan import Target
from tests.support.lowering import Body, as_kernel, check, one_op, targets

LOWERED = [name for name, op in OPS.items() if "structured" not in op.traits]
TARGETS = ["own", "no subgroups", "gpu", "small grid"]


@pytest.mark.parametrize("name", LOWERED)
def test_every_case_of_every_op(device: Any, name: Any) -> None:
    for case in OPS[name].cases():
        arrays = [np.asarray(a) for a in case.inputs]
        graph = one_op(name, arrays, case.attrs)
        for target in list(targets(device).values())[:2]:
            check(device, graph, target, arrays, case.rtol, case.atol)


def softmax(*shape: int, causal: bool = False) -> Graph:
    b = Body()
    last = len(shape) - 1
    s = b("mul", b.tensor(*shape), 0.125)
    if causal:
        rows = b("iota", shape=shape[-2:], axis=0, dtype=i32)
        columns = b("iota", shape=shape[-2:], axis=1, dtype=i32)
        s = b("where", b("ge", rows, columns), s, float("-inf"))
    e = b("exp", b("sub", s, b("max", s, axes=(last,), keepdims=True)))
    return b.build([b("div", e, b("sum", e, axes=(last,), keepdims=True))])


SHAPES = [
    (3, 5),
    (7, 16),
    (4, 27),
    (2, 3, 64),
    (5, 100),
    (3, 1000),
    (2, 1001),
    (3, 2048),
    (1, 1),
    (70000, 4),
    (2, 5003),
]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("shape", SHAPES)
def test_softmax_in_one_kernel(device: Any, shape: Any, target: Any) -> None:
    plan = check(device, as_kernel(softmax(*shape), "row"), targets(device)[target])
    assert len(plan.dispatches) == 1


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("size", [4, 16, 31, 64])
def test_causal_softmax(device: Any, size: Any, target: Any) -> None:
    check(device, as_kernel(softmax(2, 3, size, size, causal=True), "row"), targets(device)[target])


def test_softmax_propagates_nan_and_infinity(device: Any) -> None:
    arrays = [np.array([[0, 1, 2, np.nan], [0, np.inf, 1, 1], [-np.inf, 0, 1, 2], [9e37, 0, 1, 2]], np.float32)]
    for target in targets(device).values():
        check(device, as_kernel(softmax(4, 4), "row"), target, arrays)


def layer_norm(*shape: int) -> Graph:
    """Outputs: the normalised rows, and mean and 1/deviation of each row."""
    b = Body()
    x, gain, bias = b.tensor(*shape), b.tensor(shape[-1]), b.tensor(shape[-1])
    axes = (len(shape) - 1,)
    mean = b("mean", x, axes=axes, keepdims=True)
    d = b("sub", x, mean)
    scale = b("rsqrt", b("add", b("mean", b("mul", d, d), axes=axes, keepdims=True), 1e-5))
    return b.build([b("add", b("mul", b("mul", d, scale), gain), bias), mean, scale])


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("shape", [(4, 16), (6, 37), (2, 3, 384), (2, 3, 1030), (65, 8)])
def test_layer_norm_in_one_kernel(device: Any, shape: Any, target: Any) -> None:
    check(device, as_kernel(layer_norm(*shape), "row"), targets(device)[target])


def cross_entropy(rows: int, classes: int) -> Graph:
    """Outputs: loss, position of the maximum and probabilities; reads the row at a computed position."""
    b = Body()
    x, labels = b.tensor(rows, classes), b.tensor(rows, dtype=i32)
    d = b("sub", x, b("max", x, axes=(1,), keepdims=True))
    e = b("exp", d)
    z = b("sum", e, axes=(1,), keepdims=True)
    log_p = b("sub", d, b("log", z))
    picked = b("take_along_axis", log_p, b("reshape", labels, shape=(rows, 1)), axis=1)
    loss = b("neg", b("reshape", picked, shape=(rows,)))
    return b.build([loss, b("argmax", x, axes=(1,), keepdims=False), b("div", e, z)])


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("rows", "classes"), [(16, 27), (5, 256), (3, 1001), (7, 5)])
def test_cross_entropy_in_one_kernel(device: Any, rows: Any, classes: Any, target: Any) -> None:
    check(device, as_kernel(cross_entropy(rows, classes), "row"), targets(device)[target])


@pytest.mark.parametrize("length", [1, 3, 8, 27, 64, 257, 1024, 3000])
@pytest.mark.parametrize("name", ["argmax", "argmin", "max", "min"])
def test_extremes_take_the_first_of_equals_and_the_first_nan(device: Any, name: Any, length: Any) -> None:
    rng = np.random.default_rng(length)
    x = rng.integers(-3, 4, (6, length)).astype(np.float32)
    x[1] = -np.inf
    x[2] = np.inf
    x[3, rng.integers(length, size=3)] = np.nan
    x[4] = np.nan
    for axes, array in (((1,), x), ((0,), np.ascontiguousarray(x.T))):
        graph = one_op(name, [array], {"axes": axes, "keepdims": False})
        for target in targets(device).values():
            check(device, graph, target, [array], 0, 0)


@pytest.mark.parametrize("length", [1, 5, 32, 100, 1000])
def test_bool_reductions_are_any_and_all(device: Any, length: Any) -> None:
    rng = np.random.default_rng(length)
    x = rng.random((9, length)) < np.linspace(0, 1, 9)[:, None]
    for name in ("max", "min"):
        for target in targets(device).values():
            check(device, one_op(name, [x], {"axes": (1,), "keepdims": False}), target, [x])
            check(device, one_op(name, [x.T.copy()], {"axes": (0,), "keepdims": False}), target, [x.T.copy()])


def column(shape: tuple[int, ...], axes: tuple[int, ...], first: str) -> Graph:
    """Two reductions of one shape in one kernel, with pointwise ops before and after."""
    b = Body()
    x, y = b.tensor(*shape), b.tensor(*shape)
    product = b("mul", x, y)
    outputs = [b(first, product, axes=axes, keepdims=False), b("sum", x, axes=axes, keepdims=False)]
    outputs[1] = b("mul", outputs[1], 0.5)
    return b.build(outputs)


COLUMNS = [
    ((5, 3), (0,)),
    ((1024, 384), (0,)),
    ((16, 16, 64), (0, 1)),
    ((4, 7, 12), (1,)),
    ((4, 7, 13), (1,)),
    ((3, 5, 7, 9), (0, 2)),
    ((3, 70000), (0,)),
    ((0, 5), (0,)),
]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("shape", "axes"), COLUMNS)
def test_columns(device: Any, shape: Any, axes: Any, target: Any) -> None:
    check(device, as_kernel(column(shape, axes, "sum"), "column"), targets(device)[target], atol=1e-4)
    if len(axes) == 1 and shape[0]:
        check(device, as_kernel(column(shape, axes, "argmax"), "column"), targets(device)[target], atol=1e-4)


@pytest.mark.parametrize("dtype", ["bool", "uint32", "int32"])
def test_positions_of_integers_and_bools(device: Any, dtype: Any) -> None:
    """The accumulator of a bool is u32, as positions are: they must not share memory."""
    x = np.random.default_rng(3).integers(0, 2, (90, 400)).astype(dtype)
    for name in ("argmax", "argmin"):
        for axis in (0, 1):
            graph = one_op(name, [x], {"axes": (axis,), "keepdims": False})
            for target in targets(device).values():
                check(device, graph, target, [x])


def test_a_gpu_shares_out_the_terms_of_a_column() -> None:
    gpu, cpu = Target(), Target(software=True)
    assert column_layout(96, 1024, cpu).down == 1
    wide = column_layout(96, 1024, gpu)
    assert (wide.down, wide.across * wide.down) == (16, 256)
    assert column_layout(96, 4, gpu).down == 1
    assert column_layout(1 << 20, 1024, gpu).down == 1
    small = column_layout(96, 1024, Target(max_invocations=64))
    assert small.across * small.down <= 64


def mapped(*shape: int) -> dict[str, Graph]:
    """Map kernels: pointwise, transposed, with two outputs of different types."""
    found = {}
    for kind in ("pointwise", "transposed", "two outputs", "both ways"):
        b = Body()
        x, y = b.tensor(*shape), b.tensor(shape[-1])
        t = b("tanh", b("add", b("mul", x, y), 1.0))
        if kind == "transposed":
            t = b("transpose", t, perm=tuple(reversed(range(len(shape)))))
        elif kind == "both ways":
            t = b("add", t, b("flip", x, axes=(len(shape) - 1,)))
        found[kind] = b.build([t, b("gt", t, x)] if kind == "two outputs" else [t])
    return found


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("shape", [(3,), (1,), (7, 13), (128, 64), (17, 5, 4), (300, 700)])
def test_maps(device: Any, shape: Any, target: Any) -> None:
    for body in mapped(*shape).values():
        check(device, as_kernel(body, "map"), targets(device)[target])


def test_a_tensor_read_as_vectors_and_as_scalars_is_declared_as_scalars(device: Any) -> None:
    plan = lower(as_kernel(mapped(8, 16)["both ways"], "map"), device.target)
    assert "x0: array<f32>" in plan.kernels[0].wgsl
    plan = lower(as_kernel(mapped(8, 16)["pointwise"], "map"), device.target)
    assert "x0: array<vec4<f32>>" in plan.kernels[0].wgsl


def test_more_workgroups_than_a_dimension_holds(device: Any) -> None:
    """70,001 rows of a workgroup each are folded into y."""
    b = Body()
    x = b.tensor(70001, 9)
    graph = as_kernel(b.build([b("max", x, axes=(1,), keepdims=False)]), "row")
    plan = check(device, graph, device.target)
    assert plan.dispatches[0].workgroups[0] <= 65535
    b = Body()
    graph = as_kernel(b.build([b("sum", b.tensor(70001, 36), axes=(1,), keepdims=False)]), "row")
    plan = check(device, graph, device.target)
    assert plan.dispatches[0].workgroups[1] == 2


@pytest.mark.parametrize("limit", [1024, 1536])
def test_tensors_larger_than_a_binding_are_bound_as_windows(device: Any, limit: Any) -> None:
    base = targets(device)
    for name in ("own", "no subgroups"):
        target = replace(base[name], max_binding_bytes=limit)
        for shape in ((16, 32), (13, 50), (20, 30)):
            for kind in ("pointwise", "transposed"):
                plan = check(device, as_kernel(mapped(*shape)[kind], "map"), target)
                assert any("load_x0" in k.wgsl for k in plan.kernels)
                assert all(b.nbytes <= limit for d in plan.dispatches for b in d.bindings)
        check(device, as_kernel(softmax(8, 64), "row"), target)
        check(device, as_kernel(softmax(8, 61), "row"), target)


def test_too_many_bindings_is_an_error_that_names_the_kernel_and_the_counts() -> None:
    body = softmax(80, 64)
    with pytest.raises(DeviceError, match=r"row_.* needs 40 storage buffers.* binds 8"):
        lower(as_kernel(body, "row"), Target(max_binding_bytes=1024))


def test_half_precision_needs_the_feature(device: Any) -> None:
    graph = one_op("add", [np.ones(5, np.float16)] * 2, {})
    with pytest.raises(DeviceError, match="f16"):
        lower(graph, Target())
    if "shader-f16" in device.target.features:
        check(device, graph, device.target)
        b = Body()
        total = b("sum", b.tensor(3, 100, dtype=f16), axes=(1,), keepdims=False)
        check(device, b.build([total]), device.target, rtol=2e-3)


@pytest.mark.parametrize(
    "value", [np.nan, np.inf, -np.inf, -0.0, 1e-45, 3.4028234e38, -3.4028234e38, 1e-38, 0.1, 16777217]
)
def test_float_literals_are_exact(device: Any, value: Any) -> None:
    b = Body()
    x = b.tensor(5)
    zero = np.zeros(5, np.float32)
    graph = as_kernel(b.build([b("where", b("eq", x, x), float(value), x)]), "map")
    plan = lower(graph, device.target)
    runner = device.prepare(graph, plan, frozenset())
    got = np.asarray(runner([zero])[0])
    expected = np.full(5, value, np.float32)
    if abs(value) < 1e-40 and value:  # a device may flush subnormal numbers to zero
        assert np.all((got == expected) | (got == 0))
    else:
        assert got.tobytes() == expected.tobytes()
    assert "3.4028" not in plan.kernels[0].wgsl


def test_integer_literals_at_the_ends(device: Any) -> None:
    b = Body()
    x = b.tensor(3, dtype=i32)
    ends = [b.constant(np.int32(v)) for v in (-(2**31), 2**31 - 1)]
    graph = as_kernel(b.build([b("maximum", b("minimum", x, ends[0]), ends[0]), b("add", x, ends[1])]), "map")
    check(device, graph, device.target)


def test_layouts_of_rows() -> None:
    """Short rows take a thread, others a subgroup; very long ones on a GPU a workgroup."""
    gpu = Target(subgroup=32)
    assert layout_of(16, gpu).team == "thread"
    assert layout_of(384, gpu).team == "subgroup"
    assert layout_of(384, gpu).unrolled
    assert layout_of(50000, gpu).team == "workgroup"
    assert layout_of(384, Target()).team == "workgroup"
    assert layout_of(27, gpu).masked(0, 27)
    assert not layout_of(256, gpu).masked(1, 256)


def test_a_gpus_workgroup_has_several_rows_where_there_are_many() -> None:
    gpu = Target(subgroup=32)
    layout = layout_of(384, gpu)
    assert grouped(layout, 98304, gpu).each == 4
    assert grouped(layout, 98302, gpu).each == 2  # a subgroup must not end early
    assert grouped(layout, 98303, gpu).each == 1
    assert grouped(layout, 512, gpu).each == 1
    assert grouped(layout_of(50000, gpu), 98304, gpu).each == 1
    assert grouped(layout_of(384, software := Target(subgroup=8, software=True)), 98304, software).each == 1


@pytest.mark.parametrize("rows", [4096, 4100, 4102, 4101])
def test_several_rows_of_a_workgroup(device: Any, rows: int) -> None:
    target = replace(device.target, software=False)
    graph = as_kernel(softmax(rows, 96), "row")
    (dispatch,) = lower(graph, target).dispatches
    most = rules_of(target).row_threads // max(target.subgroup, 1)
    each = next(n for n in (8, 4, 2, 1) if n <= most and rows % n == 0) if target.subgroup else 1
    assert dispatch.workgroups[0] * each == rows
    check(device, graph, target)


@pytest.mark.parametrize("length", [2500, 4096, 4099, 9000])
@pytest.mark.parametrize("subgroups", [True, False])
def test_workgroups_that_share_a_row(device: Any, length: int, subgroups: bool) -> None:
    """On a GPU the lanes of each subgroup are joined first; without subgroups all of the workgroup's in a tree."""
    own = device.target
    target = replace(own, software=False, subgroup=own.subgroup if subgroups else 0)
    graph = as_kernel(softmax(3, length), "row")
    (kernel,) = lower(graph, target).kernels
    layout = layout_of(length, target, 32)
    assert layout.team == "workgroup"
    joined = subgroups and own.subgroup > 0 and 2 <= layout.lanes // own.subgroup <= 32
    levels = layout.lanes.bit_length() - 1
    assert kernel.wgsl.count("workgroupBarrier") == (4 if joined else 2 * (levels + 2))
    assert ("subgroup" in kernel.needs) == joined
    check(device, graph, target)
    b = Body()
    extremes = as_kernel(b.build([b("argmax", b.tensor(3, length), axes=(1,), keepdims=False)]), "row")
    check(device, extremes, target)


def test_bool_tensors_are_stored_as_words(device: Any) -> None:
    b = Body()
    x = b.tensor(6, 8, dtype=bool_)
    graph = b.build([b("not", x), b("transpose", x, perm=(1, 0)), b("cast", x, dtype=i32)])
    check(device, graph, device.target)
