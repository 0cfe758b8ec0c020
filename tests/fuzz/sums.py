"""Statements that bring many elements together: reductions, running sums, products of matrices, norms and attention."""

from __future__ import annotations

from typing import Final

from tests.fuzz.grow import Grower, Rejected, Slot, kind
from tests.fuzz.moves import ids_of
from tests.fuzz.pointwise import mask_of

FLOAT: Final = (
    "sum",
    "mean",
    "max",
    "min",
    "var",
    "std",
    "prod",
    "nansum",
    "nanmean",
    "nanmax",
    "nanmin",
    "ptp",
    "nanprod",
)
WHOLE: Final = ("sum", "max", "min", "mean", "prod", "any", "all", "count_nonzero", "ptp", "var")
BOOL: Final = ("any", "all", "sum", "count_nonzero", "mean", "max")


@kind("reduce", 8)
def reduce(g: Grower) -> None:
    a = g.floats()
    keep = ", keepdims=True" if g.source.below(2) else ""
    g.add(f"np.{g.source.pick(FLOAT)}({a}, axis={g.axes(a)}{keep})")


@kind("reduce whole", 2)
def reduce_whole(g: Grower) -> None:
    a = g.choose(lambda s: s.whole)
    g.add(f"np.{g.source.pick(WHOLE)}({a}, axis={g.axes(a)}{', keepdims=True' if g.source.below(2) else ''})")


@kind("reduce bool", 3)
def reduce_bool(g: Grower) -> None:
    a = g.choose(lambda s: s.boolean)
    g.add(f"np.{g.source.pick(BOOL)}({a}, axis={g.axes(a)}{', keepdims=True' if g.source.below(2) else ''})")


@kind("argument", 3)
def argument(g: Grower) -> None:
    a = g.choose(lambda s: s.size > 0)
    axis = g.source.pick(("None", str(g.axis(a)) if a.rank else "None"))
    g.add(f"np.{g.source.pick(('argmax', 'argmin'))}({a}, axis={axis})")


@kind("cumulative", 4)
def cumulative(g: Grower) -> None:
    a = g.choose(lambda s: s.rank > 0 and not s.boolean)
    axis = g.axis(a)
    texts = [f"np.cumsum({a}, axis={axis})", f"np.cumsum({a})"]
    texts += [f"np.flip(np.cumsum(np.flip({a}, {axis}), axis={axis}), {axis})", f"np.add.accumulate({a}, {axis})"]
    g.add(g.source.pick(texts))


@kind("norm", 2)
def norm(g: Grower) -> None:
    a = g.floats(lambda s: s.rank > 0 and s.size > 0)
    axis = g.axis(a)
    texts = [
        f"np.linalg.norm({a}, axis={axis}, keepdims=True)",
        f"np.linalg.norm({a})",
        f"{a} / np.sqrt(np.sum({a} * {a}, axis={axis}, keepdims=True) + 0.01)",
        f"np.log(np.sum(np.exp({a} - np.max({a}, axis={axis}, keepdims=True)), axis={axis}))",
        f"np.average({a}, axis={axis}, weights=np.arange({a.shape[axis]}) + 1.0)",
    ]
    g.add(g.source.pick(texts))


@kind("softmax", 6)
def softmax(g: Grower) -> None:
    a = g.floats(lambda s: s.rank > 0 and s.size > 0)
    axis = g.source.pick(("", f", axis={g.axis(a)}"))
    g.add(f"nn.{g.source.pick(('softmax', 'log_softmax'))}({a}{axis})")


@kind("masked softmax", 2)
def masked_softmax(g: Grower) -> None:
    a = g.floats(lambda s: s.rank > 0 and s.size > 0)
    hidden = g.source.pick(("-1e4", "-np.inf"))
    g.add(f"nn.softmax(np.where({mask_of(g, a.shape)}, {a}, {hidden}))")


