"""vmap against loops over the examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn, tree
from graphc.errors import ShapeError, TraceError

RNG = np.random.default_rng(0)


def array(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def compiled(fn: Callable[..., Any], device: str = "numpy") -> graphc.Compiled[..., Any]:
    return graphc.compile(fn, device=device)


def same(found: Any, want: Any, tolerance: float = 2e-6) -> None:
    assert tree.structure(found) == tree.structure(want)
    for a, b in zip(tree.leaves(found), tree.leaves(want), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=tolerance, atol=tolerance)


def looped(fn: Callable[..., Any], *columns: Any, shared: tuple[Any, ...] = ()) -> Any:
    """The results of `fn` for each example, stacked."""
    rows = [compiled(fn)(*row, *shared) for row in zip(*columns, strict=True)]
    return tree.map(lambda *xs: np.stack([np.asarray(x) for x in xs]), rows[0], *rows[1:])


PARAMS = {"w": array(5, 4), "b": array(4), "v": array(4)}


def model(params: Any, x: Any) -> Any:
    return np.tanh(x @ params["w"] + params["b"]) @ params["v"]


def loss(params: Any, x: Any, y: Any) -> Any:
    return np.mean((model(params, x) - y) ** 2)


def attention(q: Any, k: Any, v: Any) -> Any:
    return nn.attention(q, k, v, causal=True)


def looping(x: Any, w: Any) -> Any:
    def step(carry: Any, row: Any) -> Any:
        count, state = carry
        state = np.tanh(state @ w + row)
        return (count + 1, state), state * count

    return graphc.scan(step, (0, np.zeros(4, np.float32)), x)


def searching(table: Any, ids: Any) -> Any:
    picked = np.take(table, ids, axis=1)
    return picked, graphc.at(table)[:, ids].set(1.0), graphc.at(table)[:, ids].add(picked), np.sort(table, axis=0)


def drawing(key: Any, x: Any) -> Any:
    first, second = graphc.random.split(key)
    return nn.dropout(first, x, 0.5), graphc.random.categorical(second, x), graphc.random.fold_in(key, 3)


def convolving(x: Any, w: Any) -> Any:
    return nn.relu(nn.conv(x, w, padding=1))


@graphc.checkpoint
def bundled(x: Any) -> Any:
    return np.exp(np.sin(x)) * x


clipped = graphc.custom_vjp(
    lambda x, w: x * w, lambda x, w: (x * w, (x, w)), lambda r, g: (np.clip(g, -1, 1) * r[1], r[0])
)


def with_rules(x: Any, w: Any) -> Any:
    return graphc.grad(lambda x, w: np.sum(bundled(clipped(x, w))), (0, 1))(x, w)


CASES: dict[str, tuple[Callable[..., Any], tuple[Any, ...], tuple[Any, ...]]] = {
    "model": (lambda x, b: model({**PARAMS, "b": b}, x), (array(3, 5), array(3, 4)), ()),
    "gradient": (lambda x, y: graphc.value_and_grad(loss)(PARAMS, x, y), (array(3, 2, 5), array(3, 2)), ()),
    "shared": (lambda x, w: graphc.grad(lambda w: np.sum(np.tanh(w @ x)))(w), (array(3, 4),), (array(5, 4),)),
    "attention": (attention, (array(3, 2, 4, 8), array(3, 2, 4, 8), array(3, 2, 4, 8)), ()),
    "attention gradient": (
        lambda *x: graphc.grad(lambda *x: np.sum(attention(*x) ** 2), (0, 1, 2))(*x),
        (array(3, 4, 8), array(3, 4, 8)),
        (array(4, 8),),
    ),
    "scan": (looping, (array(3, 6, 4),), (array(4, 4),)),
    "scan of carries alone": (lambda w, x: looping(x, w), (array(3, 4, 4),), (array(6, 4),)),
    "scan gradient": (
        lambda x, w: graphc.grad(lambda x, w: np.sum(looping(x, w)[1]), (0, 1))(x, w),
        (array(3, 6, 4),),
        (array(4, 4),),
    ),
    "indices": (searching, (array(3, 2, 6), np.array([[0, 5], [-1, 2], [3, 3]], np.int32)), ()),
    "shared table": (
        lambda ids, table: searching(table, ids),
        (np.array([[0, 5], [-6, 2]], np.int32),),
        (array(2, 6),),
    ),
    "shared indices": (searching, (array(3, 2, 6),), (np.array([4, 4, 0], np.int32),)),
    "keys": (drawing, (graphc.random.split(graphc.random.key(3), 3), array(3, 7)), ()),
    "one key": (lambda x, key: drawing(key, x), (array(3, 7),), (graphc.random.key(3),)),
    "convolution": (convolving, (array(3, 2, 4, 5, 6), array(3, 3, 4, 3, 3)), ()),
    "kernels": (lambda w, x: convolving(x, w), (array(3, 3, 4, 3, 3),), (array(2, 4, 5, 6),)),
    "rules": (with_rules, (array(3, 4),), (array(4),)),
    "reductions": (
        lambda x: (np.var(x), np.max(x, axis=0), np.argmax(x), nn.softmax(x), np.cumsum(x), np.linalg.norm(x)),
        (array(3, 4, 5),),
        (),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_equals_a_loop(name: str) -> None:
    fn, mapped, shared = CASES[name]
    want = looped(fn, *mapped, shared=shared)
    axes = (*(0 for _ in mapped), *(None for _ in shared))
    same(compiled(graphc.vmap(fn, in_axes=axes))(*mapped, *shared), want, 1e-5)


@pytest.mark.parametrize("name", ["gradient", "attention", "scan gradient", "indices", "keys", "rules"])
def test_on_the_device_too(name: str) -> None:
    fn, mapped, shared = CASES[name]
    mapping = graphc.vmap(fn, in_axes=(*(0 for _ in mapped), *(None for _ in shared)))
    same(compiled(mapping, "wgpu")(*mapped, *shared), compiled(mapping)(*mapped, *shared), 2e-5)


def test_runs_at_once_on_arrays() -> None:
    x = array(3, 5)
    found = graphc.vmap(model, in_axes=(None, 0))(PARAMS, graphc.asarray(x, device="numpy"))
    same(np.asarray(found), looped(lambda x: model(PARAMS, x), x))
    same(np.asarray(graphc.vmap(lambda x, n: x * n, in_axes=(0, None))(x, 2)), x * 2)


def test_axes_of_arguments_and_results() -> None:
    x, y = array(5, 3), array(3, 5, 2)
    fn = compiled(graphc.vmap(lambda x, p: (x[:, None] * p["y"], p["z"] + x[0]), (-1, {"y": 0, "z": None}), (2, -1)))
    outer, inner = fn(x, {"y": y, "z": np.float32(2)})
    same(outer, np.stack([x[:, i, None] * y[i] for i in range(3)], axis=2))
    same(inner, 2 + x[0])


def test_what_no_example_changes_is_computed_once() -> None:
    x, w = array(3, 5), array(5, 5)
    mapping = graphc.vmap(lambda x, w: (x @ (w @ w), w + 1), (0, None), (0, None))
    found = compiled(mapping)(x, w)
    same(found, (x @ (w @ w), w + 1), 1e-5)
    graph = graphc.trace(mapping, x, w)
    assert [n.out.type.shape for n in graph.nodes if n.op.name == "matmul"] == [(5, 5), (3, 5)]
    same(compiled(graphc.vmap(lambda x, w: w, (0, None)))(x, w), np.broadcast_to(w, (3, 5, 5)))


def test_nested() -> None:
    x, y = array(3, 5), array(4, 5)
    pairs = graphc.vmap(graphc.vmap(lambda a, b: np.sum(a * b), (None, 0)), (0, None))
    same(compiled(pairs)(x, y), x @ y.T, 1e-5)
    gradients = graphc.vmap(graphc.vmap(graphc.grad(lambda a, b: np.sum(np.sin(a * b))), (None, 0)), (0, None))
    same(compiled(gradients)(x, y), np.cos(x[:, None] * y) * y, 1e-5)
    total = graphc.grad(lambda x: np.sum(graphc.vmap(lambda a: np.prod(a))(x)))
    same(compiled(total)(x), np.prod(x, axis=1, keepdims=True) / x, 1e-4)


def test_around_a_captured_value_and_in_a_loop() -> None:
    x, w = array(4, 3, 5), array(5, 5)

    def step(carry: Any, rows: Any) -> Any:
        made = graphc.vmap(lambda row: row @ w + carry)(rows)
        return np.mean(made, axis=0), made

    last, made = compiled(lambda c, x: graphc.scan(step, c, x))(np.zeros(5, np.float32), x)
    carry = np.zeros(5, np.float32)
    for rows, found in zip(x, np.asarray(made), strict=True):
        want = rows @ w + carry
        same(found, want, 1e-5)
        carry = np.mean(want, axis=0)
    same(last, carry, 1e-5)


def test_a_batch_of_products_is_one_kernel() -> None:
    program = compiled(graphc.vmap(lambda a, b: nn.relu(a @ b)), "wgpu").lower(array(3, 8, 8), array(3, 8, 8))
    assert [kernel.family for kernel in program.plan.kernels] == ["matmul"]
    vectors = compiled(graphc.vmap(lambda x, w: w @ x, (0, None)), "wgpu").lower(array(64, 8), array(16, 8))
    assert [d.flops for d in vectors.plan.dispatches] == [2 * 64 * 8 * 16]


def block(p: Any, x: Any) -> Any:
    """Attention over 2 heads and a layer, of one sequence [T, 16] or of many."""
    q, k, v = (np.swapaxes(np.reshape(x @ p[name], (*x.shape[:-1], 2, 8)), -2, -3) for name in "qkv")
    h = x + np.reshape(np.swapaxes(nn.attention(q, k, v, causal=True), -2, -3), x.shape)
    return h + nn.gelu(nn.layer_norm(h, p["g"], p["b"]) @ p["w"])


def test_a_mapped_model_is_the_program_that_a_person_would_write() -> None:
    p = {**{name: graphc.spec((16, 16)) for name in "qkvw"}, "g": graphc.spec((16,)), "b": graphc.spec((16,))}
    mapped = graphc.vmap(block, (None, 0))
    plans = [
        graphc.compile(graphc.value_and_grad(lambda p, x, model=model: np.mean(model(p, x) ** 2))).lower(
            p, graphc.spec((4, 32, 16))
        )
        for model in (block, mapped)
    ]
    by_hand, by_vmap = ([(d.flops, d.bytes_read) for d in found.plan.dispatches] for found in plans)
    assert by_hand == by_vmap


@pytest.mark.parametrize("update", [False, True])
def test_an_index_out_of_range_is_reported(update: bool) -> None:
    def fn(table: Any, ids: Any) -> Any:
        return graphc.at(table)[ids].add(1.0) if update else np.take(table, ids)

    ids = np.array([[0, 1], [2, 7]], np.int32)
    for table, axes in ((array(2, 5), 0), (array(5), (None, 0))):
        mapping = compiled(graphc.vmap(fn, axes))
        np.asarray(mapping(table, np.minimum(ids, 4)))
        with pytest.raises(graphc.IndexRangeError, match="7"):
            np.asarray(mapping(table, ids))


def test_no_examples() -> None:
    found = compiled(graphc.vmap(lambda x: (np.sum(x), x @ x)))(np.zeros((0, 3, 3), np.float32))
    assert [x.shape for x in found] == [(0,), (0, 3, 3)]


MISTAKES: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "sizes": (
        lambda: graphc.vmap(lambda x, p: x, (0, 1))(array(3, 2), {"w": array(2, 4)}),
        ShapeError,
        r'x is f32\[3,2\], mapped along axis 0: 3 examples; p\["w"\] is f32\[2,4\], mapped along axis 1: 4 examples',
    ),
    "axis": (
        lambda: graphc.vmap(lambda x: x, 2)(array(3, 2)),
        ShapeError,
        r"argument x is f32\[3,2\]: it has no axis 2",
    ),
    "scalar": (lambda: graphc.vmap(lambda x, n: x)(array(3), 2), TraceError, r"argument n is 2: it has no axis 0"),
    "none": (lambda: graphc.vmap(lambda x: x, None)(array(3)), TraceError, "no argument is mapped"),
    "entries": (lambda: graphc.vmap(lambda x: x, (0, 0))(array(3)), TraceError, "2 entries, and 1 positional"),
    "tree": (
        lambda: graphc.vmap(lambda x: x, ({"a": 0},))({"b": array(3)}),
        TraceError,
        r"in_axes\[0\] is {'a': 0}, and stands for argument x, {'b': \*}",
    ),
    "kind": (lambda: graphc.vmap(lambda x: x, "0")(array(3)), TraceError, "in_axes is '0': needs an axis"),
    "out": (lambda: graphc.vmap(lambda x: x, 0, 3)(array(3, 2)), ShapeError, r"result is f32\[2\] for one example"),
    "out none": (lambda: graphc.vmap(lambda x: x, 0, None)(array(3)), TraceError, "differs from example to example"),
    "out tree": (lambda: graphc.vmap(lambda x: x, 0, (0, 0))(array(3)), TraceError, r"out_axes is \(0, 0\)"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_named(name: str) -> None:
    call, error, text = MISTAKES[name]
    with pytest.raises(error, match=text) as caught:
        call()
    assert "test_vmap.py" in str(caught.value)
