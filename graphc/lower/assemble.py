"""Graph -> Plan: a kernel for each node, a place for each tensor, a launch for each kernel."""

from __future__ import annotations

from dataclasses import replace

from graphc.analysis.loops import Flat, flatten, passed_through
from graphc.codegen.kernel import Faults, KernelSource, Site
from graphc.families.map.kernel import copy_kernel
from graphc.ir.graph import Graph, Node, Value, new_value, value_names
from graphc.lower.alike import Alike
from graphc.lower.begun import Begun
from graphc.lower.declare import share, share_quick
from graphc.lower.family import check_bindings, check_turns, kernels_of
from graphc.lower.launches import Launches, Part, part_of
from graphc.lower.loop_carried import gathers, init_in_place, yield_in_place
from graphc.lower.megakernel import megakernels, words
from graphc.lower.place import Placement, place
from graphc.lower.program import Program, Step
from graphc.lower.quick import quick
from graphc.lower.stage import Textures
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
    program = Program(flat.graph, target, donate, names=names, faults=faults)
    begun = Begun(target.alignment) if target.software else None

    def written(node: Node) -> list[KernelSource]:
        return kernels_of(node, flat.graph, target, program.root, faults=faults, begun=begun, alike=write)

    write = Alike(flat.graph, program.root, written)
    for position, node in enumerate(flat.graph.nodes):
        _add_node(program, flat, position, node, write)
    yield_in_place(program, flat.loops)
    _settle_outputs(program)
    program.words = words(program)
    plan = _plan(program, place(program))
    for made in (plan, plan.quick.plan) if plan.quick else (plan,):
        check_plan(made, target.alignment)
        check_limits(made, target)
    return plan


def _add_node(program: Program, flat: Flat, position: int, node: Node, write: Alike) -> None:
    for value, source in passed_through(node):
        program.roots[value] = program.root(source)
    if node.op is loop_init and init_in_place(program, flat, position):
        program.roots[node.out] = program.root(node.inputs[0])
        return
    if node.op is loop_init and gathers(program, flat, position):
        program.gathered.add(node.out)
    if node.op is loop_yield or node.op is dynamic_update_slice:
        variable = program.root(node.inputs[1 if node.op is loop_yield else 0])
        program.roots[node.out] = variable
        if node.op is loop_yield and program.root(node.inputs[0]) is variable:
            return
    sources = write(node)
    _name_scratch(program, node, sources)
    program.steps += [Step(position, source) for source in sources]


def _name_scratch(program: Program, node: Node, sources: list[KernelSource]) -> None:
    for source in sources:
        for operand in source.operands:
            if operand.value not in program.names:
                count = len(program.names)
                program.names[operand.value] = f"{program.names[node.outputs[0]]}.scratch{count}"


def _settle_outputs(program: Program) -> None:
    """Give each output a tensor of its own: one that is an input, a constant or given before is copied."""
    graph = program.graph
    own: set[Value] = {*graph.inputs, *graph.constants, *program.gathered}
    for slot, value in enumerate(graph.outputs):
        root = program.root(value)
        program.shown.append(value)
        if root in own and value.type.size:
            inputs = [i for i, v in enumerate(graph.inputs) if v is root and i in program.donate]
            if inputs and inputs[0] not in dict(program.taken):
                program.taken.append((inputs[0], slot))
                program.outputs.append(root)
                continue
            copy = new_value(value.type, value.hint)
            program.names[copy] = f"{program.names[value]}.copy{slot}"
            site = Site(program.target, {value: root, copy: copy}, "copy")
            program.steps.append(Step(-1, copy_kernel(value, copy, site)))
            program.shown[-1] = root = copy
        elif root in own:
            program.shown[-1] = root = new_value(value.type, value.hint)
            program.names[root] = f"{program.names[value]}.empty{slot}"
        own.add(root)
        program.outputs.append(root)


def _plan(program: Program, placement: Placement) -> Plan:
    staged, parts = Textures(), list[Part]()
    soon: list[list[Part]] = []
    edges = {n for loop in program.loops for n in (loop.first, loop.last + 1)}
    for number, step in enumerate(program.steps):
        merged = placement.merged.get(number, {})
        source = share(step.source, merged)
        if step.position >= 0:
            check_bindings(source, program.graph.nodes[step.position], program.target)
            check_turns(source, program.graph.nodes[step.position])
        if number in edges:
            staged.edge(number)
        staged.bring(number, source.operands, placement)
        part = part_of(number, source, placement, program.target, staged)
        if program.target.software:
            others = share_quick(step.source, merged)
            soon.append([part_of(number, other, placement, program.target, staged) for other in others])
        staged.launched(number, part.bindings)
        parts.append(part)
    runs = megakernels(program, placement, [part.source for part in parts], edges.union(staged.copies))
    launches = Launches(program, placement, staged.copies)
    made = launches.of([[parts[n] for n in run] for run in runs])
    plan = Plan(
        buffers=placement.buffers,
        tensors=placement.tensors,
        kernels=made.kernels,
        dispatches=made.dispatches,
        inputs=tuple(placement.number[v] for v in program.graph.inputs),
        outputs=tuple(placement.number[v] for v in program.shown),
        constants=tuple(placement.number[v] for v in program.graph.constants),
        donated=placement.donated,
        memory={**placement.memory, "texture_bytes": sum(t.nbytes for t in staged.textures)},
        textures=tuple(staged.textures),
        loops=made.loops,
        checks=program.faults.checks,
        target=str(program.target),
    )
    if not program.target.software:
        return plan
    return replace(plan, quick=quick(plan, made, launches, [[soon[n] for n in run] for run in runs]))
