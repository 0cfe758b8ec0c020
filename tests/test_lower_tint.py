"""naga and lavapipe accept what browsers reject, so Tint compiles the kernels of every op and family too."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from graphc.ir import Graph
from graphc.lower import lower
from graphc.ops import OPS
from graphc.plan import Target
from tests.adapters import run_on
from tests.lowering import as_kernel, one_op
from tests.test_lower_kernels import LOWERED, column, cross_entropy, layer_norm, mapped, softmax

BASE = Target(subgroup=4, software=True)
TARGETS = (
    BASE,
    replace(BASE, subgroup=0, software=False),
    replace(BASE, max_binding_bytes=1 << 15, max_storage_buffers=10),
)


def compile_all(graphs: list[Graph], targets: tuple[Target, ...]) -> int:
    """Compile the kernels of the graphs for the targets; returns how many there were."""
    kernels = {k.wgsl: k.needs for g in graphs for t in targets for k in lower(g, t).kernels}
    given = [[needs, text] for text, needs in kernels.items() if "shader-f16" not in needs]
    results = json.loads(run_on("swiftshader", "tests.tint_compile", stdin=json.dumps(given)).splitlines()[-1])
    assert [r for r in results if r is not None] == []
    assert len(results) == len(given)
    return len(given)


def test_kernels_of_every_op():
    graphs = []
    for name in LOWERED:
        for case in OPS[name].cases():
            arrays = [np.asarray(a) for a in case.inputs]
            if all(a.dtype != np.float16 for a in arrays) and case.attrs.get("dtype") is not np.float16:
                graphs.append(one_op(name, arrays, case.attrs))
    usable = [g for g in graphs if not any(v.type.dtype.name in ("f16", "f64", "i64") for v in g.values())]
    assert compile_all(usable, TARGETS[:1]) > 200


def test_kernels_of_every_family_and_layout():
    rows = [softmax(4, 6), softmax(4, 100), softmax(3, 1001), softmax(2, 3, 64, 64, causal=True), layer_norm(4, 384)]
    rows += [cross_entropy(16, 27), cross_entropy(3, 1001)]
    columns = [column((64, 48), (0,), "sum"), column((4, 7, 13), (1,), "argmax")]
    maps = [body for shape in ((3,), (32, 64), (17, 5, 4)) for body in mapped(*shape).values()]
    bodies = [("row", rows), ("column", columns), ("map", maps)]
    graphs = [as_kernel(body, family) for family, found in bodies for body in found]
    assert compile_all(graphs, TARGETS) > 30


def test_a_kernel_that_tint_rejects_is_found():
    bad = "@compute @workgroup_size(1) fn main() { let x = 1.0 / 0.0; }"
    (error,) = json.loads(run_on("swiftshader", "tests.tint_compile", stdin=json.dumps([[[], bad]])).splitlines()[-1])
    assert "abstract-float" in error
