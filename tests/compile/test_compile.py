"""compile: signatures, static and donated arguments, asynchronous results, checks, on both kinds of device."""

from __future__ import annotations

import gc
import logging
import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import wgpu

import graphc


@pytest.fixture(params=["wgpu", "numpy"])
def name(request: Any) -> Any:
    return request.param


def scaled_tanh(params: Any, x: Any) -> Any:
    h = np.tanh(x * params["scale"] + params["shift"])
    return {"sum": np.sum(h, axis=-1), "h": h}


PARAMS: dict[str, Any] = {"scale": np.float32(1.5), "shift": np.linspace(-1, 1, 8, dtype=np.float32)}
X = np.linspace(-2, 2, 32, dtype=np.float32).reshape(4, 8)


def test_pytrees_in_and_out(name: Any) -> None:
    result = graphc.compile(scaled_tanh, device=name)(PARAMS, X)
    expected = scaled_tanh(PARAMS, X)
    assert set(result) == {"sum", "h"}
    assert all(isinstance(v, graphc.Array) for v in result.values())
    np.testing.assert_allclose(result["h"], expected["h"], rtol=1e-5)
    np.testing.assert_allclose(result["sum"], expected["sum"], rtol=1e-5, atol=1e-6)


def test_keywords_none_and_dataclasses(name: Any) -> None:
    @dataclass
    class State:
        x: np.ndarray
        nothing: None = None

    def f(state: Any, *, gain: Any) -> Any:
        return State(state.x * gain), None

    out, nothing = graphc.compile(f, device=name)(State(X), gain=np.float32(3))
    assert nothing is None
    assert isinstance(out, State)
    np.testing.assert_array_equal(out.x, X * 3)


def test_one_signature_for_ndarrays_arrays_and_narrowed_types(name: Any) -> None:
    f = graphc.compile(lambda x: x + 1, device=name)
    f(X)
    f(graphc.asarray(X, device=name))
    f(X.astype(np.float64))
    f(f(X))
    assert len(f.signatures) == 1
    f(X[:2])
    f(X.astype(np.int32))
    assert len(f.signatures) == 3


def test_python_scalars_are_arguments_by_type(name: Any) -> None:
    f = graphc.compile(lambda x, s: x * s, device=name)
    for s in (2.0, 3.0, -1.5):
        np.testing.assert_array_equal(f(X, s), X * np.float32(s))
    assert len(f.signatures) == 1
    np.testing.assert_array_equal(f(X, 2), X * 2)
    np.testing.assert_array_equal(f(X, True), X)
    assert len(f.signatures) == 3
    assert f(np.arange(3), 2).dtype == np.int32


def test_a_python_integer_that_does_not_fit_is_refused(name: Any) -> None:
    f = graphc.compile(lambda x, s: x + s, device=name)
    f(np.arange(3), 1)
    with pytest.raises(graphc.DTypeError, match="does not fit"):
        f(np.arange(3), 2**40)


def test_static_arguments_are_compiled_in(name: Any) -> None:
    def f(x: Any, times: Any, mode: Any = "add") -> Any:
        for _ in range(times):
            x = x + x if mode == "add" else x * x
        return x

    for static in ((1, 2), ("times", "mode"), (1, "mode")):
        g = graphc.compile(f, device=name, static=static)
        np.testing.assert_array_equal(g(X, 2), X * 4)
        np.testing.assert_array_equal(g(X, 3), X * 8)
        np.testing.assert_array_equal(g(X, 1, mode="mul"), X * X)
        assert len(g.signatures) == 3
    with pytest.raises(graphc.TraceError, match="hashable"):
        graphc.compile(f, device=name, static=1)(X, [2])
    with pytest.raises(graphc.TraceError, match="static"):
        graphc.compile(f, device=name)(X, 2, mode="mul")


def test_options_that_name_no_argument() -> None:
    def f(x: Any, times: Any = 1, *, mode: str = "add") -> Any:
        return x * times

    unknown: tuple[dict[str, Any], ...] = ({"static": "nothing"}, {"donate": ["x", "nothing"]})
    for option in unknown:
        with pytest.raises(graphc.ArgumentError, match=r"f\(x, times, mode\) has no parameter nothing"):
            graphc.compile(f, **option)
    position: Any
    for position in (2, -3, 1.5):
        with pytest.raises(ValueError, match=f"no parameter at position {position}"):
            graphc.compile(f, donate=(position,))
    with pytest.raises(graphc.ArgumentError, match="'times' is both static and donated"):
        graphc.compile(f, static="times", donate=1)
    with pytest.raises(graphc.ArgumentError, match="no parameter x"):
        graphc.compile(lambda: 1, static="x")
    graphc.compile(lambda *rest, **named: rest[2], static=(7, "anything"))


