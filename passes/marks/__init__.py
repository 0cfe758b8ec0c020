"""Passes that mark nodes for lowering: operands read from textures, kernels that share a launch."""
