"""Which kernel family computes a node, and the body that the family's builder gets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from graphc.analysis.loops import passed_through
from graphc.codegen.kernel import FEATURE_OF, BuildContext, Faults, KernelSource, Search
from graphc.errors import DeviceError, GraphError
from graphc.families.record import Family
from graphc.families.registry import kernel_family
from graphc.ir.graph import Builder, Graph, Node, Value, prune, reports
from graphc.ir.types import NDArray
from graphc.kernels.turns import turns
from graphc.lower.alike import Alike
from graphc.lower.begun import Begun
from graphc.ops.structured import barrier, fused
from graphc.passes.canonicalize.dce import dce
from graphc.passes.marks.textures import textured
from graphc.passes.split import Split
from graphc.plan.plan import MOST_TURNS, Target, may_be_uniform

SHORT: Final = Split(terms=128, compared=128, row=1024, rows=1, longest=1024)
"""How reductions are cut whose elements are computed in loops of their own, before each op gets its own kernel."""
_LABEL_OPS = 5


def kernels_of(
    node: Node,
    graph: Graph,
    target: Target,
    storage_of: Callable[[Value], Value],
    uniform: frozenset[Value] = frozenset(),
    faults: Faults | None = None,
    begun: Begun | None = None,
    alike: Alike | None = None,
) -> list[KernelSource]:
    """The kernels that compute `node`; `storage_of` gives the tensor in whose bytes a value lies.

    uniform: the tensors that must be bound as uniform buffers. faults: where range checks report, those of the node
    itself if there is no program around it. begun: gives kernels quick launches that bind parts of tensors. alike:
    knows kernels that were written before. Raises DeviceError where the target lacks an element type.
    """
    faults = faults or Faults((node,))
    passed = {value for value, _ in passed_through(node)}
    if passed.issuperset(node.outputs):
        return []
    body, family = body_of(node, graph.constants)
    outer = node.inputs if node.op.is_kernel else body.inputs
    storage = {inner: storage_of(v) for inner, v in zip(body.inputs, outer, strict=True)}
    computed = {inner: storage_of(v) for inner, v in zip(body.outputs, node.outputs, strict=True) if v not in passed}
    # Nothing is written for an output that is empty, is an input passed through, or stands there twice.
    outputs = tuple(v for v in computed if v.type.size)
    if not outputs:
        return []
    body = replace(body, outputs=outputs)
    storage |= computed
    if not family.fits(body, target):
        raise GraphError(
            f"{target.name} cannot run kernels of the family {family.name} for {node!r}: tell the pass that claims it "
            "what it compiles for (graphc.passes.pipeline.informed)"
        )
    if family.fuses:
        uniform |= _uniform(node, body, storage, target)

    def within(value: Value) -> Value:
        return storage.get(value, value)

    def of_part(part: Node) -> list[KernelSource]:
        return kernels_of(part, body, target, within, uniform, faults, begun, alike)

    parts = of_part if alike is None else alike.within(body, within, of_part, uniform)
    context = BuildContext(target, storage, label_of(body), textured(node), uniform, faults=faults, kernels=parts)
    if family.launches:
        return family.build(body, context)
    needs = _type_needs(node, body, target)
    sources = family.build(body, context)
    if len(body.nodes) > 1 and any(turns(source.wgsl) > MOST_TURNS for source in sources):
        return list(_separate(dce(SHORT(body)), body, target, storage, faults))
    if begun is not None and len(sources) == 1:
        sources = [begun.with_quick(sources[0], body, context, family.build)]
    name = family.name

    def whole(source: KernelSource) -> KernelSource:
        return replace(
            source,
            needs=tuple(dict.fromkeys(source.needs + needs)),
            name=source.name.replace(f"{name}_{name}", name),
            quick=tuple(map(whole, source.quick)),
        )

    return list(map(whole, sources))


def searches(node: Node, constants: Mapping[Value, NDArray], target: Target) -> Iterator[tuple[Graph, Search]]:
    """What a tuner may try for the kernels of a node: each a program of its own, with the problem that it poses."""
    passed = {value for value, _ in passed_through(node)}
    if passed.issuperset(node.outputs):
        return
    whole, family = body_of(node, constants)
    marked = textured(node)
    if not family.fits(whole, target):
        return
    if family.launches:
        for inner in whole.nodes:
            for program, search in searches(inner, whole.constants, target):
                yield program, _of_one_size(program, search, target)
    if family.search is None:
        return
    for part in family.parts(whole):
        body = _bare(part, family) if family.product and "inplace" in node.attrs else part
        body = replace(body, outputs=tuple(dict.fromkeys(v for v in body.outputs if v.type.size)))
        if not body.outputs:
            continue
        alone = node
        if family.fuses:
            marks = tuple(i for i, op in enumerate(body.nodes) if op in marked)
            attrs = {"body": body, "family": family.name, "why": (), "textured": marks}
            alone = Node(fused, body.inputs, body.outputs, attrs)
        found = family.search(body, BuildContext(target, label=label_of(body), textured=marked))
        yield Graph(tuple(dict.fromkeys(alone.inputs)), {}, (alone,), alone.outputs), found


def _of_one_size(alone: Graph, search: Search, target: Target) -> Search:
    """The candidates whose workgroups are as large as those of the rules: else kernels do not share a launch."""
    (node,) = alone.nodes

    def sizes(choice: tuple[int, ...]) -> list[int]:
        chosen = replace(target, choices={search.name: choice})
        return [source.code.size for source in kernels_of(node, alone, chosen, lambda value: value)]

    first = sizes(search.candidates[0])
    return replace(search, candidates=tuple(c for c in search.candidates if sizes(c) == first))


def _bare(body: Graph, family: Family) -> Graph:
    """The root of a body without what follows it: where nothing is donated, that may bind too many buffers."""
    (node,) = (n for n in body.nodes if family.lowers(n.op))
    alone = prune(Graph(body.inputs, body.constants, body.nodes, (node.out,)))
    read = {v for n in alone.nodes for v in n.inputs}
    return Graph(tuple(v for v in alone.inputs if v in read), alone.constants, alone.nodes, alone.outputs)


def _separate(
    graph: Graph, body: Graph, target: Target, storage: Mapping[Value, Value], faults: Faults
) -> Iterator[KernelSource]:
    """The kernels of a graph that computes what a body does, node by node."""
    graph = _distinct(graph)
    storage_for = {v: storage[v] for v in graph.inputs}
    storage_for |= {new: storage[old] for new, old in zip(graph.outputs, body.outputs, strict=True)}
    nodes = [node for node in graph.nodes if not set(node.outputs) <= {v for v, _ in passed_through(node)}]
    for node in reversed(graph.nodes):
        for value, source in passed_through(node):
            if value in storage_for and source not in storage_for:
                storage_for[source] = storage_for[value]
    for node in graph.nodes:
        for value, source in passed_through(node):
            storage_for[value] = storage_for.get(source, source)
    for node in nodes:
        yield from kernels_of(node, graph, target, lambda value: storage_for.get(value, value), faults=faults)


def _distinct(graph: Graph) -> Graph:
    """The graph with bytes of its own for each output: a copy where a pass has made two of them one, or an input."""
    sources: dict[Value, Value] = {}
    for node in graph.nodes:
        for value, source in passed_through(node):
            sources[value] = sources.get(source, source)
    taken: set[Value] = {*graph.inputs, *graph.constants}
    builder, outputs = Builder.of(graph), []
    builder.nodes = list(graph.nodes)
    for value in graph.outputs:
        source = sources.get(value, value)
        outputs.append(builder.apply(barrier, value) if source in taken else value)
        taken.add(source)
    return builder.build(outputs)


def _uniform(node: Node, body: Graph, storage: Mapping[Value, Value], target: Target) -> frozenset[Value]:
    """The tensors that are bound as uniform buffers, because the storage buffers do not suffice: smallest first."""
    outputs = {storage[v] for v in body.outputs}
    inputs = dict.fromkeys(storage[v] for v in body.inputs)
    inplace = {storage[body.inputs[k]] for _, k in node.attrs.get("inplace", ())}
    binding = target.max_binding_bytes
    buffers = sum(max(1, -(-v.type.nbytes // binding)) for v in (*inputs, *outputs)) - len(inplace)
    buffers += any(True for _ in reports(body.nodes))
    missing = max(0, min(buffers - target.max_storage_buffers, target.max_uniform_buffers))
    small = [v for v in inputs if may_be_uniform(v.type) and v not in inplace and v not in outputs]
    return frozenset(sorted(small, key=lambda v: v.type.nbytes)[:missing])


def check_bindings(source: KernelSource, node: Node, target: Target) -> None:
    """Raise DeviceError where a kernel, its operands in place already merged, binds more buffers than the target."""
    count = sum(o.windows for o in source.operands if not o.texture and not o.uniform)
    if count > target.max_storage_buffers:
        raise DeviceError(
            f"{source.name} needs {count} storage buffers, and {target.name} binds {target.max_storage_buffers}: "
            f"in {node!r}" + (f"  # {node.source}" if node.source.lines else "")
        )


def check_turns(source: KernelSource, node: Node) -> None:
    """Raise DeviceError where one invocation of a kernel would loop for too long."""
    if (count := turns(source.wgsl)) > MOST_TURNS:
        raise DeviceError(
            f"{source.name} would turn its loops {count:,} times in one invocation, and {MOST_TURNS:,} is the most: "
            f"write it in parts that are joined afterwards: in {node!r}"
            + (f"  # {node.source}" if node.source.lines else "")
        )


def body_of(node: Node, constants: Mapping[Value, NDArray]) -> tuple[Graph, Family]:
    """The body graph of a node and its family; a node that is not fused is a body of its own.

    Constants of one element become part of a body where kernels can hold them as literals.
    """
    family = kernel_family(node)
    if family is None:
        raise GraphError(f"{node!r} has to be inlined before lowering: run passes.inline")
    if node.op is fused:
        return node.attrs["body"], family
    literals: dict[Value, NDArray] = {}
    if family.reads == "elements":
        literals = {v: constants[v] for v in node.inputs if v in constants and v.type.size == 1}
    inputs = tuple(v for v in dict.fromkeys(node.inputs) if v not in literals)
    return Graph(inputs, literals, (node,), node.outputs), family


def label_of(body: Graph) -> str:
    """The op names of a body as an identifier: "mul_add_tanh", shortened where there are many."""
    nodes = [inner for n in body.nodes for inner in (n.attrs["body"].nodes if "body" in n.attrs else (n,))]
    names = list(dict.fromkeys(n.op.name for n in nodes if "view" not in n.op.traits))
    names = names or list(dict.fromkeys(n.op.name for n in nodes)) or ["copy"]
    text = "_".join(names[:_LABEL_OPS]) + (f"_and_{len(names) - _LABEL_OPS}_more" if len(names) > _LABEL_OPS else "")
    return re.sub(r"\W", "_", text)


def _type_needs(node: Node, body: Graph, target: Target) -> tuple[str, ...]:
    """WGPU features that the element types of a node ask for."""
    dtypes = {v.type.dtype.name for v in (*node.inputs, *body.values())}
    needs = []
    for name, feature in FEATURE_OF.items():
        if name in dtypes:
            if feature not in target.features:
                raise DeviceError(f"{node!r} computes in {name}, for which {target.name} lacks {feature}")
            needs.append(feature)
    return tuple(needs)
