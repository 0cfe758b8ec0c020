"""What compilers must not simplify.

WGSL allows an implementation to compute with floats as if none were infinite or NaN, and drivers simplify as if they
were real numbers: x * 0 and x - x become 0, (x + 1) - 1 and x * y / y become x, where(x <= 0, 0, x) a maximum that
drops NaN. NumPy rounds each operation, and so does graphc. Such rules need one thing: that an operand is a number
that they know, or that one thing stands twice in an expression. So it is noted what the value of each name is made
from, and where an operation brings equal things together, one of them is hidden behind `gc_hold`, an operation that
costs one instruction and whose result no compiler knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from graphc.ir.graph import Node
from graphc.ir.op import Lanes, Term
from graphc.ir.types import DType, f16, f32, f64

Leaf = str
"""Something that an expression is made from: a tensor in memory, a number, the result of a function."""

THROUGH: Final = frozenset(
    (
        *("add", "sub", "mul", "div", "neg", "abs", "sqrt", "rsqrt", "floor", "ceil", "trunc", "round", "sign"),
        *("maximum", "minimum", "copysign", "where", "stop_gradient"),
        *("eq", "ne", "lt", "le", "gt", "ge", "and", "or", "xor", "not"),
    )
)
"""Operations that a compiler knows: their results are made from what their operands are made from."""

NUMBERED: Final = frozenset(("sigmoid",))
"""Functions whose last operation takes a number: 1 / (1 + ...)."""

CHAINED: Final = {name: frozenset((*pair, "neg")) for pair in (("add", "sub"), ("mul", "div")) for name in pair}
"""Operations in whose chains compilers move numbers: (x * y) * 1e20 becomes (x * 1e20) * y, which may overflow."""

LOGIC: Final = frozenset(("and", "or", "xor"))


@dataclass(frozen=True, slots=True)
class Origin:
    """What a value is made from. numbers: whether a number that is known is among it. by: the operation that made it.

    product: whether it is nothing but a product of leaves.
    """

    leaves: frozenset[Leaf]
    numbers: bool = False
    by: str = ""
    product: bool = False


class Origins:
    """What the names of one kernel are made from."""

    def __init__(self) -> None:
        self._found: dict[str, Origin] = {}

    def load(self, term: Term, tensor: str) -> None:
        """Note that a term is an element of a tensor."""
        self._found[term.text] = Origin(frozenset((tensor,)), product=True)

    def number(self, term: Term) -> None:
        """Note that a term is a number."""
        self._found[term.text] = _number(term.text)

    def join(self, term: Term, parts: Iterable[Term]) -> None:
        """Note that a term is one of these."""
        origins = [self.of(part) for part in parts]
        self._found[term.text] = Origin(
            frozenset().union(*(o.leaves for o in origins)), any(o.numbers for o in origins), "where"
        )

    def of(self, term: Term) -> Origin:
        """What a term is made from."""
        text = term.text
        if text in self._found:  # a cast of four lanes is written as one element spread over them is
            return self._found[text]
        if text.startswith("vec4<") and text.endswith(")"):
            text = text.partition("(")[2][:-1]
        if is_number(text):
            return _number(text)
        text = text.partition(".")[0]
        found = self._found.get(text)
        return found if found is not None else Origin(frozenset((text,)), product=True)

    def made(self, node: Node, terms: Sequence[Term], result: Term) -> None:
        """Note what the result of an operation is made from."""
        name = node.op.name
        if name in THROUGH:
            origins = [self.of(term) for term in terms]
            product = name == "mul" and all(o.product for o in origins)
            leaves = frozenset().union(*(o.leaves for o in origins))
            self._found[result.text] = Origin(leaves, any(o.numbers for o in origins), name, product)
        elif name in NUMBERED or (name == "cast" and terms[0].dtype.kind == "bool"):
            self._found[result.text] = Origin(frozenset((result.text,)), numbers=True, by=name)

    def hidden(self, node: Node, terms: Sequence[Term]) -> frozenset[int]:
        """The operands that have to be hidden, by number."""
        name = node.op.name
        if not any(term.dtype.kind == "float" for term in terms):
            return self._truths(name, terms)
        origins = [self.of(term) for term in terms]
        if name == "where":
            condition, *branches = origins
            shared = [n for n, o in enumerate(branches, 1) if o.leaves & condition.leaves and o.by != "number"]
            return frozenset(sorted(shared, key=lambda n: not origins[n].by)[:1])
        if len(terms) == 1:
            made = origins[0].by
            computed = name in ("sqrt", "rsqrt") and made in ("add", "sub", "mul", "div")
            negated = name == "neg" and made in ("add", "sub")
            root = name == "abs" and made in ("sqrt", "rsqrt")  # which is negative for -0 alone
            return frozenset((0,)) if computed or negated or root else frozenset()
        return self._pair(name, terms, *origins)

    def between(self, name: str, terms: Sequence[Term]) -> frozenset[int]:
        """Of two partial results that a reduction joins by the operation `name`, those that have to be hidden.

        The elements of a reduction are one expression at different places: what they have in common stands in each.
        """
        a, b = map(self.of, terms)
        chained = CHAINED.get(name, ())
        found = {n for n, o in enumerate((a, b)) if o.numbers and o.by in chained}
        if not found and _alike(name, a, b) and (computed := _computed(a, b)) is not None:
            found.add(computed)
        return frozenset(found)

    def hide(self, term: Term, result: Term) -> None:
        """Note that `result` is `term`, hidden. Compilers know that it is what is hidden elsewhere."""
        self._found[result.text] = Origin(frozenset((self._hidden_leaf(term),)), product=True)

    def _hidden_leaf(self, term: Term) -> Leaf:
        origin = self.of(term)
        alone = origin.by in ("", "number") and len(origin.leaves) == 1
        return f"hidden {next(iter(origin.leaves)) if alone else term.text}"

    def _pair(self, name: str, terms: Sequence[Term], a: Origin, b: Origin) -> frozenset[int]:
        pairs = ((a, b), (b, a))
        found = {
            n for n, (x, y) in enumerate(pairs) if x.by == "number" and (y.numbers or y.by in CHAINED.get(name, ()))
        }
        if name in ("mul", "div"):  # a truth times a number is a choice
            found |= {n for n, o in enumerate((a, b)) if o.by == "cast"}
        if not found and _alike(name, a, b):
            # What is computed is one of its kind; a tensor that is hidden twice is known to be the same.
            computed = _computed(a, b)
            found.add((0 if b.by == "number" else 1) if computed is None else computed)
        # What is hidden may be in the other operand already: then that is hidden too.
        found |= {1 - n for n in found if self._hidden_leaf(terms[n]) in pairs[n][1].leaves}
        return frozenset(found)

    def _truths(self, name: str, terms: Sequence[Term]) -> frozenset[int]:
        """Of `a < b and a < c` a compiler makes a < min(b, c), and of `not a < b` a >= b, which is false for NaN."""
        if name == "not" and self.of(terms[0]).by in ("lt", "le", "gt", "ge"):
            return frozenset((0,))
        if name not in LOGIC or terms[0].dtype.kind != "bool":
            return frozenset()
        a, b = map(self.of, terms)
        return frozenset((1,)) if a.leaves & b.leaves else frozenset()


def hold(term: Term) -> str:
    """WGSL of the term as a value that compilers cannot see through."""
    w = Lanes(term.width)
    if term.dtype.kind == "bool":
        return f"{w.fn('gc_hold_bool')}({term.text})"
    if term.dtype == f16:
        return f"{w(f16)}({w.fn('gc_hold')}({w(f32)}({term.text})))"
    return f"{w.fn('gc_hold64' if term.dtype == f64 else 'gc_hold')}({term.text})"


def is_number(text: str) -> bool:
    """Whether WGSL text is a literal."""
    return text[0].isdigit() or text[0] == "-" or text in ("true", "false")


def _alike(name: str, a: Origin, b: Origin) -> bool:
    """Whether an operation brings equal things together, in another way than as factors of one product."""
    return not a.leaves.isdisjoint(b.leaves) and not (name == "mul" and a.product and b.product)


def _computed(a: Origin, b: Origin) -> int | None:
    """The number of the operand that operations made, the second one first; None where both are leaves."""
    return next((n for n, o in ((1, b), (0, a)) if o.by not in ("", "number")), None)


def _number(text: str) -> Origin:
    return Origin(frozenset((text,)), numbers=True, by="number")


def special(value: float, dtype: DType) -> bool:
    """Whether a number is one that compilers take as a reason to drop an operation: 0, infinity, NaN."""
    number = float(dtype.storage.type(value))
    return number == 0 or number - number != 0
