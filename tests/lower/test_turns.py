"""How often loops turn: read off the text, stated in plans, never more than one invocation may."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.errors import DeviceError, GraphError
from graphc.ir.graph import Builder, Graph
from graphc.ir.types import TensorType, dtype_of, type_of
from graphc.kernels.turns import EndlessError, turns
from graphc.lower import lower
from graphc.models import MODELS
from graphc.ops import OPS
from graphc.passes import DEFAULT, pipeline
from graphc.passes.attention import unserved
from graphc.plan.plan import MOST_TURNS, Plan, Target
from graphc.plan.verify import check_plan
from tests.support.lowering import Body, as_kernel, execute, random_arrays
from tests.support.planning import model_step, transformer
from tests.support.run_graph import graph_of

FEATURES = frozenset({"shader-f16", "shader-f64", "shader-int64"})
LARGE = Target("large", max_binding_bytes=1 << 30, max_buffer_bytes=1 << 36, features=FEATURES)
TARGETS = {
    "software": replace(LARGE, subgroup=8, software=True, features=FEATURES | {"subgroup"}),
    "software without subgroups": replace(LARGE, software=True),
    "discrete": replace(LARGE, subgroup=32, features=FEATURES | {"subgroup"}),
    "discrete without subgroups": LARGE,
    "small": replace(LARGE, max_invocations=64, max_shared_bytes=4096),
}


# The text


def main(body: str, before: str = "") -> str:
    return f"{before}\n@compute @workgroup_size(1)\nfn main() {{\n{body}\n}}"


LOOPS: Sequence[tuple[str, int]] = (
    ("y = 1u;", 0),
    ("for (var k = 0u; k < 64u; k++) { y += k; }", 64),
    ("for (var k = 0u; k < 65u; k += 4u) { y += k; }", 17),
    ("for (var k = local; k < 64u; k += 8u) { y += k; }", 8),
    ("for (var k = 3; k <= 9; k += 3) { }", 3),
    ("for (var k = 15; k >= 2; k--) { }", 14),
    ("for (var k = 23; k >= 3; k -= 2) { }", 11),
    ("for (var k = 9u; k > 0u && !found; k--) { }", 9),
    ("for (var k = first; k < last; k++) {  // at most 12 turns\n}", 12),
    ("while (any(left > zero)) {  // at most 32 turns\n left >>= 1u; }", 32),
    ("loop {  // at most 1 turn\n break; }", 1),
    ("for (var k = 0u; k < 3u; k++) { for (var j = 0u; j < 5u; j++) { } }", 3 * (1 + 5)),
    ("for (var k = 0u; k < 3u; k++) { } { for (var j = 0u; j < 5u; j++) { } }", 3 + 5),
    ("if (a) { for (var k = 0u; k < 3u; k++) { } } else { for (var j = 0u; j < 5u; j++) { } }", 5),
    ("if (a) { for (var k = 0u; k < 7u; k++) { } } else if (b) { } else { x = vec4<u32>(); } y = 1u;", 7),
    ("// for (;;) { } is no loop here\ny = 2u;", 0),
    ("for (var k = 0u; k < 0u; k++) { }", 0),
)


@pytest.mark.parametrize(("body", "count"), LOOPS)
def test_turns_of_a_text(body: str, count: int) -> None:
    assert turns(main(body)) == count


def test_turns_of_functions_count_wherever_they_are_called() -> None:
    inner = "fn inner(x: u32) -> u32 {\n for (var k = 0u; k < 5u; k++) { }\n return x;\n}"
    outer = "fn outer() { for (var k = 0u; k < 2u; k++) { y = inner(k); } }"
    unused = "fn unused() { for (var k = 0u; k < 1000u; k++) { } }"
    before = "\n".join((inner, outer, unused))
    assert turns(main("outer(); y = inner(1u) + inner(2u);", before)) == 2 * (1 + 5) + 5 + 5
    assert turns(main("if (inner(0u) > 1u) { y = inner(1u); } else if (inner(2u) > 0u) { }", before)) == 5 + 5 + 5
    assert turns(main("for (var k = 0u; k < inner(9u); k++) {  // at most 3 turns\n}", before)) == 3 * (1 + 5)


def test_functions_of_the_library_are_known() -> None:
    assert turns(main("let z = gc_fmod(x, y);")) == turns(main("let z = gc_fmod_v4(x, y);")) == 32
    assert turns(main("let z = gc_exp(x);")) == 0


@pytest.mark.parametrize(
    "body",
    [
        "for (var k = 0u; k < last; k++) { }",
        "for (var k = 0u; k < 5u; k *= 2u) { }",
        "for (var k = first; k > 5u; k--) { }",
        "for (var k = 0u; j < 5u; k++) { }",
        "for (var k = 0u; k > 5u; k++) { }",
        "while (left) { }",
        "loop { break; }",
    ],
)
def test_a_loop_that_does_not_say_how_often_it_turns_is_refused(body: str) -> None:
    with pytest.raises(EndlessError, match="does not say"):
        turns(main(body))


# Plans


def most(plan: Plan) -> int:
    return max((kernel.turns for kernel in plan.kernels), default=0)


def plans(graph: Graph, unfused: bool = True, names: Sequence[str] = tuple(TARGETS)) -> dict[str, int]:
    """The most turns of the graph's plans, fused and not, on targets of all kinds: lowering refuses too many."""
    found = {}
    for fused, passes in (("fused", DEFAULT), ("unfused", ())) if unfused else (("fused", DEFAULT),):
        usual = pipeline.run(graph, (*passes, *pipeline.LEGALIZE))
        for name in names:
            lowered = usual
            if unserved(usual, TARGETS[name]):
                lowered = pipeline.run(graph, (*pipeline.informed(passes, TARGETS[name]), *pipeline.LEGALIZE))
            found[f"{name}, {fused}"] = most(lower(lowered, TARGETS[name]))
    return found


