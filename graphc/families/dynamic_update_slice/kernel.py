"""The kernel that writes one row of a stack, in the bytes of the stack."""

from __future__ import annotations

from graphc.codegen.kernel import Bindings, BuildContext, KernelSource, settle
from graphc.codegen.launch import Launch
from graphc.ir.graph import Graph
from graphc.ir.index import LANES


def dynamic_update_slice(body: Graph, context: BuildContext) -> list[KernelSource]:
    """The kernel that writes one row of a stack; the other rows stay as they are."""
    (node,) = body.nodes
    stack, after, row = node.inputs
    width = LANES if row.type.size % LANES == 0 and row.type.size else 1
    slots = stack.type.shape[0]
    launch = Launch(body, context, "dynamic_update_slice")

    def write(bindings: Bindings) -> KernelSource:
        new = bindings.read(row, vector=width == LANES)
        number = bindings.read(after).load("0u")
        written = bindings.write(body.outputs[0], vector=width == LANES)
        items = row.type.size // width
        store = written.store(f"slot * {items}u + item", new.load("item"))
        holes = {"slot": f"min(u32({number} + {node.attrs['shift']}), {slots - 1}u)", "store": store}
        return launch.kernel("dynamic_update_slice", "dynamic_update_slice", bindings, items, holes)

    return [settle(context, write)]
