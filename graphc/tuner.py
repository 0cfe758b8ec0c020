"""Tuner: kernels that are measured on the device that runs them, instead of chosen by rule.

GRAPHC_TUNE says what is done: "off" (rules alone), "cached" (the default: what was found before is used, nothing is
measured) or "full" (what is not known yet is measured, for a bounded time a program, and written down). A candidate's
results are compared with the reference before it may win, so tuning can only change the order of f32 sums. What was
found lies in the user's cache folder, by adapter, driver and version of the kernels; a file that cannot be read or
written is as good as none.
"""

from __future__ import annotations

import json
import logging
import os
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import platformdirs

from graphc import reference
from graphc.errors import DeviceError, GraphcError
from graphc.families import family_of, products
from graphc.ir import Graph, Node, prune
from graphc.kernels import template
from graphc.loops import flatten
from graphc.lower import lower, matmul, matmul_tile
from graphc.lower.family import body_of
from graphc.op import Contract
from graphc.ops.structured import fused
from graphc.passes.stage import staged
from graphc.plan import Target
from graphc.runtime import Device
from graphc.types import NDArray

if TYPE_CHECKING:
    from graphc.runtime.wgpu_device import WgpuDevice

log: Final = logging.getLogger("graphc")

ENVIRONMENT: Final = "GRAPHC_TUNE"
MODES: Final = ("off", "cached", "full")
SECONDS: Final = 30.0
"""Time for measuring the kernels of one program."""
LEAST_WORK: Final = 1 << 22
"""Floating-point operations of a product that is worth measuring."""
HOPELESS: Final = 1.3
"""A candidate whose first run takes so many times the best one's is run no more."""
RUNS: Final = 4
TOLERANCE: Final = 1e-4
"""Most that a result may differ from the reference, as a part of the largest number in it."""

Choices = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Problem:
    """A kernel to be tuned. graph: its node alone. candidates: what Target.choices may say for `name`."""

    name: str
    graph: Graph
    candidates: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Cache:
    """Choices by device in a JSON file, {device: {problem: choice}}."""

    path: Path = field(default_factory=lambda: platformdirs.user_cache_path("graphc") / "tuned.json")

    def read(self, device: str) -> dict[str, tuple[int, ...]]:
        """What was found for a device; nothing where the file is missing or damaged."""
        found = self._all().get(device, {})
        if not isinstance(found, dict):
            return {}
        return {name: tuple(c) for name, c in found.items() if isinstance(c, list) and all(type(n) is int for n in c)}

    def write(self, device: str, choices: Choices) -> None:
        """Add choices for a device; other processes never see half a file."""
        entries = self._all()
        entries[device] = {**self.read(device), **choices}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            part = self.path.with_suffix(f".{os.getpid()}.part")
            part.write_text(json.dumps(entries, indent=1, sort_keys=True), encoding="utf-8")
            os.replace(part, self.path)
        except OSError as error:
            log.warning("tuner: %s cannot be written (%s): what was measured is forgotten", self.path, error)

    def _all(self) -> dict[str, Any]:
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def mode() -> str:
    """What GRAPHC_TUNE says; raises DeviceError where that is none of MODES."""
    found = os.environ.get(ENVIRONMENT, "cached")
    if found not in MODES:
        raise DeviceError(f"{ENVIRONMENT} is {found!r}: write {', '.join(MODES[:-1])} or {MODES[-1]}")
    return found


def tuned(graph: Graph, device: Device) -> Target:
    """The device's target with the choices for the kernels of `graph`, as GRAPHC_TUNE says."""
    chosen = mode()
    if chosen == "off" or not device.needs_plan:
        return device.target
    return Tuner(cast("WgpuDevice", device)).target(graph, measure=chosen == "full")


