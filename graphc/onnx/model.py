"""A loaded model: a function of its inputs that runs on ndarrays and traces like any other."""

from __future__ import annotations

import inspect
import keyword
import math
import os
from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from graphc.errors import GraphcError
from graphc.ir.types import dtype_of
from graphc.onnx.errors import OnnxError, UnsupportedError
from graphc.onnx.reading import Block, Function, Loaded, Port, Reference, Step, function_of_schema, read
from graphc.onnx.registry import LARGEST, MOST_TURNS, Array, Budget, Call
from graphc.onnx.tensors import ELEMENTS, type_proto
from graphc.tracing.core import constant, current, is_tracer
from graphc.tracing.tracer import Tracer

Names = ChainMap[str, Array]


def load(source: str | os.PathLike[str] | bytes | onnx.ModelProto) -> Model:
    """An ONNX model as a function of its inputs, in the order of its graph.

    source: the path of a file (tensors may lie in files beside it), its bytes, or what onnx has read. Raises OnnxError
    for a file that is damaged or hostile, UnsupportedError that counts all nodes for which there is no importer.
    """
    return Model(read(source))


class Model:
    """A model as a function: called on ndarrays it runs in NumPy, and traced, compiled or differentiated it is a part
    of the program. It gives its output, or a tuple where there are several.

    An input that decides about shapes cannot be traced: bind it (`model.bind(shape=[2, 3])`), or hand over an ndarray
    from a closure.
    """

    def __init__(self, loaded: Loaded, bound: Mapping[str, Array] | None = None) -> None:
        self._loaded = loaded
        self._bound = dict(bound or {})
        self.__name__ = loaded.block.name or "model"
        names = _identifiers(self.inputs)
        self.__signature__ = inspect.Signature(
            [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names]
        )

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs that are not bound, in order."""
        return tuple(p.name for p in self._loaded.inputs if p.name not in self._bound)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs, in order."""
        return tuple(p.name for p in self._loaded.outputs)

    @property
    def initializers(self) -> dict[str, Array]:
        """The tensors that the model holds, by name."""
        return dict(self._loaded.block.tensors)

    @property
    def result_dtypes(self) -> tuple[np.dtype[Any] | None, ...]:
        """The element types that the model says its outputs have."""
        return tuple(ELEMENTS.get(p.element) for p in self._loaded.outputs)

    def bind(self, **values: Any) -> Model:
        """The model with these inputs known: what it computes of them is computed when it is traced.

        Raises OnnxError for a name that is no input, and for a value that is not of the input's type.
        """
        names = dict(zip(_identifiers(self.inputs), self.inputs, strict=True)) | {name: name for name in self.inputs}
        for name in values:
            if name not in names:
                raise OnnxError(f"bind: {name!r} is no input: there are {list(self.inputs)}")
        ports = {p.name: p for p in self._loaded.inputs}
        given = {names[n]: _given(ports[names[n]], _array(ports[names[n]], value)) for n, value in values.items()}
        return Model(self._loaded, self._bound | given)

    def __call__(self, *args: Array, **named: Array) -> Any:
        free = self.inputs
        try:
            found = self.__signature__.bind(*args, **named)
        except TypeError as error:
            raise OnnxError(f"{self.__name__} takes {list(free)}: {error}") from None
        given = dict(zip(free, (found.arguments[n] for n in _identifiers(free)), strict=True)) | self._bound
        for port in self._loaded.inputs:
            given[port.name] = _given(port, given[port.name])
            _check_shape(port.name, port.shape, given[port.name].shape)
        inputs = [given[name] for name in self._loaded.block.inputs]
        with np.errstate(all="ignore"):
            budget = Budget(1 << 62 if current() is None else LARGEST)  # outside of a trace nothing is a constant
            results = run_block(self._loaded.block, inputs, ChainMap(), Frame({}, budget))
        shown = tuple(map(_shown_as, results, self.result_dtypes))
        return shown[0] if len(shown) == 1 else shown

    def __repr__(self) -> str:
        return f"Model({self.__name__}: {', '.join(self.inputs)} -> {', '.join(self.outputs)})"


def _shown_as(x: Array, dtype: np.dtype[Any] | None) -> Array:
    """A result that reads as the element type that the model says, also where it is computed in a narrower one."""
    trace = current()
    if trace is None and not is_tracer(x):
        return x if dtype is None else x.astype(dtype, copy=False)
    made = constant(trace, x) if trace is not None else x
    if dtype is None or made.dtype == dtype:
        return made
    made = Tracer(made.state, made.value)
    made.said = dtype
    return made


def _given(port: Port, value: Any) -> Array:
    """A value of an input in the element type that the model says.

    Integers become floats and wide numbers narrow ones, as NumPy's "same_kind" has it. Raises OnnxError for what has
    another kind, as floats where the model takes integers, and for integers that its type cannot hold.
    """
    want = ELEMENTS.get(port.element)
    if is_tracer(value):
        if want is None or value.dtype == want or dtype_of(want).numpy == value.dtype:
            return value
        x = value
    else:
        x = value if hasattr(value, "shape") and hasattr(value, "dtype") else _array(port, value)
    if want is None or x.dtype == want:
        return x
    whole = x.dtype.kind in "iu" and want.kind in "iu"
    if not (whole or not x.size or np.can_cast(x.dtype, want, "same_kind")):
        raise OnnxError(f"input {port.name!r} is {x.dtype}: the model takes {want}")
    if whole and not is_tracer(x) and x.size and not np.can_cast(x.dtype, want):
        low, high = int(np.min(x)), int(np.max(x))
        if low < np.iinfo(want).min or high > np.iinfo(want).max:
            raise OnnxError(f"input {port.name!r} holds {low} to {high}: the model takes {want}")
    return x.astype(want)


