"""Megakernels: small kernels that follow each other become members of one kernel, run by one workgroup.

Where a launch costs more than what it computes (a software adapter wakes its threads for each), one workgroup goes
through the workgroups of one kernel after the other. Between two members of which one touches what the other wrote
stands a barrier: all invocations that read or write the memory belong to the one workgroup, so that is enough.

A member is the text of its kernel, as a function. Memory is bound by buffer instead of by tensor, an arena as one
window: a tensor of it is read at its offset. A buffer whose tensors are all accessed alike keeps its element type; else
it is an array of u32, and accessor functions give its words the type that a member wants.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Final

from graphc.codegen.kernel import HIDDEN, LANES, KernelSource, Operand
from graphc.ir.graph import Value
from graphc.kernels import calls, math_source, render
from graphc.kernels.turns import turns
from graphc.lower.buffers import BufferAssignment
from graphc.lower.lowering import Lowering
from graphc.passes.marks.megakernel import marks, small
from graphc.plan.plan import MOST_TURNS, Access, Binding, Buffer, Kernel, Target

SHORTEST: Final = 3
"""Fewest kernels of a megakernel: a longer kernel takes longer to compile, which one launch less does not pay for."""

LONGEST: Final = 45_000
"""Most characters of a megakernel's parts: compilers take more than twice as long for a kernel of twice the length."""


@dataclass(frozen=True, slots=True)
class Megakernel:
    """The kernel of a megakernel, what it binds, and the members before which there is a barrier."""

    kernel: Kernel
    bindings: tuple[Binding, ...]
    barriers: tuple[int, ...]


def megakernels(
    lowering: Lowering, assignment: BufferAssignment, sources: Sequence[KernelSource], breaks: Set[int]
) -> list[range]:
    """The steps in runs: one step, or several that become one launch.

    sources: the kernel of each step. breaks: steps before which something else happens (a loop begins or ends,
    operands are copied to textures), so that no run crosses them. A run binds no more buffers than a kernel may, holds
    limited text, and turns its loops no more often than one invocation may.
    """
    target = lowering.target
    found: list[range] = []
    run, length, spent = _Windows(assignment), 0, 0
    for n, (source, fits) in enumerate(zip(sources, _members(lowering, sources), strict=True)):
        new = _Windows(assignment)
        new.add(source)
        own = _turns(source, target) if fits else 0
        added = _length(source.wgsl) if fits else 0
        short = length + added <= LONGEST and spent + own <= MOST_TURNS
        if fits and found and length and n not in breaks and short:
            both = run.joined(new)
            if both.fits(target):
                found[-1] = range(found[-1].start, n + 1)
                run, length, spent = both, length + added, spent + own
                continue
        found.append(range(n, n + 1))
        run, length, spent = new, added, own
    return [part for run in found for part in ([run] if len(run) >= SHORTEST else [range(n, n + 1) for n in run])]


def words(lowering: Lowering) -> frozenset[Value]:
    """The tensors that members reach in other elements than vectors of f32.

    They are placed apart from the others: an arena that is bound as vectors is read four times as fast as one of words.
    """
    if lowering.target.thrifty:
        return frozenset()
    sources = [step.source for step in lowering.steps]
    members = itertools.compress(sources, _members(lowering, sources))
    return frozenset(o.value for source in members for o in source.operands if o.element != "vec4<f32>")


def joins(lowering: Lowering) -> bool:
    """Whether there are megakernels at all: launches are dear, and the pass `megakernel` has marked kernels."""
    return lowering.target.software and marks(lowering.graph)


def _members(lowering: Lowering, sources: Sequence[KernelSource]) -> list[bool]:
    """For each step, whether it can be a member: its kernel allows it, and one workgroup computes it soon enough."""
    if not joins(lowering):
        return [False] * len(sources)
    nodes = lowering.graph.nodes
    return [
        (step.position < 0 or small(nodes[step.position])) and _joins(source, lowering.target)
        for step, source in zip(lowering.steps, sources, strict=True)
    ]


