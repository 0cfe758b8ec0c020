"""The device "numpy": programs run in the NumPy reference, op by op. The oracle, and the default with no adapter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc import reference
from graphc.ir import Graph
from graphc.plan import Plan, Target
from graphc.runtime.array import Array
from graphc.runtime.base import Device, Runner
from graphc.types import NDArray, TensorType, narrow


class NumpyDevice(Device):
    """Runs graphs in NumPy on the host. Calls return when the work is done."""

    def __init__(self) -> None:
        self.name = "numpy"
        self.software = True

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
        return Array(self, data, TensorType(data.shape, _exact(data)))

    def prepare(self, graph: Graph, plan: Plan | None, donated: frozenset[int]) -> Runner:
        """The graph as a callable; the plan is not used."""
        self.check_open()
        return _GraphRunner(self, graph, donated)

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


def _exact(data: NDArray) -> Any:
    from graphc.types import dtype_of

    return dtype_of(data.dtype)


class _GraphRunner(Runner):
    """Evaluates one graph."""

    def __init__(self, device: NumpyDevice, graph: Graph, donated: frozenset[int]) -> None:
        self._device = device
        self._graph = graph
        self._donated = donated

    def __call__(self, arguments: Sequence[Any]) -> list[Array]:
        self._device.check_open()
        inputs = []
        for value, argument in zip(self._graph.inputs, arguments, strict=True):
            host = argument._alive() if isinstance(argument, Array) and argument.device is self._device else argument
            inputs.append(np.asarray(narrow(np.asarray(host)), dtype=value.type.dtype.numpy))
        results = reference.run(self._graph, inputs)
        held = [*inputs, *self._graph.constants.values()]
        outputs = []
        for value, result in zip(self._graph.outputs, results, strict=True):
            shared = any(np.may_share_memory(result, other) for other in held)
            outputs.append(Array(self._device, np.array(result) if shared else result, value.type))
        for slot in self._donated:
            if isinstance(arguments[slot], Array):
                arguments[slot]._retire(f"was donated to a compiled function (argument {slot})")
        return outputs
