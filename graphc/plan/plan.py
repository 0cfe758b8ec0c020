"""Plan: a compiled program as plain data. Buffers, kernels, dispatches; printable, serialisable, replayable elsewhere.

Nothing here refers to Python objects of the graph: a node is known by its printed line, a tensor by its name. Two
executors run a plan: `graphc.runtime` on a GPU, and `graphc.reference.run_plan` in NumPy with poisoned memory.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal

from graphc.errors import GraphError
from graphc.ir.text import html_details, html_table, html_text, wrapped
from graphc.ir.types import Shape, TensorType, dtype_of

BufferKind = Literal["input", "output", "constant", "arena", "faults"]
Access = Literal["read", "read_write", "uniform", "texture"]
"""How a kernel reaches a tensor: a storage buffer, a uniform buffer (read), a storage texture (read) with a copy."""

TEXEL_BYTES: Final = 16
"""Bytes of a texel of rgba32float, the format of all textures: four f32."""

UNIFORM_BYTES: Final = 256
UNIFORM_BUFFERS: Final = 12
"""Most bytes of a tensor that may be bound as a uniform buffer, a few numbers that every invocation reads, and how many
WebGPU binds to a kernel in any case. Source: W3C WebGPU, section "Limits"."""


def may_be_uniform(type: TensorType) -> bool:
    """Whether a tensor may be bound as a uniform buffer, as an array of vectors of 16 bytes."""
    return 0 < type.nbytes <= UNIFORM_BYTES and type.dtype.storage.itemsize == 4


def padded(nbytes: int, itemsize: int = 4) -> int:
    """Bytes that a buffer or arena slot holds for a tensor of `nbytes`: whole vectors of 4 elements, at least one.

    Kernels read and write the last vec4 whole, so every buffer that is bound as a tensor must be this large. A vector
    has 16 bytes, or 32 where an element has 8.
    """
    vector = 32 if itemsize > 4 else 16
    return max(vector, -(-nbytes // vector) * vector)


@dataclass(frozen=True, slots=True)
class Buffer:
    """One GPU buffer. An arena holds many tensors at offsets; the other kinds hold one tensor each.

    The kind "faults" is cleared before the program runs, and read after it: a u32 for each of Plan.checks.

    nbytes: the size to allocate, `padded` for the kinds that hold one tensor.
    slot: position among the program's inputs, outputs or constants (arena: its number).
    """

    name: str
    kind: BufferKind
    nbytes: int
    slot: int


@dataclass(frozen=True, slots=True)
class Tensor:
    """Where a tensor lives: buffer, byte offset, size, and the first and last dispatch (of `Plan.apart`) to touch it.

    alias: the tensor lies in the bytes of another one on purpose (a reshape, or an in-place update).
    """

    name: str
    shape: Shape
    dtype: str
    buffer: int
    offset: int
    nbytes: int
    start: int
    end: int
    alias: str | None = None

    @property
    def padded_bytes(self) -> int:
        """Bytes that kernels may touch: whole vectors."""
        return padded(self.nbytes, dtype_of(self.dtype).itemsize)


@dataclass(frozen=True, slots=True)
class Texture:
    """A storage texture of rgba32float texels, into which operands are copied for kernels that read texels faster."""

    name: str
    width: int
    height: int

    @property
    def nbytes(self) -> int:
        """Bytes that its texels take."""
        return self.width * self.height * TEXEL_BYTES


@dataclass(frozen=True, slots=True)
class TextureCopy:
    """A copy of a whole tensor (its place in a buffer) into a texture, row after row, before a dispatch."""

    tensor: int
    buffer: int
    offset: int
    texture: int


@dataclass(frozen=True, slots=True)
class Binding:
    """A window of a buffer bound to a kernel: `tensor` is a position in Plan.tensors, or -1 where several lie in it.

    With the access "texture", the kernel reads Plan.textures[texture] instead, which holds a copy of the tensor.
    """

    tensor: int
    buffer: int
    offset: int
    nbytes: int
    access: Access
    texture: int = -1


MOST_TURNS: Final = 16_384
"""Most turns that one invocation may make in all its loops.

