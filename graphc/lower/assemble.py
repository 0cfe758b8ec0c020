"""Graph -> Plan: a kernel for each node, a place for each tensor, a launch for each kernel."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from graphc.ir import Graph, Node, Value, new_value
from graphc.kernels.turns import turns
from graphc.loops import Flat, flatten, passed_through
from graphc.lower.alike import Alike
from graphc.lower.carry import enter_in_place, gathers, repeat_in_place
from graphc.lower.chain import Chain, chains, join, words
from graphc.lower.declare import module, share
from graphc.lower.family import check_bindings, check_turns, kernels_of
from graphc.lower.kernel import KernelSource, Operand, Site
from graphc.lower.map import copy_kernel
from graphc.lower.place import Placement, place
from graphc.lower.program import Program, Step
from graphc.lower.stage import Textures
from graphc.ops.structured import again, enter, put
from graphc.passes.proof import check_plan
from graphc.plan import Access, Binding, Dispatch, Kernel, Loop, Plan, Staging, TakeOver, Target
from graphc.printer import format_node, value_names


def lower(graph: Graph, target: Target, donate: frozenset[int] = frozenset()) -> Plan:
    """The plan that runs `graph` on `target`. donate: input slots whose buffers outputs may take over.

    Raises DeviceError where the target cannot run a kernel (element type, number of buffers), OutOfMemoryError where a
    tensor exceeds its largest buffer, GraphError for a graph that still holds nodes to be inlined.
    """
    flat = flatten(graph)
    program = Program(flat.graph, target, donate, names=value_names(flat.graph))
    write = Alike(flat.graph, program.root, lambda node: kernels_of(node, flat.graph, target, program.root))
    for position, node in enumerate(flat.graph.nodes):
        _add_node(program, flat, position, node, write)
    repeat_in_place(program, flat.loops)
    _settle_outputs(program)
    program.words = words(program)
    plan = _plan(program, place(program))
    check_plan(plan, target.alignment)
    return plan


def _add_node(program: Program, flat: Flat, position: int, node: Node, write: Alike) -> None:
    for value, source in passed_through(node):
        program.roots[value] = program.root(source)
    if node.op is enter and enter_in_place(program, flat, position):
        program.roots[node.out] = program.root(node.inputs[0])
        return
    if node.op is enter and gathers(program, flat, position):
        program.gathered.add(node.out)
    if node.op is again or node.op is put:
        variable = program.root(node.inputs[1 if node.op is again else 0])
        program.roots[node.out] = variable
        if node.op is again and program.root(node.inputs[0]) is variable:
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
    printed, staged = _Printed(program), Textures()
    sources: list[KernelSource] = []
    bound: list[tuple[Binding, ...]] = []
    taken: list[tuple[TakeOver, ...]] = []
    edges = {n for loop in program.loops for n in (loop.first, loop.last + 1)}
    for number, step in enumerate(program.steps):
        source = share(step.source, placement.merged.get(number, {}))
        if step.position >= 0:
            check_bindings(source, program.graph.nodes[step.position], program.target)
            check_turns(source, program.graph.nodes[step.position])
        if number in edges:
            staged.edge(number)
        staged.bring(number, source.operands, placement)
        bindings = tuple(b for o in source.operands for b in _bind(o, placement, program.target, staged))
        staged.launched(number, bindings)
        sources.append(source)
        bound.append(bindings)
        taken.append(_taken(source, placement))
    kernels = _Kernels()
    dispatches: list[Dispatch] = []
    at: list[int] = []  # the dispatch of each step
    for run in chains(program, placement, sources, edges.union(staged.copies)):
        chain = join([sources[n] for n in run], placement, program.target) if len(run) > 1 else None
        made = []
        for n in run:
            kernel = kernels.add(chain.kernel if chain else _alone(sources[n], placement))
            copies = tuple(staged.copies.get(n, ()))
            dispatch = _dispatch(program, program.steps[n], sources[n], kernel, bound[n], copies, printed)
            zeros = tuple(placement.number[o.value] for o in sources[n].operands if o.name in sources[n].clears)
            made.append(replace(dispatch, taken=taken[n], writes=_writes(sources[n]), clears=zeros))
        at += [len(dispatches)] * len(run)
        dispatches.append(_joined(made, chain) if chain else made[0])
    return Plan(
        buffers=placement.buffers,
        tensors=placement.tensors,
        kernels=kernels.named_apart(),
        dispatches=tuple(dispatches),
        inputs=tuple(placement.number[v] for v in program.graph.inputs),
        outputs=tuple(placement.number[v] for v in program.shown),
        constants=tuple(placement.number[v] for v in program.graph.constants),
        donated=placement.donated,
        memory={**placement.memory, "texture_bytes": sum(t.nbytes for t in staged.textures)},
        textures=tuple(staged.textures),
        loops=tuple(Loop(at[loop.first], at[loop.last], loop.times) for loop in program.loops),
    )


def _alone(source: KernelSource, placement: Placement) -> Kernel:
    """A kernel with a launch of its own."""
    finished = module(source, [placement.access(o) for o in source.operands])
    return Kernel(source.name, finished.wgsl, finished.access, source.family, source.needs, turns(finished.wgsl))


class _Kernels:
    """The kernels of a plan, each once."""

    def __init__(self) -> None:
        self._number: dict[tuple[str, tuple[Access, ...]], int] = {}
        self._made: list[Kernel] = []

    def add(self, kernel: Kernel) -> int:
        """The number of a kernel of this text."""
        number = self._number.setdefault((kernel.wgsl, kernel.access), len(self._made))
        if number == len(self._made):
            self._made.append(kernel)
        return number

    def named_apart(self) -> tuple[Kernel, ...]:
        """The kernels with a number added to names that repeat."""
        count: dict[str, int] = {}
        named = []
        for kernel in self._made:
            count[kernel.name] = count.get(kernel.name, 0) + 1
            suffix = f"_{count[kernel.name]}" if count[kernel.name] > 1 else ""
            named.append(replace(kernel, name=kernel.name + suffix))
        return tuple(named)


def _bind(operand: Operand, placement: Placement, target: Target, staged: Textures) -> list[Binding]:
    tensor = placement.number[operand.value]
    spot = placement.tensors[tensor]
    size, access = spot.padded_bytes, placement.access(operand)
    if operand.texture:
        return [Binding(tensor, spot.buffer, spot.offset, size, access, staged.holding(tensor))]
    if operand.windows == 1:
        return [Binding(tensor, spot.buffer, spot.offset, size, access)]
    each = operand.window * operand.dtype.itemsize * (4 if operand.vector else 1)
    return [
        Binding(tensor, spot.buffer, spot.offset + start, min(each, size - start), access)
        for start in range(0, size, each)
    ]


def _taken(source: KernelSource, placement: Placement) -> tuple[TakeOver, ...]:
    """What a kernel, its operands in place already merged, writes into the bytes of something that it reads."""
    found, position = [], 0
    for operand in source.operands:
        if operand.over is not None:
            touches = tuple(touch for name, touch in source.touches if name == operand.name)
            found.append(TakeOver(position, placement.number[operand.over], touches))
        position += operand.windows
    return tuple(found)


def _writes(source: KernelSource) -> tuple[int, ...]:
    """Positions of the bindings through which a kernel writes."""
    windows = [operand.access != "read" for operand in source.operands for _ in range(operand.windows)]
    return tuple(itertools.compress(itertools.count(), windows))


def _dispatch(
    program: Program,
    step: Step,
    source: KernelSource,
    kernel: int,
    bindings: tuple[Binding, ...],
    stagings: tuple[Staging, ...],
    printed: _Printed,
) -> Dispatch:
    node = program.graph.nodes[step.position] if step.position >= 0 else None
    nodes = printed.lines(node) if node else (f"copy: {source.operands[-1].value!r}",)
    lines = tuple(dict.fromkeys(map(str, node.source.lines))) if node else ()
    reads = {o.value: o.value.type.nbytes for o in source.operands if o.access != "write"}
    writes = {o.value: o.value.type.nbytes for o in source.operands if o.access != "read"}
    ops = source.name.removeprefix(f"{source.family}_").replace("_", ", ")
    return Dispatch(
        label=f"{source.family}: {lines[0] + ' ' if lines else ''}{ops}",
        kernel=kernel,
        node=step.position,
        nodes=nodes,
        lines=lines,
        phase=node.source.phase if node else "forward",
        bindings=bindings,
        workgroups=source.workgroups,
        bytes_read=sum(reads.values()),
        bytes_written=sum(writes.values()),
        flops=source.flops,
        stagings=stagings,
    )


def _joined(stages: Sequence[Dispatch], chain: Chain) -> Dispatch:
    """The one launch of a chain."""
    lines = tuple(dict.fromkeys(line for stage in stages for line in stage.lines))
    return replace(
        stages[0],
        label=f"chain: {lines[0] + ' ' if lines else ''}{len(stages)} kernels",
        nodes=tuple(text for stage in stages for text in stage.nodes),
        lines=lines,
        bindings=chain.bindings,
        workgroups=(1, 1, 1),
        bytes_read=sum(stage.bytes_read for stage in stages),
        bytes_written=sum(stage.bytes_written for stage in stages),
        flops=sum(stage.flops for stage in stages),
        stages=tuple(stages),
        taken=(),
        writes=(),
        barriers=chain.barriers,
    )


class _Printed:
    """Printed lines of the ops that a node holds, under the names of the outer graph."""

    def __init__(self, program: Program) -> None:
        self._names = program.names

    def lines(self, node: Node) -> tuple[str, ...]:
        """One line an op."""
        return self._lines(node, self._names)

    def _lines(self, node: Node, outer: dict[Value, str]) -> tuple[str, ...]:
        if node.op.name != "fused":
            return (format_node(node, outer),)
        body = node.attrs["body"]
        names = {v: f"{outer[node.outputs[0]]}.{name[1:]}" for v, name in value_names(body).items()}
        names |= {v: str(array.item()) for v, array in body.constants.items()}
        names |= {inner: outer[v] for inner, v in zip(body.outputs, node.outputs, strict=True)}
        names |= {inner: outer[v] for inner, v in zip(body.inputs, node.inputs, strict=True)}
        return tuple(line for inner in body.nodes for line in self._lines(inner, names))
