"""check=True: is what the device computed what the program says? If not, which pass and which node are wrong?

The first outputs of a program are compared with the NumPy reference of the traced graph. On disagreement the stages are
run in NumPy to find the first pass after which the graph means something else; if all mean the same, the lowered
graph is run on the device with every value as an output, to find the first node whose kernel computes something else
from the same operands. Where that is a loop, its body is searched step by step in the same way.

How much rounding may do to a result is found by running the reference once more on operands that differ in their last
bits: what is small because large terms cancel may be all noise.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from graphc import reference
from graphc.analysis.loops import is_loop
from graphc.errors import MiscompileError
from graphc.inspect.subject import Subject
from graphc.ir.graph import Graph, Node, Value, describe, execute, run_node
from graphc.ir.types import NDArray, narrow
from graphc.lower import lower
from graphc.ops.structured import repeat
from graphc.passes import pipeline
from graphc.runtime import DeviceArray

RELATIVE: Final = {"float16": 2e-2, "float32": 2e-3, "float64": 1e-6}
"""By how much of its own size, and of a thousandth of the largest in its tensor, a float result may differ."""

NOISE: Final = 16
"""How many times more than last bits of the operands do to a tensor a float result may differ."""

DECISIONS: Final = 0.02
"""Part of the integer and bool results that may differ where last bits of the operands decide some of them."""


def check_first_call(executable: Subject, arguments: Sequence[NDArray], outputs: Sequence[DeviceArray]) -> None:
    """Compare what was computed, fused and unfused, with the reference.

    Raises MiscompileError naming the first wrong pass and node.
    """
    traced = executable.stages[0][1]
    inputs = [np.asarray(narrow(a), dtype=v.type.dtype.numpy) for a, v in zip(arguments, traced.inputs, strict=True)]
    expected = Expected(traced, inputs)
    wrong = expected.first_wrong([array.numpy() for array in outputs])
    if wrong is not None:
        raise _diagnose(executable, inputs, expected, wrong)
    unfused = pipeline.run(traced, pipeline.LEGALIZE)
    wrong = expected.first_wrong(_run_on_device(executable, unfused, inputs, executable.donated))
    if wrong is not None:
        raise MiscompileError(
            f"{executable.name}: output {wrong} of the unfused program differs from the NumPy reference, that of the "
            f"fused one does not\n{_node_on_device(executable, unfused, inputs)}"
        )


class Expected:
    """What a graph computes by the reference, and what it computes from operands that differ in their last bits."""

    def __init__(self, graph: Graph, inputs: Sequence[NDArray]) -> None:
        self.outputs = reference.run(graph, inputs)
        self.nudged = reference.run(graph, [nudge(a) for a in inputs], check_indices=False)

    def first_wrong(self, found: Sequence[NDArray]) -> int | None:
        """The position of the first output that is wrong."""
        three = zip(self.outputs, self.nudged, found, strict=True)
        return next((i for i, (want, near, got) in enumerate(three) if differs(want, near, got)), None)


def nudge(array: NDArray) -> NDArray:
    """A float array with its last bits changed at random (always alike); others as they are."""
    if array.dtype.kind != "f":
        return array
    factor = np.random.default_rng(0).choice([-2.0, -1.0, 1.0, 2.0], array.shape) * np.finfo(array.dtype).eps
    return np.asarray(array * (1 + factor), array.dtype)


def differs(expected: NDArray, nudged: NDArray, found: NDArray) -> bool:
    """Whether a result differs by more than rounding can explain. NaN equals NaN."""
    if expected.shape != found.shape:
        return True
    if not expected.size:
        return False
    if expected.dtype.kind != "f":
        undecided = not np.array_equal(expected, nudged)
        return float(np.mean(expected != found)) > (DECISIONS if undecided else 0)
    exact, near, got = (a.astype(np.float64) for a in (expected, nudged, found))
    same = (exact == got) | (np.isnan(exact) & np.isnan(got))
    usual = np.isfinite(exact) & np.isfinite(got)
    exact, near, got = (np.where(usual & np.isfinite(near), a, 0) for a in (exact, near, got))
    size, noise = np.abs(exact), float(np.max(np.abs(exact - near), initial=0))
    info = np.finfo(expected.dtype)
    allowed = RELATIVE[expected.dtype.name] * (size + size.max() * 1e-3) + NOISE * noise + float(info.tiny)
    return not bool(np.all(same | (usual & (np.abs(exact - got) <= allowed))))


def _diagnose(executable: Subject, inputs: Sequence[NDArray], expected: Expected, wrong: int) -> MiscompileError:
    head = f"{executable.name}: output {wrong} differs from the NumPy reference"
    for (_, before), (name, after) in zip(executable.stages, executable.stages[1:], strict=False):
        if expected.first_wrong(reference.run(after, inputs)) is not None:
            return MiscompileError(f"{head}\n  first wrong pass: {name}\n{_node_of_pass(before, after, inputs)}")
    return MiscompileError(f"{head}\n{_node_on_device(executable, executable.graph, inputs)}")


def _node_of_pass(before: Graph, after: Graph, inputs: Sequence[NDArray]) -> str:
    """The first node after a pass whose value is not what it was, or the node of a wrong output where none is known."""
    return f"  {_changed(before, after, inputs) or 'no single node of it is wrong'}"


def _changed(before: Graph, after: Graph, inputs: Sequence[NDArray]) -> str | None:
    known = execute(before, inputs, keep=True)
    near = execute(before, [nudge(a) for a in inputs], keep=True)
    now = execute(after, inputs, keep=True)
    makers = before.producers()
    for node in after.nodes:
        for value in node.outputs:
            if value in known and differs(known[value], near[value], now[value]):
                return _changed_in_loop(makers.get(value), node, known) or f"first wrong node: {describe(after, node)}"
    producers = after.producers()
    for old, new in zip(before.outputs, after.outputs, strict=True):
        if differs(known[old], near[old], now[new]):
            made = producers.get(new)
            return f"wrong output of: {describe(after, made)}" if made else f"wrong output: {new!r}"
    return None


def _changed_in_loop(before: Node | None, after: Node, known: Mapping[Value, NDArray]) -> str | None:
    """The node of a loop's body that a pass has made wrong, where the loop takes what it took before."""
    if before is None or not is_loop(before) or not is_loop(after):
        return None
    old, new = before.attrs["body"], after.attrs["body"]
    if [v.type for v in old.inputs] != [v.type for v in new.inputs]:
        return None
    return _in_steps(before, [known[v] for v in before.inputs], lambda given: _changed(old, new, given))


