"""Statements that hold a function: loops, recomputation, gradients inside, random numbers, optimizers."""

from __future__ import annotations

from typing import Final

from tests.fuzz.grow import Grower, Rejected, Slot, kind
from tests.fuzz.moves import ids_of

STEPS: Final = (
    "c * 0.5 + x",
    "np.tanh(c + x)",
    "np.maximum(c, x)",
    "c * x",
    "c[..., ::-1] * 0.5 + x",
    "nn.softmax(c) + x",
    "np.roll(c, 1, -1) - x",
    "np.where(x > 0, c, x)",
)
"""What a step of a loop makes of its carry c and its slice x."""


def _row(g: Grower) -> Slot:
    """An array whose slices along the first axis have at least one axis, and of which there are not too many."""
    return g.floats(lambda s: s.rank >= 2 and 0 < s.shape[0] <= 20 and s.size > 0)


def _body(g: Grower, around: Slot | None) -> str:
    text = g.source.pick(STEPS)
    return f"({text}) * {around}" if around is not None else text


@kind("scan", 4)
def scan(g: Grower) -> None:
    """A loop over the slices of an array."""
    a = _row(g)
    carry = g.source.pick((f"np.zeros({a.shape[1:]}, {a.alias})", f"{a}[0]"))
    around = g.choose(lambda s: s.shape == a.shape[1:] and s.dtype == a.dtype) if g.source.chance(30) else None
    reverse = ", reverse=True" if g.source.chance(30) else ""
    y = g.source.pick(("c", "c * 2 - x", "np.sum(c * x)", "c[..., :1]", "x[::-1]"))
    prelude = f"def step(c, x):\n    c = {_body(g, around)}\n    return c, {y}"
    g.add(f"graphc.scan(step, {carry}, {a}{reverse})", 2, prelude)


@kind("scan of a pair", 3)
def scan_pair(g: Grower) -> None:
    """A loop whose two carries change places, and read each other."""
    a = _row(g)
    ways = (
        "(d, c)",
        "(d, c + x)",
        "(c + d, c - x)",
        "(d[..., ::-1], c * 0.5 + x)",
        "(np.tanh(d), c)",
        "(d + x, c[::-1])",
    )
    carry = f"({a}[0], {a}[-1])"
    y = g.source.pick(("c", "c + d", "None", "(c, d)"))
    prelude = f"def step(carry, x):\n    c, d = carry\n    return {g.source.pick(ways)}, {y}"
    count = {"None": 2, "(c, d)": 4}.get(y, 3)
    g.add(f"graphc.tree.leaves(graphc.scan(step, {carry}, {a}))", count, prelude)


@kind("scan of steps", 2)
def scan_length(g: Grower) -> None:
    """A loop with no slices: a number of steps, and a counter in the carry."""
    a = g.floats(lambda s: s.rank >= 1 and s.size > 0)
    length = g.source.pick((2, 3, 1, 5, 9))
    number = f"i.astype({a.alias})"
    ways = (f"c * 0.5 + {number}", "np.roll(c, 1, -1)", "c[..., ::-1] + 0.1", f"np.sin(c) + {number}", "nn.softmax(c)")
    way = g.source.pick(ways)
    prelude = f"def step(carry, _):\n    i, c = carry\n    return (i + 1, {way}), np.sum(c)"
    g.add(f"graphc.tree.leaves(graphc.scan(step, (np.zeros((), i32), {a}), None, length={length}))", 3, prelude)


@kind("nested scan", 2)
def nested_scan(g: Grower) -> None:
    a = g.floats(lambda s: s.rank >= 2 and 0 < s.shape[0] <= 6 and 0 < s.shape[1] <= 9 and s.size > 0)
    inner = g.source.pick(("c * 0.5 + x", "np.maximum(c, x)", "c * x", "np.tanh(c + x)"))
    y = g.source.pick(("c", "ys", "np.sum(ys)"))
    prelude = (
        f"def inner(c, x):\n    return {inner}, c\n"
        f"def step(c, row):\n    c, ys = graphc.scan(inner, c, row)\n    return c, {y}"
    )
    g.add(f"graphc.scan(step, {a}[0, 0], {a})", 2, prelude)


MOST_NESTED = 20_000
"""Elements at most in a loop of loops: its gradient keeps what each of 800 turns had, and a buffer holds 256 MB."""


