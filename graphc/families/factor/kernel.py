"""The kernels of each decomposition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from graphc.codegen.kernel import BuildContext, KernelSource
from graphc.codegen.launch import Launch
from graphc.families.factor.jacobi import eigh, svd, sweeps
from graphc.families.factor.reflections import qr
from graphc.families.factor.triangle import cholesky, lu, triangular_solve
from graphc.families.scatter_add.partition import zeros
from graphc.ir.graph import Graph, Node

BUILDERS: Final[dict[str, Callable[[Launch, Graph], list[KernelSource]]]] = {
    "cholesky": cholesky,
    "lu": lu,
    "triangular_solve": triangular_solve,
    "qr": qr,
    "eigh": eigh,
    "svd": svd,
}


def build(body: Graph, context: BuildContext) -> list[KernelSource]:
    """The kernels of a node."""
    (node,) = body.nodes
    launch = Launch(body, context, "factor")
    if not node.inputs[-1].type.size and node.op.name != "qr":
        return [zeros(launch, out, 1) for out in body.outputs]
    return BUILDERS[node.op.name](launch, body)


def operations(node: Node) -> int:
    """About how many operations a node takes: a cube of the size, or one for each sweep."""
    *_, m, n = node.inputs[0].type.shape
    turns = sweeps(n, node.inputs[0].type.dtype.wgsl) if node.op.name in ("eigh", "svd") else 1
    return node.inputs[-1].type.size * max(m, 1) * turns
