"""Random numbers from keys: the same key gives the same bits on every device, at once or compiled.

A key is a u32[2] array. There is no hidden state: draw with a key once, and `split` it for more. The bits come from
the counter-based generator threefry2x32 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11).
"""

from __future__ import annotations

import contextlib
import math
import operator
from typing import Any, SupportsIndex

import numpy as np

from graphc.errors import ArgumentError, DTypeError, GraphcError, OutOfMemoryError, ShapeError, TraceError
from graphc.ir.types import Lengths, as_shape
from graphc.ops import by_name
from graphc.random.parameters import is_known
from graphc.tracing.core import is_tracer, located
from graphc.tracing.settings import is_number
from graphc.tracing.trace import apply

Array = Any

_SPLIT = np.array([0x73706C69, 0x74000000], dtype=np.uint32)
_FOLD = np.array([0x666F6C64, 0x00000000], dtype=np.uint32)
"""Drawing, splitting and folding must not give the same bits: each of the latter two works on a key of its own."""


def key(seed: SupportsIndex) -> np.ndarray[Any, np.dtype[np.uint32]]:
    """The key of a seed: u32[2] holding its 64 bits, high word first.

    Raises TraceError for a traced seed, DTypeError for one that is no integer, ArgumentError for one that is none of 64
    bits, with a sign or without: another seed would have the same key.
    """
    number = _of_bits(known_integer(seed, "seed"), "seed", 64)
    return np.array([(number >> 32) & 0xFFFFFFFF, number & 0xFFFFFFFF], dtype=np.uint32)


def split(key: Array, n: int = 2) -> Array:
    """`n` new keys, u32[n, 2], independent of each other and of what `key` itself gives. Raises ArgumentError for 0."""
    if known_integer(n, "number of keys") == 0:
        raise located(ArgumentError("split: n is 0: needs a key at least"))
    return bits(checked_key(key) ^ _SPLIT, (n, 2))


def fold_in(key: Array, data: Array) -> Array:
    """A new key made of a key and an integer, such as the number of a step or a layer; `data` may be traced.

    Raises DTypeError for what is no integer, ArgumentError for one that is none of 32 bits.
    """
    if hasattr(data, "astype"):
        if data.dtype.kind not in "iub":
            raise DTypeError(f"fold_in: the data is {data.dtype}: needs an integer")
        if data.shape != ():
            raise ShapeError(f"fold_in: the data has shape {data.shape}: needs a scalar; map it with graphc.vmap")
        word = data.astype(np.uint32)
    else:
        word = np.uint32(_of_bits(known_integer(data, "data"), "data", 32) & 0xFFFFFFFF)
    # The key is scrambled first, so that (seed 5, data 3) and (seed 6, data 0) do not meet.
    return bits(bits(checked_key(key) ^ _FOLD, (2,)) ^ np.stack([word, np.zeros_like(word)]), (2,))


def bits(key: Array, shape: Lengths = ()) -> Array:
    """32 random bits in each element: u32 of `shape`.

    Raises ShapeError for more than 2**32 elements, whose bits would come again, OutOfMemoryError where they do not fit.
    """
    lengths = as_shape(shape)
    if math.prod(lengths) > 1 << 32:
        raise located(ShapeError(f"random numbers of shape {lengths}: needs at most 2**32 elements"))
    try:
        return apply(by_name("random_bits"), checked_key(key), shape=lengths)
    except MemoryError as error:
        if isinstance(error, GraphcError):
            raise
        raise located(OutOfMemoryError(f"random numbers of shape {lengths}: no memory for them is left")) from None


def uniform(key: Array, shape: Lengths = (), low: float = 0.0, high: float = 1.0, dtype: Any = np.float32) -> Array:
    """Uniform in [low, high), in steps of 2^-24 of the span (2^-53 for float64).

    Raises ArgumentError for ends that are no finite numbers of this element type, or in the wrong order.
    """
    kind, low, high = float_type(dtype), known_number(low, "uniform: low"), known_number(high, "uniform: high")
    most = float(np.finfo(kind).max)
    if not low <= high or max(abs(low), abs(high)) > most:
        raise located(ArgumentError(f"uniform: [{low}, {high}) has to be a finite range of {kind}, low before high"))
    unit = unit_interval(key, as_shape(shape), kind)
    if (low, high) == (0.0, 1.0):
        return unit
    # Rounding could carry the sum up to `high`.
    below = float(np.nextafter(np.asarray(high, kind), np.asarray(low, kind)))
    place = unit * (high - low) + low if high - low <= most else unit * high + (1 - unit) * low
    return np.minimum(place, max(below, low))


