"""Running a transformed function on plain arrays: traced at every call, compiled once for each graph.

Tracing anew is what makes it behave as NumPy does: a closure's arrays are read at every call. The compiled program is
kept by the graph that came out, so a repeated call only traces.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final

from graphc import tree
from graphc.ir.graph import Graph, Value
from graphc.runtime import Array
from graphc.tracing.trace import trace_program

_KEPT: Final = 64
_compiled: OrderedDict[Hashable, Any] = OrderedDict()


def run_now(fn: Callable[..., Any], arguments: Sequence[Any], device: Any = None) -> Any:
    """`fn` of these trees of arrays and numbers; its results are Arrays.

    device: None for that of the first Array among the arguments, or the default one where there is none.
    """
    from graphc.compile import compile

    if device is None:
        device = next((leaf.device for leaf in tree.leaves(tuple(arguments)) if isinstance(leaf, Array)), None)
    program = trace_program(fn, tuple(arguments), {})
    key = (structure(program.graph), program.out_tree, program.out_tree.arrangement, device)
    found = _compiled.get(key)
    if found is None:
        found = _compiled[key] = compile(fn, device=device)
        if len(_compiled) > _KEPT:
            _compiled.popitem(last=False)
    _compiled.move_to_end(key)
    return found(*arguments)


def structure(graph: Graph) -> Hashable:
    """What makes two graphs compute the same: their ops, attributes, types and constants, not names or source lines."""
    number: dict[Value, int] = {}
    for value in graph.values():
        number[value] = len(number)
    constants = tuple((v.type, array.tobytes()) for v, array in graph.constants.items())
    nodes = tuple(
        (node.op.name, tuple(number[v] for v in node.inputs), len(node.outputs), _frozen(node.attrs))
        for node in graph.nodes
    )
    return tuple(v.type for v in graph.inputs), constants, nodes, tuple(number[v] for v in graph.outputs)


def _frozen(attrs: Any) -> Hashable:
    # The rule of a call matters to differentiation, which is over by now.
    return tuple((k, structure(v) if isinstance(v, Graph) else v) for k, v in attrs.items() if k != "rule")
