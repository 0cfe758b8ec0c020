"""A program that uses all that the format has: loops, textures, checks, cleared tables, constants, variants."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import graphc
from graphc import nn, program, web
from graphc.lower import lower
from graphc.plan import Target

SOFTWARE = Target("software", software=True)
"""An adapter for which operands of products are copied to textures, without subgroups."""

WIDE = replace(SOFTWARE, subgroup=4, features=frozenset({"subgroup"}))


def rows(x: Any) -> Any:
    """softmax."""
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def learn(state: Any, ids: Any, n: Any, *, more: Any) -> Any:
    """Some of everything; state["table"] is donated."""
    table, big = state["table"], more["big"]
    total, seen = graphc.scan(lambda c, a: (np.tanh(c + a), np.sum(c)), np.zeros(4, np.float32), table[:3])
    slope = graphc.grad(lambda t: np.sum(nn.embedding(t, ids) ** 2))(table)
    square = big @ big * np.linspace(1, 2, 256, dtype=np.float32)
    found = {"rows": rows(square), "flags": [total > 0, None], "picked": table[n.astype(np.int32)]}
    return {"table": table - slope * more["rate"]}, seen, found


def arguments() -> tuple[Any, Any, Any, Any]:
    """state, ids, n, more."""
    rng = np.random.default_rng(4)
    table, big = rng.normal(size=(5000, 4)).astype(np.float32), rng.normal(size=(256, 256)).astype(np.float32)
    return (
        {"table": table},
        np.array([7, 7, 4998], np.int32),
        np.array([3, -1], np.float32),
        {"big": big, "rate": np.float32(0.5)},
    )


def write(folder: Path) -> None:
    """Save it as a folder, with the runtime of pages."""
    state, ids, n, more = arguments()
    executable = graphc.compile(learn, donate=("state",)).lower(state, ids, n, more=more).guarded
    made, wide = (executable.as_program(lower(executable.graph, t, executable.donated), t) for t in (SOFTWARE, WIDE))
    arrays = {**made.arrays, "state.table": state["table"]}
    whole = program.Program(
        made.functions, arrays, {"state": {"table": "state.table"}}, {}, {"learn": (wide.functions["learn"],)}
    )
    program.save(whole, folder)
    web.add_runtime(folder)
