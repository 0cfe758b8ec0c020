"""Buffer assignment: where each tensor lies, in a buffer of its own, in an arena, or in bytes that it takes over."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from graphc.codegen.kernel import Operand
from graphc.errors import OutOfMemoryError
from graphc.ir.graph import Value
from graphc.ir.types import TensorType
from graphc.lower.lowering import Lowering
from graphc.plan import allocate as memory
from graphc.plan.plan import Access, Buffer, BufferKind, Target, Tensor, padded


@dataclass(slots=True)
class BufferAssignment:
    """buffers, tensors: of the plan. number: position of each value in `tensors`. merged: for each dispatch, the input
    operands that became one with an output operand. donated: (input slot, output slot). memory: bytes by kind."""

    buffers: tuple[Buffer, ...]
    tensors: tuple[Tensor, ...]
    number: Mapping[Value, int]
    merged: Mapping[int, Mapping[str, str]]
    donated: tuple[tuple[int, int], ...]
    memory: Mapping[str, int]

    def access(self, operand: Operand) -> Access:
        """How an operand is bound.

        Two tensors of one arena may be bound to one dispatch, and WebGPU allows that only if both are read_write.
        """
        if operand.texture:
            return "texture"
        if operand.uniform:
            return "uniform"
        buffer = self.buffers[self.tensors[self.number[operand.value]].buffer]
        return "read" if operand.access == "read" and buffer.kind != "arena" else "read_write"


@dataclass(slots=True)
class _Lives:
    """first, last: the dispatches that touch each tensor first and last. output: tensors that are outputs, by slot.

    held: tensors that a later step of a loop reads again. uniform: tensors that are bound as uniform buffers. WebGPU
    wants nothing of such a buffer written by the same dispatch, so they lie in no arena with others. faults: what range
    checks report in, if there are any.
    """

    first: dict[Value, int] = field(default_factory=dict)
    last: dict[Value, int] = field(default_factory=dict)
    output: dict[Value, int] = field(default_factory=dict)
    input: dict[Value, int] = field(default_factory=dict)
    constant: dict[Value, int] = field(default_factory=dict)
    held: set[Value] = field(default_factory=set)
    uniform: set[Value] = field(default_factory=set)
    faults: set[Value] = field(default_factory=set)

    def in_arena(self, value: Value) -> bool:
        return not (value in self.output or value in self.input or value in self.constant or value in self.faults)


def assign_buffers(lowering: Lowering) -> BufferAssignment:
    """A place for each tensor that a dispatch touches, and for all inputs, constants and outputs."""
    lives = _lives(lowering)
    donated = {o: i for i, o in lowering.taken}
    shares, merged = _share_in_place(lowering, lives, donated)
    _take_over_dead_inputs(lowering, lives, donated)
    buffers, home = _own_buffers(lowering, lives, donated)
    return _finish(lowering, lives, shares, merged, donated, buffers, home)


def _lives(lowering: Lowering) -> _Lives:
    graph = lowering.graph
    lives = _Lives(
        input={v: i for i, v in reversed(list(enumerate(graph.inputs)))},
        constant={v: i for i, v in enumerate(graph.constants)},
    )
    for slot, value in enumerate(lowering.outputs):
        if value not in lives.input:
            lives.output[value] = slot
    for number, step in enumerate(lowering.steps):
        for operand in step.source.operands:
            lives.first.setdefault(operand.value, number)
            lives.last[operand.value] = number
            if operand.uniform:
                lives.uniform.add(operand.value)
            if operand.atomic:
                lives.faults.add(operand.value)
    outside = {*lives.input, *lives.constant}
    for loop, flag in zip(lowering.loops, lowering.flags, strict=True):
        for value, last in lives.last.items():
            before = lives.first[value] < loop.first or value in outside
            asked = flag is not None and lowering.storage_of(flag) is value
            if (before and loop.first <= last <= loop.last) or asked:
                lives.last[value] = max(last, loop.last)
                lives.held.add(value)
    return lives


def _share_in_place(
    lowering: Lowering, lives: _Lives, donated: dict[int, int]
) -> tuple[dict[Value, Value], dict[int, dict[str, str]]]:
    """Outputs of dispatches that lie in the bytes of an input which nothing reads afterwards.

    Returns the tensor whose bytes each takes over, and the operands merged by it. Donated inputs that an output takes
    over in place are added to `donated`.
    """
    shares: dict[Value, Value] = {}
    merged: dict[int, dict[str, str]] = {}
    for number, step in enumerate(lowering.steps):
        by_name = {o.name: o.value for o in step.source.operands}
        uniform = {o.name for o in step.source.operands if o.uniform}
        if step.merged:
            merged[number] = dict(step.merged)
        used: set[str] = {*step.merged, *step.merged.values()}
        for output, source in step.source.inplace:
            new, old = by_name[output], by_name[source]
            if output in used or source in used or lives.last[old] != number or lives.first[new] != number:
                continue
            if old in lives.held or source in uniform:  # a kernel does not write what it reads as a uniform buffer
                continue
            if lives.in_arena(old) and lives.in_arena(new):
                shares[new] = old
            elif not _donate(lowering, lives, donated, old, new):
                continue
            used |= {output, source}
            merged.setdefault(number, {})[source] = output
    return shares, merged


def _donate(lowering: Lowering, lives: _Lives, donated: dict[int, int], old: Value, new: Value) -> bool:
    """Let output tensor `new` take over the buffer of input `old`, if both are free to."""
    slot, into = lives.input.get(old), lives.output.get(new)
    if slot is None or into is None or slot not in lowering.donate or into in donated or slot in donated.values():
        return False
    if old.type.nbytes != new.type.nbytes:
        return False
    donated[into] = slot
    return True


def _take_over_dead_inputs(lowering: Lowering, lives: _Lives, donated: dict[int, int]) -> None:
    """Outputs that are first written after the last reader of a donated input of the same type take its buffer."""
    waiting: dict[TensorType, list[Value]] = {}
    for new, into in lives.output.items():
        if into not in donated:
            waiting.setdefault(new.type, []).append(new)
    for slot in sorted(lowering.donate.difference(donated.values())):
        old = lowering.graph.inputs[slot]
        last, results = lives.last.get(old, -1), waiting.get(old.type, [])
        found = next((new for new in results if lives.first.get(new, -1) > last), None)
        if found is not None and _donate(lowering, lives, donated, old, found):
            results.remove(found)


def _own_buffers(
    lowering: Lowering, lives: _Lives, donated: Mapping[int, int]
) -> tuple[list[Buffer], dict[Value, int]]:
    """Buffers of inputs, constants and outputs, and the buffer of each of these tensors."""
    graph, buffers, home = lowering.graph, [], {}

    def make(value: Value, kind: BufferKind, slot: int) -> int:
        buffers.append(Buffer(lowering.names[value], kind, _padded(lowering, value, f"{kind} "), slot))
        return len(buffers) - 1

    for slot, value in enumerate(graph.inputs):
        home[value] = make(value, "input", slot)
    for slot, value in enumerate(graph.constants):
        home[value] = make(value, "constant", slot)
    for value, slot in lives.output.items():
        if slot in donated:
            home[value] = home[graph.inputs[donated[slot]]]
        else:
            home[value] = make(value, "output", slot)
    for value in lives.faults:
        home[value] = make(value, "faults", 0)
    return buffers, home


def _padded(lowering: Lowering, value: Value, kind: str = "") -> int:
    """Bytes of the place for a tensor. Raises OutOfMemoryError where no buffer of the target holds as many."""
    size, target = padded(value.type.nbytes, value.type.dtype.itemsize), lowering.target
    if size > target.max_buffer_bytes:
        made = next((n for n in lowering.graph.nodes if value in n.outputs), None)
        raise OutOfMemoryError(
            f"{kind}{lowering.names[value]}: {value.type} needs {size} bytes, and a buffer holds at most "
            f"{target.max_buffer_bytes} on {target.name}{made.source.at if made else ''}"
        )
    return size


def _finish(
    lowering: Lowering,
    lives: _Lives,
    shares: dict[Value, Value],
    merged: dict[int, dict[str, str]],
    donated: dict[int, int],
    buffers: list[Buffer],
    home: dict[Value, int],
) -> BufferAssignment:
    names, end = lowering.names, max(len(lowering.steps) - 1, 0)
    owner: dict[Value, Value] = {}
    arena = [v for v in lives.first if lives.in_arena(v)]
    for value in arena:
        owner[value] = owner[shares[value]] if value in shares else value
    spans: dict[Value, tuple[int, int]] = {}
    for value in arena:
        low, high = spans.get(owner[value], (lives.first[value], lives.last[value]))
        spans[owner[value]] = min(low, lives.first[value]), max(high, lives.last[value])
    apart = {owner[v] for v in arena if v in lowering.words}
    sizes = {v: _padded(lowering, v) for v in spans}
    uniform = {owner[v] for v in arena if v in lives.uniform}
    shared = sorted((v for v in spans if v not in uniform), key=apart.__contains__)
    lone, shared, assigned = pack(shared, spans, sizes, uniform, apart, names, lowering.target)
    slots = {v: n for n, v in enumerate(shared)}
    first_arena = len(buffers)
    for slot, size in enumerate([*assigned.arena_bytes, *lone.sizes]):
        buffers.append(Buffer(f"arena{slot}", "arena", size, slot))
    for value, slot in lone.home.items():
        home[value] = first_arena + len(assigned.arena_bytes) + slot

    kept = set(lowering.outputs)
    tensors: list[Tensor] = []
    number: dict[Value, int] = {}

    def add(value: Value, like: Value, start: int, stop: int, alias: str | None) -> None:
        like = owner.get(like, like)
        if like in home:
            buffer, offset = home[like], 0
        else:
            slot = slots[like]
            buffer, offset = first_arena + assigned.arenas[slot], assigned.offsets[slot]
        number[value] = len(tensors)
        kind = value.type
        tensors.append(
            Tensor(names[value], kind.shape, kind.dtype.name, buffer, offset, kind.nbytes, start, stop, alias)
        )

    for value in _unique([*lowering.graph.inputs, *lowering.graph.constants, *lives.output, *lives.faults, *arena]):
        start = lives.first.get(value, 0) if value not in lives.input and value not in lives.constant else 0
        stop = end if value in kept else lives.last.get(value, start)
        over = shares.get(value)
        if value in lives.output and lives.output[value] in donated:
            over = lowering.graph.inputs[donated[lives.output[value]]]
        add(value, value, start, stop, None if over is None else names[over])
    for value, root in lowering.storage.items():
        if root in number and value not in number:
            tensor = tensors[number[root]]
            add(value, root, tensor.start, tensor.end, names[root])
    return BufferAssignment(
        tuple(buffers),
        tuple(tensors),
        number,
        merged,
        tuple(sorted({*lowering.taken, *((i, o) for o, i in donated.items())})),
        _bytes(buffers, assigned, [v for v in arena if owner[v] not in lone.home], lowering.target.alignment),
    )


@dataclass(slots=True)
class _Lone:
    """Buffers that hold one tensor at a time: no dispatch touches two tensors of one of them.

    sizes: bytes of each. spans: first and last dispatch of each tensor that lies in it. home: the buffer of each.
    """

    sizes: list[int] = field(default_factory=list)
    spans: list[list[tuple[int, int]]] = field(default_factory=list)
    home: dict[Value, int] = field(default_factory=dict)

    def find(self, span: tuple[int, int], size: int) -> int | None:
        """A buffer that is large enough, and free while the tensor lives."""
        for slot, taken in enumerate(self.spans):
            if size <= self.sizes[slot] and all(span[1] < start or end < span[0] for start, end in taken):
                return slot
        return None

    def put(self, value: Value, span: tuple[int, int], slot: int) -> None:
        self.spans[slot].append(span)
        self.home[value] = slot

    def open(self, size: int) -> int:
        self.sizes.append(size)
        self.spans.append([])
        return len(self.sizes) - 1


def pack(
    shared: list[Value],
    spans: Mapping[Value, tuple[int, int]],
    sizes: Mapping[Value, int],
    uniform: Collection[Value],
    apart: Collection[Value],
    names: Mapping[Value, str],
    target: Target,
) -> tuple[_Lone, list[Value], memory.Assignment]:
    """Places for the tensors of arenas: lone buffers for those bound as uniform buffers, then the rest of `shared`.

    Small tensors lie in a lone buffer too, before or after the one it was made for, where that makes the arenas less.
    """

    def assign(values: list[Value]) -> memory.Assignment:
        groups = [[memory.Lifetime(names[v], sizes[v], *spans[v]) for v in values if (v in apart) == k] for k in (0, 1)]
        return _assign(groups, target)

    lone = _Lone()
    for value in sorted((v for v in spans if v in uniform), key=lambda v: (-sizes[v], spans[v])):
        slot = lone.find(spans[value], sizes[value])
        lone.put(value, spans[value], lone.open(sizes[value]) if slot is None else slot)
    assigned = assign(shared)
    fuller = _Lone(lone.sizes, [list(taken) for taken in lone.spans], dict(lone.home))
    left = []
    for value in shared:
        slot = None if value in apart else fuller.find(spans[value], sizes[value])
        if slot is None:
            left.append(value)
        else:
            fuller.put(value, spans[value], slot)
    if len(left) == len(shared):
        return lone, shared, assigned
    fewer = assign(left)
    return (fuller, left, fewer) if fewer.peak < assigned.peak else (lone, shared, assigned)


def _assign(groups: list[list[memory.Lifetime]], target: Target) -> memory.Assignment:
    """Places for the tensors of all groups, one after the other, those of each group in arenas of its own."""
    chosen = [group for group in groups if group] or [[]]
    parts = [memory.assign(group, target.alignment, target.max_buffer_bytes) for group in chosen]
    first = 0
    arenas: list[int] = []
    for part in parts:
        arenas += [first + number for number in part.arenas]
        first += len(part.arena_bytes)
    lifetimes = [lifetime for group in groups for lifetime in group]
    assigned = memory.Assignment(
        tuple(arenas),
        tuple(offset for part in parts for offset in part.offsets),
        tuple(size for part in parts for size in part.arena_bytes),
        memory.lower_bound(lifetimes, target.alignment),
        sum(part.naive for part in parts),
        parts[0].strategy,
    )
    memory.check(lifetimes, assigned, target.alignment, target.max_buffer_bytes)
    return assigned


def _bytes(
    buffers: Iterable[Buffer], assigned: memory.Assignment, arena: Iterable[Value], alignment: int
) -> dict[str, int]:
    """Bytes by kind of buffer, and what the arenas would take at best and without reuse."""
    found = {f"{kind}_bytes": 0 for kind in ("input", "constant", "output", "arena")}
    for buffer in (b for b in buffers if b.kind != "faults"):
        found[f"{buffer.kind}_bytes"] += buffer.nbytes
    return found | {
        "peak_bytes": assigned.peak,
        "lower_bound_bytes": assigned.lower_bound,
        "naive_bytes": sum(-(-v.type.nbytes // alignment) * alignment for v in arena),
    }


def _unique(values: Iterable[Value]) -> list[Value]:
    return list(dict.fromkeys(values))
