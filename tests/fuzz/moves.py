"""Statements that move elements: views, flips, rolls, pairs, joins, parts, gathers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from tests.fuzz.grow import Grower, Rejected, Slot, kind


def _arrays(g: Grower) -> Slot:
    return g.choose(lambda s: s.rank > 0)


@kind("reshape", 3)
def reshape(g: Grower) -> None:
    a = g.choose()
    options = ["-1"] if a.size else []
    divisors = [d for d in range(1, min(a.size, 40) + 1) if a.size % d == 0]
    if divisors:
        first = g.source.pick(divisors)
        rest = a.size // first
        second = g.source.pick([d for d in divisors if rest % d == 0])
        options += [
            f"({first}, {rest})",
            f"({rest}, {first})",
            f"({first}, {second}, {rest // second})",
            f"(1, {a.size}, 1)",
        ]
    if not options:
        raise Rejected
    g.add(f"np.reshape({a}, {g.source.pick(options)})")


@kind("transpose", 4)
def transpose(g: Grower) -> None:
    a = g.choose(lambda s: s.rank > 1)
    axes = list(range(a.rank))
    order = [axes.pop(g.source.below(len(axes))) for _ in range(a.rank)]
    texts = [f"{a}.T", f"np.swapaxes({a}, {g.axis(a)}, {g.axis(a)})", f"np.transpose({a}, {tuple(order)})"]
    texts += [
        f"np.moveaxis({a}, {g.axis(a)}, {g.axis(a)})",
        f"np.matrix_transpose({a})",
        f"np.rot90({a}, {g.source.below(4)})",
    ]
    g.add(g.source.pick(texts))


@kind("slice", 5)
def sliced(g: Grower) -> None:
    a = _arrays(g)
    keys = []
    for n in a.shape[: 1 + g.source.below(a.rank)]:
        low, step = g.source.below(max(1, n)), 1 + g.source.below(3)
        options = [
            ":",
            f"{low}:",
            f":{n - low}",
            f"::{step}",
            "::-1",
            f"{low}::{step}",
            f"{low}::-{step}",
            "None, :",
            f"{-1 - low}",
        ]
        keys.append(g.source.pick(options))
    prefix = g.source.pick(("", "", "..., "))
    g.add(f"{a}[{prefix}{', '.join(keys)}]")


@kind("flip", 5)
def flip(g: Grower) -> None:
    a = _arrays(g)
    g.add(g.source.pick((f"{a}[..., ::-1]", f"np.flip({a}, {g.axis(a)})", f"np.flip({a})", f"{a}[::-1]")))


@kind("roll", 4)
def roll(g: Grower) -> None:
    a = _arrays(g)
    by = g.source.pick((1, -1, 2, -3, 5))
    g.add(g.source.pick((f"np.roll({a}, {by}, {g.axis(a)})", f"np.roll({a}, {by})")))


@kind("axes of one", 3)
def axes_of_one(g: Grower) -> None:
    a = g.choose()
    texts = [f"{a}[..., None]", f"{a}[None]", f"np.expand_dims({a}, 0)", f"np.squeeze({a})", f"np.atleast_2d({a})"]
    if a.rank:
        texts.append(f"np.expand_dims({a}, {g.axis(a)})")
    g.add(g.source.pick(texts))


@kind("broadcast", 3)
def broadcast(g: Grower) -> None:
    a = g.choose()
    n = g.source.pick((2, 3, 1, 5))
    texts = [f"np.broadcast_to({a}, {(n, *a.shape)})", f"np.tile({a}, {n})", f"np.tile({a}, ({n}, 1))"]
    if 1 in a.shape:
        texts.append(f"np.broadcast_to({a}, {tuple(n if k == 1 else k for k in a.shape)})")
    if a.rank:
        texts.append(f"np.repeat({a}, {n}, {g.axis(a)})")
    g.add(g.source.pick(texts))


@kind("many scalars", 1)
def many_scalars(g: Grower) -> None:
    """More of them than a kernel binds buffers, each computed, all read beside an array."""
    a, n = g.floats(lambda s: s.size > 1), g.source.pick((9, 14, 20, 40))
    s = f"np.tanh({g.like(a)}.ravel()[0])"
    texts = (
        f"sum(np.cos({s} * i) * {a} + np.sin({s} * i) for i in range({n}))",
        f"np.stack([{a} + np.cos(-{s} * i) for i in range({n})])",
    )
    g.add(g.source.pick(texts))


@kind("pad", 3)
def pad(g: Grower) -> None:
    a = g.choose(lambda s: s.rank > 0 and not s.boolean)
    widths = [(g.source.below(3), g.source.below(3)) for _ in range(a.rank)]
    options = ["", "", ", constant_values=1", ", mode='edge'", ", mode='wrap'", ", mode='reflect'"]
    g.add(f"np.pad({a}, {widths}{g.source.pick(options)})")


@kind("join", 5)
def join(g: Grower) -> None:
    a = g.choose()
    b, c = g.like(a), g.like(a)
    parts = f"[{a}, {b}]" if g.source.below(2) else f"[{a}, {b}, {c}]"
    if not a.rank:
        g.add(f"np.stack({parts})")
        return
    axis = g.axis(a)
    texts = [f"np.concatenate({parts}, axis={axis})", f"np.stack({parts}, axis={axis})", f"np.hstack({parts})"]
    texts += [f"np.vstack({parts})", f"np.append({a}, {b}, axis={axis})"]
    texts += [f"np.dstack({parts})", f"np.column_stack({parts})"]
    g.add(g.source.pick(texts))


@kind("join parts", 2)
def join_parts(g: Grower) -> None:
    """Arrays that differ along one axis."""
    a = _arrays(g)
    axis = g.source.below(a.rank)
    rest = [n for k, n in enumerate(a.shape) if k != axis]
    b = g.choose(
        lambda s: s.dtype == a.dtype and s.rank == a.rank and [n for k, n in enumerate(s.shape) if k != axis] == rest
    )
    g.add(f"np.concatenate([{a}, {b}], axis={axis})")


@kind("split", 3)
def split(g: Grower) -> None:
    a = _arrays(g)
    axis = g.source.below(a.rank)
    n = a.shape[axis]
    even = [k for k in (2, 3, 4) if n and n % k == 0]
    if even and g.source.below(2):
        count = g.source.pick(even)
        g.add(f"np.split({a}, {count}, axis={axis})", count)
        return
    cut = g.source.below(n + 1)
    g.add(f"np.split({a}, [{cut}], axis={axis})", 2)


@kind("turn", 2)
def turn(g: Grower) -> None:
    """Other names for views."""
    a = g.choose(lambda s: s.rank >= 2 and s.size > 0)
    texts = (
        f"np.fliplr({a})",
        f"np.flipud({a})",
        f"np.ravel({a}[::-1])",
        f"np.rollaxis({a}, {a.rank - 1})",
        f"np.resize({a}, {(3, *a.shape[-1:])})",
        f"np.hsplit({a}, [1])[1]",
    )
    g.add(g.source.pick(texts))


@kind("permutation", 4)
def permutation(g: Grower) -> None:
    """All elements along an axis in another order, known or computed, and back."""
    a = g.choose(lambda s: s.rank > 0 and 2 <= s.shape[-1] <= 64 and s.size > 0)
    n = a.shape[-1]
    step = g.source.pick([k for k in range(1, n + 1) if math.gcd(k, n) == 1])
    first = g.source.below(n)
    known = f"((np.arange({n}) * {step} + {first}) % {n})"
    texts = [f"{a}[..., {known}]", f"np.take({a}, {known}, axis=-1)"]
    ids, found = ids_of(g, n, a.size)
    one = f"{ids}.ravel()[:1]" if found.rank else ids
    texts.append(f"{a}[..., (np.arange({n}, dtype=i32) * {step} + ({one}).astype(i32)) % {n}]")
    if a.shape[-2:-1] == (n,):
        texts.append(f"np.take_along_axis({a}, np.broadcast_to({known}, {a.shape}), axis=-1)")
    g.add(g.source.pick(texts))


@kind("pairs", 6)
def pairs(g: Grower) -> None:
    """Even and odd elements, halves, and rotations of them, as in rotary embeddings."""
    a = g.choose(lambda s: s.rank > 0 and s.shape[-1] >= 2 and s.size > 0 and not s.boolean and s.dtype != "uint32")
    half, shape = a.shape[-1] // 2, (*a.shape[:-1], a.shape[-1] // 2 * 2)
    b = g.like(a)
    odd = "" if a.shape == shape else f"[..., :{2 * half}]"
    x, y = f"{a}{odd}", f"{b}{odd}"
    texts = (
        f"np.concatenate([-{x}[..., {half}:], {x}[..., :{half}]], axis=-1)",
        f"np.stack([{x}[..., 1::2], {x}[..., ::2]], axis=-1).reshape({shape})",
        f"np.stack([-{x}[..., 1::2], {y}[..., ::2]], axis=-1).reshape({shape})",
        f"np.concatenate([{x}[..., {half}:], {y}[..., :{half}]], axis=-1)",
        f"{x}[..., ::2] * {y}[..., 1::2]",
        f"{x}.reshape({(*a.shape[:-1], half, 2)})[..., ::-1].reshape({shape})",
        f"np.concatenate([{x}[..., ::2], {x}[..., 1::2]], axis=-1)",
    )
    g.add(g.source.pick(texts))


@kind("cross", 3)
def cross(g: Grower) -> None:
    a = g.floats(lambda s: s.rank > 0 and s.shape[-1] >= 3)
    b = g.like(a)
    if a.shape[-1] == 3:
        g.add(f"np.cross({a}, {b})")
    else:
        g.add(f"np.cross({a}[..., :3], {b}[..., {g.source.below(a.shape[-1] - 2)}:][..., :3])")


@kind("triangle", 2)
def triangle(g: Grower) -> None:
    a = g.choose(lambda s: s.rank > 1 or (s.rank == 1 and s.size <= 64))
    k = g.source.below(5) - 2
    texts = (
        [f"np.diag({a}, {k})"]
        if a.rank == 1
        else [f"np.tril({a}, {k})", f"np.triu({a}, {k})", f"np.diagonal({a}, {k})"]
    )
    if a.rank == 2:
        texts.append(f"np.diag({a}, {k})")
    g.add(g.source.pick(texts))


TAKES: Final = ("np.take({a}, {ids}, axis={axis})", "{a}[{pre}np.array({ids})]", "{a}[{pre}{ids}]")


@kind("gather", 4)
def gather(g: Grower) -> None:
    """Elements at known positions."""
    a = g.choose(lambda s: s.rank > 0 and s.size > 0)
    axis = g.source.below(a.rank)
    n = a.shape[axis]
    ids = [g.source.below(n) - (n if g.source.chance(20) else 0) for _ in range(1 + g.source.below(6))]
    if g.source.chance(30):
        order = list(range(n))[:12]
        ids = [order.pop(g.source.below(len(order))) for _ in range(len(order))]
    g.add(g.source.pick(TAKES).format(a=a, ids=ids, axis=axis, pre=":, " * axis))


def ids_of(g: Grower, n: int, row: int, accept: Callable[[Slot], bool] = lambda slot: True) -> tuple[str, Slot]:
    """An expression of traced indices in [0, n) or [-n, 0), each of which takes `row` elements; the array that it is
    made of."""
    few = g.most if g.long else 64
    found = g.choose(lambda s: not s.boolean and 0 < s.size <= few and s.size * row <= g.most and accept(s))
    if found.whole and g.source.chance(70):
        whole = found.name
    elif found.floating:
        whole = f"np.clip(np.nan_to_num({found}) * 3 + {n // 2}.4, 0, 9999).astype(i32)"
    else:
        whole = f"{found}.astype(i32)" if found.dtype == "uint32" and found.value.max() < 99 else found.name
    if g.source.chance(25) and found.dtype != "uint32":
        return f"({whole} % {n} - {n})", found
    return f"({whole} % {n})", found


@kind("gather traced", 4)
def gather_traced(g: Grower) -> None:
    """Elements at positions that are computed."""
    a = g.choose(lambda s: s.rank > 0 and s.size > 0)
    axis = g.source.below(a.rank)
    ids, _ = ids_of(g, a.shape[axis], a.size // a.shape[axis])
    g.add(g.source.pick((f"np.take({a}, {ids}, axis={axis})", f"{a}[{':, ' * axis}{ids}]")))


@kind("gather two", 2)
def gather_two(g: Grower) -> None:
    """Elements at two index arrays, known and computed."""
    a = g.choose(lambda s: s.rank >= 2 and s.size > 0)
    m, n = a.shape[:2]
    ids, found = ids_of(g, n, a.size // (m * n))
    if found.rank == 1 and found.shape[0] <= m and g.source.below(2) == 0:
        first = f"np.arange({found.shape[0]})"
    else:
        first, _ = ids_of(g, m, 1, lambda s: s.shape == found.shape)
    g.add(f"{a}[{first}, {ids}]")


@kind("along", 3)
def along(g: Grower) -> None:
    """take_along_axis with computed positions of the array's own rank."""
    a = g.choose(lambda s: s.rank > 0 and s.size > 0)
    axis = g.source.below(a.rank)

    def fits(s: Slot) -> bool:
        return s.rank == a.rank and all(
            n == m or k == axis for k, (n, m) in enumerate(zip(s.shape, a.shape, strict=True))
        )

    ids, _ = ids_of(g, a.shape[axis], 1, fits)
    g.add(f"np.take_along_axis({a}, {ids}, axis={axis})")


