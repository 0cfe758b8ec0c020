"""Partial results of reductions in registers: how elements are taken in, and how lanes are joined."""

from __future__ import annotations

from dataclasses import dataclass, replace

from graphc.codegen.emit import Emitter
from graphc.ir.graph import Node
from graphc.ir.index import Idx
from graphc.ir.op import Lanes, Reduce, Term
from graphc.ir.types import DType, f32, i32, u32

SHORT = 64
"""Most turns of a loop that a compiler may write out."""

JOINED = {"subgroupAdd": "add", "subgroupMul": "mul"}
"""The operations that join partial results, by the built-in that joins lanes: those that compilers reorder."""

BLOCK = 16
"""Turns of a long loop whose elements are summed by themselves: sums of sums lose fewer digits than one long chain."""

LONG = 2 * BLOCK
"""Turns of a loop above which it is long: so many are one chain, in the order in which they would be written out."""

NO_POSITION = "0xffffffffu"
"""Position of an element that is not there: every real one is lower."""


@dataclass(frozen=True, slots=True)
class Partial:
    """A partial result: the value and, for argmax and argmin, its position."""

    value: Term
    position: Term | None = None


class Accumulator:
    """One Reduce node being computed: its element type while it accumulates, and its rules as code."""

    def __init__(self, emitter: Emitter, node: Node) -> None:
        lowering = node.op.lowering
        assert isinstance(lowering, Reduce)
        self.emitter, self.node, self.rule = emitter, node, lowering
        self.input = node.inputs[0]
        kind = self.input.type.dtype
        # bool is accumulated as 0 and 1, and half precision in single.
        self.dtype: DType = {"bool": u32, "f16": f32}.get(kind.name, kind)

    @property
    def sums_floats(self) -> bool:
        """Whether this is a sum whose additions are rounded."""
        return self.rule.subgroup == "subgroupAdd" and self.dtype.kind == "float"

    def neutral(self, width: int) -> Partial:
        """The partial result of no element."""
        kind = Lanes(width)
        value = Term(f"{kind(self.dtype)}({self.rule.init(self.dtype)})", width, self.dtype)
        return Partial(value, Term(f"{kind(u32)}({NO_POSITION})", width, u32) if self.rule.arg else None)

    def element(self, term: Term, column: Idx, width: int, inside: str | None) -> Partial:
        """An element as a partial result; `inside` is a condition that says whether it counts."""
        emitter = self.emitter
        value = emitter.name(self._wide(emitter.widened(term, width)))
        position = self._position(column, width) if self.rule.arg else None
        if inside is None:
            return Partial(value, position)
        none = self.neutral(width)
        value = emitter.call(lambda v: f"select({none.value.text}, {v}, {inside})", (value,), self.dtype)
        if position is not None and none.position is not None:
            position = Term(f"select({none.position.text}, {position.text}, {inside})", width, u32)
        return Partial(value, position)

    def variable(self, width: int, from_first: bool = False) -> Partial:
        """A partial result held in `var`s, starting from no element.

        from_first: it is to have the bits of one that starts from the first element, also where that is -0.
        """
        none, emitter = self.neutral(width), self.emitter
        names = [emitter.fresh("acc") for _ in range(2 if none.position else 1)]
        first = none.value
        if self.sums_floats:
            # Where a compiler writes out a loop, it drops 0 + x, and a sum of -0 would be -0: NumPy's is 0.
            kind = Lanes(width)(self.dtype)
            first = emitter.held(Term(f"{kind}(-0.0)", width, self.dtype) if from_first else first)
        emitter.line(f"var {names[0]} = {first.text};")
        value = Term(names[0], width, self.dtype)
        if none.position is None:
            return Partial(value)
        emitter.line(f"var {names[1]} = {none.position.text};")
        return Partial(value, Term(names[1], width, u32))

    def block(self, total: Partial) -> Partial:
        """A partial result of the next elements in a `var`, for `end_block`; no sum of floats: the total itself."""
        if not self.sums_floats:
            return total
        none = self.emitter.held(self.neutral(total.value.width).value)
        name = self.emitter.fresh("block")
        self.emitter.line(f"var {name} = {none.text};")
        return Partial(replace(none, text=name))

    def end_block(self, total: Partial, block: Partial) -> None:
        """Add the partial result of a block to that of all before."""
        if block is not total:
            self.assign(total, self.join(total, block))

    def assign(self, variable: Partial, value: Partial) -> None:
        """Store a partial result in `var`s."""
        self.emitter.line(f"{variable.value.text} = {value.value.text};")
        if variable.position is not None and value.position is not None:
            self.emitter.line(f"{variable.position.text} = {value.position.text};")

    def join(self, a: Partial, b: Partial) -> Partial:
        """The partial result of the elements of both."""
        width, emitter = a.value.width, self.emitter
        kind = Lanes(width)
        x, y = emitter.name(a.value), emitter.name(b.value)
        if self.dtype.kind == "float" and self.rule.subgroup in JOINED:
            x, y = emitter.apart(JOINED[self.rule.subgroup], x, y)
        if a.position is None or b.position is None:
            return Partial(emitter.name(Term(self.rule.combine(kind, self.dtype, x.text, y.text), width, self.dtype)))
        better = self.rule.better
        assert better is not None
        p, q = emitter.name(a.position), emitter.name(b.position)
        first, second = better(kind, self.dtype, y.text, x.text), better(kind, self.dtype, x.text, y.text)
        take = emitter.cond(f"({first}) | (!({second}) & ({q.text} < {p.text}))", width).text
        return Partial(
            emitter.name(Term(f"select({x.text}, {y.text}, {take})", width, self.dtype)),
            emitter.name(Term(f"select({p.text}, {q.text}, {take})", width, u32)),
        )

    def across_vector(self, partial: Partial) -> Partial:
        """The four lanes of a vector joined."""
        if partial.value.width == 1:
            return partial
        parts = [self._component(partial, c) for c in "xyzw"]
        return self.join(self.join(parts[0], parts[1]), self.join(parts[2], parts[3]))

    def across_lanes(self, partial: Partial, lanes: int, builtin: bool) -> Partial:
        """The invocations of a subgroup joined, by the built-in where it is right, else by exchange."""
        if builtin and self.rule.subgroup and partial.position is None:
            return Partial(self._call(self.rule.subgroup, partial.value))
        step = lanes // 2
        while step:
            partial = self.join(partial, self._exchanged(partial, step))
            step //= 2
        return partial

    def finished(self, partial: Partial, count: int) -> Term:
        """The result, in the element type of the node's output."""
        emitter, dtype = self.emitter, self.node.out.type.dtype
        width = partial.value.width
        if partial.position is not None:
            return emitter.name(Term(f"{Lanes(width)(i32)}({partial.position.text})", width, i32))
        text = emitter.name(partial.value).text
        if self.rule.finish is not None:
            text = self.rule.finish(text, count)
        if dtype.kind == "bool":
            text = f"({text} != {Lanes(width)(u32)}(0u))"
        elif dtype != self.dtype:
            text = f"{Lanes(width)(dtype)}({text})"
        result = emitter.name(Term(text, width, dtype))
        # A loop of a few turns is an expression to a compiler: x - mean(x) of a row of one would be 0, were x infinite.
        short = count <= SHORT and dtype.kind == "float" and emitter.reads_on(self.node.out)
        return emitter.held(result) if short else result

    def _wide(self, term: Term) -> Term:
        if term.dtype == self.dtype:
            return term
        kind = Lanes(term.width)
        if term.dtype.kind == "bool":
            return Term(f"select({kind(u32)}(0u), {kind(u32)}(1u), {term.text})", term.width, u32)
        return Term(f"{kind(self.dtype)}({term.text})", term.width, self.dtype)

    def _position(self, column: Idx, width: int) -> Term:
        text = column.text if width == 1 else column.vector
        return self.emitter.name(Term(text, width, u32))

    def _component(self, partial: Partial, c: str) -> Partial:
        emitter = self.emitter
        value = Term(f"{emitter.name(partial.value).text}.{c}", 1, self.dtype)
        if partial.position is None:
            return Partial(value)
        return Partial(value, Term(f"{emitter.name(partial.position).text}.{c}", 1, u32))

    def _exchanged(self, partial: Partial, step: int) -> Partial:
        value = self._call("subgroupShuffleXor", partial.value, f"{step}u")
        if partial.position is None:
            return Partial(value)
        return Partial(value, self._call("subgroupShuffleXor", partial.position, f"{step}u"))

    def _call(self, name: str, term: Term, *more: str) -> Term:
        emitter = self.emitter
        text = f"{name}({', '.join([emitter.name(term).text, *more])})"
        return emitter.name(Term(text, term.width, term.dtype))


