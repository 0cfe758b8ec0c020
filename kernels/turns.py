"""How often the loops of a WGSL text turn at most, read off its blocks.

A loop says its bound in its head, `for (var k = 0u; k < 64u; k++)`, or in a comment behind the brace that opens it,
`{  // at most 64 turns`, where only the writer knows it. A loop that does neither is an error, so that no kernel can
hold one without a bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache

from graphc.kernels import SUFFIX, library_texts
from graphc.kernels.blocks import (
    LOOPS,
    Block,
    EndlessError,
    blocks,
    called,
    calls,
    functions,
    loop_of,
    without_comments,
)

_HEADS = ("for (", "while (", "loop {")

__all__ = ["EndlessError", "turns"]


@lru_cache(maxsize=2048)
def turns(text: str) -> int:
    """The most turns that one call of `main` makes in all loops of a WGSL module: those of nested ones multiplied.

    Of branches, the one with more turns counts. Functions of the library are known even where the text does not hold
    them. Raises EndlessError for a loop without a bound, and for a module without an entry.
    """
    bodies = functions(without_comments(text))
    if "main" not in bodies:
        raise EndlessError("there is no function main")
    helpers = _helpers()
    return _counted(bodies, {name: helpers[name] for name in helpers.keys() & called(text, "gc_")}).get("main", 0)


@cache
def _helpers() -> dict[str, int]:
    """The turns of each library function that has any, by all names that it has."""
    found = _counted(functions(without_comments("\n".join(map(_filled, library_texts())))), {})
    return {name + suffix: count for name, count in found.items() for suffix in SUFFIX.values()}


def _filled(text: str) -> str:
    """A template with something in its holes; types do not matter, and names are those for scalars."""
    first, *others = text.split("{{")
    parts = [first]
    for other in others:
        hole, _, rest = other.partition("}}")
        parts += ["" if hole == "S" else "T", rest]
    return "".join(parts)


def _counted(bodies: Mapping[str, str], known: Mapping[str, int]) -> dict[str, int]:
    """The functions that turn loops, of their own or of what they call, with their turns.

    known: those of functions that are counted already.
    """
    found = dict(known)
    left = {name: body for name, body in bodies.items() if name not in known}
    looping = {name for name, body in left.items() if any(head in body for head in _HEADS)}
    while True:  # a function comes once all that loop and that it calls are counted
        known_now = (*looping, *found)
        callees = {n: [c for c in known_now if c != n and f"{c}(" in body] for n, body in left.items()}
        ready = [n for n in left if (callees[n] or n in looping) and all(c in found for c in callees[n])]
        if not ready:
            return found
        for name in ready:
            known_calls = {c: found[c] for c in callees[name]}
            found[name] = sum(_inside(part, known_calls) for part in _outer(left.pop(name)))
            looping.discard(name)


def _outer(body: str) -> list[Block]:
    """The block of a function."""
    return [part for part in blocks(body).parts if isinstance(part, Block)][:1]


def _inside(block: Block, known: Mapping[str, int]) -> int:
    """The turns of what stands in a block. known: those of the functions that it calls."""

    def of_calls(text: str) -> int:
        return sum(known[name] for name in calls(text, known)) if known else 0

    total, before = 0, -1  # before: turns of the branches so far of an `if` that may go on
    for part in block.parts:
        if isinstance(part, str):
            total += of_calls(part)
            continue
        word, start = part.word, part.start
        if word != "else":
            total, before = total + max(before, 0), -1
        inside = _inside(part, known)
        if word in LOOPS:
            total += of_calls(part.head[:start])
            total += _times(part) * (1 + of_calls(part.head[start:]) + inside)
            continue
        total += of_calls(part.head)
        if word in ("if", "else"):
            before = max(before, inside)
        else:
            total += inside
    return total + max(before, 0)


def _times(block: Block) -> int:
    """The turns of a loop."""
    if block.said is not None:
        return block.said
    loop = loop_of(block.head[block.start :])
    if loop is None:
        raise EndlessError(f"this loop does not say how often it turns: {block.head.strip()}")
    return loop.turns
