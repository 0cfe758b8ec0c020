"""Statements that hold a layer or a loss of graphc.nn."""

from __future__ import annotations

from typing import Final

from tests.fuzz.grow import Grower, Rejected, Slot, kind

LOSSES: Final = (
    "nn.mse_loss({a}, {b}{more})",
    "nn.huber_loss({a}, {b}{more})",
    "nn.smooth_l1_loss({a}, {b}{more}, beta=0.5)",
    "nn.l1_loss({a}, {b}{more})",
    "nn.soft_margin_loss({a}, {b}{more})",
    "nn.binary_cross_entropy_with_logits({a}, {b}{more})",
    "nn.binary_cross_entropy(nn.sigmoid({a}), np.tanh({b}) ** 2{more})",
    "nn.kl_div(nn.log_softmax({a}), nn.softmax({b}){more})",
    "nn.gaussian_nll_loss({a}, {b}, np.abs({b}) + 0.5{more})",
    "nn.poisson_nll_loss({a}, np.abs({b}){more})",
    "nn.margin_ranking_loss({a}, {b}, 1{more})",
)


def _rows(slot: Slot) -> bool:
    return slot.rank >= 2 and 0 < slot.size <= 2000 and slot.dtype == "float32"


@kind("loss", 3)
def loss(g: Grower) -> None:
    a = g.floats(lambda s: s.rank > 0 and s.size > 0 and s.dtype == "float32")
    b = g.floats(lambda s: s.shape == a.shape and s.dtype == a.dtype)
    mask = g.source.pick(("", f", {b} > 0", f", np.arange({a.shape[-1]}) > 0"))
    reduction = g.source.pick(("", ", reduction='sum'", ", reduction='none'"))
    g.add(g.source.pick(LOSSES).format(a=a, b=b, more=f"{mask}{reduction}"))


@kind("gated unit", 2)
def gated(g: Grower) -> None:
    a = g.floats(lambda s: s.rank > 0 and s.shape[-1] % 2 == 0 and s.size > 0)
    name = g.source.pick(("swiglu", "geglu"))
    g.add(g.source.pick((f"nn.{name}({a})", f"nn.{name}({a}, np.cos({a}))", f"nn.softplus({a})")))


@kind("norm of channels", 2)
def channels(g: Grower) -> None:
    a = g.floats(_rows)
    groups = next(n for n in (2, 3, 1) if a.shape[1] % n == 0)
    gains = [s for s in g.slots if s.floating and s.shape == a.shape[1:2] and s.dtype == a.dtype]
    gain = f", {g.source.pick(gains)}" if gains else ""
    texts = [f"nn.group_norm({a}, {g.source.pick((1, groups))}{gain})"]
    if a.rank > 2 and a.size > a.shape[0] * a.shape[1]:
        texts.append(f"nn.instance_norm({a}{gain})")
    g.add(g.source.pick(texts))


@kind("rotary embedding", 2)
def turned(g: Grower) -> None:
    a = g.floats(lambda s: _rows(s) and s.shape[-1] >= 2)
    dims = a.shape[-1] // 2 * 2
    places = g.source.pick(("None", f"np.arange({a.shape[-2]}) * 3", f"np.argmax({a}, -1)"))
    interleaved = g.source.pick(("", ", interleaved=True"))
    g.add(f"nn.rotary_embedding({a}, {places}, base=100.0, dims={dims}{interleaved})")


@kind("heads", 2)
def heads(g: Grower) -> None:
    """Attention of heads that share keys."""
    a = g.floats(lambda s: _rows(s) and s.rank >= 3 and s.size <= 500 and s.shape[-3] <= 8)
    count = a.shape[-3]
    shared = next(n for n in (2, 3, 1) if count % n == 0)
    keys = f"np.sin({a}[..., :{shared}, :, :])"
    causal = g.source.pick(("", ", causal=True"))
    slopes = g.source.pick(("", f", alibi_slopes=nn.alibi_slopes({count})"))
    g.add(f"nn.attention({a}, {keys}, {a}[..., :{shared}, :, :]{causal}{slopes})")


@kind("recurrent", 2)
def recurrent(g: Grower) -> None:
    """A recurrent cell with weights made of what there is, and its loop."""
    a = g.floats(lambda s: _rows(s) and s.size <= 200)
    if a.shape[0] > 6:
        raise Rejected
    name, gates = g.source.pick((("gru", 3), ("lstm", 4)))
    n = a.shape[-1]
    weights = f"np.cos(np.arange({n * gates * 2}.0)).reshape({n}, {gates * 2}).astype(f32)"
    inner = f"np.sin(np.arange({2 * gates * 2}.0)).reshape(2, {gates * 2}).astype(f32)"
    reverse = g.source.pick(("", ", reverse=True"))
    g.add(f"nn.{name}({a}, None, {weights}, {inner}{reverse})[0]")
