"""The attention family: attention forward in one kernel, its gradient in two, with no T x S tensor in memory.

A workgroup owns a few rows of one side (queries, or keys for the gradients of keys and values) and walks over the other
side. There are two kinds of kernels. That of `rows`: a workgroup is one subgroup, whose lanes read what they need from
memory, or from textures where the pass `textures` marked the node and the target reads texels faster. That of `blocks`:
a workgroup brings what it reads into workgroup memory, and needs no subgroups. Steps that a causal mask hides
altogether are not visited. `tile.choose` says which kernel it is.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from graphc.codegen.kernel import Bindings, BuildContext, KernelSource, Search, settle
from graphc.families.attention.base import AttentionKernel, Part, shape_of
from graphc.families.attention.blocks import BlockKernel
from graphc.families.attention.rows import RowKernel, texels_of
from graphc.families.attention.subgroups import Forward, Keys, Queries
from graphc.families.attention.tile import Blocks, Kind, candidates, choose, problem_name
from graphc.ir.graph import Graph, Node, new_value
from graphc.ir.types import f32
from graphc.kernels.turns import turns
from graphc.ops.attention import MAX_HEAD, attention
from graphc.plan.plan import MOST_TURNS, Target

SUBGROUPS: Final[dict[Kind, type[RowKernel]]] = {"forward": Forward, "queries": Queries, "keys": Keys}


def computes(body: Graph, target: Target) -> bool:
    """Whether these kernels can compute a body; else its attention is expanded into other families."""
    node = _node(body)
    q, v = node.inputs[0].type, node.inputs[2].type
    if q.dtype != f32 or max(q.shape[-1], v.shape[-1]) > MAX_HEAD or not all(x.type.size for x in node.inputs):
        return False
    return all(candidates(kind, shape_of(node), target, False) for kind in SUBGROUPS)


def build(body: Graph, context: BuildContext) -> list[KernelSource]:
    """The kernels of a body with one attention node, its operands read through views."""
    node = _node(body)
    if node.op is attention:
        return _kernels("forward", body, context, node)
    dq, dk, dv = node.outputs
    found = []
    if dq in body.outputs:
        found += _kernels("queries", body, context, node)
    both = tuple(v for v in (dk, dv) if v in body.outputs)
    # With a key, one kernel for both would bind more buffers than WebGPU grants.
    parts = ([(v,) for v in both] if len(node.inputs) > 6 else [both]) if both else []
    for wanted in parts:
        found += _kernels("keys", replace(body, outputs=wanted), context, node)
    return found


def _kernels(kind: Kind, body: Graph, context: BuildContext, node: Node) -> list[KernelSource]:
    """One kernel, or several that each visit some of the columns where one would turn its loops too often.

    Where drivers take long, there is another that is quick to compile: the sums of a row are the same in both.
    """
    whole = settle(context, lambda bindings: _kernel(kind, body, context, node, None, bindings).kernel())
    count = turns(whole.wgsl)
    if count <= MOST_TURNS:
        soon = replace(context, quick=True)
        small = context.target.software and settle(soon, lambda b: _kernel(kind, body, soon, node, None, b).kernel())
        return [whole.with_quick([small]) if small else whole]
    outputs = [v for v in body.outputs if v in node.outputs]
    if kind == "keys" and len(outputs) > 1:  # what is kept takes a buffer more than there would be
        return [kernel for v in outputs for kernel in _kernels(kind, replace(body, outputs=(v,)), context, node)]
    like = _kernel(kind, body, context, node, None, context.bindings())
    steps = -(-like.column_count // like.step)
    size = max(1, MOST_TURNS // -(-count // steps)) * like.step
    starts = range(0, like.column_count, size)
    kept = [new_value(like.kept(), "kept") for _ in starts[1:]]
    return [
        settle(context, partial(_part, kind, body, context, node, Part(low, low + size, before, after)))
        for low, before, after in zip(starts, [None, *kept], [*kept, None], strict=True)
    ]


def _part(kind: Kind, body: Graph, context: BuildContext, node: Node, part: Part, bindings: Bindings) -> KernelSource:
    return _kernel(kind, body, context, node, part, bindings).kernel()


def _kernel(
    kind: Kind, body: Graph, context: BuildContext, node: Node, part: Part | None, bindings: Bindings
) -> AttentionKernel:
    """The kernel that the rules, or a tuner, have chosen."""
    tile = choose(kind, shape_of(node), context.target, bool(texels_of(body, context, node)))
    if isinstance(tile, Blocks):
        return BlockKernel(kind, body, context, bindings, node, part, tile)
    return SUBGROUPS[kind](body, context, bindings, node, part, tile)


def parts(body: Graph) -> list[Graph]:
    """The bodies of its kernels: that of the queries' gradient, and that of the gradients of keys and values."""
    node = _node(body)
    if node.op is attention:
        return [body]
    dq, dk, dv = node.outputs
    wanted = [tuple(v for v in side if v in body.outputs) for side in ((dq,), (dk, dv))]
    return [replace(body, outputs=outputs) for outputs in wanted if outputs]


def search(body: Graph, context: BuildContext) -> Search:
    """The tuner's problem in one of the `parts` of a body of this family."""
    node = _node(body)
    kind: Kind = "forward"
    if node.op is not attention:
        kind = "queries" if node.outputs[0] in body.outputs else "keys"
    shape, textured = shape_of(node), bool(texels_of(body, context, node))
    found = candidates(kind, shape, context.target, textured)
    return Search(problem_name(kind, shape, textured), tuple(tile.choice for tile in found))


def _node(body: Graph) -> Node:
    (node,) = [n for n in body.nodes if n.op.attends]
    return node
