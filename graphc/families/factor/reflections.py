"""QR by reflections (Householder): a panel of columns by one workgroup for each matrix, other columns by one each."""

from __future__ import annotations

from graphc.codegen.kernel import Bindings, KernelSource, settle
from graphc.codegen.launch import Launch
from graphc.families.factor.base import (
    MOST,
    Matrix,
    exponents_of,
    fill,
    invocations,
    lengths,
    power,
    reading,
    shared,
    size_of,
    writing,
)
from graphc.families.scatter_add.partition import zeros
from graphc.ir.graph import Graph, Value, new_value
from graphc.ir.types import TensorType, u32

PANEL = 16
"""Most columns of a panel."""


def qr(launch: Launch, body: Graph) -> list[KernelSource]:
    """The kernels of q and r."""
    (a,), (q, r) = body.nodes[0].inputs, body.nodes[0].outputs  # of which what has no elements is no output
    if not a.type.size:
        return [*(zeros(launch, out, 1) for out in (r,) if out.type.size), *unfolded(launch, a, a, q)]
    work, shares = new_value(a.type, "reflections"), shares_of(a)
    count, _, n = size_of(a)
    exponents = new_value(TensorType((count * n,), u32), "exponents")
    # Where elements are small, parts of them may be so small that drivers take them for 0: powers of two make the
    # largest element of each column about 1. Q stays as it is, and the columns of R are multiplied back.
    kernels = [
        exponents_of(launch, a, exponents, "column"),
        _scaled(launch, a, work, "columns divided by a power of two", exponents, True),
        *reflected(launch, work, shares),
    ]
    if r.type.size:
        kernels.append(_scaled(launch, work, r, "the upper triangle", exponents, False))
    return [*kernels, *unfolded(launch, work, shares, q)]


def _scaled(launch: Launch, source: Value, made: Value, what: str, exponents: Value, inverse: bool) -> KernelSource:
    """The kernel that copies columns divided by powers of two (`inverse`), or the upper triangle multiplied by them.

    Rows and columns of both lie alike; `made` may have fewer of them.
    """
    kind, (_, _, width) = made.type.dtype.wgsl, size_of(made)

    def body(bindings: Bindings, written: Matrix) -> str:
        number = power(kind, bindings.read(exponents).load(f"matrix * {width}u + column"), inverse)
        text = f"{reading(bindings, source).load('row', 'column')} * {number}"
        return f"  {written.store('row', 'column', text if inverse else f'select({kind}(0.0), {text}, column >= row)')}"

    return fill(launch, made, what, body)


def shares_of(a: Value) -> Value:
    """Where the share of each reflection stands: a reflection takes `share * v v^T` from 1."""
    *batch, m, n = a.type.shape
    return new_value(TensorType((*batch, 1, max(min(m, n), 1)), a.type.dtype), "shares")


def reflected(launch: Launch, work: Value, shares: Value) -> list[KernelSource]:
    """The kernels that make R and, below it, the vectors of the reflections of what stands in `work`."""
    _, m, n = size_of(work)
    most, block = min(m, n), PANEL
    size = invocations(launch, m * min(n, PANEL))
    while block > 1 and block * (2 * block * -(-m // size) + 2 * -(-m // size) + size // block + 10) > MOST:
        block //= 2
    kernels = []
    for first in range(0, most, block):
        end = min(first + block, most)
        kernels.append(_panel(launch, work, shares, first, end, size, block))
        if end < n:
            kernels.append(_reflect(launch, work, shares, work, range(first, end), end))
    return kernels


def unfolded(launch: Launch, work: Value, shares: Value, q: Value) -> list[KernelSource]:
    """The kernels that make Q of reflections: they are applied, the last one first, to columns of the identity."""
    if not q.type.size:
        return []
    _, m, n = size_of(work)
    kind = q.type.dtype.wgsl

    def ones(bindings: Bindings, written: Matrix) -> str:
        return f"  {written.store('row', 'column', f'select({kind}(0.0), {kind}(1.0), row == column)')}"

    turns = 2 * -(-m // invocations(launch, m)) + 10
    each = max(MOST // turns, 1)
    ends = range(min(m, n), 0, -each)
    parts = (range(max(end - each, 0), end)[::-1] for end in ends)
    return [fill(launch, q, "the identity", ones), *(_reflect(launch, work, shares, q, part, 0) for part in parts)]


def _panel(launch: Launch, work: Value, shares: Value, first: int, end: int, size: int, block: int) -> KernelSource:
    count, m, _ = size_of(work)
    block = min(block, size)

    def generate(bindings: Bindings) -> KernelSource:
        made = writing(bindings, work, again=True)
        share = writing(bindings, shares)
        holes = {
            "first": first,
            "end": end,
            "count": end - first,
            "m": m,
            "block": block,
            "lanes": size // block,
            "type": work.type.dtype.wgsl,
            "lengths": lengths(work.type.dtype.wgsl),
            "turns": -(-m // size),
            "column_turns": -(-m * block // size),
            "halvings": size.bit_length() - 1,
            "below": made.load("i", "j"),
            "top": made.load("j", "j"),
            "store_below": made.store("i", "j", "below"),
            "store_top": made.store("j", "j", "made"),
            "store_share": share.store("0u", "j", "share"),
            "other": made.load("i", "k"),
            "row": made.load("j", "k"),
            "store_row": made.store("j", "k", f"{made.load('j', 'k')} - total"),
            "store_other": made.store("i", "k", f"{made.load('i', 'k')} - total * {made.load('i', 'j')}"),
        }
        return shared(launch, "factor_householder", bindings, count, size, holes, 2 * count * m * (end - first) ** 2)

    return settle(launch.context, generate)


def _reflect(launch: Launch, work: Value, shares: Value, made: Value, reflections: range, start: int) -> KernelSource:
    """The kernel that applies reflections to the columns of `made` from `start` on, in the order of the range."""
    count, m, width = size_of(made)
    size, items = invocations(launch, m), count * (width - start)

    def generate(bindings: Bindings) -> KernelSource:
        own = writing(bindings, made, again=True)
        known = own if work is made else reading(bindings, work)
        share = reading(bindings, shares).load("0u", "j")
        which = f"{reflections.start}u {'+' if reflections.step > 0 else '-'} c"
        holes = {
            "count": len(reflections),
            "m": m,
            "width": width - start,
            "start": start,
            "which": which,
            "type": made.type.dtype.wgsl,
            "turns": -(-m // size),
            "halvings": size.bit_length() - 1,
            "vector": known.load("i", "j"),
            "own": own.load("i", "k"),
            "share": share,
            "top": own.load("j", "k"),
            "store_top": own.store("j", "k", f"{own.load('j', 'k')} - total"),
            "store_own": own.store("i", "k", f"{own.load('i', 'k')} - total * {known.load('i', 'j')}"),
        }
        flops = 4 * items * m * len(reflections)
        return shared(launch, "factor_reflect", bindings, items, size, holes, flops)

    return settle(launch.context, generate)
