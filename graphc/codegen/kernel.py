"""What a kernel builder returns: code without its declarations, and the tensors it binds.

Every family (map, row, column, matmul) and every custom kernel is a `KernelBuilder`: it gets the body graph of one
node, asks `context.bindings(body)` for operands, writes WGSL that reaches memory only through `Operand.load` and
`Operand.store`, and returns one KernelSource for each dispatch. Assembly adds what depends on placement: the `@binding`
declarations, access modes, windows of tensors that exceed one binding, in-place sharing, and the `gc_*` helpers of
kernels/math.wgsl that the text calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeVar

from graphc.errors import GraphError
from graphc.ir.graph import Graph, Node, Value, new_value, reports
from graphc.ir.types import DType, TensorType, u32
from graphc.kernels import code
from graphc.kernels.code import Code
from graphc.plan.plan import RangeCheck, Target, Touch, padded

OperandAccess = Literal["read", "write", "read_write"]

FEATURE_OF: Mapping[str, str] = {"f16": "shader-f16", "f64": "shader-f64", "i64": "shader-int64"}
"""The WebGPU feature that an element type asks for, by its name; the others are always there."""

LANES = 4
"""Elements in one vector."""

HIDDEN: Final = " + gc_unknown()"
"""Added to a number, it hides it from compilers: a 0 that they cannot know."""

Touches = tuple[tuple[str, Touch], ...]
"""How operands are touched: name and touch, in the order in which one invocation comes by."""


@dataclass(frozen=True, slots=True)
class Texels:
    """How a matrix (all axes but the last are its rows) lies in a texture: `folded` of its rows in each row of texels.

    columns: texels of one row of the matrix. width, height: of the texture, in texels of 4 elements.
    """

    columns: int
    height: int
    folded: int

    @property
    def width(self) -> int:
        """Texels in a row of the texture."""
        return self.columns * self.folded


@dataclass(frozen=True, slots=True, eq=False)
class Operand:
    """A tensor bound to a kernel.

    name: its identifier in the WGSL. value: the tensor: a value of the outer graph, or scratch that the builder made
    with `ir.new_value`. vector: declared as array<vec4<T>>, so that indices count vectors of 4 elements (a tensor's
    bytes are padded to whole vectors: lanes past its end may be read and written). windows: how many bindings it
    takes. window: elements (or vectors) in each window but the last. texture: its layout, where it is read as texels
    from a texture that it was copied to. uniform: bound as a uniform buffer, an array of vectors in any case. over: the
    tensor that the kernel reads through it before it writes there. atomic: reached by atomic operations alone, so that
    kernels that touch it need not wait for each other. start: elements of the tensor before those that are bound.
    """

    name: str
    value: Value
    access: OperandAccess
    vector: bool
    windows: int = 1
    window: int = 0
    texture: Texels | None = None
    uniform: bool = False
    over: Value | None = None
    atomic: bool = False
    start: int = 0

    @property
    def dtype(self) -> DType:
        """Element type."""
        return self.value.type.dtype

    @property
    def element(self) -> str:
        """WGSL type of one element of the array: "f32", "vec4<u32>" (bool is stored as u32)."""
        stored = self.dtype.wgsl_storage
        return f"vec4<{stored}>" if self.vector else f"atomic<{stored}>" if self.atomic else stored

    def load(self, index: str) -> str:
        """Expression of the element (or vector) at `index`, a u32 expression, as a register value (bool as bool)."""
        text = code.load(self.name, index)
        if self.dtype.kind != "bool":
            return text
        return f"({text} != vec4<u32>(0u))" if self.vector else f"({text} != 0u)"

    def texel(self, row: str, column: str) -> str:
        """Expression of four elements of a matrix read from a texture; `column` counts vectors of four."""
        assert self.texture is not None
        if (folded := self.texture.folded) > 1:
            column, row = f"{row} % {folded}u * {self.texture.columns}u + {column}", f"{row} / {folded}u"
        return f"textureLoad({code.mention(self.name)}, vec2<u32>({column}, {row}))"

    def store(self, index: str, value: str) -> str:
        """Statement that writes the register value `value` at `index`."""
        if self.dtype.kind == "bool":
            value = f"select(vec4<u32>(0u), vec4<u32>(1u), {value})" if self.vector else f"select(0u, 1u, {value})"
        return code.store(self.name, index, value)


def vector_of(operand: Operand, index: str) -> str:
    """The vector of a uniform buffer where an element, or a vector, lies, as an expression that is no constant.

    Mesa compiles kernels anew for the values in uniform buffers that branches and loops go by, where these stand at a
    place that is known. For the fourth such buffer and those after it, versions before 23.1 note the place beside the
    list that is meant for it, and then read what is no buffer: the process ends.
    """
    place = index if operand.vector else f"({index}) / {LANES}u"
    return f"{place}{HIDDEN}"


class Bound:
    """How the accesses of a kernel are written where each operand is bound under its own name."""

    def __init__(self, operands: Iterable[Operand]) -> None:
        self._of = {operand.name: operand for operand in operands}

    def load(self, name: str, index: str) -> str:
        """The expression of an element."""
        operand = self._of[name]
        if operand.uniform:
            return f"{name}[{vector_of(operand, index)}]{'' if operand.vector else f'[({index}) % {LANES}u]'}"
        return f"{name}[{index}]" if operand.windows == 1 else f"load_{name}({index})"

    def store(self, name: str, index: str, value: str) -> str:
        """The statement that writes one."""
        windows = self._of[name].windows
        return f"{name}[{index}] = {value};" if windows == 1 else f"store_{name}({index}, {value});"

    def mention(self, name: str) -> str:
        """A name, as it is."""
        return name


@dataclass(frozen=True, slots=True)
class Inside:
    """What a kernel runs where its one pair of KernelSource.inplace shares bytes, and only what changes is written.

    It has the operands of the kernel, but the input of the pair. touches: as those of the kernel.
    """

    code: Code
    workgroups: tuple[int, int, int]
    touches: Touches


@dataclass(frozen=True, slots=True)
class KernelSource:
    """One kernel launch, before placement.

    name: family and op names, an identifier. code: functions, workgroup variables and the entry; no storage
    declarations, no `enable`, no gc_* helpers (assembly adds them).
    operands: in binding order. workgroups: at most `target.max_workgroups` in each dimension (see `grid`). flops: a
    multiply-add counts two. needs: WebGPU features ("subgroup", "shader-f16"). inplace: (output, input) operand names
    that may share bytes, because every invocation reads the input only at elements that it alone writes, and only
    before it does (see `graphc.codegen.inplace`). touches: how those operands are touched, by name, in the order of one
    invocation: what the plan verifier goes by. clears: names of operands that it writes, and that are filled with
    zeros before it. inside: what runs instead where its result lies in the bytes of what it changes. quick: launches
    that do the same, bit for bit, each with less text: they take a driver less time to compile, and more to run.
    """

    name: str
    family: str
    code: Code
    operands: tuple[Operand, ...]
    workgroups: tuple[int, int, int]
    flops: int = 0
    needs: tuple[str, ...] = ()
    inplace: tuple[tuple[str, str], ...] = ()
    touches: Touches = ()
    clears: tuple[str, ...] = ()
    inside: Inside | None = None
    quick: tuple[KernelSource, ...] = ()

    @property
    def wgsl(self) -> str:
        """The text of the code, with its operands under their names."""
        kinds = tuple([(o.name, o.windows > 1, o.vector) for o in self.operands if o.windows > 1 or o.uniform])
        return self.code.once(kinds, lambda: self.code.wgsl(Bound(self.operands)))

    def with_quick(self, quick: Sequence[KernelSource]) -> KernelSource:
        """The kernel with launches that may stand in for it; bytes are shared where both ways allow it."""
        allowed = {pair for source in quick for pair in source.pairs()}
        names = {o.name: o.value for o in self.operands if not o.texture}
        inplace = tuple((new, old) for new, old in self.inplace if (names[new], names[old]) in allowed)
        kept = {name for pair in inplace for name in pair}
        touches = tuple(touch for touch in self.touches if touch[0] in kept)
        return replace(self, inplace=inplace, touches=touches, quick=tuple(quick))

    def over(self, tensors: Mapping[Value, Value]) -> KernelSource:
        """The kernel with other tensors for those that `tensors` names."""
        operands = tuple(replace(o, value=tensors.get(o.value, o.value)) for o in self.operands)
        return replace(self, operands=operands, quick=tuple(source.over(tensors) for source in self.quick))

    def pairs(self) -> list[tuple[Value, Value]]:
        """The (output, input) tensors that may share bytes."""
        names = {o.name: o.value for o in self.operands if not o.texture}
        return [(names[new], names[old]) for new, old in self.inplace]


@dataclass(frozen=True, slots=True)
class Search:
    """What a tuner may try for a kernel.

    name: of the problem, the same for kernels of one kind and size; under it Target.choices holds what was found.
    candidates: what it may hold, that of the rules first.
    """

    name: str
    candidates: tuple[tuple[int, ...], ...]


def size_class(*sizes: int) -> str:
    """Sizes rounded up to powers of two: programs whose sizes are alike share what was found."""
    return "x".join(str(1 << max(n - 1, 0).bit_length()) for n in sizes)


def kernel_class(body: Graph, label: str) -> str:
    """What tells one body from another, sizes aside: its ops, and how much it reads and writes."""
    return f"{label} {len(body.nodes)} ops, {len(body.inputs)} to {len(body.outputs)}"


class Faults:
    """The range checks of a program: a word of one tensor for each, equal ones once."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.checks = tuple(dict.fromkeys(map(_check_of, reports(nodes))))
        self.value = new_value(TensorType((max(len(self.checks), 1),), u32), "faults")
        self._word = {check: n for n, check in enumerate(self.checks)}

    def word(self, node: Node) -> int:
        """The word in which the check of a node is reported."""
        return self._word[_check_of(node)]


