"""Neural network functions in plain NumPy: they run at once on ndarrays and trace like any other function.

Nothing here is an operation of its own. A softmax is five NumPy calls; the compiler finds that they are one kernel.
Shapes are written `[..., C]`, where `...` stands for any leading axes.
"""

from __future__ import annotations

from graphc.convolution import avg_pool, conv, conv_transpose, max_pool
from graphc.nn.activations import geglu, gelu, log_softmax, relu, sigmoid, silu, softmax, softplus, swiglu
from graphc.nn.entropy import binary_cross_entropy, binary_cross_entropy_with_logits, cross_entropy, kl_div, nll_loss
from graphc.nn.heads import attention, cached_attention, causal_mask, kv_cache
from graphc.nn.layers import dropout, embedding, linear, one_hot
from graphc.nn.losses import (
    cosine_embedding_loss,
    cosine_similarity,
    gaussian_nll_loss,
    hinge_embedding_loss,
    huber_loss,
    l1_loss,
    margin_ranking_loss,
    mse_loss,
    poisson_nll_loss,
    smooth_l1_loss,
    soft_margin_loss,
    triplet_margin_loss,
)
from graphc.nn.norms import batch_norm, group_norm, instance_norm, layer_norm, rms_norm
from graphc.nn.positions import alibi, alibi_slopes, rotary_embedding
from graphc.nn.recurrent import gru, gru_cell, lstm, lstm_cell

__all__ = [
    "alibi",
    "alibi_slopes",
    "attention",
    "avg_pool",
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cached_attention",
    "causal_mask",
    "conv",
    "conv_transpose",
    "cosine_embedding_loss",
    "cosine_similarity",
    "cross_entropy",
    "dropout",
    "embedding",
    "gaussian_nll_loss",
    "geglu",
    "gelu",
    "group_norm",
    "gru",
    "gru_cell",
    "hinge_embedding_loss",
    "huber_loss",
    "instance_norm",
    "kl_div",
    "kv_cache",
    "l1_loss",
    "layer_norm",
    "linear",
    "log_softmax",
    "lstm",
    "lstm_cell",
    "margin_ranking_loss",
    "max_pool",
    "mse_loss",
    "nll_loss",
    "one_hot",
    "poisson_nll_loss",
    "relu",
    "rms_norm",
    "rotary_embedding",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "soft_margin_loss",
    "softmax",
    "softplus",
    "swiglu",
    "triplet_margin_loss",
]
