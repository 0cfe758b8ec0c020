"""The blocks of a WGSL text, its loops with their bounds, and the functions that it calls. Imports nothing of graphc.

This is all that is ever read off WGSL: kernels are structures until they are bound (`graphc.kernels.code`), and what is
asked of a finished module, how often its loops turn and how long it takes to compile, is asked of its blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

LOOPS: Final = ("for", "while", "loop")
WORDS: Final = (*LOOPS, "if", "else")
SAID: Final = " at most "
_LONGEST: Final = 80
"""Characters of a name of the library, at most."""


class EndlessError(ValueError):
    """A loop has no bound that can be read off its text."""


@dataclass(slots=True)
class Block:
    """What stands between two braces.

    head: what comes before, from the last brace on. parts: texts and blocks inside, in order; a text is what no block
    begins with. said: the turns that a comment behind its brace states.
    """

    head: str
    parts: list[str | Block] = field(default_factory=list)
    said: int | None = None

    @property
    def word(self) -> str:
        """The word that it begins with, one of WORDS, or "" for others."""
        return self._word[0]

    @property
    def start(self) -> int:
        """Where that word stands in the head."""
        return self._word[1]

    @property
    def _word(self) -> tuple[str, int]:
        line = self.head.rfind("\n") + 1
        places = [(at, word) for word in WORDS if (at := _find_word(self.head, word, line)) >= 0]
        at, word = min(places, default=(len(self.head), ""))
        return word, at


def without_comments(text: str) -> str:
    """The text without its comments, those aside that state turns."""
    first, *others = text.split("//")
    parts = [first]
    for other in others:
        if _stated("//" + other) is not None:
            parts.append("//" + other)
        else:
            end = other.find("\n")
            parts.append(other[end:] if end >= 0 else "")
    return "".join(parts)


def _stated(text: str) -> int | None:
    """The turns that a comment at the beginning of a text states."""
    text = text.lstrip()
    if not text.startswith("//" + SAID):
        return None
    count, _, rest = text[2 + len(SAID) :].partition(" ")
    return int(count) if count.isdigit() and rest.startswith("turn") else None


def blocks(text: str) -> Block:
    """The tree of a text without comments."""
    root = Block("")
    stack = [root]
    for number, chunk in enumerate(text.split("{")):
        pieces = chunk.split("}")
        if number:
            head = stack[-1].parts.pop()
            assert isinstance(head, str)
            inner = Block(head, said=_stated(pieces[0]))
            stack[-1].parts.append(inner)
            stack.append(inner)
        stack[-1].parts.append(pieces[0])
        for piece in pieces[1:]:
            if len(stack) > 1:
                stack.pop()
            stack[-1].parts.append(piece)
    return root


def functions(text: str) -> dict[str, str]:
    """The text of each function, from behind its name on; a declaration begins a line."""
    parts = ("\n" + text).split("\nfn ")[1:]
    return {part[: part.find("(")]: part[part.find("(") :] for part in parts}


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop that counts, as its head says. first: None where it is no number. last: what is compared with. strict:
    whether it ends before that. unsigned: whether `last` is written as a u32. down: whether it counts down."""

    name: str
    first: int | None
    last: int
    step: int
    strict: bool
    unsigned: bool
    down: bool

    @property
    def turns(self) -> int:
        """How often it turns at most; raises EndlessError where it does not say where it begins."""
        first = self.first
        if first is None:  # an unsigned counter starts at 0 or later
            if not self.unsigned or self.down:
                raise EndlessError(f"the loop over {self.name} does not say where it begins")
            first = 0
        span = (first - self.last if self.down else self.last - first) + (not self.strict)
        return max(0, -(-span // self.step))


def loop_of(head: str) -> Loop | None:
    """The loop of a head `for (var k = 0u; k < 64u; k++)`; None where it has another form."""
    begin = head.find("(")
    parts = head[begin + 1 : head.rfind(")")].split(";")
    if begin < 0 or len(parts) != 3:
        return None
    start, test, step = (part.strip() for part in parts)
    name, equals, first = start.removeprefix("var ").partition("=")
    name = name.partition(":")[0].strip()
    sign = next((sign for sign in ("<=", ">=", "<", ">") if sign in test), None)
    if not start.startswith("var ") or not equals or sign is None:
        return None
    compared, _, last = test.partition(sign)
    counted, change, by = _step(step)
    limit, amount = _leading(last.strip()), number(by)
    if limit is None or amount is None or {name} != {compared.strip(), counted}:
        return None
    if change != ("-" if ">" in sign else "+"):
        return None
    value, unsigned = limit
    return Loop(name, number(first.strip()), value, amount, "=" not in sign, unsigned, change == "-")


def _step(text: str) -> tuple[str, str, str]:
    """(counter, "+" or "-", amount) of the end of a loop's head."""
    if text.endswith(("++", "--")):
        return text[:-2].strip(), text[-1], "1"
    name, _, amount = text.partition("=")
    return name[:-1].strip(), name[-1:], amount.strip()


def number(text: str) -> int | None:
    """The integer that a literal stands for; None for anything else."""
    digits = text[:-1] if text.endswith(("u", "i")) else text
    return int(digits) if digits.isdigit() else None


def _leading(text: str) -> tuple[int, bool] | None:
    """The number that a text begins with, and whether it is written as a u32."""
    end = next((at for at, char in enumerate(text) if not char.isdigit()), len(text))
    if not end:
        return None
    rest = text[end : end + 1]
    after = text[end + 1 : end + 2] if rest in ("u", "i") else rest
    return None if after.isalnum() or after == "_" else (int(text[:end]), rest == "u")


def is_name(char: str) -> bool:
    """Whether a character may belong to a name."""
    return char.isalnum() or char == "_"


def _find_word(text: str, word: str, begin: int) -> int:
    """Where a word stands alone in a text, from a place on; -1 where it does not."""
    at = text.find(word, begin)
    while at >= 0:
        end = at + len(word)
        if not (at and is_name(text[at - 1])) and not (end < len(text) and is_name(text[end])):
            return at
        at = text.find(word, end)
    return -1


def calls(text: str, names: Iterable[str]) -> Iterator[str]:
    """The functions of these names that a text calls, one by one."""
    for name in names:
        call = f"{name}("
        at = text.find(call)
        while at >= 0:
            if not (at and is_name(text[at - 1])):
                yield name
            at = text.find(call, at + len(call))


def called(text: str, prefix: str) -> set[str]:
    """The functions whose names begin so that a text calls."""
    return {name for name, after in _names(text, prefix) if after == "("}


def named(text: str, prefix: str) -> set[str]:
    """The names that begin so in a text."""
    return {name for name, _ in _names(text, prefix)}


def word(text: str) -> str:
    """The name that a text begins with."""
    return text[: next((at for at, char in enumerate(text) if not is_name(char)), len(text))]


def _names(text: str, prefix: str) -> Iterator[tuple[str, str]]:
    """The names that begin so in a text, each with the character behind it."""
    at = text.find(prefix)
    while at >= 0:
        name = word(text[at : at + _LONGEST])
        end = at + len(name)
        if not (at and is_name(text[at - 1])):
            yield name, text[end : end + 1]
        at = text.find(prefix, end)
