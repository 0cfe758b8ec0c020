"""The perceptron with batch normalisation after each hidden layer, shallow or deep, and its backward pass by hand.

Source: Ioffe and Szegedy, arXiv:1502.03167; Karpathy's makemore. `loss` lets graphc derive the gradient; `loss_by_hand`
is the same function with a gradient written out line by line. Parameters:

    embedding   [vocab_size, features]
    layers      a list of `depth` times
        w               [window * features, hidden] in the first, [hidden, hidden] in the others; a bias would vanish
        gain, bias      [hidden], after normalisation
    w_out       [hidden, vocab_size]
    b_out       [vocab_size]
    statistics  a list of `depth` times {mean, var: [hidden]}, running over batches: used by evaluation and sampling,
                replaced by training, without a gradient

With `normalise_output` the logits are normalised too: `out` {gain, bias: [vocab_size]} takes the place of b_out, and
statistics has one entry more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np

import graphc
import graphc.nn
import graphc.random
from graphc.models import windows
from graphc.models.data import Corpus, Vocabulary
from graphc.models.sampling import generate
from graphc.models.settings import Defaults, make_config, require, require_between
from graphc.models.windows import SPLIT_SEED, WindowBatches, split

Array = Any
Params = dict[str, Any]

DEFAULTS: Final = Defaults(steps=10_000, batch_size=32, optimizer="sgd", rate=1.0, decay="step", evaluate_every=1000)


@dataclass(frozen=True)
class Config:
    """Sizes. vocab_size: characters and the end token. window: characters seen. context: longest sample.

    depth: hidden layers. normalise_output: normalise the logits as well. momentum: weight of a batch in the running
    statistics. last: factor of the last layer at the start, so that the first predictions are near uniform.
    """

    vocab_size: int = 27
    window: int = 3
    features: int = 10
    hidden: int = 200
    depth: int = 1
    normalise_output: bool = False
    eps: float = 1e-5
    momentum: float = 0.01
    last: float = 0.1
    context: int = 32

    def __post_init__(self) -> None:
        require(self, "vocab_size", "window", "features", "hidden", "depth", "context")
        require_between(self, 0, math.inf, "eps", "last")
        require_between(self, 0, 1, "momentum", closed_high=True)


def configure(corpus: Corpus, **settings: Any) -> tuple[Config, Vocabulary]:
    """The config and vocabulary for a corpus of documents."""
    vocabulary = Vocabulary.of(corpus.documents)
    return make_config(Config, len(vocabulary), settings), vocabulary


def init(key: Array, config: Config) -> Params:
    """Weights that keep the variance through tanh (gain 5/3), gains 1, biases 0, statistics of N(0, 1)."""
    keys = graphc.random.split(key, config.depth + 2)
    normal = graphc.random.normal
    sizes = [config.window * config.features] + [config.hidden] * config.depth
    w_out = normal(keys[-1], (config.hidden, config.vocab_size), std=config.hidden**-0.5)
    params: Params = {
        "embedding": normal(keys[0], (config.vocab_size, config.features)),
        "layers": [
            {"w": normal(keys[i + 1], (wide, out), std=5 / 3 / wide**0.5), **_affine(out, 1.0)}
            for i, (wide, out) in enumerate(pairwise(sizes))
        ],
    }
    outputs = [config.hidden] * config.depth
    if config.normalise_output:
        params |= {"w_out": w_out, "out": _affine(config.vocab_size, config.last)}
        outputs.append(config.vocab_size)
    else:
        params |= {"w_out": w_out * np.float32(config.last), "b_out": np.zeros(config.vocab_size, np.float32)}
    params["statistics"] = [{"mean": np.zeros(n, np.float32), "var": np.ones(n, np.float32)} for n in outputs]
    return params


def _affine(size: int, gain: float) -> Params:
    return {"gain": np.full(size, gain, np.float32), "bias": np.zeros(size, np.float32)}


def apply(params: Params, x: Array, config: Config) -> Array:
    """Logits for the next token with the running statistics. x: i32 [..., window] -> [..., vocab_size]."""
    statistics = iter(params["statistics"])

    def normalise(z: Array) -> Array:
        running = next(statistics)
        return (z - running["mean"]) / np.sqrt(running["var"] + config.eps)

    return _network(params, x, config, normalise)


def loss(params: Params, x: Array, y: Array, config: Config) -> Array:
    """Mean cross-entropy, in nats, of the tokens y [B] that follow the windows x [B, window], as in training.

    The batch's own mean and population variance normalise; the running statistics have no part in it.
    """
    return _observed(params, x, y, config)[0]


def training_loss(params: Params, key: Array, x: Array, y: Array, config: Config) -> tuple[Array, Params]:
    """The loss, and {"statistics": ...} that have moved by `momentum` towards those of the batch."""
    value, seen = _observed(params, x, y, config)

    def moved(old: Array, new: Array) -> Array:
        return (1 - config.momentum) * old + config.momentum * graphc.stop_gradient(new)

    running = [
        {"mean": moved(old["mean"], mean), "var": moved(old["var"], var)}
        for old, (mean, var) in zip(params["statistics"], seen, strict=True)
    ]
    return value, {"statistics": running}


def evaluation_loss(params: Params, x: Array, y: Array, config: Config) -> Array:
    """Mean cross-entropy with the running statistics: what a sample is drawn with."""
    return graphc.nn.cross_entropy(apply(params, x, config), y)


def _observed(params: Params, x: Array, y: Array, config: Config) -> tuple[Array, list[tuple[Array, Array]]]:
    """The loss of training, and the mean and variance of the batch at each normalisation."""
    seen: list[tuple[Array, Array]] = []

    def normalise(z: Array) -> Array:
        mean = np.mean(z, axis=0)
        centred = z - mean
        var = np.mean(centred * centred, axis=0)
        seen.append((mean, var))
        return centred / np.sqrt(var + config.eps)

    return graphc.nn.cross_entropy(_network(params, x, config, normalise), y), seen


def _network(params: Params, x: Array, config: Config, normalise: Any) -> Array:
    """The logits, with one way or the other to normalise."""
    h = graphc.nn.embedding(params["embedding"], x)
    h = np.reshape(h, (*x.shape[:-1], config.window * config.features))
    for number, layer in enumerate(params["layers"]):
        h = np.tanh(normalise(h @ layer["w"]) * layer["gain"] + layer["bias"])
        h = graphc.tap(f"tanh{number}", h)
    if config.normalise_output:
        return normalise(h @ params["w_out"]) * params["out"]["gain"] + params["out"]["bias"]
    return graphc.nn.linear(h, params["w_out"], params["b_out"])


def loss_by_hand(params: Params, x: Array, y: Array, config: Config) -> Array:
    """`loss`, with the gradient that people derive on paper in the place of the one that graphc derives."""

    def value(params: Params, x: Array, y: Array) -> Array:
        return loss(params, x, y, config)

    def forward(params: Params, x: Array, y: Array) -> tuple[Array, Any]:
        return _forward_by_hand(params, x, y, config)

    def backward(kept: Any, g: Array) -> tuple[Params, None, None]:
        return _backward_by_hand(kept, g, config), None, None

    by_hand: Array = graphc.custom_vjp(value, forward, backward)(params, x, y)
    return by_hand


def _forward_by_hand(params: Params, x: Array, y: Array, config: Config) -> tuple[Array, Any]:
    """The loss, and what the backward pass needs: for each normalisation its input's rows, the normalised values and
    1 / sqrt(var + eps); for each tanh its result; the probabilities."""
    inputs = [np.reshape(graphc.nn.embedding(params["embedding"], x), (len(y), config.window * config.features))]
    kept = []
    for layer in params["layers"]:
        normal, scale = _normalise_by_hand(inputs[-1] @ layer["w"], config.eps)
        kept.append((normal, scale))
        inputs.append(np.tanh(normal * layer["gain"] + layer["bias"]))
    z = inputs[-1] @ params["w_out"]
    if config.normalise_output:
        normal, scale = _normalise_by_hand(z, config.eps)
        kept.append((normal, scale))
        logits = normal * params["out"]["gain"] + params["out"]["bias"]
    else:
        logits = z + params["b_out"]
    logp = graphc.nn.log_softmax(logits)
    chosen = graphc.nn.one_hot(y, config.vocab_size, logits.dtype)
    return -np.sum(logp * chosen) / len(y), (params, x, inputs, kept, np.exp(logp), chosen)


def _normalise_by_hand(z: Array, eps: float) -> tuple[Array, Array]:
    centred = z - np.mean(z, axis=0)
    scale = 1 / np.sqrt(np.mean(centred * centred, axis=0) + eps)
    return centred * scale, scale


def _backward_by_hand(kept: Any, g: Array, config: Config) -> Params:
    """The gradient of the loss, times g, for each parameter, from the last line of the forward pass to the first.

    Through softmax and cross-entropy: dlogits = (p - one_hot(y)) / B. Through x @ w: dx = dz @ w^T, dw = x^T @ dz.
    Through tanh: dz = (1 - h^2) dh. Through a normalisation n = (z - mean) / sqrt(var + eps), whose mean and variance
    depend on every row: dz = (dn - mean(dn) - n mean(dn n)) / sqrt(var + eps).
    """
    params, x, inputs, normalised, p, chosen = kept
    normalised = list(normalised)
    rows = x.shape[0]
    grads: Params = {"statistics": graphc.tree.map(np.zeros_like, params["statistics"])}
    dz = (p - chosen) * (g / rows)
    if config.normalise_output:
        dz, grads["out"] = _through_normalisation(dz, normalised.pop(), params["out"]["gain"])
    else:
        grads["b_out"] = np.sum(dz, axis=0)
    grads["w_out"] = inputs[-1].T @ dz
    dh = dz @ params["w_out"].T
    layers: list[Params] = []
    for layer, before, after, step in reversed(
        list(zip(params["layers"], inputs[:-1], inputs[1:], normalised, strict=True))
    ):
        dz, affine = _through_normalisation(dh * (1 - after * after), step, layer["gain"])
        layers.insert(0, {"w": before.T @ dz, **affine})
        dh = dz @ layer["w"].T
    grads["layers"] = layers
    # Each token's row gets the sum over all places where it stood.
    stood = graphc.nn.one_hot(np.reshape(x, (-1,)), config.vocab_size, dh.dtype)
    grads["embedding"] = stood.T @ np.reshape(dh, (rows * config.window, config.features))
    return grads


def _through_normalisation(dy: Array, step: tuple[Array, Array], gain: Array) -> tuple[Array, Params]:
    """For y = normal * gain + bias: the gradient of what was normalised, and those of gain and bias."""
    normal, scale = step
    dn = dy * gain
    dz = (dn - np.mean(dn, axis=0) - normal * np.mean(dn * normal, axis=0)) * scale
    return dz, {"gain": np.sum(dy * normal, axis=0), "bias": np.sum(dy, axis=0)}


def batches(corpus: Corpus, config: Config, batch_size: int, seed: int) -> WindowBatches:
    """The training batches: step -> (x, y), i32 [batch_size, window] and [batch_size], of train; 0 takes all."""
    documents = split(corpus.documents, SPLIT_SEED)["train"] or corpus.documents
    return WindowBatches(documents, Vocabulary.of(corpus.documents), config.window, batch_size, seed)


def evaluation(corpus: Corpus, config: Config, batch_size: int, seed: int) -> dict[str, list[tuple[Array, Array]]]:
    """All examples of the dev names in one batch, and as many of the train names."""
    return windows.evaluation(corpus.documents, Vocabulary.of(corpus.documents), config.window, SPLIT_SEED)


decode: Final = windows.decoder(apply)


def empty_cache(count: int, config: Config) -> Array:
    """What is kept of the past of `count` documents: the window before their first tokens."""
    return windows.before(count, config.window, config.vocab_size - 1)


def sample(
    params: Params,
    key: Array,
    config: Config,
    *,
    count: int = 20,
    prompt: tuple[int, ...] = (),
    temperature: float = 1.0,
    top_k: int | None = None,
    length: int | None = None,
    device: Any = None,
) -> list[list[int]]:
    """`count` documents as lists of tokens; see graphc.models.microgpt.sample."""
    return generate(
        decode,
        params,
        empty_cache(count, config),
        key,
        config,
        count=count,
        prompt=prompt,
        temperature=temperature,
        top_k=top_k,
        length=length,
        device=device,
    )
