"""Hand-written plans on a WebGPU device: results, buffers, donation, aliases, lifetimes."""

from __future__ import annotations

import gc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import wgpu

from graphc.errors import DeviceError, DTypeError, ShapeError
from graphc.plan.plan import Binding, Buffer, Dispatch, Kernel, Plan, Tensor
from graphc.runtime import asarray
from graphc.runtime.wgpu.executor import PlanRunner

ADD = """
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x < SIZEu) { out[id.x] = a[id.x] + b[id.x]; }
}
"""
DOUBLE = """
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x < SIZEu) { x[id.x] = x[id.x] * 2.0; }
}
"""


def dispatch(kernel: Any, bindings: Any, n: Any) -> Any:
    return Dispatch("", kernel, 0, (), (), "forward", bindings, (-(-n // 64), 1, 1), 0, 0, 0)


def tensor(name: Any, n: Any, buffer: Any, offset: Any = 0, dtype: Any = "f32") -> Any:
    return Tensor(name, (n,), dtype, buffer, offset, 4 * n, 0, 0)


def add_plan(n: Any, outputs: Any = (2,)) -> Any:
    """out = a + b, for vectors of n."""
    tensors = (tensor("a", n, 0), tensor("b", n, 1), tensor("out", n, 2))
    buffers = (Buffer("a", "input", 4 * n, 0), Buffer("b", "input", 4 * n, 1), Buffer("out", "output", 4 * n, 0))
    kernel = Kernel("add", ADD.replace("SIZE", str(n)), ("read", "read", "read_write"), "map")
    bound = (
        Binding(0, 0, 0, 4 * n, "read"),
        Binding(1, 1, 0, 4 * n, "read"),
        Binding(2, 2, 0, 4 * n, "read_write"),
    )
    return Plan(buffers, tensors, (kernel,), (dispatch(0, bound, n),), (0, 1), outputs, ())


def double_plan(n: Any) -> Any:
    """x is doubled in its own buffer, which the output takes over."""
    kernel = Kernel("double", DOUBLE.replace("SIZE", str(n)), ("read_write",), "map")
    bound = (Binding(0, 0, 0, 4 * n, "read_write"),)
    return Plan(
        (Buffer("x", "input", 4 * n, 0), Buffer("y", "input", 4 * n, 1)),
        (tensor("x", n, 0), tensor("y", n, 1)),
        (kernel,),
        (dispatch(0, bound, n),),
        (0, 1),
        (0, 1),
        (),
        donated=((0, 0),),
    )


def vectors(n: Any, seed: Any = 0) -> Any:
    rng = np.random.default_rng(seed)
    return rng.normal(size=n).astype(np.float32), rng.normal(size=n).astype(np.float32)


@pytest.mark.parametrize("n", [1, 63, 1000, 70_000])
def test_ndarrays_and_arrays_give_the_same_sum(device: Any, n: Any) -> None:
    run = PlanRunner(device.compiler, add_plan(n), [], {})
    a, b = vectors(n)
    for arguments in ([a, b], [asarray(a, device), b], [asarray(a, device), asarray(b, device)]):
        (out,) = run(arguments)
        np.testing.assert_array_equal(out.numpy(), a + b)


def test_results_feed_the_next_call(device: Any) -> None:
    run = PlanRunner(device.compiler, add_plan(500), [], {})
    a, b = vectors(500)
    x = asarray(a, device)
    for _ in range(20):
        (x,) = run([x, b])
    expected = a
    for _ in range(20):
        expected = expected + b
    np.testing.assert_allclose(x.numpy(), expected, rtol=1e-6)


def test_arguments_are_copied_at_the_call(device: Any) -> None:
    run = PlanRunner(device.compiler, add_plan(4096), [], {})
    a, b = vectors(4096)
    expected = a + b
    (out,) = run([a, b])
    a[:] = 0
    b[:] = 0
    np.testing.assert_array_equal(out.numpy(), expected)


def test_an_output_that_is_an_input_or_another_output_is_a_copy(device: Any) -> None:
    run = PlanRunner(device.compiler, add_plan(64, outputs=(2, 0, 2)), [], {0: "was donated"})
    a, b = vectors(64)
    out, same, again = run([asarray(a, device), b])
    np.testing.assert_array_equal(same.numpy(), a)
    np.testing.assert_array_equal(again.numpy(), out.numpy())
    assert len({out._content.uid, same._content.uid, again._content.uid}) == 3


def test_donated_buffer_becomes_the_output(device: Any) -> None:
    run = PlanRunner(device.compiler, double_plan(256), [], {0: "was donated"})
    a, b = vectors(256)
    x = asarray(a, device)
    uid = x._content.uid
    doubled, y = run([x, b])
    assert doubled._content.uid == uid
    np.testing.assert_array_equal(doubled.numpy(), 2 * a)
    np.testing.assert_array_equal(y.numpy(), b)
    with pytest.raises(DeviceError, match="donated"):
        x.numpy()
    with pytest.raises(DeviceError, match="donated"):
        run([x, b])


def test_an_array_that_is_donated_and_also_read_is_not_overwritten_for_its_reader(device: Any) -> None:
    run = PlanRunner(device.compiler, double_plan(256), [], {0: "was donated"})
    x = asarray(vectors(256)[0], device)
    host = x.numpy()
    doubled, y = run([x, x])
    np.testing.assert_array_equal(doubled.numpy(), 2 * host)
    np.testing.assert_array_equal(y.numpy(), host)


def test_a_donated_ndarray_is_left_alone(device: Any) -> None:
    run = PlanRunner(device.compiler, double_plan(256), [], {0: "was donated"})
    a, b = vectors(256)
    kept = a.copy()
    first, _ = run([a, b])
    second, _ = run([a, b])
    np.testing.assert_array_equal(a, kept)
    np.testing.assert_array_equal(first.numpy(), 2 * a)
    np.testing.assert_array_equal(second.numpy(), 2 * a)


def test_live_objects_stay_flat_over_500_calls(device: Any) -> None:
    run = PlanRunner(device.compiler, add_plan(1000), [], {})
    a, b = vectors(1000)
    x = asarray(a, device)

    def count() -> Any:
        gc.collect()
        report = wgpu.diagnostics.wgpu_native_counts.get_dict()
        return {k: report[k]["count"] for k in ("Buffer", "BindGroup", "ComputePipeline", "CommandBuffer")}

    for _ in range(10):
        (x,) = run([x, b])
        float(x[0])
    before = count()
    for _ in range(500):
        (x,) = run([x, b])
    float(x[0])
    after = count()
    assert all(after[k] <= before[k] + 2 for k in before), (before, after)


def test_wrong_shape_and_integer_too_large_are_refused(device: Any) -> None:
    run = PlanRunner(device.compiler, add_plan(4), [], {})
    with pytest.raises(ShapeError, match="input 1"):
        run([np.zeros(4, np.float32), np.zeros(5, np.float32)])
    with pytest.raises(DTypeError, match="does not fit"):
        asarray(np.array([2**40]), device)


def test_a_kernel_that_does_not_compile_is_a_device_error_naming_it(device: Any) -> None:
    plan = add_plan(4)
    broken = Kernel("broken", "fn main( {", ("read", "read", "read_write"), "map")
    with pytest.raises(DeviceError, match="kernel broken"):
        PlanRunner(device.compiler, replace(plan, kernels=(broken,)), [], {})
