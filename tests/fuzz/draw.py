"""Drawing a whole random program: its inputs, statements, results, and how it is run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from tests.fuzz import blocks, layers, moves, order, pointwise, sums, transforms
from tests.fuzz.grow import KINDS, MOST, SIZES, Grower, Rejected, Shape, Slot
from tests.fuzz.off import OFF
from tests.fuzz.program import Input, RandomProgram, quietly
from tests.fuzz.source import Source

MODULES: Final = (blocks, layers, moves, order, pointwise, sums, transforms)
"""What enters kinds of statements in KINDS."""


def _floats(source: Source, seed: int, shape: Shape, dtype: str, wild: bool) -> str:
    styles = [
        f"(rng({seed}).integers(-16, 17, {shape}) / 8 + 1 / 32)",
        f"rng({seed}).normal(size={shape})",
        f"rng({seed}).uniform(0.1, 2, {shape})",
        f"rng({seed}).integers(-2, 3, {shape})",
        f"np.zeros({shape})",
    ]
    if wild:
        big, small = ("2e4", "1e-4") if dtype == "f16" else ("1e18", "1e-20")
        odd = "np.nan, np.inf, -np.inf, 0, -0.0"
        styles = [
            f"rng({seed}).choice([{odd}, 1, -1.5, 2.25, 0.75, -0.5, 3, -2], {shape})",
            f"rng({seed}).choice([np.inf, 0.5, -2, 1, -1.25, 3, 0.25, -0.5, 1.5], {shape})",
            f"rng({seed}).choice([np.nan, 0.5, -2, 1, -1.25, 3, 0.25, -0.5, 1.5], {shape})",
            f"rng({seed}).normal(size={shape}) * {big}",
            f"rng({seed}).normal(size={shape}) * {small}",
            *styles,
        ]
    return f"np.asarray({source.pick(styles)}, {dtype})"


def _array(source: Source, seed: int, shape: Shape, dtype: str, wild: bool) -> str:
    if dtype in ("f32", "f16"):
        return _floats(source, seed, shape, dtype, wild)
    if dtype == "bool":
        return f"np.asarray(rng({seed}).random({shape}) < 0.5)"
    low = 0 if dtype == "u32" else -9
    high = (1 << 32) if dtype == "u32" and source.chance(30) else 10
    return f"np.asarray(rng({seed}).integers({low}, {high}, {shape}), {dtype})"


LONG: Final = (
    (70_000,),
    (17_000,),
    (70_000, 2),
    (2, 70_000),
    (3, 17_000),
    (17_000, 3),
    (1, 70_001),
    (70_001, 1),
    (2, 17_000, 2),
    (131_073,),
)


def _shapes(source: Source, long: bool) -> list[Shape]:
    """Shapes of the inputs, made of a few lengths, so that many of them fit together."""
    if long:
        shape = source.pick(LONG)
        return [shape, shape[-1:], ()][: 1 + source.below(3)]
    base = [source.pick(SIZES) for _ in range(2 + source.below(2))]
    count = 1 + source.below(4)
    found: list[Shape] = []
    for _ in range(count):
        rank = source.weighted(((2, 8), (1, 5), (3, 4), (0, 2), (4, 1)))
        shape = tuple(source.weighted(((source.pick(base), 9), (1, 2))) for _ in range(rank))
        if source.chance(3) and rank:
            shape = (*shape[:-1], 0)
        while int(np.prod(shape)) > MOST:
            shape = shape[1:]
        found.append(shape)
    return found


def _draw_inputs(g: Grower) -> list[Input]:
    source = g.source
    dtypes = [("f32", 10), ("i32", 3), ("u32", 2), ("bool", 1)]
    if g.half:
        dtypes.append(("f16", 2))
    inputs: list[Input] = []
    grouped = source.chance(25)
    shapes = _shapes(source, g.long)
    for k, shape in enumerate(shapes):
        dtype = "f32" if k == 0 else source.weighted(dtypes)
        group = "p" if grouped and k < len(shapes) - 1 else ""
        inputs.append(Input(f"x{k}", _array(source, 1 + source.below(5), shape, dtype, g.wild), group))
    if source.chance(10):
        inputs.append(Input(f"x{len(inputs)}", source.pick(("0.5", "2", "-1.5", "3"))))
    if grouped:  # a dict's entries need not come in the order of their names
        inputs = sorted(
            inputs, key=lambda i: (not i.group, i.name if not source.below(2) else f"{9 - int(i.name[1:])}")
        )
    for made in inputs:
        with quietly():
            g.slots.append(Slot(made.name, eval(made.text, g.space)))
    return inputs


def draw(
    source: Source, half: bool = True, most: int = 16, only: Callable[[str], bool] = lambda name: name not in OFF
) -> RandomProgram:
    """A random program. half: f16 may occur. most: statements. only: which kinds of them and of programs may occur."""
    wild = only("wild data") and source.chance(15)
    long = only("long axes") and source.chance(4)
    g = Grower(source, half and source.chance(30), wild, long, tuple(part for part in OFF if not only(part)))
    inputs = _draw_inputs(g)
    kinds = tuple((name, weight) for name, (_, weight) in KINDS.items() if only(name))
    most = min(most, 3 if long else source.weighted(((3, 3), (6, 4), (10, 3), (16, 1))))
    while len(g.statements) < most:
        with source.span():
            if g.statements and not source.below(12):
                break
            _grow(g, kinds)
    modes = [("forward", 5), ("gradient", 5), ("update", 3)]
    mode = source.weighted([m for m in modes if only(m[0])])
    return _finished(g, inputs, mode, _variant(source))


def _variant(source: Source) -> str:
    return source.weighted(
        (
            ("", 9),
            ("unfused", 5),
            ("no megakernel", 2),
            ("wide", 2),
            ("no subgroups", 1),
            ("smaller grid", 1),
            ("quick", 2),
        )
    )


def _grow(g: Grower, kinds: tuple[tuple[str, int], ...]) -> None:
    """One more statement; where five kinds of them are refused, one that always can be made."""
    for _ in range(5):
        g.kind = g.source.weighted(kinds)
        try:
            KINDS[g.kind][0](g)
        except Rejected:
            continue
        return
    g.kind = "exact"
    g.add(f"{next(slot for slot in g.slots if slot.dtype != 'python')}.copy()")


def _finished(g: Grower, inputs: list[Input], mode: str, variant: str) -> RandomProgram:
    """The program with its results: the last value and a few more, in a tree."""
    source = g.source
    made = [s for s in g.slots if s.name.startswith("v")]
    read = frozenset(name for s in g.statements for name in s.reads)
    unread = [s for s in reversed(made) if s.name not in read]
    results = [*unread[: 1 + source.below(5)], *(source.pick(made) for _ in range(source.below(2)))]
    donate: tuple[str, ...] = ()
    program = RandomProgram(tuple(inputs), tuple(g.statements), "", mode, donate, variant)
    if mode == "update":
        # New values for as many arguments as possible, of their types.
        results, given = [], [s for s in g.slots if s.name.startswith("x") and s.size and s.dtype != "python"]
        for old in given:
            fitting = [s for s in reversed(made) if s.shape == old.shape and s.dtype == old.dtype]
            if fitting:
                results.append(source.pick(fitting))
        results = [*results, made[-1]]
        arrays = [p for p in program.parameters if any(p in (i.name, i.group) for i in inputs if i.text[:3] == "np.")]
        donate = tuple(p for p in arrays if not source.chance(20))
    if mode == "gradient" and not any(s.floating and s.size for s in results):
        mode = "forward"
    result = _tree(source, [s.name for s in results])
    program = RandomProgram(program.inputs, program.statements, result, mode, donate, variant)
    if mode == "gradient" and not program.differentiable():
        program = RandomProgram(program.inputs, program.statements, result, "forward", donate, variant)
    return program


def _tree(source: Source, names: list[str]) -> str:
    """An expression of a tree with these leaves."""
    form = source.below(4)
    if form == 0 or len(names) == 1:
        return f"({', '.join(names)},)" if len(names) > 1 or form else names[0]
    if form == 1:
        keys = [f'"{"bca"[k % 3]}{k}": {name}' for k, name in enumerate(names)]
        return f"{{{', '.join(keys)}}}"
    if form == 2:
        return f"[{names[0]}, ({', '.join(names[1:])},)]"
    return f"({{'y': {names[0]}}}, {', '.join(names[1:])})"
