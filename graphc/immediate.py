"""NumPy's functions, methods and operators on Arrays, at once: small programs on the device of the first Array.

A program is kept by the function, the types of its arrays and numbers, and the values of everything else, so that a
call that repeats only starts it. What a graph has nothing for (np.unique, a mask that picks elements) NumPy computes
of copies on the host, and the result goes back to the device.
"""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import numpy as np

from graphc.compile import compile
from graphc.errors import DTypeError, GraphcError, GraphError, ImmutableError, IndexRangeError, ShapeError, TraceError
from graphc.executable import Executable
from graphc.ir.op import Op
from graphc.ir.types import check_plain, narrow
from graphc.runtime import Array, Device
from graphc.runtime import device as find_device
from graphc.runtime.forks import Lock
from graphc.signature import leaf_key
from graphc.tracing import advice
from graphc.tracing.core import is_tracer, located, untraced
from graphc.tracing.functions import TABLE
from graphc.tracing.trace import apply

_KEPT: Final = 256
"""Programs that are kept, those used last."""

_SHAPES: Final[frozenset[Any]] = frozenset(
    (np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.iscomplexobj, np.isrealobj, np.common_type)
)
"""Functions that look at types alone: no program, and nothing waits."""

_CHANGING: Final[frozenset[Any]] = frozenset(
    (np.copyto, np.put, np.place, np.putmask, np.fill_diagonal, np.put_along_axis)
)
"""Functions that change their first argument."""

_ERRORS: Final[dict[type[Exception], type[GraphcError]]] = {
    TypeError: DTypeError,
    ValueError: ShapeError,
    IndexError: IndexRangeError,
}
"""What stands for errors of NumPy's."""

_POWERS: Final = (-2, -1, -0.5, 0.5, 1, 2, 3, 4)
"""Exponents for which there are shorter ways than a power."""


class _Unfit(Exception):
    """An operand that no program takes."""


@dataclass(frozen=True, slots=True)
class _Slot:
    """Where in the arguments an operand of the program stands."""

    index: int


@dataclass(frozen=True, slots=True)
class _Known:
    """A number whose value is part of the program."""

    value: Any


@dataclass(slots=True)
class _Operands:
    """The arrays and numbers among arguments, and what else decides the program.

    repeats: False where an argument may behave another way each time.
    """

    leaves: list[Any] = field(default_factory=list)
    key: list[Hashable] = field(default_factory=list)
    device: Device | None = None
    repeats: bool = True

    def take(self, value: Any, numbers: bool = False) -> Any:
        """`value` with slots in the place of operands. numbers: a Python number is one too.

        Raises _Unfit, and DTypeError for an array that means more than its elements.
        """
        kind = type(value)
        if kind is Array:
            self.device = self.device or value.device
            return self._slot(value)
        if kind is np.ndarray:
            return self._array(value)
        if kind in (int, float, bool):
            return self._number(value, numbers)
        if kind in (list, tuple):
            if numbers:
                return self._array(np.asarray(value))
            self.key.append((kind, len(value)))
            return kind(map(self.take, value))
        if kind is dict:
            self.key.append((dict, *value))
            return {k: self.take(v) for k, v in value.items()}
        if kind is slice:
            self.key.append(slice)
            return slice(*(self._fixed(v if v is None else operator.index(v)) for v in _ends(value)))
        if kind is _Known:
            return self._fixed(value.value)
        if isinstance(value, np.generic) and (numbers or not isinstance(value, np.integer)):
            return self._array(np.asarray(value))
        if (
            value is None
            or value is Ellipsis
            or value is np._NoValue
            or isinstance(value, str | type | np.dtype | np.generic)
        ):
            return self._fixed(value)
        if hasattr(kind, "__array__") or isinstance(value, memoryview):
            check_plain(value, "an operand")
            return self._array(np.asarray(value))
        self.repeats = False  # a function, say, which does what it likes
        return value

    def _slot(self, leaf: Any) -> _Slot:
        self.leaves.append(leaf)
        self.key.append(leaf_key(leaf))
        return _Slot(len(self.leaves) - 1)

    def _array(self, value: Any) -> _Slot:
        check_plain(value, "an operand")
        if value.dtype.kind not in "biuf":
            raise _Unfit
        try:
            return self._slot(narrow(value) if value.dtype.kind in "iu" else value)
        except DTypeError:
            raise _Unfit from None

    def _number(self, value: Any, operand: bool) -> Any:
        # A number changes from call to call; whether another one fits the operands is for the trace to judge.
        if operand and type(value) is not bool and (type(value) is float or 0 <= value < 2**31):
            return self._slot(value)
        return self._fixed(value)

    def _fixed(self, value: Any) -> Any:
        self.key.append((type(value), float(value).hex() if isinstance(value, float | np.floating) else value))
        return value


