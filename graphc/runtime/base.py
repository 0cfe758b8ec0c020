"""Device: where programs run. Two kinds: a WebGPU adapter, and the NumPy reference."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np

from graphc.errors import DeviceError
from graphc.ir.graph import Graph
from graphc.ir.types import NDArray, TensorType
from graphc.plan.plan import Plan, Target

SHORTEST_PAUSE: Final = 20e-6
LONGEST_PAUSE: Final = 2e-3


class DeviceArray(Protocol):
    """A tensor on a device, as devices give them out: `graphc.Array`, which says what each of these is."""

    bounds: tuple[int, int] | None
    shown: np.dtype[Any] | None

    @property
    def type(self) -> TensorType: ...

    def numpy(self) -> NDArray: ...

    def is_ready(self) -> bool: ...

    def block_until_ready(self) -> DeviceArray: ...


@dataclass(frozen=True, slots=True)
class Compiled:
    """What compiling a program has taken. kernels: that it launches. seconds: that it has waited for them.

    waiting: kernels that would run faster and are not compiled yet; others do their work until then, with the same
    results.
    """

    kernels: int
    seconds: float
    waiting: int = 0


class Runner(ABC):
    """A program made ready on a device."""

    @property
    def compiled(self) -> Compiled | None:
        """What compiling has taken so far; None where nothing is compiled."""
        return None

    @abstractmethod
    def settle(self) -> None:
        """Wait until the program is as fast as it gets: every kernel that would run faster is compiled."""

    @abstractmethod
    def __call__(self, arguments: Sequence[Any]) -> Sequence[DeviceArray]:
        """Start the program. arguments: an ndarray or an Array for each input, of the graph's types.

        Returns at once with the outputs. ndarrays are copied before it returns; donated Arrays are dead afterwards.
        """

    def time_dispatches(self, arguments: Sequence[Any], repeat: int) -> tuple[str, NDArray | None]:
        """How dispatches are timed, and the start and end of each; None where there is nothing to time."""
        return "none", None


class Device(ABC):
    """A place where programs run and Arrays live. Get one from `graphc.device` or `graphc.devices`.

    name: "wgpu:0", "numpy". target: what lowering may use. Threads may share a device. After `close`, everything that
    belongs to the device raises DeviceError.
    """

    name: str
    closed: bool = False
    software: bool = False

    @property
    @abstractmethod
    def target(self) -> Target:
        """What the device allows, as lowering needs to know it."""

    @property
    def needs_plan(self) -> bool:
        """Whether programs must be lowered to a Plan to run here."""
        return True

    @property
    @abstractmethod
    def features(self) -> frozenset[str]:
        """Names of the optional features that kernels may use."""

    @property
    @abstractmethod
    def limits(self) -> dict[str, int]:
        """Limits by their WebGPU names."""

    @property
    def capacity(self) -> int | None:
        """Bytes of memory that programs can use at most: the host's for what runs on it; None where nobody can say.

        WebGPU does not tell how much memory a GPU has.
        """
        return host_memory() if self.software else None

    @property
    def in_use_bytes(self) -> int:
        """Bytes of the device's memory that arrays and programs hold; 0 where that is the host's."""
        return 0

    def trim(self) -> None:
        """Give back memory that is kept for later; what is made after it holds zeros."""
        return

    @abstractmethod
    def check_dtype(self, type: TensorType) -> None:
        """Raise DeviceError for an element type that the device cannot compute with."""

    @abstractmethod
    def upload(self, array: NDArray) -> DeviceArray:
        """A copy of `array` on the device, narrowed like every input; the bounds of integers are noted."""

    @abstractmethod
    def prepare(
        self,
        graph: Graph,
        plan: Plan | None,
        donated: frozenset[int],
        names: Sequence[str] = (),
        name: str = "a program",
    ) -> Runner:
        """Make a program ready: pipelines, constants, memory. donated: inputs whose buffers it may take over.

        names: what the inputs are called in errors; by default "argument 0" and so on. name: what the program is called
        where it is said what takes so long.
        """

    def prepare_plan(
        self,
        plan: Plan,
        constants: Sequence[NDArray],
        donated: frozenset[int],
        names: Sequence[str] = (),
        name: str = "a program",
    ) -> Runner:
        """Make a plan ready whose graph is not at hand. Raises DeviceError where programs run by their graph."""
        raise DeviceError(f"device {self.name} runs graphs, not plans")

    @abstractmethod
    def fetch(self, data: Any, type: TensorType) -> NDArray:
        """What an Array's data holds, as a new ndarray; waits for it."""

    @abstractmethod
    def is_ready(self, data: Any) -> bool:
        """Whether what computes `data` has finished; never blocks."""

    @abstractmethod
    def wait(self, data: Any) -> None:
        """Block until what computes `data` has finished."""

    @abstractmethod
    def synchronize(self) -> None:
        """Block until everything submitted so far has finished."""

    @abstractmethod
    def close(self) -> None:
        """Give the memory back. Waits for running programs first. Closing twice is fine."""

    def check_open(self) -> None:
        """Raise DeviceError if the device was closed."""
        if self.closed:
            raise DeviceError(f"device {self.name} is closed")

    def __repr__(self) -> str:
        return f"Device({self.name!r}{', closed' if self.closed else ''})"


def donated_texts(donated: frozenset[int], names: Sequence[str]) -> dict[int, str]:
    """What an Array says of itself after it was donated as each of these inputs."""
    return {
        slot: f"was donated to a compiled function ({names[slot] if names else f'argument {slot}'})" for slot in donated
    }


def host_memory() -> int | None:
    """Bytes of memory that this machine has; None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def pauses() -> Iterator[float]:
    """How long to sleep, in seconds, between one look and the next: about a tenth of the time waited so far."""
    pause = SHORTEST_PAUSE
    while True:
        yield pause
        pause = min(1.1 * pause, LONGEST_PAUSE)
