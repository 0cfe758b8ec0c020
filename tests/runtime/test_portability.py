"""Every kernel as browsers see it: compiled by Tint, which rejects much that naga and lavapipe let pass."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

import graphc
from graphc import kernels
from graphc.ir.graph import Graph
from graphc.lower import lower
from graphc.ops import OPS
from graphc.passes import pipeline
from graphc.passes.ranges import Ranges
from graphc.plan.plan import Target
from tests.lower.test_lower_kernels import column, cross_entropy, layer_norm, mapped, softmax
from tests.support import tint
from tests.support.lowering import as_kernel
from tests.support.run_graph import graph_of, served

SOFTWARE = Target("software", subgroup=8, software=True, features=frozenset({"subgroup", "shader-f16"}))
TARGETS = {
    "software": SOFTWARE,
    "no subgroups": replace(SOFTWARE, subgroup=0, features=frozenset({"shader-f16"})),
    "gpu": replace(SOFTWARE, software=False, subgroup=32),
    "windows": replace(SOFTWARE, max_binding_bytes=2048, max_storage_buffers=256),
}


Texts = dict[str, tuple[str, tuple[str, ...]]]


def plan_texts(graphs: dict[str, Graph]) -> Texts:
    """The different WGSL texts of these graphs, as they are, on all targets."""
    found: dict[tuple[str, tuple[str, ...]], str] = {}
    for name, graph in graphs.items():
        for where, target in TARGETS.items():
            for kernel in lower(served(graph, target), target).kernels:
                found.setdefault((kernel.wgsl, kernel.needs), f"{name} on {where}: {kernel.name}")
    return {name: text for text, name in found.items()}


def op_graphs() -> dict[str, Graph]:
    """One graph for each case of each op; a graph that is all constants would be folded away, so none is."""
    found = {}
    for op in OPS.values():
        for number, case in enumerate(op.cases()):
            found[f"{op.name}-{number}"] = graph_of(op, [np.asarray(a) for a in case.inputs], **case.attrs)
    return found


def attention(q: Any, k: Any, v: Any, mask: Any) -> Any:
    scores = q @ np.swapaxes(k, -1, -2) * 0.25
    scores = np.where(mask, scores, -1e9)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return (weights / weights.sum(-1, keepdims=True)) @ v


def network(params: Any, x: Any, y: Any, mask: Any) -> Any:
    """A little of everything: embedding, attention, norms, activations, cross-entropy."""
    h = np.take(params["table"], x, axis=0)
    h = graphc.nn.layer_norm(h, params["gain"], params["bias"])
    h = h + attention(h @ params["q"], h @ params["k"], h, mask)
    h = graphc.nn.rms_norm(h, params["gain"])
    h = graphc.nn.gelu(h @ params["up"] + params["up_bias"]) @ params["down"]
    return graphc.nn.cross_entropy(h @ params["table"].T, y)


def training_graph() -> Graph:
    rng = np.random.default_rng(0)
    shapes = {"table": (27, 16), "gain": (16,), "bias": (16,), "q": (16, 16), "k": (16, 16)}
    shapes |= {"up": (16, 50), "up_bias": (50,), "down": (50, 16)}
    params = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    x, y = (rng.integers(0, 27, (4, 9)).astype(np.int32) for _ in range(2))

    def step(params: Any, state: Any, x: Any, y: Any, mask: Any) -> Any:
        loss, grads = graphc.value_and_grad(network)(params, x, y, mask)
        new_params, new_state = optimizer.update(grads, state, params)
        return loss, new_params, new_state

    optimizer = graphc.optim.adam(1e-3)
    mask = np.tril(np.ones((9, 9), bool))
    return graphc.trace(step, params, optimizer.init(params), x, y, mask)


def test_kernels_of_every_op_compile() -> None:
    texts = plan_texts(op_graphs())
    assert len(texts) > len(OPS)
    assert tint.errors(texts) == {}


def test_kernels_of_every_family_and_layout_compile() -> None:
    rows = [softmax(4, 6), softmax(4, 100), softmax(3, 1001), softmax(2, 3, 64, 64, causal=True), layer_norm(4, 384)]
    rows += [cross_entropy(16, 27), cross_entropy(3, 1001)]
    columns = [column((64, 48), (0,), "sum"), column((4, 7, 13), (1,), "argmax")]
    maps = [body for shape in ((3,), (32, 64), (17, 5, 4)) for body in mapped(*shape).values()]
    families = {"row": rows, "column": columns, "map": maps}
    graphs = {f"{f} {n}": as_kernel(body, f) for f, bodies in families.items() for n, body in enumerate(bodies)}
    texts = plan_texts(graphs)
    assert len(texts) > 50
    assert tint.errors(texts) == {}


def test_kernels_of_a_training_step_compile() -> None:
    guarded = [Ranges(trust=False) if isinstance(p, Ranges) else p for p in pipeline.DEFAULT]
    graphs = {name: pipeline.run(training_graph(), p) for name, p in (("step", pipeline.DEFAULT), ("guarded", guarded))}
    texts = plan_texts({**graphs, "unfused": training_graph()})
    assert any("atomicMax" in text for name, (text, _) in texts.items() if name.startswith("guarded"))
    assert {"matmul", "row"} <= {name.split(": ")[1].split("_")[0] for name in texts}
    assert any("subgroup" in needs for _, needs in texts.values())
    assert tint.errors(texts) == {}


def test_every_library_function_compiles() -> None:
    # No browser has f64: double.wgsl is for native devices.
    names = [(name, width) for name in kernels.math_functions() if not name.endswith("64") for width in (1, 4)]
    declared = "@group(0) @binding(0) var<storage, read_write> y: array<f32>;\n"
    text = declared + kernels.math_source(names, "y") + "@compute @workgroup_size(1) fn main() {}"
    assert tint.errors({"library": (text, ())}) == {}


def test_tint_rejects_what_naga_lets_pass() -> None:
    divergent = """
@group(0) @binding(0) var<storage, read_write> y: array<u32>;
@compute @workgroup_size(8) fn main(@builtin(local_invocation_index) i: u32) {
  if (y[i] > 3u) { workgroupBarrier(); }
}"""
    edge = "@compute @workgroup_size(1) fn main() { let x = -3.4028235e38 * 10.0; }"
    assert set(tint.errors({"divergent": (divergent, ()), "edge": (edge, ())})) == {"divergent", "edge"}