def _ends(key: slice) -> tuple[Any, Any, Any]:
    return key.start, key.stop, key.step


def _put(value: Any, leaves: Sequence[Any]) -> Any:
    """`value` with operands in the place of slots."""
    if isinstance(value, _Slot):
        return leaves[value.index]
    if type(value) in (list, tuple):
        return type(value)(_put(v, leaves) for v in value)
    return {k: _put(v, leaves) for k, v in value.items()} if type(value) is dict else value


_programs: OrderedDict[Hashable, Executable | None] = OrderedDict()
_lock: Final = Lock()


def _at_once(
    name: Hashable,
    call: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any],
    host: Callable[..., Any] | None = None,
    numbers: bool = False,
) -> Any:
    """`call` as a program, or `host` (by default the same function) on copies where there can be none."""
    host = host or call
    found = _Operands()
    try:
        put, named = [found.take(x, numbers) for x in args], found.take(kwargs)
    except _Unfit:
        return _on_host(host, args, kwargs)
    device = found.device or find_device(None)
    key = (name, device, *found.key) if found.repeats else None
    with _lock:
        known = key in _programs
        program = _programs.get(key)
        if known:
            _programs.move_to_end(key)
    if known and program is None:
        return _on_host(host, args, kwargs)
    if program is None:
        try:
            program = _compiled(call, name, put, named, found.leaves, device)
        except (TraceError, TypeError, ValueError, IndexError, AttributeError) as error:
            if isinstance(error, GraphError | ImmutableError):
                raise
            made = _on_host(host, args, kwargs, error)
            _keep(key, None)
            return made
        _keep(key, program)
    with untraced():
        return program.run(found.leaves)


def _keep(key: Hashable, program: Executable | None) -> None:
    if key is not None:
        with _lock:
            _programs[key] = program
            if len(_programs) > _KEPT:
                _programs.popitem(last=False)


def _compiled(
    call: Callable[..., Any], name: Hashable, args: Any, kwargs: Any, leaves: Sequence[Any], device: Device
) -> Executable:
    def program(*operands: Any) -> Any:
        return call(*_put(args, operands), **_put(kwargs, operands))

    program.__name__ = str(name[1] if isinstance(name, tuple) else name)
    with untraced():
        return compile(program, device=device).lower(*leaves)


def _on_host(
    call: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], refused: Exception | None = None
) -> Any:
    """What NumPy makes of copies, on the device again. refused: why no program does, said where NumPy raises too."""
    device = next(_arrays((args, kwargs)), None)
    try:
        made = call(*_fetched(args), **_fetched(kwargs))
    except (TypeError, ValueError, IndexError) as error:
        if not isinstance(refused, GraphcError):
            raise
        builtin = next(kind for kind in _ERRORS if isinstance(error, kind))
        raise (refused if isinstance(refused, builtin) else located(_ERRORS[builtin](str(error)))) from None
    return _sent(made, find_device(None) if device is None else device)


def _arrays(value: Any) -> Iterator[Device]:
    """The devices of the Arrays among arguments."""
    if isinstance(value, Array):
        yield value.device
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _arrays(item)
    elif isinstance(value, dict):
        yield from _arrays(list(value.values()))


