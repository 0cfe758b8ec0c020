"""Element types, tensor types and broadcasting: the vocabulary of every other module."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, SupportsIndex

import numpy as np
import numpy.typing as npt

from graphc.errors import ArgumentError, DTypeError, GraphcError, ShapeError

NDArray = npt.NDArray[Any]
Shape = tuple[int, ...]
Lengths = SupportsIndex | Sequence[SupportsIndex]
"""A shape as it is given: one length or several, integers of any kind."""


@dataclass(frozen=True, slots=True)
class DType:
    """An element type.

    name: short name used in printed types ("f32"). numpy: the NumPy dtype at the API. storage: NumPy dtype of one
    element in device memory (bool is held in 32 bits). wgsl: the WGSL type of a value in a register. kind: one of
    "float", "int", "uint", "bool".
    """

    name: str
    numpy: np.dtype[Any]
    storage: np.dtype[Any]
    wgsl: str
    kind: str

    @property
    def itemsize(self) -> int:
        """Bytes of one element in device memory."""
        return self.storage.itemsize

    @property
    def wgsl_storage(self) -> str:
        """WGSL type of one element in a storage buffer."""
        return "u32" if self.kind == "bool" else self.wgsl

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return self.name


def _dtype(name: str, numpy: str, wgsl: str, kind: str, storage: str | None = None) -> DType:
    return DType(name, np.dtype(numpy), np.dtype(storage or numpy), wgsl, kind)


f32: Final = _dtype("f32", "float32", "f32", "float")
f16: Final = _dtype("f16", "float16", "f16", "float")
f64: Final = _dtype("f64", "float64", "f64", "float")
i32: Final = _dtype("i32", "int32", "i32", "int")
u32: Final = _dtype("u32", "uint32", "u32", "uint")
i64: Final = _dtype("i64", "int64", "i64", "int")
bool_: Final = _dtype("bool", "bool", "bool", "bool", storage="uint32")

ALL_DTYPES: Final = (f32, f16, f64, i32, u32, i64, bool_)
_BY_NAME: Final = {d.name: d for d in ALL_DTYPES}
_BY_NUMPY: Final = {d.numpy: d for d in ALL_DTYPES}
_NARROWED: Final = {"float64": f32, "int64": i32, "uint64": u32}
_WIDENED: Final = {"int8": i32, "int16": i32, "uint8": i32, "uint16": i32}


class _Precision:
    x64 = False
    settled_by = ""
    """The first function that was compiled, once there is one."""


def enable_x64() -> None:
    """Keep float64 and int64 inputs as they are, instead of narrowing them. Call once, before anything is compiled.

    Raises DTypeError where something was compiled with narrow types already; called again, it does nothing.
    """
    if _Precision.settled_by and not _Precision.x64:
        raise DTypeError(
            f"enable_x64: {_Precision.settled_by} is compiled with 32-bit types already, and programs of both kinds do "
            "not mix: call graphc.enable_x64() once, before anything is compiled"
        )
    _Precision.x64 = True


def settle_precision(name: str) -> None:
    """From now on, 32 or 64 bits is settled: the function `name` is compiled."""
    _Precision.settled_by = _Precision.settled_by or name


def x64_enabled() -> bool:
    """Whether `enable_x64` was called."""
    return _Precision.x64


def dtype_of(spec: Any) -> DType:
    """The DType that a NumPy dtype, a name, a Python type or a DType stands for, narrowed to 32 bits unless x64 is on.

    Raises DTypeError for types that graphc has no element type for (complex, object, strings).
    """
    if isinstance(spec, DType):
        return spec
    if isinstance(spec, str) and spec in _BY_NAME:
        return _BY_NAME[spec]
    try:
        numpy = np.dtype(spec)
    except TypeError as error:
        raise DTypeError(f"{spec!r} is not an element type") from error
    if numpy.name in _WIDENED:
        return _WIDENED[numpy.name]
    if numpy.name in _NARROWED and not (_Precision.x64 and numpy in _BY_NUMPY):
        return _NARROWED[numpy.name]
    if numpy.newbyteorder("=") in _BY_NUMPY:
        return _BY_NUMPY[numpy.newbyteorder("=")]
    raise DTypeError(
        f"element type {numpy.name} is not supported: graphc has float32, float16, int32, uint32 and bool, "
        "and float64 and int64 after graphc.enable_x64()"
    )


def as_shape(shape: Any, what: str = "shape") -> Shape:
    """One length or a sequence of them as ints, of whatever integers; raises ShapeError for what is no length."""
    try:
        lengths = tuple(map(operator.index, shape if np.ndim(shape) else (shape,)))
    except (TypeError, ValueError) as error:
        if isinstance(error, GraphcError):
            raise
        raise ShapeError(f"{what} is {shape!r}: needs integers") from None
    if min(lengths, default=0) < 0:
        raise ShapeError(f"{what} {lengths} has a negative length")
    return lengths


def check_plain(value: Any, what: str = "") -> None:
    """Raise DTypeError for an array that means more than its elements: masked, np.matrix, with units, sparse.

    Only the elements would be taken, and what the class adds (a mask, a `*` of its own) be lost without a word. what:
    begins the message.
    """
    cls = type(value)
    if cls is np.ndarray or cls in _PLAIN:
        return
    if cls in (list, tuple):
        try:
            for item in value:
                check_plain(item, what)
        except RecursionError:
            raise ArgumentError(f"{what} a {cls.__name__} that holds itself is no array".strip()) from None
        return
    lost = ""
    if isinstance(value, np.ma.MaskedArray):
        lost = "whose mask would be lost: write x.filled(value), or pass x.data and ~x.mask as two arrays"
    elif isinstance(value, np.matrix):
        lost = "whose * and ** would be lost: write np.asarray(x), and x @ y for products"
    elif isinstance(value, np.ndarray) and cls.__array_ufunc__ is not np.ndarray.__array_ufunc__:
        lost = "whose own arithmetic would be lost: write np.asarray(x)"
    elif hasattr(cls, "toarray") and hasattr(cls, "shape") and not hasattr(cls, "__array__"):
        lost = "which is no dense array: write x.toarray()"
    if lost:
        raise DTypeError(f"{what} is a {cls.__module__.partition('.')[0]} {cls.__name__}, {lost}".strip())
    _PLAIN.add(cls)


def holds_numbers(value: Any) -> bool:
    """Whether np.asarray makes an array of numbers of a value that is none: tables, images, buffers."""
    buffer = isinstance(value, memoryview | bytearray)
    return buffer or hasattr(value, "__array__") or hasattr(value, "__array_interface__")


_PLAIN: Final[set[type]] = set()
"""Classes whose instances were found to be plain."""


def small_integer(spec: Any) -> np.dtype[Any] | None:
    """The integer type of 8 or 16 bits that `spec` stands for, which is held in 32 bits; None for other types."""
    if dtype_of(spec) != i32 or isinstance(spec, DType) or spec in _BY_NAME:
        return None
    numpy = np.dtype(spec)
    return numpy if numpy.name in _WIDENED else None


@dataclass(frozen=True, slots=True)
class TensorType:
    """Shape and element type of a dense, row-major tensor."""

    shape: Shape
    dtype: DType
    size: int = field(init=False, repr=False, compare=False)
    """Number of elements."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", math.prod(self.shape))

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes in device memory."""
        return self.size * self.dtype.itemsize

    def with_shape(self, shape: Sequence[int]) -> TensorType:
        """The same element type with another shape."""
        return TensorType(tuple(shape), self.dtype)

    def with_dtype(self, dtype: DType) -> TensorType:
        """The same shape with another element type."""
        return TensorType(self.shape, dtype)

    def __str__(self) -> str:
        return f"{self.dtype.name}[{','.join(map(str, self.shape))}]"

    def __repr__(self) -> str:
        return str(self)


def type_of(array: NDArray | np.generic) -> TensorType:
    """The TensorType of an ndarray, narrowed like every input."""
    return TensorType(tuple(array.shape), dtype_of(array.dtype))


def narrow(value: Any, what: str = "value") -> NDArray:
    """`value` as an ndarray of a supported dtype: float64 to float32 and int64 to int32 unless x64 is on.

    Raises DTypeError where an integer does not fit the narrower type, naming `what`.
    """
    array = np.asarray(value)
    dtype = dtype_of(array.dtype)
    if array.dtype == dtype.numpy:
        return array
    if dtype.kind in ("int", "uint") and array.size:
        info = np.iinfo(dtype.numpy)
        low, high = int(array.min()), int(array.max())
        if low < info.min or high > info.max:
            bad = low if low < info.min else high
            raise DTypeError(f"{what}: {bad} does not fit {dtype.numpy.name}, to which {array.dtype.name} is narrowed")
    return array.astype(dtype.numpy)


def broadcast_shapes(*shapes: Shape) -> Shape:
    """The shape that NumPy broadcasting gives; raises ShapeError naming the two axes that differ."""
    rank = max((len(s) for s in shapes), default=0)
    out = [1] * rank
    for shape in shapes:
        for axis, n in enumerate(shape, start=rank - len(shape)):
            if n == 1:
                continue
            if out[axis] not in (1, n):
                listed = " and ".join(str(list(s)) for s in shapes)
                raise ShapeError(f"shapes {listed} do not broadcast: axis {axis - rank} is {out[axis]} and {n}")
            out[axis] = n
    return tuple(out)


def normalize_axis(axis: int, rank: int, what: str = "axis") -> int:
    """`axis` counted from the front; raises ShapeError where it lies outside [-rank, rank), or is no integer."""
    try:
        axis = operator.index(axis)
    except GraphcError:
        raise
    except TypeError:
        raise ShapeError(f"{what} is {axis!r}: needs an integer") from None
    if not -rank <= axis < rank:
        raise ShapeError(f"{what} {axis} is out of range for {rank} axes")
    return axis % rank


def strides_of(shape: Shape) -> Shape:
    """Row-major strides in elements."""
    out: list[int] = []
    step = 1
    for n in reversed(shape):
        out.append(step)
        step *= n
    return tuple(reversed(out))
