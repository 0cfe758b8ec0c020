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

_SAID: Final = re.compile(r"\s*// at most (\d+) turns?\b")
_COMMENT: Final = re.compile(r"//(?! at most \d+ turns?\b).*")
_HOLE: Final = re.compile(r"\{\{\w+\}\}")
_FUNCTION: Final = re.compile(r"\bfn (\w+)\s*\(")
_LOOP: Final = re.compile(r"\b(?:for|while|loop)\b")
_CALL: Final = re.compile(r"\b(\w+)(?=\()")
_START: Final = re.compile(r"\bvar (\w+)[^=;]*= *([^;]+?) *;")
_TEST: Final = re.compile(r"(\w+) *(<=|>=|<|>) *(\d+)([iu]?)\b")
_STEP: Final = re.compile(r"(\w+) *(?:(\+\+|--)|([+-])= *(\d+)[iu]?)\s*\)\s*$")


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
    return _Counter(bodies, _helpers()).of("main")


@cache
def _helpers() -> dict[str, int]:
    """The turns of each library function that has any, by all names that it has."""
    bodies = _functions("\n".join(library_texts()))
    counter = _Counter(bodies, {})
    found = {name: counter.of(name) for name in bodies}
    return {name + suffix: count for name, count in found.items() if count for suffix in SUFFIX.values()}


def _functions(text: str) -> dict[str, str]:
    """The body of each function, from its opening brace on."""
    text = _HOLE.sub("T", _COMMENT.sub("", text).replace("{{S}}", ""))
    starts = list(_FUNCTION.finditer(text))
    ends = [match.start() for match in starts[1:]] + [len(text)]
    return {match[1]: text[text.find("{", match.end()) : end] for match, end in zip(starts, ends, strict=True)}


class _Counter:
    """Counts the turns of functions that call each other. known: those of functions that are counted already."""

    def __init__(self, bodies: Mapping[str, str], known: Mapping[str, int]) -> None:
        self.bodies = bodies
        self.known = dict(known)

    def of(self, name: str) -> int:
        """The turns of one call of a function."""
        if name not in self.known:
            body = self.bodies[name]
            self.known[name] = 0  # functions of WGSL do not call themselves
            called = set(_CALL.findall(body)) & (self.bodies.keys() | self.known.keys())
            calls = {call: count for call in called if (count := self.of(call))}
            if calls or _LOOP.search(body):
                self.known[name] = _Body(body, calls).turns()
        return self.known[name]


class _Body:
    """One function's body, walked brace by brace. calls: the functions with loops that it calls, with their turns."""

    def __init__(self, text: str, calls: dict[str, int]) -> None:
        self.text, self.calls = text, calls
        names = "".join(rf"|\b{name}(?=\()" for name in calls)
        self.tokens = list(re.compile(rf"\b(?:for|while|loop|if|else)\b|[{{}}]{names}").finditer(text))
        self.at = 0

    def turns(self) -> int:
        self.at = 1
        return self._block()

    def _block(self) -> int:
        """The turns of what stands up to the brace that closes this block."""
        total = 0
        while self.at < len(self.tokens):
            word = self.tokens[self.at][0]
            self.at += 1
            if word == "}":
                return total
            if word == "{":
                total += self._block()
            elif word == "if":
                total += self._branches()
            elif word in self.calls:
                total += self.calls[word]
            elif word != "else":
                total += self._loop(self.tokens[self.at - 1])
        return total

    def _head(self) -> int:
        """The turns of the calls up to the next opening brace, which is passed."""
        total = 0
        while self.at < len(self.tokens) and (word := self.tokens[self.at][0]) != "{":
            total += self.calls.get(word, 0)
            self.at += 1
        self.at += 1
        return total

    def _branches(self) -> int:
        total = self._head()
        most = self._block()
        while self.at < len(self.tokens) and self.tokens[self.at][0] == "else":
            self.at += 1
            if self.tokens[self.at][0] == "if":
                self.at += 1
                total += self._head()
            else:
                self.at += 1
            most = max(most, self._block())
        return total + most

    def _loop(self, keyword: re.Match[str]) -> int:
        inside = self._head()
        brace = self.tokens[self.at - 1]
        head = self.text[keyword.start() : brace.start()]
        said = _SAID.match(self.text, brace.end())
        times = int(said[1]) if said else _times(head)
        return times * (1 + inside + self._block())


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
