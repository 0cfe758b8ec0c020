"""Runs the selftest: each case is compiled, compared with the reference, run again to the same bytes, and timed."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

import numpy as np

import graphc
from graphc import optim
from graphc.errors import DeviceError, GraphcError
from graphc.executable import Executable
from graphc.families.registry import kernel_family
from graphc.inspect.check import Expected
from graphc.ir.types import NDArray
from graphc.lower.family import body_of
from graphc.models import microgpt
from graphc.models.data import Corpus
from graphc.models.train import training_step
from graphc.passes.marks.megakernel import megakernel
from graphc.passes.pipeline import DEFAULT
from graphc.plan.plan import Plan
from graphc.runtime import Device
from graphc.runtime.base import host_memory
from graphc.selftest.cases import FUNCTIONS, ULP, Case, cases, points, ulps

State = Literal["passed", "failed", "not run"]

SECONDS: Final = 180.0
"""Cases that have not begun after so many seconds are not run."""

REPEATS: Final = 3
HOST_COPIES: Final = 3
"""Times the memory of a case that the host needs beside it: operands, results, and what they are compared with."""

GOLDEN: Final = (2.676974, 2.886378, 2.881658, 2.704718, 2.615361, 2.759066, 2.17408, 2.37797)
"""The losses of microGPT's first steps in float64."""

APART: Final = tuple(p for p in DEFAULT if p is not megakernel)
"""The passes by which each kernel has a launch of its own, so that it is seen."""

NAMES: Final = ("emma", "olivia", "ava", "isabella", "sophia", "charlotte", "mia", "amelia")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case. detail: why it failed or was not run. seconds: of a call, 0 where none was timed.

    kernels: how many the program has. nbytes, flops: what a call reads and writes, and its operations, by the plan.
    text: the traced graph and the WGSL of its kernels, of a case that failed.
    """

    name: str
    state: State
    detail: str = ""
    seconds: float = 0.0
    kernels: int = 0
    nbytes: int = 0
    flops: int = 0
    text: str = ""


def run(
    device: Device,
    *,
    only: str = "",
    seconds: float = SECONDS,
    note: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Run all cases on a WebGPU device, those whose names contain `only`; note is told of each when it is done.

    seconds: after which no other case begins. Raises DeviceError for a device that runs no kernels.
    """
    if not device.needs_plan:
        raise DeviceError(f"device {device.name} runs no kernels: selftest needs a WebGPU adapter")
    end, made = time.monotonic() + seconds, []
    for name, attempt in _attempts(device):
        if only not in name:
            continue
        outcome = attempt() if time.monotonic() < end else Outcome(name, "not run", f"{seconds:.0f} s are over")
        made.append(outcome)
        note(outcome)
    return made


def reproduce(name: str, device: str | None = None) -> None:
    """Run one case again, and raise AssertionError saying what is wrong, if it still is."""
    (outcome,) = [found for found in run(graphc.device(device), only=name) if found.name == name]
    assert outcome.state != "failed", f"{outcome.name}: {outcome.detail}"


def _attempts(device: Device) -> Iterator[tuple[str, Callable[[], Outcome]]]:
    made = cases("shader-f16" in device.features)
    for case in made:
        if not case.nbytes:
            yield case.name, partial(_attempt, device, case)
    for name in FUNCTIONS:
        yield f"function: {name}", partial(_function, device, name)
    yield "indices: out of range are told", partial(_told, device)
    yield "microgpt: losses of 8 steps", partial(_losses, device)
    yield "memory: what was used is given back", partial(_given_back, device)
    for case in made:
        if case.nbytes:
            yield case.name, partial(_attempt, device, case)


