"""Training steps to be planned, on abstract arguments: nothing of them is computed or allocated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import graphc
from graphc import nn, optim, tree
from graphc.models import MODELS, data
from graphc.models.train import training_step


def abstract(values: Any) -> Any:
    """The same tree with a spec in the place of each array."""
    return tree.map(lambda x: graphc.spec(np.shape(x), np.asarray(x).dtype.name), values)


def model_step(name: str, batch_size: int | None = None) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """The training step of a model with its own defaults and Adam, and abstract arguments for it."""
    model = MODELS[name]
    corpus = data.load(None)
    config, _ = model.configure(corpus)
    x, y = model.batches(corpus, config, batch_size or model.DEFAULTS.batch_size, 0)(0)
    optimizer = optim.adam(1e-3)
    params = model.init(graphc.random.key(0), config)
    return training_step(model, config, optimizer), abstract((params, optimizer.init(params), x, y))


def transformer(
    width: int, heads: int, layers: int, length: int, batch: int, vocabulary: int = 65
) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """The step (params, state, x, y) -> (params, state, loss) of a GPT with AdamW, and abstract arguments for it."""

    def split(x: Any) -> Any:
        return np.swapaxes(np.reshape(x, (batch, length, heads, width // heads)), 1, 2)

    def block(layer: Any, h: Any) -> Any:
        a = nn.layer_norm(h, *layer["norm1"])
        attended = nn.attention(*(split(a @ w) for w in layer["qkv"]), causal=True)
        h = h + nn.linear(np.reshape(np.swapaxes(attended, 1, 2), h.shape), *layer["out"])
        a = nn.relu(nn.linear(nn.layer_norm(h, *layer["norm2"]), *layer["up"]))
        return h + nn.linear(a, *layer["down"])

    def loss(params: Any, x: Any, y: Any) -> Any:
        h = params["tokens"][x] + params["positions"]
        for layer in params["layers"]:
            h = block(layer, h)
        return nn.cross_entropy(nn.linear(nn.layer_norm(h, *params["norm"]), *params["head"]), y)

    def weight(*shape: int) -> Any:
        return graphc.spec(shape)

    def linear(inputs: int, outputs: int) -> Any:
        return weight(inputs, outputs), weight(outputs)

    norm = (weight(width), weight(width))
    layer = {
        "norm1": norm,
        "qkv": [weight(width, width) for _ in range(3)],
        "out": linear(width, width),
        "norm2": norm,
        "up": linear(width, 4 * width),
        "down": linear(4 * width, width),
    }
    params = {
        "tokens": weight(vocabulary, width),
        "positions": weight(length, width),
        "layers": [layer] * layers,
        "norm": norm,
        "head": linear(width, vocabulary),
    }
    optimizer = optim.adamw(3e-4)
    state = abstract(optimizer.init(tree.map(lambda s: np.zeros(s.shape, np.float32), params)))

    def step(params: Any, state: Any, x: Any, y: Any) -> tuple[Any, Any, Any]:
        value, grads = graphc.value_and_grad(loss)(params, x, y)
        params, state = optimizer.update(grads, state, params)
        return params, state, value

    ids = graphc.spec((batch, length), "int32")
    return step, (params, state, ids, ids)