def test_static_values_differ_by_type(name: Any) -> None:
    f = graphc.compile(lambda x, k: x * k, device=name, static="k")
    assert f(np.arange(3), 1).dtype == np.int32
    assert f(np.arange(3), 1.0).dtype == np.float32
    assert len(f.signatures) == 2


def test_retrace_is_logged_with_its_reason(name: Any, caplog: pytest.LogCaptureFixture) -> None:
    f = graphc.compile(scaled_tanh, device=name)
    with caplog.at_level(logging.INFO, logger="graphc"):
        f(PARAMS, X)
        assert not caplog.records
        f(PARAMS, X[:3])
        f({**PARAMS, "shift": PARAMS["shift"].astype(np.int32)}, X)
    texts = [record.getMessage() for record in caplog.records]
    assert len(texts) == 2
    assert "argument x is f32[3,8], was f32[4,8]" in texts[0]
    assert 'argument params["shift"] is i32[8], was f32[8]' in texts[1]


def test_donation_by_position_or_name(name: Any) -> None:
    def step(state: Any, x: Any) -> Any:
        return {k: v + x for k, v in state.items()}

    for donate in ((0,), "state"):
        f = graphc.compile(step, device=name, donate=donate)
        state = {"a": graphc.asarray(X, device=name), "b": graphc.asarray(2 * X, device=name)}
        x = graphc.asarray(X, device=name)
        new = f(state, x)
        np.testing.assert_array_equal(new["a"], 2 * X)
        np.testing.assert_array_equal(new["b"], 3 * X)
        np.testing.assert_array_equal(x, X)
        for old in state.values():
            for use in (old.numpy, old.item, old.is_ready, old.block_until_ready, old.__array__):
                with pytest.raises(graphc.DeviceError, match="donated"):
                    use()
        with pytest.raises(graphc.DeviceError, match="donated"):
            f(state, x)
        again = f(new, x)
        np.testing.assert_array_equal(again["b"], 4 * X)


def test_donated_training_reuses_its_buffers(device: Any) -> None:
    f = graphc.compile(lambda p, g: p - 0.5 * g, device=device, donate=0)
    p = graphc.asarray(X, device=device)
    uid = p._content.uid
    for _ in range(5):
        p = f(p, X)
        assert p._content.uid == uid
    np.testing.assert_allclose(p, X - 2.5 * X, rtol=1e-5)


def test_arguments_may_change_after_the_call(name: Any) -> None:
    big = np.ones((1000, 500), np.float32)
    small = np.ones(500, np.float32)
    f = graphc.compile(lambda a, b: a + b, device=name)
    out = f(big, small)
    big[:] = 7
    small[:] = 7
    np.testing.assert_array_equal(out, np.full((1000, 500), 2, np.float32))


def test_results_do_not_alias_arguments_constants_or_each_other(name: Any) -> None:
    constant = np.arange(4, dtype=np.float32)
    f = graphc.compile(lambda x: (x, x, x.reshape(-1), constant), device=name)
    source = np.ones((2, 2), np.float32)
    outs = f(source)
    source[:] = 5
    for out, expected in zip(outs, (np.ones((2, 2)), np.ones((2, 2)), np.ones(4), constant), strict=True):
        np.testing.assert_array_equal(out, expected)


def test_zero_size_and_no_results(name: Any) -> None:
    f = graphc.compile(lambda x: (x * 2, np.sum(x, axis=0)), device=name)
    doubled, total = f(np.zeros((0, 3), np.float32))
    assert doubled.shape == (0, 3)
    np.testing.assert_array_equal(total, np.zeros(3))
    assert graphc.compile(lambda x: None, device=name)(X) is None


def test_a_compiled_function_inside_another_is_inlined(name: Any) -> None:
    inner = graphc.compile(lambda x: x * 2, device=name)
    outer = graphc.compile(lambda x: inner(x) + 1, device=name)
    np.testing.assert_array_equal(outer(X), X * 2 + 1)
    assert len(inner.signatures) == 0