Mesa's llvmpipe counts those of a whole kernel and stops after 65,535 without a word (LP_MAX_TGSI_LOOP_ITERATIONS in its
source). On a GPU, so long an invocation keeps all others waiting.
"""


@dataclass(frozen=True, slots=True)
class Touch:
    """A load or a store of one invocation.

    place: the element, or the first of four, in the words of the kernel: one text is one element in all that an
    invocation does in one turn of its loops. lane: what is added to it from one of the four to the next (None: they
    follow no rule, and the text means all of them). vector: whether the four are one element of the array. loops:
    those around it, outermost first. alone: whether no other invocation touches this place here. part: its kernel,
    where several are launched side by side.
    """

    store: bool
    place: str
    lane: int | None = 0
    vector: bool = False
    loops: tuple[int, ...] = ()
    alone: bool = True
    part: int = 0


@dataclass(frozen=True, slots=True)
class TakeOver:
    """A dispatch writes a tensor, that of bindings[binding], into the bytes of another one which it reads: `tensor`.

    A variable of a loop takes over its own. touches: the loads of the one and the stores of the other, in the order in
    which an invocation comes by them.
    """

    binding: int
    tensor: int
    touches: tuple[Touch, ...]


@dataclass(frozen=True, slots=True)
class Kernel:
    """A WGSL module with one entry point `main`. Its bindings 0..n-1 of group 0 are buffers or textures.

    turns: the most turns that one invocation makes in its loops, nested ones multiplied (see graphc.kernels.turns).
    """

    name: str
    wgsl: str
    access: tuple[Access, ...]
    family: str
    needs: tuple[str, ...] = ()
    turns: int = 0


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One launch of a kernel.

    nodes: printed lines of the ops it computes. node: position of its node in the lowered graph, with the bodies of
    loops in place (graphc.analysis.loops.flatten), or -1 for a copy of
    the tensor of bindings[0] to the tensor of the last binding (an output that is also an input, or given twice).
    copies: copies into textures that come before it. clears: positions of tensors that are filled with zeros before
    it. bytes_read and bytes_written count each operand once; flops counts a multiply-add as two. members: the launches
    that this one stands for, if there are such: its one workgroup computes one after the other. Their bindings say what
    each touches; their kernel and node are its own first ones'. taken: what lies in the bytes of something that the
    dispatch still reads. writes: positions of the bindings through which it writes. Of a megakernel, its members say
    both, and barriers: before which of them all invocations wait until the others are there.
    """

    label: str
    kernel: int
    node: int
    nodes: tuple[str, ...]
    lines: tuple[str, ...]
    phase: str
    bindings: tuple[Binding, ...]
    workgroups: tuple[int, int, int]
    bytes_read: int
    bytes_written: int
    flops: int
    copies: tuple[TextureCopy, ...] = ()
    clears: tuple[int, ...] = ()
    members: tuple[Dispatch, ...] = ()
    taken: tuple[TakeOver, ...] = ()
    writes: tuple[int, ...] = ()
    barriers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RangeCheck:
    """Indices that must lie in [low, high]. what: the op, or "function:argument". signed: whether they are.

    at: the last line of a message, the user's line. In its word of the faults, kernels leave 0 where all is well, else
    the bits of an index out of range: of several, that which is the greatest as a u32.
    """

    what: str
    low: int
    high: int
    signed: bool
    at: str

    def message(self, word: int) -> str:
        """What to say of a word that is not 0."""
        bad = word - (1 << 32) if self.signed and word >= 1 << 31 else word
        return range_message(self.what, bad, self.low, self.high) + self.at


def range_message(what: str, bad: int, low: int, high: int) -> str:
    """That an index lies outside of [low, high]."""
    head, _, name = what.partition(":")
    if low == -high - 1:
        return f"{head}: {name or 'index'} {bad} is out of range for an axis of {high + 1}"
    return f"{head}: {name or 'index'} {bad} is out of range: need {low} <= {name or 'index'} < {high + 1}"


@dataclass(frozen=True, slots=True)
class Loop:
    """The dispatches first to last run `times` times, all of them before the first one runs again.

    alive: the position in Plan.tensors of one that says whether the loop goes on, or -1. Once all its elements are
    false after a turn, later turns change nothing that is read, so that the host may leave out any number of them.
    """

    first: int
    last: int
    times: int
    alive: int = -1

    @property
    def known(self) -> int:
        """Turns that it is known to make: `times`, or one where it ends by itself."""
        return self.times if self.alive < 0 else 1

    @property
    def words(self) -> str:
        """How often it goes round."""
        return f"{self.times} times" if self.alive < 0 else f"at most {self.times} times"


