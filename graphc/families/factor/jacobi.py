"""Eigenvalues and singular values by rotations (Jacobi).

Rows meet in pairs, as many pairs at once as there are, in rounds in which each row meets each other one: a sweep. A
fixed number of sweeps makes all products vanish, to the last digits. A symmetric matrix is rotated from both sides, its
eigenvectors grow beside it; the columns of any other one are rotated until they are orthogonal, and are then singular
vectors times singular values.
"""

from __future__ import annotations

import math
from typing import Final

from graphc.codegen.kernel import Bindings, KernelSource, settle
from graphc.codegen.launch import Launch
from graphc.families.argsort.kernel import key_of
from graphc.families.factor.base import (
    FEW,
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
from graphc.families.factor.reflections import reflected, shares_of, unfolded
from graphc.families.scatter_add.partition import zeros
from graphc.ir.graph import Graph, Value, new_value
from graphc.ir.types import TensorType, u32

FIRST: Final = "p - turn.x * (q + turn.y * p)"
SECOND: Final = "q + turn.x * (p - turn.y * q)"
"""Two rows after a rotation."""


def sweeps(n: int, kind: str) -> int:
    """Sweeps after which nothing is left to be rotated, for n rows."""
    return 1 if n == 2 and kind != "f64" else 5 + n.bit_length() + (2 if kind == "f64" else 0)


def _rotated(launch: Launch, work: Value, length: int) -> list[KernelSource]:
    """The kernels that rotate the rows of `work`. length: of the vectors that become orthogonal, 0: from both sides."""
    count, n, width = size_of(work)
    if n < 2:
        return []
    kind, circle = work.type.dtype.wgsl, n - 1 + n % 2
    pairs = (n + 1) // 2
    size = invocations(launch, n * width)
    lanes = 1  # of a pair, for its products
    while length and lanes < FEW // 2 and 2 * lanes * pairs <= size:
        lanes *= 2
    at_once = size // lanes
    chunks, turns = -(-pairs // at_once), -(-length // lanes)
    row_turns, column_turns = -(-pairs * width // size), -(-pairs * n // size)
    each = row_turns + (chunks * (turns + lanes + 1) if length else -(-pairs // size) + column_turns) + 1
    total, most = sweeps(n, kind) * circle, max(MOST // each, 1)
    launches = -(-total // most)
    rounds = -(-total // launches)
    # All launches are of one kernel, which counts the rounds: so there is one to compile.
    counter = new_value(TensorType((count,), u32), "rounds")

    def generate(bindings: Bindings) -> KernelSource:
        made = writing(bindings, work, again=True)
        first, count_on = "0u", ""
        if launches > 1:
            known = bindings.write(counter, access="read_write")
            first = known.load("matrix")
            count_on = f"  if (local == 0u) {{ {known.store('matrix', f'first + {rounds}u')} }}"
        row_p, row_q = made.load("both.x", "column"), made.load("both.y", "column")
        shape = {"n": n, "pairs": pairs, "size": size, "type": kind, "lanes": lanes, "at_once": at_once}
        shape |= {"turns": turns, "few": -(-pairs // size)}
        holes = {
            "what": "until all are orthogonal" if length else "from both sides, until all but the diagonal is 0",
            "n": n,
            "width": width,
            "pairs": pairs,
            "rounds": rounds,
            "first": first,
            "count_on": count_on,
            "circle": circle,
            "type": kind,
            "close": f"{kind}({'3e-8' if kind == 'f32' else '5e-17'})",
            "tiny": f"{kind}({'1e-18' if kind == 'f32' else '1e-100'})",
            "isnan": "gc_isnan64" if kind == "f64" else "gc_isnan",
            "turns_at_all": _turns(kind),
            "row_items": pairs * width,
            "row_turns": row_turns,
            "row_p": row_p,
            "row_q": row_q,
            "store_row_p": made.store("both.x", "column", FIRST),
            "store_row_q": made.store("both.y", "column", SECOND),
            "shared": f"var<workgroup> sums: array<vec3<{kind}>, {size}>;\n" if length else "",
            "rotations": _of_products(made, length, chunks, shape) if length else _of_elements(made, shape),
            "columns_too": "" if length else _of_columns(made, column_turns, shape),
        }
        return shared(launch, "factor_jacobi", bindings, count, size, holes, 6 * count * rounds * pairs * width)

    kernel = settle(launch.context, generate)
    return [*([zeros(launch, counter, 1)] if launches > 1 else []), *[kernel] * launches]


def _turns(kind: str) -> str:
    """Whether there is a rotation at all: of its bits, since drivers may compare as if there were no NaN."""
    return "(bitcast<i64>(turn.x) != 0li)" if kind == "f64" else "((bitcast<u32>(turn.x) & 0x7fffffffu) != 0u)"


def _of_elements(made: Matrix, shape: dict[str, object]) -> str:
    """Statements that find the rotations of a symmetric matrix."""
    elements = ", ".join(made.load(f"both.{a}", f"both.{b}") for a, b in ("xx", "yy", "xy"))
    pairs, size = shape["pairs"], shape["size"]
    return f"""    for (var pair = local; pair < {pairs}u; pair += {size}u) {{  // at most {shape["few"]} turns
      let both = pair_of(round, pair);
      if (both.y < {shape["n"]}u) {{ turned[pair] = rotation({elements}); }}
    }}
    workgroupBarrier();
    storageBarrier();"""


def _of_products(made: Matrix, length: int, chunks: int, shape: dict[str, object]) -> str:
    """Statements that find the rotations of rows, from their squares and products, some lanes for each pair."""
    pairs, lanes, kind = shape["pairs"], shape["lanes"], shape["type"]
    return f"""    for (var chunk = 0u; chunk < {chunks}u; chunk++) {{
      let pair = chunk * {shape["at_once"]}u + local / {lanes}u;
      let lane = local % {lanes}u;
      let both = pair_of(round, min(pair, {pairs}u - 1u));
      let there = (pair < {pairs}u) & (both.y < {shape["n"]}u);
      var own = vec3<{kind}>();
      if (there) {{
        for (var column = lane; column < {length}u; column += {lanes}u) {{  // at most {shape["turns"]} turns
          let p = {made.load("both.x", "column")};
          let q = {made.load("both.y", "column")};
          own += vec3<{kind}>(p * p, q * q, p * q);
        }}
      }}
      sums[local] = own;
      workgroupBarrier();
      if (there & (lane == 0u)) {{
        for (var l = 1u; l < {lanes}u; l++) {{ own += sums[local + l]; }}
        turned[pair] = rotation(own.x, own.y, own.z);
      }}
      workgroupBarrier();
    }}
    storageBarrier();"""


def _of_columns(made: Matrix, turns: int, shape: dict[str, object]) -> str:
    """Statements that rotate the columns of the matrix, as its rows were."""
    pairs, size = shape["pairs"], shape["size"]
    row = f"e / {pairs}u"
    return f"""    for (var e = local; e < {pairs}u * {shape["n"]}u; e += {size}u) {{  // at most {turns} turns
      let both = pair_of(round, e % {pairs}u);
      let turn = turned[e % {pairs}u];
      if ((both.y < {shape["n"]}u) & {_turns(str(shape["type"]))}) {{
        let p = {made.load(row, "both.x")};
        let q = {made.load(row, "both.y")};
        {made.store(row, "both.x", FIRST)}
        {made.store(row, "both.y", SECOND)}
      }}
    }}
    storageBarrier();"""


def _work(a: Value, n: int, length: int) -> Value:
    """Memory for n rows of `length` elements, and what they are made from beside them."""
    return new_value(TensorType((*a.type.shape[:-2], n, length + n), a.type.dtype), "rotated")


def _start(launch: Launch, a: Value, work: Value, length: int, row: str, column: str, exponents: Value) -> KernelSource:
    """The kernel that writes the rows, and the identity beside them. exponents: of what the rows are divided by."""
    kind = work.type.dtype.wgsl

    def body(bindings: Bindings, written: Matrix) -> str:
        known = reading(bindings, a).load(row, column)
        known = f"{known} * {power(kind, bindings.read(exponents).load('matrix'), inverse=True)}"
        return f"""  var element = select({kind}(0.0), {kind}(1.0), column == row + {length}u);
  if (column < {length}u) {{ element = {known}; }}
  {written.store("row", "column", "element")}"""

    return fill(launch, work, "rows beside the identity", body)


def _ordered(
    launch: Launch,
    work: Value,
    keys: Value | None,
    length: int,
    less: str,
    values: Value,
    vectors: Value,
    turned: bool,
    exponents: Value,
    left: Value | None = None,
) -> KernelSource:
    """The kernel that writes values and vectors in order.

    keys: where the values stand, None for the diagonal of `work`. turned: whether vectors become columns. left: where
    the rows themselves go, each divided by its value, as columns. exponents: of what the values are multiplied by.
    """
    count, n, _ = size_of(work)

    def generate(bindings: Bindings) -> KernelSource:
        rows = reading(bindings, work)
        source, own, other = rows.operand, rows.at("row", "row"), rows.at("k", "k")
        if keys is not None:
            source, own, other = bindings.read(keys), "item", f"matrix * {n}u + k"
        key, kind = key_of(source)
        made = writing(bindings, vectors)
        extra = ""
        if left is not None:
            zero = f"{work.type.dtype.wgsl}(0.0)"
            text = f"select(sign * {rows.load('row', 'k')} / value, {zero}, value == {zero})"
            store = writing(bindings, left).store("k", "rank", text)
            extra = f"  for (var k = 0u; k < {length}u; k++) {{\n    {store}\n  }}"
        place = ("k", "rank") if turned else ("rank", "k")
        value = f"value * {power(work.type.dtype.wgsl, bindings.read(exponents).load('matrix'))}"
        holes = {
            "n": n,
            "type": work.type.dtype.wgsl,
            "key_own": own,
            "key_other": other,
            "kind": kind,
            "key": key,
            "less": less,
            "element": rows.load("row", f"{length}u + k"),
            "value": source.load(own),
            "store_value": bindings.write(values).store(f"matrix * {n}u + rank", value),
            "store_vector": made.store(*place, "sign * element"),
            "more": extra,
        }
        return launch.kernel("factor_order", "factor_order", bindings, count * n, holes, flops=count * n * n)

    return settle(launch.context, generate)


def eigh(launch: Launch, body: Graph) -> list[KernelSource]:
    """The kernels of eigenvalues and eigenvectors."""
    (a,), (values, vectors) = body.nodes[0].inputs, body.outputs
    count, n, _ = size_of(a)
    work, exponents = _work(a, n, n), new_value(TensorType((count,), u32), "exponents")
    return [
        exponents_of(launch, a, exponents, "lower triangle"),
        _start(launch, a, work, n, "max(row, column)", "min(row, column)", exponents),
        *_rotated(launch, work, 0),
        _ordered(launch, work, None, n, "<", values, vectors, True, exponents),
    ]


def svd(launch: Launch, body: Graph) -> list[KernelSource]:
    """The kernels of singular values and vectors, reduced: of the columns, or of the rows where these are fewer."""
    (a,), (u, s, vh) = body.nodes[0].inputs, body.outputs
    *batch, m, n = a.type.shape
    tall = m >= n
    few, length = min(m, n), max(m, n)
    work = _work(a, few, length)
    found, exponents = new_value(s.type, "lengths"), new_value(TensorType((math.prod(batch),), u32), "exponents")
    left = new_value(TensorType((*batch, length, few), a.type.dtype), "left")
    place = ("column", "row") if tall else ("row", "column")

    def measure(bindings: Bindings) -> KernelSource:
        rows = bindings.read(work)
        holes = {
            "length": length,
            "type": a.type.dtype.wgsl,
            "lengths": lengths(a.type.dtype.wgsl),
            "element": rows.load(f"item * {length + few}u + i"),
            "store": bindings.write(found).store("item", "length_of(total)"),
        }
        return launch.kernel("factor_lengths", "factor_lengths", bindings, s.type.size, holes, flops=2 * work.type.size)

    # Squares stay within the element type where the largest element is about 1: a power of two divides all for that.
    # The rows divided by their lengths are orthogonal but where a length is 0, or nearly: reflections complete them.
    shares = shares_of(left)
    whole = new_value(left.type, "whole")
    kernels = [
        exponents_of(launch, a, exponents),
        _start(launch, a, work, length, *place, exponents),
        *_rotated(launch, work, length),
        settle(launch.context, measure),
        _ordered(launch, work, found, length, ">", s, vh if tall else u, not tall, exponents, left),
        *reflected(launch, left, shares),
        *unfolded(launch, left, shares, whole),
    ]

    def signed(bindings: Bindings, written: Matrix) -> str:
        at = ("row", "column") if tall else ("column", "row")
        sign = reading(bindings, left).load(at[1], at[1])
        found = reading(bindings, whole).load(*at)
        return f"  {written.store('row', 'column', f'select({found}, -{found}, {sign} < {a.type.dtype.wgsl}(0.0))')}"

    return [*kernels, fill(launch, u if tall else vh, "the vectors with the signs that they had", signed)]
