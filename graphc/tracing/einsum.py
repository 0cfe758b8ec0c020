"""Einstein summation by reduction to transpose, reshape, matmul, mul and sum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import ShapeError, TraceError
from graphc.ir.types import bool_, i32
from graphc.tracing.core import emit, owner
from graphc.tracing.promote import cast, common_dtype, converted, requested
from graphc.tracing.reductions import no_out, reduce
from graphc.tracing.shaping import part, permuted, reshape
from graphc.tracing.tracer import Tracer
from graphc.tracing.ufuncs import truth

Labels = list[Any]
"""One label an axis: a letter or number of the subscripts, or a position from the end within the ellipsis."""


def einsum(*operands: Any, out: Any = None, optimize: Any = False, dtype: Any = None, **options: Any) -> Tracer:
    """np.einsum: any subscripts that NumPy takes, also repeated labels, ellipses and the interleaved form."""
    no_out(out)
    subscripts, given = _normal_form(operands)
    trace = owner(given)
    common = requested(dtype, common_dtype(tuple(given)))
    parts = [converted(trace, x, common) for x in given]
    if common == bool_:
        parts = [cast(x, i32) for x in parts]
    inputs, output = _parse(subscripts, parts)
    sizes = _sizes(inputs, parts)
    terms = [_prepared(x, labels, sizes) for x, labels in zip(parts, inputs, strict=True)]
    made = _contract_all(terms, output, subscripts)
    return truth(made) if common == bool_ else made


def _normal_form(operands: tuple[Any, ...]) -> tuple[str | tuple[Any, ...], list[Any]]:
    """Subscripts and operands of either calling form."""
    if isinstance(operands[0], str):
        return operands[0].replace(" ", ""), list(operands[1:])
    given, lists = list(operands[0::2]), list(operands[1::2])
    output = None
    if len(given) > len(lists):
        output = given.pop()
    return (lists, output), given


def _parse(subscripts: Any, parts: Sequence[Tracer]) -> tuple[list[Labels], Labels]:
    """Labels of each operand and of the output, with ellipses written out."""
    if isinstance(subscripts, str):
        left, arrow, right = subscripts.partition("->")
        terms: list[Labels] = [_letters(text) for text in left.split(",")]
        wanted = _letters(right) if arrow else None
    else:
        terms = [list(labels) for labels in subscripts[0]]
        wanted = None if subscripts[1] is None else list(subscripts[1])
    if len(terms) != len(parts):
        raise ShapeError(f"subscripts name {len(terms)} operands, got {len(parts)}")
    spread = 0
    inputs = []
    for labels, x in zip(terms, parts, strict=True):
        rank = x.ndim - (len(labels) - labels.count(...))
        if rank < 0 or (rank and ... not in labels) or labels.count(...) > 1:
            raise ShapeError(f"subscripts name {len(labels)} axes of an operand that is {x.value.type}")
        spread = max(spread, rank)
        inputs.append(_written_out(labels, rank))
    if wanted is None:
        flat = [k for labels in terms for k in labels if k is not ...]
        wanted = [..., *sorted(k for k in set(flat) if flat.count(k) == 1)]
    output = _written_out(wanted, spread)
    known = {k for labels in inputs for k in labels}
    for k in output:
        if k not in known:
            raise ShapeError(f"the output names {k!r}, which no operand has")
    if len(set(output)) != len(output):
        raise ShapeError("the output names an axis twice")
    return inputs, output


def _letters(text: str) -> Labels:
    labels: Labels = []
    for piece in text.replace("...", "~"):
        if piece == "~":
            labels.append(...)
        elif piece.isalpha():
            labels.append(piece)
        else:
            raise TraceError(f"subscripts hold {piece!r}: needs letters, commas, ... and ->")
    return labels


def _written_out(labels: Labels, rank: int) -> Labels:
    made: Labels = []
    for k in labels:
        made += [("...", i - rank) for i in range(rank)] if k is ... else [k]
    return made


def _sizes(inputs: Sequence[Labels], parts: Sequence[Tracer]) -> dict[Any, int]:
    """The length of each label's axes; length 1 stretches, as in broadcasting."""
    sizes: dict[Any, int] = {}
    for labels, x in zip(inputs, parts, strict=True):
        for k, n in zip(labels, x.shape, strict=True):
            if sizes.setdefault(k, n) == 1:
                sizes[k] = n
            elif n not in (1, sizes[k]):
                raise ShapeError(f"label {k!r} has length {sizes[k]} and {n}")
    return sizes


def _prepared(x: Tracer, labels: Labels, sizes: dict[Any, int]) -> tuple[Tracer, Labels]:
    """An operand whose labels are distinct (by diagonals) and whose stretched axes are taken out."""
    for k in dict.fromkeys(labels):
        while labels.count(k) > 1:
            i = labels.index(k)
            j = labels.index(k, i + 1)
            x, labels = _diagonal(x, labels, i, j)
    stretched = [i for i, k in enumerate(labels) if x.shape[i] == 1 and sizes[k] != 1]
    if stretched:
        x = reshape(x, tuple(n for i, n in enumerate(x.shape) if i not in stretched))
        labels = [k for i, k in enumerate(labels) if i not in stretched]
    return x, labels


