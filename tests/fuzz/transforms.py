"""Statements that hold a transform of a function: batches, derivatives forwards, Jacobians, loops that write rows."""

from __future__ import annotations

from typing import Final

from tests.fuzz.grow import Grower, Rejected, Slot, kind

STEPS: Final = 64
"""The longest axis that a function loops over."""

ROWS: Final = (
    "np.sum(np.tanh(t), -1)",
    "np.cumsum(t, -1)",
    "nn.softmax(t)",
    "np.max(t, -1, keepdims=True) - t[..., ::-1]",
    "np.sort(t, -1)",
    "t[np.argsort(t, -1, stable=True)] if t.ndim == 1 else t.T",
    "np.where(t > 0, t, t[..., :1])",
    "np.roll(np.pad(t, 1), 1, -1)[..., 1:]",
    "np.concatenate((t[..., 1:], t * 2), -1)",
    "graphc.scan(lambda c, x: (c * 0.5 + x, c), t[0] * 0, t)[1]",
    "graphc.grad(lambda u: np.sum(np.sin(u) * u))(t)",
    "graphc.at(t)[0].set(1.0)",
    "graphc.cond(np.sum(t) > 0.3, lambda u: u * 2, lambda u: np.tanh(u), t)",
    "np.outer(t, t) if t.ndim == 1 else t @ t.mT",
    "nn.layer_norm(t)",
    "graphc.checkpoint(lambda u: np.tanh(u) * u)(t)",
)
"""What a function makes of one element t of a batch, which has an axis at least."""

WHOLE: Final = (
    "np.tanh(t) * t",
    "np.cumsum(t, -1) * 0.5",
    "nn.softmax(t)",
    "np.sum(t * t, -1)",
    "np.concatenate((t[..., 1:], np.sin(t)), -1)",
    "np.where(t > 0, t, 0.1 * t) @ np.swapaxes(t, -1, -2) if t.ndim > 1 else t[::-1] * t",
    "graphc.scan(lambda c, x: (c * 0.5 + np.sin(x), c), t[0] * 0, t)[1]",
    "np.pad(t, 1) * 2",
)
"""Smooth functions of an array that has an axis at least, linear or not."""


def body_of(g: Grower, bodies: tuple[str, ...], a: Slot) -> str:
    """One of the functions; none that loops over a long axis, a launch or more an element."""
    body = g.source.pick(bodies)
    if "scan" in body and max(a.shape) > STEPS:
        raise Rejected
    return body


@kind("batched", 4)
def batched(g: Grower) -> None:
    a = g.floats(lambda s: s.rank >= 2 and s.size > 0 and s.dtype == "float32")
    axis = g.axis(a)
    out = g.source.pick(("", ", out_axes=0", ", out_axes=-1"))
    body = body_of(g, ROWS, a)
    if "out_axes=-1" in out and "np.sum(" in body:
        out = ""
    g.add(f"graphc.vmap(lambda t: {body}, in_axes={axis}{out})({a})")


@kind("batched with another", 2)
def batched_pair(g: Grower) -> None:
    """Over one argument alone, or over both, of two arrays."""
    a = g.floats(lambda s: s.rank >= 2 and s.size > 0 and s.dtype == "float32")
    b = g.floats(lambda s: s.shape in (a.shape, a.shape[1:]) and s.dtype == "float32")
    axes = "(0, 0)" if b.shape == a.shape else "(0, None)"
    bodies = ("t * u + t", "np.sum(t * u)", "np.where(u > 0, t, u)", "np.maximum(t, u[..., ::-1])", "np.dot(t, u.T)")
    g.add(f"graphc.vmap(lambda t, u: {g.source.pick(bodies)}, in_axes={axes})({a}, {b})")


@kind("twice batched", 1)
def twice_batched(g: Grower) -> None:
    a = g.floats(lambda s: s.rank >= 3 and s.size > 0 and s.dtype == "float32")
    g.add(f"graphc.vmap(graphc.vmap(lambda t: {body_of(g, ROWS, a)}, in_axes=-1))({a})")