def lanes_of(target: Target) -> int:
    """Invocations of a megakernel's workgroup: one subgroup, so that no lane of it waits for another one."""
    return target.subgroup or 8


def _joins(source: KernelSource, target: Target) -> bool:
    """Whether a kernel can be a member: no workgroup memory, nothing cleared, 4 bytes an element of whole tensors."""
    code = source.code
    if code.waits or len(code.functions) < len(code.declarations) or source.workgroups[1:] != (1, 1) or source.clears:
        return False
    if set(source.needs) - {"subgroup"} or ("subgroup" in source.needs and code.size != lanes_of(target)):
        return False
    return all(o.windows == 1 and not o.texture and o.dtype.storage.itemsize == 4 for o in source.operands)


@dataclass(slots=True)
class _Window:
    """The part of a buffer that a megakernel touches, in bytes, and how: as which elements, and whether all is uniform.

    tensors: positions of those in it.
    """

    low: int
    high: int
    elements: set[str] = field(default_factory=set)
    tensors: dict[int, None] = field(default_factory=dict)
    written: bool = False
    uniform: bool = True


class _Windows:
    """The windows of buffers that members touch, by number of the buffer."""

    def __init__(self, assignment: BufferAssignment) -> None:
        self.assignment = assignment
        self.found: dict[int, _Window] = {}

    def add(self, source: KernelSource) -> None:
        """Add what a kernel touches."""
        for operand in source.operands:
            position = self.assignment.number[operand.value]
            tensor = self.assignment.tensors[position]
            low, high = tensor.offset, tensor.offset + tensor.padded_bytes
            window = self.found.setdefault(tensor.buffer, _Window(low, high))
            window.low, window.high = min(window.low, low), max(window.high, high)
            stored = operand.dtype.wgsl_storage
            window.elements.add(f"vec4<{stored}>" if operand.uniform else operand.element)
            window.tensors[position] = None
            window.written |= operand.access != "read"
            window.uniform &= operand.uniform

    def joined(self, other: _Windows) -> _Windows:
        """The windows of both."""
        both = _Windows(self.assignment)
        for number in dict.fromkeys((*self.found, *other.found)):
            parts = [w.found[number] for w in (self, other) if number in w.found]
            both.found[number] = _Window(
                min(w.low for w in parts),
                max(w.high for w in parts),
                set().union(*(w.elements for w in parts)),
                {t: None for w in parts for t in w.tensors},
                any(w.written for w in parts),
                all(w.uniform for w in parts),
            )
        return both

    def fits(self, target: Target) -> bool:
        """Whether one kernel can bind them."""
        uniform = sum(w.uniform and not w.written for w in self.found.values())
        small = all(w.high - w.low <= target.max_binding_bytes for w in self.found.values())
        return (
            small and uniform <= target.max_uniform_buffers and len(self.found) - uniform <= target.max_storage_buffers
        )

    def access(self, number: int) -> Access:
        """How a buffer is bound."""
        window = self.found[number]
        if window.uniform and not window.written:
            return "uniform"
        return "read_write" if window.written or self.buffer(number).kind == "arena" else "read"

    def buffer(self, number: int) -> Buffer:
        """The buffer of this number."""
        return self.assignment.buffers[number]

    def bindings(self) -> tuple[Binding, ...]:
        """The windows as bindings."""
        return tuple(
            Binding(
                next(iter(w.tensors)) if len(w.tensors) == 1 else -1, number, w.low, w.high - w.low, self.access(number)
            )
            for number, w in self.found.items()
        )


