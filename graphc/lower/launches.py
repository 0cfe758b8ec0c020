"""Launches: from the kernels of a program's steps to the kernels and dispatches of a plan.

The same steps can be launched in several ways: a megakernel as one kernel or as one for each of its members, a step as
the kernel that runs fastest or as those that compile soonest (see graphc.lower.quick).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from graphc.codegen.kernel import KernelSource, Operand
from graphc.ir.graph import Node, Value, format_node, value_names
from graphc.kernels.turns import turns
from graphc.lower.buffers import BufferAssignment
from graphc.lower.declare import module
from graphc.lower.lowering import Lowering, Step
from graphc.lower.megakernel import Megakernel, join
from graphc.lower.textures import Textures
from graphc.plan.plan import Access, Binding, Dispatch, Kernel, Loop, TakeOver, Target, TextureCopy


@dataclass(frozen=True, slots=True)
class Part:
    """A kernel of a step, with its operands in place already merged, and what it binds where it is launched alone.

    step: the position of the step. kernel: its own, where it is launched alone.
    """

    step: int
    source: KernelSource
    kernel: Kernel
    bindings: tuple[Binding, ...]
    taken: tuple[TakeOver, ...]


def part_of(
    number: int, source: KernelSource, assignment: BufferAssignment, target: Target, textures: Textures
) -> Part:
    """A kernel of step `number`, bound to where its tensors lie."""
    bindings = tuple(b for o in source.operands for b in _bind(o, assignment, target, textures))
    return Part(number, source, _alone(source, assignment), bindings, _taken(source, assignment))


@dataclass(frozen=True, slots=True)
class Made:
    """Launches of a program. groups: the parts that each launch runs, one after the other."""

    kernels: tuple[Kernel, ...]
    dispatches: tuple[Dispatch, ...]
    loops: tuple[Loop, ...]
    groups: tuple[Sequence[Part], ...]

    def spans(self) -> tuple[list[int], list[int]]:
        """The first and the last of the launches (those of a megakernel counted one by one) of each step."""
        begins: dict[int, int] = {}
        ends: dict[int, int] = {}
        for position, part in enumerate(itertools.chain.from_iterable(self.groups)):
            begins.setdefault(part.step, position)
            ends[part.step] = position
        return list(begins.values()), list(ends.values())


class Launches:
    """Makes the launches of a program. copies: into textures, before each step."""

    def __init__(
        self, lowering: Lowering, assignment: BufferAssignment, copies: Mapping[int, Sequence[TextureCopy]]
    ) -> None:
        self._lowering, self._assignment, self._copies = lowering, assignment, copies
        self._printed = _Printed(lowering)

    def megakernel(self, parts: Sequence[Part]) -> Kernel:
        """The kernel that runs several parts one after the other."""
        return join([part.source for part in parts], self._assignment, self._lowering.target).kernel

    def of(self, groups: Sequence[Sequence[Part]]) -> Made:
        """A launch for each group of parts, which are all parts of all steps in their order."""
        kernels = _Kernels()
        dispatches: list[Dispatch] = []
        first: dict[int, int] = {}
        last: dict[int, int] = {}
        for group in groups:
            megakernel = (
                join([part.source for part in group], self._assignment, self._lowering.target)
                if len(group) > 1
                else None
            )
            made = []
            for part in group:
                copies = tuple(self._copies.get(part.step, ())) if part.step not in first else ()
                first.setdefault(part.step, len(dispatches))
                last[part.step] = len(dispatches)
                made.append(self._dispatch(part, kernels.add(megakernel.kernel if megakernel else part.kernel), copies))
            dispatches.append(_joined(made, megakernel) if megakernel else made[0])
        loops = []
        for loop, flag in zip(self._lowering.loops, self._lowering.flags, strict=True):
            alive = -1 if flag is None else self._assignment.number[self._lowering.storage_of(flag)]
            loops.append(Loop(first[loop.first], last[loop.last], loop.times, alive))
        return Made(kernels.named_apart(), tuple(dispatches), tuple(loops), tuple(groups))

    def _dispatch(self, part: Part, kernel: int, copies: tuple[TextureCopy, ...]) -> Dispatch:
        step = self._lowering.steps[part.step]
        dispatch = _dispatch(self._lowering, step, part.source, kernel, part.bindings, copies, self._printed)
        number = self._assignment.number
        clears = tuple(number[o.value] for o in part.source.operands if o.name in part.source.clears)
        return replace(dispatch, taken=part.taken, writes=_writes(part.source), clears=clears)


def _alone(source: KernelSource, assignment: BufferAssignment) -> Kernel:
    """A kernel with a launch of its own."""
    finished = module(source, [assignment.access(o) for o in source.operands])
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


def _bind(operand: Operand, assignment: BufferAssignment, target: Target, textures: Textures) -> list[Binding]:
    tensor = assignment.number[operand.value]
    spot = assignment.tensors[tensor]
    size, access = spot.padded_bytes, assignment.access(operand)
    if operand.texture:
        return [Binding(tensor, spot.buffer, spot.offset, size, access, textures.holding(tensor))]
    if operand.windows == 1:
        start = operand.start * operand.dtype.itemsize
        return [Binding(tensor, spot.buffer, spot.offset + start, size - start, access)]
    each = operand.window * operand.dtype.itemsize * (4 if operand.vector else 1)
    return [
        Binding(tensor, spot.buffer, spot.offset + start, min(each, size - start), access)
        for start in range(0, size, each)
    ]


def _taken(source: KernelSource, assignment: BufferAssignment) -> tuple[TakeOver, ...]:
    """What a kernel, its operands in place already merged, writes into the bytes of something that it reads."""
    found, position = [], 0
    for operand in source.operands:
        if operand.over is not None:
            touches = tuple(touch for name, touch in source.touches if name == operand.name)
            found.append(TakeOver(position, assignment.number[operand.over], touches))
        position += operand.windows
    return tuple(found)


def _writes(source: KernelSource) -> tuple[int, ...]:
    """Positions of the bindings through which a kernel writes what another could read; faults are read by none."""
    windows = [o.access != "read" and not o.atomic for o in source.operands for _ in range(o.windows)]
    return tuple(itertools.compress(itertools.count(), windows))


def _dispatch(
    lowering: Lowering,
    step: Step,
    source: KernelSource,
    kernel: int,
    bindings: tuple[Binding, ...],
    copies: tuple[TextureCopy, ...],
    printed: _Printed,
) -> Dispatch:
    node = lowering.graph.nodes[step.position] if step.position >= 0 else None
    nodes = printed.lines(node) if node else (f"copy: {source.operands[-1].value!r}",)
    lines = tuple(dict.fromkeys(map(str, node.source.lines))) if node else ()
    reads = {o.value: o.value.type.nbytes for o in source.operands if o.access != "write" and not o.atomic}
    writes = {o.value: o.value.type.nbytes for o in source.operands if o.access != "read" and not o.atomic}
    ops = _listed(source.name.removeprefix(f"{source.family}_"), node)
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
        copies=copies,
    )


def _listed(label: str, node: Node | None) -> str:
    """The words of a kernel's name, in which names of ops stay whole."""
    for name in sorted(_op_names(node) if node else (), key=len, reverse=True):
        label = label.replace(name, name.replace("_", "-"))
    return label.replace("_", ", ").replace("-", "_")