@kind("gradient of each", 2)
def per_example(g: Grower) -> None:
    a = g.floats(lambda s: s.rank >= 2 and s.size > 0 and s.dtype == "float32")
    w = g.floats(lambda s: s.shape == a.shape[1:] and s.dtype == "float32")
    loss = g.source.pick(("np.sum(np.tanh(w * t))", "np.mean((w - t) ** 2)", "np.sum(nn.softmax(w) * t)"))
    g.add(f"graphc.vmap(graphc.grad(lambda w, t: {loss}), in_axes=(None, 0))({w}, {a})")


@kind("forward derivative", 3)
def forward_derivative(g: Grower) -> None:
    a = g.floats(lambda s: s.rank > 0 and s.size > 0 and s.dtype == "float32")
    b = g.like(a)
    f = f"lambda t: {body_of(g, WHOLE, a)}"
    if g.source.below(2):
        g.add(f"graphc.jvp({f}, ({a},), ({b},))", 2)
    else:
        g.add(f"graphc.linearize({f}, {a})[1]({b})")


@kind("jacobian", 2)
def jacobian(g: Grower) -> None:
    a = g.floats(lambda s: s.rank > 0 and 0 < s.size <= 9 and s.dtype == "float32")
    name = g.source.pick(("jacrev", "jacfwd"))
    g.add(f"graphc.{name}(lambda t: {body_of(g, WHOLE, a)})({a})")


WRITES: Final = (
    "graphc.at(c)[i].set(x)",
    "graphc.at(c)[i].add(x)",
    "graphc.at(c * 0.5)[i].set(x + c[i])",
    "graphc.at(c)[(i + 1) % {n}].set(c[i] + x)",
    "graphc.at(c)[i % {n}].max(x)",
    "graphc.cond(np.sum(x) > 0.3, lambda c: graphc.at(c)[i].set(x), lambda c: c * 0.5, c)",
    "np.where(np.arange({n})[:, None] == i, x, c) if c.ndim == 2 else graphc.at(c)[i].multiply(x)",
)
"""What a step makes of a cache c of n rows, at the row i, with the row x."""


@kind("loop over a cache", 3)
def cache(g: Grower) -> None:
    """A loop that writes one row of what it carries in each step, and reads it."""
    a = g.floats(lambda s: s.rank >= 1 and 0 < s.shape[0] <= 12 and s.size > 0)
    b = g.like(a)
    n = a.shape[0]
    read = g.source.pick(("c[i]", "np.sum(c, 0)", "c[::-1][0] * x", "old", "None"))
    write = g.source.pick(WRITES).format(n=n)
    prelude = f"def step(carry, x):\n    i, c = carry\n    old = c[0]\n    c = {write}\n    return (i + 1, c), {read}"
    count = 2 if read == "None" else 3
    g.add(f"graphc.tree.leaves(graphc.scan(step, (np.zeros((), i32), {a}), {b}))", count, prelude)


@kind("loop with a branch", 2)
def branching(g: Grower) -> None:
    a = g.floats(lambda s: s.rank >= 2 and 0 < s.shape[0] <= 12 and s.size > 0)
    ways = (
        "graphc.cond(np.sum(x) > 0.3, lambda c: c * 0.5, lambda c: c + x, c)",
        "graphc.switch(np.argmax(x) % 3, [lambda c: c, lambda c: c * 0.5 + x, np.sin], c)",
        "graphc.fori_loop(0, 3, lambda i, c: c * 0.5 + x, c)",
        "graphc.while_loop(lambda c: np.sum(c) < 2.3, lambda c: c + np.abs(x) + 0.5, c, max_steps=3)",
    )
    y = g.source.pick(("c", "x * c", "np.sum(c)"))
    prelude = f"def step(c, x):\n    c = {g.source.pick(ways)}\n    return c, {y}"
    if a.dtype != "float32":
        raise Rejected
    g.add(f"graphc.scan(step, {a}[0], {a})", 2, prelude)