@kind("normalise", 5)
def normalise(g: Grower) -> None:
    a = g.floats(lambda s: s.rank > 0 and s.size > 0)
    rows = [s for s in g.slots if s.floating and s.shape == a.shape[-1:] and s.dtype == a.dtype]
    gain = f", {g.source.pick(rows)}" if rows and g.source.below(2) else ""
    both = f"{gain}, {g.source.pick(rows)}" if gain else ""
    texts = [f"nn.layer_norm({a}{both})", f"nn.rms_norm({a}{gain})"]
    texts.append(f"({a} - np.mean({a}, axis=0)) / np.sqrt(np.var({a}, axis=0) + 0.01)")
    g.add(g.source.pick(texts))


@kind("batch norm", 3)
def batch_norm(g: Grower) -> None:
    a = g.floats(lambda s: s.rank > 1 and s.size > 0 and s.dtype == "float32")
    row = g.floats(lambda s: s.shape == a.shape[-1:] and s.dtype == "float32")
    train = g.source.pick(("True", "False"))
    g.add(f"graphc.tree.leaves(nn.batch_norm({a}, {row}, {row}, {row}, np.abs({row}) + 1, train={train}))", 3)


def _small(slot: Slot) -> bool:
    return slot.floating and slot.rank >= 1 and slot.size <= 2000


@kind("matmul", 5)
def matmul(g: Grower) -> None:
    a = g.floats(lambda s: s.rank > 0)
    b = g.floats(lambda s: s.rank > 0 and s.dtype == a.dtype and a.size * s.size <= 2_000_000)
    for text in (f"{a} @ {b}", f"{a} @ {b}.mT", f"{a}.mT @ {b}", f"np.dot({a}, {b}.T)"):
        try:
            g.add(text)
        except Rejected:
            continue
        return
    raise Rejected


@kind("square product", 2)
def square_product(g: Grower) -> None:
    a = g.choose(lambda s: _small(s) and s.rank >= 2)
    texts = [f"{a} @ {a}.mT", f"{a}.mT @ {a}", f"np.einsum('...ij,...kj->...ik', {a}, {a})"]
    g.add(g.source.pick(texts))


EINSUMS: Final = (
    "ij,kj->ik",
    "ij,jk->ik",
    "ij,ij->i",
    "ij,ij->",
    "ij->ji",
    "ij->j",
    "i,j->ij",
    "ii->i",
    "ii",
    "bij,bjk->bik",
    "bij,bkj->bik",
    "bij,bij->bj",
    "bij,j->bi",
    "bij->jb",
    "ij,jk,kl->il",
    "bhqd,bhkd->bhqk",
)


@kind("einsum", 4)
def einsum(g: Grower) -> None:
    subscripts = g.source.pick(EINSUMS)
    terms = subscripts.split("->")[0].split(",")
    sizes: dict[str, int] = {}
    names = []
    for term in terms:

        def fits(slot: Slot, term: str = term) -> bool:
            pairs = list(zip(term, slot.shape, strict=False))
            apart = len(set(pairs)) == len({letter for letter, _ in pairs})
            return _small(slot) and slot.rank == len(term) and apart and all(sizes.get(c, n) == n for c, n in pairs)

        slot = g.choose(fits)
        sizes.update(zip(term, slot.shape, strict=True))
        names.append(slot.name)
    g.add(f"np.einsum('{subscripts}', {', '.join(names)})")


@kind("outer", 2)
def outer(g: Grower) -> None:
    a = g.floats(lambda s: s.rank == 1)
    b = g.floats(lambda s: s.rank == 1 and s.dtype == a.dtype and a.size * s.size <= g.most)
    texts = [f"np.outer({a}, {b})", f"np.multiply.outer({a}, {b})", f"{a}[:, None] - {b}"]
    if a.shape == b.shape:
        texts += [f"np.inner({a}, {b})", f"np.vdot({a}, {b})", f"np.dot({a}, {b})", f"np.tensordot({a}, {b}, 1)"]
    g.add(g.source.pick(texts))


