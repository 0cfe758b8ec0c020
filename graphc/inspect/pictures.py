"""Pictures of graphs; what draws them is imported when the first one is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphc.ir.graph import Graph

if TYPE_CHECKING:
    import networkx


class Drawn:
    """The methods of Graph that draw: see `graphc.inspect.viz.draw` and `convert` for their options."""

    def to_networkx(self, graph: Graph, /) -> networkx.MultiDiGraph:
        """The graph for networkx."""
        from graphc.inspect.viz.convert import to_networkx

        return to_networkx(graph)

    def to_dot(self, graph: Graph, /, **options: Any) -> str:
        """Graphviz source."""
        from graphc.inspect.viz.draw import to_dot

        return to_dot(graph, **options)

    def to_svg(self, graph: Graph, path: Any, /, **options: Any) -> str:
        """SVG, also written to `path` unless that is None."""
        from graphc.inspect.viz.draw import to_svg

        return to_svg(graph, path, **options)
