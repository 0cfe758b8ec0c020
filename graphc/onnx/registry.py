"""The table of importers: for each ONNX operator a function of a few lines, in NumPy and graphc.nn.

An importer is called with the Call, the node's inputs (None where one is left out) and its attributes by name. What it
is given may be traced or a plain ndarray, so the same code makes nodes or folds shape arithmetic on the host.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

import numpy as np

from graphc.ir.types import NDArray
from graphc.onnx.errors import UnsupportedError
from graphc.tracing.core import constant, is_tracer, owner

Importer = Callable[..., Any]
Array = Any
"""An ndarray or a traced array."""

TABLE: Final[dict[tuple[str, str], list[tuple[int, Importer]]]] = {}
"""(domain, operator) -> [(first version, importer)], the newest first."""

LARGEST: Final = 1 << 28
"""Elements of the largest tensor that a node makes of small ones."""

MOST_TURNS: Final = 2_000_000
"""Steps of a run, those of loops and functions each time that they run."""


def importer(*names: str, since: int = 1, domain: str = "") -> Callable[[Importer], Importer]:
    """Enter a function as the importer of these operators, from that version of the operator set on."""

    def enter(function: Importer) -> Importer:
        for name in names:
            versions = TABLE.setdefault((domain, name), [])
            versions.append((since, function))
            versions.sort(key=lambda entry: -entry[0])
        return function

    return enter


def find(domain: str, name: str, version: int) -> Importer | None:
    """The importer for an operator as this version of the operator set defines it."""
    return next((function for since, function in TABLE.get((domain, name), ()) if since <= version), None)


@dataclass
class Budget:
    """What a run may still do: elements that it computes of constants, and steps."""

    elements: int
    steps: int = MOST_TURNS


@dataclass
class Call:
    """One node as its importer sees it.

    op, name: operator and name of the node. version: the operator set that is in force. outputs: names of the outputs,
    empty for one that nobody wants. block: runs a sub-graph, given as an attribute, on arrays. budget: of the run.
    """

    op: str
    name: str
    version: int
    outputs: tuple[str, ...] = ("",)
    block: Callable[[Any, Sequence[Array]], list[Array]] = field(default=lambda body, inputs: [])
    budget: Budget = field(default_factory=lambda: Budget(LARGEST))

    @property
    def what(self) -> str:
        """The node in a message."""
        return f"{self.op} (node {self.name!r})"

    def wants(self, position: int) -> bool:
        """Whether anybody asks for the output of this number."""
        return position < len(self.outputs) and bool(self.outputs[position])

    def refuse(self, why: str) -> NoReturn:
        """Raise UnsupportedError that names the node."""
        raise UnsupportedError(f"{self.what}: {why}")

    def known(self, x: Array, what: str) -> NDArray:
        """An input that has to be known when the program is made; raises UnsupportedError where it is traced."""
        if is_tracer(x):
            held = x.state.builder.constants.get(x.value)
            if held is not None:
                return held
            raise UnknownInput(
                f"{self.what} has to know its {what}, which is computed from an input: bind that input, "
                "model.bind(name=value), or let a function close over its value",
            )
        return np.asarray(x)

    def ints(self, x: Array, what: str) -> list[int]:
        """A known input as a list of ints."""
        return [int(n) for n in np.ravel(self.known(x, what))]

    def made(self, x: Array) -> Array:
        """A result, which counts where it is known: so much may be folded on the host."""
        self.budget.elements -= 0 if is_tracer(x) else x.size
        if self.budget.elements < 0:
            self.refuse(f"more than {LARGEST} elements are computed of constants")
        return x

    def sized(self, shape: Sequence[int]) -> tuple[int, ...]:
        """A shape to make an array of; raises UnsupportedError for one that is absurd."""
        count = 1
        for n in shape:
            if n < 0:
                self.refuse(f"shape {list(shape)} has a negative length")
            count *= n
        if count > LARGEST:
            self.refuse(f"shape {list(shape)} has {count} elements: at most {LARGEST}")
        return tuple(shape)


class UnknownInput(UnsupportedError):
    """A value that decides about shapes is computed from an input of the program."""


def traced_like(*arrays: Array) -> tuple[Array, ...]:
    """All of these as traced values where one is, for functions that look at their first argument only."""
    if not any(is_tracer(x) for x in arrays):
        return arrays
    trace = owner(arrays)
    return tuple(x if x is None or is_tracer(x) else constant(trace, x) for x in arrays)
