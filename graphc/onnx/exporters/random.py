"""Exporter of random bits: Threefry-2x32 in int64, with what is above 32 bits cut off."""

from __future__ import annotations

import math

import numpy as np

from graphc.ir.graph import Node
from graphc.onnx.writing import Writer, exporter
from graphc.ops.random import PARITY, ROTATIONS


@exporter("random_bits")
def random_bits(w: Writer, node: Node, key: str) -> str:
    """The first word for counters (flat position, 0), as graphc.ops.random."""
    keys, shape = node.inputs[0].type.shape[:-1], node.attrs["shape"]
    count = math.prod(shape)

    def number(n: int) -> str:
        return w.constant(np.asarray(n, np.int64))

    def low(name: str) -> str:
        return str(w.add("BitwiseAnd", name, number(0xFFFFFFFF)))

    def plus(a: str, b: str) -> str:
        return low(w.add("Add", a, b))

    wide = w.add("Reshape", w.cast(key, np.int64), w.ints([math.prod(keys), 2]))
    words = w.add("Split", wide, count=2, axis=1, num_outputs=2)
    both = w.add("BitwiseXor", *words)
    schedule = [*words, w.add("BitwiseXor", both, number(PARITY))]
    first = plus(w.constant(np.arange(count, dtype=np.int64)), schedule[0])
    second = w.add("Expand", schedule[1], w.ints([math.prod(keys), count]))
    for group in range(5):
        for rotation in ROTATIONS[group % 2]:
            first = plus(first, second)
            up = low(w.add("Mul", second, number(1 << rotation)))
            down = w.add("Div", second, number(1 << (32 - rotation)))
            second = w.add("BitwiseXor", w.add("Add", up, down), first)
        first = plus(first, schedule[(group + 1) % 3])
        second = plus(second, w.add("Add", schedule[(group + 2) % 3], number(group + 1)))
    return w.cast(w.reshape(first, [*keys, *shape]), np.uint32)