@pytest.mark.parametrize("name", [name for name, op in OPS.items() if "structured" not in op.traits])
def test_each_op_states_its_turns(name: str) -> None:
    for case in OPS[name].cases():
        builder = Builder()
        inputs = [builder.input(type_of(np.asarray(a))) for a in case.inputs]
        graph = builder.build(builder.add(OPS[name], *inputs, **case.attrs))
        assert max(plans(graph).values()) <= MOST_TURNS


@pytest.mark.parametrize("name", MODELS)
def test_each_model_states_its_turns(name: str) -> None:
    fn, arguments = model_step(name)
    few = name == "gpt"  # planning it takes a second each time
    found = plans(graphc.trace(fn, *arguments), not few, ("software", "discrete") if few else tuple(TARGETS))
    assert max(found.values()) <= MOST_TURNS


def test_a_large_transformer_states_its_turns() -> None:
    fn, arguments = transformer(384, 6, 2, 4096, 2, 50_000)
    assert max(plans(graphc.trace(fn, *arguments), False, ("software", "discrete")).values()) <= MOST_TURNS


Operands = Sequence[tuple[tuple[int, ...], str]]


def _reductions() -> list[tuple[str, Operands, dict[str, Any]]]:
    shapes = (
        ((10_000_000,), (0,)),
        ((9_999_991,), (0,)),
        ((100, 65_535), (1,)),
        ((65_535, 100), (0,)),
        ((2, 1_000_003), (1,)),
        ((1_000_003, 2), (0,)),
        ((3, 1_000_003, 2), (1,)),
    )
    names = ("sum", "mean", "prod", "max", "min", "argmax", "argmin")
    return [
        (name, ((shape, dtype),), {"axes": axes, "keepdims": False})
        for name in names
        for shape, axes in shapes
        for dtype in ("f32", "f64", "i64")
        if dtype == "f32" or (name in ("sum", "max", "argmax") and len(shape) < 3)
    ]


