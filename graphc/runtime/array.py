"""Array: a result or argument that lives on a device. A future until what computes it has finished."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterator
from typing import Any, NoReturn

import numpy as np

from graphc.errors import DeviceError, ImmutableError
from graphc.ir.text import Markup, html_table, html_text
from graphc.ir.types import NDArray, TensorType, strides_of
from graphc.runtime.base import Device, pauses
from graphc.runtime.faults import Faults
from graphc.runtime.methods import ABOVE, ArrayMethods
from graphc.tracing.einops import introduce

SHOWN = 10
"""Rows and columns of an Array that a notebook shows."""


class Array(ArrayMethods):
    """A dense tensor on a device, immutable.

    Reading it waits: `float(a)`, `np.asarray(a)`, `a.numpy()`, `await a`. NumPy functions, arithmetic and the methods
    of ndarray run on its device and give Arrays; `a += b` binds the name to a new Array of the same type and device. A
    vector iterates over NumPy scalars, which are read at once, anything else over Arrays. Reading and waiting raise
    IndexRangeError where the program that computed it, or one before that, met an index out of range. After the Array
    was donated, or its device closed, use raises DeviceError.
    """

    __slots__ = ("_content", "_device", "_faults", "_gone", "_type", "bounds", "shown")
    __hash__ = None  # type: ignore[assignment]  # as ndarray: == compares elements

    def __init__(self, device: Device, data: Any, type: TensorType, faults: Faults | None = None) -> None:
        introduce()
        self._device = device
        self._content = data
        self._type = type
        self._faults = faults
        self._gone = ""
        self.bounds: tuple[int, int] | None = None
        """The lowest and highest of integer elements that came from the host; None where nobody there has seen them."""
        self.shown: np.dtype[Any] | None = None
        """The element type that readers get, where it is a wider one than the elements have on the device."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return self._type.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy dtype of the elements."""
        return self.shown or self._type.dtype.numpy

    @property
    def type(self) -> TensorType:
        """Shape and element type as graphs print them."""
        return self._type

    @property
    def device(self) -> Device:
        """Where the Array lives."""
        return self._device

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._type.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self._type.size

    @property
    def nbytes(self) -> int:
        """Bytes of the elements at the API (as `ndarray.nbytes`)."""
        return self._type.size * self.dtype.itemsize

    @property
    def at(self) -> Any:
        """x.at[key].set(y), and add, multiply, min and max: a new Array with other elements at a key (`graphc.at`)."""
        return ABOVE["at"](self)

    def numpy(self) -> NDArray:
        """The elements as a new ndarray; waits for them."""
        host = self._device.fetch(self._alive(), self._type)
        self._settle()
        return host if self.shown is None else host.astype(self.shown)

    @property
    def itemsize(self) -> int:
        """Bytes of one element at the API."""
        return self.dtype.itemsize

    @property
    def strides(self) -> tuple[int, ...]:
        """Bytes from element to element along each axis of an ndarray of this type."""
        return tuple(n * self.itemsize for n in strides_of(self.shape))

    @property
    def flat(self) -> Any:
        """The elements of a copy on the host, one after the other."""
        return self.numpy().flat

    def item(self, *index: Any) -> Any:
        """The only element, or the one at `index`, as a Python scalar; raises ValueError if there is not just one."""
        return self.numpy().item(*index)

    def to_device(self, device: Device | str, /, *, stream: None = None) -> Array:
        """The Array on another device: `graphc.asarray(x, device)`. stream: None, there are none to choose from."""
        moved: Array = ABOVE["asarray"](self, device)
        return moved

    def tolist(self) -> Any:
        """The elements as nested lists of Python scalars."""
        return self.numpy().tolist()

    def is_ready(self) -> bool:
        """Whether the elements have been computed; never blocks."""
        return self._device.is_ready(self._alive())

    def block_until_ready(self) -> Array:
        """Wait until the elements have been computed; returns the Array itself."""
        self._device.wait(self._alive())
        self._settle()
        return self

    def _alive(self) -> Any:
        if self._gone:
            raise DeviceError(f"this Array ({self._type}) {self._gone}")
        self._device.check_open()
        return self._content

    def _settle(self) -> None:
        """Raise IndexRangeError where the numbers come from an index out of range; call when they are there."""
        if self._faults is not None:
            self._faults.settle()
            self._faults = None

    def _retire(self, why: str) -> None:
        """Make every further use raise; `why` completes "this Array ..."."""
        self._gone, self._content = why, None

    def __dlpack__(
        self,
        *,
        stream: None = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[Any, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """A copy in memory of the CPU as a DLPack capsule; waits. Raises BufferError where another place is wanted."""
        if copy is False:
            raise BufferError("an Array lives on a device: its elements cannot be had without a copy")
        if dl_device is not None and (int(dl_device[0]), dl_device[1]) != self.__dlpack_device__():
            raise BufferError(f"an Array is handed over in memory of the CPU, not of DLPack device {dl_device}")
        host: Any = self.numpy()
        return host.__dlpack__() if max_version is None else host.__dlpack__(max_version=max_version)

    def __dlpack_device__(self) -> tuple[int, int]:
        """The CPU, where `__dlpack__` puts the elements."""
        return 1, 0

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """The array API standard: `graphc.array_api`."""
        return ABOVE["namespace"](api_version)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray:
        if copy is False:
            raise ValueError("an Array lives on a device: its elements cannot be had without a copy")
        host = self.numpy()
        return host if dtype is None else host.astype(dtype, copy=False)

    def __await__(self) -> Generator[Any, None, Array]:
        # The event loop looks now and then. A thread that blocked inside wgpu would keep others from submitting.
        waiting = pauses()
        while not self.is_ready():
            yield from asyncio.sleep(next(waiting)).__await__()
        self._settle()
        return self

    def __copy__(self) -> Array:
        copied: Array = self.copy()
        return copied

    def __deepcopy__(self, memo: Any) -> Array:
        return self.__copy__()

    def __reduce__(self) -> tuple[Any, ...]:
        # Unpickled on the default device: the process that does it may have other adapters.
        return ABOVE["asarray"], (self.numpy(),)

    def __getattr__(self, name: str) -> Any:
        hint = f": write np.asarray(x).{name} for a copy on the host" if hasattr(np.ndarray, name) else ""
        raise AttributeError(f"Array has no attribute {name!r}{hint}")

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of an Array with no axes")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError("iteration over an Array with no axes")
        return iter(self.numpy()) if self.ndim == 1 else (self[i] for i in range(len(self)))

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        raise ImmutableError(
            f"item assignment on an Array ({self._type}), which never changes: write x = x.at[key].set(value), for a "
            "key of ints, slices, arrays or a mask"
        )

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def __round__(self, digits: int | None = None) -> Any:
        return round(self.item()) if digits is None else self.round(digits)

    def __index__(self) -> int:
        if self._type.dtype.kind not in ("int", "uint") or self._type.shape:  # NumPy asks this of what indexes ndarrays
            raise TypeError(f"an Array of {self._type} is no index")
        return int(self.item())

    def __bool__(self) -> bool:
        return bool(self.numpy())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

    def __str__(self) -> str:
        return str(self.numpy())

    def _repr_html_(self) -> str:
        """For notebooks: the type, and the first rows and columns of a table of numbers."""
        head = html_text(f"Array {self._type} on {self._device.name}")
        if self._gone or self._device.closed or len(self.shape) not in (1, 2) or not all(self.shape):
            return html_text(repr(self))
        table = np.atleast_2d(self.numpy())
        shown = table[:SHOWN, :SHOWN].tolist()
        columns = [str(n) for n in range(len(shown[0]))]
        rows: list[list[object]] = [[Markup(f"<b>{n}</b>"), *row] for n, row in enumerate(shown)]
        if table.shape[1] > SHOWN:
            columns, rows = [*columns, "…"], [[*row, "…"] for row in rows]
        more = "" if table.shape[0] <= SHOWN else f"<p>… {table.shape[0]:,} rows</p>"
        return head + html_table(["", *columns], rows) + more

    def __repr__(self) -> str:
        if self._gone or self._device.closed:
            return f"Array({self._type}, {self._gone or 'of a closed device'})"
        body = np.array2string(self.numpy(), separator=", ", prefix="Array(", threshold=100)
        return f"Array({body}, dtype={self.dtype.name}, device={self._device.name})"


def bounds_of(array: NDArray) -> tuple[int, int] | None:
    """The lowest and highest element of an integer array; None for other arrays, and where there is none."""
    if array.dtype.kind not in "iu" or not array.size:
        return None
    return int(array.min()), int(array.max())
