"""simplify: algebraic rewriting by a table of rules.

Only rules whose result is the same for every input, NaN, infinities and -0.0 included, are in the tables: x + 0 stays
(-0.0 + 0 is 0), x - 0 goes. Multiplying by a reciprocal is done only where the reciprocal is a power of two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from graphc.ir.graph import Graph
from graphc.passes.canonicalize import algebra, views
from graphc.passes.canonicalize.rules import Rewriter, Rule

RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    name: (*views.RULES.get(name, ()), *algebra.RULES.get(name, ()))
    for name in dict.fromkeys((*views.RULES, *algebra.RULES))
}
"""Op name -> the rules that are tried on its nodes, in order."""


SWEEPS: Final = 8
"""Most sweeps over a graph: a bound on time, far above what real graphs need."""


def simplify(graph: Graph) -> Graph:
    """Apply the rules to each node, in order, again and again until none of them applies anywhere.

    One sweep may leave a value with a single reader where it had two, and with that open the way for another rule.
    """
    for _ in range(SWEEPS):
        before, graph = graph, Rewriter(graph, RULES).run()
        if graph is before:
            break
    return graph
