"""The programs of `graphc selftest`: each kernel family at sizes where kernels have their edges.

Every case is made anew from its name and a seed, so that a name is all that it takes to reproduce one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np

import graphc
from graphc import nn
from graphc.ir.types import NDArray
from graphc.ops.indexing import index_update
from graphc.tracing.trace import apply


@dataclass(frozen=True, slots=True)
class Case:
    """A program and its arguments.

    name: "family: what". family: that computes it, so that its kernels must be among the program's; "" where it is
    about something else. arguments: makes them. exact: every bit must be NumPy's. nbytes: of memory that it needs on
    the device, where that is much. direct: compared with the function called on ndarrays, not with the graph's
    reference, which would hold every value. megakernel: kernels that follow each other may share a launch, which is
    done on software adapters.
    """

    name: str
    family: str
    fn: Callable[..., Any]
    arguments: Callable[[], Sequence[Any]]
    exact: bool = False
    nbytes: int = 0
    direct: bool = False
    megakernel: bool = False


def normal(*shape: int, dtype: Any = np.float32) -> NDArray:
    """Standard normal numbers that depend on the shape alone."""
    made = np.random.default_rng([len(shape), *shape]).standard_normal(shape, np.float32)
    return np.asarray(made, dtype)


def normals(*shapes: Sequence[int], scale: float = 1.0) -> Callable[[], Sequence[Any]]:
    """Makes a tensor of each shape; no two are alike."""
    return lambda: [normal(len(shapes), *shape)[number] * np.float32(scale) for number, shape in enumerate(shapes)]


def whole(low: int, high: int, *shape: int) -> NDArray:
    """Integers from `low` up to and without `high`."""
    return np.random.default_rng([high, *shape]).integers(low, high, shape).astype(np.int32)


def _sized(what: str, sizes: Sequence[int]) -> str:
    return f"{what} {'x'.join(map(str, sizes)) or 'scalar'}"


def _maps() -> Iterator[Case]:
    def smooth(x: Any) -> Any:
        return nn.gelu(x) * np.float32(0.5) + np.sqrt(np.abs(x) + np.float32(1))

    for shape in ((), (0,), (1,), (17,), (1009,), (65_537,), (3, 0, 5), (7, 1, 13)):
        yield Case(_sized("map: gelu", shape), "" if 0 in shape else "map", smooth, normals(shape))

    def views(x: Any, y: Any) -> Any:
        return np.concatenate([x[:, ::-1].T, np.roll(y, 3, axis=0)]) + np.float32(1)

    yield Case("map: flipped, transposed, rolled", "map", views, normals((5, 7), (11, 5)))

    def integers(a: Any, b: Any) -> Any:
        return a // b, a % b, (a & b) ^ (a << 3), np.minimum(a, b) - np.abs(b)

    def signed() -> Sequence[Any]:
        b = whole(-9, 9, 4097)
        return [whole(-(1 << 30), 1 << 30, 4097), np.where(b == 0, np.int32(7), b)]

    yield Case("map: integers of either sign", "map", integers, signed, exact=True)

    def special(x: Any, y: Any) -> Any:
        larger = np.abs(np.maximum(x, y))  # of two zeros either may be the larger one, in NumPy too
        return x * y, x - y, x / y, larger, np.where(x < y, x, -y)

    odd = np.array([0.0, -0.0, 4.0, -2.0, 2.0**127, -(2.0**126), 2.0**-124, np.inf, -np.inf, np.nan], np.float32)
    pairs = [np.repeat(odd, len(odd)), np.tile(odd, len(odd))]
    yield Case("map: zeros, infinities and NaN", "map", special, lambda: pairs, exact=True)

    def gathered(table: Any, ids: Any) -> Any:
        return table[ids]

    yield Case("map: rows of a table", "map", gathered, lambda: [normal(101, 7), whole(-101, 101, 50, 3)], exact=True)

    def draws(key: Any) -> Any:
        return graphc.random.uniform(key, (4099,)), graphc.random.randint(key, (33, 7), 0, 1000)

    yield Case("map: random numbers", "map", draws, lambda: [graphc.random.key(3)], exact=True)

    def plus_one(x: Any) -> Any:
        return x + np.float32(1)

    for what, size in (
        ("more than 65,535 workgroups", (1 << 24) + 65_537),
        ("windows of 128 MiB", (1 << 25) + 12_345),
        ("more than 1 GiB", (1 << 28) + 77),
    ):
        yield Case(f"map: {what}", "map", plus_one, partial(_ramp, size), exact=True, nbytes=8 * size, direct=True)


def _ramp(count: int) -> Sequence[Any]:
    return [(np.arange(count, dtype=np.uint32) & np.uint32((1 << 20) - 1)).astype(np.float32)]


def _rows() -> Iterator[Case]:
    for rows, length in ((2, 2), (3, 3), (100, 27), (13, 64), (5, 257), (2, 1009), (3, 5000), (1, 100_003)):
        yield Case(_sized("row: softmax", (rows, length)), "row", nn.softmax, normals((rows, length)))
    for length in (5, 130, 4099):
        arguments = normals((7, length), (length,), (length,))
        yield Case(_sized("row: layer norm", (7, length)), "row", nn.layer_norm, arguments)

    def extremes(x: Any) -> Any:
        return np.argmax(x, axis=-1), np.argmin(x, axis=-1)

    for shape in ((9, 31), (2, 70_001)):
        yield Case(_sized("row: positions of extremes", shape), "row", extremes, normals(shape), exact=True)

    def total(x: Any) -> Any:
        return np.sum(x, axis=-1), np.max(x, axis=-1)

    yield Case("row: sum and maximum of 1,000,003", "row", total, normals((1_000_003,)))
    yield Case("row: sum of none", "", lambda x: np.sum(x, axis=-1), normals((4, 0)))


def _columns() -> Iterator[Case]:
    def squares(x: Any) -> Any:
        return np.sum(x * x, axis=0)

    for shape in ((7, 5), (1009, 3), (64, 96), (9000, 97), (100_003, 2)):
        yield Case(_sized("column: sum", shape), "column", squares, normals(shape))


def _products() -> Iterator[Case]:
    def layer(x: Any, w: Any, b: Any) -> Any:
        return nn.gelu(x @ w + b)

    for m, k, n in ((2, 2, 2), (17, 13, 19), (64, 48, 80), (127, 131, 137), (257, 300, 65), (515, 256, 259)):
        yield Case(_sized("matmul:", (m, k, n)), "matmul", np.matmul, normals((m, k), (k, n)))
    yield Case("matmul: sides of one", "", np.matmul, normals((1, 1009), (1009, 1)))
    yield Case("matmul: bias and gelu 65x129x33", "matmul", layer, normals((65, 129), (129, 33), (33,)))
    yield Case("matmul: left transposed", "matmul", lambda a, b: a.T @ b, normals((29, 23), (29, 31)))
    yield Case("matmul: right transposed", "matmul", lambda a, b: a @ b.T, normals((23, 29), (31, 29)))
    yield Case("matmul: both transposed", "matmul", lambda a, b: a.T @ b.T, normals((29, 23), (31, 29)))
    yield Case("matmul: stacks", "matmul", np.matmul, normals((3, 2, 17, 9), (3, 2, 9, 11)))
    yield Case("matmul: long sums 3x70001x2", "matmul", np.matmul, normals((3, 70_001), (70_001, 2)))
    yield Case("matmul: sums of none", "", np.matmul, normals((4, 0), (0, 5)))


def _convolutions() -> Iterator[Case]:
    def layer(x: Any, w: Any, b: Any) -> Any:
        return np.maximum(nn.conv(x, w, padding=1) + b, np.float32(0))

    def gradients(x: Any, w: Any) -> Any:
        return graphc.grad(lambda x, w: np.sum(nn.conv(x, w, stride=2) ** 2), argnums=(0, 1))(x, w)

    yield Case("conv: bias and relu 2x3x17x13", "conv", layer, normals((2, 3, 17, 13), (5, 3, 3, 3), (5, 1, 1)))
    yield Case("conv: gradients with a stride", "conv", gradients, normals((2, 3, 11, 14), (4, 3, 3, 2)))


def _attention() -> Iterator[Case]:
    def attend(q: Any, k: Any, v: Any) -> Any:
        return nn.attention(q, k, v, causal=True)

    def gradients(q: Any, k: Any, v: Any) -> Any:
        return graphc.grad(lambda *x: np.sum(attend(*x) ** 2), argnums=(0, 1, 2))(q, k, v)

    for shape in ((1, 1, 5, 4), (2, 3, 17, 8), (1, 2, 64, 16), (1, 1, 257, 64)):
        yield Case(_sized("attention: causal", shape), "attention", attend, normals(*[shape] * 3, scale=0.7))
    ragged = (1, 2, 33, 16)
    yield Case(_sized("attention: gradients", ragged), "attention", gradients, normals(*[ragged] * 3, scale=0.7))


def _indexed() -> Iterator[Case]:
    for shape, axis in (((7, 70), 1), ((3, 5003), 1), ((5003, 3), 0), ((100_003,), 0)):
        yield Case(_sized("cumsum:", shape), "cumsum", partial(np.cumsum, axis=axis), normals(shape))

    for shape in ((7, 70), (3, 5003)):
        yield Case(_sized("argsort:", shape), "argsort", partial(np.argsort, kind="stable"), normals(shape), exact=True)

    def table_gradient(table: Any, ids: Any, weights: Any) -> Any:
        return graphc.grad(lambda t: np.sum(t[ids] * weights))(table)

    def table(slots: int, rows: int) -> Sequence[Any]:
        return [normal(slots, 5), whole(0, slots, rows), normal(rows, 5)]

    for slots, rows in ((11, 300), (50_003, 3000), (3, 20_011)):
        name = f"scatter_add: {rows} rows into {slots}"
        yield Case(name, "scatter", table_gradient, partial(table, slots, rows))

    def written(x: Any, ids: Any, values: Any) -> Any:
        return apply(index_update, x, ids, values, axis=0)

    some = np.random.default_rng(5).permutation(97)[:40].astype(np.int32)
    name = "index_update: 40 of 97 rows"
    yield Case(name, "index_update", written, lambda: [normal(97, 6), some, normal(40, 6)], exact=True)


def _factored() -> Iterator[Case]:
    def definite(*shape: int) -> NDArray:
        x = normal(*shape)
        return np.asarray(x @ np.swapaxes(x, -1, -2) / shape[-1] + np.eye(shape[-1]), np.float32)

    def whole_again(x: Any) -> Any:
        u, s, vh = np.linalg.svd(x, full_matrices=False)
        return s, u * s[..., None, :] @ vh

    def root(x: Any) -> Any:
        values, vectors = np.linalg.eigh(x)
        return values, vectors * np.sqrt(values)[..., None, :] @ np.swapaxes(vectors, -1, -2)

    def given(*shapes: tuple[int, ...]) -> Sequence[Any]:
        return [definite(*shape) if shape[-1] == shape[-2] else normal(*shape) for shape in shapes]

    for shape in ((7, 5, 5), (67, 67)):
        one, two = partial(given, shape), partial(given, shape, (*shape[:-1], 3))
        yield Case(_sized("factor: cholesky", shape), "factor", np.linalg.cholesky, one)
        yield Case(_sized("factor: solve", shape), "factor", np.linalg.solve, two)
        yield Case(_sized("factor: qr", shape), "factor", np.linalg.qr, normals(shape))
        yield Case(_sized("factor: eigh", shape), "factor", root, one)
        yield Case(_sized("factor: svd", shape), "factor", whole_again, normals(shape))


def _loops() -> Iterator[Case]:
    def recurrence(w: Any, xs: Any) -> Any:
        def step(h: Any, x: Any) -> tuple[Any, Any]:
            h = np.tanh(h @ w + x)
            return h, np.sum(h, axis=-1)

        return graphc.scan(step, np.zeros_like(xs[0]), xs)

    yield Case(
        "dynamic_update_slice: the results of 37 steps",
        "dynamic_update_slice",
        recurrence,
        normals((13, 13), (37, 5, 13), scale=0.3),
    )

    def loss(p: Any, x: Any, y: Any) -> Any:
        return nn.cross_entropy(np.tanh(x @ p["w1"] + p["b1"]) @ p["w2"] + p["b2"], y)

    def trained(p: Any, x: Any, y: Any) -> Any:
        value, grads = graphc.value_and_grad(loss)(p, x, y)
        return {name: p[name] - np.float32(0.1) * grads[name] for name in p}, value

    def network() -> Sequence[Any]:
        p = {"w1": normal(33, 65), "b1": normal(65), "w2": normal(65, 27), "b2": normal(27)}
        return [p, normal(50, 33), whole(0, 27, 50)]

    def heads(x: Any, first: Any, *weights: Any) -> Any:
        hidden = np.tanh(x @ first)
        return [hidden @ w for w in weights]

    projections = normals((12, 8), (8, 8), (8, 16), (8, 16), (8, 16))
    yield Case("horizontal: three products of one activation", "horizontal", heads, projections)
    yield Case("horizontal: a training step", "", trained, network)
    yield Case("megakernel: a training step", "", trained, network, megakernel=True)
    yield Case("megakernel: 37 steps", "", recurrence, normals((13, 13), (37, 5, 13), scale=0.3), megakernel=True)


def _halves() -> Iterator[Case]:
    def layer(x: Any, w: Any) -> Any:
        return nn.softmax(x @ w)

    def halves() -> Sequence[Any]:
        return [normal(33, 40, dtype=np.float16), normal(40, 17, dtype=np.float16)]

    yield Case("matmul: float16 33x40x17", "matmul", layer, halves)


def cases(half: bool) -> tuple[Case, ...]:
    """All cases, those that need most memory last. half: whether the device computes in float16."""
    made = [
        case
        for group in (
            _maps,
            _rows,
            _columns,
            _products,
            _convolutions,
            _attention,
            _indexed,
            _factored,
            _loops,
            *([_halves] if half else []),
        )
        for case in group()
    ]
    return tuple(sorted(made, key=lambda case: case.nbytes))


FUNCTIONS: Final[dict[str, tuple[Callable[[NDArray], NDArray], tuple[float, float]]]] = {
    # the range in which most points lie
    "exp": (np.exp, (-87.0, 88.0)),
    "expm1": (np.expm1, (-18.0, 88.0)),
    "log": (np.log, (1e-6, 4.0)),
    "log1p": (np.log1p, (-0.999, 3.0)),
    "log2": (np.log2, (1e-6, 4.0)),
    "log10": (np.log10, (1e-6, 4.0)),
    "sqrt": (np.sqrt, (0.0, 100.0)),
    "tanh": (np.tanh, (-10.0, 10.0)),
    "sin": (np.sin, (-1e4, 1e4)),
    "cos": (np.cos, (-1e4, 1e4)),
    "tan": (np.tan, (-100.0, 100.0)),
    "arcsin": (np.arcsin, (-1.0, 1.0)),
    "arccos": (np.arccos, (-1.0, 1.0)),
    "arctan": (np.arctan, (-4.0, 4.0)),
    "sinh": (np.sinh, (-88.0, 88.0)),
    "cosh": (np.cosh, (-88.0, 88.0)),
    "arcsinh": (np.arcsinh, (-1e6, 1e6)),
    "arccosh": (np.arccosh, (1.0, 1e6)),
    "arctanh": (np.arctanh, (-0.999, 0.999)),
    "cbrt": (np.cbrt, (-8.0, 8.0)),
}
"""Elementary functions, held to float64."""

ULP: Final = 4.0
"""Units of the last place by which a function may miss the exact result."""

POINTS: Final = 20_000


def points(name: str) -> NDArray:
    """Where a function is tried: uniform in its range, and near zero where that lies within."""
    low, high = FUNCTIONS[name][1]
    rng = np.random.default_rng(11)
    spread = rng.uniform(low, high, POINTS)
    near = rng.uniform(-1, 1, POINTS // 4) * np.exp2(rng.uniform(-20, 0, POINTS // 4))
    return np.concatenate([spread, near[(near > low) & (near < high)]]).astype(np.float32)


def ulps(got: NDArray, exact: NDArray) -> NDArray:
    """The distance of float32 numbers from float64 ones, in units of the last place of the float32 nearest to these."""
    size = np.maximum(np.abs(exact), 2.0**-126)
    return np.asarray(np.abs(got.astype(np.float64) - exact) / np.exp2(np.floor(np.log2(size)) - 23))
