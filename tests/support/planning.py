"""Training steps to be planned on abstract arguments, so that nothing is computed; and what plans may ask for."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import graphc
from graphc import nn, optim, tree
from graphc.models import MODELS, data
from graphc.models.train import training_step
from graphc.plan.plan import Dispatch, Plan

BYTES = {"f32": 4, "i32": 4, "u32": 4, "f16": 2, "bool": 4, "vec2": 2, "vec3": 4, "vec4": 4}
"""Bytes of types in workgroup memory; of vectors, how many elements they are laid out as."""


def over_baseline(plan: Plan) -> list[str]:
    """What a plan asks for beyond WebGPU's default limits and 16,384 turns of an invocation, in words."""
    return [
        f"{plan.kernels[d.kernel].name}: {count} {what}, at most {limit} are allowed"
        for d in plan.dispatches
        for what, count, limit in _asked(plan, d)
        if count > limit
    ]


def _asked(plan: Plan, dispatch: Dispatch) -> Iterator[tuple[str, int, int]]:
    kernel = plan.kernels[dispatch.kernel]
    stored = [b for b in dispatch.bindings if b.access in ("read", "read_write")]
    yield "storage buffers", len(stored), 8
    yield "uniform buffers", sum(b.access == "uniform" for b in dispatch.bindings), 12
    yield "bytes bound", max((b.nbytes for b in stored), default=0), 128 << 20
    (size,) = re.findall(r"@workgroup_size\((\d+)\)", kernel.wgsl)
    yield "invocations", int(size), 256
    shared = re.findall(r"var<workgroup>\s*\w+\s*:\s*array<(.+), (\d+)u?>;", kernel.wgsl)
    assert len(shared) == kernel.wgsl.count("var<workgroup>")
    yield "bytes of workgroup memory", sum(shared_bytes(kind) * int(count) for kind, count in shared), 16384
    yield "workgroups", max(dispatch.workgroups), 65535
    yield "turns", kernel.turns, 16384


def shared_bytes(kind: str) -> int:
    """Bytes of an element of workgroup memory: a scalar, a vector, or an array of them."""
    return math.prod(BYTES[word] if word in BYTES else int(word) for word in re.findall(r"[a-z]+\d+|bool|\d+", kind))


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