def _fetched(value: Any) -> Any:
    """Arguments with ndarrays in the place of Arrays."""
    if isinstance(value, Array):
        return value.numpy()
    if type(value) in (list, tuple):
        return type(value)(map(_fetched, value))
    if type(value) is dict:
        return {k: _fetched(v) for k, v in value.items()}
    if type(value) is slice:
        return slice(*map(_fetched, _ends(value)))
    return value.value if isinstance(value, _Known) else value


def _sent(made: Any, device: Device) -> Any:
    """Results of NumPy's with Arrays in the place of arrays and scalars that an Array can hold."""
    if isinstance(made, np.ndarray | np.generic):
        return device.upload(np.asarray(made)) if made.dtype.kind in "biuf" else made
    if isinstance(made, list | tuple):
        sent = [_sent(item, device) for item in made]
        return type(made)(*sent) if hasattr(made, "_fields") else type(made)(sent)
    return made


def _writes(options: dict[str, Any], name: str) -> bool:
    """Whether out= names an array of the host; raises ImmutableError for an Array."""
    out = options.get("out")
    given = [x for x in (out if isinstance(out, tuple) else (out,)) if x is not None]
    if any(isinstance(x, Array) for x in given):
        raise ImmutableError(f"out= is an Array, which never changes: write y = {name}(...)")
    return bool(given)


def call_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """A ufunc, or one of its methods, on Arrays.

    Raises ImmutableError where it would change an Array, DTypeError, ShapeError and IndexRangeError for operands that
    do not fit.
    """
    if any(is_foreign(x) for x in inputs):
        return NotImplemented  # a tracer, say, knows what to do
    function = getattr(ufunc, method)
    if _writes(options, f"np.{ufunc.__name__}"):
        return function(*_fetched(inputs), **_fetched(options))
    if method == "at":
        if isinstance(inputs[0], Array):
            text = advice.at(ufunc.__name__).strip("`")
            raise ImmutableError(f"np.{ufunc.__name__}.at on an Array, which never changes: write {text}")
        return function(*_fetched(inputs), **_fetched(options))
    if method != "__call__":
        return _at_once(("ufunc", f"{ufunc.__name__}.{method}"), function, inputs, options)
    if ufunc in (np.power, np.float_power):
        inputs = (inputs[0], _exponent(*inputs))
    return _at_once(("ufunc", ufunc.__name__), ufunc, inputs, options, numbers=True)


def _exponent(base: Any, power: Any) -> Any:
    """An exponent, which is a part of the program where its value decides what is to be done."""
    whole = getattr(base, "dtype", np.dtype(type(base))).kind in "iub"
    known = type(power) in (int, float) and (power in _POWERS or (type(power) is int and whole))
    return _Known(power) if known else power


