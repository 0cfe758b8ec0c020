"""Importers of branches and loops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import DTypeError, ShapeError
from graphc.onnx.registry import Array, Call, UnknownInput, importer
from graphc.scan import scan
from graphc.tracing.core import current, is_tracer

MOST_UNROLLED = 1024
"""Turns of a loop that are written out one after another."""

FEW = 16
"""So many turns are written out in any case: each may have shapes of its own."""


@importer("If")
def branch(c: Call, condition: Array, *, then_branch: Any, else_branch: Any) -> tuple[Array, ...]:
    """One of two sub-graphs; where the condition is traced both are computed, and must give the same shapes."""
    if not is_tracer(condition):
        return tuple(c.block(then_branch if bool(np.ravel(condition)[0]) else else_branch, []))
    chosen, other = c.block(then_branch, []), c.block(else_branch, [])
    for a, b in zip(chosen, other, strict=True):
        if a.shape != b.shape:
            c.refuse(f"its condition is computed, and its branches give {list(a.shape)} and {list(b.shape)}")
    truth: Array = np.reshape(condition, ())
    return tuple(np.where(truth, a, b) for a, b in zip(chosen, other, strict=True))


@importer("Loop")
def loop(c: Call, count: Array, condition: Array, *carry: Array, body: Any) -> tuple[Array, ...]:
    """A sub-graph as often as is known: (turn, condition, carry) -> (condition, carry, results that are stacked)."""
    turns = None if count is None else c.ints(count, "trip count")[0]
    if turns is not None and turns > FEW and current() is not None and _goes_on(c, body, condition):
        try:
            return _scanned(c, turns, carry, body)
        except (UnknownInput, ShapeError, DTypeError):
            pass  # some shape depends on the turn
    going: Array = True if condition is None else condition
    state, rows, turn = list(carry), [], 0
    while turns is None or turn < turns:
        if is_tracer(going):
            c.refuse("how often it runs depends on what is computed")
        if not bool(np.ravel(going)[0]):
            break
        if turn >= MOST_UNROLLED:
            c.refuse(f"it runs more than {MOST_UNROLLED} times")
        made = c.block(body, [np.asarray(turn, np.int64), np.asarray(going, np.bool_), *state])
        going, state = made[0], list(made[1 : 1 + len(carry)])
        rows.append(made[1 + len(carry) :])
        turn += 1
    columns = len(c.outputs) - len(carry)
    if not rows and columns:
        c.refuse("it never runs, so that the shapes of its stacked results are not known")
    return (*state, *(np.stack([row[k] for row in rows]) for k in range(columns)))


def _goes_on(c: Call, body: Any, condition: Array) -> bool:
    """Whether a loop runs to its end: its condition is true, and each turn hands it on."""
    if condition is not None and (is_tracer(condition) or not bool(np.ravel(condition)[0])):
        return False
    name = body.outputs[0]
    made = next((step for step in body.steps if name in step.outputs), None)
    if made is None:
        return bool(name == body.inputs[1] or np.all(body.tensors.get(name, False)))
    if made.op == "Constant":
        return bool(np.all(made.attrs.get("value", False)))
    return bool(made.op == "Identity" and made.inputs[0] == body.inputs[1])


def _scanned(c: Call, turns: int, carry: Sequence[Array], body: Any) -> tuple[Array, ...]:
    """A loop as graphc.scan."""

    def step(state: Any, turn: Any) -> Any:
        made = c.block(body, [turn, np.asarray(True), *state])
        return tuple(made[1 : 1 + len(carry)]), tuple(made[1 + len(carry) :])

    last, rows = scan(step, tuple(carry), np.arange(*c.sized([turns]), dtype=np.int32))
    return (*last, *rows)


@importer("Scan", since=9)
def scan_axis(
    c: Call,
    *inputs: Array,
    body: Any,
    num_scan_inputs: int,
    scan_input_axes: Sequence[int] = (),
    scan_input_directions: Sequence[int] = (),
    scan_output_axes: Sequence[int] = (),
    scan_output_directions: Sequence[int] = (),
) -> tuple[Array, ...]:
    """A sub-graph over the slices of some tensors, as graphc.scan."""
    first = len(inputs) - num_scan_inputs
    slices = []
    for k, x in enumerate(inputs[first:]):
        moved = np.moveaxis(x, scan_input_axes[k] if scan_input_axes else 0, 0)
        slices.append(np.flip(moved, 0) if scan_input_directions and scan_input_directions[k] else moved)

    def step(carry: Any, xs: Any) -> Any:
        made = c.block(body, [*carry, *xs])
        return tuple(made[:first]), tuple(made[first:])

    carry, rows = scan(step, tuple(inputs[:first]), tuple(slices))
    results = []
    for k, x in enumerate(rows):
        x = np.flip(x, 0) if scan_output_directions and scan_output_directions[k] else x
        results.append(np.moveaxis(x, 0, scan_output_axes[k] if scan_output_axes else 0))
    return (*carry, *results)
