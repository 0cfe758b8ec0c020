"""Lowering: graph to plan."""