def test_lower_takes_specs_and_runs_nothing(name: Any) -> None:
    f = graphc.compile(scaled_tanh, device=name)
    specs = {"scale": graphc.spec(()), "shift": graphc.spec((8,))}
    executable = f.lower(specs, graphc.spec((4, 8)))
    assert executable.stages[0][0] == "traced"
    assert executable is f.lower(PARAMS, X)
    np.testing.assert_allclose(executable(PARAMS, X)["h"], scaled_tanh(PARAMS, X)["h"], rtol=1e-5)
    with pytest.raises(graphc.ShapeError, match="argument x"):
        executable(PARAMS, X[:2])
    with pytest.raises(graphc.DTypeError, match="argument x"):
        executable(PARAMS, X.astype(np.int32))
    with pytest.raises(graphc.ShapeError, match="compiled for arguments"):
        executable(PARAMS)


def test_unfused_and_default_agree(device: Any) -> None:
    fused = graphc.compile(scaled_tanh, device=device)
    unfused = graphc.compile(scaled_tanh, device=device, passes=())
    np.testing.assert_allclose(fused(PARAMS, X)["h"], unfused(PARAMS, X)["h"], rtol=1e-6)
    assert len(unfused.lower(PARAMS, X).plan.dispatches) >= len(fused.lower(PARAMS, X).plan.dispatches)


def test_memory_report_is_consistent(device: Any) -> None:
    def chain(x: Any) -> Any:
        for _ in range(6):
            x = np.sum(np.tanh(x), axis=0, keepdims=True) + x
        return x

    memory = graphc.compile(chain, device=device, passes=()).lower(X).memory
    assert 0 < memory.lower_bound_bytes <= memory.peak_bytes <= memory.naive_bytes
    for a in memory.lifetimes:
        assert a.start <= a.end
        for b in memory.lifetimes:
            together = a.start <= b.end and b.start <= a.end and a.arena == b.arena and a is not b
            assert not together or a.offset + a.size <= b.offset or b.offset + b.size <= a.offset
    live = max(
        sum(r.size for r in memory.lifetimes if r.start <= t <= r.end)
        for t in range(max(r.end for r in memory.lifetimes) + 1)
    )
    assert live == memory.lower_bound_bytes
    assert "peak" in str(memory)


def test_memory_limit(device: Any) -> None:
    def chain(x: Any) -> Any:
        return np.sum(np.tanh(x), axis=0) + np.sum(np.exp(x), axis=0)

    big = np.ones((64, 1024), np.float32)
    graphc.compile(chain, device=device, passes=(), memory_limit="64MiB")(big)
    with pytest.raises(graphc.MemoryLimitError, match="stand in the way"):
        graphc.compile(chain, device=device, passes=(), memory_limit=1000)(big)
    with pytest.raises(graphc.ArgumentError, match="no size"):
        graphc.compile(chain, memory_limit="lots")


def test_a_program_that_fits_is_what_it_is_without_a_limit(device: Any) -> None:
    def value(w: Any, x: Any) -> Any:
        for _ in range(4):
            x = np.tanh(np.sin(x) * np.cos(x @ w))
        return np.sum(x)

    slope = graphc.grad(value)
    arguments = graphc.spec((256, 256)), graphc.spec((512, 256))
    plain = graphc.compile(slope, device=device).lower(*arguments)
    need = plain.memory.peak_bytes + plain.memory.texture_bytes
    roomy, tight = (
        graphc.compile(slope, device=device, memory_limit=limit).lower(*arguments) for limit in (need, need - 1)
    )
    assert [d.kernel for d in roomy.plan.dispatches] == [d.kernel for d in plain.plan.dispatches]
    assert str(roomy.memory) == str(plain.memory)
    assert tight.memory.peak_bytes + tight.memory.texture_bytes < need


def test_explain_names_each_op_its_line_and_kernel(device: Any) -> None:
    executable = graphc.compile(scaled_tanh, device=device).lower(PARAMS, X)
    text = executable.explain()
    assert "tanh(" in text
    assert "test_compile.py:" in text
    assert all(kernel.name in text for kernel in executable.plan.kernels)
    unfused = graphc.compile(scaled_tanh, device=device, passes=()).lower(PARAMS, X).explain()
    assert unfused.count("not fused") == unfused.count("kernel ")


def test_check_passes_what_is_right(name: Any) -> None:
    f = graphc.compile(scaled_tanh, device=name, check=True)
    np.testing.assert_allclose(f(PARAMS, X)["h"], scaled_tanh(PARAMS, X)["h"], rtol=1e-5)
    f(PARAMS, X)


