"""Many training steps in one program: the data lie on the device, and each step draws its batch there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

import numpy as np

import graphc
import graphc.optim

Array = Any

SUBMIT_SECONDS: Final = 0.06
"""How long the steps of one submit should take: long enough that the host's part is small, short enough for Ctrl-C."""

MOST_STEPS: Final = 256


class Batches(Protocol):
    """The batches of a run. `draw` is a pure function of data and step, so that a run can stop and go on.

    Called with the number of a step, it gives that batch on the host: the same numbers as on a device.
    """

    data: dict[str, Array]

    def draw(self, data: dict[str, Array], step: Array) -> tuple[Array, Array]:
        """The batch (x, y) of a step: an i32 scalar, which may be traced, as may `data`."""

    def __call__(self, step: int) -> tuple[Array, Array]:
        """The batch of a step as ndarrays."""


def many(step: Callable[..., Any], draw: Callable[[Any, Any], tuple[Any, Any]]) -> Callable[..., Any]:
    """The function (params, state, data, first, count) -> (params, state, seen) that makes the steps from `first` on.

    step: (params, state, x, y) -> (params, state, seen). What is seen is stacked, one row a step. `count` is static.
    """

    def steps(params: Any, state: Any, data: Any, first: Any, count: int) -> tuple[Any, Any, Any]:
        def one(carry: tuple[Any, Any], number: Any) -> tuple[tuple[Any, Any], Any]:
            params, state, seen = step(*carry, *draw(data, number))
            return (params, state), seen

        carry, seen = graphc.scan(one, (params, state), first + np.arange(count, dtype=np.int32))
        return *carry, seen

    return steps


def steps_of_submit(step: graphc.Executable, interval: int) -> int:
    """How many steps to submit at once, of `interval` steps between two stops; 1 where nothing is gained.

    It is estimated from the plan, not measured, so that a run is divided alike each time.
    """
    if step.device.name == "numpy":
        return 1
    # Orders of magnitude for processors and for graphics cards: seconds a dispatch, a multiply or add, and a byte.
    dispatch, flop, byte = (40e-6, 5e-11, 2e-10) if step.device.software else (8e-6, 5e-13, 1e-11)
    bill = step.contract
    work = bill.flops * flop + bill.bytes_moved * byte + bill.dispatches * dispatch
    most = max(1, min(MOST_STEPS, interval, int(SUBMIT_SECONDS / (work + 1e-6))))
    # What is left over at the end of an interval is submitted step by step.
    return min(range(1, most + 1), key=lambda n: (interval // n + interval % n, n))
