"""quick: launches that compile sooner stand in for a plan's own, and give the same bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn, random, tree
from graphc.analysis.loops import flatten
from graphc.codegen.emit import Emitter
from graphc.codegen.inplace import in_place
from graphc.codegen.kernel import Bindings, KernelSource, Operand
from graphc.ir.graph import Graph, evaluate, new_value
from graphc.ir.index import Idx, Index
from graphc.ir.types import TensorType, f32
from graphc.kernels.code import ENTRY, SIZED, Code
from graphc.lower import effort, lower
from graphc.lower import quick as quick_module
from graphc.lower.begun import Begun
from graphc.lower.declare import module, rolled
from graphc.lower.effort import seconds
from graphc.lower.family import kernels_of
from graphc.models import MODELS, train
from graphc.passes import DEFAULT, run
from graphc.passes.pipeline import informed
from graphc.plan.plan import Plan, Quick, Target
from graphc.plan.verify import check_plan
from graphc.reference import run_plan
from graphc.tracing.trace import trace
from tests.support.bits import bits
from tests.support.planning import model_step
from tests.support.systems import CASES, Case

SOFTWARE = Target("software", subgroup=8, software=True, features=frozenset({"subgroup"}))
SPECIAL = np.array([0.0, -0.0, 1.5, -3.0, np.inf, -np.inf, np.nan, 1e-38, -1e38], np.float32)


@pytest.fixture(autouse=True)
def _always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that are compiled soon enough have no other launches."""
    monkeypatch.setattr(quick_module, "LEAST", -np.inf)


