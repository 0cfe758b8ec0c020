"""The map family: pointwise ops and views, one invocation for a few vectors of four consecutive output elements."""

from __future__ import annotations

from dataclasses import replace

from graphc.index import LANES, Index, variable
from graphc.ir import Graph, Node, Value
from graphc.kernels import render
from graphc.lower.emit import Emitter
from graphc.lower.kernel import FEATURE_OF, Bindings, KernelSource, Site, grid, settle
from graphc.op import NotDifferentiable, Op, Pointwise
from graphc.plan import Target

LARGE = 1 << 16
"""Items above which an invocation takes several."""


def build(body: Graph, site: Site) -> list[KernelSource]:
    """One kernel for a body of Pointwise and Indexed nodes whose outputs have one element count."""
    return [settle(site, lambda bindings: _kernel(body, site, bindings))]


def _kernel(body: Graph, site: Site, bindings: Bindings) -> KernelSource:
    size = body.outputs[0].type.size
    lanes = LANES if size >= LANES else 1
    items = -(-size // lanes)
    emitter = Emitter(body, bindings, "    ")
    flat = variable("(i * 4u)", items * LANES, LANES, 1) if lanes == LANES else variable("i", size)
    outputs = list(dict.fromkeys(body.outputs))
    results = [emitter.read(v, Index(v.type.shape, flat=flat)) for v in outputs]
    written = [bindings.write(v, vector=lanes == LANES) for v in outputs]
    # All is read before anything is written, so that an output may lie in the bytes of an input.
    for value, operand, term in zip(outputs, written, results, strict=True):
        emitter.write(operand, Index(value.type.shape, flat=flat), term)
    threads, steps = _schedule(items, site.target)
    span, groups = threads * steps, -(-items // (threads * steps))
    workgroups = grid(groups, site.target)
    text = render(
        "map",
        what=site.label,
        size=threads,
        steps=steps,
        lanes=lanes,
        columns=workgroups[0],
        span=span,
        # A processor runs the items of one invocation in turn: they should be neighbours. On a GPU the neighbours of
        # an item are in other invocations.
        start=f"local * {steps}u" if site.target.software else "local",
        stride="" if site.target.software else f" * {threads}u",
        items=items,
        body=emitter.text,
    )
    reads = [o for o in bindings.operands() if o.access == "read"]
    return KernelSource(
        name=f"map_{site.label}",
        family="map",
        wgsl=text,
        operands=bindings.operands(),
        workgroups=workgroups,
        flops=sum("pointwise" in n.op.traits for n in body.nodes) * size,
        inplace=tuple((w.name, r.name) for w in written for r in reads if emitter.shareable(w, r)),
    )


def _schedule(items: int, target: Target) -> tuple[int, int]:
    """Threads of a workgroup, and items of one invocation."""
    threads = min(64 if items <= 4096 else 256, target.max_invocations)
    return threads, 4 if items > LARGE else 1


def copy_kernel(source: Value, target: Value, site: Site) -> KernelSource:
    """The kernel that copies `source` to `target`, a tensor of the same type."""
    node = Node(_copy, (source,), (target,))
    kernel = build(Graph((source,), {}, (node,), (target,)), site)[0]
    feature = FEATURE_OF.get(source.type.dtype.name)
    return kernel if feature is None else replace(kernel, needs=(feature,))


_copy = Op(
    "copy",
    infer=lambda x: x,
    reference=lambda x: x,
    vjp=NotDifferentiable("it is made after differentiation"),
    lowering=Pointwise(lambda w, node, x: x),
    doc="An output of the program that is also an input, or is given twice.",
)
