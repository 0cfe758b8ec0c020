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

from tests.programs import Step


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
    "cumsum": lambda x: np.tanh(np.cumsum(x, axis=-1)),
    "times product": lambda x: x * np.prod(np.cos(x), axis=-1, keepdims=True),
}
COLUMNS: dict[str, Callable[[Any], Any]] = {
    "less mean": lambda x: x - np.mean(x, axis=0),
    "times sums": lambda x: np.tanh(x * np.sum(x, axis=0)),
    "less mean of all": lambda x: x - np.mean(x),
}
MOVED: dict[str, Callable[[Any], Any]] = {
    "flip": lambda x: x[:, ::-1],
    "flip rows": lambda x: x[::-1],
    "flip both": lambda x: np.flip(x),
    "shift": lambda x: np.pad(x, ((0, 0), (1, 0)))[:, :-1],
    "rotate halves": lambda x: np.concatenate([-x[:, x.shape[1] // 2 :], x[:, : x.shape[1] // 2]], axis=1),
    "odd after even": lambda x: np.concatenate([x[:, ::2], x[:, 1::2]], axis=1),
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


@dataclass(frozen=True)
class Program:
    """Arrays of (rows, columns) and one of (columns, columns), for products.

    steps: appended to the pool in order. successors: the results, as positions in the pool: one for each input, and
    one more. donated: inputs whose bytes they may take over.
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
        head = f"v0 to v{self.inputs - 1}: {self.rows} x {self.columns}, v{self.inputs}: {self.columns} x {self.columns}"
        return "\n".join([head, *lines, f"return {self.successors}, donated {sorted(self.donated)}"])


@st.composite
def programs(draw: st.DrawFn, most: int = 12) -> Program:
    """Programs of 1 to `most` steps."""
    rows, columns = draw(st.sampled_from((1, 2, 3, 5, 16, 33))), draw(st.integers(1, 17))
    inputs = draw(st.integers(1, 4))
    steps: list[Step] = []
    for _ in range(draw(st.integers(1, most))):
        steps.append(_step(draw, columns, rows, inputs, inputs + 1 + len(steps)))
    made = range(inputs + 1, inputs + 1 + len(steps))
    successors = tuple(draw(st.sampled_from(made)) for _ in range(inputs))
    donated = frozenset(draw(st.sets(st.integers(0, inputs - 1))))
    return Program(rows, columns, inputs, tuple(steps), (*successors, made[-1]), donated)


def _step(draw: st.DrawFn, columns: int, rows: int, inputs: int, have: int) -> Step:
    pool = [i for i in range(have) if i != inputs]
    at = st.sampled_from([*pool, *pool[-3:]])
    kind = draw(st.sampled_from(("element", "row", "column", "moved", "moved", "roll", "order", "pair", "pair", "product")))
    if kind == "pair":
        name = draw(st.sampled_from(sorted(PAIRS)))
        return Step(name, (draw(at), draw(at)), PAIRS[name])
    if kind == "product":
        return Step("product", (draw(at), inputs), lambda x, w: x @ w)
    if kind == "roll":
        by, axis = draw(st.integers(1, 4)), draw(st.sampled_from((0, 1, 1)))
        return Step(f"roll {by} along {axis}", (draw(at),), lambda x: np.roll(x, by, axis=axis))
    if kind == "order":
        order = draw(st.permutations(range(columns)))
        return Step(f"order {order}", (draw(at),), lambda x: x[:, np.array(order)])
    table = {"element": ELEMENTS, "row": ROWS, "column": COLUMNS, "moved": MOVED}[kind]
    name = draw(st.sampled_from(sorted(table)))
    return Step(name, (draw(at),), table[name])
