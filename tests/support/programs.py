"""Random NumPy programs for property tests: drawn by hypothesis, run eagerly, traced, compiled, differentiated.

A program is a list of steps over a pool of arrays. Steps are chosen so that results stay of moderate size, and what
jumps (comparisons, floor, maximum) is only ever applied to values that no rounding has touched, so that two correct
executors agree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

SHAPES = ((4, 6), (6,), (4, 1), (), (3, 4, 6), (6, 5), (1, 6), (2, 3, 5), (7,), (17, 3), (4, 33), (0, 4))

SMOOTH: dict[str, Callable[[Any], Any]] = {
    "tanh": np.tanh,
    "sin": np.sin,
    "cos": np.cos,
    "expm": lambda x: np.exp(-(x * x)),
    "log": lambda x: np.log(x * x + 0.5),
    "log1p": lambda x: np.log1p(x * x),
    "sqrt": lambda x: np.sqrt(x * x + 0.25),
    "sigmoid": lambda x: 1 / (1 + np.exp(-np.tanh(x))),
    "recip": lambda x: 1 / (1 + x * x),
    "half": lambda x: 0.5 * x,
    "softmax": lambda x: _softmax(x),
    "norm": lambda x: (x - np.mean(x, -1, keepdims=True)) / np.sqrt(np.var(x, -1, keepdims=True) + 0.5),
}
EXACT: dict[str, Callable[[Any], Any]] = {
    "neg": lambda x: -x,
    "abs": np.abs,
    "double": lambda x: x + x,
    "relu": lambda x: np.maximum(x, 0),
}
REDUCE: dict[str, Callable[..., Any]] = {
    "mean": np.mean,
    "sum": lambda x, axis, keepdims: np.sum(x, axis=axis, keepdims=keepdims) * 0.25,
    "max": np.max,
    "min": np.min,
}
BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: 0.5 * a * b,
    "div": lambda a, b: a / (1 + b * b),
    "max": np.maximum,
    "min": np.minimum,
}


def _softmax(x: Any) -> Any:
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


@dataclass(frozen=True)
class Step:
    """One application: `run` takes the pool's arrays at `args`."""

    text: str
    args: tuple[int, ...]
    run: Callable[..., Any]


@dataclass(frozen=True)
class RandomProgram:
    """shapes: of the inputs. steps: appended to the pool in order. outputs: positions in the pool."""

    shapes: tuple[tuple[int, ...], ...]
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]

    def __call__(self, *inputs: Any) -> tuple[Any, ...]:
        pool = list(inputs)
        for step in self.steps:
            pool.append(step.run(*(pool[i] for i in step.args)))
        return tuple(pool[i] for i in self.outputs)

    def loss(self, *inputs: Any) -> Any:
        """A scalar of every output, for gradients."""
        total = np.sum(inputs[0]) * 0.0
        for out in self(*inputs):
            total = total + np.sum(np.sin(out)) / max(1, int(np.prod(out.shape)))
        return total

    def arrays(self, seed: int) -> list[np.ndarray[Any, Any]]:
        """Inputs on a coarse grid, where sums and products of a few are exact in float32."""
        rng = np.random.default_rng(seed)
        return [(rng.integers(-16, 17, shape) / 8 + 1 / 32).astype(np.float32) for shape in self.shapes]

    def __repr__(self) -> str:
        names = [f"v{i}: {list(s)}" for i, s in enumerate(self.shapes)]
        first = len(self.shapes)
        lines = [
            f"v{first + k} = {step.text}({', '.join(f'v{i}' for i in step.args)})" for k, step in enumerate(self.steps)
        ]
        return "\n".join([f"inputs {', '.join(names)}", *lines, f"return {self.outputs}"])


@dataclass
class _Slot:
    shape: tuple[int, ...]
    exact: bool


@st.composite
def programs(draw: st.DrawFn, max_steps: int = 40) -> RandomProgram:
    """Programs of 1 to `max_steps` steps."""
    shapes = tuple(draw(st.lists(st.sampled_from(SHAPES), min_size=1, max_size=4)))
    pool = [_Slot(s, True) for s in shapes]
    steps: list[Step] = []
    for _ in range(draw(st.integers(1, max_steps))):
        step = _draw_step(draw, pool)
        with np.errstate(all="ignore"):
            probe = step.run(*(np.ones(pool[i].shape, np.float32) for i in step.args))
        exact = step.text.startswith(("neg", "abs", "view", "relu")) and all(pool[i].exact for i in step.args)
        pool.append(_Slot(probe.shape, exact))
        steps.append(step)
    first = len(shapes)
    more = draw(st.lists(st.integers(first, len(pool) - 1), max_size=2))
    return RandomProgram(shapes, tuple(steps), tuple(sorted({len(pool) - 1, *more})))


def _pick(draw: st.DrawFn, pool: Sequence[_Slot], accept: Callable[[_Slot], bool]) -> int | None:
    """A position in the pool, late ones more often, so that programs grow deep as well as wide."""
    fitting = [i for i, slot in enumerate(pool) if accept(slot)]
    if not fitting:
        return None
    return draw(st.sampled_from(fitting + fitting[-3:]))


