"""A program that uses all that the format has: loops, textures, checks, cleared tables, constants, variants."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import graphc
from graphc import nn, program, web
from graphc.families.matmul.tile import Shape, problem_name
from graphc.lower import lower
from graphc.plan.plan import Target

PLAIN = Target("plain")
WIDE = replace(PLAIN, subgroup=4, features=frozenset({"subgroup"}))
TILE = {problem_name(Shape(1, 256, 256, 256), "k", "n", True): (8, 1, 4, 1, 0, 1, 0, 1, 1)}
TEXELS = Target("texels", subgroup=8, software=True, features=frozenset({"subgroup"}), choices=TILE)
"""An adapter for which operands of large products are copied to textures, with a tile that needs no subgroups."""


def rows(x: Any) -> Any:
    """softmax."""
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def learn(state: Any, ids: Any, n: Any, *, more: Any) -> Any:
    """Some of everything; the table is donated."""
    table = state["table"]
    total, seen = graphc.scan(lambda c, a: (np.tanh(c + a), np.sum(c)), np.zeros(4, np.float32), table[:3])
    slope = graphc.grad(lambda t: np.sum(nn.embedding(t, ids) ** 2))(table)
    found = {"rows": rows(more["x"]), "flags": [total > 0, None], "picked": table[n.astype(np.int32)]}
    return {"table": table - slope * more["rate"]}, seen, found


def multiply(a: Any, b: Any) -> Any:
    """A product that pays for copies of its operands."""
    return np.tanh(a @ b) * np.linspace(1, 2, 256, dtype=np.float32)


def arguments() -> dict[str, Any]:
    """By their names, `more` as keyword."""
    rng = np.random.default_rng(4)

    def normal(*shape: int) -> Any:
        return rng.normal(size=shape).astype(np.float32)

    return {
        "state": {"table": normal(20000, 4)},
        "ids": rng.integers(0, 20000, 300).astype(np.int32),
        "n": np.array([3, -1], np.float32),
        "more": {"x": normal(16, 64), "rate": np.float32(0.5)},
        "a": normal(256, 256) / 16,
        "b": normal(256, 256),
    }


def write(folder: Path) -> None:
    """Save it as a folder, with the runtime of pages."""
    given = arguments()
    learned = graphc.compile(learn, donate=("state",)).lower(
        given["state"], given["ids"], given["n"], more=given["more"]
    )
    product = graphc.compile(multiply).lower(given["a"], given["b"])
    made, wide, texels = (
        executable.guarded.as_program(lower(executable.guarded.graph, target, executable.donated), target)
        for executable, target in ((learned, PLAIN), (learned, WIDE), (product, TEXELS))
    )
    whole = program.Program(
        functions={**made.functions, **texels.functions},
        arrays={**made.arrays, **texels.arrays, "state.table": given["state"]["table"]},
        state={"state": {"table": "state.table"}},
        about={"text": "some of everything"},
        variants={"learn": (wide.functions["learn"],)},
    )
    program.save(whole, folder)
    web.add_runtime(folder)