def join(sources: Sequence[KernelSource], assignment: BufferAssignment, target: Target) -> Megakernel:
    """The kernel whose one workgroup runs these one after the other."""
    windows = _Windows(assignment)
    for source in sources:
        windows.add(source)
    memory = {number: _Memory(f"b{k}", number, windows) for k, number in enumerate(windows.found)}
    functions, body, barriers = [], [], []
    touched: list[tuple[int, int, int, bool]] = []
    for number, source in enumerate(sources):
        touches = _touches(source, assignment)
        if any(_collides(a, b) for a in touched for b in touches):
            body.append("  storageBarrier();")
            barriers.append(number)
            touched = []
        touched += touches
        functions.append(_function(source, number, memory, assignment))
        body.append(_call(source, number, lanes_of(target)))
    code = "\n\n".join(functions)
    declared = "\n".join(m.declaration(k) for k, m in enumerate(memory.values()))
    accessors = "\n".join(line for m in memory.values() for line in m.accessors())
    stored = next((m.name for m in memory.values() if m.access != "uniform"), "")
    helpers = math_source(sorted(calls(code)), stored).rstrip()
    main = render("megakernel", count=len(sources), size=lanes_of(target), functions=code, members="\n".join(body))
    text = "\n\n".join(filter(None, (declared, accessors, helpers, main.rstrip()))) + "\n"
    access = tuple(windows.access(number) for number in windows.found)
    needs = tuple(dict.fromkeys(need for source in sources for need in source.needs))
    kernel = Kernel(f"megakernel_of_{len(sources)}", text, access, "megakernel", needs, turns(text))
    return Megakernel(kernel, windows.bindings(), tuple(barriers))


def _touches(source: KernelSource, assignment: BufferAssignment) -> list[tuple[int, int, int, bool]]:
    """Buffer, first and last byte (exclusive) of each operand, and whether it is written. Atomic ones do not count."""
    found = []
    for operand in source.operands:
        if operand.atomic:
            continue
        tensor = assignment.tensors[assignment.number[operand.value]]
        low = tensor.offset
        found.append((tensor.buffer, low, low + tensor.padded_bytes, operand.access != "read"))
    return found


def _collides(a: tuple[int, int, int, bool], b: tuple[int, int, int, bool]) -> bool:
    """Whether two members that touch these must not run at once."""
    return a[0] == b[0] and a[1] < b[2] and b[1] < a[2] and (a[3] or b[3])