def normal(key: Array, shape: Lengths = (), mean: float = 0.0, std: float = 1.0, dtype: Any = np.float32) -> Array:
    """Normal with this mean and standard deviation, by the method of Box and Muller.

    Raises ArgumentError for a standard deviation that is negative or NaN, and for what is no number.
    """
    mean, std = known_number(mean, "normal: mean"), known_number(std, "normal: std")
    if not std >= 0:
        raise located(ArgumentError(f"normal: std is {std!r}: needs a number that is not negative"))
    pair = unit_interval(key, (2, *as_shape(shape)), float_type(dtype))
    # 1 - u is in (0, 1], so that the logarithm is finite.
    radius = np.sqrt(-2 * np.log(1 - pair[0]))
    sample = radius * np.cos(2 * math.pi * pair[1])
    return sample if (mean, std) == (0.0, 1.0) else sample * std + mean


def randint(key: Array, shape: Lengths, low: SupportsIndex, high: SupportsIndex) -> Array:
    """Integers i32 in [low, high), each alike to within 2^-32. Raises ArgumentError for an empty range."""
    first, end = known_integer(low, "low"), known_integer(high, "high")
    span = end - first
    if not 0 < span < 1 << 32 or first < -(1 << 31) or end > 1 << 31:
        raise ArgumentError(f"randint: [{first}, {end}) is empty, or not a part of the 32-bit integers")
    words, size = bits(key, (2, *as_shape(shape))), np.uint32(span)
    # The high word of (64 random bits) * span / 2^32, in 32-bit arithmetic that wraps (NumPy warns of it on scalars).
    with np.errstate(over="ignore"):
        low_part = words[0] * size
        carry = low_part + _multiply_high(words[1], span) < low_part
        offset = _multiply_high(words[0], span) + carry.astype(np.uint32)
        # That it is below `span` is said here for those who take it as an index: arithmetic alone does not show it.
        offset = np.minimum(offset, np.uint32(span - 1))
        if span <= 1 << 31:
            return offset.astype(np.int32) + np.int32(first)
        return (offset + np.uint32(first & 0xFFFFFFFF)).astype(np.int32)


def _multiply_high(a: Array, b: int) -> Array:
    """The high 32 bits of the 64-bit product of u32 values and a constant."""
    half, mask = np.uint32(16), np.uint32(0xFFFF)
    a_high, a_low, b_high, b_low = a >> half, a & mask, np.uint32(b >> 16), np.uint32(b & 0xFFFF)
    cross, other = a_low * b_high, a_high * b_low
    middle = (a_low * b_low >> half) + (cross & mask) + (other & mask)
    return a_high * b_high + (cross >> half) + (other >> half) + (middle >> half)


def bernoulli(key: Array, p: Array = 0.5, shape: Lengths | None = None) -> Array:
    """Bool, True with probability p; of `shape`, or of the shape of p.

    Raises ArgumentError for no probability, ShapeError where p cannot be broadcast to `shape`.
    """
    known = np.asarray(p) if is_known(p) else None
    if known is not None and (known.dtype.kind not in "biuf" or not np.all((known >= 0) & (known <= 1))):
        raise located(ArgumentError(f"bernoulli: p is {p!r}: needs probabilities, from 0 to 1"))
    own = p.shape if known is None else known.shape
    lengths = own if shape is None else as_shape(shape)
    if len(own) > len(lengths) or any(n not in (1, m) for n, m in zip(own[::-1], lengths[::-1], strict=False)):
        raise located(ShapeError(f"bernoulli: p of shape {own} cannot be broadcast to shape {lengths}"))
    return uniform(key, lengths) < p


