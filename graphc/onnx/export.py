"""Export: a traced graph as an ONNX model of standard operators."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from graphc import tree
from graphc.errors import ArgumentError, GraphcError, TraceError, path_of
from graphc.executable import Executable
from graphc.ir.graph import Graph, prune
from graphc.ir.rewriting import inline_bodies
from graphc.ir.types import NDArray, TensorType
from graphc.onnx import exporters
from graphc.onnx.errors import OnnxError
from graphc.onnx.writing import OPSET, Names, Writer, info


def export(
    program: Graph | Executable,
    path: str | os.PathLike[str] | None = None,
    *,
    values: Mapping[str, Any] | None = None,
    name: str = "graphc",
) -> onnx.ModelProto:
    """Write a traced graph, or the traced graph of an Executable, as an ONNX model; also returns it.

    Its inputs and outputs are called by the paths to them ("params.layers[0].wv", "result"); gradients are outputs like
    others. values: inputs that become tensors of the file: their arrays by name, or trees of them by the name of an
    argument ({"params": params}). The model holds standard operators of opset 20 alone and is checked by onnx with full
    shape inference. Raises UnsupportedError where a graph holds what has no operator, ArgumentError for values of
    no input, and TraceError for what is no program.
    """
    if not isinstance(program, Graph | Executable):
        raise TraceError(
            f"onnx.export: {program!r} is no program: give graphc.trace(fn, *args), or graphc.compile(fn).lower(*args)"
        )
    where = None if path is None else path_of("onnx.export", path)
    if values is not None and not isinstance(values, Mapping):
        raise ArgumentError(f"onnx.export: values is {values!r:.60}: need a dict of arrays by the names of inputs")
    if not isinstance(name, str):
        raise ArgumentError(f"onnx.export: name is {name!r:.60}: need a text")
    traced = program.stages[0][1] if isinstance(program, Executable) else program
    graph = replace(prune(inline_bodies(traced, lambda node: node.op.inlined)), called=traced.called)
    writer = Writer(Names())
    given = _by_path(values or {})
    inputs = []
    for k, value in enumerate(graph.inputs):
        called = graph.called.inputs[k] if k < len(graph.called.inputs) else value.hint or f"input{k}"
        own = writer.name_of[value] = writer.names.new(called)
        if called not in given:
            inputs.append(info(own, value))
            continue
        array = _array_of(called, value.type, given.pop(called))
        writer.tensors.append(numpy_helper.from_array(array, own))
    if given:
        raise ArgumentError(f"export: there is no input {', '.join(map(repr, given))}")
    writer.write(graph)
    wanted = list(graph.called.outputs)
    if len(wanted) != len(graph.outputs):
        wanted = [f"result{k}" for k in range(len(graph.outputs))]
    outputs = writer.results(graph, wanted)
    model = helper.make_model(
        writer.graph(name, inputs, outputs),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=9,
        producer_name="graphc",
    )
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise OnnxError(f"export: onnx refuses the model that was made: {error}") from error
    if where is not None:
        try:
            where.write_bytes(model.SerializeToString())
        except OSError as error:
            raise OnnxError(f"{where} cannot be written: {error.strerror or error}") from error
    return model


def _array_of(name: str, type: TensorType, value: Any) -> NDArray:
    """A value of an input in its element type; raises ArgumentError for one that has not its type."""
    try:
        array = np.asarray(value)
        if array.shape != type.shape:
            raise ArgumentError(f"export: {name} is {type}, and its value {list(array.shape)}")
        return np.asarray(array, type.dtype.numpy, order="C")
    except (TypeError, ValueError, OverflowError) as error:
        if isinstance(error, GraphcError):
            raise
        raise ArgumentError(f"export: {name} is {type}, and its value is none: {error}") from error


def _by_path(values: Mapping[str, Any]) -> dict[str, Any]:
    """The leaves of trees by the paths to them, as graphs call their inputs."""
    found = {}
    for name, value in values.items():
        leaves, structure = tree.flatten(value)
        for leaf, place in zip(leaves, tree.paths(structure), strict=True):
            found[f"{name}{tree.dotted_path(place)}"] = leaf
    return found


del exporters  # imported to enter its ops in the table