def _check_of(node: Node) -> RangeCheck:
    signed = node.inputs[0].type.dtype.kind == "int"
    return RangeCheck(node.attrs["what"], node.attrs["low"], node.attrs["high"], signed, node.source.at)


class Bindings:
    """The operands of one kernel, named x0, x1, ... (read) and y0, y1, ... (written) as they are asked for.

    Body inputs that lie in the same bytes (a tensor passed twice, a reshape of it) share one operand.
    """

    def __init__(
        self,
        target: Target,
        storage: Mapping[Value, Value],
        scalars: frozenset[Value] = frozenset(),
        uniform: frozenset[Value] = frozenset(),
        faults: Faults | None = None,
    ) -> None:
        self.target = target
        self._faults = faults
        self._reports: Operand | None = None
        self._uniform = uniform
        self.conflicts: set[Value] = set()
        self._storage = storage
        self._scalars = scalars
        self._found: dict[tuple[Value, bool], Operand] = {}
        self._textures: dict[Value, Operand] = {}

    def storage(self, value: Value) -> Value:
        """The outer tensor whose bytes hold a body input or output."""
        return self._storage.get(value, value)

    def read(self, value: Value, vector: bool = False) -> Operand:
        """The operand that `value` is read through.

        A tensor that is asked for both ways is noted in `conflicts`; `settle` then generates again with that tensor
        declared as scalars, so the caller must look at `vector` of what it gets.
        """
        key = (self.storage(value), False)
        vector = vector and key[0] not in self._scalars
        if key not in self._found:
            reads = sum(not written for _, written in self._found)
            self._found[key] = self._operand(f"x{reads}", key[0], value, "read", vector)
        if self._found[key].vector != vector:
            self.conflicts.add(key[0])
        return self._found[key]

    def in_vectors(self, value: Value) -> bool:
        """Whether a tensor is declared as vectors, for what has read it so far."""
        operand = self._found.get((self.storage(value), False))
        return operand is not None and operand.vector

    def texture(self, value: Value) -> Operand:
        """The operand that `value` is read through as a texture; raises GraphError where `texels` has no layout."""
        outer = self.storage(value)
        if outer not in self._textures:
            layout = texels(value, self.target)
            if layout is None:
                raise GraphError(f"{value!r} does not lie in whole rows of texels")
            self._textures[outer] = Operand(f"t{len(self._textures)}", outer, "read", True, texture=layout)
        return self._textures[outer]

    def write(self, value: Value, vector: bool = False, access: OperandAccess = "write") -> Operand:
        """The operand that an output, or scratch, is written through."""
        key = (self.storage(value), True)
        if key not in self._found:
            writes = sum(written for _, written in self._found)
            self._found[key] = self._operand(f"y{writes}", key[0], value, access, vector)
        return self._found[key]

    def report(self, node: Node) -> tuple[Operand, int]:
        """The operand that range checks report in, and the word of the check that a node makes."""
        if self._faults is None:
            self._faults = Faults((node,))
        if self._reports is None:
            self._reports = Operand("faults", self._faults.value, "read_write", False, atomic=True)
        return self._reports, self._faults.word(node)

    def operands(self) -> tuple[Operand, ...]:
        """All operands: textures, those read, those written, then the faults."""
        found = sorted(self._found.values(), key=lambda operand: operand.access != "read")
        return (*self._textures.values(), *found, *filter(None, (self._reports,)))

    def _operand(self, name: str, outer: Value, value: Value, access: OperandAccess, vector: bool) -> Operand:
        limit, size = self.target.max_binding_bytes, padded(outer.type.nbytes, outer.type.dtype.itemsize)
        if size <= limit:
            return Operand(name, outer, access, vector, uniform=access == "read" and outer in self._uniform)
        window = limit // self.target.alignment * self.target.alignment
        each = outer.type.dtype.itemsize * (LANES if vector else 1)
        return Operand(name, outer, access, vector, -(-size // window), window // each)


@dataclass(frozen=True, slots=True)
class BuildContext:
    """Where a kernel is built: the target, and the outer tensors that the body's inputs and outputs lie in.

    label: the op names, for the kernel's name. textured: the ops whose operands may be read from textures.
    uniform: the outer tensors that are bound as uniform buffers. quick: whether a kernel is wanted that compiles soon.
    faults: where range checks report. kernels: those of a node of the body, where it is a kernel of its own.
    """

    target: Target
    storage: Mapping[Value, Value] = field(default_factory=dict)
    label: str = ""
    textured: frozenset[Node] = frozenset()
    uniform: frozenset[Value] = frozenset()
    quick: bool = False
    faults: Faults | None = None
    kernels: Callable[[Node], list[KernelSource]] = lambda node: []

    def bindings(self, scalars: frozenset[Value] = frozenset()) -> Bindings:
        """An empty set of operands for one kernel; the tensors in `scalars` are never declared as vectors."""
        return Bindings(self.target, self.storage, scalars, self.uniform, self.faults)


T = TypeVar("T")


def settle(context: BuildContext, generate: Callable[[Bindings], T]) -> T:
    """`generate` run until no tensor is read both as vectors and as scalars: such a tensor is declared as scalars."""
    scalars: frozenset[Value] = frozenset()
    while True:
        bindings = context.bindings(scalars)
        result = generate(bindings)
        if not bindings.conflicts:
            return result
        scalars |= bindings.conflicts


def texels(value: Value, target: Target) -> Texels | None:
    """The layout of a tensor in a texture; None where it has none: f32 alone, with rows of whole 256 bytes.

    A row of texels must be a multiple of 256 bytes to be copied from a buffer (W3C WebGPU, "copyBufferToTexture").
    """
    shape, limit = value.type.shape, target.max_texture
    if value.type.dtype.name != "f32" or not shape or shape[-1] % 64 or not value.type.size:
        return None
    columns, rows, folded = shape[-1] // LANES, value.type.size // shape[-1], 1
    while rows > limit * folded and rows % (2 * folded) == 0:
        folded *= 2
    fits = rows <= limit * folded and columns * folded <= limit
    return Texels(columns, rows // folded, folded) if fits else None


KernelSearch = Callable[[Graph, BuildContext], Search]
"""Body of one node -> what a tuner may try for its kernel; `Target.choices` holds what it found."""

KernelBuilder = Callable[[Graph, BuildContext], list[KernelSource]]
"""Body of one node (an unfused node is a body of one node) -> its kernels, in order of dispatch."""


def grid(groups: int, target: Target) -> tuple[int, int, int]:
    """Workgroup counts (x, y, 1) that cover `groups`, folded into y where x would pass the limit.

    The kernel takes `group.x + group.y * X` with X = grid(...)[0] as its number, and must ignore numbers past `groups`.
    """
    limit = target.max_workgroups
    if groups <= limit:
        return groups, 1, 1
    rows = -(-groups // limit)
    return -(-groups // rows), rows, 1
