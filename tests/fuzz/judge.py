"""Running a random program in every way that there is, and what is wrong with what comes out."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final
from unittest.mock import patch

import numpy as np

import graphc
from graphc import reference
from graphc.autodiff.batch import batched
from graphc.ir.graph import Graph, evaluate
from graphc.lower import quick
from graphc.passes import DEFAULT
from graphc.passes.marks.megakernel import megakernel
from graphc.plan.verify import check_plan
from graphc.runtime.registry import adapters
from graphc.runtime.wgpu.device import WgpuDevice
from graphc.runtime.wgpu.driver_cache import DriverCache
from graphc.runtime.wgpu.launching import ENVIRONMENT
from tests.fuzz.program import RandomProgram, quietly
from tests.fuzz.wide import Bound, Met, Wide, bounds
from tests.support.bits import bits
from tests.support.planning import over_baseline
from tests.support.run_graph import variants

VARIANTS: Final = {
    "unfused": "a kernel for each op",
    "no megakernel": "each kernel in a launch of its own",
    "wide": "kernels laid out as for a GPU",
    "no subgroups": "kernels for an adapter without subgroups",
    "smaller grid": "some hundreds of workgroups a dimension",
    "quick": "first what compiles soonest, then the plan's own kernels",
}
PAIRWISE: Final = 512
"""Numbers that NumPy adds with an error like that of a device; of more it has one that grows with their number."""

STEP: Final = 1e-5
"""How far apart the values are whose difference is compared with a gradient."""

LARGE: Final = 1e5
"""Numbers beyond this do not feel such a step."""

CALLS_GRAD: Final = (
    *("inner gradient", "optimizer", "batched", "batched with another", "twice batched", "gradient of each"),
    *("forward derivative", "jacobian"),
)
"""Kinds of statements that NumPy alone cannot run: on arrays, too, they are compiled, in float32."""

LARGEST: Final = ("nan_to_num",)
"""What makes the largest number of an element type."""

PASSES: Final = {"unfused": (), "no megakernel": tuple(p for p in DEFAULT if p is not megakernel)}
NO_SLOPE: Final = ("stop_gradient", "np.copysign", "nn.batch_norm")
"""What has a gradient that is not its slope: by name, where its operands are 0, in its running statistics."""

STARTED: Final = """\
import os
from graphc.lower import quick

os.environ["GRAPHC_START"], quick.LEAST = "quick", -1e9
"""

TARGETED: Final = """\
from graphc.runtime.registry import adapters
from graphc.runtime.wgpu.device import WgpuDevice
from tests.support.run_graph import variants

device = WgpuDevice("wgpu:0", adapters()[0])
device.__dict__["target"] = variants(device)["{variant}"]
"""


@dataclass(frozen=True)
class Finding:
    """way: which way of running. what: in one word or two. detail: in numbers."""

    way: str
    what: str
    detail: str

    @property
    def symptom(self) -> str:
        """What findings of the same cause may have in common."""
        return f"{self.way}: {self.what}"

    def __str__(self) -> str:
        return f"{self.symptom}\n{self.detail}"


@dataclass
class Seen:
    """How much a run could see: elements of outputs, and how many of them were decided; findings."""

    findings: list[Finding]
    elements: int = 0
    decided: int = 0


@cache
def device(variant: str = "") -> Any:
    """The adapter, as it is, with another target, or once more."""
    found = own = graphc.device("wgpu")
    if variant in variants(own):
        found = WgpuDevice("wgpu:0", adapters()[0])
        found.__dict__["target"] = variants(own)[variant]
    if variant == "quick":  # it has not compiled what the other one has
        found = WgpuDevice("wgpu:0", adapters()[0])
    return poisoned(found)


def poisoned(found: Any) -> Any:
    """A device whose memory holds NaN when it is given out, so that what is read before it is written shows."""
    _ = found.handle
    take = found.pool.take

    def filled(nbytes: int, tag: object = None) -> Any:
        memory = take(nbytes, tag)
        found.handle.queue.write_buffer(memory.buffer, 0, bytes([reference.POISON]) * memory.nbytes)
        return memory

    if take.__name__ != "filled":
        found.pool.take = filled
    return found


@contextmanager
def starting(way: str) -> Iterator[None]:
    """Programs launch their own kernels at once, but in the variant "quick", whatever little that gains."""
    before = os.environ.get(ENVIRONMENT)
    os.environ[ENVIRONMENT] = "quick" if way == "quick" else "full"
    least = -math.inf if way == "quick" else quick.LEAST
    holds = (lambda self, keys: [False for _ in keys]) if way == "quick" else DriverCache.holds
    try:
        with patch.object(quick, "LEAST", least), patch.object(DriverCache, "holds", holds):
            yield
    finally:
        del os.environ[ENVIRONMENT]
        if before is not None:
            os.environ[ENVIRONMENT] = before


def ways(variant: str) -> dict[str, dict[str, Any]]:
    """The ways to compile a program: names and options of graphc.compile. The last one is the program's variant."""
    found: dict[str, dict[str, Any]] = {"numpy": {"device": "numpy", "passes": ()}, "fused": {"device": device()}}
    if variant:
        found[variant] = {"device": device(variant), "passes": PASSES.get(variant, DEFAULT)}
    return found


