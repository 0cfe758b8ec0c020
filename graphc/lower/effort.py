"""How long a compiler takes for a kernel, by its WGSL: for choosing between kernels that do the same.

A software adapter's driver expands every access to a storage buffer into a loop over the lanes, and its passes take
more than twice as long for twice as many; arithmetic is cheap, and more dear with the variables that a loop carries.
It writes out loops of a few turns, too. The numbers were fitted to 400 kernels on lavapipe (LLVM 15), from 15 ms to 4
seconds: nine of ten estimates lie between 0.6 and 1.3 times what was measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Final

from graphc.codegen.kernel import HIDDEN
from graphc.kernels.blocks import Block, Loop, blocks, functions, loop_of, without_comments

_OPERATORS: Final = (" + ", " - ", " * ", " / ", " % ", " & ", " < ", " == ", " >= ", "= ", "select(", "max(", "min(")
_COSTLY: Final = ("exp(", "log(", "sqrt(", "pow(", "sin(", "cos(")

TURNS: Final = 32
WRITTEN_OUT: Final = 832
"""Turns of a loop that a driver writes out, and operations that it makes of them, at most. Source: Mesa,
nir_opt_loop_unroll.c with the limits of lavapipe."""


LONG: Final = 16_000
"""Characters from which on a text is not looked into: it takes long in any case."""


@dataclass(slots=True)
class _Counts:
    """What a part of a kernel does: operations, accesses (of elements, vectors, uniforms, texels), variables, branches
    and what else makes blocks."""

    operations: float = 0
    elements: float = 0
    vectors: float = 0
    uniforms: float = 0
    texels: float = 0
    variables: float = 0
    blocks: float = 0

    def add(self, other: _Counts, times: float = 1) -> None:
        for name in _NAMES:
            setattr(self, name, getattr(self, name) + times * getattr(other, name))

    @property
    def cost(self) -> float:
        """What a driver counts of a loop's body before it writes it out."""
        return self.operations + 2 * (self.elements + self.vectors + self.uniforms + self.texels)


_NAMES: Final = tuple(field.name for field in fields(_Counts))


@lru_cache(4096)
def seconds(text: str) -> float:
    """About how many seconds of one core a software adapter's driver takes for the first launch of a kernel."""
    if len(text) > LONG:
        return 1.2e-5 * len(text) + 3e-10 * len(text) ** 2
    n = _counts(without_comments(text))
    accesses = n.elements + 2.1 * n.vectors + n.texels
    linear = 1.26 * n.elements + 2.2 * n.vectors + 2.9 * n.uniforms + 1.7 * n.texels + 0.52 * n.variables
    return (15.8 + linear + 0.0032 * accesses**2 + 0.00037 * n.operations * n.variables) / 1e3


def _counts(text: str) -> _Counts:
    """What the entry point does, with the functions that it calls."""
    done: dict[str, _Counts] = {}
    kinds = dict(_declared(text))
    for name, body in functions(text).items():
        done[name] = _function(blocks(body[body.index("{") :]), kinds, done)
    return done.get("main", _Counts())


def _declared(text: str) -> Iterator[tuple[str, str]]:
    """Each operand with its kind, a field of _Counts."""
    for line in text.split("\n"):
        if line.startswith("@group("):
            space, _, rest = line.partition(" var")[2].partition("> " if " var<" in line else " ")
            name, _, kind = rest.partition(": ")
            vector = kind.startswith("array<vec4")
            yield name, "uniforms" if space.startswith("<uniform") else "vectors" if vector else "elements"


def _function(block: Block, kinds: dict[str, str], done: dict[str, _Counts]) -> _Counts:
    """What a block does, its loops apart from the rest; done: what the functions before it do."""
    counts, straight = _Counts(), list[str]()
    for loop, hidden, body in _loops(block, straight):
        inside = _function(body, kinds, done)
        whole = not hidden and loop.turns <= TURNS and inside.cost * loop.turns <= WRITTEN_OUT
        counts.add(inside, max(loop.turns, 1) if whole else 1)
        counts.blocks += not whole
    counts.add(_straight("".join(straight), kinds, done))
    return counts


def _loops(block: Block, straight: list[str]) -> Iterator[tuple[Loop, bool, Block]]:
    """The loops of a block whose turns are known, whether a compiler does not know them, and their bodies; the rest of
    its text goes to `straight`."""
    for part in block.parts:
        if isinstance(part, str):
            straight.append(part)
            continue
        loop = loop_of(part.head[part.start :]) if part.word == "for" else None
        if loop is not None and loop.first is not None and loop.strict and loop.unsigned and not loop.down:
            straight += [part.head[: part.start], "}"]
            yield loop, HIDDEN in part.head[part.start :], part
            continue
        straight += [part.head, "{"]
        yield from _loops(part, straight)
        straight.append("}")


def _straight(text: str, kinds: dict[str, str], done: dict[str, _Counts]) -> _Counts:
    """What code without braces does."""
    counts = _Counts(
        operations=sum(map(text.count, _OPERATORS)) + 4 * sum(map(text.count, _COSTLY)) + text.count("subgroup"),
        texels=text.count("textureLoad("),
        variables=text.count("var ") + 3 * text.count(" = vec4<"),
        blocks=text.count("if ("),
    )
    for name, kind in kinds.items():
        found = text.count(f"{name}[")
        if found:
            setattr(counts, kind, getattr(counts, kind) + found)
    for name, callee in done.items():
        times = text.count(f"{name}(")
        if times:
            counts.add(callee, times)
    return counts
