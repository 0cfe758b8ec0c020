"""Random programs in which results may lie in the bytes of operands: short rows, moved about, updated and donated.

All arrays but one have one shape, (rows, columns). Steps read rows in another order than they are written in (flips,
rolls, permutations, pairs that change places), add and multiply them, and reduce them; most inputs have a successor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.support.programs import Step


def softmax(x: Any) -> Any:
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def normalised(x: Any) -> Any:
    return (x - np.mean(x, -1, keepdims=True)) / np.sqrt(np.var(x, -1, keepdims=True) + 0.5)


ELEMENTS: dict[str, Callable[[Any], Any]] = {
    "tanh": np.tanh,
    "half": lambda x: 0.5 * x,
    "sin": np.sin,
}
ROWS: dict[str, Callable[[Any], Any]] = {
    "softmax": softmax,
    "normalised": normalised,
    "times sum": lambda x: np.tanh(x * np.sum(x, axis=-1, keepdims=True)),
    "less largest": lambda x: x - np.max(x, axis=-1, keepdims=True),
    "times product": lambda x: x * np.prod(np.cos(x), axis=-1, keepdims=True),
}
COLUMNS: dict[str, Callable[[Any], Any]] = {
    "less mean": lambda x: x - np.mean(x, axis=0),
    "times sums": lambda x: np.tanh(x * np.sum(x, axis=0)),
    "less mean of all": lambda x: x - np.mean(x),
    "cumsum": lambda x: np.tanh(np.cumsum(x, axis=-1)),
}


def pairs(x: Any) -> Any:
    """The two of each pair of neighbours in each other's place; an odd one stays."""
    order = np.arange(x.shape[1])
    order[: len(order) // 2 * 2] ^= 1
    return x[:, order]


WITHIN: dict[str, Callable[[Any], Any]] = {
    "flip": lambda x: x[:, ::-1],
    "pairs": pairs,
    "roll": lambda x: np.roll(x, 1, axis=1),
    "shift": lambda x: np.pad(x, ((0, 0), (1, 0)))[:, :-1],
    "rotate halves": lambda x: np.concatenate([-x[:, x.shape[1] // 2 :], x[:, : x.shape[1] // 2]], axis=1),
    "odd after even": lambda x: np.concatenate([x[:, ::2], x[:, 1::2]], axis=1),
    "turned pairs": lambda x: np.concatenate([x[:, :2][:, ::-1], x[:, 2:]], axis=1),
}
"""Rows in another order."""
MOVED: dict[str, Callable[[Any], Any]] = {
    "flip rows": lambda x: x[::-1],
    "flip both": lambda x: np.flip(x),
    "first": lambda x: x * x[:, :1],
    "last": lambda x: x * x[:, -1:],
    "first row": lambda x: x + x[:1],
    "last row": lambda x: x - x[-1:],
    "middle": lambda x: np.where(np.arange(x.shape[1]) % 2 == 0, x, x[:, x.shape[1] // 2, None]),
    "flat": lambda x: np.roll(x.reshape(-1), 1).reshape(x.shape),
    "turned": lambda x: x.T.reshape(x.shape),
    "outer": lambda x: np.tanh(x[:, :, None] * x[:, None, ::-1]).sum(axis=2),
}
PAIRS: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: 0.5 * a * b,
    "div": lambda a, b: a / (1 + b * b),
    "crossed": lambda a, b: 0.5 * (a * b[:, ::-1] - a[:, ::-1] * b),
    "either": lambda a, b: np.where(np.arange(a.shape[1]) % 3 == 0, a, b),
    "halves": lambda a, b: np.concatenate([b[:, : b.shape[1] // 2], a[:, a.shape[1] // 2 :]], axis=1),
    "by row": lambda a, b: a * np.mean(b, axis=-1, keepdims=True),
    "by column": lambda a, b: a + np.mean(b, axis=0),
}


KINDS = (
    "meet",
    "meet",
    "meet",
    "meet",
    "product",
    "product",
    "pair",
    "pair",
    "order",
    "within",
    "moved",
    "row",
    "column",
    "element",
)


LENGTHS = (3, 5, 7, 2, 9, 11, 13, 15, 6, 10, 14, 4, 8, 12, 16, 17, 1)
"""Of rows; those come first of which an invocation computes a whole row, element by element."""


@dataclass(frozen=True)
class RandomProgram:
    """Arrays of (rows, columns) and one of (columns, columns), for products.

    steps: appended to the pool in order. successors: the results, as positions in the pool. donated: inputs whose bytes
    they may take over.
    """

    rows: int
    columns: int
    inputs: int
    steps: tuple[Step, ...]
    successors: tuple[int, ...]
    donated: frozenset[int]

    def __call__(self, xs: Any, w: Any) -> list[Any]:
        pool = [*xs, w]
        for step in self.steps:
            pool.append(step.run(*(pool[i] for i in step.args)))
        return [pool[i] for i in self.successors]

    def separate(self, *args: Any) -> list[Any]:
        """The same with each array as an argument of its own, the factor last."""
        return self(args[:-1], args[-1])

    def loss(self, xs: Any, w: Any) -> Any:
        """A number of all results, for gradients."""
        return sum(np.sum(np.sin(y) * (k + 1)) for k, y in enumerate(self(xs, w)))

    def arrays(self, seed: int) -> tuple[list[Any], Any]:
        """Numbers of moderate size."""
        rng = np.random.default_rng(seed)
        xs = [rng.uniform(-1, 1, (self.rows, self.columns)).astype("f") for _ in range(self.inputs)]
        return xs, (rng.uniform(-1, 1, (self.columns, self.columns)) / max(1, self.columns) ** 0.5).astype("f")

    def __repr__(self) -> str:
        first = self.inputs + 1
        lines = [f"v{first + k} = {s.text}({', '.join(f'v{i}' for i in s.args)})" for k, s in enumerate(self.steps)]
        head = (
            f"v0 to v{self.inputs - 1}: {self.rows} x {self.columns}, v{self.inputs}: {self.columns} x {self.columns}"
        )
        return "\n".join([head, *lines, f"return {self.successors}, donated {sorted(self.donated)}"])


@st.composite
def programs(draw: st.DrawFn, most: int = 12) -> RandomProgram:
    """Programs of 1 to `most` steps."""
    rows, columns = draw(st.sampled_from((33, 5, 3, 2, 1, 16))), draw(st.sampled_from(LENGTHS))
    inputs = draw(st.integers(1, 4))
    steps: list[Step] = []
    unread = list(range(inputs))
    for _ in range(draw(st.integers(1, most))):
        step = _step(draw, columns, [i for i in range(inputs + 1 + len(steps)) if i != inputs], unread, inputs)
        unread = [i for i in unread if i not in step.args] + [inputs + 1 + len(steps)]
        steps.append(step)
    made = tuple(i for i in unread if i > inputs)
    donated = frozenset(range(inputs)) - draw(st.sets(st.integers(0, inputs - 1)))
    return RandomProgram(rows, columns, inputs, tuple(steps), made, donated)


def _step(draw: st.DrawFn, columns: int, pool: list[int], unread: list[int], factor: int) -> Step:
    """One step, mostly of values that nothing has read so far: their bytes are free then."""

    def one(but: int = -1) -> int:
        fresh = [i for i in unread if i != but]
        news = fresh and draw(st.integers(0, 3)) > 0
        return draw(st.sampled_from(fresh if news else pool))

    def two() -> tuple[int, int]:
        first = one()
        return first, one(first)

    kind = draw(st.sampled_from(KINDS))
    if kind == "meet":
        # What a kernel of rows reads in another order, and for its results alone.
        table, moves = (
            draw(st.sampled_from((ROWS, ROWS, ROWS, COLUMNS))),
            draw(st.sampled_from((WITHIN, WITHIN, MOVED))),
        )
        name, moved = draw(st.sampled_from(sorted(table))), draw(st.sampled_from(sorted(moves)))
        return Step(f"{name} + {moved}", two(), lambda a, b: table[name](a) + moves[moved](b))
    if kind == "pair":
        name = draw(st.sampled_from(sorted(PAIRS)))
        return Step(name, two(), PAIRS[name])
    if kind == "product":
        return Step("product", (one(), factor), lambda x, w: x @ w)
    if kind == "order":
        order = draw(st.permutations(range(columns)))
        return Step(f"order {order}", (one(),), lambda x: x[:, np.array(order)])
    table = {"element": ELEMENTS, "row": ROWS, "column": COLUMNS, "moved": MOVED, "within": WITHIN}[kind]
    name = draw(st.sampled_from(sorted(table)))
    return Step(name, (one(),), table[name])
