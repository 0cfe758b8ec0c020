"""Recurrent cells, and their loops over a sequence.

Weights multiply from the right, as those of `linear` do: w_ih [I, G H] and w_hh [H, G H], where G is 3 or 4. PyTorch's
are the transposes of these; the gates stand in the same order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, SupportsIndex

import numpy as np

from graphc.convolution import array_like
from graphc.errors import ShapeError
from graphc.nn.activations import sigmoid
from graphc.nn.shared import Array
from graphc.scan import scan
from graphc.tracing.operands import operand, takes
from graphc.tree import map as map_tree

LstmState = tuple[Array, Array]
"""(h, c) of an LSTM."""


@takes(floats="x h w_ih w_hh b_ih b_hh")
def gru_cell(
    x: Array, h: Array, w_ih: Array, w_hh: Array, b_ih: Array | None = None, b_hh: Array | None = None
) -> Array:
    """The next state of a gated recurrent unit, (1 - z) * n + z * h, where a = x @ w_ih + b_ih, b = h @ w_hh + b_hh and

        r, z = sigmoid(a_r + b_r), sigmoid(a_z + b_z)
        n = tanh(a_n + r * b_n)

    x: [..., I], h: [..., H], w_ih: [I, 3 H], w_hh: [H, 3 H], biases: [3 H] -> [..., H]; a and b hold r, z and n in
    this order. All are floats. Raises ShapeError and DTypeError. Source: arXiv:1406.1078, as torch.nn.GRUCell has it.
    """
    x, h, w_ih, w_hh = map(array_like, (x, h, w_ih, w_hh))
    b_ih, b_hh = _biases(b_ih, b_hh)
    _check("gru_cell", 3, x.shape, h.shape, w_ih, w_hh, b_ih, b_hh)
    return _gru(_gates(x, w_ih, b_ih), h, w_hh, b_hh)


@takes(floats="x w_ih w_hh b_ih b_hh")
def lstm_cell(
    x: Array, state: LstmState, w_ih: Array, w_hh: Array, b_ih: Array | None = None, b_hh: Array | None = None
) -> LstmState:
    """The next state (h, c) of a long short-term memory. i, f, g, o are x @ w_ih + b_ih + h @ w_hh + b_hh, in parts:

        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h = sigmoid(o) * tanh(c)

    x: [..., I], h and c: [..., H], w_ih: [I, 4 H], w_hh: [H, 4 H], biases: [4 H]. Raises ShapeError. Source: Hochreiter
    and Schmidhuber, 1997, as torch.nn.LSTMCell has it.
    """
    x, w_ih, w_hh = map(array_like, (x, w_ih, w_hh))
    (h, c), (b_ih, b_hh) = _pair("lstm_cell", state), _biases(b_ih, b_hh)
    _check("lstm_cell", 4, x.shape, h.shape, w_ih, w_hh, b_ih, b_hh)
    return _lstm(_gates(x, w_ih, b_ih), (h, c), w_hh, b_hh)


@takes(floats="xs h w_ih w_hh b_ih b_hh")
def gru(
    xs: Array,
    h: Array | None,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None = None,
    b_hh: Array | None = None,
    *,
    mask: Array | None = None,
    reverse: bool = False,
    unroll: SupportsIndex | bool = 1,
) -> tuple[Array, Array]:
    """`gru_cell` over a sequence: (the states after each step, the last one).

    xs: [T, ..., I], h: [..., H] or None for zeros -> ([T, ..., H], [..., H]). mask: bool [T, ...], False where a
    sequence has ended: its state stays there, and what comes out is 0. reverse: from the last step to the first; each
    state stands where its x does. unroll: see graphc.scan, which is the loop. The products with w_ih are one, before
    it. Raises ShapeError.
    """
    xs, w_ih, w_hh = map(array_like, (xs, w_ih, w_hh))
    b_ih, b_hh = _biases(b_ih, b_hh)
    state = _checked_start("gru", 3, xs, None if h is None else array_like(h), w_ih, w_hh, b_ih, b_hh)
    return _over(lambda x, h: _gru(x, h, w_hh, b_hh), xs, w_ih, b_ih, state, mask, reverse, unroll)


@takes(floats="xs w_ih w_hh b_ih b_hh")
def lstm(
    xs: Array,
    state: LstmState | None,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None = None,
    b_hh: Array | None = None,
    *,
    mask: Array | None = None,
    reverse: bool = False,
    unroll: SupportsIndex | bool = 1,
) -> tuple[Array, LstmState]:
    """`lstm_cell` over a sequence: (h after each step, the last (h, c)). state: (h, c), or None for zeros.

    As `gru` otherwise.
    """
    xs, w_ih, w_hh = map(array_like, (xs, w_ih, w_hh))
    b_ih, b_hh = _biases(b_ih, b_hh)
    h, c = (None, None) if state is None else _pair("lstm", state)
    h = _checked_start("lstm", 4, xs, h, w_ih, w_hh, b_ih, b_hh)
    start = (h, np.zeros_like(h) if c is None else c)
    return _over(lambda x, s: _lstm(x, s, w_hh, b_hh), xs, w_ih, b_ih, start, mask, reverse, unroll)


def _gates(x: Array, weight: Array, bias: Array | None) -> Array:
    made = x @ weight
    return made if bias is None else made + bias


def _gru(x: Array, h: Array, w_hh: Array, b_hh: Array | None) -> Array:
    """The next state; x: its gates."""
    (xr, xz, xn), (hr, hz, hn) = np.split(x, 3, -1), np.split(_gates(h, w_hh, b_hh), 3, -1)
    z = sigmoid(xz + hz)
    n = np.tanh(xn + sigmoid(xr + hr) * hn)
    return n + z * (h - n)


def _lstm(x: Array, state: LstmState, w_hh: Array, b_hh: Array | None) -> LstmState:
    """The next state; x: its gates."""
    h, c = state
    i, f, g, o = np.split(x + _gates(h, w_hh, b_hh), 4, -1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def _over(
    cell: Callable[[Array, Any], Any],
    xs: Array,
    w_ih: Array,
    b_ih: Array | None,
    start: Any,
    mask: Array | None,
    reverse: bool,
    unroll: SupportsIndex | bool,
) -> tuple[Array, Any]:
    """The loop of a cell over the gates of each x. Where a sequence has ended, whatever stands there is taken as 0: it
    has no part in a gradient, NaN neither."""

    def step(state: Any, given: Any) -> tuple[Any, Any]:
        x, on = given
        new = cell(x, state)
        if on is not None:
            new = map_tree(lambda a, b: np.where(on, a, b), new, state)
        h = new[0] if isinstance(new, tuple) else new
        return new, h if on is None else np.where(on, h, 0)

    ons = None if mask is None else array_like(mask)[..., None] != 0
    gates = _gates(xs if ons is None else np.where(ons, xs, 0), w_ih, b_ih)
    last, ys = scan(step, start, (gates, ons), reverse=reverse, unroll=unroll)
    return ys, last


def _biases(*given: Array | None) -> tuple[Array | None, ...]:
    return tuple(None if bias is None else array_like(bias) for bias in given)


def _pair(name: str, state: LstmState) -> LstmState:
    if not isinstance(state, tuple | list) or len(state) != 2:
        raise ShapeError(f"{name}: the state is a {type(state).__name__}: need a pair (h, c)")
    h, c = operand(name, "h", state[0]), operand(name, "c", state[1])
    if h.shape != c.shape:
        raise ShapeError(f"{name}: h has shape {h.shape} and c {c.shape}: need the same")
    return h, c


def _checked_start(
    name: str,
    gates: int,
    xs: Array,
    h: Array | None,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None,
    b_hh: Array | None,
) -> Array:
    """The state that a loop begins with; raises ShapeError where shapes do not fit."""
    if xs.ndim < 2:
        raise ShapeError(f"{name}: xs has shape {xs.shape}: need [T, ..., I]")
    shape = (*xs.shape[1:-1], w_hh.shape[0]) if h is None else h.shape
    _check(name, gates, xs.shape[1:], shape, w_ih, w_hh, b_ih, b_hh)
    return np.zeros(shape, np.result_type(xs.dtype, w_hh.dtype)) if h is None else h


def _check(
    name: str,
    gates: int,
    x: tuple[int, ...],
    h: tuple[int, ...],
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None,
    b_hh: Array | None,
) -> None:
    if not x or not h or x[:-1] != h[:-1]:
        raise ShapeError(f"{name}: x has shape {x} and the state {h}: need [..., I] and [..., H]")
    inner, hidden = x[-1], h[-1]
    for what, weight, rows, said in (("w_ih", w_ih, inner, "I"), ("w_hh", w_hh, hidden, "H")):
        if weight.shape != (rows, gates * hidden):
            raise ShapeError(
                f"{name}: {what} has shape {weight.shape}: need ({rows}, {gates * hidden}), which is "
                f"[{said}, {gates} H]; PyTorch's weights are the transposes"
            )
    for what, bias in (("b_ih", b_ih), ("b_hh", b_hh)):
        if bias is not None and bias.shape != (gates * hidden,):
            raise ShapeError(f"{name}: {what} has shape {bias.shape}: need ({gates * hidden},)")