def array(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def special(*shape: int) -> Any:
    """Numbers among which each special value stands, zeros of both signs most often."""
    generator = np.random.default_rng(sum(shape))
    drawn = generator.choice(SPECIAL, shape, p=[0.3, 0.3, 0.1, 0.1, 0.04, 0.04, 0.04, 0.04, 0.04])
    return np.where(generator.random(shape) < 0.5, drawn, -np.float32(0)).astype(np.float32)


def products(a: Any, b: Any) -> Any:
    """Operands read along each of their axes, with and without an epilogue, vectors and odd sizes."""
    return a @ b, np.tanh(a @ b.T), a.T @ b, a.T @ b.T, (a @ b) * 2 + a, a[:, :1] @ b[:1], np.maximum(a @ b[:, :3], 0)


def sums(a: Any, b: Any) -> Any:
    """Sums of a few terms, which compilers write out, and of many."""
    few, many = a.reshape(-1, 8, a.shape[1]), a.reshape(-1)
    norm = (a - np.mean(a, axis=-1, keepdims=True)) / np.sqrt(np.var(a, axis=-1, keepdims=True) + 1e-5)
    return np.sum(few, axis=1), np.max(few, axis=1), np.sum(b, axis=0), np.argmax(b, axis=1), norm * b, np.sum(many)


def rows(x: Any, y: Any) -> Any:
    """Rows of a few items a lane: sums, extremes, positions, results in the bytes of operands, reversed rows."""
    shared = nn.softmax(x * 2) + x
    norm = nn.layer_norm(x + y, y[0], y[1]) + nn.rms_norm(x, y[2])
    turned = (x - np.max(x, axis=-1, keepdims=True)) * np.flip(x, axis=-1)
    kept = np.sum(x, axis=-1), np.prod(1 + y * 0.01, axis=-1), np.argmax(x, axis=-1), np.min(y, axis=-1)
    return shared, norm, turned, *kept, np.sum(x == 0, axis=-1), np.sum(-np.abs(y) * 0, axis=-1)


def normed(x: Any, w: Any, g: Any) -> Any:
    """Norms between products, and their gradients: each takes over the bytes of what it norms."""

    def loss(w: Any, g: Any) -> Any:
        h = x
        for _ in range(2):
            h = h + nn.gelu(nn.layer_norm(h, g[0], g[1]) @ w)
        return np.mean(nn.layer_norm(h, g[0], g[1]) ** 2)

    return graphc.value_and_grad(loss, argnums=(0, 1))(w, g)


def long_sums(a: Any, b: Any) -> Any:
    return np.tanh(a.T @ b), np.sum(a * b, axis=0)


def layer(x: Any, w: Any, v: Any) -> Any:
    """Gradients of two weights with their updates: kernels side by side, in place where the arguments are donated."""

    def loss(p: Any) -> Any:
        return np.mean(nn.gelu(x @ p[0]) @ p[1])

    value, (dw, dv) = graphc.value_and_grad(loss)((w, v))
    return value, w - 0.1 * dw, v - 0.1 * dv


def perceptron(x: Any, w: Any, b: Any, v: Any) -> Any:
    """Beside a product that reads the hidden layer from a texture, another one takes over the layer's bytes."""

    def loss(p: Any) -> Any:
        return np.mean((nn.relu(x @ p[0] + p[1]) @ p[2]) ** 2)

    return graphc.value_and_grad(loss)((w, b, v))


def attend(q: Any, k: Any, v: Any) -> Any:
    return nn.attention(q, k, v, causal=True)


def attend_gradient(q: Any, k: Any, v: Any) -> Any:
    return graphc.value_and_grad(lambda *a: np.sum(nn.attention(*a, causal=True) ** 2), argnums=(0, 1, 2))(q, k, v)


def dropped(key: Any, q: Any, k: Any, v: Any) -> Any:
    """Attention whose weights are dropped at random, and its gradient."""

    def total(q: Any) -> Any:
        scores = q @ np.swapaxes(k, -1, -2) * 0.25
        seen = np.where(np.tril(np.ones_like(scores, dtype=np.bool_)), scores, -1e30)
        return np.sum((nn.dropout(key, nn.softmax(seen), 0.3) @ v) ** 2)

    return graphc.value_and_grad(total)(q)


def looped(x: Any, w: Any) -> Any:
    def step(h: Any, row: Any) -> tuple[Any, Any]:
        h = np.tanh(h @ w + row)
        return h / np.sum(h * h, axis=-1, keepdims=True), np.max(h)

    return graphc.scan(step, x, np.stack([x * k for k in range(9)]))


def steps(x: Any, w: Any) -> Any:
    """A recurrence written out, over the first axis, with its gradient."""

    def total(w: Any) -> Any:
        h = np.zeros(x.shape[1:], np.float32)
        for t in range(x.shape[0]):
            h = np.tanh(x[t] @ w + h)
        return np.sum(h * h)

    return graphc.value_and_grad(total)(w)


def strided_steps(x: Any, w: Any) -> Any:
    """Slices along the second axis, from steps before too, with steps of their own, and of what is read whole."""
    h = w * np.float32(0.5)
    for t in range(1, x.shape[1] - 1):
        h = np.sin(h + x[:, t] * x[:, t - 1] - x[:, x.shape[1] - t]) + np.sum(w[t % len(w) :: 2, t % 4])
    return h, x * 2, np.sum(np.split(w, len(w))[3] + w, axis=0)


HEADS = (array(2, 3, 37, 16), array(2, 3, 41, 16), array(2, 3, 41, 20))
PROGRAMS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "products": (products, (array(40, 40), array(40, 40))),
    "odd products": (products, (array(37, 37), array(37, 37))),
    "special products": (products, (special(24, 24), special(24, 24))),
    "large products": (products, (array(256, 256), array(256, 256))),
    "sums": (sums, (array(64, 32), array(64, 32))),
    "special sums": (sums, (special(64, 32), special(64, 32))),
    "rows": (rows, (array(9, 256), array(9, 256))),
    "rows with a rest": (rows, (array(9, 300), array(9, 300))),
    "rows of odd sizes": (rows, (array(9, 61), array(9, 61))),
    "special rows": (rows, (special(64, 128), special(64, 128))),
    "norms": (normed, (array(32, 128), array(128, 128), array(2, 128))),
    "long sums": (long_sums, (array(20000, 8), array(20000, 8))),
    "layer": (layer, (array(48, 32), array(32, 64), array(64, 24))),
    "large perceptron": (perceptron, (array(512, 64), array(64, 256), array(256), array(256, 64))),
    "attention": (attend, HEADS),
    "attention gradient": (attend_gradient, HEADS),
    "large attention": (attend_gradient, tuple(array(4, 2, 128, 64) for _ in range(3))),
    "dropout": (dropped, (random.key(3), *(array(2, 3, 37, 16) for _ in range(3)))),
    "steps": (steps, (array(9, 8, 16), array(16, 16))),
    "steps of odd sizes": (steps, (array(9, 5, 13), array(13, 13))),
    "strided steps": (strided_steps, (array(4, 17, 64), array(4, 64))),
    "loop": (looped, (array(8, 8), array(8, 8))),
}


def planned(fn: Callable[..., Any], arguments: tuple[Any, ...], target: Target) -> tuple[Graph, Plan, Quick]:
    graph = run(trace(fn, *arguments), informed(DEFAULT, target))
    plan = lower(graph, target)
    assert plan.quick is not None
    return graph, plan, plan.quick


def run_on(device: Any, graph: Graph, plan: Plan, arrays: list[Any]) -> list[Any]:
    runner = device.prepare_plan(plan, list(flatten(graph).graph.constants.values()), frozenset())
    return [np.asarray(a) for a in runner(arrays)]


