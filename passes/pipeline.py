"""The pass pipeline: a pass maps a Graph to a Graph; `run` applies a tuple of them and verifies what each makes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from graphc.analysis.loops import is_loop
from graphc.errors import GraphError
from graphc.ir.graph import Graph, Node
from graphc.ir.rewriting import map_nodes
from graphc.passes.attention import Attention, attention
from graphc.passes.canonicalize.cse import cse, drop_barriers
from graphc.passes.canonicalize.dce import dce
from graphc.passes.canonicalize.empty import empty
from graphc.passes.canonicalize.fold import fold
from graphc.passes.canonicalize.inline import inline
from graphc.passes.canonicalize.simplify import simplify
from graphc.passes.fusion.fuse import Fuse, fuse
from graphc.passes.fusion.wide import narrow
from graphc.passes.loops import loops
from graphc.passes.marks.megakernel import megakernel
from graphc.passes.marks.textures import textures
from graphc.passes.memory.alternate import alternate
from graphc.passes.memory.order import order
from graphc.passes.memory.residuals import residuals
from graphc.passes.ranges import Ranges, ranges
from graphc.passes.split import split
from graphc.plan.plan import Target

GraphPass = Callable[[Graph], Graph]
"""A pass. One with options is a frozen dataclass with `__call__`."""

Observe = Callable[[str, Graph, Graph], None]
"""Called after each pass with its name, the graph before it and the graph after it."""

DEFAULT: Final[tuple[GraphPass, ...]] = (
    attention,
    inline,
    ranges,
    loops,
    empty,
    fold,
    simplify,
    split,
    cse,
    dce,
    residuals,
    fuse,
    order,
    alternate,
    textures,
    megakernel,
)

LEGALIZE: Final[tuple[GraphPass, ...]] = (inline, loops, empty, drop_barriers, split, narrow, dce)
"""What lowering needs in any case; `passes=()` compiles with these alone."""


def pass_name(graph_pass: GraphPass) -> str:
    """The name of a pass: that of its function, or of its class in lower case."""
    return str(getattr(graph_pass, "__name__", type(graph_pass).__name__.lower()))


def informed(
    passes: Sequence[GraphPass], target: Target, donated: frozenset[int] = frozenset(), trust: bool = True
) -> tuple[GraphPass, ...]:
    """The passes, told what a program is compiled for; `ranges` is among them in any case.

    donated: input slots whose buffers results may take over. trust: indices that are arguments are looked at before a
    call (see graphc.index_check).
    """

    def told(graph_pass: GraphPass) -> GraphPass:
        match graph_pass:
            case Attention():
                return replace(graph_pass, target=target)
            case Fuse():
                return replace(graph_pass, donated=donated)
            case Ranges():
                return replace(graph_pass, trust=trust)
        return graph_pass

    if not any(isinstance(p, Ranges) for p in passes):
        passes = (ranges, *passes)
    return tuple(told(p) for p in passes)


def run(graph: Graph, passes: Sequence[GraphPass], observe: Observe | None = None) -> Graph:
    """Apply `passes` in order, verifying each graph that one of them makes.

    Raises GraphError that names the pass, and the node where there is one, if a pass fails, breaks an invariant of
    the graph, or changes the types of its inputs or outputs.
    """
    inferred: set[Node] = set()
    for graph_pass in passes:
        name = pass_name(graph_pass)
        before = graph
        try:
            graph = graph_pass(_bodies(before, graph_pass, inferred))
            if graph is not before:
                graph = graph if graph.called == before.called else replace(graph, called=before.called)
                graph.verify(inferred)
                _same_interface(before, graph)
        except Exception as error:
            raise GraphError(f"pass {name}: {type(error).__name__}: {error}") from error
        if observe is not None:
            observe(name, before, graph)
    return graph


def _bodies(graph: Graph, graph_pass: GraphPass, inferred: set[Node]) -> Graph:
    """The graph with the pass applied to the bodies of its loops, inner ones first."""
    if isinstance(graph_pass, Ranges) or not any(map(is_loop, graph.nodes)):
        return graph  # of a body alone, Ranges could not say what is in range
    if isinstance(graph_pass, Fuse) and graph_pass.donated:
        graph_pass = replace(graph_pass, donated=frozenset())  # those are inputs of the program, not of a step

    def passed(node: Node) -> Node:
        if not is_loop(node):
            return node
        body = node.attrs["body"]
        after = graph_pass(_bodies(body, graph_pass, inferred))
        after.verify(inferred)
        _same_interface(body, after)
        return node if after is body else replace(node, attrs={**node.attrs, "body": after})

    return map_nodes(graph, passed)


def _same_interface(before: Graph, after: Graph) -> None:
    for what, old, new in (("inputs", before.inputs, after.inputs), ("outputs", before.outputs, after.outputs)):
        if [v.type for v in old] != [v.type for v in new]:
            raise GraphError(f"the {what} were {[v.type for v in old]} and became {[v.type for v in new]}")


def stages(graph: Graph, passes: Sequence[GraphPass]) -> list[tuple[str, Graph]]:
    """The traced graph, and the graph after each pass; also after those that lowering needs, where they change it."""
    found = [("traced", graph)]
    run(graph, passes, lambda name, before, after: found.append((name, after)))
    for needed in LEGALIZE:
        after = run(found[-1][1], (needed,))
        if after.nodes != found[-1][1].nodes:
            found.append((pass_name(needed), after))
    return found