@kind("position", 2)
def position(g: Grower) -> None:
    """One element or row at a computed position."""
    a = g.choose(lambda s: s.rank > 0 and s.size > 0 and s.shape[0] > 0)
    b = g.choose(lambda s: s.rank > 0 and s.size > 0 and not s.boolean)
    picked = g.source.pick(("argmax", "argmin"))
    g.add(f"{a}[np.{picked}({b}) % {a.shape[0]}]")


@kind("index", 2)
def index(g: Grower) -> None:
    """Positions along an axis, as numbers."""
    a = g.choose(lambda s: s.rank > 0 and not s.boolean)
    n = a.shape[-1]
    ramp = f"np.arange({n}, dtype={a.alias})"
    g.add(g.source.pick((f"{a} * {ramp}", f"{a} + {ramp}[::-1]", f"np.minimum({a}, {ramp})", f"{ramp} * 2 - {a}")))


@kind("one hot", 1)
def one_hot(g: Grower) -> None:
    ids, _ = ids_of(g, 5, 7)
    g.add(f"nn.one_hot({ids}, {g.source.pick((5, 4, 7))})")


@kind("differences", 2)
def differences(g: Grower) -> None:
    a = g.choose(lambda s: s.rank > 0 and not s.boolean and s.dtype != "uint32" and all(n > 1 for n in s.shape))
    g.add(
        g.source.pick(
            (f"np.diff({a}, axis={g.axis(a)})", f"{a}[..., 1:] - {a}[..., :-1]", f"{a} - np.roll({a}, 1, -1)")
        )
    )