def _scatters() -> list[tuple[str, Operands, dict[str, Any]]]:
    sizes = (
        (228_146, 6_000_000, 1),
        (1_000_000, 27, 8),
        (10_000_000, 27, 1),
        (10_000_000, 6_000_000, 1),
        (1_000_000, 1_000_000, 4),
        (100_000, 50_000, 64),
        (4096, 50_257, 768),
        (600, 5_000_000, 1),
        (10_000_000, 60_000_000, 1),
        (70_000, 1, 1),
    )
    found: list[tuple[str, Operands, dict[str, Any]]] = []
    for rows, slots, inner in sizes:
        ids, updates = ((rows,), "i32"), ((rows, inner), "f32")
        found.append(("scatter_add", (ids, updates), {"axis": 0, "size": slots}))
        found.append(("index_update", (((slots, inner), "f32"), ids, updates), {"axis": 0}))
        found.append(("take", (((slots, inner), "f32"), ids), {"axis": 0}))
    return found


LARGE_ONES: list[tuple[str, Operands, dict[str, Any]]] = [
    *_reductions(),
    *_scatters(),
    *(
        ("cumsum", ((shape, "f32"),), {"axis": axis, "reverse": reverse})
        for shape, axis in (((10_000_000,), 0), ((100_000_007,), 0), ((1000, 10_007), 1), ((3, 1_000_003, 2), 1))
        for reverse in (False, True)
    ),
    *(
        ("argsort", ((shape, "f32"),), {"count": count, "descending": False})
        for shape in ((10_000_000,), (1000, 10_007))
        for count in (5, shape[-1])
    ),
    *(
        ("matmul", ((a, dtype), (b, dtype)), {})
        for a, b in (
            ((4, 1_000_000), (1_000_000, 4)),
            ((1, 10_000_000), (10_000_000, 1)),
            ((8, 16, 1_000_003), (8, 1_000_003, 16)),
            ((512, 70_000), (70_000, 512)),
            ((16, 16_384), (16_384, 65_536)),
            ((4096, 65_536), (65_536, 4096)),
            ((2, 2048, 100_000), (2, 100_000, 2048)),
        )
        for dtype in ("f32", "f16", "i32")
    ),
]


@pytest.mark.parametrize(("name", "operands", "attrs"), LARGE_ONES, ids=lambda x: str(x).replace(" ", ""))
def test_large_ones_state_their_turns(name: str, operands: Operands, attrs: dict[str, Any]) -> None:
    builder = Builder()
    inputs = [builder.input(TensorType(shape, dtype_of(dtype))) for shape, dtype in operands]
    graph = builder.build(builder.add(OPS[name], *inputs, **attrs))
    assert max(plans(graph).values()) <= MOST_TURNS


ROW_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "softmax": graphc.nn.softmax,
    "log softmax": graphc.nn.log_softmax,
    "layer norm": lambda x: graphc.nn.layer_norm(x, np.float32(1), np.float32(0)),
    "variance": lambda x: np.var(x, axis=-1),
    "remainders": lambda x: np.sum(np.fmod(x, 3.0) * np.mod(x, 5.0), axis=-1),
    "remainders of columns": lambda x: np.sum(np.fmod(x, 3.0) * np.mod(x, 5.0), axis=0),
}


@pytest.mark.parametrize("shape", [(3, 1_000_003), (1_000_003, 3), (100, 65_535), (1, 10_000_000), (70, 1024)], ids=str)
@pytest.mark.parametrize("name", ROW_FUNCTIONS)
def test_functions_of_long_rows_state_their_turns(name: str, shape: tuple[int, ...]) -> None:
    function = ROW_FUNCTIONS[name]
    for fn in (function, graphc.grad(lambda x: np.sum(function(x) ** 2))):
        assert max(plans(graphc.trace(fn, graphc.spec(shape))).values()) <= MOST_TURNS


