"""How often the loops of a WGSL text turn at most, read off the text.

A loop says its bound in its head, `for (var k = 0u; k < 64u; k++)`, or in a comment behind the brace that opens it,
`{  // at most 64 turns`, where only the writer knows it. A loop that does neither is an error, so that no kernel can
hold one without a bound.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Final

from graphc.kernels import SUFFIX, library_texts

_COMMENT: Final = re.compile(r"//(?! at most \d+ turns?\b).*")
_HOLE: Final = re.compile(r"\{\{\w+\}\}")
_HELPER: Final = re.compile(r"gc_\w+(?=\()")
_BRACE: Final = re.compile(r"[{}]")
_KEYWORD: Final = re.compile(r"\b(?:for|while|loop|if|else)\b")
_SAID: Final = re.compile(r"\s*// at most (\d+) turns?\b")
_START: Final = re.compile(r"\bvar (\w+)[^=;]*= *([^;]+?) *;")
_TEST: Final = re.compile(r"(\w+) *(<=|>=|<|>) *(\d+)([iu]?)\b")
_STEP: Final = re.compile(r"(\w+) *(?:(\+\+|--)|([+-])= *(\d+)[iu]?)\s*\)\s*$")
_LOOPS: Final = ("for (", "while (", "loop {")


class EndlessError(ValueError):
    """A loop has no bound that can be read off its text."""


@lru_cache(maxsize=2048)
def turns(text: str) -> int:
    """The most turns that one call of `main` makes in all loops of a WGSL module: those of nested ones multiplied.

    Of branches, the one with more turns counts. Functions of the library are known even where the text does not hold
    them. Raises EndlessError for a loop without a bound, and for a module without an entry.
    """
    bodies = _functions(text)
    if "main" not in bodies:
        raise EndlessError("there is no function main")
    helpers = _helpers()
    return _counted(bodies, {name: helpers[name] for name in helpers.keys() & set(_HELPER.findall(text))}).get(
        "main", 0
    )


@cache
def _helpers() -> dict[str, int]:
    """The turns of each library function that has any, by all names that it has."""
    found = _counted(_functions(_HOLE.sub("T", "\n".join(library_texts()).replace("{{S}}", ""))), {})
    return {name + suffix: count for name, count in found.items() for suffix in SUFFIX.values()}


def _functions(text: str) -> dict[str, str]:
    """The body of each function, from behind its opening brace on. A declaration begins a line."""
    parts = ("\n" + _COMMENT.sub("", text)).split("\nfn ")[1:]
    return {part[: part.find("(")]: part[part.find("{") + 1 :] for part in parts}


def _counted(bodies: Mapping[str, str], known: Mapping[str, int]) -> dict[str, int]:
    """The functions that turn loops, of their own or of what they call, with their turns.

    known: those of functions that are counted already.
    """
    found = dict(known)
    left = {name: body for name, body in bodies.items() if name not in known}
    looping = {name for name, body in left.items() if any(head in body for head in _LOOPS)}
    while True:  # a function comes once all that loop and that it calls are counted
        called = {name: [c for c in (*looping, *found) if c != name and f"{c}(" in body] for name, body in left.items()}
        ready = [n for n in left if (called[n] or n in looping) and all(c in found for c in called[n])]
        if not ready:
            return found
        for name in ready:
            found[name] = _Body(left.pop(name), {c: found[c] for c in called[name]}).turns()
            looping.discard(name)


class _Body:
    """One function's body, walked brace by brace. calls: the functions with loops that it calls, with their turns."""

    def __init__(self, text: str, calls: Mapping[str, int]) -> None:
        self.text, self.calls = text, calls
        self.braces = list(_BRACE.finditer(text))
        self.pattern = re.compile(rf"\b({'|'.join(calls)})\(") if calls else None
        self.at = 0  # the next brace
        self.done = 0  # where the text behind the last one begins

    def turns(self) -> int:
        total, _ = self._block()
        return total

    def _called(self, text: str) -> int:
        return sum(self.calls[name] for name in self.pattern.findall(text)) if self.pattern else 0

    def _block(self) -> tuple[int, str]:
        """The turns of what stands up to the brace that closes this block, and what comes before that brace."""
        total, before = 0, -1  # before: turns of the branches so far of an `if` that may go on
        while self.at < len(self.braces):
            brace = self.braces[self.at]
            head = self.text[self.done : brace.start()]
            self.at, self.done = self.at + 1, brace.end()
            if brace[0] == "}":
                return total + max(before, 0) + self._called(head), head
            keyword = _KEYWORD.search(head, head.rfind("\n") + 1)
            word = keyword[0] if keyword else ""
            if word != "else":
                total, before = total + max(before, 0), -1
            if keyword and word in ("for", "while", "loop"):
                said = _SAID.match(self.text, self.done)
                times = int(said[1]) if said else _times(head[keyword.start() :])
                total += self._called(head[: keyword.start()])
                inside, _ = self._block()
                total += times * (1 + self._called(head[keyword.start() :]) + inside)
                continue
            total += self._called(head)
            inside, _ = self._block()
            if word in ("if", "else"):
                before = max(before, inside)
            else:
                total += inside
        return total + max(before, 0), ""


def _times(head: str) -> int:
    """The turns that the head of a `for` says: a counter of known step from one known number to another."""
    start, test, step = _START.search(head), _TEST.search(head.partition(";")[2]), _STEP.search(head)
    if not start or not test or not step or len({start[1], test[1], step[1]}) != 1:
        raise EndlessError(f"this loop does not say how often it turns: {head.strip()}")
    down = "-" in (step[2] or step[3])
    first = int(number[1]) if (number := re.fullmatch(r"(\d+)[iu]?", start[2])) else None
    if first is None:  # an unsigned counter starts at 0 or later
        first = 0 if test[4] == "u" and not down else None
    if first is None or down != (">" in test[2]):
        raise EndlessError(f"this loop does not say how often it turns: {head.strip()}")
    span = (first - int(test[3]) if down else int(test[3]) - first) + ("=" in test[2])
    return max(0, -(-span // int(step[4] or 1)))
