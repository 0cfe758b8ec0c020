"""inline: the body of each `call` node takes its place."""

from __future__ import annotations

from dataclasses import replace

from graphc.ir import FORWARD, Builder, Graph, Source, Value
from graphc.op import Inline


def inline(graph: Graph) -> Graph:
    """Replace every node whose op is lowered as Inline by its body, nested ones included.

    The nodes of a body keep their own source lines and take the phase of the call.
    """
    if not any(isinstance(node.op.lowering, Inline) for node in graph.nodes):
        return graph
    builder = Builder()
    builder.inputs = list(graph.inputs)
    builder.constants = dict(graph.constants)
    env: dict[Value, Value] = {}
    for node in graph.nodes:
        if not isinstance(node.op.lowering, Inline):
            builder.copy(node, env)
            continue

        def located(source: Source, call: Source = node.source) -> Source:
            lines = source.lines or call.lines
            return replace(source, lines=lines, phase=call.phase if source.phase == FORWARD else source.phase)

        body = inline(node.attrs["body"])
        outputs = builder.inline(body, [env.get(v, v) for v in node.inputs], located)
        env.update(zip(node.outputs, outputs, strict=True))
    return builder.build([env.get(v, v) for v in graph.outputs])
