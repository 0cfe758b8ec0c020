"""Element types and tensors of ONNX as NumPy's, looked at before memory is taken for them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from graphc.ir.types import NDArray
from graphc.onnx.errors import OnnxError, UnsupportedError

ELEMENTS: Final[dict[int, np.dtype[Any]]] = {
    TensorProto.FLOAT: np.dtype(np.float32),
    TensorProto.DOUBLE: np.dtype(np.float64),
    TensorProto.FLOAT16: np.dtype(np.float16),
    TensorProto.INT8: np.dtype(np.int8),
    TensorProto.INT16: np.dtype(np.int16),
    TensorProto.INT32: np.dtype(np.int32),
    TensorProto.INT64: np.dtype(np.int64),
    TensorProto.UINT8: np.dtype(np.uint8),
    TensorProto.UINT16: np.dtype(np.uint16),
    TensorProto.UINT32: np.dtype(np.uint32),
    TensorProto.UINT64: np.dtype(np.uint64),
    TensorProto.BOOL: np.dtype(np.bool_),
}
"""The element types that are imported; doubles and 64-bit integers are narrowed where they meet a traced value."""

NUMBERS: Final = {dtype: number for number, dtype in ELEMENTS.items()}
"""The other way round."""

LARGEST: Final = 1 << 33
"""Bytes of the largest tensor in a file."""


def element_type(number: int, refuse: Callable[[str], Any]) -> np.dtype[Any]:
    """The NumPy type of an element type of ONNX; calls `refuse` with why there is none."""
    found = ELEMENTS.get(number)
    if found is None:
        known = number in TensorProto.DataType.values()
        refuse(f"element type {TensorProto.DataType.Name(number) if known else number} is not imported")
        raise UnsupportedError(f"element type {number}")
    return found


def to_array(tensor: TensorProto, folder: Path | None) -> NDArray:
    """The numbers of a tensor. folder: where data in files of their own may lie; None: nowhere.

    Raises OnnxError where the data are not what the shape says, or lie outside of the folder.
    """
    name = tensor.name

    def refuse(why: str) -> None:
        raise UnsupportedError(f"tensor {name!r}: {why}")

    dtype = element_type(tensor.data_type, refuse)
    shape = tuple(tensor.dims)
    if any(n < 0 for n in shape) or len(shape) > 64:
        raise OnnxError(f"tensor {name!r} has the shape {list(shape)}")
    count = math.prod(shape)
    if count * dtype.itemsize > LARGEST:
        raise OnnxError(f"tensor {name!r}: {list(shape)} of {dtype.name} is {count * dtype.itemsize} bytes: too many")
    if tensor.HasField("segment"):
        raise UnsupportedError(f"tensor {name!r} is given in segments")
    if tensor.data_location == TensorProto.EXTERNAL:
        return _external(tensor, dtype, shape, folder)
    if tensor.HasField("raw_data"):
        have = len(tensor.raw_data)
        if have != count * dtype.itemsize:
            raise OnnxError(f"tensor {name!r}: {list(shape)} of {dtype.name}, and {have} bytes of data")
        return np.frombuffer(tensor.raw_data, dtype.newbyteorder("<")).astype(dtype).reshape(shape)
    have = max(
        len(getattr(tensor, f)) for f in ("float_data", "double_data", "int32_data", "int64_data", "uint64_data")
    )
    if have != count:
        raise OnnxError(f"tensor {name!r}: {list(shape)} has {count} elements, and {have} are given")
    try:
        return np.asarray(numpy_helper.to_array(tensor), dtype)
    except (ValueError, TypeError, OverflowError) as error:
        raise OnnxError(f"tensor {name!r}: its numbers are no {dtype.name}: {error}") from error


def _external(tensor: TensorProto, dtype: np.dtype[Any], shape: tuple[int, ...], folder: Path | None) -> NDArray:
    """Numbers from a file beside the model's."""
    name, entries = tensor.name, {entry.key: entry.value for entry in tensor.external_data}
    if folder is None:
        raise OnnxError(f"tensor {name!r} lies in a file of its own: load the model by its path")
    location = entries.get("location", "")
    path = (folder / location).resolve()
    if not location or "\0" in location or not path.is_relative_to(folder.resolve()):
        raise OnnxError(f"tensor {name!r} lies in {location!r}, outside of the model's folder")
    if not path.is_file():
        raise OnnxError(f"tensor {name!r} lies in {location!r}, which is no file")
    need = math.prod(shape) * dtype.itemsize
    try:
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", need))
    except ValueError as error:
        raise OnnxError(f"tensor {name!r}: offset or length is no number") from error
    if length != need or offset < 0 or offset + need > path.stat().st_size:
        raise OnnxError(
            f"tensor {name!r}: {list(shape)} of {dtype.name} is {need} bytes, and {location!r} has "
            f"{path.stat().st_size}; offset {offset}, length {length}"
        )
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(need)
    return np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype).reshape(shape)


def type_proto(shape: tuple[int, ...], dtype: np.dtype[Any]) -> onnx.TypeProto:
    """The type of a tensor, as ONNX writes it."""
    return onnx.helper.make_tensor_type_proto(NUMBERS[np.dtype(dtype)], shape)