def judge(program: RandomProgram, only: str = "", target: str = "") -> Seen:
    """Run a program in every way, or only in one (and in NumPy), or compiled for a target; what is wrong."""
    arguments = program.arguments()
    run = program.callable()
    try:
        graph = graphc.trace(run, *arguments)
    except Exception as error:
        return Seen([_raised("trace", error)])
    leaves = [np.asarray(leaf) for leaf in graphc.tree.leaves(arguments)]
    inputs = [np.asarray(a, v.type.dtype.numpy) for a, v in zip(leaves, graph.inputs, strict=True)]
    limits, met = bounds(graph, inputs)
    seen = Seen([], sum(b.decided.size for b in limits), sum(int(b.decided.sum()) for b in limits))
    longest = max((v.type.size for node in graph.nodes for v in node.inputs), default=1)
    if not target:
        seen.findings += _against_numpy(program, limits, met, longest)
    if not target and program.mode == "gradient" and not met.clamped:
        seen.findings += _against_differences(program, graph, limits)
    if not target and only in ("", "mapped"):
        seen.findings += _mapped(graph, inputs, limits)
    alone = {target: {"device": device(), "target": target}}
    for name, options in (alone if target else ways(program.variant)).items():
        if only and only != name:
            continue
        seen.findings += _compiled(name, program, run, options, graph, inputs, limits)
    return seen


def _raised(way: str, error: BaseException) -> Finding:
    text = str(error)
    line = re.sub(r"<program \w+>", "", text.splitlines()[0] if text else "")
    first = re.sub(r"[%\[\]()\d., ]+", " ", line)[:100]
    return Finding(way, f"{type(error).__name__}: {first}", text[:3000])


def _compiled(
    name: str,
    program: RandomProgram,
    run: Callable[..., Any],
    options: dict[str, Any],
    graph: Graph,
    inputs: Sequence[Any],
    limits: Sequence[Bound],
) -> list[Finding]:
    """What is wrong with one way of compiling a program: its results, its second call, its plan."""
    try:
        with starting(name):
            compiled = graphc.compile(run, donate=program.donate, **options)
            executable = compiled.lower(*program.arguments())
            first = _called(compiled, program, options["device"])
            executable.prepared().settle()
            again = _called(compiled, program, options["device"])
    except Exception as error:
        return [_raised(name, error)]
    found = []
    if (wrong := disagreement(first, graph, limits)) is not None:
        found.append(Finding(name, "value", wrong))
    elif not all(bits(a) == bits(b) for a, b in zip(first, again, strict=True)):
        found.append(Finding(name, "second call", "a second call with the same arguments gives other results"))
    if options["device"] != "numpy":
        found += _plan(name, executable, graph, inputs, limits)
    return found


def _called(compiled: Any, program: RandomProgram, where: Any) -> list[Any]:
    given = program.arguments()
    if program.donate:
        given = graphc.tree.map(
            lambda leaf: graphc.asarray(leaf, device=where) if isinstance(leaf, np.ndarray) else leaf, given
        )
    return [np.asarray(leaf) for leaf in graphc.tree.leaves(compiled(*given))]


def _plan(name: str, executable: Any, graph: Graph, inputs: Sequence[Any], limits: Sequence[Bound]) -> list[Finding]:
    """The plan verifier, and the plan executed in poisoned memory."""
    try:
        check_plan(executable.plan, executable.target.alignment)
        beyond = over_baseline(executable.plan)
        replayed = reference.run_plan(executable.plan, executable.graph, inputs)
    except Exception as error:
        return [_raised(f"plan of {name}", error)]
    found = [Finding(f"plan of {name}", "limits", "\n".join(beyond))] if beyond else []
    wrong = disagreement(replayed, graph, limits)
    return found if wrong is None else [*found, Finding(f"plan of {name}", "value", f"run in NumPy: {wrong}")]


