"""Sums at computed indices: scatter_add."""