def test_check_lets_noise_and_ties_pass(name: Any) -> None:
    def f(x: Any, w: Any) -> Any:
        shares = np.exp(x) / np.sum(np.exp(x), axis=-1, keepdims=True)
        zero = np.sum(np.sum(shares, axis=-1) - 1, keepdims=True)  # nothing but rounding
        return zero, np.argmax(w @ w.T, axis=-1), (x @ w.T) * 1e-20

    rng = np.random.default_rng(0)
    graphc.compile(f, device=name, check=True)(rng.normal(size=(50, 7)), rng.normal(size=(20, 7)))


def test_check_names_the_wrong_pass_and_node(name: Any) -> None:
    def evil(graph: Any) -> Any:
        """Turns additions into subtractions."""
        from graphc.ops import by_name

        nodes = tuple(replace(n, op=by_name("sub")) if n.op.name == "add" else n for n in graph.nodes)
        return replace(graph, nodes=nodes)

    first = graphc.passes.DEFAULT[0]
    f = graphc.compile(scaled_tanh, device=name, check=True, passes=(first, evil, *graphc.passes.DEFAULT[1:]))
    with pytest.raises(graphc.MiscompileError) as caught:
        f(PARAMS, X)
    assert "evil" in str(caught.value)
    assert "sub(" in str(caught.value)
    assert "test_compile.py:" in str(caught.value)
    with pytest.raises(graphc.MiscompileError):
        f(PARAMS, X)


def looped(x: Any) -> Any:
    return graphc.scan(lambda c, row: (np.sum(c * row) + c, np.max(c) - np.min(row)), np.ones_like(x[0]), x)


def test_check_names_the_node_in_the_body_of_a_loop(name: Any) -> None:
    def evil(graph: Any) -> Any:
        """x - y becomes y - x, in the loop, where x and y are not the same."""
        nodes = tuple(replace(n, inputs=n.inputs[::-1]) if n.op.name == "sub" else n for n in graph.nodes)
        return replace(graph, nodes=nodes)

    passes = (*graphc.passes.DEFAULT[:3], evil, *graphc.passes.DEFAULT[3:])
    with pytest.raises(graphc.MiscompileError) as caught:
        graphc.compile(looped, device=name, check=True, passes=passes)(X)
    text = str(caught.value)
    assert re.search(r"first wrong pass: evil\n  first wrong node: .* = sub\(.*\n  in step 0 of 4 of the scan", text)


def test_an_array_of_another_device_is_copied() -> None:
    f = graphc.compile(lambda x: x + 1, device="wgpu")
    np.testing.assert_array_equal(f(graphc.asarray(X, device="numpy")), X + 1)
    g = graphc.compile(lambda x: x + 1, device="numpy")
    np.testing.assert_array_equal(g(graphc.asarray(X, device="wgpu")), X + 1)


def test_live_objects_stay_flat_over_500_calls(device: Any) -> None:
    f = graphc.compile(scaled_tanh, device=device)
    shift = graphc.asarray(PARAMS["shift"], device=device)

    def call() -> Any:
        out = f({"scale": 1.5, "shift": shift}, X)
        return float(out["sum"][0])

    def count() -> Any:
        gc.collect()
        report = wgpu.diagnostics.wgpu_native_counts.get_dict()
        return {k: report[k]["count"] for k in ("Buffer", "BindGroup", "ComputePipeline", "CommandBuffer")}

    for _ in range(10):
        call()
    before = count()
    for _ in range(500):
        call()
    after = count()
    assert all(after[k] <= before[k] + 2 for k in before), (before, after)


def test_failed_compilation_leaves_no_signature(name: Any) -> None:
    f = graphc.compile(lambda x: float(x), device=name)
    with pytest.raises(graphc.TraceError):
        f(np.float32(1))
    assert len(f.signatures) == 0


def test_indices_out_of_range_among_the_arguments_are_refused(name: Any) -> None:
    table = np.arange(12, dtype=np.float32).reshape(4, 3)
    f = graphc.compile(lambda table, ids: np.take(table, ids.reshape(-1), axis=0) * 2, device=name)
    np.testing.assert_array_equal(f(table, np.array([[0, -1], [3, -4]])), table[[0, -1, 3, -4]] * 2)
    for bad in (4, -5):
        with pytest.raises(graphc.IndexRangeError, match=f"argument ids: index {bad} .* axis of 4") as caught:
            f(table, np.array([0, bad]))
        assert "test_compile.py:" in str(caught.value)
        with pytest.raises(graphc.IndexRangeError, match=f"argument ids: index {bad} "):
            f(table, graphc.asarray(np.array([0, bad]), name))


