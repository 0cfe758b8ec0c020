"""Cholesky and LU factors, and triangular solves: a panel at a time, then a product for what is left of the matrix.

A panel of a few columns is factored by one workgroup for each matrix, in the place of the matrix; all invocations then
take the product of the panel from what is right of it.
"""

from __future__ import annotations

from graphc.codegen.kernel import Bindings, KernelSource, settle
from graphc.codegen.launch import Launch
from graphc.families.factor.base import (
    BLOCK,
    Matrix,
    Part,
    copied,
    fill,
    invocations,
    panel,
    reading,
    shared,
    size_of,
    update,
    writing,
)
from graphc.ir.graph import Graph, Value


def cholesky(launch: Launch, body: Graph) -> list[KernelSource]:
    """The kernels of a Cholesky factor."""
    (a,), (out,) = body.nodes[0].inputs, body.outputs
    n, block = a.type.shape[-1], panel(launch, a.type.shape[-1])
    kernels = [copied(launch, a, out, "the lower triangle", "select({zero}, {x}, column <= row)")]
    for first in range(0, n, block):
        end = min(first + block, n)
        kernels.append(_cholesky_panel(launch, out, first, end))
        if end < n:

            def factors(bindings: Bindings, made: Matrix, first: int = first, end: int = end) -> tuple[str, str]:
                return made.load(f"{end}u + i", f"{first}u + k"), made.load(f"{end}u + j", f"{first}u + k")

            kernels.append(update(launch, out, Part(end, end, n - end, n - end), end - first, factors, "j > i"))
    return kernels