def module_text(source: KernelSource) -> str:
    return module(source, ["read" if o.access == "read" else "read_write" for o in source.operands]).wgsl


def compared(fn: Callable[..., Any], arguments: tuple[Any, ...], device: Any) -> None:
    """Both ways give the same bits. A GPU starts with its own kernels, and has but one."""
    if device.target.software:
        graph, plan, quick = planned(fn, arguments, device.target)
        arrays = [np.asarray(a) for a in tree.leaves(arguments)]
        own, other = (run_on(device, graph, way, arrays) for way in (plan, quick.plan))
        assert len(own) > 0
        assert [bits(a) for a in own] == [bits(b) for b in other]
    else:
        graph = run(trace(fn, *arguments), informed(DEFAULT, device.target))
        assert lower(graph, device.target).quick is None


@pytest.mark.parametrize("name", PROGRAMS)
def test_both_ways_give_the_same_bits(name: str, device: Any) -> None:
    compared(*PROGRAMS[name], device)


@pytest.mark.parametrize("name", CASES)
def test_a_training_step_gives_the_same_bits_both_ways(name: str, device: Any) -> None:
    case: Case = CASES[name]
    optimizer = graphc.optim.adam(1e-2)
    step = train.training_step(MODELS[case.model], case.config, optimizer)
    params = case.params()
    compared(step, (params, optimizer.init(params), *case.batch()), device)


