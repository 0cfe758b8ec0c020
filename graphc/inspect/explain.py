"""Why the program has the kernels it has: each op, the kernel it went into, and what kept it out of a larger one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.analysis.loops import flatten
from graphc.ir.graph import Graph, Node, Value, format_node, value_names
from graphc.passes.fusion.explain import Decision
from graphc.plan.plan import Dispatch, Plan


def explain(graph: Graph, plan: Plan, decided: Mapping[Node, Decision]) -> str:
    """One paragraph a node of the lowered graph: its kernels, its ops with their source lines, and the decisions.

    decided: what fusion decided of each node that it was given; empty where it was not asked.
    """
    by_value = {value: decision for node, decision in decided.items() for value in node.outputs}
    by_node: dict[int, list[tuple[int, Dispatch]]] = {}
    for number, dispatch in enumerate(plan.dispatches):
        for part in dispatch.members or (dispatch,):
            by_node.setdefault(part.node, []).append((number, part))
    graph = flatten(graph).graph
    names = value_names(graph)
    lines = [f"{len(plan.dispatches)} dispatches of {len(plan.kernels)} kernels for {_count(graph)} ops"]
    for position, node in enumerate(graph.nodes):
        lines.append("")
        for loop in reversed(plan.loops):
            if plan.dispatches[loop.first].node == position:
                lines += [f"{loop.words}, dispatches {loop.first} to {loop.last}:", ""]
        parts = by_node.get(position, [])
        lines.append(_head(plan, [part for _, part in parts], [number for number, _ in parts]))
        inner = _ops(node, parts[0][1].nodes if parts else (), names)
        width = max((len(text) for text, _ in inner), default=0)
        for text, op in inner:
            lines.append(f"  {text:<{width}}  # {op.source}" if op.source.lines else f"  {text}")
        lines += [f"  - {reason}" for reason in dict.fromkeys(_reasons(node, by_value))]
    return "\n".join(lines)


def _reasons(node: Node, by_value: Mapping[Value, Decision]) -> tuple[str, ...]:
    decision = next((by_value[value] for value in node.outputs if value in by_value), None)
    why = (*(decision.why if decision else ()), *node.attrs.get("why", ()))
    return why or ("not fused: it was made by no fusion pass",)


def _head(plan: Plan, dispatches: list[Dispatch], numbers: list[int]) -> str:
    if not dispatches:
        return "no kernel: its result is another tensor seen through a view"
    names = ", ".join(dict.fromkeys(plan.kernels[d.kernel].name for d in dispatches))
    which = f"dispatch {numbers[0]}" if len({*numbers}) == 1 else f"dispatches {numbers[0]} to {numbers[-1]}"
    read, written = sum(d.bytes_read for d in dispatches), sum(d.bytes_written for d in dispatches)
    copied = [plan.tensors[s.tensor].name for d in dispatches for s in d.copies]
    before = f", after copying {', '.join(copied)} to textures" if copied else ""
    flops = sum(d.flops for d in dispatches)
    return f"kernel {names} ({which}): reads {read} bytes, writes {written}, {flops} flops{before}"


def _ops(node: Node, printed: Sequence[str], names: Mapping[Value, str]) -> list[tuple[str, Node]]:
    """The ops that a node holds, each with its text (as the plan printed it, where it did)."""
    body = node.attrs.get("body")
    if not isinstance(body, Graph):
        return [(format_node(node, dict(names)), node)]
    if len(printed) != len(body.nodes):
        printed = [format_node(inner, value_names(body)) for inner in body.nodes]
    return list(zip(printed, body.nodes, strict=True))


def _count(graph: Graph) -> int:
    bodies = [node.attrs.get("body") for node in graph.nodes]
    return sum(len(body.nodes) if isinstance(body, Graph) else 1 for body in bodies)