def gumbel(key: Array, shape: Lengths = (), dtype: Any = np.float32) -> Array:
    """Standard Gumbel: -log(-log(u)), finite; half precision is drawn in single."""
    dtype = float_type(dtype)
    half = dtype == np.float16
    # 23 bits and a half: u is never 0 nor 1, in float32 too.
    u = (bits(key, shape) >> np.uint32(9)).astype(np.float32 if half else dtype) * 2.0**-23 + 2.0**-24
    noise = -np.log(-np.log(u))
    return noise.astype(dtype) if half else noise


def categorical(key: Array, logits: Array, axis: int = -1) -> Array:
    """i32 indices along `axis`, each drawn with probability softmax(logits). logits: [..., C] -> [...].

    Raises DTypeError for what is no array of numbers, ShapeError for an axis that there is not, or of no elements.
    """
    if not hasattr(logits, "astype") or logits.dtype.kind not in "iuf":
        found = getattr(logits, "dtype", type(logits).__name__)
        raise located(DTypeError(f"categorical: the logits are a {found}: needs an array of floats"))
    shape, place = logits.shape, known_integer(axis, "axis")
    if not -len(shape) <= place < len(shape):
        raise located(ShapeError(f"categorical: axis {place} is out of range for logits of shape {shape}"))
    if shape[place] == 0:
        raise located(ShapeError(f"categorical: the logits have shape {shape}: there is nothing to draw from"))
    wide = logits if logits.dtype.kind == "f" and logits.dtype != np.float16 else logits.astype(np.float32)
    return np.argmax(wide + gumbel(key, shape, wide.dtype), axis=place).astype(np.int32)


def unit_interval(key: Array, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Uniform in [0, 1) with as many bits as the element type holds."""
    if dtype == np.float64:
        words = bits(key, (2, *shape))
        high, low = (words[0] >> np.uint32(5)).astype(dtype), (words[1] >> np.uint32(6)).astype(dtype)
        return (high * 2.0**26 + low) * 2.0**-53
    if dtype == np.float32:
        return (bits(key, shape) >> np.uint32(8)).astype(dtype) * 2.0**-24
    return (bits(key, shape) >> np.uint32(21)).astype(dtype) * 2.0**-11


def float_type(dtype: Any) -> np.dtype[Any]:
    """The element type of numbers that are drawn."""
    found: np.dtype[Any] | None = None
    with contextlib.suppress(TypeError, ValueError):
        found = np.dtype(dtype)
    if found is None or found not in (np.float16, np.float32, np.float64):
        raise located(DTypeError(f"random numbers are float16, float32 or float64, not {found or repr(dtype)}"))
    return found


def known_number(value: Any, what: str) -> float:
    """A number that is known, of any kind, as Python's."""
    if is_tracer(value):
        raise located(TraceError(f"{what} is traced, but has to be known: multiply what is drawn, or add to it"))
    if not is_number(value):
        raise located(ArgumentError(f"{what} is {value!r}: needs a number"))
    try:
        return float(value)
    except OverflowError:
        raise located(ArgumentError(f"{what} is an integer beyond all floats")) from None


def known_integer(value: Any, what: str) -> int:
    """An integer of any kind (Python's, NumPy's, an array of one) as Python's."""
    if is_tracer(value):
        hint = ": write graphc.random.fold_in(key, seed)" if what == "seed" else ", but has to be known"
        raise located(TraceError(f"the {what} of random numbers is traced{hint}"))
    if isinstance(value, bool | np.bool) and what in ("seed", "data"):
        return int(value)  # as NumPy's generators take them
    try:
        if not isinstance(value, bool):
            return operator.index(value)
    except TypeError:
        pass
    kind = getattr(value, "dtype", type(value).__name__)
    raise located(DTypeError(f"the {what} of random numbers is a {kind}, {value!r}: needs an integer"))


def _of_bits(number: int, what: str, bits: int) -> int:
    """An integer that so many bits hold, with a sign or without."""
    if not -(1 << bits - 1) <= number < 1 << bits:
        raise located(ArgumentError(f"the {what} of random numbers is {number}: needs an integer of {bits} bits"))
    return number


def checked_key(key: Array) -> Array:
    """`key`, if it is one."""
    if not hasattr(key, "dtype") or key.dtype != np.uint32:
        raise DTypeError(f"a key is a uint32 array, as graphc.random.key makes it; got {key!r}")
    if key.shape != (2,):
        raise ShapeError(f"a key has shape (2,), got {key.shape}; take one row of what split gives")
    return key
