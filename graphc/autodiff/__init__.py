"""Derivatives: a graph becomes a graph that also computes gradients."""
