"""Demand-driven code generation: the WGSL for the value of a tensor at an index.

`Emitter.read(value, index)` walks from a wanted element back to loads. A pointwise op reads its operands at the same
place, a view at another one, so views cost nothing and nothing is written to memory in between. Results are memoised
on (value, position) within a scope (a loop body), and each gets a short name with `let`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from graphc.codegen.kernel import Bindings, Operand
from graphc.codegen.literals import literal_bits, literal_text
from graphc.codegen.opaque import Origins, hold, is_number, special
from graphc.codegen.texts import is_atom, narrowed, number_of, plus, quarter, swizzled
from graphc.errors import GraphError
from graphc.ir.graph import Graph, Node, Value
from graphc.ir.index import LANES, Idx, Index, clamp, moved
from graphc.ir.op import Indexed, Lanes, Pointwise, Term
from graphc.ir.types import DType, bool_, u32
from graphc.plan.plan import Touch

Reader = Callable[[Index], Term]
"""Gives the value of a tensor that does not come from memory or from its op: a reduction's result, an accumulator."""

_TYPES = frozenset({"i32", "u32", "f16", "f32", "i64", "u64", "f64"})
"""Names that mean something in WGSL."""

_LONG = 24
"""An index expression longer than this is named, so that chains of views do not multiply its text."""


@dataclass(slots=True)
class _Scope:
    indent: str
    lines: list[str] = field(default_factory=list)
    terms: dict[object, Term] = field(default_factory=dict)
    indices: dict[tuple[str, int | None], str] = field(default_factory=dict)
    elements: dict[tuple[str, str, int], str] = field(default_factory=dict)


