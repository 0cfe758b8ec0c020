"""What a workgroup of a WGSL module takes, read off its text: invocations, workgroup memory, registers about.

The first two are exact. Registers are an estimate: how many 32-bit words of named values live at once at most, where a
value lives from its declaration to its last use, or to the end of a loop that it is used in and declared before; the
words of the functions that are called come on top. A compiler may keep fewer (it computes some things again) or more
(it moves loads ahead), so the estimate says whether a kernel is far from a limit, not how near it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from graphc.kernels.blocks import LOOPS, functions, is_name, without_comments
from graphc.kernels.code import SIZED

SPARE: Final = 16
"""Words of an invocation for its number, addresses of buffers, and what has no name."""
STEP: Final = 8
"""Registers are given out in such steps: NVIDIA gives 256 to a warp of 32."""

_BYTES: Final = {"f32": 4, "i32": 4, "u32": 4, "f16": 2, "bool": 4, "f64": 8, "i64": 8, "u64": 8, "atomic": 4}
_SHARED: Final = "var<workgroup>"
_LETTERS: Final = frozenset("xyzwrgba")


@dataclass(frozen=True, slots=True)
class Workgroup:
    """invocations of a workgroup, and bytes of workgroup memory that it takes."""

    invocations: int
    shared_bytes: int


@lru_cache(maxsize=2048)
def workgroup(text: str) -> Workgroup:
    """The workgroup of a module; its size has one dimension, as all kernels' here."""
    _, found, rest = text.partition(SIZED)
    size = rest.partition(")")[0]
    if not found or not size.isdigit():
        raise ValueError("this module says no size of its workgroup")
    declared = [line for line in text.split("\n") if line.startswith(_SHARED)]
    return Workgroup(int(size), sum(_bytes(line.partition(":")[2].partition(";")[0]) for line in declared))


def _bytes(kind: str) -> int:
    """Bytes of a type in workgroup memory."""
    kind = kind.strip()
    if kind.startswith("array<"):
        element, _, count = kind[len("array<") : kind.rindex(">")].rpartition(",")
        return _bytes(element) * int(count.strip().rstrip("u"))
    outer, _, inner = kind.partition("<")
    if outer.startswith("vec"):
        lanes = int(outer[3:])
        return _BYTES[inner.rstrip("> ")] * (4 if lanes == 3 else lanes)
    return _BYTES[outer]


@lru_cache(maxsize=512)
def registers(text: str) -> int:
    """About how many 32-bit registers an invocation of a module takes, in whole steps."""
    plain = without_comments(text)
    globals_ = {name: width for line in plain.split("\n") for name, width in _declared(line)}
    peaks = {name: _peak(_tokens(body), globals_) for name, body in functions(plain).items()}
    called = max((peak for name, peak in peaks.items() if name != "main"), default=0)
    return -(-(SPARE + peaks.get("main", 0) + called) // STEP) * STEP


def _declared(line: str) -> Iterator[tuple[str, int]]:
    """The name of what a line declares in a module, with the words of one of its elements."""
    if not line.startswith(("@group", _SHARED)) or ":" not in line:
        return
    name, _, kind = line.partition(" var" if line.startswith("@") else "var")[2].partition(":")
    yield name.rpartition(" ")[2].strip(), _lanes(kind)


def _lanes(text: str) -> int:
    """The components of the vectors that a type or an expression names; 1 where there are none."""
    return next((n for n in (4, 3, 2) if f"vec{n}<" in text or f"_v{n}" in text), 4 if "textureLoad" in text else 1)


def _tokens(body: str) -> list[str]:
    """Names, numbers and signs of the text of a function, those of its parameters left out."""
    text, found, at = body[body.index("{") :], list[str](), 0
    while at < len(text):
        end = at + 1
        if is_name(text[at]):
            while end < len(text) and is_name(text[end]):
                end += 1
        if not text[at].isspace():
            found.append(text[at:end])
        at = end
    return found


@dataclass(slots=True)
class _Life:
    """A named value: its words, those of one of its elements, and where it is declared and used last."""

    words: int
    each: int
    first: int
    last: int


def _peak(tokens: list[str], known: Mapping[str, int]) -> int:
    """Most words of named values that live at once in a function."""
    lives: list[_Life] = []
    names: dict[str, _Life] = {}
    loops: list[tuple[int, int]] = []  # depth and beginning of each loop around
    depth, pending = 0, -1
    for at, token in enumerate(tokens):
        if token in LOOPS:
            pending = at
        elif token == "{":
            depth += 1
            if pending >= 0:
                loops.append((depth, pending))
                pending = -1
        elif token == "}":
            if loops and loops[-1][0] == depth:
                begin = loops.pop()[1]
                for life in lives:
                    if life.first < begin <= life.last:
                        life.last = at
            depth -= 1
        elif token in ("let", "var") and at + 1 < len(tokens):
            words, each = _width(tokens, at + 2, names, known)
            names[tokens[at + 1]] = life = _Life(words, each, at, at)
            lives.append(life)
        elif token in names:
            names[token].last = at
    changes = sorted([(n.first, n.words) for n in lives] + [(n.last + 1, -n.words) for n in lives])
    most = live = 0
    for _, words in changes:
        live += words
        most = max(most, live)
    return most


def _width(tokens: list[str], at: int, names: Mapping[str, _Life], known: Mapping[str, int]) -> tuple[int, int]:
    """Words of what is declared with the tokens from `at` on, its type or its value, and of one of its elements."""
    end, inside = at, 0
    while end < len(tokens) and not (tokens[end] == ";" and inside <= 0):
        inside += (tokens[end] in "([{") - (tokens[end] in ")]}")
        end += 1
    said = tokens[at:end]
    if said and said[0] == ":":
        kind = said[1 : said.index("=")] if "=" in said else said[1:]
        each = _lanes("".join(kind))
        counts = [int(t.rstrip("u")) for t in kind if t[0].isdigit()]
        return each * (counts[-1] if kind[0] == "array" and counts else 1), each
    if "dot" in said[:3]:
        return 1, 1
    widest, place = 1, 0
    while place < len(said):
        token, place = said[place], place + 1
        behind = _closing(said, place) if said[place : place + 1] == ["["] else place
        component = said[behind : behind + 2]
        if component[:1] != ["."] or len(component[1]) > 1 or component[1] not in _LETTERS:
            each = names[token].each if token in names else known.get(token, 0)
            widest = max(widest, each, _lanes(token + "".join(said[place : place + 1])))
        place = behind  # an index does not count
    return widest, widest


def _closing(tokens: list[str], at: int) -> int:
    """Where the bracket at this place is closed, and what follows begins."""
    deep = 0
    while at < len(tokens):
        deep += (tokens[at] == "[") - (tokens[at] == "]")
        at += 1
        if not deep:
            break
    return at