def _attempt(device: Device, case: Case) -> Outcome:
    """Run one case."""
    if why := _too_large(device, case):
        return Outcome(case.name, "not run", why)
    gc.collect()
    device.trim()  # what the case before has left in memory may be what this one is to compute
    try:
        arguments = case.arguments()
        program = graphc.compile(case.fn, device=device, passes=DEFAULT if case.megakernel else APART)
        executable = program.lower(*arguments)
        kernels = families(executable.plan)
        others = "" if not case.family or case.family in kernels else ", ".join(sorted(kernels))
        if others and not _expanded(executable, case.family):
            return _failed(
                case.name, f"no kernel of the family {case.family}: {', '.join(sorted(kernels))}", executable
            )
        uploaded = graphc.tree.map(lambda a: device.upload(np.asarray(a)), tuple(arguments))
        first = [np.asarray(leaf) for leaf in graphc.tree.leaves(program(*uploaded))]
        executable.prepared().settle()
        if why := _wrong(case, arguments, executable, first):
            return _failed(case.name, why, executable)
        times = []
        for _ in range(REPEATS):
            begin = time.perf_counter()
            results = program(*uploaded)
            graphc.tree.leaves(results)[-1].block_until_ready()
            times.append(time.perf_counter() - begin)
        again = [np.asarray(leaf) for leaf in graphc.tree.leaves(results)]
        if any(a.tobytes() != b.tobytes() for a, b in zip(first, again, strict=True)):
            return _failed(case.name, "a second run gave other bytes", executable)
    except GraphcError as error:
        return Outcome(case.name, "failed", str(error))
    plan = executable.plan
    moved = sum(d.bytes_read + d.bytes_written for d in plan.dispatches)
    flops = sum(d.flops for d in plan.dispatches)
    detail = f"by {others}: the adapter cannot run its kernels" if others else ""
    return Outcome(case.name, "passed", detail, statistics.median(times), len(plan.kernels), moved, int(flops))


def _expanded(executable: Executable, family: str) -> bool:
    """Whether the program has such kernels, which its device cannot run, so that other families do their work."""
    target = executable.target
    for _, graph in executable.stages:
        for node in graph.nodes:
            if (found := kernel_family(node)) is None or found.name != family:
                continue
            body, _ = body_of(node, graph.constants)
            if not found.fits(body, target):
                return True
    return False


def families(plan: Plan) -> set[str]:
    """The families of all kernels of a plan, and of the launches that others stand for."""
    launches = [launch for d in plan.dispatches for launch in (d, *d.members)]
    return {plan.kernels[d.kernel].family for d in launches} | {k.family for k in plan.kernels}


def _too_large(device: Device, case: Case) -> str:
    if (capacity := device.capacity) is not None and case.nbytes > capacity // 2:
        return f"it needs {case.nbytes / 2**30:.1f} GiB, of {capacity / 2**30:.1f} on the device"
    if case.nbytes // 2 > (most := device.limits["max-buffer-size"]):
        return f"it needs a buffer of {case.nbytes // 2 / 2**30:.1f} GiB, at most {most / 2**30:.1f} are allowed"
    memory = host_memory()
    needed = HOST_COPIES * case.nbytes * (2 if device.software else 1)
    if case.nbytes and memory is not None and needed > memory // 2:
        return f"it needs {needed / 2**30:.1f} GiB of the host's memory, half of {memory / 2**30:.1f} are taken at most"
    return ""


def _wrong(case: Case, arguments: Sequence[Any], executable: Executable, found: Sequence[NDArray]) -> str:
    """What is wrong with the results of a case, "" where nothing is."""
    if case.direct:
        wanted = [np.asarray(leaf) for leaf in graphc.tree.leaves(case.fn(*arguments))]
    else:
        leaves = [np.asarray(leaf) for leaf in graphc.tree.leaves(tuple(arguments))]
        expected = Expected(executable.stages[0][1], leaves)
        if not case.exact:
            number = expected.first_wrong(found)
            return "" if number is None else _difference(number, found[number], expected.outputs[number])
        wanted = list(expected.outputs)
    for number, (got, want) in enumerate(zip(found, wanted, strict=True)):
        same = got.dtype == want.dtype and np.array_equal(got, want, equal_nan=want.dtype.kind == "f")
        if not same or (want.dtype.kind == "f" and (np.signbit(got) != np.signbit(want))[~np.isnan(want)].any()):
            return _difference(number, got, want)
    return ""


def _difference(number: int, got: NDArray, want: NDArray) -> str:
    """Where two tensors differ most, in words."""
    with np.errstate(invalid="ignore"):
        gap = np.asarray(np.abs(got.astype(np.float64) - want.astype(np.float64)))
    gap[np.isnan(got.astype(np.float64)) != np.isnan(want.astype(np.float64))] = np.inf
    gap[np.isnan(gap)] = 0
    if not gap.any():
        gap = 0.0 + (np.signbit(got) != np.signbit(want))
    at = np.unravel_index(int(np.argmax(gap)), gap.shape) if gap.size else ()
    place = f"[{', '.join(map(str, at))}]"
    return f"result {number} is {got[at]} at {place}, must be {want[at]}; {int(np.sum(gap > 0))} of {gap.size} differ"


