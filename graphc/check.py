"""check=True: is what the device computed what the program says? If not, which pass and which node are wrong?

The first outputs of a program are compared with the NumPy reference of the traced graph. On disagreement the stages are
run in NumPy to find the first pass after which the graph means something else; if all mean the same, the lowered
graph is run on the device with every value as an output, to find the first node whose kernel computes something else
from the same operands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from graphc import reference
from graphc.errors import MiscompileError
from graphc.ir import Graph, Node, Value, run_node
from graphc.lower import lower
from graphc.printer import describe
from graphc.types import NDArray, narrow

if TYPE_CHECKING:
    from graphc.executable import Executable
    from graphc.runtime import Array

RELATIVE: Final = 2e-3
"""Largest difference of a float result, relative to its own size and to a thousandth of the largest of its tensor."""

DECISIONS: Final = 0.01
"""Part of the integer and bool results that may differ: near ties, rounding decides comparisons and argmax."""


def check_first_call(executable: Executable, arguments: Sequence[NDArray], outputs: Sequence[Array]) -> None:
    """Compare what was computed, fused and unfused, with the reference.

    Raises MiscompileError naming the first wrong pass and node.
    """
    traced = executable.stages[0][1]
    inputs = [np.asarray(narrow(a), dtype=v.type.dtype.numpy) for a, v in zip(arguments, traced.inputs, strict=True)]
    expected = reference.run(traced, inputs)
    wrong = _first_wrong(expected, [array.numpy() for array in outputs])
    if wrong is not None:
        raise _diagnose(executable, inputs, expected, wrong)
    wrong = _first_wrong(expected, _run_on_device(executable, _unfused(traced), inputs))
    if wrong is not None:
        raise MiscompileError(
            f"{executable.name}: output {wrong} of the unfused program differs from the NumPy reference, that of the "
            f"fused one does not\n{_node_on_device(executable, _unfused(traced), inputs)}"
        )


def differs(expected: NDArray, found: NDArray) -> bool:
    """Whether two results differ by more than rounding. NaN equals NaN."""
    if expected.shape != found.shape:
        return True
    if not expected.size:
        return False
    if expected.dtype.kind != "f":
        return float(np.mean(expected != found)) > DECISIONS
    exact, got = expected.astype(np.float64), found.astype(np.float64)
    finite = np.isfinite(exact) & np.isfinite(got)
    same = (exact == got) | (np.isnan(exact) & np.isnan(got))
    largest = float(np.max(np.abs(exact[np.isfinite(exact)]), initial=0.0))
    close = np.abs(np.where(finite, exact - got, 0)) <= RELATIVE * (np.where(finite, np.abs(exact), 0) + largest * 1e-3)
    tiny = np.finfo(expected.dtype).tiny
    return not bool(np.all(same | (finite & (close | (np.abs(np.where(finite, exact - got, 1)) <= tiny)))))


def _first_wrong(expected: Sequence[NDArray], found: Sequence[NDArray]) -> int | None:
    return next((i for i, (a, b) in enumerate(zip(expected, found, strict=True)) if differs(a, b)), None)


def _diagnose(
    executable: Executable, inputs: Sequence[NDArray], expected: Sequence[NDArray], wrong: int
) -> MiscompileError:
    head = f"{executable.name}: output {wrong} differs from the NumPy reference"
    for (_, before), (name, after) in zip(executable.stages, executable.stages[1:], strict=False):
        if _first_wrong(expected, reference.run(after, inputs)) is not None:
            return MiscompileError(f"{head}\n  first wrong pass: {name}\n{_node_of_pass(before, after, inputs)}")
    return MiscompileError(f"{head}\n{_node_on_device(executable, executable.graph, inputs)}")


def _node_of_pass(before: Graph, after: Graph, inputs: Sequence[NDArray]) -> str:
    """The first node after a pass whose value is not what it was, or the node of a wrong output where none is known."""
    known = all_values(before, inputs)
    now = all_values(after, inputs)
    for node in after.nodes:
        if any(value in known and differs(known[value], now[value]) for value in node.outputs):
            return f"  first wrong node: {describe(after, node)}"
    producers = after.producers()
    for old, new in zip(before.outputs, after.outputs, strict=True):
        if differs(known[old], now[new]):
            made = producers.get(new)
            return f"  wrong output of: {describe(after, made)}" if made else f"  wrong output: {new!r}"
    return "  no single node of it is wrong"


def all_values(graph: Graph, inputs: Sequence[NDArray]) -> dict[Value, NDArray]:
    """Every value of a graph by the reference."""
    found: dict[Value, NDArray] = dict(graph.constants)
    found.update(zip(graph.inputs, inputs, strict=True))
    for node in graph.nodes:
        found.update(zip(node.outputs, run_node(node, [found[v] for v in node.inputs]), strict=True))
    return found


def _node_on_device(executable: Executable, graph: Graph, inputs: Sequence[NDArray]) -> str:
    """The first node whose kernel disagrees with the node's reference on the same operands."""
    watched = [value for node in graph.nodes for value in node.outputs]
    probe = Graph(graph.inputs, graph.constants, graph.nodes, tuple(watched))
    found: dict[Value, NDArray] = dict(graph.constants)
    found.update(zip(graph.inputs, inputs, strict=True))
    found.update(zip(watched, _run_on_device(executable, probe, inputs), strict=True))
    for node in graph.nodes:
        results = run_node(node, [found[v] for v in node.inputs])
        if any(differs(want, found[v]) for want, v in zip(results, node.outputs, strict=True)):
            return f"  first wrong pass: lower\n  first wrong node: {_with_body(graph, node)}"
    return "  first wrong pass: memory (each kernel alone is right, so one overwrites what another still reads)"


def _with_body(graph: Graph, node: Node) -> str:
    body = node.attrs.get("body")
    text = describe(graph, node)
    return f"{text}\n{body}" if isinstance(body, Graph) else text


def _run_on_device(executable: Executable, graph: Graph, inputs: Sequence[Any]) -> list[NDArray]:
    device = executable.device
    plan = lower(graph, device.target) if device.needs_plan else None
    return [array.numpy() for array in device.prepare(graph, plan, frozenset())(inputs)]


def _unfused(traced: Graph) -> Graph:
    from graphc.passes import pipeline

    return pipeline.run(traced, pipeline.LEGALIZE)
