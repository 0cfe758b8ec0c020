"""What the kernels of matrices share: matrices in memory, kernels of a workgroup a matrix, fills and updates."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from graphc.codegen.kernel import Bindings, KernelSource, Operand, grid, settle
from graphc.codegen.launch import Launch
from graphc.ir.graph import Value
from graphc.kernels import render
from graphc.kernels.code import Code

BLOCK: Final = 32
"""Most columns of a panel, which one workgroup factors; what is right of it, all invocations update."""
FEW: Final = 64
MANY: Final = 256
"""Invocations of a workgroup that shares a matrix, of few elements or of many."""
MOST: Final = 8000
"""About as many turns as one invocation may take for a kernel."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """A stack of matrices in memory, reached through `operand`: [matrix, row, column]."""

    operand: Operand
    rows: int
    width: int

    def at(self, row: str, column: str) -> str:
        """The index of an element of the matrix number `matrix`."""
        return f"matrix * {self.rows * self.width}u + ({row}) * {self.width}u + {column}"

    def load(self, row: str, column: str) -> str:
        """The expression of an element."""
        return self.operand.load(self.at(row, column))

    def store(self, row: str, column: str, value: str) -> str:
        """The statement that writes an element."""
        return self.operand.store(self.at(row, column), value)


def size_of(value: Value) -> tuple[int, int, int]:
    """Matrices of a tensor, their rows and their columns."""
    *batch, rows, width = (1, *value.type.shape)
    return math.prod(batch), rows, width


def reading(bindings: Bindings, value: Value) -> Matrix:
    """A tensor that a kernel reads."""
    _, rows, width = size_of(value)
    return Matrix(bindings.read(value), rows, width)


def writing(bindings: Bindings, value: Value, again: bool = False) -> Matrix:
    """A tensor that a kernel writes; `again`: it also reads what stands there."""
    _, rows, width = size_of(value)
    return Matrix(bindings.write(value, access="read_write" if again else "write"), rows, width)


def shared(
    launch: Launch,
    template: str,
    bindings: Bindings,
    items: int,
    size: int,
    holes: Mapping[str, object],
    flops: int,
) -> KernelSource:
    """The kernel of a template whose workgroup of `size` invocations works on one of `items`."""
    workgroups = grid(items, launch.context.target)
    text = render(template, size=size, columns=workgroups[0], items=items, **holes)
    return KernelSource(template, launch.family, Code.of(text), bindings.operands(), workgroups, flops)


def invocations(launch: Launch, elements: int) -> int:
    """How many invocations share a matrix of so many elements: a power of two."""
    wanted, limit = FEW if elements <= FEW * FEW else MANY, launch.context.target.max_invocations
    return min(wanted, 1 << (limit.bit_length() - 1))


def fill(launch: Launch, made: Value, what: str, body: Callable[[Bindings, Matrix], str]) -> KernelSource:
    """The kernel that writes each element of `made`: body gives the statements, over matrix, row and column."""

    def generate(bindings: Bindings) -> KernelSource:
        _, rows, width = size_of(made)
        holes = {
            "what": what,
            "rows": rows,
            "width": width,
            "area": rows * width,
            "body": body(bindings, writing(bindings, made)),
        }
        return launch.kernel("factor_fill", "factor_fill", bindings, made.type.size, holes)

    return settle(launch.context, generate)


def copied(launch: Launch, source: Value, made: Value, what: str, value: str = "{x}") -> KernelSource:
    """The kernel that writes each element of `made` from that of `source` at the same place.

    value: an expression of the element {x}, at row and column, with {zero} of its type.
    """
    kind = made.type.dtype.wgsl

    def body(bindings: Bindings, written: Matrix) -> str:
        known = reading(bindings, source).load("row", "column")
        text = value.format(x=known, zero=f"{kind}(0.0)")
        return f"  {written.store('row', 'column', text)}"

    return fill(launch, made, what, body)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a matrix: rows and columns from `row` and `column` on, so many of each."""

    row: int
    column: int
    rows: int
    width: int