class Emitter:
    """Generates WGSL statements for the body of one kernel; implements the protocol `graphc.ir.op.Emitter`.

    touches: how operands in buffers were touched so far, by name, in the order of the code. texels: how those in
    textures were read, a Touch for the row and one, marked as vector, for the column.
    """

    def __init__(self, body: Graph, bindings: Bindings, indent: str = "  ") -> None:
        self.bindings = bindings
        self.touches: list[tuple[str, Touch]] = []
        self.texels: list[Touch] = []
        self._constants: Mapping[Value, object] = body.constants
        self._producers = body.producers()
        self._inputs = frozenset(body.inputs)
        self._operands = frozenset(v for node in body.nodes for v in node.inputs)
        self._bound: dict[Value, Reader] = {}
        self._scopes = [_Scope(indent)]
        self._count = 0
        self._textured = False
        self._loops: tuple[int, ...] = ()
        self._sweeps: dict[tuple[tuple[int, ...], str], int] = {}
        self._alone = True
        self._origins = Origins()
        self._meaning: dict[str, str] = {}
        self._divides = bindings.target.software
        self._followed: list[tuple[Value, Index]] | None = None
        self._held: dict[Value, frozenset[Value]] = {}

    # Statements

    @contextmanager
    def scope(self) -> Iterator[list[str]]:
        """A block: what is computed inside is forgotten after it; yields its lines."""
        inner = _Scope(self._scopes[-1].indent + "  ")
        self._scopes.append(inner)
        try:
            yield inner.lines
        finally:
            self._scopes.pop()

    @contextmanager
    def block(self, head: str, turns: int | None = None, again: bool = False) -> Iterator[None]:
        """A block with its braces, `head { ... }`, added to the code. turns: most of a loop whose head does not say.

        again: it counts as one loop with those before it of the same head. A place that has one text in them then is
        one element in the same turn of each, so that what a later one stores was read by an earlier one.
        """
        with self.within(head, again) as lines:
            yield
        self.line(f"{head} {{" + ("" if turns is None else f"  // at most {turns} turns"))
        self._scopes[-1].lines += lines
        self.line("}")

    @contextmanager
    def within(self, head: str, again: bool = False) -> Iterator[list[str]]:
        """A block whose head and braces a template writes; yields its lines."""
        around = self._loops
        if head.startswith(("for ", "while ", "loop")):
            if not again or (around, head) not in self._sweeps:
                self._count += 1
                self._sweeps[around, head] = self._count
            self._loops = (*around, self._sweeps[around, head])
        with self.scope() as lines:
            yield lines
        self._loops = around

    def line(self, text: str) -> None:
        """Add a statement."""
        self._scopes[-1].lines.append(self._scopes[-1].indent + text)

    @property
    def text(self) -> str:
        """The statements so far."""
        return "\n".join(self._scopes[0].lines)

    @contextmanager
    def textured(self, on: bool = True) -> Iterator[None]:
        """A block in which tensors are read from textures."""
        before, self._textured = self._textured, on
        try:
            yield
        finally:
            self._textured = before

    @contextmanager
    def several(self, several: bool = True) -> Iterator[None]:
        """A block in which an invocation may touch places that others of its workgroup touch here, too."""
        before, self._alone = self._alone, self._alone and not several
        try:
            yield
        finally:
            self._alone = before

    def fresh(self, prefix: str = "v") -> str:
        """A name not used before in this kernel."""
        self._count += 1
        while f"{prefix}{self._count}" in _TYPES:
            self._count += 1
        return f"{prefix}{self._count}"

    def name(self, term: Term, prefix: str = "v") -> Term:
        """The term as a name: bound with `let` unless it is a name or a literal already."""
        if is_atom(term.text):
            return term
        name = self.fresh(prefix)
        self.line(f"let {name} = {term.text};")
        return replace(term, text=name)

    def bind(self, value: Value, reader: Reader) -> None:
        """From now on, read `value` with `reader`."""
        self._bound[value] = reader

    def bind_term(self, value: Value, term: Term) -> None:
        """From now on, `value` is `term` wherever it is read."""
        self._bound[value] = lambda index: term

    # Reading and writing

    def source(self, value: Value, index: Index) -> tuple[Value, Index]:
        """The tensor that holds all elements of `value`, and where that at `index` lies in it; else what is given.

        So it is for views, and for views of one tensor that are joined.
        """
        while (node := self._followable(value)) is not None and len(self._sources(value)) == 1:
            assert isinstance(node.op.lowering, Indexed)
            outer, self._followed = self._followed, []
            node.op.lowering.emit(self, node, self._settled(index))
            ((value, index),), self._followed = self._followed, outer
        return value, index

    @property
    def following(self) -> bool:
        """Whether a place is asked for, and no element."""
        return self._followed is not None

    def _followable(self, value: Value) -> Node | None:
        """The op by which a value has its elements from its operands as they are."""
        node = None if value in self._bound else self._producers.get(value)
        return None if node is None or node.op.traits.isdisjoint(("view", "joins")) else node

    def _sources(self, value: Value) -> frozenset[Value]:
        """The tensors that hold the elements of a value."""
        if value not in self._held:
            node = self._followable(value)
            self._held[value] = (
                frozenset((value,)) if node is None else frozenset().union(*map(self._sources, node.inputs))
            )
        return self._held[value]

    def read(self, value: Value, index: Index) -> Term:
        """The element of `value` at `index` (a scalar where the index is the same in every lane)."""
        if self._followed is not None:
            self._followed.append((value, index))
            return Term("", 1, value.type.dtype)
        index = self._settled(index)
        stored = value in self._inputs and value not in self._bound
        key = (value, index.key, () if stored else index.claims)
        for scope in reversed(self._scopes):
            if key in scope.terms:
                return scope.terms[key]
        term = self._make(value, index)
        self._scopes[-1].terms[key] = term
        return term

    def write(self, operand: Operand, index: Index, term: Term) -> None:
        """Store a term of an output at `index`, whose lanes are consecutive where the term is a vector."""
        flat = index.flat
        if operand.vector:
            self._touch(operand, flat, store=True)
            self.line(operand.store(quarter(flat), self.widened(term, LANES).text))
            return
        self._touch(operand, flat, store=True)
        if flat.uniform and term.width == 1:
            self.line(operand.store(flat.text, term.text))
            return
        value, offsets = self.widened(self.name(term), LANES), self._offsets(operand, flat)
        for lane, offset in enumerate(offsets):
            self.line(operand.store(offset, f"{self.name(value).text}.{'xyzw'[lane]}"))

    def _make(self, value: Value, index: Index) -> Term:
        if value in self._bound:
            return self._bound[value](index)
        if value in self._constants:
            return self.literal(np.asarray(self._constants[value]).item(), value.type.dtype)
        if value in self._inputs:
            return self._load(value, index)
        node = self._producers[value]
        lowering = node.op.lowering
        if isinstance(lowering, Indexed):
            return self.name(lowering.emit(self, node, index))
        if isinstance(lowering, Pointwise):
            return self._pointwise(node, lowering, index)
        raise GraphError(f"{node!r} is read in the middle of a kernel that does not compute it")

    def _pointwise(self, node: Node, lowering: Pointwise, index: Index) -> Term:
        terms = [self.read(v, index.broadcast_from(v.type.shape)) for v in node.inputs]
        dtype = node.out.type.dtype
        for n in self._origins.hidden(node, terms):
            terms[n] = self.held(terms[n])
        # Literals alone would be folded by the WGSL compiler, which rejects overflow and division by zero in them.
        if all(map(_is_literal, terms)) or dtype.kind in ("int", "uint"):
            terms = [self._bind_literal(t) for t in terms]
        width = max((t.width for t in terms), default=1)
        args = [self.name(self.widened(t, width)) for t in terms]
        result = self.name(
            Term(lowering.wgsl(Lanes(width, self._divides), node, *(a.text for a in args)), width, dtype)
        )
        self._origins.made(node, args, result)
        return result

    def reads_on(self, value: Value) -> bool:
        """Whether an operation of this kernel reads `value`."""
        return value in self._operands

    def held(self, term: Term) -> Term:
        """The term as a value that compilers cannot see through."""
        key = ("held", term.text)
        for scope in reversed(self._scopes):
            if key in scope.terms:
                return scope.terms[key]
        result = self.name(replace(term, text=hold(term)))
        self._origins.hide(term, result)
        self._scopes[-1].terms[key] = result
        return result

    def no_sum(self, width: int, dtype: DType) -> str:
        """The zero at which a sum of products starts: without it, compilers make x * a + x * b to x * (a + b)."""
        zero = Term(f"{Lanes(width)(dtype)}()", width, dtype)
        if dtype.kind != "float":
            return zero.text
        self.line(f"let zero = {hold(zero)};")
        return "zero"

    def apart(self, name: str, *terms: Term) -> list[Term]:
        """Two partial results that a reduction joins by the operation `name`, so that compilers keep them apart."""
        hidden = self._origins.between(name, terms)
        return [self.held(term) if n in hidden else term for n, term in enumerate(terms)]

    def _bind_literal(self, term: Term) -> Term:
        if not _is_literal(term):
            return term
        name = self.fresh()
        self.line(f"let {name} = {term.text};")
        return replace(term, text=name)

    def _texel(self, value: Value, index: Index) -> Term:
        """Four elements of a row, or the one element, of a tensor that lies in a texture."""
        row, column = index.matrix
        operand = self.bindings.texture(value)
        self.texels += [self._touched(row, False), self._touched(column, True)]
        return self._loaded(operand, Term(operand.texel(row.text, quarter(column)), LANES, value.type.dtype))

    def _load(self, value: Value, index: Index) -> Term:
        if self._textured:
            return self._texel(value, index)
        flat, dtype = index.flat, value.type.dtype
        aligned = flat.base.align % LANES == 0
        if flat.uniform:
            among = aligned and flat.const is None and self.bindings.in_vectors(value)
            operand = self.bindings.read(value, vector=among)
            self.touches.append((operand.name, self._touched(flat, False)))
            known = self._element(operand, flat.base, flat.shift)
            if known is None:
                fixed = number_of(flat.base) is not None and flat.shift
                known = self._single(operand, flat.base, flat.shift) if among or fixed else operand.load(flat.text)
            return self._loaded(operand, Term(known, 1, dtype))
        operand = self.bindings.read(value, vector=flat.lane == 1 and aligned)
        whole = operand.vector and flat.align % LANES == 0
        self.touches.append((operand.name, self._touched(flat, whole)))
        if flat.lane == 1:
            return self._row(operand, flat)
        loads = ", ".join(operand.load(offset) for offset in self._offsets(operand, flat))
        return self._loaded(operand, Term(f"vec4<{dtype.wgsl}>({loads})", LANES, dtype))

    def _row(self, operand: Operand, flat: Idx) -> Term:
        """Four elements in a row. What was loaded of their neighbours before is used again.

        Of an operand that is declared as vectors, which hold some of the four each, a vector is loaded where two of
        its elements are needed, or more.
        """
        base, start, dtype = flat.base, flat.shift, operand.dtype
        if operand.vector:
            for vector in range(start // LANES, (start + LANES - 1) // LANES + 1):
                inside = [k for k in range(start, start + LANES) if k // LANES == vector]
                if sum(self._element(operand, base, k) is None for k in inside) > 1:
                    loaded = self._loaded(operand, Term(operand.load(self._quad(operand, base, vector)), LANES, dtype))
                    self._hold(operand, base, vector * LANES, loaded)
        found = [self._element(operand, base, k) or self._single(operand, base, k) for k in range(start, start + LANES)]
        together = swizzled(found)
        name, _, lanes = together[0].rpartition(".")
        if lanes == "xyzw":
            return Term(name, LANES, dtype)
        term = self._loaded(operand, Term(f"vec4<{dtype.wgsl}>({', '.join(together)})", LANES, dtype))
        self._hold(operand, base, start, term)
        return term

    def _element(self, operand: Operand, base: Idx, offset: int) -> str | None:
        """The element so far behind `base`, if it was loaded before."""
        key = (operand.name, base.text, offset)
        return next((scope.elements[key] for scope in reversed(self._scopes) if key in scope.elements), None)

    def _hold(self, operand: Operand, base: Idx, offset: int, term: Term) -> None:
        """Note that four elements in a row are in registers."""
        for k, lane in enumerate("xyzw"):
            self._scopes[-1].elements.setdefault((operand.name, base.text, offset + k), f"{term.text}.{lane}")

    def _quad(self, operand: Operand, base: Idx, vector: int) -> str:
        """The number of the vector that lies so many vectors behind `base`."""
        text = quarter(base)
        if (number := number_of(base)) is not None:
            return self._fixed(operand, number // LANES + vector)
        return text if vector == 0 else plus(self.named(Idx(text), longer=0).text, vector)

    def _single(self, operand: Operand, base: Idx, offset: int) -> str:
        """The load of the element so far behind `base`."""
        if operand.vector:
            vector, lane = divmod(offset, LANES)
            return f"{operand.load(self._quad(operand, base, vector))}.{'xyzw'[lane]}"
        if (number := number_of(base)) is not None:
            return operand.load(self._fixed(operand, number + offset))
        return operand.load(plus(self.named(base, longer=0).text, offset))

    def _fixed(self, operand: Operand, place: int) -> str:
        """A place that is known. What does not count may lie outside; WGSL refuses a constant that does."""
        size = operand.value.type.size
        last = (size + LANES - 1) // LANES if operand.vector else size
        return f"{min(max(place, 0), last - 1)}u"

    def _loaded(self, operand: Operand, term: Term) -> Term:
        """A name for an element of an operand."""
        term = self.name(term)
        self._origins.load(term, operand.name)
        return term

    def _offsets(self, operand: Operand, flat: Idx) -> list[str]:
        """The offset of each lane."""
        if flat.uniform:
            return [flat.text] * LANES
        if flat.lane is None:
            name = self.named(flat).text
            return [f"{name}.{c}" for c in "xyzw"]
        if (number := number_of(flat.base)) is not None:
            return [self._fixed(operand, number + flat.shift + k * flat.lane) for k in range(LANES)]
        base = self.named(flat.base, longer=0).text
        return [plus(base, flat.shift + k * flat.lane) for k in range(LANES)]

    def _touch(self, operand: Operand, flat: Idx, store: bool = False) -> None:
        self.touches.append((operand.name, self._touched(flat, operand.vector, store)))

    def _touched(self, flat: Idx, vector: bool, store: bool = False) -> Touch:
        place = replace(flat.base, text=self._meaning.get(flat.base.text, flat.base.text))
        return Touch(store, moved(place, flat.shift, 1 << 32).text, flat.lane, vector, self._loops, self._alone)

    # Indices

    def _settled(self, index: Index) -> Index:
        """The index with its long expressions named."""
        return index if self._textured else index.map(self.named)

    def named(self, idx: Idx, longer: int = _LONG) -> Idx:
        """The index with its expression bound with `let`, if it has more than `longer` characters and is no name."""
        if len(idx.text) <= longer or is_atom(idx.text):
            return idx
        if idx.origin is not None:
            return moved(self.named(idx.origin, longer), idx.shift, idx.bound)
        key = (idx.text, idx.lane)
        for scope in reversed(self._scopes):
            if key in scope.indices:
                return replace(idx, text=scope.indices[key])
        name = self.fresh("at")
        self.line(f"let {name} = {idx.text};")
        self._scopes[-1].indices[key] = name
        self._meaning[name] = idx.text
        return replace(idx, text=name)

    def index_of(self, term: Term, bound: int) -> Idx:
        """An integer Term as an `Idx` below `bound`: a value outside [0, bound) is brought to the nearest end."""
        lane = 0 if term.width == 1 else None
        if term.dtype.kind == "uint":
            return clamp(Idx(self.name(term).text, lane), bound)
        kind, signed = Lanes(term.width), term.dtype
        text = f"{kind(u32)}(clamp({term.text}, {kind(signed)}(0), {kind(signed)}({bound - 1})))"
        return Idx(self.name(Term(text, term.width, u32), "at").text, lane, 1, bound)

    def value_of(self, idx: Idx, dtype: DType) -> Term:
        """An `Idx` as a Term of an element type (iota)."""
        if idx.const is not None:
            return self.literal(idx.const, dtype)
        width = 1 if idx.uniform else LANES
        return self.name(Term(f"{Lanes(width)(dtype)}({idx.text if width == 1 else idx.vector})", width, dtype))

    def report(self, node: Node, ids: Term, index: Index) -> None:
        """Report those of `ids` that lie outside of the range of the node, if their position is one of the tensor.

        Lanes past the end of a tensor, and items past the end of a row, hold anything.
        """
        limits = [(idx, n) for idx, n in index.limits if idx.const is None]
        width = ids.width if all(idx.uniform for idx, _ in limits) else LANES
        ids = self.name(self.widened(ids, width))
        low, high, kind = node.attrs["low"], node.attrs["high"], Lanes(width)
        dtype = ids.dtype
        tests = [f"({ids.text} > {kind(dtype)}({literal_text(high, dtype)}))"]
        if dtype.kind == "int":
            tests.append(f"({ids.text} < {kind(dtype)}({literal_text(low, dtype)}))")
        bad = self.cond(" | ".join(tests), width).text
        operand, word = self.bindings.report(node)
        with self.block(f"if (any({bad}))" if width > 1 else f"if ({bad})"):
            inside = [f"({idx.vector if width > 1 else idx.text} < {kind(u32)}({n}u))" for idx, n in limits]
            bits = ids.text if dtype.kind == "uint" else f"bitcast<{kind(u32)}>({narrowed(ids, width)})"
            found = self.name(Term(f"select({kind(u32)}(), {bits}, {' & '.join([bad, *inside])})", width, u32), "found")
            most = found.text
            if width > 1:
                most = f"max(max({found.text}.x, {found.text}.y), max({found.text}.z, {found.text}.w))"
            self.line(f"atomicMax(&{operand.load(f'{word}u')}, {most});")

    # Terms

    def literal(self, value: float | int | bool, dtype: DType) -> Term:
        """A constant, exact in `dtype`."""
        text = literal_text(value, dtype)
        found = Term(text or literal_bits(value, dtype), 1, dtype)
        if dtype.kind == "float" and special(value, dtype):
            return self.held(found)
        found = self.name(found)
        self._origins.number(found)
        return found

    def cond(self, text: str, width: int) -> Term:
        """A boolean WGSL expression as a Term."""
        return self.name(Term(text, width, bool_))

    def select(self, when: Term, then: Term, otherwise: Term) -> Term:
        """`then` where `when` holds, else `otherwise`; widths are joined."""
        return self.call(lambda a, b, c: f"select({c}, {b}, {a})", (when, then, otherwise), then.dtype)

    def call(self, text: Callable[..., str], args: tuple[Term, ...], dtype: DType) -> Term:
        """`text(*args)` over arguments brought to one width."""
        width = max((t.width for t in args), default=1)
        names = [self.name(self.widened(t, width)) for t in args]
        result = self.name(Term(text(*(name.text for name in names)), width, dtype))
        self._origins.join(result, names)
        return result

    def widened(self, term: Term, width: int) -> Term:
        """The term with its scalar repeated in every lane, where `width` asks for it."""
        if term.width == width:
            return term
        return Term(f"vec4<{term.dtype.wgsl}>({term.text})", LANES, term.dtype)


def _is_literal(term: Term) -> bool:
    return term.width == 1 and is_number(term.text)
