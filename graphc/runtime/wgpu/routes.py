"""How the results of a program get their bytes."""

from __future__ import annotations

from graphc.plan.plan import Plan


def output_routes(plan: Plan) -> tuple[dict[int, int], list[tuple[int, int, int, int]]]:
    """How each output slot gets its bytes: kernels write them (slot -> buffer), or they are copied afterwards.

    A copy is (slot, buffer, byte offset, bytes) of where the tensor lies; it serves outputs that are inputs, constants,
    parts of an arena, or the same tensor as another output.
    """
    direct: dict[int, int] = {}
    copies: list[tuple[int, int, int, int]] = []
    donated = set(plan.donated)
    for slot, number in enumerate(plan.outputs):
        tensor = plan.tensors[number]
        if not tensor.nbytes:
            continue
        buffer = plan.buffers[tensor.buffer]
        owner = (buffer.kind == "output" and buffer.slot == slot) or (
            buffer.kind == "input" and (buffer.slot, slot) in donated
        )
        if owner and tensor.offset == 0:
            direct[slot] = tensor.buffer
        else:
            copies.append((slot, tensor.buffer, tensor.offset, tensor.nbytes))
    return direct, copies
