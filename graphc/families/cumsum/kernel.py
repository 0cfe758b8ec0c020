"""Running sums. A long line is summed in parts, whose sums are scanned in turn, and each part goes on from there."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from graphc.codegen.inplace import at_once
from graphc.codegen.kernel import Bindings, BuildContext, KernelSource, settle
from graphc.codegen.launch import Launch, rounded, sum_type
from graphc.ir.graph import Graph, Value, new_value
from graphc.ir.types import DType, TensorType
from graphc.plan.plan import Touch

LONG_LINE: Final = 512
"""Most steps of a part, and most parts that one adds up to know what is before it: an f32 sum of more terms loses
digits, and time."""


def cumsum(body: Graph, context: BuildContext) -> list[KernelSource]:
    """Kernels of a running sum: one, or for long lines those that sum their parts and scan the sums before it."""
    (node,) = body.nodes
    shape, axis = node.inputs[0].type.shape, node.attrs["axis"]
    line = Line(shape[axis], math.prod(shape[axis + 1 :]), node.attrs["reverse"])
    return scan(Launch(body, context, "cumsum"), node.inputs[0], body.outputs[0], line)


@dataclass(frozen=True, slots=True)
class Line:
    """A scan seen as [outer, steps, inner] along its middle axis, from the end where `reverse`."""

    steps: int
    inner: int
    reverse: bool = False

    @property
    def length(self) -> int:
        """Steps of a part."""
        return self.steps if self.steps <= LONG_LINE else min(math.isqrt(self.steps - 1) + 1, LONG_LINE)

    @property
    def parts(self) -> int:
        """Parts of a line."""
        return -(-self.steps // self.length)

    @property
    def holes(self) -> dict[str, object]:
        """What templates want to know of it."""
        return {
            "inner": self.inner,
            "parts": self.parts,
            "inner_parts": self.inner * self.parts,
            "inner_steps": self.inner * self.steps,
            "length": self.length,
            "steps": self.steps,
            "step": f"({self.steps - 1}u - t)" if self.reverse else "t",
        }


def scan(launch: Launch, x: Value, out: Value, line: Line) -> list[KernelSource]:
    """The kernels that write the running sums of `x` to `out`, which is of its size."""
    items = x.type.size // line.steps * line.parts
    if line.parts == 1:
        return [settle(launch.context, partial(_scan, launch, x, out, line, None, items))]
    sums = sum_type(x.type.dtype)
    parts = new_value(TensorType((items,), sums), "parts")
    kernels = [settle(launch.context, partial(_add, launch, x, parts, line, sums, items))]
    if line.parts > LONG_LINE:
        known = new_value(parts.type, "scanned")
        kernels += scan(launch, parts, known, replace(line, steps=line.parts, reverse=False))
        parts = known
    return [*kernels, settle(launch.context, partial(_scan, launch, x, out, line, parts, items))]


def _add(
    launch: Launch, x: Value, parts: Value, line: Line, sums: DType, items: int, bindings: Bindings
) -> KernelSource:
    load = bindings.read(x).load("at")
    store = bindings.write(parts).store("item", "total")
    holes = {**line.holes, "type": sums.wgsl, "load": load, "store": store}
    return launch.kernel("cumsum_parts", "cumsum_parts", bindings, items, holes, flops=x.type.size)


def _scan(
    launch: Launch, x: Value, out: Value, line: Line, parts: Value | None, items: int, bindings: Bindings
) -> KernelSource:
    """parts: the sum of each part, or of all up to it where these are many."""
    source, before = bindings.read(x), ""
    written = bindings.write(out)
    if parts is not None and line.parts > LONG_LINE:
        before = f"  if (part > 0u) {{ before = {bindings.read(parts).load(f'item - {line.inner}u')}; }}"
    elif parts is not None:
        earlier = bindings.read(parts).load(f"item - (part - p) * {line.inner}u")
        before = f"  for (var p = 0u; p < part; p++) {{  // at most {line.parts} turns\n    before += {earlier};\n  }}"
    holes = {
        **line.holes,
        "type": sum_type(x.type.dtype).wgsl,
        "before": before,
        "load": source.load("at"),
        "store": written.store("at", rounded("(before + total)", out.type.dtype)),
    }
    inplace, touches = at_once(written, source, Touch(False, "at", loops=(1,)))
    return launch.kernel(
        "cumsum", "cumsum", bindings, items, holes, flops=x.type.size, inplace=inplace, touches=touches
    )