def test_indices_out_of_range_that_the_host_has_not_seen(name: Any) -> None:
    """NumPy raises, and so does the first call where it is checked against NumPy; else reading a result does."""
    table = np.arange(12, dtype=np.float32).reshape(4, 3)
    shift = graphc.compile(lambda ids: ids + 2, device=name)
    f = graphc.compile(lambda table, ids: (np.take(table, ids, axis=0) * 2, np.sum(table[ids, ids])), device=name)
    rows, total = f(table, shift(np.array([0, -1])))
    np.testing.assert_array_equal(rows, table[[2, 1]] * 2)
    assert float(total) == table[2, 2] + table[1, 1]
    wrong = shift(np.array([0, 2, -7]))
    checked = graphc.compile(lambda table, ids: np.take(table, ids, axis=0), device=name, check=True)
    with pytest.raises(graphc.IndexRangeError, match=r"index (4|-5) is out of range for an axis of 4"):
        np.asarray(checked(table, wrong))
    with pytest.raises(
        graphc.IndexRangeError, match=r"index (4|-5) is out of range for an axis of 4[^$]*\n  at  test_c"
    ):
        np.asarray(f(table, wrong)[0])


def test_labels_out_of_range_are_refused(name: Any) -> None:
    step = graphc.compile(graphc.value_and_grad(graphc.nn.cross_entropy), device=name)
    logits = np.zeros((2, 5), np.float32)
    step(logits, np.array([0, 4]))
    with pytest.raises(graphc.IndexRangeError, match="argument labels: index 5"):
        step(logits, np.array([0, 5]))


def broken(change: Any) -> Any:
    """`lower` with every plan changed by `change`."""
    from graphc.lower import lower

    return lambda *args, **options: change(lower(*args, **options))


def test_check_names_the_node_whose_kernel_is_wrong(device: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def change(plan: Any) -> Any:
        products = re.compile(r"\((v\d+) \* (v\d+)\)")
        kernels = tuple(replace(k, wgsl=products.sub(r"(\1 * \2 * 1.5)", k.wgsl)) for k in plan.kernels)
        assert kernels != plan.kernels
        return replace(plan, kernels=kernels)

    monkeypatch.setattr("graphc.executable.lower", broken(change))
    monkeypatch.setattr("graphc.inspect.check.lower", broken(change))
    f = graphc.compile(lambda x, y: np.sum(x, axis=0) * np.max(y, axis=0), device=device, passes=(), check=True)
    with pytest.raises(graphc.MiscompileError, match=r"pass: lower\n.*mul\("):
        f(X, X + 1)
    loop = graphc.compile(looped, device=device, check=True)
    with pytest.raises(graphc.MiscompileError, match="in step 0 of 2 of the scan  # test_compile") as caught:
        loop(X)
    assert "mul(" in str(caught.value)
    assert "scan(" not in str(caught.value)


def test_check_blames_memory_where_tensors_overlap(device: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def change(plan: Any) -> Any:
        arenas = {n for n, b in enumerate(plan.buffers) if b.kind == "arena"}
        dispatches = tuple(
            replace(d, bindings=tuple(replace(b, offset=0) if b.buffer in arenas else b for b in d.bindings))
            for d in plan.dispatches
        )
        return replace(plan, dispatches=dispatches)

    monkeypatch.setattr("graphc.executable.lower", broken(change))
    monkeypatch.setattr("graphc.inspect.check.lower", broken(change))

    def f(x: Any) -> Any:
        low, high = np.sum(x, axis=0), np.sum(x * 2, axis=0)
        return np.tanh(low) - np.tanh(high)

    with pytest.raises(graphc.MiscompileError, match="pass: memory"):
        graphc.compile(f, device=device, passes=(), check=True)(X)


def test_a_dropped_program_gives_its_memory_back(device: Any) -> None:
    def use() -> Any:
        x = np.ones((300, 100), np.float32)
        f = graphc.compile(lambda x: np.tanh(x).T @ np.exp(x), device=device)
        return float(f(x)[0, 0])

    use()
    gc.collect()  # what earlier tests left in cycles
    device.pool.collect()
    before, free = device.pool.in_use_bytes, device.pool.free_bytes
    for _ in range(5):
        use()
    device.pool.collect()
    assert device.pool.in_use_bytes == before
    assert device.pool.free_bytes == free
