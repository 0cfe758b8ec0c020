"""Executable: one program for one signature, with everything that was decided on the way to it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from graphc import program, tree
from graphc.analysis.loops import flatten, is_loop
from graphc.errors import DeviceError, DTypeError, ShapeError
from graphc.index_check import IndexCheck
from graphc.inspect.explain import explain
from graphc.inspect.occupancy import KernelReport, kernel_report
from graphc.inspect.profile import Profile, measure
from graphc.inspect.subject import Argument
from graphc.inspect.times import of_nodes
from graphc.ir.graph import Graph, Node
from graphc.ir.text import html_details, html_table, html_text
from graphc.ir.types import check_plain, type_of
from graphc.limit import Composed
from graphc.lower import lower
from graphc.passes.attention import unserved
from graphc.passes.fusion.explain import Decision
from graphc.passes.fusion.fuse import Fuse, decisions
from graphc.passes.pipeline import GraphPass
from graphc.passes.ranges import Ranges
from graphc.plan.contract import Contract, contract
from graphc.plan.plan import Plan, Target
from graphc.plan.report import MemoryReport, memory_report
from graphc.runtime import Array, Device, DeviceArray, Runner
from graphc.runtime.forks import Lock
from graphc.signature import Retrace
from graphc.tuner import tuned

Check = Callable[["Executable", Sequence[Any], Sequence[DeviceArray]], None]
"""Examines the outputs of a first call; raises MiscompileError."""


@dataclass(eq=False)
class Executable:
    """A compiled program. Call it with arguments of its signature, or look inside.

    stages: (pass name, Graph) pairs, the traced graph first; `passes` made those after it. device: where it runs.
    donated: positions of the leaves whose Arrays a call takes over. planned: the plan, where it was made already.
    parameters: names of the positional arguments. compose: makes it again from the traced graph, for another
    target, or so that it takes nothing for granted of the indices in its arguments (trust=False), as it does unless
    `distrusts`, but checks them on the device. wanted: the target of the
    plan, where that is not the device's own. retraces: each time that the function was compiled so far, this one among
    them, and why. said: the element types that results are shown in, None for their own.
    """

    name: str
    device: Device
    stages: list[tuple[str, Graph]]
    arguments: tuple[Argument, ...]
    in_tree: tree.TreeDef
    out_tree: tree.TreeDef
    donated: frozenset[int]
    static: Mapping[str, Any] = field(default_factory=dict)
    planned: Plan | None = None
    passes: tuple[GraphPass, ...] = ()
    first_call: Check | None = None
    parameters: tuple[str, ...] = ()
    compose: Callable[..., Composed] | None = None
    wanted: Target | None = None
    retraces: Sequence[Retrace] = ()
    said: Sequence[np.dtype[Any] | None] = ()
    distrusts: bool = False

    def __reduce__(self) -> str:
        raise TypeError("an Executable is not pickled or copied: save(path) and graphc.load_program(path) do it")

    def __post_init__(self) -> None:
        self._lock = Lock()
        self._runner: Runner | None = None
        self._check = self.first_call

    @property
    def graph(self) -> Graph:
        """The graph that is lowered: the last stage."""
        return self.stages[-1][1]

    @property
    def target(self) -> Target:
        """What the plan is made for: the device, or what `compile` was told."""
        return self.wanted or self.device.target

    @cached_property
    def plan(self) -> Plan:
        """Buffers, kernels and dispatches. On the device "numpy", what WebGPU's baseline would run.

        What a tuner has found on the device holds for the device's own target alone.
        """
        return self.planned or lower(self.graph, self.wanted or tuned(self.graph, self.device), self.donated)

    def graph_for(self, target: Target) -> Graph:
        """The graph that is lowered for another target: this one's, unless `target` lacks kernels that it counts on."""
        if self.compose is None or not unserved(self.graph, target):
            return self.graph
        return self.compose(target=target, trust=not self.distrusts).stages[-1][1]

    @cached_property
    def memory(self) -> MemoryReport:
        """Device memory that the program needs, and the lifetimes of its tensors."""
        return memory_report(self.plan, self.target.alignment)

    @cached_property
    def kernels(self) -> KernelReport:
        """What each kernel takes, and how it fills a GPU of the target's class."""
        return kernel_report(self.plan, self.target)

    @cached_property
    def contract(self) -> Contract:
        """What a call takes: memory, dispatches, operations, bytes moved. Known before anything is allocated."""
        return contract(self.plan, self.memory, [(a.name, a.type) for a in self.arguments])

    @cached_property
    def _indices(self) -> IndexCheck:
        position = next((n for n, p in enumerate(self.passes) if isinstance(p, Ranges)), 0)
        return IndexCheck(self.stages[position][1], [a.name for a in self.arguments])

    @cached_property
    def guarded(self) -> Executable:
        """The program for arguments of which the host does not know whether their indices are in range."""
        if self.compose is None or self.distrusts:
            return self
        made = self.compose(trust=False)
        stages, passes, plan = made.stages, made.passes, made.plan
        return replace(self, stages=stages, passes=passes, planned=plan, first_call=self._check, distrusts=True)

    def explain(self) -> str:
        """For each op of the user's program: the kernel it went into, or why it was not fused."""
        return explain(self.graph, self.plan, self.decisions())

    def decisions(self) -> dict[Node, Decision]:
        """What fusion decided of each node that it was given, also of those in loops; empty where it was not asked."""
        for position, graph_pass in enumerate(self.passes):
            if isinstance(graph_pass, Fuse):
                return _decisions(self.stages[position][1], graph_pass)
        return {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run; raises ShapeError or DTypeError naming the argument that does not fit the signature."""
        return self.run(self._leaves(args, kwargs))

    def _leaves(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Any]:
        leaves, in_tree = tree.flatten((args, kwargs))
        if in_tree != self.in_tree:
            raise ShapeError(f"{self.name} was compiled for arguments {self.in_tree}, got {in_tree}")
        if in_tree.arrangement != self.in_tree.arrangement:
            raise ShapeError(
                f"{self.name} was compiled for dicts whose keys stand in another order: call `lower` again"
            )
        for argument, leaf in zip(self.arguments, leaves, strict=True):
            _check_leaf(argument, leaf)
        return leaves

    def run(self, leaves: Sequence[Any]) -> Any:
        """Run on the flattened arguments, which must fit the signature."""
        program = self if self._indices.admits(leaves) else self.guarded
        bounds = self._indices.results(leaves)
        outputs = program._run(leaves)
        for slot, interval in bounds:
            outputs[slot].bounds = interval
        for output, shown in zip(outputs, self.said, strict=False):
            output.shown = shown
        return tree.unflatten(self.out_tree, outputs)

    def _run(self, leaves: Sequence[Any]) -> Sequence[DeviceArray]:
        runner = self._runner or self.prepared()
        if self.first_call is None:
            return runner(leaves)
        runner.settle()  # what is checked is what stays
        check, self.first_call = self.first_call, None
        kept = [leaf.numpy() if isinstance(leaf, Array) else np.array(leaf) for leaf in leaves]
        outputs = runner(leaves)
        try:
            check(self, kept, outputs)
        except BaseException:
            self.first_call = check
            raise
        return outputs

    def profile(self, *args: Any, repeat: int = 5, **kwargs: Any) -> Profile:
        """Time each dispatch on these arguments, `repeat` times; Arrays stay alive, donated ones too.

        Raises ShapeError or DTypeError for arguments of another signature.
        """
        return measure(self, self._leaves(args, kwargs), repeat)

    def to_svg(
        self, path: str | os.PathLike[str] | None = None, *, profile: Profile | None = None, **options: Any
    ) -> str:
        """An SVG drawing of the kernels and what flows between them, also written to `path`.

        profile: what `profile` measured: each kernel says what it took. Other options: see `Graph.to_svg`.
        """
        times = of_nodes(self.graph, self.plan, profile) if profile else None
        return self.graph.to_svg(path, times=times, **options)

    def report(
        self, path: str | os.PathLike[str], *, profile: Profile | bool = True, peaks: tuple[float, float] | None = None
    ) -> None:
        """Write everything that is known of the program as one HTML page, which needs nothing else: source lines, ops,
        what each pass did, kernels, memory and time, linked to each other. docs/report.md shows it.

        profile: what `profile` measured; True: it is measured here, on arguments that are made up (zeros, and small
        numbers for floats), where the device runs kernels; False: the page has no times. peaks: what the device can do
        at most, in FLOP/s and bytes/s; unless given, the best that a kernel of the program reached.
        """
        from graphc.report import write

        write(self, path, profile, peaks)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the program as the folder `path`, for `graphc.load_program`: plan, kernels and constants.

        It runs without a graph or a compiler, on adapters that have what this one was asked for, and checks all indices
        that are not known to be in range on the device (see `guarded`). Raises ProgramError
        for a place that cannot be written. docs/program.md describes the files.
        """
        made = self.guarded if self._indices.watched else self
        program.save(made.as_program(made.plan, self.target), path)

    def as_program(self, plan: Plan, target: Target, graph: Graph | None = None) -> program.Program:
        """The program of a plan that was made for `target` from `graph` (None: the last stage)."""
        values = flatten(graph or self.graph).graph.constants.values()
        arrays = {f"{self.name}.constants.{n}": array for n, array in enumerate(values)}
        axes = self._indices.axes()
        trees = self.in_tree, self.out_tree
        made = program.make_function(self.name, self.parameters, plan, target, trees, self.donated, axes, tuple(arrays))
        return program.Program({self.name: made}, arrays)

    def prepared(self) -> Runner:
        """The program on its device: pipelines, constants and memory, made on the first call.

        Raises DeviceError where the plan was made for another target and needs what the device lacks.
        """
        with self._lock:
            if self._runner is None:
                plan = self._runnable() if self.device.needs_plan else None
                names = [a.name for a in self.arguments]
                self._runner = self.device.prepare(self.graph, plan, self.donated, names, self.name)
            return self._runner

    @property
    def lacks(self) -> str:
        """What the plan needs and the device has not; empty where it can run it."""
        if self.wanted is None:
            return ""
        return program.lacking(program.requirements(self.plan, self.wanted), self.device.target)

    def _runnable(self) -> Plan:
        """The plan as the device may run it."""
        if self.wanted is None:
            return self.plan
        if lacks := self.lacks:
            raise DeviceError(
                f"{self.name} was compiled for {self.wanted}, and device {self.device.name} "
                f"({self.device.target.name}) cannot run that: it needs {lacks}"
            )
        return self.plan if self.device.software else replace(self.plan, quick=None)

    def _repr_html_(self) -> str:
        """For notebooks: what it takes, its arguments and its kernels."""
        arguments = [(a.name, str(a.type)) for a in self.arguments]
        kernels = [(k.name, k.launches, k.bound, k.bytes_moved, k.flops) for k in self.kernels.kernels]
        head = ("kernel", "calls", "bound by", "bytes moved", "operations")
        return (
            html_text(f"{self}\n{self.contract}")
            + html_details("arguments", html_table(("argument", "type"), arguments))
            + html_details("kernels", html_table(head, kernels))
            + html_details("memory", self.memory._repr_html_())
        )

    def __repr__(self) -> str:
        types = ", ".join(f"{a.name}: {a.type}" for a in self.arguments)
        return f"Executable({self.name}({types}) on {self.device.name})"

    def __str__(self) -> str:
        """Its kernels, and how long they took to compile."""
        text = f"{self.name} of {_counted(len(self.arguments), 'argument')} on {self.device.name}"
        if self.wanted is not None:
            text += f", compiled for {self.wanted}"
        elif not self.device.needs_plan:
            return text
        kernels, dispatches = len(self.plan.kernels), len(self.plan.dispatches)
        text += f": {_counted(kernels, 'kernel')}, {_counted(dispatches, 'dispatch')}"
        if not self.device.needs_plan:
            return text
        compiled = self._runner.compiled if self._runner else None
        if compiled is None:
            return f"{text}, not compiled yet"
        text += f", {compiled.kernels} compiled in {compiled.seconds:.2f} s"
        if not compiled.waiting:
            return text
        return f"{text}; {compiled.waiting} that run faster are compiled beside its calls when they pay"


def _counted(count: int, what: str) -> str:
    plural = "es" if what.endswith("ch") else "s"
    return f"{count} {what}{plural if count != 1 else ''}"


def _decisions(graph: Graph, fuse: Fuse) -> dict[Node, Decision]:
    """What fusion decides of each node, also of those in loops."""
    found = decisions(graph, fuse)
    for node in filter(is_loop, graph.nodes):
        found |= _decisions(node.attrs["body"], fuse)
    return found


def _check_leaf(argument: Argument, leaf: Any) -> None:
    check_plain(leaf, f"argument {argument.name}")
    found = leaf.type if isinstance(leaf, Array) else type_of(np.asarray(leaf))
    if found.shape != argument.type.shape:
        raise ShapeError(f"argument {argument.name} was compiled as {argument.type}, got {found}")
    if found.dtype != argument.type.dtype:
        raise DTypeError(f"argument {argument.name} was compiled as {argument.type}, got {found}")
