"""Products, sums over products and reductions with sides of length one, and constants of one element of any rank.

A constant of one element is a literal where a kernel computes element by element, and an operand in memory where it is
a factor of a product.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphc
from graphc.ir.graph import evaluate
from graphc.lower import lower
from graphc.passes import DEFAULT, run
from graphc.passes.fusion.fuse import fuse
from graphc.plan.plan import Target
from graphc.reference import run_plan
from graphc.tracing.trace import spec, trace
from tests.support.fusing import arrays_for, assert_sound, families
from tests.support.lowering import Body

SIDES = st.sampled_from((1, 1, 1, 2, 3, 5))


def constant(*shape: int) -> Any:
    return (np.arange(1, 1 + np.prod(shape, dtype=int)) / 4).astype("f").reshape(shape)


PRODUCTS: dict[str, Callable[[Any, Any], Any]] = {
    "matmul": lambda a, b: a @ b,
    "transposed": lambda a, b: (b.T @ a.T).T,
    "einsum": lambda a, b: np.einsum("ij,jk->ik", a, b),
    "einsum sum": lambda a, b: np.einsum("ij,jk->k", a, b),
    "tensordot": lambda a, b: np.tensordot(a, b, axes=1),
    "inner": lambda a, b: np.inner(a, b.T),
    "dot": np.dot,
    "batched": lambda a, b: (a[None] @ b[None])[0],
    "stacked": lambda a, b: np.stack([a, a]) @ b,
}
ENDS: dict[str, Callable[[Any], Any]] = {
    "itself": lambda c: c,
    "plus the constant": lambda c: c + constant(1, 1),
    "sum": lambda c: np.sum(c, axis=0),
    "product": lambda c: np.prod(c * 0.5, axis=-1),
    "largest": lambda c: np.max(c),
    "mean square": lambda c: np.mean((c - 1) ** 2),
}


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(SIDES, SIDES, SIDES),
    st.sampled_from(sorted(PRODUCTS)),
    st.sampled_from(sorted(ENDS)),
    st.sampled_from(("a", "b", "none")),
)
def test_products_with_constants(sides: tuple[int, int, int], product: str, end: str, fixed: str) -> None:
    """Value and gradient, fused, of a product of m x k and k x n of which one side may be a constant."""
    m, k, n = sides
    a, b = constant(m, k) - 0.5, 1 - constant(k, n)

    def value(a: Any, b: Any) -> Any:
        left, right = constant(m, k) - 0.5 if fixed == "a" else a, 1 - constant(k, n) if fixed == "b" else b
        return ENDS[end](PRODUCTS[product](left, right))

    def slope(a: Any, b: Any) -> Any:
        return graphc.grad(lambda a, b: np.sum(value(a, b) * value(a, b)), argnums=(0, 1))(a, b)

    for fn in (value, slope):
        graph = trace(fn, a, b)
        after = run(graph, DEFAULT)
        arrays = [np.ascontiguousarray(x) for x in (a, b)]
        for got, want in zip(run_plan(lower(after, Target()), after, arrays), evaluate(graph, arrays), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


CASES: dict[str, tuple[Callable[..., Any], tuple[tuple[int, ...], ...]]] = {
    "sum of one row": (lambda w, x: np.sum(x @ w), ((4, 1), (1, 4))),
    "of one element": (lambda w, x: (x @ w)[0, 0], ((4, 1), (1, 4))),
    "mean square": (lambda w, x: np.mean((x @ w - 1) ** 2), ((4, 1), (1, 4))),
    "einsum": (lambda a, b: np.sum(np.einsum("cb,ac->b", a, b)), ((1, 1), (3, 1))),
    "outer": (lambda a, b: np.sum(np.outer(a, b)), ((1,), (3,))),
    "times the number one": (lambda a, b: np.sum(a @ constant(1, 1) @ b), ((3, 1), (1, 2))),
    "attention of one key": (lambda q, k: np.sum(graphc.nn.attention(q, k, constant(1, 1))), ((3, 4), (1, 4))),
}


@pytest.mark.parametrize("case", CASES)
def test_gradients_on_the_device(case: str) -> None:
    fn, shapes = CASES[case]
    args = [constant(*shape) for shape in shapes]
    wanted = graphc.compile(graphc.grad(fn, argnums=(0, 1)), device="numpy", passes=())(*args)
    for got, want in zip(graphc.compile(graphc.grad(fn, argnums=(0, 1)), device="wgpu")(*args), wanted, strict=True):
        np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 1)])
def test_a_constant_that_is_both_factor_and_literal(shape: tuple[int, ...]) -> None:
    b = Body()
    one = b.constant(np.full(shape, 2, np.float32))
    x = b.tensor(*shape[:-2], 6, 1)
    graph = b.build([b("add", b("matmul", x, one), one), b("mul", b("matmul", x, b("reshape", one, shape=shape)), one)])
    after = fuse(graph)
    assert_sound(graph, after)
    assert "matmul" in families(after)
    arrays = arrays_for(graph)
    for got, want in zip(run_plan(lower(after, Target()), after, arrays), evaluate(graph, arrays), strict=True):
        np.testing.assert_array_equal(got, want)


def test_a_literal_takes_no_buffer() -> None:
    """What is read element by element stays in the text of the kernel, whatever its rank."""
    graph = fuse(trace(lambda x: np.tanh(x * constant(1, 1, 1)) + constant(1), spec((3, 4))))
    assert not graph.constants