def _op_names(node: Node) -> set[str]:
    if not node.op.is_kernel:
        return {node.op.name}
    return {name for inner in node.attrs["body"].nodes for name in _op_names(inner)}


def _joined(members: Sequence[Dispatch], megakernel: Megakernel) -> Dispatch:
    """The one launch of a megakernel."""
    lines = tuple(dict.fromkeys(line for member in members for line in member.lines))
    return replace(
        members[0],
        label=f"megakernel: {lines[0] + ' ' if lines else ''}{len(members)} kernels",
        nodes=tuple(text for member in members for text in member.nodes),
        lines=lines,
        bindings=megakernel.bindings,
        workgroups=(1, 1, 1),
        bytes_read=sum(member.bytes_read for member in members),
        bytes_written=sum(member.bytes_written for member in members),
        flops=sum(member.flops for member in members),
        members=tuple(members),
        taken=(),
        writes=(),
        barriers=megakernel.barriers,
    )


class _Printed:
    """Printed lines of the ops that a node holds, under the names of the outer graph."""

    def __init__(self, lowering: Lowering) -> None:
        self._names = lowering.names
        self._known: dict[Node, tuple[str, ...]] = {}

    def lines(self, node: Node) -> tuple[str, ...]:
        """One line an op."""
        if node not in self._known:
            self._known[node] = self._lines(node, self._names)
        return self._known[node]

    def _lines(self, node: Node, outer: dict[Value, str]) -> tuple[str, ...]:
        if not node.op.is_kernel:
            return (format_node(node, outer),)
        body = node.attrs["body"]
        names = {v: f"{outer[node.outputs[0]]}.{name[1:]}" for v, name in value_names(body).items()}
        names |= {v: str(array.item()) for v, array in body.constants.items()}
        names |= {inner: outer[v] for inner, v in zip(body.outputs, node.outputs, strict=True)}
        names |= {inner: outer[v] for inner, v in zip(body.inputs, node.inputs, strict=True)}
        return tuple(line for inner in body.nodes for line in self._lines(inner, names))
