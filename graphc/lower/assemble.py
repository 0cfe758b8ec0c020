"""Graph -> Plan: a kernel for each node, a place for each tensor, a launch for each kernel."""

from __future__ import annotations

from dataclasses import replace

from graphc.analysis.loops import Flat, flatten, passed_through
from graphc.codegen.kernel import BuildContext, Faults, KernelSource
from graphc.families.map.kernel import copy_kernel
from graphc.ir.graph import Graph, Node, Value, new_value, value_names
from graphc.lower.alike import Alike
from graphc.lower.begun import Begun
from graphc.lower.buffers import BufferAssignment, assign_buffers
from graphc.lower.declare import share, share_quick
from graphc.lower.family import check_bindings, check_turns, kernels_of
from graphc.lower.launches import Launches, Part, part_of
from graphc.lower.loop_carried import gathers, init_in_place, yield_in_place
from graphc.lower.lowering import Lowering, Step
from graphc.lower.megakernel import megakernels, words
from graphc.lower.quick import quick
from graphc.lower.textures import Textures
from graphc.ops.structured import dynamic_update_slice, loop_init, loop_yield
from graphc.plan.limits import check_limits
from graphc.plan.plan import Plan, Target
from graphc.plan.verify import check_plan


def lower(graph: Graph, target: Target, donate: frozenset[int] = frozenset()) -> Plan:
    """The plan that runs `graph` on `target`. donate: input slots whose buffers outputs may take over.

    Raises DeviceError where the target cannot run a kernel (element type, number of buffers), OutOfMemoryError where a
    tensor exceeds its largest buffer, GraphError for a graph that still holds nodes to be inlined.
    """
    flat = flatten(graph)
    faults = Faults(flat.graph.nodes)
    names = {**value_names(flat.graph), faults.value: "faults"}
    lowering = Lowering(flat.graph, target, donate, names=names, faults=faults)
    begun = Begun(target.alignment) if target.software else None

    def written(node: Node) -> list[KernelSource]:
        return kernels_of(node, flat.graph, target, lowering.storage_of, faults=faults, begun=begun, alike=write)

    write = Alike(flat.graph, lowering.storage_of, written)
    for position, node in enumerate(flat.graph.nodes):
        _add_node(lowering, flat, position, node, write)
    yield_in_place(lowering, flat.loops)
    _settle_outputs(lowering)
    lowering.words = words(lowering)
    plan = _plan(lowering, assign_buffers(lowering))
    for made in (plan, plan.quick.plan) if plan.quick else (plan,):
        check_plan(made, target.alignment)
        check_limits(made, target)
    return plan


def _add_node(lowering: Lowering, flat: Flat, position: int, node: Node, write: Alike) -> None:
    for value, source in passed_through(node):
        lowering.storage[value] = lowering.storage_of(source)
    if node.op is loop_init and init_in_place(lowering, flat, position):
        lowering.storage[node.out] = lowering.storage_of(node.inputs[0])
        return
    if node.op is loop_init and gathers(lowering, flat, position):
        lowering.gathered.add(node.out)
    if node.op is loop_yield or node.op is dynamic_update_slice:
        variable = lowering.storage_of(node.inputs[1 if node.op is loop_yield else 0])
        lowering.storage[node.out] = variable
        if node.op is loop_yield and lowering.storage_of(node.inputs[0]) is variable:
            return
    sources = write(node)
    _name_scratch(lowering, node, sources)
    lowering.steps += [Step(position, source) for source in sources]


def _name_scratch(lowering: Lowering, node: Node, sources: list[KernelSource]) -> None:
    for source in sources:
        for operand in source.operands:
            if operand.value not in lowering.names:
                count = len(lowering.names)
                lowering.names[operand.value] = f"{lowering.names[node.outputs[0]]}.scratch{count}"


def _settle_outputs(lowering: Lowering) -> None:
    """Give each output a tensor of its own: one that is an input, a constant or given before is copied."""
    graph = lowering.graph
    own: set[Value] = {*graph.inputs, *graph.constants, *lowering.gathered}
    for slot, value in enumerate(graph.outputs):
        root = lowering.storage_of(value)
        lowering.shown.append(value)
        if root in own and value.type.size:
            inputs = [i for i, v in enumerate(graph.inputs) if v is root and i in lowering.donate]
            if inputs and inputs[0] not in dict(lowering.taken):
                lowering.taken.append((inputs[0], slot))
                lowering.outputs.append(root)
                continue
            copy = new_value(value.type, value.hint)
            lowering.names[copy] = f"{lowering.names[value]}.copy{slot}"
            context = BuildContext(lowering.target, {value: root, copy: copy}, "copy")
            lowering.steps.append(Step(-1, copy_kernel(value, copy, context)))
            lowering.shown[-1] = root = copy
        elif root in own:
            lowering.shown[-1] = root = new_value(value.type, value.hint)
            lowering.names[root] = f"{lowering.names[value]}.empty{slot}"
        own.add(root)
        lowering.outputs.append(root)


def _plan(lowering: Lowering, assignment: BufferAssignment) -> Plan:
    textures, parts = Textures(), list[Part]()
    soon: list[list[Part]] = []
    edges = {n for loop in lowering.loops for n in (loop.first, loop.last + 1)}
    for number, step in enumerate(lowering.steps):
        merged = assignment.merged.get(number, {})
        source = share(step.source, merged)
        if step.position >= 0:
            check_bindings(source, lowering.graph.nodes[step.position], lowering.target)
            check_turns(source, lowering.graph.nodes[step.position])
        if number in edges:
            textures.edge(number)
        textures.bring(number, source.operands, assignment)
        part = part_of(number, source, assignment, lowering.target, textures)
        if lowering.target.software:
            others = share_quick(step.source, merged)
            soon.append([part_of(number, other, assignment, lowering.target, textures) for other in others])
        textures.launched(number, part.bindings)
        parts.append(part)
    runs = megakernels(lowering, assignment, [part.source for part in parts], edges.union(textures.copies))
    launches = Launches(lowering, assignment, textures.copies)
    made = launches.of([[parts[n] for n in run] for run in runs])
    plan = Plan(
        buffers=assignment.buffers,
        tensors=assignment.tensors,
        kernels=made.kernels,
        dispatches=made.dispatches,
        inputs=tuple(assignment.number[v] for v in lowering.graph.inputs),
        outputs=tuple(assignment.number[v] for v in lowering.shown),
        constants=tuple(assignment.number[v] for v in lowering.graph.constants),
        donated=assignment.donated,
        memory={**assignment.memory, "texture_bytes": sum(t.nbytes for t in textures.textures)},
        textures=tuple(textures.textures),
        loops=made.loops,
        checks=lowering.faults.checks,
        target=str(lowering.target),
    )
    if not lowering.target.software:
        return plan
    return replace(plan, quick=quick(plan, made, launches, [[soon[n] for n in run] for run in runs]))