class Tuner:
    """Finds the best choice for each problem of a program on one device.

    clock: seconds, for the limit and for the measurements. seconds: when to stop measuring.
    """

    def __init__(
        self,
        device: WgpuDevice,
        cache: Cache | None = None,
        clock: Callable[[], float] = time.perf_counter,
        seconds: float = SECONDS,
    ) -> None:
        self._device, self._clock, self._seconds = device, clock, seconds
        self._cache = cache or Cache()

    @property
    def key(self) -> str:
        """The device and the kernels that a choice was found with."""
        adapter = self._device.adapter
        kernels = zlib.crc32("".join([template("matmul"), repr(matmul_tile.STAGED), repr(matmul_tile.SPREAD)]).encode())
        return f"{adapter.name}, {adapter.backend}, {adapter.driver}, kernels {kernels:08x}"

    def target(self, graph: Graph, measure: bool) -> Target:
        """The device's target with what is known, and, with `measure`, what can be found out in time."""
        target = self._device.target
        known: dict[str, tuple[int, ...]] = self._cache.read(self.key)
        if measure:
            end = self._clock() + self._seconds
            found: dict[str, tuple[int, ...]] = {}
            for problem in problems(graph, target):
                if problem.name not in known and self._clock() < end:
                    best = self.best(problem, end)
                    if best is not None:
                        found[problem.name] = best
            if found:
                self._cache.write(self.key, found)
                known |= found
        return replace(target, choices=known) if known else target

    def best(self, problem: Problem, end: float) -> tuple[int, ...] | None:
        """The fastest candidate that computes what the reference does, of those tried before `end` on the clock."""
        arrays = operands(problem.graph)
        wanted = reference.run(problem.graph, arrays)
        uploaded = [self._device.upload(a) for a in arrays]
        best: tuple[int, ...] | None = None
        least = float("inf")
        for candidate in problem.candidates:
            if self._clock() >= end:
                log.info("tuner: %s: no time for all candidates", problem.name)
                break
            try:
                seconds = self.measure(problem, candidate, uploaded, wanted, least)
            except GraphcError as error:
                log.warning("tuner: %s: candidate %s fails: %s", problem.name, candidate, error)
                continue
            if seconds < least:
                best, least = candidate, seconds
        return best

    def measure(
        self,
        problem: Problem,
        candidate: tuple[int, ...],
        uploaded: Sequence[Any],
        wanted: Sequence[NDArray],
        least: float,
    ) -> float:
        """Seconds of one run, the least of a few; infinity for a candidate with wrong results."""
        target = replace(self._device.target, choices={problem.name: candidate})
        runner = self._device.prepare(problem.graph, lower(problem.graph, target), frozenset())
        results = [np.asarray(a) for a in runner(uploaded)]
        if not all(map(agrees, results, wanted)):
            log.warning("tuner: %s: candidate %s computes something else, and is rejected", problem.name, candidate)
            return float("inf")
        times: list[float] = []
        while len(times) < RUNS and (not times or times[0] < HOPELESS * least):
            start = self._clock()
            runner(uploaded)[0].block_until_ready()
            times.append(self._clock() - start)
        return min(times)


def problems(graph: Graph, target: Target) -> list[Problem]:
    """The kernels of a program that are worth measuring, each kind once."""
    flat = flatten(graph).graph
    found: dict[str, Problem] = {}
    for node in flat.nodes:
        if not _has_matmul(node):
            continue
        for body in products(body_of(node, flat.constants)[0]):
            if "inplace" in node.attrs:
                body = _bare(body)
            staging = staged(node)
            name, shape, tiles = matmul.search(body, target, staging)
            if 2 * shape.batch * shape.m * shape.k * shape.n >= LEAST_WORK and name not in found:
                marks = tuple(i for i, op in enumerate(body.nodes) if op in staging)
                attrs = {"body": body, "family": "matmul", "why": (), "staged": marks}
                alone = Graph(body.inputs, {}, (Node(fused, body.inputs, body.outputs, attrs),), body.outputs)
                found[name] = Problem(name, alone, tuple(tile.choice for tile in tiles))
    return list(found.values())


def _has_matmul(node: Node) -> bool:
    family = node.attrs["family"] if node.op is fused else family_of(node)
    return family in ("matmul", "products")


def _bare(body: Graph) -> Graph:
    """The product of a body without what follows it: its operands are not donated here, so nothing is in place."""
    (node,) = (n for n in body.nodes if isinstance(n.op.lowering, Contract))
    alone = prune(Graph(body.inputs, body.constants, body.nodes, (node.out,)))
    read = {v for n in alone.nodes for v in n.inputs}
    return Graph(tuple(v for v in alone.inputs if v in read), alone.constants, alone.nodes, alone.outputs)


def operands(graph: Graph) -> list[NDArray]:
    """Inputs for a kernel: positive numbers, so that sums do not cancel and roots exist; small integers."""
    rng = np.random.default_rng(0)
    found: list[NDArray] = []
    for value in graph.inputs:
        kind, shape = value.type.dtype, value.type.shape
        if kind.kind == "float":
            found.append(rng.uniform(0.5, 1.5, shape).astype(kind.numpy))
        elif kind.kind == "bool":
            found.append(rng.random(shape) < 0.5)
        else:
            found.append(rng.integers(0, 3, shape).astype(kind.numpy))
    return found


def agrees(got: NDArray, wanted: NDArray) -> bool:
    """Whether a result is the reference's but for the order of sums: for flags, in all but one of a thousand."""
    if got.shape != wanted.shape or got.dtype != wanted.dtype:
        return False
    if got.dtype.kind != "f":
        return bool(np.mean(got != wanted) <= 1e-3) if got.size else True
    finite = np.isfinite(wanted)
    if not np.array_equal(np.isfinite(got), finite):
        return False
    largest = np.abs(wanted[finite]).max(initial=0)
    return bool((np.abs(got[finite].astype(float) - wanted[finite]) <= TOLERANCE * largest).all())
