"""Neural network functions in plain NumPy: they run at once on ndarrays and trace like any other function.

Nothing here is an operation of its own. A softmax is five NumPy calls; the compiler finds that they are one kernel.
Shapes are written `[..., C]`, where `...` stands for any leading axes.
"""

from __future__ import annotations

from graphc.convolution import avg_pool, conv, conv_transpose, max_pool
from graphc.nn.activations import gelu, log_softmax, relu, sigmoid, silu, softmax
from graphc.nn.heads import attention, causal_mask
from graphc.nn.layers import dropout, embedding, linear, one_hot
from graphc.nn.losses import cross_entropy
from graphc.nn.norms import batch_norm, layer_norm, rms_norm

__all__ = [
    "attention",
    "avg_pool",
    "batch_norm",
    "causal_mask",
    "conv",
    "conv_transpose",
    "cross_entropy",
    "dropout",
    "embedding",
    "gelu",
    "layer_norm",
    "linear",
    "log_softmax",
    "max_pool",
    "one_hot",
    "relu",
    "rms_norm",
    "sigmoid",
    "silu",
    "softmax",
]