@pytest.mark.parametrize("name", [n for n in PROGRAMS if "large" not in n and "long" not in n])
def test_the_plan_of_a_start_is_proved_and_computes_what_the_graph_says(name: str) -> None:
    fn, arguments = PROGRAMS[name]
    graph, _, quick = planned(fn, arguments, SOFTWARE)
    check_plan(quick.plan)
    arrays = [np.asarray(a) for a in arguments]
    for got, want in zip(run_plan(quick.plan, graph, arrays), evaluate(graph, arrays), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("model", ["mlp", "batchnorm_mlp", "microgpt"])
def test_a_start_compiles_sooner_and_covers_every_dispatch(model: str) -> None:
    fn, arguments = model_step(model, 1)
    _, plan, quick = planned(fn, arguments, SOFTWARE)
    assert [first for first, _ in quick.spans] == [0, *(end for _, end in quick.spans[:-1])]
    assert quick.spans[-1][1] == len(quick.plan.dispatches)
    own, other = (sum(seconds(kernel.wgsl) for kernel in way.kernels) for way in (plan, quick.plan))
    assert other <= own
    if model == "microgpt":
        assert other < own / 2
    for dispatch, cost, saved in zip(plan.dispatches, quick.seconds, quick.saved, strict=True):
        text = plan.kernels[dispatch.kernel].wgsl
        assert (cost == 0) == any(kernel.wgsl == text for kernel in quick.plan.kernels)
        assert saved > 0 or cost == 0


@pytest.mark.parametrize(("axis", "shape"), [(0, (24, 8, 16)), (1, (8, 24, 64)), (1, (8, 24, 32))])
def test_steps_that_are_written_out_share_their_kernels(axis: int, shape: tuple[int, ...]) -> None:
    def run_steps(x: Any, w: Any) -> Any:
        h = np.zeros((8, shape[-1]), np.float32)
        for t in range(24):
            h = np.tanh((x[t] if axis == 0 else x[:, t]) @ w + h)
        return h

    _, _, quick = planned(run_steps, (array(*shape), array(shape[-1], shape[-1])), SOFTWARE)
    reading = [d for d in quick.plan.dispatches if "tanh" in d.label or "matmul" in d.label]
    each = 256 // (4 * shape[-1]) if axis else 1  # steps between two places that may be bound
    assert len(reading) >= 24
    assert len({d.kernel for d in reading}) <= 2 * max(each, 1) + 2
    starts = {b.offset for d in reading for b in d.bindings if quick.plan.tensors[b.tensor].name == "%x"}
    assert len(starts) == 24 // max(each, 1)
    check_plan(quick.plan)


@pytest.mark.parametrize(
    ("fn", "starts"),
    [
        (lambda x: x[2] + x[5], [1024]),  # from the first of them
        (lambda x: x[2] + x[5] * np.sum(x, axis=0), []),  # what is read in another way, too
        (lambda x: x[:, 2, 3:67], [256]),
        (lambda x: x[:, 2, 67:] + x[3:4, 3, 67:], [256 + 64]),
        (lambda x: x[0] + x[5], []),
    ],
)
def test_a_tensor_is_bound_from_where_its_slices_begin(fn: Callable[..., Any], starts: list[int]) -> None:
    graph = run(trace(fn, array(8, 4, 128)), DEFAULT)
    begun, (node,) = Begun(256), graph.nodes
    twice = [kernels_of(node, graph, SOFTWARE, lambda value: value, begun=begun) for _ in range(2)]
    for (source,) in twice:
        assert [o.start for quick in source.quick for o in quick.operands if o.access == "read"] == starts
        assert not any(o.start for o in source.operands)


def test_rows_are_read_in_loops_and_results_stay_in_the_same_bytes() -> None:
    fn, arguments = PROGRAMS["norms"]
    graph = run(trace(fn, *arguments), DEFAULT)
    sources = [s for node in graph.nodes for s in kernels_of(node, graph, SOFTWARE, lambda value: value)]
    found = [s for s in sources if s.family == "row" and "item" not in s.wgsl and s.quick]
    assert len(found) >= 4
    assert sum(map(len, (s.inplace for s in found))) >= 3
    for source in found:
        (quick,) = source.quick
        assert set(source.pairs()) <= set(quick.pairs())
        assert seconds(module_text(rolled(quick))) < 0.7 * seconds(module_text(source))


def test_a_place_that_an_earlier_sweep_has_written_is_not_read_later() -> None:
    x = new_value(TensorType((8, 64), f32), "x")
    bindings = Bindings(SOFTWARE, {})
    emitter = Emitter(Graph((x,), {}, (), (x,)), bindings)
    y = new_value(x.type, "y")
    out = bindings.write(y)

    def sweep(read: bool, write: bool, place: str = "c") -> None:
        with emitter.block("for (var item = 0u; item < 12u; item++)", again=True):
            index = Index(x.type.shape, flat=Idx(place))
            term = emitter.read(x, index) if read else emitter.literal(1.0, f32)
            if write:
                emitter.write(out, index, term)

    sweep(read=True, write=False)
    sweep(read=True, write=True)
    assert in_place(emitter.touches, [out], bindings)[0] == (("y0", "x0"),)
    sweep(read=True, write=False, place="d")  # a place that no sweep writes
    assert in_place(emitter.touches, [out], bindings)[0] == ()
    del emitter.touches[-1]
    sweep(read=True, write=False)
    assert in_place(emitter.touches, [out], bindings)[0] == ()


def test_a_gpu_starts_with_its_own_kernels() -> None:
    fn, arguments = PROGRAMS["products"]
    plan = lower(run(trace(fn, *arguments), DEFAULT), replace(SOFTWARE, software=False))
    assert plan.quick is None


def test_what_is_compiled_soon_enough_has_no_other_launches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    plan = lower(run(trace(lambda x: np.tanh(x) + 1, array(64)), DEFAULT), SOFTWARE)
    assert plan.quick is None


def test_short_loops_are_hidden_and_long_ones_stay() -> None:
    loops = "  for (var k = 0u; k < 8u; k++) { a(); }\n  for (var k = 0u; k < 640u; k += 4u) { b(); }"
    code = Code.of(f"{SIZED}64)\n{ENTRY[0]}local{ENTRY[1]}{loops}\n}}\n")
    operand = Operand("x0", new_value(TensorType((4,), f32)), "read", False)
    source = KernelSource("k", "map", code, (operand,), (1, 1, 1))
    assert "k < 8u + gc_unknown()" in rolled(source).wgsl
    assert "at most 8 turns" in rolled(source).wgsl
    assert "k < 640u;" in rolled(source).wgsl


def test_effort_counts_what_compilers_do() -> None:
    def kernel(body: str) -> str:
        return (
            "@group(0) @binding(0) var<storage, read_write> x0: array<f32>;\n"
            "fn helped(i: u32) -> f32 { return x0[i] + x0[i + 1u]; }\n"
            f"@compute @workgroup_size(8)\nfn main() {{\n{body}\n}}\n"
        )

    one, four = kernel("x0[0] = 1.0;"), kernel("x0[0] = x0[1] + x0[2] + x0[3];")
    assert seconds(one) < seconds(four)
    assert seconds(four) < seconds(kernel("x0[0] = helped(1u) + helped(2u) + helped(3u);"))
    short, long = (kernel(f"for (var k = 0u; k < {n}u; k++) {{ x0[k] = x0[k + 1u]; }}") for n in (16, 64))
    assert seconds(short) > seconds(long)  # the short one is written out
    again = kernel("x0[0] = 1.0;\n" * 3000)
    assert len(again) > effort.LONG
    assert seconds(again) > 10 * seconds(four)
