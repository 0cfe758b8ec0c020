"""Methods and operators of ndarray on traced values: each adds nodes to a graph (see `graphc.tracing.functions`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, NoReturn

import numpy as np

from graphc.errors import ArgumentError, DTypeError, TraceError
from graphc.ir.op import Op
from graphc.ir.types import Shape
from graphc.ir.value import NOWHERE, Value
from graphc.tracing import advice
from graphc.tracing.source import located

ABOVE: Final[dict[str, Callable[..., Any]]] = {}
"""What traced values call of the modules that trace NumPy's functions, by name; trace.py puts them in."""

_METHODS: Final[dict[str, Callable[..., Any]]] = {
    "all": np.all,
    "any": np.any,
    "argmax": np.argmax,
    "argmin": np.argmin,
    "argpartition": np.argpartition,
    "argsort": np.argsort,
    "choose": np.choose,
    "clip": np.clip,
    "cumprod": np.cumprod,
    "cumsum": np.cumsum,
    "diagonal": np.diagonal,
    "dot": np.dot,
    "max": np.max,
    "mean": np.mean,
    "min": np.min,
    "prod": np.prod,
    "repeat": np.repeat,
    "round": np.round,
    "searchsorted": np.searchsorted,
    "squeeze": np.squeeze,
    "std": np.std,
    "sum": np.sum,
    "swapaxes": np.swapaxes,
    "take": np.take,
    "trace": np.trace,
    "var": np.var,
}