def _steps(launch: Launch, n: int, first: int, end: int) -> tuple[int, dict[str, object]]:
    """Invocations of a panel's kernel, and the holes that say how far it goes."""
    size = invocations(launch, n * min(n, BLOCK))
    return size, {
        "first": first,
        "end": end,
        "count": end - first,
        "n": n,
        "turns": -(-n // size),
        "updates": -(-(n - first) * (end - first) // size),
    }


def _cholesky_panel(launch: Launch, out: Value, first: int, end: int) -> KernelSource:
    count, n, _ = size_of(out)
    size, steps = _steps(launch, n, first, end)
    kind = out.type.dtype.wgsl
    nan = "gc_nan64" if kind == "f64" else "gc_nan"

    def generate(bindings: Bindings) -> KernelSource:
        made = writing(bindings, out, again=True)
        rest = f"{made.load('i', 'k')} - {made.load('i', 'j')} * {made.load('k', 'j')}"
        holes = {
            **steps,
            "type": kind,
            "nan": f"{nan}(top)",
            "top": made.load("j", "j"),
            "below": made.load("i", "j"),
            "store_below": made.store("i", "j", "below"),
            "store_rest": made.store("i", "k", rest),
        }
        return shared(launch, "factor_cholesky", bindings, count, size, holes, count * n * (end - first) ** 2)

    return settle(launch.context, generate)


def lu(launch: Launch, body: Graph) -> list[KernelSource]:
    """The kernels of LU factors with partial pivoting."""
    (a,), (out, order) = body.nodes[0].inputs, body.outputs
    n, block = a.type.shape[-1], panel(launch, a.type.shape[-1])

    def rows(bindings: Bindings, written: Matrix) -> str:
        return f"  {written.store('row', 'column', 'i32(column)')}"

    kernels = [copied(launch, a, out, "a copy"), fill(launch, order, "the order of the rows of each matrix", rows)]
    for first in range(0, n, block):
        end = min(first + block, n)
        kernels.append(_lu_panel(launch, out, order, first, end))
        if end < n:
            kernels.append(_substitute(launch, out, out, range(first, end), True, True, False, start=end))

            def factors(bindings: Bindings, made: Matrix, first: int = first, end: int = end) -> tuple[str, str]:
                return made.load(f"{end}u + i", f"{first}u + k"), made.load(f"{first}u + k", f"{end}u + j")

            kernels.append(update(launch, out, Part(end, end, n - end, n - end), end - first, factors))
    return kernels


def _lu_panel(launch: Launch, out: Value, order: Value, first: int, end: int) -> KernelSource:
    count, n, _ = size_of(out)
    size, steps = _steps(launch, n, first, end)

    def generate(bindings: Bindings) -> KernelSource:
        made = writing(bindings, out, again=True)
        rows = bindings.write(order, access="read_write")
        upper, lower = f"matrix * {n}u + j", f"matrix * {n}u + pivot"
        rest = f"{made.load('i', 'k')} - {made.load('i', 'j')} * {made.load('j', 'k')}"
        holes = {
            **steps,
            "type": out.type.dtype.wgsl,
            "halvings": size.bit_length() - 1,
            "below": made.load("i", "j"),
            "upper": made.load("j", "k"),
            "lower": made.load("pivot", "k"),
            "store_upper": made.store("j", "k", "lower"),
            "store_lower": made.store("pivot", "k", "upper"),
            "order_upper": rows.load(upper),
            "order_lower": rows.load(lower),
            "store_order_upper": rows.store(upper, "lower"),
            "store_order_lower": rows.store(lower, "upper"),
            "top": made.load("j", "j"),
            "store_below": made.store("i", "j", "below"),
            "store_rest": made.store("i", "k", rest),
        }
        return shared(launch, "factor_lu", bindings, count, size, holes, count * n * (end - first) ** 2)

    return settle(launch.context, generate)


def triangular_solve(launch: Launch, body: Graph) -> list[KernelSource]:
    """The kernels of a triangular solve: the rows of a block after each other, then all that come later at once."""
    (node,), (out,) = body.nodes, body.outputs
    a, b = node.inputs
    lower, unit, transposed = (node.attrs[key] for key in ("lower", "unit", "transposed"))
    (_, n, width), down = size_of(b), lower != transposed
    kernels = [copied(launch, b, out, "a copy")]
    blocks = [range(first, min(first + BLOCK, n)) for first in range(0, n, BLOCK)]
    for rows in blocks if down else reversed(blocks):
        kernels.append(_substitute(launch, a, out, rows, down, unit, transposed))
        left = range(rows.stop, n) if down else range(rows.start)
        if left:

            def factors(bindings: Bindings, made: Matrix, rows: range = rows, left: range = left) -> tuple[str, str]:
                place = (f"{left.start}u + i", f"{rows.start}u + k")
                known = reading(bindings, a).load(*(reversed(place) if transposed else place))
                return known, made.load(f"{rows.start}u + k", "j")

            kernels.append(update(launch, out, Part(left.start, 0, len(left), width), len(rows), factors))
    return kernels


def _substitute(
    launch: Launch, a: Value, out: Value, rows: range, down: bool, unit: bool, transposed: bool, start: int = 0
) -> KernelSource:
    """The kernel that solves for a block of rows, from column `start` on; `a` may lie in the same place."""
    count, _, width = size_of(out)
    depth, items = len(rows), count * (width - start)

    def generate(bindings: Bindings) -> KernelSource:
        made = writing(bindings, out, again=True)
        known = made if a is out else reading(bindings, a)

        def element(row: str, column: str) -> str:
            return known.load(column, row) if transposed else known.load(row, column)

        column = f"{start}u + column"
        total = "total" if unit else f"total / {element('i', 'i')}"
        holes = {
            "width": width - start,
            "depth": depth,
            "row": f"{rows.start}u + c" if down else f"{rows.stop - 1}u - c",
            "other": f"{rows.start}u + d" if down else f"{rows.stop - 1}u - d",
            "own": made.load("i", column),
            "element": element("i", "j"),
            "known": made.load("j", column),
            "store": made.store("i", column, total),
        }
        return launch.kernel("factor_solve", "factor_solve", bindings, items, holes, flops=items * depth * depth)

    return settle(launch.context, generate)
