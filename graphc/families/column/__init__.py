"""The column family: reductions over other axes."""
