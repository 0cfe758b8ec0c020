"""Op: one record with everything graphc knows of one operation; and Node, one application of it.

A record is written once, in `graphc/ops/`. Its cases generate the reference, finite-difference, GPU and docs checks,
so an op without a gradient, a reference or a kernel fails the suite. Passes ask for traits, not for names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from graphc.ir.index import Index
from graphc.ir.types import DType, NDArray, TensorType
from graphc.ir.value import NOWHERE, Source, Value

Attrs = Mapping[str, Any]
Traced = Any
"""A traced array inside a vjp rule: it behaves as an ndarray, so rules are written in plain NumPy."""

Infer = Callable[..., "TensorType | tuple[TensorType, ...]"]
Reference = Callable[..., "NDArray | tuple[NDArray, ...]"]
VjpRule = Callable[..., "tuple[Traced | None, ...]"]
BatchRule = Callable[..., "Traced | tuple[Traced, ...]"]


def apply(op: Op, *args: Traced, **attrs: Any) -> Traced:
    """Apply an op inside a vjp rule, where NumPy has no function for it; one of `args` at least is a traced array."""
    traced = next(arg for arg in args if hasattr(arg, "apply"))
    return traced.apply(op, *args, **attrs)


@dataclass(frozen=True, slots=True)
class NotDifferentiable:
    """Stands in the place of a vjp: the op has no gradient (it is zero, or there is none), for this reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class Shared:
    """Stands in the place of a result of a batching rule: `x` is the same for all examples, and has no axis of them."""

    x: Traced


@dataclass(frozen=True, slots=True)
class Term:
    """A WGSL expression for the value of a tensor at an index: `width` lanes wide (1: scalar, 4: vec4)."""

    text: str
    width: int
    dtype: DType


class Emitter(Protocol):
    """What a lowering may ask of the code generator."""

    @property
    def following(self) -> bool:
        """Whether a place is asked for, and no element: the lowering is to read one element, by whatever index."""

    def read(self, value: Value, index: Index) -> Term:
        """The element of `value` at `index` (a scalar where the index is the same in every lane)."""

    def source(self, value: Value, index: Index) -> tuple[Value, Index]:
        """The tensor that holds all elements of `value`, and where that at `index` lies in it; else what is given.

        So it is for views, and for views of one tensor that are joined.
        """

    def literal(self, value: float | int | bool, dtype: DType) -> Term:
        """A constant."""

    def cond(self, text: str, width: int) -> Term:
        """A boolean WGSL expression as a Term."""

    def select(self, when: Term, then: Term, otherwise: Term) -> Term:
        """`then` where `when` holds, else `otherwise`; widths are joined."""

    def call(self, text: Callable[..., str], args: tuple[Term, ...], dtype: DType) -> Term:
        """`text(*args)` over arguments brought to one width."""

    def index_of(self, term: Term, bound: int) -> Any:
        """An integer Term as an `Idx` below `bound` (clamped into [0, bound))."""

    def value_of(self, idx: Any, dtype: DType) -> Term:
        """An `Idx` as a Term of an element type (iota)."""

    def report(self, node: Any, ids: Term, index: Index) -> None:
        """Report those of `ids` (read at `index`) that lie outside of [attrs["low"], attrs["high"]] of the node."""


class Width(Protocol):
    """Names in WGSL at the width of an expression: `w(f32)` is "f32" or "vec4<f32>", `w.fn("gc_log")` the function."""

    @property
    def divides(self) -> bool:
        """Whether `/` is right for every divisor; WGSL asks for no more than those up to 2^126 (section 15.7.4.1)."""

    def __call__(self, dtype: DType) -> str: ...

    def fn(self, name: str) -> str:
        """The name of a library function at this width: "gc_log" or "gc_log_v4"."""


@dataclass(frozen=True, slots=True)
class Lanes:
    """The Width of `count` lanes, 1 or 4. divides: see Width."""

    count: int = 1
    divides: bool = True

    def __call__(self, dtype: DType) -> str:
        return dtype.wgsl if self.count == 1 else f"vec{self.count}<{dtype.wgsl}>"

    def fn(self, name: str) -> str:
        """The name of a library function at this width."""
        return name if self.count == 1 else f"{name}_v{self.count}"


@dataclass(frozen=True, slots=True)
class Pointwise:
    """Lowering of an op that maps elements: `wgsl(width, node, *args)` is an expression good for scalars and vec4.

    args are names or literals of one width, so that an expression may use one twice at no cost; bool is WGSL's bool.
    Functions named `gc_*` are taken from kernels/math.wgsl, rendered for the width in use.
    """

    wgsl: Callable[..., str]


@dataclass(frozen=True, slots=True)
class Indexed:
    """Lowering of an op whose output elements are elements of its inputs at computed indices (views, gather, pad)."""

    emit: Callable[[Emitter, Node, Index], Term]


@dataclass(frozen=True, slots=True)
class Reduce:
    """Lowering of a reduction over attrs["axes"].

    The accumulator has the input's dtype, except that bool is accumulated as u32 (0 and 1; init and combine are then
    asked for u32) and f16 as f32. init(dtype): the neutral element, a scalar WGSL expression. combine(w, dtype, a, b):
    joins two partial results of width w; NaN propagates. subgroup: name of the WGSL subgroup built-in that joins the
    lanes, or None where only `combine` is right. finish(acc, count): applied once to the result.
    arg: "max" or "min" for argmax and argmin, which reduce to a position: better(w, dtype, a, b) says that value a goes
    before value b; where neither goes before the other, the lower index does. init is then a value that no element
    goes after, and `combine` keeps the better value.
    associative: whether the order makes no difference, of floats either.
    """

    init: Callable[[DType], str]
    combine: Callable[[Width, DType, str, str], str]
    subgroup: str | None = None
    finish: Callable[[str, int], str] | None = None
    arg: str | None = None
    better: Callable[[Width, DType, str, str], str] | None = None
    associative: bool = False


