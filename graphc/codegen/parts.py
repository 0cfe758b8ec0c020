"""Long sums in two steps: kernels that leave parts of them in memory, and the one that adds these up."""

from __future__ import annotations

from graphc.codegen.emit import Emitter
from graphc.codegen.inplace import in_place
from graphc.codegen.kernel import Bindings, BuildContext, KernelSource
from graphc.codegen.launch import Launch
from graphc.ir.graph import Graph, Value
from graphc.ir.index import LANES, Idx, Index, variable
from graphc.ir.op import Lanes, Term
from graphc.ir.types import DType


def as_dtype(sums: Term, dtype: DType) -> Term:
    """Sums in the element type of the result."""
    if sums.dtype == dtype:
        return sums
    return Term(f"{Lanes(sums.width)(dtype)}({sums.text})", sums.width, dtype)


def sum_parts(
    body: Graph, context: BuildContext, bindings: Bindings, family: str, out: Value, parts: int, scratch: Value
) -> KernelSource:
    """The kernel that adds the parts of the sums of `out` and computes what follows in the body.

    scratch: of the type of the sums; `parts` times the elements of `out`, part after part.
    """
    lanes = LANES if out.type.size % LANES == 0 else 1
    items = out.type.size // lanes
    emitter = Emitter(body, bindings, "  ")
    source = bindings.read(scratch, vector=lanes == LANES)
    acc = scratch.type.dtype
    sums = Term("total", lanes, acc)
    flat = Idx("(i * 4u)", 1, LANES, out.type.size) if lanes == LANES else variable("i", out.type.size)
    emitter.bind(out, lambda index: as_dtype(sums, out.type.dtype))
    outputs = list(dict.fromkeys(body.outputs))
    terms = [emitter.read(v, Index(v.type.shape, flat=flat)) for v in outputs]
    written = [bindings.write(v, vector=lanes == LANES) for v in outputs]
    for value, operand, term in zip(outputs, written, terms, strict=True):
        emitter.write(operand, Index(value.type.shape, flat=flat), term)
    inplace, touches = in_place(emitter.touches, written, bindings)
    return Launch(body, context, family).kernel(
        f"{family}_sum_{context.label}",
        "sum_parts",
        bindings,
        items,
        {
            "what": context.label,
            "parts": parts,
            "lanes": lanes,
            "type": Lanes(lanes)(acc),
            "load": source.load(f"part * {items}u + i"),
            "finish": emitter.text,
        },
        flops=parts * out.type.size,
        inplace=inplace,
        touches=touches,
    )
