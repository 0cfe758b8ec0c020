"""The record of a loop: the parts of its node and of its body, and the node's attributes back again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

import graphc
from graphc.ir.scan import Scan
from graphc.passes import pipeline
from graphc.passes.loops import loops


def program(w: Any, x: Any, xs: Any) -> Any:
    return graphc.scan(lambda x, row: (x @ w + row, np.sum(x)), x, xs)


def test_the_parts_of_a_loop() -> None:
    graph = graphc.trace(program, graphc.spec((4, 4)), graphc.spec((4,)), graphc.spec((5, 4)))
    (node,) = (n for n in graph.nodes if n.op.repeats)
    loop = Scan.of(node)
    assert (loop.length, loop.consts, loop.carries, loop.reverse, loop.alive) == (5, 1, 1, False, -1)
    w, x, xs = graph.inputs
    assert loop.operands(node.inputs) == ((w,), (x,), (xs,))
    assert [[v.type.shape for v in part] for part in loop.operands(loop.body.inputs)] == [[(4, 4)], [(4,)], [(4,)]]
    assert [[v.type.shape for v in part] for part in loop.results(node.outputs)] == [[(4,)], [(5,)]]
    assert [[v.type.shape for v in part] for part in loop.results(loop.body.outputs)] == [[(4,)], [()]]
    assert loop.attrs == dict(node.attrs)


def test_a_loop_that_counts_takes_no_slices() -> None:
    graph = graphc.trace(program, graphc.spec((4, 4)), graphc.spec((4,)), graphc.spec((5, 4)))
    (before,) = (Scan.of(n) for n in graph.nodes if n.op.repeats)
    (after,) = (Scan.of(n) for n in pipeline.run(graph, (loops,)).nodes if n.op.repeats)
    assert (before.counted, after.counted) == (False, True)
    assert (after.consts, after.carries) == (2, 3)  # the rows; the results and the counter


def test_one_that_ends_by_itself_says_so() -> None:
    graph = graphc.trace(lambda x: graphc.while_loop(lambda x: x < 9, lambda x: x * 2, x, max_steps=8), np.float32(1))
    (node,) = (n for n in graph.nodes if n.op.repeats)
    loop = Scan.of(node)
    flag = loop.operands(loop.body.inputs).carries[loop.alive]
    assert flag.type.dtype.kind == "bool"
    assert loop.attrs == dict(node.attrs)
    assert "alive" not in replace(loop, alive=-1).attrs
