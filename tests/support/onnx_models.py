"""Small ONNX models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

TYPES = {"float32": 1, "int32": 6, "int64": 7, "bool": 9, "float16": 10, "uint8": 2, "float64": 11}


def info(name: str, shape: Sequence[Any] | None, dtype: str = "float32") -> Any:
    return helper.make_tensor_value_info(name, TYPES[dtype], shape)


def node(op: str, inputs: str, outputs: str, **attrs: Any) -> Any:
    """A node; names are separated by spaces, and - is an input that is left out."""
    return helper.make_node(op, [n.strip("-") for n in inputs.split()], outputs.split(), **attrs)


def tensor(name: str, array: Any, dtype: str | None = None) -> TensorProto:
    return numpy_helper.from_array(np.asarray(array, dtype), name)


def graph(nodes: Sequence[Any], inputs: Sequence[Any], outputs: Sequence[Any], tensors: Sequence[Any] = ()) -> Any:
    return helper.make_graph(list(nodes), "g", list(inputs), list(outputs), list(tensors))


def model(
    nodes: Sequence[Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    tensors: Sequence[Any] = (),
    opset: int = 20,
    functions: Sequence[Any] = (),
    domains: Sequence[str] = (),
) -> Any:
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    made = graph(nodes, inputs, outputs, tensors)
    return helper.make_model(made, opset_imports=opsets, functions=list(functions), ir_version=9)
