"""alike: nodes that are alike share the text of their kernels, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn
from graphc.codegen.kernel import KernelSource
from graphc.ir.graph import Node
from graphc.lower import family, lower
from graphc.lower.alike import Alike
from graphc.models import MODELS
from graphc.passes import DEFAULT, run
from graphc.plan.plan import Plan, Target
from graphc.tracing.trace import trace
from tests.support.planning import model_step

SOFTWARE = Target("software", subgroup=8, software=True, features=frozenset({"subgroup"}))


def array(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def constants(x: Any) -> Any:
    return np.sum(x * 2, axis=0), np.sum(x * 3, axis=0), np.cumsum(x, axis=0), np.cumsum(x, axis=1)


def operands(x: Any, y: Any) -> Any:
    return x @ y, y @ x, x @ x, x @ y.T, np.sum(x - y, axis=1), np.sum(y - x, axis=1), np.sum(x - x, axis=1)


def long_sums(x: Any, y: Any) -> Any:
    """Products in parts, with scratch of their own."""
    return np.tanh(x.T @ y), np.tanh(y.T @ x)


def small_heads(q: Any, k: Any) -> Any:
    """Attention that has no kernel of its own, twice: q, k and v lie in one tensor, or in two."""
    return nn.attention(q, k, q), nn.attention(q, q, q)


def looped(x: Any, w: Any) -> Any:
    return graphc.scan(lambda h, row: (np.tanh(np.tanh(h + row) @ w) @ w, h[0]), x, np.stack([x, x, x]))


PROGRAMS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "constants": (constants, (array(9, 7),)),
    "operands": (operands, (array(8, 8), array(8, 8) + 1)),
    "long sums": (long_sums, (array(20000, 8), array(20000, 8))),
    "heads": (small_heads, (array(2, 5, 3), array(2, 5, 3))),
    "looped": (looped, (array(4, 8), array(8, 8))),
    **{model: model_step(model, 1) for model in MODELS},
}


def planned(name: str, target: Target, passes: Any) -> Plan:
    fn, arguments = PROGRAMS[name]
    return lower(run(trace(fn, *arguments), passes), target)


@pytest.mark.parametrize("passes", [DEFAULT, ()], ids=["fused", "unfused"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_plan_is_the_same_as_if_every_kernel_had_been_written_anew(
    name: str, passes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from graphc.passes.pipeline import LEGALIZE

    passes = passes or LEGALIZE
    shared = planned(name, SOFTWARE, passes)
    monkeypatch.setattr(Alike, "__call__", lambda self, node: self._write(node))
    alone = planned(name, SOFTWARE, passes)
    assert shared.kernels == alone.kernels
    assert shared == alone


def test_the_layers_of_a_deep_model_are_written_once() -> None:
    def deep(x: Any, ws: Any) -> Any:
        for w in ws:
            x = np.tanh(x @ w)
        return x

    graph = run(trace(deep, array(16, 16), [array(16, 16)] * 30), DEFAULT)
    written: list[Node] = []

    def kernels(node: Node) -> list[KernelSource]:
        written.append(node)
        return []

    write = Alike(graph, lambda v: v, kernels)
    for node in graph.nodes:
        write(node)
    assert len(graph.nodes) >= 30
    assert len(written) <= 2


def test_parts_of_launches_are_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two projections of each layer that are launched together are one kernel."""
    written: list[Node] = []
    kernels_of = family.kernels_of

    def counted(part: Node, *rest: Any) -> list[KernelSource]:
        written.append(part)
        return kernels_of(part, *rest)

    monkeypatch.setattr(family, "kernels_of", counted)

    def layers(x: Any, ws: Any) -> Any:
        for a, b in ws:
            x = nn.layer_norm(x, x[0], x[1])
            x = nn.softmax(x @ a) + np.sum(x @ b, axis=-1, keepdims=True)
        return x

    arguments = array(64, 64), [(array(64, 64), array(64, 64)) for _ in range(3)]
    plan = lower(run(trace(layers, *arguments), DEFAULT), SOFTWARE)
    assert any(kernel.family == "horizontal" for kernel in plan.kernels)
    assert len(written) == 1