@dataclass(frozen=True, slots=True)
class Contraction:
    """Lowering of matmul: the matmul family."""


@dataclass(frozen=True, slots=True)
class Attend:
    """Lowering of attention and its gradient: the attention family."""


@dataclass(frozen=True, slots=True)
class Custom:
    """Lowering by a kernel of its own: `kernel` names the builder in graphc.lower that makes it."""

    kernel: str


@dataclass(frozen=True, slots=True)
class Inline:
    """The op holds a sub-graph (attrs["body"]) that takes its place before lowering."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """The op runs a sub-graph (attrs["body"]) many times: its nodes become dispatches that the plan repeats."""


Lowering = Pointwise | Indexed | Reduce | Contraction | Attend | Custom | Inline | Repeat


@dataclass(frozen=True, slots=True)
class Case:
    """One example of an op: inputs (arrays), attrs, and the tolerances its GPU result must meet.

    rtol, atol: against the reference in float32. grad: whether finite differences are checked on it (ties and
    kinks are no points to difference at).
    """

    inputs: tuple[Any, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    rtol: float = 1e-6
    atol: float = 1e-6
    grad: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Op:
    """An operation; compared by identity.

    infer(*types, **attrs): output type or types. reference(*arrays, **attrs): the NumPy result. vjp(g, out, *inputs,
    **attrs): gradient for each input (None: no gradient) as plain NumPy over traced arrays; sums over broadcast
    axes are made by autodiff. batch(batch, *inputs, **attrs): the outputs for all examples of a `Batch`, their axis
    first; a pointwise op and a reduction need none, see `ops/batching.py`. traits: "pointwise", "view", "reduction",
    "commutative", "contraction", "indexed", "random", "structured" (stands for a graph), "transcendental" (worth
    storing rather than computing twice), "reports" (its kernel writes to the program's faults), "alias" (its result
    has the elements of its operand in the same order, and so needs no bytes of its own), "kernel" (attrs["body"] is
    what one kernel computes), "update" (its result is its first operand but for some elements). indices: the position
    of the operand that holds indices of attrs["axis"], if one does.
    What passes ask of the way in which an op is computed are the properties below.
    """

    name: str
    infer: Infer
    reference: Reference
    vjp: VjpRule | NotDifferentiable
    lowering: Lowering
    traits: frozenset[str] = frozenset()
    cases: Callable[[], tuple[Case, ...]] = tuple
    doc: str = ""
    indices: int | None = None
    batch: BatchRule | None = None

    def __repr__(self) -> str:
        return f"Op({self.name})"

    @property
    def elementwise(self) -> bool:
        """Whether an element of the result is computed from those of its operands at the same place."""
        return isinstance(self.lowering, Pointwise)

    @property
    def indexed(self) -> bool:
        """Whether the elements of the result are elements of the operands, at computed places."""
        return isinstance(self.lowering, Indexed)

    @property
    def maps(self) -> bool:
        """Whether it is one of these: each element of the result is computed on its own, from a few others."""
        return isinstance(self.lowering, Pointwise | Indexed)

    @property
    def reduces(self) -> bool:
        """Whether it reduces attrs["axes"]."""
        return isinstance(self.lowering, Reduce)

    @property
    def chooses(self) -> bool:
        """Whether it reduces an axis to a position on it."""
        return isinstance(self.lowering, Reduce) and self.lowering.arg is not None

    @property
    def contracts(self) -> bool:
        """Whether it is a product of matrices."""
        return isinstance(self.lowering, Contraction)

    @property
    def kernel(self) -> str:
        """The kernel of its own that it is lowered to; "" for all other lowerings."""
        return self.lowering.kernel if isinstance(self.lowering, Custom) else ""

    @property
    def attends(self) -> bool:
        """Whether it is attention, or its gradient."""
        return isinstance(self.lowering, Attend)

    @property
    def inlined(self) -> bool:
        """Whether attrs["body"] takes its place before lowering."""
        return isinstance(self.lowering, Inline)

    @property
    def aliases(self) -> bool:
        """Whether its result has the elements of its operand in the same order, and so needs no bytes of its own."""
        return "alias" in self.traits

    @property
    def updates(self) -> bool:
        """Whether its result is its first operand but for some elements, and so may be written there."""
        return "update" in self.traits

    @property
    def is_kernel(self) -> bool:
        """Whether attrs["body"] is what one kernel computes."""
        return "kernel" in self.traits

    @property
    def associative(self) -> bool:
        """Whether it reduces floats, too, to the same bits in whatever order."""
        return isinstance(self.lowering, Reduce) and self.lowering.associative

    @property
    def repeats(self) -> bool:
        """Whether it runs attrs["body"] many times."""
        return isinstance(self.lowering, Repeat)

    def __reduce__(self) -> str | tuple[Any, ...]:
        return by_name, (self.name,)


OPS: Final[dict[str, Op]] = {}
"""All operations by name; `graphc.ops` puts them in."""


def by_name(name: str) -> Op:
    """The op of this name; raises KeyError for a name that no op has."""
    return OPS[name]


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One application of an Op. attrs hold static parameters: numbers, strings, tuples of them, DTypes, sub-graphs."""

    op: Op
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    source: Source = NOWHERE

    @property
    def out(self) -> Value:
        """The only output."""
        return self.outputs[0]

    def __repr__(self) -> str:
        return f"{self.op.name}({', '.join(map(repr, self.inputs))})"