@pytest.mark.parametrize("keep", [None, 0.8], ids=["", "dropout"])
@pytest.mark.parametrize(("queries", "keys", "head"), [(1, 1_000_000, 128), (16, 100_000, 64), (70_000, 70_000, 32)])
def test_attention_over_long_sequences_states_its_turns(queries: int, keys: int, head: int, keep: float | None) -> None:
    attrs = {"scale": 0.125, "causal": True} | ({} if keep is None else {"keep": keep, "boost": 1 / keep})
    for name, sides in (("attention", ()), ("attention_backward", ((queries, head), (queries,), (queries,)))):
        b = Body()
        inputs = [b.tensor(2, n, head) for n in (queries, keys, keys)] + [b.tensor(2, *shape) for shape in sides]
        inputs += [] if keep is None else [b.input(TensorType((2,), dtype_of("u32")))]
        graph = b.build(b.add(OPS[name], *inputs, **attrs))
        found = plans(graph, unfused=False, names=("software", "discrete"))
        assert MOST_TURNS // 4 < max(found.values()) <= MOST_TURNS


def test_the_plan_shows_the_turns() -> None:
    b = Body()
    plan = lower(b.build([b("cumsum", b.tensor(70_000), axis=0, reverse=False)]), TARGETS["software"])
    assert [kernel.turns for kernel in plan.kernels] == [265, 265 + 265]
    assert "at most 530 turns" in str(plan)
    assert Plan.from_json(plan.to_json()) == plan


def test_too_many_turns_are_refused_with_the_op_and_its_line() -> None:
    def long_one(x: Any) -> Any:
        return np.argmax(x, axis=1)

    graph = graphc.trace(long_one, graphc.spec((3, 10_000_003)))
    with pytest.raises(DeviceError, match=r"row_argmax would turn its loops 39,063 times.*argmax.*test_turns\.py:\d+"):
        lower(graph, TARGETS["software"])


def test_the_verifier_refuses_what_a_kernel_says_wrongly() -> None:
    b = Body()
    plan = lower(b.build([b("max", b.tensor(64, 5000), axes=(1,), keepdims=False)]), TARGETS["software"])
    kernel = plan.kernels[0]
    long = re.sub(r"item < (\d+)u", "item < 20000u", kernel.wgsl)
    assert long != kernel.wgsl
    for spoilt in (replace(kernel, turns=1), replace(kernel, wgsl=long), replace(kernel, wgsl=long, turns=20_000)):
        with pytest.raises(GraphError, match="turns its loops"):
            check_plan(replace(plan, kernels=(spoilt,)))
    endless = replace(kernel, wgsl=kernel.wgsl.replace("item++", "item *= 2u"))
    with pytest.raises(GraphError, match="does not say"):
        check_plan(replace(plan, kernels=(endless,)))


def test_the_verifier_counts_the_blocks_of_a_long_sum() -> None:
    b = Body()
    plan = lower(b.build([b("sum", b.tensor(64, 5000), axes=(1,), keepdims=False)]), TARGETS["software"])
    kernel = plan.kernels[0]
    for text in ("start += 16u", "at most 16 turns"):
        spoilt = kernel.wgsl.replace(text, text.replace("16", "1"))
        assert spoilt != kernel.wgsl
        with pytest.raises(GraphError, match=r"turns its loops|does not say"):
            check_plan(replace(plan, kernels=(replace(kernel, wgsl=spoilt),)))


def test_stages_of_a_megakernel_count_together() -> None:
    b = Body()
    x = b.tensor(4000)
    for _ in range(24):
        x = b("cumsum", b("exp", b("neg", x)), axis=0, reverse=False)
    lowered = pipeline.run(b.build([x]), (*DEFAULT, *pipeline.LEGALIZE))
    plan = lower(lowered, TARGETS["software"])
    assert any(dispatch.members for dispatch in plan.dispatches)
    assert MOST_TURNS // 2 < most(plan) <= MOST_TURNS


# What is stated is true


