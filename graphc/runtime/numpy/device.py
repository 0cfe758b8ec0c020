"""The device "numpy": programs run on the host, through NumPy and its BLAS. The default where there is no adapter."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import OutOfMemoryError
from graphc.ir.graph import Graph
from graphc.ir.types import NDArray, TensorType, narrow
from graphc.plan.plan import Plan, Target
from graphc.runtime.array import Array, bounds_of
from graphc.runtime.base import Device, Runner, donated_texts
from graphc.runtime.forks import Threads
from graphc.runtime.numpy.program import NumpyProgram


class NumpyDevice(Device):
    """Runs graphs in NumPy on the host. Calls return when the work is done."""

    def __init__(self) -> None:
        self.name = "numpy"
        self.software = True
        self.pool = Threads("graphc-numpy") if (os.cpu_count() or 1) > 1 else None
        """Threads that share what NumPy itself computes on one; None on a machine with one processor."""

    @property
    def target(self) -> Target:
        """WebGPU's baseline: plans made for this device are for reading, not for running."""
        return Target(name="numpy")

    @property
    def needs_plan(self) -> bool:
        """False: the graph itself is run."""
        return False

    @property
    def features(self) -> frozenset[str]:
        """float16 and float64 always work."""
        return frozenset({"shader-f16", "shader-f64"})

    @property
    def limits(self) -> dict[str, int]:
        """None but memory."""
        return {}

    def check_dtype(self, type: TensorType) -> None:
        """All element types work."""

    def upload(self, array: NDArray) -> Array:
        """A copy of `array`, narrowed like every input."""
        self.check_open()
        data = np.array(narrow(array), order="C")
        made = Array(self, data, TensorType(data.shape, _exact(data)))
        made.bounds = bounds_of(data)
        return made

    def prepare(
        self,
        graph: Graph,
        plan: Plan | None,
        donated: frozenset[int],
        names: Sequence[str] = (),
        name: str = "a program",
    ) -> Runner:
        """The graph as a callable; the plan is not used."""
        self.check_open()
        return _GraphRunner(self, graph, donated_texts(donated, names))

    def fetch(self, data: Any, type: TensorType) -> NDArray:
        """A copy of the elements."""
        return np.array(data)

    def is_ready(self, data: Any) -> bool:
        """Always true."""
        return True

    def wait(self, data: Any) -> None:
        """Nothing to wait for."""

    def synchronize(self) -> None:
        """Nothing to wait for."""
        self.check_open()

    def close(self) -> None:
        """Refuse further use."""
        self.closed = True
        if self.pool is not None:
            self.pool.shutdown()


def _exact(data: NDArray) -> Any:
    from graphc.ir.types import dtype_of

    return dtype_of(data.dtype)


class _GraphRunner(Runner):
    """Evaluates one graph."""

    def __init__(self, device: NumpyDevice, graph: Graph, donated: dict[int, str]) -> None:
        self._device = device
        self._graph = graph
        self._donated = donated
        try:
            for value in graph.outputs:  # a result that has no room is known before anything is planned for it
                np.empty(value.type.shape, value.type.dtype.numpy)
            self._program = NumpyProgram(graph, device.pool)
        except MemoryError as error:
            raise OutOfMemoryError(f"preparing a program on numpy: {error}") from error

    def settle(self) -> None:
        """Nothing is compiled."""

    def __call__(self, arguments: Sequence[Any]) -> list[Array]:
        self._device.check_open()
        inputs = []
        for value, argument in zip(self._graph.inputs, arguments, strict=True):
            host = argument._alive() if isinstance(argument, Array) and argument.device is self._device else argument
            inputs.append(np.asarray(narrow(np.asarray(host)), dtype=value.type.dtype.numpy))
        try:
            results = self._program(inputs)
        except MemoryError as error:
            raise OutOfMemoryError(f"running a program on numpy: {error}") from error
        outputs = [Array(self._device, r, v.type) for v, r in zip(self._graph.outputs, results, strict=True)]
        for slot, why in self._donated.items():
            if isinstance(argument := arguments[slot], Array):
                own = argument.device is self._device and isinstance(argument._content, np.ndarray)
                memory = argument._content if own else None
                argument._retire(why)
                if memory is not None:
                    self._program.give(memory)
        return outputs