def _failed(name: str, detail: str, executable: Executable) -> Outcome:
    shown = [str(executable.stages[0][1])]
    shown += [f"kernel {kernel.name} ({kernel.family})\n{kernel.wgsl}" for kernel in executable.plan.kernels]
    return Outcome(name, "failed", detail, kernels=len(executable.plan.kernels), text="\n".join(shown))


def _function(device: Device, name: str) -> Outcome:
    """An elementary function against float64."""
    fn, x = FUNCTIONS[name][0], points(name)
    title = f"function: {name}"
    try:
        program = graphc.compile(lambda x: fn(x), device=device)
        found = np.asarray(program(x))
    except GraphcError as error:
        return Outcome(title, "failed", str(error))
    worst = ulps(found, fn(x.astype(np.float64)))
    at = int(np.argmax(np.where(np.isnan(worst), np.inf, worst)))
    text = f"{worst[at]:.1f} units of the last place at {x[at]}"
    if worst[at] <= ULP:
        return Outcome(title, "passed", text, kernels=1)
    return _failed(title, f"{text}: at most {ULP:.0f} are allowed", program.lower(x))


def _told(device: Device) -> Outcome:
    """An index that only the device knows, and that is out of range, raises IndexRangeError."""
    name = "indices: out of range are told"

    def looked_up(table: Any, ids: Any) -> Any:
        return table[ids + 1]

    table, ids = np.arange(10, dtype=np.float32), np.array([3, 9], np.int32)
    try:
        np.asarray(graphc.compile(looked_up, device=device)(table, device.upload(ids)))
    except graphc.errors.IndexRangeError:
        return Outcome(name, "passed")
    except GraphcError as error:
        return Outcome(name, "failed", str(error))
    return Outcome(name, "failed", "index 10 of an axis of 10 was read without a word")


def _losses(device: Device) -> Outcome:
    """The first losses of a training run, against those of float64."""
    name = "microgpt: losses of 8 steps"
    try:
        losses = training_losses(device)
    except GraphcError as error:
        return Outcome(name, "failed", str(error))
    gap = max(abs(a - b) for a, b in zip(losses, GOLDEN, strict=True))
    if gap < 1e-4:
        return Outcome(name, "passed", f"within {gap:.0e} of float64's")
    return Outcome(name, "failed", f"{losses}, must be {list(GOLDEN)}")


def training_losses(device: Device) -> list[float]:
    """The losses of microGPT's first steps, one name each."""
    corpus = Corpus("names", "\n".join(NAMES))
    config, vocabulary = microgpt.configure(corpus)
    optimizer = optim.adam(0.01, 0.85, 0.99)
    params: Any = microgpt.init(graphc.random.key(0), config)
    state = optimizer.init(params)
    step = graphc.compile(training_step(microgpt, config, optimizer), device=device, donate=(0, 1))
    batches = graphc.models.documents.DocumentBatches(list(NAMES), vocabulary, config.context, 1)
    losses = []
    for number in range(len(NAMES)):
        params, state, loss = step(params, state, *batches(number))
        losses.append(float(loss))
    return losses


def _given_back(device: Device) -> Outcome:
    """Memory of programs and results that nobody holds any more is free again."""
    name = "memory: what was used is given back"
    gc.collect()
    device.synchronize()
    before = device.in_use_bytes

    def use() -> int:
        program = graphc.compile(lambda x: (x @ x.T, np.sum(x, axis=0)), device=device)
        results = program(device.upload(np.ones((500, 300), np.float32)))
        np.asarray(results[0])
        return device.in_use_bytes

    try:
        within = use()
    except GraphcError as error:
        return Outcome(name, "failed", str(error))
    gc.collect()
    device.synchronize()
    left = device.in_use_bytes - before
    if within > before and left <= 0:
        return Outcome(name, "passed", f"{within - before:,} bytes")
    return Outcome(name, "failed", f"{within - before:,} bytes were in use, {left:,} of them still are")