def bounded(wgsl: str, count: int) -> str:
    """The kernel with loops that break once they have turned `count` times together."""
    loops = re.sub(
        r"(\b(?:for|while) \([^{]*\{)(  // at most \d+ turns?)?",
        rf"\1\2\n    gc_turned += 1u; if (gc_turned > {count}u) {{ break; }}\n",
        wgsl,
    )
    first = loops.index("@compute")
    return f"{loops[:first]}var<private> gc_turned: u32 = 0u;\n\n{loops[first:]}"


def _scatter(rows: int, slots: int, kind: str) -> tuple[Graph, list[Any]]:
    rng = np.random.default_rng(0)
    ids = {
        "spread": rng.integers(0, slots, rows),
        "one": np.full(rows, slots - 1),
        "outside": rng.integers(-2 * slots, 2 * slots, rows),
    }[kind].astype(np.int32)
    updates = rng.uniform(0, 1, rows).astype(np.float32)
    return graph_of(OPS["scatter_add"], [ids, updates], axis=0, size=slots), [ids, updates]


def _reduced(name: str, *shape: int, axes: tuple[int, ...]) -> tuple[Graph, list[Any]]:
    b = Body()
    graph = b.build([b(name, b.tensor(*shape), axes=axes, keepdims=False)])
    return graph, random_arrays(graph)


def _softmax() -> tuple[Graph, list[Any]]:
    b = Body()
    x = b.tensor(5, 12_001)
    e = b("exp", b("sub", x, b("max", x, axes=(1,), keepdims=True)))
    graph = as_kernel(b.build([b("div", e, b("sum", e, axes=(1,), keepdims=True))]), "row")
    return graph, random_arrays(graph)


def _running_sum() -> tuple[Graph, list[Any]]:
    b = Body()
    graph = b.build([b("cumsum", b.tensor(70_000), axis=0, reverse=True)])
    return graph, random_arrays(graph)


def _product(*shapes: tuple[int, ...]) -> tuple[Graph, list[Any]]:
    b = Body()
    graph = b.build([b("matmul", *(b.tensor(*shape) for shape in shapes))])
    return graph, random_arrays(graph)


def _remainders() -> tuple[Graph, list[Any]]:
    x = np.array([1e38, -1e38, 5.5, 3e38, 0.0, 7.0] * 4, np.float32)
    y = np.array([1e-38, 3e-38, 1.25, 1.5e-38, 1.0, 7.0] * 4, np.float32)
    return graph_of(OPS["fmod"], [x, y]), [x, y]


STATED: dict[str, Callable[[], tuple[Graph, list[Any]]]] = {
    "row": _softmax,
    "column": lambda: _reduced("max", 1000, 7, axes=(0,)),
    "running sum": _running_sum,
    "product": lambda: _product((9, 700), (700, 21)),
    "long product": lambda: _product((3, 9000), (9000, 5)),
    "scatter, small": lambda: _scatter(3000, 40, "spread"),
    "scatter, large": lambda: _scatter(3000, 300_000, "spread"),
    "scatter, one slot": lambda: _scatter(9000, 300_000, "one"),
    "scatter, outside": lambda: _scatter(3000, 300_000, "outside"),
    "remainders": _remainders,
}


@pytest.mark.parametrize("name", STATED)
def test_no_kernel_turns_more_often_than_it_says(name: str, device: Any) -> None:
    """Kernels whose loops are stopped where they say that they end compute what they would without."""
    graph, arrays = STATED[name]()
    plan = lower(graph, device.target)
    want = execute(device, graph, plan, arrays)

    def stopped(share: int) -> bool:
        """Whether kernels that stop after a share of their turns compute the same, where other results lay before."""
        kernels = tuple(replace(k, wgsl=bounded(k.wgsl, k.turns // share)) if k.turns else k for k in plan.kernels)
        execute(device, graph, plan, [np.flip(a).copy() for a in arrays])
        found = execute(device, graph, replace(plan, kernels=kernels), arrays)
        return all(np.array_equal(got, expected) for got, expected in zip(found, want, strict=True))

    assert stopped(1)
    assert not stopped(4)
