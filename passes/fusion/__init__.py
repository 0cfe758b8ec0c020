"""Fusion, in parts: facts about the graph, the partition of its ops into kernels, the order of merging, the result."""
