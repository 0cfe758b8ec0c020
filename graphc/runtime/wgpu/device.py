"""A WebGPU adapter as a Device: a queue, the pipelines compiled for it, and programs that are launched on it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from graphc.analysis.loops import flatten
from graphc.ir.graph import Graph
from graphc.ir.types import NDArray
from graphc.plan.plan import Plan, Target
from graphc.runtime.base import Runner, donated_texts
from graphc.runtime.wgpu.compiler import Compiler
from graphc.runtime.wgpu.executor import PlanRunner
from graphc.runtime.wgpu.pipelines import Pipelines, probe_subgroup
from graphc.runtime.wgpu.queue import Queue


class WgpuDevice(Queue):
    """A GPU (or a software adapter) reached through WebGPU. Opened when it is first used."""

    def _begin(self) -> None:
        self._compiler = Compiler(Pipelines(self))

    def _end(self) -> None:
        self._compiler.close()
        self._compiler.pipelines.clear()

    @property
    def compiler(self) -> Compiler:
        """What compiles its kernels; opens the device unless it was open before."""
        if not self._opened:
            self._open()
        return self._compiler

    @property
    def pipelines(self) -> Pipelines:
        """The kernels that are compiled; opens the device."""
        return self.compiler.pipelines

    @cached_property
    def target(self) -> Target:
        """Limits, features, and the subgroup size as a small kernel finds it."""
        limits = self.limits
        return Target(
            name=self.adapter.name,
            max_storage_buffers=limits["max-storage-buffers-per-shader-stage"],
            max_binding_bytes=limits["max-storage-buffer-binding-size"],
            max_buffer_bytes=limits["max-buffer-size"],
            max_workgroups=limits["max-compute-workgroups-per-dimension"],
            max_invocations=limits["max-compute-invocations-per-workgroup"],
            max_shared_bytes=limits["max-compute-workgroup-storage-size"],
            alignment=limits["min-storage-buffer-offset-alignment"],
            subgroup=probe_subgroup(self, self.pipelines),
            software=self.software,
            integrated=self.adapter.kind == "integrated",
            features=self.features,
        )

    def prepare(
        self,
        graph: Graph,
        plan: Plan | None,
        donated: frozenset[int],
        names: Sequence[str] = (),
        name: str = "a program",
    ) -> Runner:
        """Pipelines and constants of a plan, ready to be called."""
        assert plan is not None
        return self.prepare_plan(plan, list(flatten(graph).graph.constants.values()), donated, names, name)

    def prepare_plan(
        self,
        plan: Plan,
        constants: Sequence[NDArray],
        donated: frozenset[int],
        names: Sequence[str] = (),
        name: str = "a program",
    ) -> Runner:
        """The same for a plan alone. constants: the array of each of its constants."""
        return PlanRunner(self.compiler, plan, constants, donated_texts(donated, names), name)
