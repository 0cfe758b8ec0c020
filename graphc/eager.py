"""Running a transformed function on plain arrays: traced at every call, compiled once for each graph.

Tracing anew is what makes it behave as NumPy does: a closure's arrays are read at every call. The compiled program is
kept by the graph that came out, so a repeated call only traces.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final

from graphc import tree
from graphc.compile import compile
from graphc.ir.structure import structure
from graphc.runtime import Array
from graphc.tracing.trace import trace_program

_KEPT: Final = 64
_compiled: OrderedDict[Hashable, Any] = OrderedDict()


def run_now(fn: Callable[..., Any], arguments: Sequence[Any], device: Any = None) -> Any:
    """`fn` of these trees of arrays and numbers; its results are Arrays.

    device: None for that of the first Array among the arguments, or the default one where there is none.
    """
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