@kind("products", 2)
def products(g: Grower) -> None:
    """Products by other names."""
    a = g.floats(lambda s: s.rank > 0 and 0 < s.size <= 200)
    b = g.floats(lambda s: s.rank == a.rank and s.dtype == a.dtype and s.size > 0 and a.size * s.size <= g.most)
    texts = [f"np.kron({a}, {b})"]
    if a.shape == b.shape:
        texts += [f"np.linalg.vecdot({a}, {b})", f"np.linalg.vector_norm({a} - {b} * 0.5, axis=-1)"]
    if a.rank == 2 and a.shape[0] == a.shape[1] <= 9:
        texts += [
            f"np.linalg.matrix_power({a}, {g.source.pick((2, 3, 1))})",
            f"np.linalg.multi_dot([{a}, {a}, {a}])",
        ]
    g.add(g.source.pick(texts))


@kind("linear", 2)
def linear(g: Grower) -> None:
    w = g.floats(lambda s: s.rank == 2 and s.size > 0)
    a = g.floats(lambda s: s.rank > 0 and s.shape[-1] == w.shape[0] and s.dtype == w.dtype)
    g.add(f"nn.{g.source.pick(('relu', 'gelu', 'silu'))}(nn.linear({a}, {w}))")


@kind("attention", 3)
def attention(g: Grower) -> None:
    q = g.floats(lambda s: s.rank >= 2 and 0 < s.size <= 2000 and s.dtype == "float32")
    k = g.floats(lambda s: s.shape[-1:] == q.shape[-1:] and s.shape[:-2] == q.shape[:-2] and _small(s) and s.rank >= 2)
    v = g.floats(lambda s: s.shape[:-1] == k.shape[:-1] and s.size > 0)
    if not q.dtype == k.dtype == v.dtype:
        raise Rejected
    t, s = q.shape[-2], k.shape[-2]
    forms = [
        f"nn.attention({q}, {k}, {v})",
        f"nn.attention({q}, {k}, {v}, causal=True)",
        f"nn.attention({q}, {k}, {v}, mask={mask_of(g, (t, s))})",
        f"nn.softmax({q} @ {k}.mT * 0.5) @ {v}",
        f"nn.softmax(np.where({mask_of(g, (t, s))}, {q} @ {k}.mT, -1e9)) @ {v}",
        f"nn.softmax({q} @ {k}.mT + np.where({mask_of(g, (t, s))}, 0, -np.inf).astype(f32)) @ {v}",
        f"nn.softmax(np.where(np.tril(np.ones(({t}, {s}), bool)), {q} @ {k}.mT / 2, -np.inf)) @ {v}",
    ]
    g.add(g.source.pick(forms))


@kind("cross entropy", 2)
def cross_entropy(g: Grower) -> None:
    a = g.floats(lambda s: s.rank > 0 and s.size > 0)
    n = a.shape[-1]
    ids = (
        f"(np.argmax({g.choose(lambda s: s.shape[:-1] == a.shape[:-1] and s.rank > 0 and s.size > 0)}, axis=-1) % {n})"
    )
    if g.source.below(2):
        ids, _ = ids_of(g, n, 1, lambda s: s.shape == a.shape[:-1])
        ids = f"({ids} % {n})"
    texts = [f"nn.cross_entropy({a}, {ids})"]
    if a.rank == 2:
        texts.append(f"-np.mean(nn.log_softmax({a})[np.arange({a.shape[0]}), {ids}])")
    if a.rank > 1:
        texts.append(f"nn.cross_entropy({a}, {ids}, mask=np.arange({a.shape[-2]}) > 0)")
        texts.append(f"nn.cross_entropy({a}, {ids} - 1, ignore_index=-1, reduction='sum')")
    texts.append(f"nn.cross_entropy({a}, {ids}, label_smoothing=0.25, reduction='none')")
    g.add(g.source.pick(texts))


@kind("embedding", 3)
def embedding(g: Grower) -> None:
    table = g.floats(lambda s: s.rank == 2 and s.size > 0)
    ids, _ = ids_of(g, table.shape[0], table.shape[1])
    g.add(f"nn.embedding({table}, {ids} % {table.shape[0]})")