class TracerMethods:
    """What a traced value has in common with ndarray: its type, methods and operators.

    state, value, weak: see Tracer.
    """

    __slots__ = ()

    state: Any
    value: Value
    weak: bool

    @property
    def shape(self) -> Shape:
        """Axis lengths, as ints."""
        return self.value.type.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy dtype."""
        return self.value.type.dtype.numpy

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.value.type.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.value.type.size

    @property
    def itemsize(self) -> int:
        """Bytes of one element in NumPy."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements in NumPy."""
        return self.size * self.dtype.itemsize

    @property
    def device(self) -> None:
        """None: where it will be is known when the program runs."""
        return None

    def to_device(self, device: Any, /, *, stream: None = None) -> Any:
        """The value itself: a program runs on one device."""
        return self

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """The array API standard: `graphc.array_api`."""
        return ABOVE["namespace"](api_version)

    @property
    def T(self) -> Any:
        """The axes in reverse order."""
        return _function(np.transpose, self)

    @property
    def mT(self) -> Any:
        """The last two axes swapped."""
        return _function(np.matrix_transpose, self)

    @property
    def real(self) -> Any:
        """The value itself: there are no complex numbers."""
        return self

    @property
    def imag(self) -> Any:
        """Zeros: there are no complex numbers."""
        return _function(np.imag, self)

    @property
    def at(self) -> Any:
        """x.at[key].set(y), and add, multiply, min and max: a new value with other elements at a key."""
        return ABOVE["at"](self)

    def reshape(self, *shape: Any, order: str = "C") -> Any:
        """As ndarray.reshape."""
        return _function(np.reshape, self, shape[0] if len(shape) == 1 else shape, order=order)

    def transpose(self, *axes: Any) -> Any:
        """As ndarray.transpose."""
        if len(axes) == 1 and not isinstance(axes[0], int):
            return _function(np.transpose, self, axes[0])
        return _function(np.transpose, self, axes or None)

    def ravel(self, order: str = "C") -> Any:
        """As ndarray.ravel."""
        return _function(np.ravel, self, order)

    def flatten(self, order: str = "C") -> Any:
        """As ndarray.flatten."""
        return _copy(_function(np.ravel, self, order))

    def compress(self, condition: Any, axis: int | None = None) -> Any:
        """As ndarray.compress."""
        return _function(np.compress, condition, self, axis)

    def copy(self, order: str = "C") -> Any:
        """As ndarray.copy."""
        return _copy(self)

    def conj(self) -> Any:
        """The value itself: there are no complex numbers."""
        return self

    conjugate = conj

    def astype(
        self, dtype: Any, order: str = "K", casting: Any = "unsafe", subok: bool = True, copy: bool = True
    ) -> Any:
        """As ndarray.astype; float64 and int64 are narrowed unless x64 is on.

        Integers of 8 and 16 bits are held in 32: the result is int32, with the values that theirs would be.
        """
        if order not in tuple("CFAKcfak"):
            raise located(ArgumentError(f"astype: order {order!r}: need 'C', 'F', 'A' or 'K'"))
        if casting not in ("no", "equiv", "safe", "same_kind", "unsafe"):
            raise located(ArgumentError(f"astype: casting {casting!r}: need one of NumPy's rules, such as 'safe'"))
        made = _function(np.astype, self, dtype)
        if not np.can_cast(self.dtype, made.dtype, casting):
            raise located(DTypeError(f"astype: {self.value.type} cannot become {made.dtype} by the rule {casting!r}"))
        return made if copy or made.value is not self.value else self

    def apply(self, op: Op, *args: Any, **attrs: Any) -> Any:
        """Apply an op that NumPy has no function for: to `args`, one of which is traced, or to nothing (iota)."""
        return ABOVE["apply"](op, *args, **attrs) if args else ABOVE["emit"](op, trace=self.state, **attrs)

    def __getattr__(self, name: str) -> Any:
        if name in _METHODS:
            return partial(_function, _METHODS[name], self)
        if name in advice.METHODS:
            raise located(TraceError(f".{name} on a traced value ({self.value.type}): {advice.METHODS[name]}"))
        raise AttributeError(f"a traced array has no attribute {name!r}")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return ABOVE["call_ufunc"](ufunc, method, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return ABOVE["call_function"](func, args, kwargs)

    def __getitem__(self, key: Any) -> Any:
        return ABOVE["getitem"](self, key)

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        raise located(
            TraceError(
                f"item assignment on a traced value ({self.value.type}), which cannot be changed: "
                "write x = x.at[key].set(value), x = np.where(mask, new, x), or build it with np.stack"
            )
        )

    def __len__(self) -> int:
        if not self.shape:
            raise located(TraceError("len() of a traced scalar"))
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise located(TraceError("iteration over a traced scalar"))
        return (self[i] for i in range(self.shape[0]))

    def __bool__(self) -> NoReturn:
        raise self._no_value(
            "if, while, and, or, not, bool() need its truth now",
            "write `np.where(condition, a, b)`, & | ~ for and, or, not, or mark the argument static",
        )

    def __hash__(self) -> NoReturn:
        raise self._no_value("a dict key, a set or a cache needs its value now", "use a name or a position as the key")

    def __float__(self) -> NoReturn:
        raise self._no_value(
            "float(), the functions of math and writing it into a plain array need its number now",
            "write `x.astype(np.float32)`, np.sqrt(x) for math.sqrt(x), np.stack to build an array, or return it",
        )

    def __round__(self, digits: int | None = None) -> Any:
        return _ufunc(np.rint, self).astype(np.int64) if digits is None else _function(np.round, self, digits)

    def __trunc__(self) -> Any:
        return _ufunc(np.trunc, self).astype(np.int64)

    def __floor__(self) -> Any:
        return _ufunc(np.floor, self).astype(np.int64)

    def __ceil__(self) -> Any:
        return _ufunc(np.ceil, self).astype(np.int64)

    def __int__(self) -> NoReturn:
        raise self._no_value("int() needs its number now", "write `x.astype(np.int32)`, or mark the argument static")

    def __complex__(self) -> NoReturn:
        raise self._no_value("complex() needs its number now", "there are no complex numbers in a graph")

    def __index__(self) -> NoReturn:
        raise self._no_value(
            "a shape, a range or an index into a plain array or list needs its number now",
            "mark the argument static; to index an array by traced ids, make it an argument too or write "
            "`graphc.nn.embedding(array, ids)`",
        )

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        raise self._no_value(
            "np.asarray(), np.array() and functions that convert to ndarray need its numbers now",
            "use the traced value itself, np.stack to join several; to index an array by traced ids, make it an "
            "argument too or write `graphc.nn.embedding(array, ids)`",
        )

    def _no_value(self, why: str, instead: str) -> TraceError:
        check_alive(self)
        error = located(TraceError(f"a traced value ({self.value.type}) has no numbers yet; {why}: {instead}"))
        assert isinstance(error, TraceError)
        return error

    def __repr__(self) -> str:
        return f"Tracer({self.value.type})"

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __copy__(self) -> Any:
        return _copy(self)

    def __deepcopy__(self, memo: Any) -> Any:
        return _copy(self)

    def __neg__(self) -> Any:
        return _ufunc(np.negative, self)

    def __pos__(self) -> Any:
        return _ufunc(np.positive, self)

    def __abs__(self) -> Any:
        return _ufunc(np.absolute, self)

    def __invert__(self) -> Any:
        return _ufunc(np.invert, self)

    def __add__(self, other: Any) -> Any:
        return _ufunc(np.add, self, other)

    def __radd__(self, other: Any) -> Any:
        return _ufunc(np.add, other, self)

    def __sub__(self, other: Any) -> Any:
        return _ufunc(np.subtract, self, other)

    def __rsub__(self, other: Any) -> Any:
        return _ufunc(np.subtract, other, self)

    def __mul__(self, other: Any) -> Any:
        return _ufunc(np.multiply, self, other)

    def __rmul__(self, other: Any) -> Any:
        return _ufunc(np.multiply, other, self)

    def __truediv__(self, other: Any) -> Any:
        return _ufunc(np.true_divide, self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return _ufunc(np.true_divide, other, self)

    def __floordiv__(self, other: Any) -> Any:
        return _ufunc(np.floor_divide, self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return _ufunc(np.floor_divide, other, self)

    def __mod__(self, other: Any) -> Any:
        return _ufunc(np.remainder, self, other)

    def __rmod__(self, other: Any) -> Any:
        return _ufunc(np.remainder, other, self)

    def __divmod__(self, other: Any) -> Any:
        return _ufunc(np.divmod, self, other)

    def __rdivmod__(self, other: Any) -> Any:
        return _ufunc(np.divmod, other, self)

    def __pow__(self, other: Any) -> Any:
        return _ufunc(np.power, self, other)

    def __rpow__(self, other: Any) -> Any:
        return _ufunc(np.power, other, self)

    def __matmul__(self, other: Any) -> Any:
        return _ufunc(np.matmul, self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return _ufunc(np.matmul, other, self)

    def __and__(self, other: Any) -> Any:
        return _ufunc(np.bitwise_and, self, other)

    def __rand__(self, other: Any) -> Any:
        return _ufunc(np.bitwise_and, other, self)

    def __or__(self, other: Any) -> Any:
        return _ufunc(np.bitwise_or, self, other)

    def __ror__(self, other: Any) -> Any:
        return _ufunc(np.bitwise_or, other, self)

    def __xor__(self, other: Any) -> Any:
        return _ufunc(np.bitwise_xor, self, other)

    def __rxor__(self, other: Any) -> Any:
        return _ufunc(np.bitwise_xor, other, self)

    def __lshift__(self, other: Any) -> Any:
        return _ufunc(np.left_shift, self, other)

    def __rlshift__(self, other: Any) -> Any:
        return _ufunc(np.left_shift, other, self)

    def __rshift__(self, other: Any) -> Any:
        return _ufunc(np.right_shift, self, other)

    def __rrshift__(self, other: Any) -> Any:
        return _ufunc(np.right_shift, other, self)

    def __iadd__(self, other: Any) -> Any:
        return _in_place(np.add, self, other)

    def __isub__(self, other: Any) -> Any:
        return _in_place(np.subtract, self, other)

    def __imul__(self, other: Any) -> Any:
        return _in_place(np.multiply, self, other)

    def __itruediv__(self, other: Any) -> Any:
        return _in_place(np.true_divide, self, other)

    def __ifloordiv__(self, other: Any) -> Any:
        return _in_place(np.floor_divide, self, other)

    def __imod__(self, other: Any) -> Any:
        return _in_place(np.remainder, self, other)

    def __ipow__(self, other: Any) -> Any:
        return _in_place(np.power, self, other)

    def __imatmul__(self, other: Any) -> Any:
        return _in_place(np.matmul, self, other)

    def __iand__(self, other: Any) -> Any:
        return _in_place(np.bitwise_and, self, other)

    def __ior__(self, other: Any) -> Any:
        return _in_place(np.bitwise_or, self, other)

    def __ixor__(self, other: Any) -> Any:
        return _in_place(np.bitwise_xor, self, other)

    def __ilshift__(self, other: Any) -> Any:
        return _in_place(np.left_shift, self, other)

    def __irshift__(self, other: Any) -> Any:
        return _in_place(np.right_shift, self, other)

    def __eq__(self, other: Any) -> Any:
        return _ufunc(np.equal, self, other)

    def __ne__(self, other: Any) -> Any:
        return _ufunc(np.not_equal, self, other)

    def __lt__(self, other: Any) -> Any:
        return _ufunc(np.less, self, other)

    def __le__(self, other: Any) -> Any:
        return _ufunc(np.less_equal, self, other)

    def __gt__(self, other: Any) -> Any:
        return _ufunc(np.greater, self, other)

    def __ge__(self, other: Any) -> Any:
        return _ufunc(np.greater_equal, self, other)


def _ufunc(ufunc: np.ufunc, *operands: Any) -> Any:
    return ABOVE["call_ufunc"](ufunc, "__call__", operands, {})


def _in_place(ufunc: np.ufunc, x: Any, other: Any) -> Any:
    return ABOVE["changed"](x, ufunc, other)


def _copy(x: Any) -> Any:
    return ABOVE["fresh"](x)


def _function(func: Any, *args: Any, **kwargs: Any) -> Any:
    return ABOVE["call_function"](func, args, kwargs)


def check_alive(tracer: TracerMethods) -> None:
    """Raise TraceError where the trace of `tracer` has ended."""
    if tracer.state.alive:
        return
    made = next((n.source for n in tracer.state.builder.nodes if tracer.value in n.outputs), NOWHERE)
    where = f", made at {made}," if made.lines else ""
    raise located(
        TraceError(
            f"a traced value ({tracer.value.type}){where} is used after its trace ended: return it from the traced "
            "function instead of keeping it in a global, an attribute or an outer list"
        )
    )
