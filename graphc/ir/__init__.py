"""The graph, in memory and as text: element types, ops as records, values, nodes, and the Builder that makes them."""