def _in_steps(loop: Node, operands: Sequence[NDArray], wrong: Callable[[Sequence[NDArray]], str | None]) -> str | None:
    """What `wrong` says of the inputs of the body in the first step of which it says anything."""
    body, told, count = loop.attrs["body"], "", itertools.count()

    def run(given: Sequence[NDArray]) -> list[NDArray]:
        nonlocal told
        arrays, step = [np.asarray(a) for a in given], next(count)
        found = None if told else wrong(arrays)
        if found:
            told = f"{found}\n  in step {step} of {loop.attrs['length']} of the {loop.op.name}  # {loop.source}"
        return reference.run(body, arrays, check_indices=False)

    attrs: dict[str, Any] = dict(loop.attrs)
    repeat(run, tuple(operands), **attrs)
    return told or None


def _node_on_device(executable: Subject, graph: Graph, inputs: Sequence[NDArray]) -> str:
    """The first node whose kernel disagrees with the node's reference on the same operands."""
    found = _computed_wrongly(executable, graph, inputs)
    if found is None:
        return "  first wrong pass: memory (each kernel alone is right, so one overwrites what another still reads)"
    return f"  first wrong pass: lower\n  first wrong node: {found}"


def _computed_wrongly(executable: Subject, graph: Graph, inputs: Sequence[NDArray]) -> str | None:
    watched = [value for node in graph.nodes for value in node.outputs]
    probe = Graph(graph.inputs, graph.constants, graph.nodes, tuple(watched))
    found: dict[Value, NDArray] = dict(graph.constants)
    found.update(zip(graph.inputs, inputs, strict=True))
    donated = frozenset(range(len(inputs)))  # the body of a loop writes into stacks that it is given
    found.update(zip(watched, _run_on_device(executable, probe, inputs, donated), strict=True))
    for node in graph.nodes:
        operands = [found[v] for v in node.inputs]
        results, near = run_node(node, operands), run_node(node, [nudge(a) for a in operands])
        if any(differs(a, b, found[v]) for a, b, v in zip(results, near, node.outputs, strict=True)):
            return _wrong_in_loop(executable, node, operands) or _with_body(graph, node)
    return None


def _wrong_in_loop(executable: Subject, node: Node, operands: Sequence[NDArray]) -> str | None:
    """The node of a loop's body whose kernel is wrong, if one alone is."""
    if not is_loop(node):
        return None
    return _in_steps(node, operands, lambda given: _computed_wrongly(executable, node.attrs["body"], given))


def _with_body(graph: Graph, node: Node) -> str:
    body = node.attrs.get("body")
    text = describe(graph, node)
    return f"{text}\n{body}" if isinstance(body, Graph) else text


def _run_on_device(executable: Subject, graph: Graph, inputs: Sequence[Any], donated: frozenset[int]) -> list[NDArray]:
    device = executable.device
    plan = lower(graph, executable.target, donated) if device.needs_plan else None
    return [array.numpy() for array in device.prepare(graph, plan, donated)(inputs)]
