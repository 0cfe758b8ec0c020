"""Methods and operators of ndarray on Arrays: small programs, run at once on the device (see `graphc.immediate`)."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final, NoReturn

import numpy as np

from graphc.errors import ImmutableError
from graphc.ir.op import Op
from graphc.tracing import advice

ABOVE: Final[dict[str, Callable[..., Any]]] = {}
"""What Arrays call of `graphc.immediate`, `updates` and `array_api`, by name. These compile programs and so stand above
the devices; graphc/__init__.py puts them in."""


def _method(name: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return ABOVE["call_method"](name, self, args, kwargs)

    return _named(method, name, f"As ndarray.{name}.")


def _changing(name: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
        instead = advice.METHODS[name].rpartition("cannot be changed: ")[2]
        raise ImmutableError(f".{name} on an Array ({self.type}), which never changes: {instead}")

    return _named(method, name, f"Raises ImmutableError, which says what to write instead of ndarray.{name}.")


def _in_place(ufunc: np.ufunc, function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def method(self: Any, other: Any) -> Any:
        return ABOVE["in_place"](ufunc, function, self, other)

    name = f"__{function.__name__}__"
    return _named(method, name, f"As ndarray.{name}, but the name stands for a new Array of the same type and device.")


def _named(method: Callable[..., Any], name: str, doc: str) -> Callable[..., Any]:
    method.__name__, method.__qualname__, method.__doc__ = name, f"Array.{name}", doc
    return method


class ArrayMethods(np.lib.mixins.NDArrayOperatorsMixin):
    """What an Array has in common with ndarray beyond its type: functions, methods and operators.

    The results are Arrays on the device of the first one; nothing waits for them. What no program can compute, such as
    a result whose shape depends on values, NumPy computes of copies on the host, and the result goes back.
    """

    __slots__ = ()

    all = _method("all")
    any = _method("any")
    argmax = _method("argmax")
    argmin = _method("argmin")
    argpartition = _method("argpartition")
    argsort = _method("argsort")
    astype = _method("astype")
    byteswap = _method("byteswap")
    choose = _method("choose")
    clip = _method("clip")
    compress = _method("compress")
    conj = _method("conj")
    conjugate = _method("conjugate")
    copy = _method("copy")
    cumprod = _method("cumprod")
    cumsum = _method("cumsum")
    diagonal = _method("diagonal")
    dot = _method("dot")
    flatten = _method("flatten")
    max = _method("max")
    mean = _method("mean")
    min = _method("min")
    nonzero = _method("nonzero")
    prod = _method("prod")
    ravel = _method("ravel")
    repeat = _method("repeat")
    reshape = _method("reshape")
    round = _method("round")
    searchsorted = _method("searchsorted")
    squeeze = _method("squeeze")
    std = _method("std")
    sum = _method("sum")
    swapaxes = _method("swapaxes")
    take = _method("take")
    tobytes = _method("tobytes")
    tofile = _method("tofile")
    trace = _method("trace")
    transpose = _method("transpose")
    var = _method("var")
    view = _method("view")

    fill = _changing("fill")
    partition = _changing("partition")
    put = _changing("put")
    resize = _changing("resize")
    sort = _changing("sort")

    __iadd__ = _in_place(np.add, operator.iadd)
    __isub__ = _in_place(np.subtract, operator.isub)
    __imul__ = _in_place(np.multiply, operator.imul)
    __itruediv__ = _in_place(np.true_divide, operator.itruediv)
    __ifloordiv__ = _in_place(np.floor_divide, operator.ifloordiv)
    __imod__ = _in_place(np.remainder, operator.imod)
    __ipow__ = _in_place(np.power, operator.ipow)
    __imatmul__ = _in_place(np.matmul, operator.imatmul)
    __ilshift__ = _in_place(np.left_shift, operator.ilshift)
    __irshift__ = _in_place(np.right_shift, operator.irshift)
    __iand__ = _in_place(np.bitwise_and, operator.iand)
    __ior__ = _in_place(np.bitwise_or, operator.ior)
    __ixor__ = _in_place(np.bitwise_xor, operator.ixor)

    @property
    def T(self) -> Any:
        """The axes in reverse order."""
        return self.transpose()

    @property
    def mT(self) -> Any:
        """The last two axes swapped."""
        return _method("swapaxes")(self, -1, -2)

    @property
    def real(self) -> Any:
        """The Array itself: there are no complex numbers."""
        return self

    @property
    def imag(self) -> Any:
        """Zeros: there are no complex numbers."""
        return ABOVE["call_function"](np.zeros_like, (), (self,), {})

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        return ABOVE["call_ufunc"](ufunc, method, inputs, options)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return ABOVE["call_function"](func, types, args, kwargs)

    def apply_op(self, op: Op, args: Any, attrs: Any) -> Any:
        """An op that NumPy has no function for, on `args`, of which this Array is one."""
        return ABOVE["apply_op"](op, args, attrs)

    def __getitem__(self: Any, key: Any) -> Any:
        return ABOVE["getitem"](self, key)

    def __contains__(self, value: Any) -> bool:
        return bool((self == value).any())
