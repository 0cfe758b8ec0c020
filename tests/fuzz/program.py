"""A random program as data: inputs, statements and results, each a line of NumPy that a person could have written.

What is run is what is printed: the function is made by compiling the text.
"""

from __future__ import annotations

import linecache
import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

import graphc

HEADER: Final = """\
import numpy as np
import graphc
from graphc import nn, optim

f16, f32, i32, u32 = np.float16, np.float32, np.int32, np.uint32
rng = np.random.default_rng
"""

WEIGH: Final = """\
def weigh(out):
    total = f32(0)
    for k, leaf in enumerate(graphc.tree.leaves(out)):
        if leaf.dtype.kind == "f" and leaf.size:
            weights = np.cos(np.arange(leaf.size) + k).astype(f32).reshape(leaf.shape)
            total = total + np.sum(leaf.astype(f32) * weights)
    return total


def objective(*args):
    out = program(*args)
    return weigh(out), out
"""

COMPARE: Final = """\
for name, options in {ways}.items():
    {arrays}results = graphc.compile(run{donate}, **options)(*args)
    for leaf in graphc.tree.leaves(results):
        print(name, np.asarray(leaf).dtype, np.asarray(leaf).tolist())
"""

NAME: Final = re.compile(r"\b[xv]\d+\b")


@dataclass(frozen=True)
class Input:
    """One array. text: the expression that makes it. group: the dict that it is an entry of, if it is in one."""

    name: str
    text: str
    group: str = ""


@dataclass(frozen=True)
class Statement:
    """outs = text, after `prelude` (lines that define what the text calls)."""

    kind: str
    outs: tuple[str, ...]
    text: str
    prelude: str = ""

    @property
    def reads(self) -> frozenset[str]:
        """Names of the arrays that it reads."""
        return frozenset(NAME.findall(f"{self.prelude}\n{self.text}"))

    def lines(self) -> list[str]:
        """As they stand in a function."""
        before = self.prelude.splitlines()
        return [*(f"    {line}" for line in before), f"    {', '.join(self.outs)} = {self.text}"]


@dataclass(frozen=True)
class RandomProgram:
    """A function of arrays, and how it is to be run.

    result: the expression that it returns. mode: "forward"; "gradient" (value, results and gradients of a weighted sum
    of all results); "update" (donated arguments). donate: names of arguments. variant: one more way to compile it, see
    `judge.VARIANTS`.
    """

    inputs: tuple[Input, ...]
    statements: tuple[Statement, ...]
    result: str
    mode: str = "forward"
    donate: tuple[str, ...] = ()
    variant: str = ""

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """Names of the arguments, dicts and arrays, in order."""
        return tuple(dict.fromkeys(i.group or i.name for i in self.inputs))

    def kinds(self) -> tuple[str, ...]:
        """What kinds of statements there are, sorted."""
        return tuple(sorted({s.kind for s in self.statements}))

    def function(self) -> str:
        """Source of the function."""
        opened = [f'    {i.name} = {i.group}["{i.name}"]' for i in self.inputs if i.group]
        body = [line for s in self.statements for line in s.lines()]
        lines = [f"def program({', '.join(self.parameters)}):", *opened, *body, f"    return {self.result}"]
        return "\n".join(lines) + "\n"

    def differentiable(self) -> tuple[int, ...]:
        """Positions of the arguments whose leaves are all floats."""
        made = self.arguments()
        return tuple(
            k
            for k, argument in enumerate(made)
            if all(np.asarray(leaf).dtype.kind == "f" for leaf in graphc.tree.leaves(argument))
        )

    def runner(self) -> str:
        """Source of what is compiled, under the name `run`."""
        if self.mode != "gradient":
            return "run = program\n"
        argnums = self.differentiable()
        return f"{WEIGH}\n\nrun = graphc.value_and_grad(objective, argnums={argnums}, has_aux=True)\n"

    def data(self) -> str:
        """Source of the arguments, under the name `args`."""
        lines = [f"{i.name} = {i.text}" for i in self.inputs if not i.group]
        for group in dict.fromkeys(i.group for i in self.inputs if i.group):
            entries = ", ".join(f'"{i.name}": {i.text}' for i in self.inputs if i.group == group)
            lines.append(f"{group} = {{{entries}}}")
        return "\n".join([*lines, f"args = ({', '.join(self.parameters)},)"]) + "\n"

    def arguments(self, wide: bool = False) -> tuple[Any, ...]:
        """The arguments as NumPy arrays; float64 in the place of all floats where `wide`."""
        space = namespace()
        with quietly():
            exec(self.data(), space)
        made = space["args"]
        return tuple(graphc.tree.map(_widened, made) if wide else made)

    def callable(self, name: str = "run", wide: bool = False) -> Callable[..., Any]:
        """`program`, `objective` (in gradient mode) or `run`; with float64 wherever the text says f16 or f32."""
        text = f"{self.function()}\n\n{self.runner()}"
        file = f"<program {abs(hash(text)):x}>"
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        while len(linecache.cache) > 2000:
            linecache.cache.pop(next(iter(linecache.cache)))
        space = namespace(wide)
        exec(compile(text, file, "exec"), space)
        found: Callable[..., Any] = space[name]
        return found

    def script(self, ways: str, comment: str, before: str = "") -> str:
        """A program of its own that prints what each way gives."""
        donate = f", donate={self.donate!r}" if self.donate else ""
        arrays = (
            "args = graphc.tree.map(lambda x: graphc.asarray(x) if isinstance(x, np.ndarray) else x, args)\n    "
            if self.donate
            else ""
        )
        told = "".join(f"# {line}\n" for line in comment.splitlines())
        compared = COMPARE.format(ways=ways, donate=donate, arrays=arrays)
        return f"{told}{HEADER}\n{self.data()}\n\n{self.function()}\n\n{self.runner()}\n\n{before}{compared}"

    def __str__(self) -> str:
        return f"{HEADER}\n{self.data()}\n\n{self.function()}\n\n{self.runner()}"


@contextmanager
def quietly() -> Iterator[None]:
    """Plain NumPy on odd numbers: no warnings; and what runs at once (graphc.grad of arrays) runs in NumPy."""
    before = os.environ.get("GRAPHC_DEVICE")
    os.environ["GRAPHC_DEVICE"] = "numpy"
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if before is None:
            del os.environ["GRAPHC_DEVICE"]
        else:
            os.environ["GRAPHC_DEVICE"] = before


def namespace(wide: bool = False) -> dict[str, Any]:
    """What the header of a program defines; float64 under the names f16 and f32 where `wide`."""
    space: dict[str, Any] = {}
    exec(HEADER, space)
    if wide:
        space["f16"] = space["f32"] = np.float64
    return space


def _widened(leaf: Any) -> Any:
    array = np.asarray(leaf)
    return leaf if array.dtype.kind != "f" or isinstance(leaf, float) else array.astype(np.float64)
