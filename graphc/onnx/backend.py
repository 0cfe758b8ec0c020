"""The interface by which onnx's own tests, and others, run models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx.backend.base import Backend as OnnxBackend
from onnx.backend.base import BackendRep

from graphc.compile import compile
from graphc.onnx.model import Model, load
from graphc.onnx.registry import UnknownInput
from graphc.tracing.trace import trace_program

_SMALL = 64
"""Elements of the largest input that is bound by itself."""


class Prepared(BackendRep):
    """A model that is ready to run on a device."""

    def __init__(self, model: Model, device: str | None) -> None:
        self.model = model
        self.device = device

    def run(self, inputs: Sequence[Any], **kwargs: Any) -> tuple[Any, ...]:
        """The outputs for these inputs as ndarrays. Integer inputs that decide about shapes are bound."""
        given = dict(zip(self.model.inputs, map(np.asarray, inputs), strict=True))
        model = self.model.bind(**{n: given.pop(n) for n in needed(self.model, given)})
        results = compile(model, device=self.device)(*given.values())
        results = results if isinstance(results, tuple) else (results,)
        return tuple(np.asarray(x, dtype) for x, dtype in zip(results, model.result_dtypes, strict=True))


def needed(model: Model, given: dict[str, Any]) -> list[str]:
    """The inputs that have to be known: as few of the small ones as the model can be traced with, integers first."""
    small = [n for n, x in given.items() if x.ndim < 2 and x.size <= _SMALL]
    small.sort(key=lambda n: (given[n].dtype.kind == "f", given[n].ndim))
    bound: list[str] = []
    for name in [None, *small]:
        bound += [] if name is None else [name]
        try:
            trace_program(
                model.bind(**{n: given[n] for n in bound}), tuple(x for n, x in given.items() if n not in bound), {}
            )
        except UnknownInput:
            continue
        return bound
    return bound


class Backend(OnnxBackend):
    """graphc as a backend of onnx; "CPU" is the default device of graphc."""

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> Prepared:
        """A model to run on a device."""
        return Prepared(load(model), kwargs.get("on"))

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Whether there is such a device."""
        return device == "CPU"