@kind("while", 3)
def while_loop(g: Grower) -> None:
    """A loop that ends by itself, or at its bound; in some, each turn holds another one."""
    a = g.floats(lambda s: s.rank >= 1 and s.size > 0)
    number = f"i.astype({a.alias})"
    way = g.source.pick((f"c * 0.5 + {number}", "np.roll(c, 1, -1)", "c[..., ::-1] + 0.1", f"np.sin(c) + {number}"))
    ends, bound = g.source.pick((5, 0, 1, 2, 9, 17)), g.source.pick((40, 3, 12))
    prelude = f"def turn(state):\n    i, c = state\n    return i + 1, {way}"
    body = "turn"
    if g.source.chance(25) and a.size <= MOST_NESTED:
        around = (
            "lambda state: (state[0], graphc.while_loop(lambda s: s[0] < state[0] * 3, turn, state, max_steps=20)[1])"
        )
        prelude += f"\ninner = {around}"
        body = "lambda state: turn(inner(state))"
    loop = f"graphc.while_loop(lambda s: s[0] < {ends}, {body}, (np.zeros((), i32), {a}), max_steps={bound})"
    g.add(f"graphc.tree.leaves({loop})", 2, prelude)


@kind("scan gather", 2)
def scan_gather(g: Grower) -> None:
    """A loop in which each step reads a row at a position of its own."""
    table = g.floats(lambda s: s.rank >= 1 and s.size > 0)
    ids, _ = ids_of(g, table.shape[0], 1, lambda s: s.rank == 1 and s.size <= 20)
    start = f"np.zeros({table.shape[1:]}, {table.alias})"
    prelude = f"def step(c, i):\n    c = c * 0.5 + {table}[i]\n    return c, c"
    g.add(f"graphc.scan(step, {start}, {ids})", 2, prelude)


@kind("checkpoint", 2)
def checkpoint(g: Grower) -> None:
    a = g.floats()
    b = g.partner(a, lambda s: s.floating)
    body = g.source.pick(("np.tanh(a) * b", "np.sin(a + b)", "np.exp(-a * a) + b", "np.sum(np.tanh(a * b)) * a"))
    g.add(f"graphc.checkpoint(lambda a, b: {body})({a}, {b})")


@kind("custom gradient", 1)
def custom_gradient(g: Grower) -> None:
    """A function with a gradient of its own, which here is that of the function."""
    a = g.floats(lambda s: s.dtype == "float32")
    b = g.partner(a, lambda s: s.shape == a.shape and s.dtype == "float32")
    prelude = (
        "rule = graphc.custom_vjp(\n"
        "    lambda a, b: np.sin(a) * b,\n"
        "    lambda a, b: (np.sin(a) * b, (a, b)),\n"
        "    lambda kept, g: (g * np.cos(kept[0]) * kept[1], g * np.sin(kept[0])),\n"
        ")"
    )
    g.add(f"rule({a}, {b})", 1, prelude)


@kind("stop gradient", 2)
def stop_gradient(g: Grower) -> None:
    a = g.floats()
    g.add(
        g.source.pick(
            (f"graphc.stop_gradient({a})", f"{a} - graphc.stop_gradient({a} * 0.5)", f"{a} * graphc.stop_gradient({a})")
        )
    )


@kind("inner gradient", 2)
def inner_gradient(g: Grower) -> None:
    """A gradient taken inside of the program."""
    a = g.floats(lambda s: s.size > 0 and s.dtype == "float32")
    b = g.partner(a, lambda s: s.dtype == "float32")
    values = ("np.sum(np.tanh(t) * {b})", "np.mean(t * t + {b})", "np.sum(np.sin(t * {b}))")
    value = g.source.pick((*values, "np.sum(nn.sigmoid(t) ** 2 * {b})"))
    call = f"lambda t: {value.format(b=b)}"
    if g.source.below(2):
        g.add(f"graphc.value_and_grad({call})({a})", 2)
    else:
        g.add(f"graphc.grad({call})({a})")


