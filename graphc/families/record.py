"""Family: one record with everything graphc knows of one kind of kernel.

A family is a folder beside this file, which says it all once: which ops it computes, what its kernels may hold, how
they are built and what a tuner may try, what they cost, how drawings show them, and how NumPy computes the same.
Fusion, lowering, the tuner, drawings and the device "numpy" ask the record of a node (`graphc.families.registry`), so
that a new family is a folder and a line there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from graphc.codegen.kernel import KernelBuilder, KernelSearch
from graphc.families.host import Compute
from graphc.ir.graph import Graph, Node
from graphc.ir.op import Op
from graphc.plan.plan import Target

Reads = Literal["elements", "views", "memory"]
"""How kernels read the operands of their ops: as elements that may be computed on the way, through views of what lies
in memory, or from memory alone."""


@dataclass(frozen=True, slots=True)
class Colours:
    """How drawings show a family, as "#rrggbb". box: its ops. frame: its kernels. bar: its dispatches in a profile."""

    box: str
    frame: str
    bar: str


OWN: Final = Colours("#f7bccb", "#f8f8f8", "#c0588f")
"""Kernels of a kind of their own."""


def _one_body(body: Graph) -> list[Graph]:
    return [body]


def touched(node: Node) -> int:
    """The elements of the largest tensor that an op reads or writes: about as many operations."""
    return max(v.type.size for v in (*node.inputs, *node.outputs))


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """A kind of kernel; compared by identity.

    name: an identifier; kernels are called after it. doc: what it is, for readers of the documentation.

    When it applies. lowers: whether it computes an op at all. computes: whether it does so for this node, of those that
    it lowers. check: raises GraphError, saying what stands in the way, unless one kernel can compute a body. fits:
    whether a target can run its kernels for a body; else the ops of the body are expanded into others.

    How it is built. build: the kernels of a body. launches: the nodes of its bodies are kernels of their own. search:
    what a tuner may try, if there is anything. parts: the bodies that are tuned apart, where it makes several kernels.

    Legality of joining, for fusion; a *root* is an op of its own, which decides the loops of a kernel. reads: see
    Reads. grows: whether pointwise ops may go along. many: whether a kernel may hold several roots, of one `space`.
    rows: (rows, length) of a root whose result is read only within its own row; None where it is read at its own
    position. size: elements that a kernel with this root goes over. horizontal: whether its kernels may share a launch
    with others. terms: how many products or elements are added for each element of a result, where that is one loop.
    in_place: whether each element of the results is written by the invocation that alone has read it, for a kernel with
    these roots. said: what a kernel with these ops does, in words; it is given its roots, the names of all its ops, and
    whether there is but one.

    Cost. operations: of an op, a multiply-add counting two; an element that is read and one that is computed count as
    one each. texels: whether its kernels can read an op's operands from textures, and each element often enough.
    work: operations from which on that pays, where it is not what the pass `textures` takes for all.

    kind, colours: how drawings show it; families of one kind look alike.

    numpy: how the device "numpy" computes a node with one output into memory that is there; None: by its reference.

    What follows from these: fuses: whether a body may hold more than one op. pointwise: kernels have no root, each
    element of the results is computed on its own. product: kernels hold one root, read its operands in place, and
    write results from registers.
    """

    name: str
    doc: str
    lowers: Callable[[Op], bool]
    build: KernelBuilder
    computes: Callable[[Node], bool] = lambda node: True
    check: Callable[[Graph], None] = lambda body: None
    fits: Callable[[Graph, Target], bool] = lambda body, target: True
    launches: bool = False
    search: KernelSearch | None = None
    parts: Callable[[Graph], list[Graph]] = _one_body
    reads: Reads = "memory"
    grows: bool = False
    many: bool = False
    space: Callable[[Node], tuple[object, ...]] = lambda node: ()
    rows: Callable[[Node], tuple[int, int]] | None = None
    size: Callable[[Node], int] = lambda node: node.outputs[0].type.size
    horizontal: bool = False
    terms: Callable[[Node], int] | None = None
    in_place: Callable[[Sequence[Node]], bool] = lambda roots: False
    said: Callable[[Sequence[Node], str, bool], str] = lambda roots, ops, single: ops
    operations: Callable[[Node], int] = touched
    texels: Callable[[Node], bool] = lambda node: False
    work: int | None = None
    kind: str = "custom"
    colours: Colours = OWN
    numpy: Callable[[Node], Compute | None] = lambda node: None

    fuses: bool = field(init=False)
    pointwise: bool = field(init=False)
    product: bool = field(init=False)

    def __post_init__(self) -> None:
        # Fusion asks these for each pair of kernels that it tries to join.
        elements = self.reads == "elements"
        object.__setattr__(self, "fuses", self.launches or self.reads != "memory")
        object.__setattr__(self, "pointwise", self.grows and elements and not self.many)
        object.__setattr__(self, "product", self.grows and self.reads == "views")

    def __repr__(self) -> str:
        return f"Family({self.name})"
