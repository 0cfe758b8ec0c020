"""Making a program that fails smaller, as long as it fails in the same way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

import graphc
from tests.fuzz.program import NAME, RandomProgram, quietly
from tests.fuzz.source import Source, replayed

Draw = Callable[[Source], RandomProgram]
Fails = Callable[[RandomProgram], bool]


def shrink(found: Source, draw: Draw, fails: Fails, tries: int) -> RandomProgram:
    """The smallest program met that fails: first fewer and lower choices, then fewer lines; so many tries of either."""
    return _by_lines(_by_choices(found, draw, fails, tries), fails, tries)


def _by_choices(found: Source, draw: Draw, fails: Fails, tries: int) -> RandomProgram:
    best, seen = found, set[str]()
    program = draw(replayed(best.choices))
    progress = True
    while progress:
        progress = False
        for choices in _simpler(best):
            source = replayed(choices)
            candidate = draw(source)
            text = str(candidate)
            if text in seen or _size(source.choices) >= _size(best.choices):
                continue
            if not tries:
                return program
            seen.add(text)
            tries -= 1
            if fails(candidate):
                best, program, progress = source, candidate, True
                break
    return program


def _size(choices: Sequence[int]) -> tuple[int, int]:
    return len(choices), sum(choices)


def _simpler(source: Source) -> Iterator[list[int]]:
    """Lists of choices that may be simpler than those that were made: parts left out, then parts lowered."""
    choices = source.choices
    for first, last in reversed(source.spans):
        yield choices[:first] + choices[last:]
    for length in (8, 4, 2, 1):
        for first in range(len(choices) - length, -1, -length):
            yield choices[:first] + choices[first + length :]
    for first, last in reversed(source.spans):
        yield choices[:first] + [0] * (last - first) + choices[last:]
    for at, chosen in enumerate(choices):
        for lower in sorted({0, chosen // 2, chosen - 1} - {chosen, -1}):
            yield [*choices[:at], lower, *choices[at + 1 :]]


def _by_lines(program: RandomProgram, fails: Fails, tries: int) -> RandomProgram:
    progress = True
    while progress:
        progress = False
        for candidate in _fewer_lines(program):
            if not runs(candidate):
                continue
            if not tries:
                return program
            tries -= 1
            if fails(candidate):
                program, progress = candidate, True
                break
    return program


def runs(program: RandomProgram) -> bool:
    """Whether NumPy runs a program."""
    try:
        with quietly():
            made = program.callable("program")(*program.arguments())
            [np.asarray(leaf) for leaf in graphc.tree.leaves(made)]
    except Exception:
        return False
    return True


def _fewer_lines(program: RandomProgram) -> Iterator[RandomProgram]:
    """Programs with something left out."""
    names = list(dict.fromkeys(NAME.findall(program.result)))
    if _pruned(program) != program:
        yield _pruned(program)
    if len(names) > 1 or program.result != names[0]:
        for name in names:
            yield _pruned(replace(program, result=name))
        for k in range(len(names)):
            yield _pruned(replace(program, result=f"({', '.join(names[:k] + names[k + 1 :])},)"))
    for plain in ({"variant": ""}, {"donate": ()}, {"mode": "forward", "donate": ()}):
        simpler = replace(program, **plain)
        if simpler != program:
            yield simpler
    yield from (replace(program, donate=tuple(d for d in program.donate if d != name)) for name in program.donate)
    if any(i.group for i in program.inputs):
        yield replace(program, inputs=tuple(replace(i, group="") for i in program.inputs), donate=())
    for at, statement in enumerate(program.statements):
        if len(statement.outs) == 1:
            for name in sorted(statement.reads):
                yield _without(program, at, name)
            yield from (_without(program, at, i.name) for i in program.inputs if i.name not in statement.reads)


def _without(program: RandomProgram, at: int, name: str) -> RandomProgram:
    """The program with one statement left out, and `name` in the place of its result."""
    (out,) = program.statements[at].outs

    def renamed(text: str) -> str:
        return re.sub(rf"\b{out}\b", name, text)

    after = [replace(s, text=renamed(s.text), prelude=renamed(s.prelude)) for s in program.statements[at + 1 :]]
    statements = (*program.statements[:at], *after)
    return _pruned(replace(program, statements=statements, result=renamed(program.result)))


def _pruned(program: RandomProgram) -> RandomProgram:
    """The program without statements and inputs that nothing reads."""
    live = set(NAME.findall(program.result))
    kept = []
    for statement in reversed(program.statements):
        if live & set(statement.outs):
            kept.append(statement)
            live |= statement.reads
    inputs = tuple(i for i in program.inputs if i.name in live) or program.inputs[:1]
    parameters = {i.group or i.name for i in inputs}
    donate = tuple(d for d in program.donate if d in parameters)
    return replace(program, inputs=inputs, statements=tuple(reversed(kept)), donate=donate)