def update(
    launch: Launch,
    made: Value,
    part: Part,
    depth: int,
    factors: Callable[[Bindings, Matrix], tuple[str, str]],
    outside: str = "false",
) -> KernelSource:
    """The kernel that takes a product from a part of `made`.

    factors: the expressions of the elements p[i, k] and q[k, j], with i and j counted from the part's begin. outside:
    where nothing is to be done.
    """
    count, _, _ = size_of(made)
    items = count * part.rows * part.width

    def generate(bindings: Bindings) -> KernelSource:
        written = writing(bindings, made, again=True)
        left, right = factors(bindings, written)
        row, column = f"{part.row}u + i", f"{part.column}u + j"
        holes = {
            "rows": part.rows,
            "width": part.width,
            "area": part.rows * part.width,
            "depth": depth,
            "type": made.type.dtype.wgsl,
            "outside": outside,
            "left": left,
            "right": right,
            "store": written.store(row, column, f"{written.load(row, column)} - total"),
        }
        return launch.kernel("factor_update", "factor_update", bindings, items, holes, flops=2 * items * depth)

    return settle(launch.context, generate)


_SQUARES: Final[dict[str, tuple[int, int, int]]] = {"f32": (50, 80, 63), "f64": (480, 600, 520)}
"""Powers of two for each element type: how far from 1 a number is squared as it is, by what a larger one is divided
before, and by what a smaller one is multiplied."""


def lengths(kind: str) -> str:
    """Functions for the length of vectors of any scale: square_of(element), to be added, and length_of(sum)."""
    far, down, up = _SQUARES[kind]
    powers = {"large": far, "small": -far, "less": -down, "whole": down, "more": up, "tiny": -up}
    numbers = {name: f"{kind}({2.0**power!r})" for name, power in powers.items()}
    return render("factor_squares", type=kind, down=down, up=up, **numbers).rstrip()


_EXPONENT: Final[dict[str, tuple[str, int]]] = {
    "f32": ("(bitcast<u32>(element) >> 23u) & 0xffu", 0xFF),
    "f64": ("u32((bitcast<i64>(element) >> 52u) & i64(0x7ff))", 0x7FF),
}
"""How the exponent of an element is read of its bits, and that of what is infinite or NaN."""


def power(kind: str, exponent: str, inverse: bool = False) -> str:
    """The expression of a power of two with this exponent, in its bits, or of 1 divided by it."""
    bits = f"({_EXPONENT[kind][1] - 1}u - {exponent})" if inverse else exponent
    return f"bitcast<f32>({bits} << 23u)" if kind == "f32" else f"gc_from_words64({bits} << 20u, 0u)"


def exponents_of(launch: Launch, a: Value, made: Value, what: str = "matrix") -> KernelSource:
    """The kernel that finds the exponent of the largest element of each part, of which `power` makes numbers.

    what: the parts of `a`: each "matrix", each "column" of each, or each "lower triangle" with its diagonal.
    """
    count, rows, width = size_of(a)
    area = rows if what == "column" else rows * width
    size, zero = invocations(launch, area), f"{a.type.dtype.wgsl}(0.0)"
    exponent, most = _EXPONENT[a.type.dtype.wgsl]

    def generate(bindings: Bindings) -> KernelSource:
        known = bindings.read(a)
        element = known.load(f"item * {area}u + e")
        if what == "column":
            element = known.load(f"(item / {width}u * {rows}u + e) * {width}u + item % {width}u")
        elif what == "lower triangle":
            element = f"select({zero}, {element}, e % {width}u <= e / {width}u)"
        holes = {
            "what": what,
            "area": area,
            "turns": -(-area // size),
            "halvings": size.bit_length() - 1,
            "element": element,
            "exponent": exponent,
            "store": bindings.write(made).store("item", f"clamp(found[0], 1u, {most - 2}u)"),
        }
        return shared(launch, "factor_scale", bindings, count * rows * width // area, size, holes, 0)

    return settle(launch.context, generate)


def panel(launch: Launch, n: int) -> int:
    """Columns of a panel of matrices of n rows: as many as leave an invocation few enough turns."""
    block, size = BLOCK, invocations(launch, n * min(n, BLOCK))
    while block > 1 and block * (block * -(-n // size) + 4 * -(-n // size) + 8) > MOST:
        block //= 2
    return block


__all__ = [
    "Bindings",
    "KernelSource",
    "Launch",
    "Matrix",
    "Part",
    "copied",
    "exponents_of",
    "fill",
    "invocations",
    "lengths",
    "panel",
    "partial",
    "power",
    "reading",
    "settle",
    "shared",
    "size_of",
    "update",
    "writing",
]