def disagreement(found: Sequence[Any], graph: Graph, limits: Sequence[Bound]) -> str | None:
    """The first output that is not what it must be, in words."""
    if len(found) != len(limits):
        return f"{len(found)} outputs, want {len(limits)}"
    for k, (got, value, limit) in enumerate(zip(found, graph.outputs, limits, strict=True)):
        if got.shape != value.type.shape or got.dtype != value.type.dtype.numpy:
            return f"output {k} is {got.dtype}{list(got.shape)}, want {value.type}"
        if (wrong := limit.wrong(got)).any():
            return _told(k, got, limit, wrong)
    return None


def _told(k: int, got: Any, limit: Bound, wrong: Any) -> str:
    at = tuple(int(i) for i in np.argwhere(wrong)[0])
    return (
        f"output {k}: {int(wrong.sum())} of {wrong.size} elements; at {at} got {got[at]!r}, want {limit.exact[at]!r} "
        f"within {limit.near[at]:.3g}"
    )


def _mapped(graph: Graph, inputs: Sequence[Any], limits: Sequence[Bound]) -> list[Finding]:
    """The graph for two examples at once, of which the first has these inputs: is it what it is for that one?

    Two of three inputs differ among the examples: the other one has its elements in another order.
    """
    flags = [(i + len(graph.nodes)) % 3 > 0 for i in range(len(inputs))]
    if not any(flags):
        return []
    rng = np.random.default_rng(0)
    given = [
        np.stack([x, rng.permutation(x.reshape(-1)).reshape(x.shape)]) if flag else x
        for x, flag in zip(inputs, flags, strict=True)
    ]
    try:
        many, made = batched(graph, 2, flags)
        many.verify()
        with quietly():
            found = [x[0] if flag else x for x, flag in zip(evaluate(many, given), made, strict=True)]
    except Exception as error:
        return [_raised("mapped", error)]
    wrong = disagreement(found, graph, limits)
    return [] if wrong is None else [Finding("mapped", "value", f"inputs mapped {flags}: {wrong}")]


def _against_differences(program: RandomProgram, graph: Graph, limits: Sequence[Bound]) -> list[Finding]:
    """Are the gradients, along a random direction, what differences of the value in float64 say?"""
    text = program.function()
    if any(kind in CALLS_GRAD for kind in program.kinds()) or any(part in text for part in NO_SLOPE):
        return []
    objective = program.callable("objective", wide=True)
    arguments = program.arguments(wide=True)
    chosen = program.differentiable()
    leaves = [leaf for k in chosen for leaf in graphc.tree.leaves(arguments[k])]
    if any(np.abs(leaf[np.isfinite(leaf)]).max(initial=0) > LARGE for leaf in map(np.asarray, leaves)):
        return []  # a step is less than their last digit
    ends = limits[len(limits) - len(leaves) :]
    if not all(limit.decided.all() for limit in ends):
        return []  # with numbers as exact as the differences have them, another element may be chosen
    gradients = [limit.exact for limit in ends]
    rng = np.random.default_rng(0)
    along = [rng.choice([-1.0, 1.0], np.shape(leaf)) for leaf in leaves]

    def at_step(step: float) -> list[Any]:
        moved = iter(along)
        return [
            graphc.tree.map(lambda leaf: leaf + step * next(moved), a) if k in chosen else a
            for k, a in enumerate(arguments)
        ]

    def value(step: float) -> float:
        return float(objective(*at_step(step))[0])

    def sloped(step: float) -> float:
        """What the gradient says there."""
        found = Wide(None).run(graph, [np.asarray(leaf) for leaf in graphc.tree.leaves(tuple(at_step(step)))])
        return sum(float(np.sum(g * d)) for g, d in zip(found[len(limits) - len(leaves) :], along, strict=True))

    with quietly():
        before, at, after = value(-STEP), value(0.0), value(STEP)
        near = (value(STEP / 4) - value(-STEP / 4)) / (STEP / 2)
        slope = sum(float(np.sum(g * d)) for g, d in zip(gradients, along, strict=True))
        size = sum(float(np.sum(np.abs(g))) for g in gradients)
        left, right = (at - before) / STEP, (after - at) / STEP
        central = (left + right) / 2
    allowed = 1e-3 * (1 + abs(central)) + 1e-5 * size
    if 8 * np.finfo(np.float64).eps * abs(at) / STEP > allowed:
        return []  # the value is so large that a step is lost in its last digits
    if not np.isfinite([left, right, near, slope]).all() or max(abs(left - right), abs(near - central)) > allowed / 2:
        return []  # an edge, or a pole; of abs(x) ** x at 0, where both sides rise alike, the nearer the steeper
    if abs(central - slope) <= allowed:
        return []
    with quietly():
        if max(abs(sloped(side) - slope) for side in (-STEP, STEP)) > allowed / 2:
            return []  # edges that undo each other: of minimum(max(x), x) where two elements are the largest
    return [
        Finding("gradient", "value", f"the slope along a direction is {central:.6g}, the gradient says {slope:.6g}")
    ]