KINDS = ("smooth", "smooth", "binary", "binary", "reduce", "view", "matmul", "compare", "exact")


def _draw_step(draw: st.DrawFn, pool: Sequence[_Slot]) -> Step:
    kind = draw(st.sampled_from(KINDS))
    makers = {"binary": _binary, "reduce": _reduce, "view": _view, "matmul": _matmul, "compare": _compare}
    step = makers[kind](draw, pool) if kind in makers else None
    if step is not None:
        return step
    table = EXACT if kind == "exact" else SMOOTH
    name = draw(st.sampled_from(sorted(table)))
    rows = name in ("softmax", "norm")
    at = _pick(draw, pool, lambda s: (s.exact or name != "relu") and (not rows or (s.shape != () and 0 not in s.shape)))
    return Step("tanh", (0,), np.tanh) if at is None else Step(name, (at,), table[name])


def _broadcasts(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    try:
        return int(np.prod(np.broadcast_shapes(a, b))) <= 2000
    except ValueError:
        return False


def _binary(draw: st.DrawFn, pool: Sequence[_Slot]) -> Step | None:
    a = draw(st.integers(0, len(pool) - 1))
    b = _pick(draw, pool, lambda s: _broadcasts(s.shape, pool[a].shape))
    name = draw(st.sampled_from(sorted(BINARY)))
    if b is None or (name in ("max", "min") and not (pool[a].exact and pool[b].exact)):
        return None
    return Step(name, (a, b), BINARY[name])


def _reduce(draw: st.DrawFn, pool: Sequence[_Slot]) -> Step | None:
    name = draw(st.sampled_from(sorted(REDUCE)))
    at = _pick(draw, pool, lambda s: s.shape != () and 0 not in s.shape and (name in ("sum", "mean") or s.exact))
    if at is None:
        return None
    rank = len(pool[at].shape)
    axis = draw(st.one_of(st.none(), st.integers(-rank, rank - 1), st.just(tuple(range(rank - 1)) or (0,))))
    keep = draw(st.booleans())
    function = REDUCE[name]
    return Step(f"{name}[axis={axis}, keepdims={keep}]", (at,), lambda x: function(x, axis=axis, keepdims=keep))


VIEWS = ("transpose", "flat", "slice", "flip", "newaxis", "pad", "concat", "tril", "take", "roll")


def _view(draw: st.DrawFn, pool: Sequence[_Slot]) -> Step | None:
    at = _pick(draw, pool, lambda s: s.shape != ())
    if at is None:
        return None
    shape = pool[at].shape
    rank, n = len(shape), shape[0]
    large = int(np.prod(shape)) > 500 or rank > 4
    kind = "slice" if large else draw(st.sampled_from(VIEWS))
    start = draw(st.integers(0, max(0, n - 1)))
    step = draw(st.integers(1, 3))
    runs: dict[str, Callable[[Any], Any]] = {
        "transpose": np.transpose,
        "flat": lambda x: np.reshape(x, (-1,)),
        "slice": lambda x: x[start::step],
        "flip": lambda x: x[::-1],
        "newaxis": lambda x: x[..., None],
        "pad": lambda x: np.pad(x, [(1, 2)] + [(0, 0)] * (rank - 1)),
        "concat": lambda x: np.concatenate([x, -x], axis=-1),
        "tril": lambda x: np.tril(x) if rank >= 2 else x[start:],
        "take": lambda x: x[np.array([start, 0, start])] if n else x,
        "roll": lambda x: np.roll(x, 1, axis=0),
    }
    return Step(f"view.{kind}[{start}:{step}]", (at,), runs[kind])


def _matmul(draw: st.DrawFn, pool: Sequence[_Slot]) -> Step | None:
    a = _pick(draw, pool, lambda s: len(s.shape) >= 2)
    if a is None:
        return None
    if draw(st.booleans()):
        return Step("gram", (a,), lambda x: 0.1 * (x @ np.swapaxes(x, -1, -2)))
    b = _pick(draw, pool, lambda s: len(s.shape) == 2 and s.shape[0] == pool[a].shape[-1])
    return None if b is None else Step("matmul", (a, b), lambda x, y: 0.2 * (x @ y))


def _compare(draw: st.DrawFn, pool: Sequence[_Slot]) -> Step | None:
    a = _pick(draw, pool, lambda s: s.exact)
    b = None if a is None else _pick(draw, pool, lambda s: _broadcasts(s.shape, pool[a].shape))
    if a is None or b is None:
        return None
    kind = draw(st.sampled_from(("where", "floor", "sign", "masked")))
    runs: dict[str, Callable[[Any, Any], Any]] = {
        "where": lambda x, y: np.where(x > 0.25, x, y),
        "floor": lambda x, y: np.floor(x) * 0.5 + y,
        "sign": lambda x, y: np.sign(x) * y,
        "masked": lambda x, y: y * (x < 0).astype(np.float32),
    }
    return Step(f"where.{kind}", (a, b), runs[kind])