@dataclass(frozen=True, slots=True)
class Plan:
    """Buffers, tensors, kernels and the dispatches in order.

    loops: what of it is repeated, inner loops before those that hold them.
    inputs, outputs, constants: positions in `tensors`. donated: input slots whose buffer an output takes over, as
    (input slot, output slot) pairs. quick: what may be launched until its own kernels are compiled, where that takes a
    driver long. checks: what is reported in the buffer of the kind "faults". target: what it was made for, in words;
    empty where nobody knows any more.
    """

    buffers: tuple[Buffer, ...]
    tensors: tuple[Tensor, ...]
    kernels: tuple[Kernel, ...]
    dispatches: tuple[Dispatch, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    constants: tuple[int, ...]
    donated: tuple[tuple[int, int], ...] = ()
    memory: Mapping[str, int] = field(default_factory=dict)
    loops: tuple[Loop, ...] = ()
    textures: tuple[Texture, ...] = ()
    quick: Quick | None = field(default=None, compare=False, repr=False)
    checks: tuple[RangeCheck, ...] = ()
    target: str = field(default="", compare=False)

    def sequence(self) -> list[int]:
        """The number of each dispatch in the order in which they run: one turn of a loop that ends by itself (see
        `graphc.plan.course`)."""
        before = list(range(len(self.dispatches)))  # before[n]: where dispatch n begins in `found`
        found = list(before)
        for loop in self.loops:
            start = before[loop.first]
            stop = before[loop.last + 1] if loop.last + 1 < len(before) else len(found)
            body = found[start:stop]
            found[start:stop] = body * loop.known
            grown = len(body) * (loop.known - 1)
            before = [at + grown if n > loop.last else at for n, at in enumerate(before)]
        return found

    def executions(self) -> list[int]:
        """How often a call runs each dispatch: once, or as often as the loops around it go round. A loop that ends by
        itself counts as one turn."""
        counts = [1] * len(self.dispatches)
        for loop in self.loops:
            for number in range(loop.first, loop.last + 1):
                counts[number] *= loop.known
        return counts

    def apart(self) -> Plan:
        """The same plan with the members of each dispatch as dispatches of their own: what lifetimes are counted in."""
        if not any(d.members for d in self.dispatches):
            return self
        parts = [d.members or (d,) for d in self.dispatches]
        ends = list(itertools.accumulate(map(len, parts)))
        loops = tuple(
            replace(loop, first=ends[loop.first] - len(parts[loop.first]), last=ends[loop.last] - 1)
            for loop in self.loops
        )
        return replace(self, dispatches=tuple(itertools.chain.from_iterable(parts)), loops=loops)

    def to_json(self) -> str:
        """The plan as JSON text."""
        return json.dumps(asdict(replace(self, quick=None)))

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """The plan that `to_json` wrote; raises GraphError for text that is none."""
        try:
            raw = json.loads(text)
            return cls(
                buffers=tuple(Buffer(**b) for b in raw["buffers"]),
                tensors=tuple(Tensor(**{**t, "shape": tuple(t["shape"])}) for t in raw["tensors"]),
                kernels=tuple(
                    Kernel(**{**k, "access": tuple(k["access"]), "needs": tuple(k["needs"])}) for k in raw["kernels"]
                ),
                dispatches=tuple(_dispatch(d) for d in raw["dispatches"]),
                inputs=tuple(raw["inputs"]),
                outputs=tuple(raw["outputs"]),
                constants=tuple(raw["constants"]),
                donated=tuple((a, b) for a, b in raw["donated"]),
                memory=raw["memory"],
                loops=tuple(Loop(**loop) for loop in raw["loops"]),
                textures=tuple(Texture(**t) for t in raw["textures"]),
                checks=tuple(RangeCheck(**c) for c in raw["checks"]),
                target=raw["target"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise GraphError(f"this is not a plan: {error}") from error

    def __str__(self) -> str:
        made_for = f", for {self.target}" if self.target else ""
        counts = f"{len(self.dispatches)} dispatches, {len(self.kernels)} kernels, {len(self.buffers)} buffers"
        lines = [f"plan: {counts}{made_for}"]
        for number, buffer in enumerate(self.buffers):
            lines.append(f"  buffer {number}: {buffer.kind} {buffer.name}, {buffer.nbytes} bytes")
        for number, texture in enumerate(self.textures):
            lines.append(f"  texture {number}: {texture.name}, {texture.width} x {texture.height} texels")
        for number, check in enumerate(self.checks):
            lines.append(f"  check {number}: {check.what} in [{check.low}, {check.high}]")
        for number, dispatch in enumerate(self.dispatches):
            lines += [
                f"  {'':4} repeat {loop.words}: {loop.first} to {loop.last}"
                for loop in reversed(self.loops)
                if loop.first == number
            ]
            kernel = self.kernels[dispatch.kernel]
            bound = self._operands(dispatch)
            for copy in dispatch.copies:
                tensor = self.tensors[copy.tensor].name
                lines.append(f"       copy {tensor}@{copy.buffer}+{copy.offset} to texture {copy.texture}")
            for position in dispatch.clears:
                place = self.tensors[position]
                lines.append(f"       clear {place.name}@{place.buffer}+{place.offset}")
            groups = "x".join(map(str, dispatch.workgroups))
            lines.append(
                f"  {number:4d} {kernel.name}[{groups}]({bound})"
                + (f" at most {kernel.turns} turns" if kernel.turns else "")
                + (f"  # {', '.join(dispatch.lines)}" if dispatch.lines else "")
            )
            lines += [f"       then {s.label}({self._operands(s)})" for s in dispatch.members]
        return "\n".join(map(wrapped, lines))

    def _repr_html_(self) -> str:
        """For notebooks: the dispatches and the buffers."""
        rows = [
            (n, self.kernels[d.kernel].name, "x".join(map(str, d.workgroups)), d.bytes_read, d.bytes_written, d.flops)
            for n, d in enumerate(self.dispatches)
        ]
        head = ("dispatch", "kernel", "workgroups", "bytes read", "bytes written", "operations")
        buffers = [(n, b.kind, b.name, b.nbytes) for n, b in enumerate(self.buffers)]
        return (
            html_text(str(self).partition("\n")[0])
            + html_details("dispatches", html_table(head, rows))
            + html_details("buffers", html_table(("buffer", "kind", "name", "bytes"), buffers))
        )

    def _operands(self, dispatch: Dispatch) -> str:
        """What a dispatch binds, and whose bytes are taken over."""
        found = list(map(self._bound, dispatch.bindings))
        for taken in dispatch.taken:
            old = (
                "itself" if taken.tensor == dispatch.bindings[taken.binding].tensor else self.tensors[taken.tensor].name
            )
            found[taken.binding] += f" over {old}"
        return ", ".join(found)

    def _bound(self, binding: Binding) -> str:
        if binding.tensor < 0:
            return f"{binding.nbytes} bytes@{binding.buffer}+{binding.offset}*"
        name = self.tensors[binding.tensor].name
        if binding.access == "texture":
            return f"{name}@texture {binding.texture}"
        return f"{name}@{binding.buffer}+{binding.offset}{'*' if binding.access == 'read_write' else ''}"


def _dispatch(raw: dict[str, Any]) -> Dispatch:
    return Dispatch(
        **{
            **raw,
            "nodes": tuple(raw["nodes"]),
            "lines": tuple(raw["lines"]),
            "workgroups": tuple(raw["workgroups"]),
            "clears": tuple(raw["clears"]),
            "bindings": tuple(Binding(**b) for b in raw["bindings"]),
            "copies": tuple(TextureCopy(**s) for s in raw["copies"]),
            "members": tuple(map(_dispatch, raw["members"])),
            "writes": tuple(raw["writes"]),
            "barriers": tuple(raw["barriers"]),
            "taken": tuple(
                TakeOver(
                    t["binding"], t["tensor"], tuple(Touch(**{**u, "loops": tuple(u["loops"])}) for u in t["touches"])
                )
                for t in raw["taken"]
            ),
        }
    )


@dataclass(frozen=True, slots=True)
class Quick:
    """Launches that may stand in for those of a plan: their kernels are compiled sooner and run slower.

    They give the same bits, over the same buffers and textures, so each of the plan's dispatches may be exchanged on
    its own. plan: the same program with all of them. spans: for each dispatch of the plan, the first of those of
    `plan` that stand in for it, and the one after the last. seconds: estimated, that its own kernel takes to compile;
    0 where `plan` has it too. saved: estimated seconds that one run of its own kernel saves.
    """

    plan: Plan
    spans: tuple[tuple[int, int], ...]
    seconds: tuple[float, ...]
    saved: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """What a device allows, as far as lowering needs to know. The defaults are WebGPU's baseline.

    subgroup: lanes of a subgroup as probed on the device, 0 where subgroups are not available. software, integrated:
    the kind of adapter, a discrete GPU where both are false. invocations: most threads in a workgroup. max_texture:
    most texels along a side of a texture. features: names of WebGPU features that kernels may use ("shader-f16",
    "subgroup", ...). max_uniform_buffers: most small tensors bound as uniform buffers, which count apart. choices: what
    the tuner found best, by the name of the problem; it goes before the rules. thrifty: memory is limited, so that
    none is spent to save time.
    """

    name: str = "baseline"
    max_storage_buffers: int = 8
    max_uniform_buffers: int = UNIFORM_BUFFERS
    max_binding_bytes: int = 128 << 20
    max_buffer_bytes: int = 256 << 20
    max_workgroups: int = 65535
    max_invocations: int = 256
    max_shared_bytes: int = 16384
    alignment: int = 256
    max_texture: int = 8192
    subgroup: int = 0
    software: bool = False
    integrated: bool = False
    thrifty: bool = False
    features: frozenset[str] = frozenset()
    choices: Mapping[str, tuple[int, ...]] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        """Its name, its class unless that is its name, subgroups, and the element types that it has beside WebGPU's."""
        kind = "software" if self.software else "integrated" if self.integrated else ""
        lanes = f"subgroups of {self.subgroup}" if self.subgroup else "no subgroups"
        types = sorted(f.removeprefix("shader-") for f in self.features if f.startswith("shader-"))
        named = self.name.split(",")[0]
        return ", ".join([self.name + (f" ({kind})" if kind and kind != named else ""), lanes, *types])