class SharedMemory:
    """Joins partial results of the invocations of a workgroup in a tree over shared memory.

    members: how many are joined, a power of two. stride: how far apart they lie, where the workgroup joins several
    groups side by side: member m of group g is invocation m * stride + g. here, member, group: WGSL expressions of the
    invocation, and of its member and group number.
    """

    def __init__(
        self,
        emitter: Emitter,
        members: int,
        stride: int = 1,
        here: str = "lane",
        member: str = "lane",
        group: str = "0u",
    ) -> None:
        self.emitter, self.members, self.stride = emitter, members, stride
        self.here, self.member, self.group = here, member, group
        self._arrays: dict[str, str] = {}

    def declarations(self) -> str:
        """The workgroup variables that were used."""
        size = self.members * self.stride
        return "".join(f"var<workgroup> {name}: array<{t}, {size}>;\n" for name, t in self._arrays.items())

    def join(self, accumulator: Accumulator, partial: Partial) -> Partial:
        """The partial results of all members of a group, known to each. Barriers stand outside of every branch."""
        emitter, step = self.emitter, self.members // 2
        terms = [t for t in (partial.value, partial.position) if t is not None]
        arrays = [self._array(t, "position" if n else "value") for n, t in enumerate(terms)]
        for array, term in zip(arrays, terms, strict=True):
            emitter.line(f"{array}[{self.here}] = {term.text};")
        emitter.line("workgroupBarrier();")
        while step:
            with emitter.block(f"if ({self.member} < {step}u)"):
                low = self._slots(arrays, terms, self.here)
                high = self._slots(arrays, terms, f"{self.here} + {step * self.stride}u")
                joined = accumulator.join(low, high)
                for array, part in zip(arrays, (joined.value, joined.position), strict=False):
                    if part is not None:
                        emitter.line(f"{array}[{self.here}] = {part.text};")
            emitter.line("workgroupBarrier();")
            step //= 2
        found = self._slots(arrays, terms, self.group)
        result = Partial(emitter.name(found.value), None if found.position is None else emitter.name(found.position))
        emitter.line("workgroupBarrier();")
        return result

    def gather(self, accumulator: Accumulator, partial: Partial, lanes: int) -> Partial:
        """The partial results of all members, each of which is a subgroup of `lanes` that knows its own. Each
        invocation joins all of them: two barriers, where a tree over the invocations has one a level."""
        emitter = self.emitter
        terms = [t for t in (partial.value, partial.position) if t is not None]
        arrays = [self._array(t, "position" if n else "value") for n, t in enumerate(terms)]
        with emitter.block(f"if ({self.here} % {lanes}u == 0u)"):
            for array, term in zip(arrays, terms, strict=True):
                emitter.line(f"{array}[{self.here} / {lanes}u] = {term.text};")
        emitter.line("workgroupBarrier();")
        parts = [self._slots(arrays, terms, f"{n}u") for n in range(self.members)]
        while len(parts) > 1:
            parts = [accumulator.join(a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
        emitter.line("workgroupBarrier();")
        return parts[0]

    def _slots(self, arrays: list[str], terms: list[Term], index: str) -> Partial:
        return Partial(*(Term(f"{a}[{index}]", t.width, t.dtype) for a, t in zip(arrays, terms, strict=True)))

    def _array(self, term: Term, use: str) -> str:
        kind = Lanes(term.width)(term.dtype)
        name = f"shared_{use}_{term.dtype.wgsl}" + ("_v4" if term.width > 1 else "")
        self._arrays.setdefault(name, kind)
        return name