def _run(function: Callable[..., Any], arguments: Any) -> tuple[list[Any], bool]:
    """What a function gives in NumPy, and whether a number was too large for its element type."""
    overflows: list[str] = []
    with quietly(), np.errstate(over="call", call=lambda what, _: overflows.append(what)):
        made = [np.asarray(leaf) for leaf in graphc.tree.leaves(function(*arguments))]
    return made, bool(overflows)


def _halves(program: RandomProgram, arguments: Any) -> bool:
    """Whether it computes in float16."""
    return "f16" in program.function() or any(np.asarray(a).dtype == np.float16 for a in graphc.tree.leaves(arguments))


def _against_numpy(program: RandomProgram, limits: Sequence[Bound], met: Met, longest: int) -> list[Finding]:
    """The same function run by NumPy, in its own element types and in float64: is the trace what NumPy computes?

    longest: elements of its largest operand. Running sums, and sums along any axis but the last, NumPy adds one number
    after the other, so that in float32 its error grows with their number, where all roundings go one way; what jumps
    may then do so elsewhere. In float16 it adds in float16, where what is added on the way may be infinite though the
    mean is not. LAPACKs differ in where they leave NaN, and in whether they refuse it.
    """
    if met.unfactorable or any(kind in CALLS_GRAD for kind in program.kinds()):
        return []
    found = []
    gradient = program.mode == "gradient"
    function = program.callable("objective" if gradient else "program")
    for name, wide in (("eager", False), ("eager float64", True)):
        if wide and (met.clamped or any(part in program.function() for part in LARGEST)):
            continue  # float64 holds what is infinite in float32, and has a largest number of its own
        if not wide and met.jumps and longest > PAIRWISE:
            continue
        function = program.callable("objective" if gradient else "program", wide)
        given = program.arguments(wide)
        try:
            made, beyond = _run(function, given)
        except Exception as error:
            return [_raised(name, error)]
        if beyond and not wide and _halves(program, given):
            continue
        for k, (got, limit) in enumerate(zip(made, limits, strict=False)):
            exact = limit.exact
            kinds = {got.dtype.kind, exact.dtype.kind}
            if got.shape != exact.shape or (len(kinds) > 1 and kinds != {*"iu"}):
                told = f"output {k} is {exact.dtype}{list(exact.shape)}, NumPy's {got.dtype}{list(got.shape)}"
                found.append(Finding(name, "type", told))
                break
            got = got if exact.dtype.kind == "f" else got.astype(exact.dtype)
            with np.errstate(over="ignore"):  # of what is large without bounds
                allowed = limit if wide else replace(limit, near=limit.near * max(1.0, longest / PAIRWISE))
            if (wrong := allowed.wrong(got)).any():
                found.append(Finding(name, "value", _told(k, got, allowed, wrong)))
                break
    return found


def script(program: RandomProgram, finding: Finding, name: str, target: str = "") -> str:
    """A program of its own that shows a finding. target: what it was compiled for."""
    shown, before = {"numpy": 'dict(device="numpy", passes=())', "unfused": "dict(passes=())", "fused": "{}"}, ""
    if target:
        shown = {"numpy": shown["numpy"], target: f'dict(target="{target}")'}
    elif program.variant == "quick":
        before = STARTED
        shown[program.variant] = "{}"
    elif program.variant == "no megakernel":
        before = "from graphc.passes import DEFAULT, megakernel\n"
        shown[program.variant] = "dict(passes=tuple(p for p in DEFAULT if p is not megakernel))"
    elif program.variant not in ("", "unfused"):
        before, shown[program.variant] = TARGETED.format(variant=program.variant), "dict(device=device)"
    listed = ", ".join(f'"{way}": {options}' for way, options in shown.items())
    return program.script(f"{{{listed}}}", f"{finding.symptom} (program {name})\n{finding.detail}", before)