def call_function(func: Any, types: Iterable[type], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A function of NumPy's on Arrays; raises as `call_ufunc` does."""
    if any(t is not Array and t.__array_function__ is not np.ndarray.__array_function__ for t in types):  # type: ignore[attr-defined]  # so NumPy calls it
        return NotImplemented
    if func in _SHAPES:
        return func(*map(_ghost, args), **{k: _ghost(v) for k, v in kwargs.items()})
    if func in _CHANGING:
        changed = args[0] if args else next(iter(kwargs.values()))
        if isinstance(changed, Array):
            instead = advice.FUNCTIONS[func.__name__].rpartition("cannot be changed: ")[2]
            raise ImmutableError(f"np.{func.__name__} on an Array, which never changes: {instead}")
        return func(*_fetched(args), **_fetched(kwargs))
    if _writes(kwargs, f"np.{func.__name__}"):
        return func(*_fetched(args), **_fetched(kwargs))
    if func not in TABLE:
        return _on_host(func, args, kwargs)
    return _at_once(("function", func.__name__, func.__module__), func, args, kwargs)


def _ghost(value: Any) -> Any:
    """An ndarray of the type of an Array, without its numbers."""
    return np.broadcast_to(np.zeros((), value.dtype), value.shape) if isinstance(value, Array) else value


def call_method(name: str, x: Array, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A method of ndarray on an Array; raises as `call_ufunc` does."""

    def method(x: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(x, name)(*args, **kwargs)

    if _writes(kwargs, f"x.{name}"):
        return method(x.numpy(), *_fetched(args), **_fetched(kwargs))
    return _at_once(("method", name), method, (x, *args), kwargs)


def apply_op(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> Any:
    """An op on Arrays."""
    return _at_once(("op", op.name), partial(apply, op), args, attrs)


def in_place(ufunc: np.ufunc, function: Callable[[Any, Any], Any], x: Array, other: Any) -> Any:
    """What the name of an Array stands for after an operator in place: a new Array of the same type and device.

    Raises ShapeError or DTypeError where the result does not fit, as NumPy does.
    """
    if is_foreign(other):
        return NotImplemented  # as with any other operator, a traced operand makes a traced result
    what = f"{ufunc.__name__} in place on an Array ({x.type})"

    def changed(x: Any, other: Any) -> Any:
        made = ufunc(x, other)
        if not np.can_cast(made.dtype, x.dtype, "same_kind"):
            raise located(DTypeError(f"{what}: the result is {made.dtype.name}: write x = x + y, not x += y"))
        if made.shape != x.shape:
            raise located(ShapeError(f"{what}: the result is {list(made.shape)}: write x = x + y, not x += y"))
        return made.astype(x.dtype)

    given = _exponent(x, other) if ufunc is np.power else other
    return _at_once(("in place", ufunc.__name__), changed, (x, given), {}, function, numbers=True)


def getitem(x: Array, key: Any) -> Any:
    """x[key]: ints, slices, None, Ellipsis and arrays of integers as a program, masks on the host.

    Raises IndexRangeError for an index out of range.
    """
    items = [np.asarray(k) if isinstance(k, list) else k for k in (key if isinstance(key, tuple) else (key,))]
    if any(_is_mask(k) for k in items):
        return _on_host(operator.getitem, (x, key if isinstance(key, tuple) else items[0]), {})
    if all(_is_int(k) or k is None or k is Ellipsis or isinstance(k, slice) for k in items):
        items = _positions(x, items)

    def pick(x: Any, *items: Any) -> Any:
        return x[items if isinstance(key, tuple) else items[0]]

    return _at_once(("getitem", isinstance(key, tuple)), pick, (x, *items), {})


def _is_int(item: Any) -> bool:
    return isinstance(item, int | np.integer) and not isinstance(item, bool)


def _is_mask(item: Any) -> bool:
    return isinstance(item, bool | np.bool_) or getattr(getattr(item, "dtype", None), "kind", "") == "b"


def _positions(x: Array, items: list[Any]) -> list[Any]:
    """The items with integers as operands, counted from the front, so that one program serves for each of them."""
    taken = sum(k is not None and k is not Ellipsis for k in items)
    if taken > x.ndim or sum(k is Ellipsis for k in items) > 1:
        raise located(IndexRangeError(f"too many indices for an Array ({x.type}): {taken}"))
    axis, found = 0, []
    for item in items:
        if _is_int(item):
            n = x.shape[axis]
            if not -n <= item < n:
                raise located(
                    IndexRangeError(f"index {item} is out of range for axis {axis} of {n} elements ({x.type})")
                )
            found.append(np.asarray(item % n, np.int32))
        else:
            found.append(item)
        axis += x.ndim - taken if item is Ellipsis else item is not None
    return found


def is_foreign(x: Any) -> bool:
    """Whether an operand brings its own arithmetic, as a tracer does."""
    cls = type(x)
    if issubclass(cls, Array) or is_tracer(x):
        return is_tracer(x)
    own = getattr(cls, "__array_ufunc__", None)
    return own is not None and own is not np.ndarray.__array_ufunc__ and not issubclass(cls, np.generic)
