"""Lower one graph for a chosen target and run it on the WebGPU device: what kernel tests share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from graphc.ir.graph import Builder, Graph
from graphc.ir.op import Op
from graphc.ir.rewriting import inline_bodies
from graphc.ir.types import type_of
from graphc.lower import lower
from graphc.ops.structured import fused
from graphc.passes import attention, inline, pipeline
from graphc.passes.attention import Attention, unserved
from graphc.plan.plan import Plan, Target

Array = np.ndarray[Any, Any]


def graph_of(op: Op, arrays: Sequence[Array], **attrs: Any) -> Graph:
    """A graph of one op on inputs like these arrays."""
    builder = Builder()
    inputs = [builder.input(type_of(a)) for a in arrays]
    return builder.build(builder.add(op, *inputs, **attrs))


def variants(device: Any) -> dict[str, Target]:
    """The device's own target, and the ways in which kernels are chosen on devices of other kinds."""
    own = device.target
    return {
        "own": own,
        "no subgroups": replace(own, subgroup=0, features=own.features - {"subgroup"}),
        "wide": replace(own, subgroup=0, software=False, features=own.features - {"subgroup"}),
        "small grid": replace(own, max_workgroups=16),
        "smaller grid": replace(own, max_workgroups=300),
    }


def has_attention(target: Target) -> bool:
    """Whether a target runs attention's kernels: on software adapters a subgroup needs 8 lanes, and some have 4."""
    return target.subgroup >= 8 or not target.software


def served(graph: Graph, target: Target) -> Graph:
    """The graph, fused or not, with operations in place of the attention for which a target has no kernels."""
    if not unserved(Attention()(graph), target):
        return graph
    plain = inline_bodies(graph, lambda node: node.op is fused)
    return pipeline.run(plain, (*pipeline.informed((attention, inline), target), *pipeline.LEGALIZE))


def run(device: Any, graph: Graph, arrays: Sequence[Array], target: Target | None = None) -> tuple[list[Array], Plan]:
    """The outputs of the graph on the device, and the plan that made them."""
    shown = served(graph, target or device.target)
    plan = lower(shown, target or device.target)
    runner = device.prepare(shown, plan, frozenset())
    return [np.asarray(out) for out in runner(list(arrays))], plan
