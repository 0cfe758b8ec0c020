"""Places of elements that depend on a condition: what lowerings of movements compare, and how they choose."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from graphc.ir.index import LANES, Idx, add, constant, moved
from graphc.ir.op import Emitter, Term
from graphc.ir.types import bool_


def compare(em: Emitter, a: Idx, symbol: str, b: Idx) -> Term | bool:
    """The condition `a symbol b` ("<" or ">="), or its value where both are known."""
    if a.const is not None and b.const is not None:
        return a.const < b.const if symbol == "<" else a.const >= b.const
    if b.uniform and (a.uniform or (b.const is not None and on_one_side(a, b.const))):
        return em.cond(f"({a.text} {symbol} {b.text})", 1)
    return em.cond(f"({a.vector} {symbol} {b.vector})", LANES)


def on_one_side(a: Idx, limit: int) -> bool:
    """Whether either all lanes are below the limit or none is, modulo 2**32."""
    whole = a.lane == 1 and a.base.align % LANES == 0
    return whole and (limit - a.shift) % LANES == 0 and (a.shift >= 0 or a.shift % LANES == 0)


def every(em: Emitter, conditions: Sequence[Term | bool]) -> Term | bool:
    """Whether all conditions hold."""
    if any(c is False for c in conditions):
        return False
    terms = [c for c in conditions if isinstance(c, Term)]
    if not terms:
        return True
    joined = terms[0]
    for term in terms[1:]:
        joined = em.call(lambda a, b: f"({a} & {b})", (joined, term), bool_)
    return joined


def shifted(a: Idx, c: int) -> Idx:
    """a - c modulo 2**32, for an `a` that may be below c: what is below zero becomes huge. `a` is no constant."""
    return moved(a, -c, 1 << 32) if c else a


def within(a: Idx, n: int) -> Idx:
    """The index, said to lie below n. Lanes where it does not read any element, or none, and must not count.

    WGSL lets no load leave its buffer, and neighbours keep to one rule, so that they share what they load.
    """
    return a if a.bound <= n else replace(a, bound=max(n, 1))


def lane_of(a: Idx, lane: int) -> Idx:
    """The index of one lane."""
    if a.uniform or a.const is not None:
        return a
    if a.lane is None:
        return Idx(f"{a.text}.{'xyzw'[lane]}", 0, 1, a.bound)
    scalar = Idx(a.base.text, 0, a.base.align, a.base.bound)
    return moved(scalar, a.shift + lane * a.lane, a.bound)


def ends(a: Idx, lane: int, n: int) -> tuple[int, int]:
    """The least and the greatest number that a lane may hold, of an index that lies below n wherever it counts.

    Of a lane that never counts, they are one number below n.
    """
    if a.const is not None:
        return a.const, a.const
    if a.lane is None or a.lane < 0:
        return 0, min(a.bound, n) - 1
    base = a.base
    top = (base.bound - 1 - lane * a.lane) // base.align * base.align
    step = a.shift + lane * a.lane
    high = min(max(top + step, 0), a.bound - 1, n - 1)
    return min(max(step, 0), high), high


def chosen(alternatives: Sequence[tuple[Term, Idx]], otherwise: Idx) -> Idx:
    """The index beside the first of the conditions that holds."""
    places = [*(idx for _, idx in alternatives), otherwise]
    bound, width = max(p.bound for p in places), max(when.width for when, _ in alternatives)
    if all((p.text, p.lane) == (otherwise.text, otherwise.lane) for p in places):
        return replace(otherwise, bound=bound)
    conditions = [when for when, _ in alternatives]
    known = [p.const for p in places if p.const is not None]
    if len(known) == len(places):
        least = min(known)
        return add(_number(conditions, [n - least for n in known], width), constant(least))
    base = max((p.base for p in places), key=lambda p: p.bound)
    if not known and all((p.base.text, p.lane) == (base.text, base.lane) for p in places):
        least = min(p.shift for p in places)
        steps = _number(conditions, [p.shift - least for p in places], width)
        return moved(add(base, steps), least, bound)
    if width == 1 and otherwise.lane is not None and all(p.lane == otherwise.lane for p in places):
        text = _nested(conditions, [p.text for p in places], 1)
        return Idx(text, otherwise.lane, math.gcd(*(p.align for p in places)), bound)
    return Idx(_nested(conditions, [p.vector for p in places], LANES), None, 1, bound)


def _number(conditions: Sequence[Term], numbers: Sequence[int], width: int) -> Idx:
    """One of several numbers."""
    kind = "{}u" if width == 1 else "vec4<u32>({}u)"
    text = _nested(conditions, [kind.format(n) for n in numbers], width)
    lane, align = (0, math.gcd(*numbers)) if width == 1 else (None, 1)
    return Idx(text, lane, align, max(numbers) + 1)


def _nested(conditions: Sequence[Term], texts: Sequence[str], width: int) -> str:
    *others, text = texts
    for when, other in zip(reversed(conditions), reversed(others), strict=True):
        if other != text:
            holds = when.text if when.width == width else f"vec4<bool>({when.text})"
            text = f"select({text}, {other}, {holds})"
    return text