def _array(port: Port, value: Any) -> Array:
    """What is no array as one; raises OnnxError where NumPy makes none of it."""
    try:
        return np.asarray(value)
    except (TypeError, ValueError, OverflowError) as error:
        if isinstance(error, GraphcError):
            raise
        raise OnnxError(f"input {port.name!r} is a {type(value).__name__} that is no array: {error}") from error


def _check_shape(name: str, said: tuple[int | str | None, ...] | None, have: tuple[int, ...]) -> None:
    if said is None:
        return
    if len(said) != len(have) or any(isinstance(n, int) and n != m for n, m in zip(said, have, strict=True)):
        raise OnnxError(f"input {name!r} is {list(have)}: the model takes {list(said)}")


def _identifiers(names: Sequence[str]) -> list[str]:
    """Names as Python's, each once."""
    found: list[str] = []
    for name in names:
        text = "".join(ch if ch.isalnum() and ch.isascii() else "_" for ch in name) or "_"
        text = f"_{text}" if text[0].isdigit() or not text.isidentifier() or keyword.iskeyword(text) else text
        while text in found:
            text += "_"
        found.append(text)
    return found


@dataclass(frozen=True)
class Frame:
    """What a function was called with, and what the run may still do."""

    attrs: Mapping[str, Any]
    budget: Budget


def run_block(block: Block, inputs: Sequence[Array], outer: Names, frame: Frame) -> list[Array]:
    """The outputs of a graph. outer: values of the graphs around it."""
    names: Names = outer.new_child(dict(block.tensors))
    names.update(zip(block.inputs, inputs, strict=False))
    for step in block.steps:
        frame.budget.steps -= 1
        if frame.budget.steps < 0:
            raise OnnxError(f"more than {MOST_TURNS} steps: loops within loops")
        _run(step, names, frame)
    return [names[name] for name in block.outputs]


def _run(step: Step, names: Names, frame: Frame) -> None:
    inputs = [names[name] if name else None for name in step.inputs]
    attrs = {}
    for key, value in step.attrs.items():
        if not isinstance(value, Reference):
            attrs[key] = value
        elif value.name in frame.attrs:
            attrs[key] = frame.attrs[value.name]
    if step.importer is not None:
        made = _imported(step, inputs, attrs, names, frame)
    else:
        body = step.body or _body_for(step, inputs)
        made = tuple(_called(body, inputs, attrs, frame.budget))
    for name, value in zip(step.outputs, made, strict=False):
        if name:
            names[name] = value


def _called(function: Function, inputs: list[Array], attrs: Mapping[str, Any], budget: Budget) -> list[Array]:
    given = [*inputs, *[None] * (len(function.block.inputs) - len(inputs))]
    return run_block(function.block, given, ChainMap(), Frame({**function.defaults, **attrs}, budget))


def _body_for(step: Step, inputs: list[Array]) -> Function:
    types = [onnx.TypeProto() if x is None else type_proto(tuple(x.shape), x.dtype) for x in inputs]
    body = function_of_schema(step, types)
    if body is None:
        raise UnsupportedError(f"{step.op} (node {step.name!r}) has no importer")
    return body


def _imported(
    step: Step, inputs: list[Array], attrs: Mapping[str, Any], names: Names, frame: Frame
) -> tuple[Array, ...]:
    assert step.importer is not None
    call = Call(
        step.op,
        step.name,
        step.version,
        step.outputs,
        lambda body, given: run_block(body, given, names, frame),
        frame.budget,
    )
    _check_growth(call, inputs)
    try:
        made = step.importer(call, *inputs, **attrs)
    except OnnxError:
        raise
    except GraphcError as error:
        raise type(error)(f"{call.what}: {error}") from error.__cause__
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, MemoryError) as error:
        kinds = ", ".join("-" if x is None else f"{x.dtype}{list(x.shape)}" for x in inputs)
        raise OnnxError(f"{call.what} on ({kinds}) with {_shown(attrs)}: {error}") from error
    results = made if isinstance(made, tuple) else (made,)
    return tuple(call.made(_typed(x, inputs, step.same, k)) for k, x in enumerate(results))


def _check_growth(call: Call, inputs: list[Array]) -> None:
    """Refuse what broadcasting would make absurdly large of small tensors."""
    shapes = [x.shape for x in inputs if x is not None]
    if math.prod(math.prod(s) or 1 for s in shapes) <= LARGEST:
        return
    if call.op in ("MatMul", "Gemm") and min(map(len, shapes)) > 1:
        shapes = [(*s[:-2], s[-2] if k == 0 else 1, 1 if k == 0 else s[-1]) for k, s in enumerate(shapes[:2])]
    try:
        count = math.prod(np.broadcast_shapes(*shapes))
    except ValueError:  # it does not broadcast, or the importer says what is wrong
        return
    if count > max(LARGEST, *map(math.prod, shapes)):
        call.refuse(f"tensors {list(map(list, shapes))} make one of {count} elements: at most {LARGEST}")


def _shown(attrs: Mapping[str, Any]) -> str:
    return ", ".join(f"{k}={v!r:.40}" for k, v in attrs.items()) or "no attributes"


def _typed(x: Array, inputs: list[Array], same: tuple[int | None, ...], position: int) -> Array:
    """A result in the element type that ONNX says: NumPy sums small integers in larger ones, and the like."""
    like = same[position] if position < len(same) else None
    if like is None or inputs[like] is None or isinstance(x, list):
        return x if is_tracer(x) else np.asarray(x)
    want = inputs[like].dtype
    x = x if is_tracer(x) else np.asarray(x)
    return x if x.dtype == want else x.astype(want)