def _turns(source: KernelSource, target: Target) -> int:
    """The turns of all loops while the invocations of a megakernel run a member."""
    return -(-source.workgroups[0] * source.code.size // lanes_of(target)) * (1 + turns(source.wgsl))


def _call(source: KernelSource, number: int, lanes: int) -> str:
    """The loop that runs all workgroups of a member."""
    size, groups = source.code.size, source.workgroups[0]
    if size == lanes:
        if groups == 1:
            return f"  member{number}(vec3<u32>(), local);"
        return f"  for (var g = 0u; g < {groups}u; g++) {{ member{number}(vec3<u32>(g, 0u, 0u), local); }}"
    call = f"member{number}(vec3<u32>(t / {size}u, 0u, 0u), t % {size}u);"
    return f"  for (var t = local; t < {groups * size}u; t += {lanes}u) {{ {call} }}"


def _function(source: KernelSource, number: int, memory: Mapping[int, _Memory], assignment: BufferAssignment) -> str:
    """The text of a kernel as a function of the megakernel, with helpers of its own."""
    spots: dict[str, _Spot] = {}
    for operand in source.operands:
        tensor = assignment.tensors[assignment.number[operand.value]]
        stored = operand.dtype.wgsl_storage
        spots[operand.name] = _Spot(memory[tensor.buffer], tensor.offset, operand, stored)
    code = source.code.renamed({name: f"{name}_{number}" for name in source.code.functions})
    return code.function(f"member{number}", code.local, _Moved(spots), comments=False).strip()


class _Memory:
    """A buffer as a megakernel declares it: with the elements that all its members want, or as words."""

    def __init__(self, name: str, number: int, windows: _Windows) -> None:
        window = windows.found[number]
        self.name, self.low, self.high = name, window.low, window.high
        self.access = windows.access(number)
        alike = len(window.elements) == 1
        self.element = next(iter(window.elements)) if alike else "u32"
        self.words = not alike
        self.types = sorted({e.removeprefix("vec4<").removesuffix(">") for e in window.elements})
        self.used: set[str] = set()

    def declaration(self, binding: int) -> str:
        """The `var` of the buffer."""
        if self.access == "uniform":
            kind, length = "uniform", f", {(self.high - self.low) // 16}"
        else:
            kind, length = f"storage, {self.access}", ""
        return f"@group(0) @binding({binding}) var<{kind}> {self.name}: array<{self.element}{length}>;"

    def accessors(self) -> list[str]:
        """The functions that give its words a type, of those that are called."""
        found: dict[str, str] = {}
        for kind in self.types if self.words else ():
            get, put = ("{}", "{}") if kind == "u32" else (f"bitcast<{kind}>({{}})", "bitcast<u32>({})")
            four = ", ".join(get.format(f"{self.name}[i + {lane}u]") for lane in range(LANES))
            puts = " ".join(
                f"{self.name}[i + {lane}u] = {put.format(f'v.{letter}')};" for lane, letter in enumerate("xyzw")
            )
            name = f"{self.name}_{kind}"
            found |= {
                f"get_{name}": f"(i: u32) -> {kind} {{ return {get.format(f'{self.name}[i]')}; }}",
                f"get4_{name}": f"(i: u32) -> vec4<{kind}> {{ return vec4<{kind}>({four}); }}",
                f"put_{name}": f"(i: u32, v: {kind}) {{ {self.name}[i] = {put.format('v')}; }}",
                f"put4_{name}": f"(i: u32, v: vec4<{kind}>) {{ {puts} }}",
            }
        return [f"fn {name}{rest}" for name, rest in found.items() if name in self.used]


@dataclass(frozen=True, slots=True)
class _Spot:
    """Where a member's tensor lies: in which buffer, at which byte, and as which elements the member accesses it."""

    memory: _Memory
    offset: int
    operand: Operand
    stored: str

    @property
    def vector(self) -> bool:
        """Whether it is reached in vectors."""
        return self.operand.vector or self.operand.uniform

    def at(self, index: str) -> str:
        """The position in the buffer of the element at `index`."""
        start = (self.offset - self.memory.low) // 4
        if self.memory.words:
            index = f"({index}) * 4u" if self.vector else index
        elif self.vector:
            start //= LANES
        return f"{start}u + ({index})" if start else index

    def load(self, index: str) -> str:
        """The expression of an element."""
        if self.operand.uniform and not self.operand.vector:
            return f"{self._load(f'({index}) / {LANES}u')}[({index}) % {LANES}u]"
        return self._load(index)

    def _load(self, index: str) -> str:
        if not self.memory.words:
            hidden = HIDDEN if self.memory.access == "uniform" else ""
            return f"{self.memory.name}[{self.at(index)}{hidden}]"
        return f"{self._accessor('get')}({self.at(index)})"

    def _accessor(self, verb: str) -> str:
        name = f"{verb}{'4' if self.vector else ''}_{self.memory.name}_{self.stored}"
        self.memory.used.add(name)
        return name

    def store(self, index: str, value: str) -> str:
        """The statement that writes an element."""
        if not self.memory.words:
            return f"{self.memory.name}[{self.at(index)}] = {value};"
        return f"{self._accessor('put')}({self.at(index)}, {value});"


class _Moved:
    """Writes each access at the place where the tensor lies."""

    def __init__(self, spots: Mapping[str, _Spot]) -> None:
        self._spots = spots

    def load(self, name: str, index: str) -> str:
        """The expression of an element."""
        return self._spots[name].load(index)

    def store(self, name: str, index: str, value: str) -> str:
        """The statement that writes one."""
        return self._spots[name].store(index, value)

    def mention(self, name: str) -> str:
        """A name, as it is."""
        return name


def _length(text: str) -> int:
    """Characters of WGSL that a driver has to compile: neither how lines are set out nor comments count."""
    return sum(len(line) + 1 for line in map(_code, text.splitlines()) if line)


def _code(line: str) -> str:
    return line.partition("//")[0].strip()
