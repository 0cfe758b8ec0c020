"""A network on graphs: messages along edges, added up at nodes, then a mean over each graph."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

import graphc
from graphc import nn, optim
from graphc.bench.programs.record import Example, learns, normal, train, weights

CLASSES: Final = 2
ROUNDS: Final = 2


def logits(p: Any, g: Any, graphs: int) -> Any:
    """Nodes [V, D], edges as ends [E] each, the graph of each node [V] -> [graphs, 2]."""
    h = np.tanh(g["nodes"] @ p["start"])
    for _ in range(ROUNDS):
        message = nn.relu(np.concatenate([h[g["from"]], h[g["to"]]], axis=1) @ p["message"] + p["bias"])
        total = graphc.segment_sum(message, g["to"], len(h))
        h = nn.layer_norm(h + np.tanh(np.concatenate([h, total], axis=1) @ p["update"]))
    return graphc.segment_mean(h, g["graph"], graphs) @ p["head"]


def mean_loss(p: Any, g: Any, y: Any) -> Any:
    """Cross-entropy of the graphs' classes y."""
    return nn.cross_entropy(logits(p, g, len(y)), y)


def run(p: Any, g: Any, y: Any) -> tuple[Any, Any]:
    """A step of Adam on each batch of graphs."""
    return train(mean_loss, optim.adam(1e-2), p, (g, y))


def loss(p: Any, g: Any, y: Any) -> Any:
    """Of the first batch."""
    return mean_loss(p, graphc.tree.map(lambda x: x[0], g), y[0])


def loss_numpy(p: Any, g: Any, y: Any) -> Any:
    """The same with np.add.at."""
    g, y = {name: x[0] for name, x in g.items()}, y[0]
    h = np.tanh(g["nodes"] @ p["start"])
    for _ in range(ROUNDS):
        message = np.maximum(np.concatenate([h[g["from"]], h[g["to"]]], axis=1) @ p["message"] + p["bias"], 0)
        total = np.zeros_like(h)
        np.add.at(total, g["to"], message)
        h = h + np.tanh(np.concatenate([h, total], axis=1) @ p["update"])
        h = (h - h.mean(1, keepdims=True)) / np.sqrt(h.var(1, keepdims=True) + 1e-5)
    mean = np.stack([h[g["graph"] == k].mean(0) for k in range(len(y))])
    z = mean @ p["head"]
    return np.mean(np.log(np.sum(np.exp(z), axis=1)) - z[np.arange(len(y)), y])


def make(small: bool) -> tuple[Any, ...]:
    """Rings, whose class is a property of the sum of their nodes."""
    steps, graphs, size, features, width = (3, 4, 5, 3, 6) if small else (4, 64, 16, 8, 64)
    rng = np.random.default_rng(16)
    count = graphs * size
    ring = np.arange(count)
    after = ring // size * size + (ring + 1) % size
    nodes = normal(rng, steps, count, features)
    y = (nodes[..., 0].reshape(steps, graphs, size).sum(-1) > 0).astype(np.int32)
    ends = {"from": np.concatenate([ring, after]), "to": np.concatenate([after, ring]), "graph": ring // size}
    g = {name: np.tile(x.astype(np.int32), (steps, 1)) for name, x in ends.items()}
    shapes = {
        "start": (features, width), "message": (2 * width, width), "bias": (width,), "update": (2 * width, width),
        "head": (width, CLASSES),
    }  # fmt: skip
    return weights(rng, shapes), {"nodes": nodes, **g}, y


PROGRAM: Final = Example(
    "graph-network",
    "messages by graphc.segment_sum: steps of Adam",
    make,
    run,
    loss,
    learns(loss_numpy),
    loss_numpy=loss_numpy,
)