def _diagonal(x: Tracer, labels: Labels, i: int, j: int) -> tuple[Tracer, Labels]:
    """Axes i < j of one label made one, last."""
    rest = [a for a in range(x.ndim) if a not in (i, j)]
    m, n = x.shape[i], x.shape[j]
    if m != n:
        raise ShapeError(f"label {labels[i]!r} has length {m} and {n} in one operand")
    kept = tuple(x.shape[a] for a in rest)
    flat = reshape(permuted(x, (*rest, i, j)), (*kept, n * n))
    return part(flat, len(rest), 0, n * n, n + 1), [*(labels[a] for a in rest), labels[i]]


def _contract_all(terms: list[tuple[Tracer, Labels]], output: Labels, subscripts: Any) -> Tracer:
    """Contract pairs until one operand is left; more than two operands in NumPy's greedy order."""
    order = [(0, 1)] * (len(terms) - 1) if len(terms) < 3 else _order(terms, output)
    for i, j in order:
        (x, a), (y, b) = terms[i], terms[j]
        rest = [term for at, term in enumerate(terms) if at not in (i, j)]
        wanted = {k for _, labels in rest for k in labels} | set(output)
        joint = [k for k in output if k in a or k in b] if not rest else []
        kept = joint or [k for k in dict.fromkeys([*a, *b]) if k in wanted]
        terms = [*rest, contract(x, a, y, b, kept)]
    x, labels = terms[0]
    return _finish(x, labels, output)


def _order(terms: Sequence[tuple[Tracer, Labels]], output: Labels) -> list[tuple[int, int]]:
    """Pairs to contract, by np.einsum_path; each result goes to the end of the list."""
    known = {k: i for i, k in enumerate(dict.fromkeys(k for _, labels in terms for k in labels))}
    if len(known) > 52:
        return [(0, 1)] * (len(terms) - 1)
    arguments: list[Any] = []
    for x, labels in terms:
        arguments += [np.broadcast_to(np.float32(0), x.shape), [known[k] for k in labels]]
    path = np.einsum_path(*arguments, [known[k] for k in output], optimize="greedy")[0][1:]
    pairs: list[tuple[int, int]] = []
    for group in path:
        chosen = sorted(group)
        if len(chosen) == 1:
            continue
        pairs.append((chosen[0], chosen[1]))
        # A group of more than two is contracted pair by pair: each result stands last.
        left, total = sorted(chosen[2:]), 2
        removed = chosen[:2]
        size = len(terms) - len(pairs)
        for at in left:
            shifted = at - sum(r < at for r in removed)
            pairs.append((shifted, size - 1))
            removed.append(at)
            total += 1
            size -= 1
    return pairs


def _finish(x: Tracer, labels: Labels, output: Labels) -> Tracer:
    """Sum over what the output does not name, and bring the rest into its order."""
    x, labels = _sum_out(x, labels, output)
    missing = [k for k in output if k not in labels]
    assert not missing, "every label of the output is in some operand"
    return permuted(x, [labels.index(k) for k in output])


def _sum_out(x: Tracer, labels: Labels, kept: Sequence[Any]) -> tuple[Tracer, Labels]:
    axes = tuple(i for i, k in enumerate(labels) if k not in kept)
    return reduce("sum", x, axes, False), [k for k in labels if k in kept]


def contract(x: Tracer, a: Labels, y: Tracer, b: Labels, kept: Sequence[Any]) -> tuple[Tracer, Labels]:
    """The sum of products of two operands over the labels that are not kept; labels in the order of `kept`.

    Labels that both have and that are kept become batch axes of a matmul, those that go its inner axis. Without an
    inner axis, or with nothing but one, it is mul (and sum).
    """
    x, a = _sum_out(x, a, [*b, *kept])
    y, b = _sum_out(y, b, [*a, *kept])
    batch = [k for k in kept if k in a and k in b]
    inner = [k for k in a if k in b and k not in kept]
    rows, columns = [k for k in a if k not in b], [k for k in b if k not in a]
    if columns and rows and list(kept) == [*batch, *columns, *rows]:
        x, a, y, b, rows, columns = y, b, x, a, columns, rows
    if inner and (rows or columns):
        made = _by_matmul(x, a, y, b, (batch, rows, inner, columns))
        labels = [*batch, *rows, *columns]
    else:
        labels = [k for k in kept if k in a or k in b] + inner
        made = emit("mul", _aligned(x, a, labels), _aligned(y, b, labels))
        made, labels = _sum_out(made, labels, kept)
    return permuted(made, [labels.index(k) for k in kept]), list(kept)


def _aligned(x: Tracer, labels: Labels, wanted: Labels) -> Tracer:
    """`x` with its axes in the order of `wanted`, and axes of length 1 where it lacks a label."""
    have = [k for k in wanted if k in labels]
    x = permuted(x, [labels.index(k) for k in have])
    return reshape(x, tuple(x.shape[have.index(k)] if k in have else 1 for k in wanted))


def _by_matmul(x: Tracer, a: Labels, y: Tracer, b: Labels, groups: tuple[Labels, Labels, Labels, Labels]) -> Tracer:
    batch, rows, inner, columns = groups
    size = dict(zip(a, x.shape, strict=True)) | dict(zip(b, y.shape, strict=True))
    lead = tuple(size[k] for k in batch)
    m, k, n = (math.prod(size[label] for label in group) for group in (rows, inner, columns))
    left = permuted(x, [a.index(label) for label in (*batch, *rows, *inner)])
    right = permuted(y, [b.index(label) for label in (*batch, *inner, *columns)])
    made = emit("matmul", reshape(left, (*lead, m, k)), reshape(right, (*lead, k, n)))
    return reshape(made, (*lead, *(size[label] for label in rows), *(size[label] for label in columns)))