@kind("random", 2)
def random(g: Grower) -> None:
    a = g.floats(lambda s: s.rank > 0 and s.dtype == "float32")
    key = f"graphc.random.key({g.source.below(9)})"
    if g.source.below(2):
        key = f"graphc.random.split({key}, 3)[{g.source.below(3)}]"
    texts = [
        f"{a} + graphc.random.uniform({key}, {a.shape})",
        f"{a} * graphc.random.normal({key}, {a.shape})",
        f"np.where(graphc.random.bernoulli({key}, 0.5, {a.shape}), {a}, 0)",
        f"nn.dropout({key}, {a}, 0.25)",
        f"np.where({a} > 0, graphc.random.randint({key}, {a.shape}, 0, 9), 0)",  # alone it would be a constant
        f"{a} + graphc.random.uniform({key}, {a.shape}, -1, 1)",
    ]
    if a.size and a.rank > 1:
        texts.append(f"graphc.random.categorical({key}, {a})")
    g.add(g.source.pick(texts))


OPTIMIZERS: Final = (
    "optim.sgd(0.1)",
    "optim.momentum(0.1)",
    "optim.momentum(0.1, nesterov=True)",
    "optim.adam(0.01)",
    "optim.adam(optim.warmup(0.01, 2))",
    "optim.adamw(optim.linear(0.1, 0.0, 10), weight_decay=0.1)",
    "optim.chain(optim.clip_by_global_norm(0.5), optim.adam(0.01))",
    "optim.chain(optim.clip_by_global_norm(0.5), optim.sgd(optim.cosine(0.1, 5)))",
    "optim.lars(0.1, weight_decay=0.1)",
    "optim.adafactor(optim.one_cycle(0.1, 5))",
    "optim.lookahead(optim.ema(optim.sgd(optim.polynomial(0.1, 5)), 0.5), 2)",
    "optim.accumulate(optim.adam(0.01), 2)",
    "optim.muon(0.1, steps=2)",
)


@kind("optimizer", 2)
def optimizer(g: Grower) -> None:
    """Two steps of an optimizer on a few of the arrays."""
    a = g.floats(lambda s: s.size > 0 and s.dtype == "float32")
    b = g.floats(lambda s: s.size > 0 and s.dtype == "float32")
    if a is b:
        raise Rejected
    loss = g.source.pick(
        ("np.sum(np.tanh(p['w'])) * np.mean(p['b'] ** 2)", "np.mean(p['w'] ** 2) + np.sum(np.sin(p['b']))")
    )
    prelude = (
        f"optimizer = {g.source.pick(OPTIMIZERS)}\n"
        f"params = {{'w': {a}, 'b': {b}}}\n"
        f"state = optimizer.init(params)\n"
        f"for _ in range({g.source.pick((1, 2))}):\n"
        f"    grads = graphc.grad(lambda p: {loss})(params)\n"
        f"    params, state = optimizer.update(grads, state, params)"
    )
    g.add("params['w'], params['b']", 2, prelude)


@kind("updates", 4)
def updates(g: Grower) -> None:
    """Two values that read each other, as in one step of an update."""
    a = g.floats(lambda s: s.rank > 0)
    b = g.like(a)
    texts = (
        f"{a} + {b}[..., ::-1], {b} - {a}",
        f"nn.softmax({a}) + {b}, {a} * {b}",
        f"{a} * 0.9 + {b} * 0.1, {b} * 0.9 + np.roll({a}, 1, -1)",
        f"{b}, {a}",
        f"np.cumsum({a}, -1), {a} - {b}",
        f"{a} - np.mean({b}, -1, keepdims=True), {b} / (1 + np.max(np.abs({a}), -1, keepdims=True))",
    )
    g.add(g.source.pick(texts), 2)


@kind("helper", 2)
def helper(g: Grower) -> None:
    """A function called more than once, and a comprehension over a dict or a list."""
    a = g.floats()
    b = g.like(a)
    prelude = f"d = {{'b': {a}, 'a': {b}, 'c': {a} * 2}}"
    texts = (
        "[v + 1 for v in d.values()]",
        "[np.tanh(d[k]) for k in sorted(d)]",
        "[v * i for i, v in enumerate(d.values())]",
    )
    g.add(g.source.pick(texts), 3, prelude)


@kind("in place", 2)
def in_place(g: Grower) -> None:
    """Names that are bound again by += and the like."""
    a = g.floats()
    b = g.like(a)
    lines = g.source.pick(("t += {b}", "t *= {b}\nt -= 0.5", "t /= 2.0\nt += {b} * t", "t -= {b}")).format(b=b)
    g.add("t", 1, f"t = {a} * 1.0\n{lines}")
