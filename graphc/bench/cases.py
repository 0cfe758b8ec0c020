"""The benchmarks by name: programs, their arguments, and the figures that they are held to.

Goals hold for lavapipe on two cores; on other adapters they say what a processor reaches.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np

import graphc
from graphc import nn, optim
from graphc.bench.peers import PeerProgram
from graphc.bench.programs import PROGRAMS, Example
from graphc.ir.types import NDArray
from graphc.models import gpt, microgpt
from graphc.models.train import training_step

Group = Literal["kernels", "models", "programs", "own"]


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure to reach. metric: a key of CaseResult.metrics. at_least: whether more is better."""

    metric: str
    limit: float
    at_least: bool = True

    def met(self, value: float) -> bool:
        """Whether `value` reaches it."""
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        return f"{self.metric} {'>=' if self.at_least else '<='} {self.limit:g}"


@dataclass(frozen=True, slots=True)
class Workload:
    """A program with its arguments.

    eager: the same in NumPy, called on the arrays as they are; None: NumPy runs the compiled program, on the device
    "numpy". carried: how many of the first arguments are donated and replaced by the first results from call to call.
    without: names of the passes that the unfused program leaves out beside `textures`; () stands for all of them.
    steps: training steps in one call; figures are given for one step. items: what one call gets done, for the rate.
    peer: the same for PyTorch and tinygrad, whose last result begins with the same number after its first step.
    """

    fn: Callable[..., Any]
    arguments: tuple[Any, ...]
    eager: Callable[..., Any] | None = None
    carried: int = 0
    without: tuple[str, ...] = ()
    steps: int = 1
    items: int = 1
    peer: PeerProgram | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A benchmark. make(small) gives the workload, with tiny sizes where `small`."""

    name: str
    group: Group
    what: str
    make: Callable[[bool], Workload]
    goals: Sequence[Goal] = ()


def normal(*shape: int) -> NDArray:
    return np.random.default_rng(math.prod(shape)).standard_normal(shape, np.float32)


def _matmul(m: int, k: int, n: int) -> Callable[[bool], Workload]:
    def make(small: bool) -> Workload:
        a, b = (normal(16, 32), normal(32, 64)) if small else (normal(m, k), normal(k, n))
        return Workload(np.matmul, (a, b), np.matmul, peer=PeerProgram({"kind": "matmul"}, {"a": a, "b": b}))

    return make


def _softmax(small: bool) -> Workload:
    size = 16 if small else 256
    mask = nn.causal_mask(size)

    def masked_softmax(x: Any) -> Any:
        return nn.softmax(np.where(mask, x * np.float32(0.125), np.float32(-1e30)))

    return Workload(masked_softmax, (normal(2, 2, size, size) if small else normal(8, 6, size, size),), masked_softmax)


def _layer_norm(small: bool) -> Workload:
    rows, width = (8, 32) if small else (4096, 384)
    return Workload(nn.layer_norm, (normal(rows, width), normal(width), normal(width)), nn.layer_norm)


def _cross_entropy(small: bool) -> Workload:
    rows, width = (8, 32) if small else (4096, 256)
    labels = (np.arange(rows, dtype=np.int32) * 7) % width
    return Workload(graphc.value_and_grad(nn.cross_entropy), (normal(rows, width), labels))


def attend(q: Any, k: Any, v: Any) -> Any:
    return nn.attention(q, k, v, causal=True)


def _heads(small: bool) -> tuple[NDArray, ...]:
    shape = (1, 2, 16, 8) if small else (16, 6, 256, 64)
    return tuple(normal(*shape) * np.float32(0.5) for _ in range(3))


def _attention(small: bool) -> Workload:
    return Workload(attend, _heads(small), attend, without=("attention",))


def _attention_gradient(small: bool) -> Workload:
    def weighed(q: Any, k: Any, v: Any, t: Any) -> Any:
        return np.sum(attend(q, k, v) * t)

    heads = _heads(small)
    gradient = graphc.value_and_grad(weighed, argnums=(0, 1, 2))
    return Workload(gradient, (*heads, heads[0]), without=("attention",))


def _linear_gelu(small: bool) -> Workload:
    def layer(x: Any, w: Any, b: Any) -> Any:
        return nn.gelu(nn.linear(x, w, b))

    m, n, k = (16, 32, 16) if small else (4096, 1536, 384)
    return Workload(layer, (normal(m, k), normal(k, n) * np.float32(0.05), normal(n)), layer)


def _top_k(small: bool) -> Workload:
    rows, length, k = (4, 100, 3) if small else (64, 1000, 10)

    def greatest(x: Any) -> Any:
        return graphc.top_k(x, k)[0]

    def partitioned(x: NDArray) -> NDArray:
        return np.sort(np.partition(x, length - k, axis=-1)[:, -k:])[:, ::-1]

    return Workload(greatest, (normal(rows, length),), partitioned)


@dataclass(frozen=True, slots=True)
class Adam:
    """The numbers of an optimizer. decay_steps: after so many steps the rate has fallen to 0; 0: it stays."""

    rate: float
    beta1: float = 0.9
    beta2: float = 0.999
    adam_eps: float = 1e-8
    weight_decay: float = 0.0
    decay_steps: int = 0

    def make(self) -> optim.Optimizer:
        rate = optim.linear(self.rate, 0.0, self.decay_steps) if self.decay_steps else self.rate
        return optim.adamw(rate, self.beta1, self.beta2, self.adam_eps, self.weight_decay)


def training(model: Any, config: Any, batch: int, adam: Adam, tokens: bool = True, steps: int = 1) -> Workload:
    """Training steps on random tokens, several of them in a call where `steps` says so, as the training loop does."""
    params = model.init(graphc.random.key(0), config)
    numbers = np.random.default_rng(0).integers(0, config.vocab_size, (steps, batch, config.context + 1))
    x = np.ascontiguousarray(numbers[..., :-1], np.int32)
    y = np.ascontiguousarray(numbers[..., 1:], np.int32)
    optimizer = adam.make()
    step = training_step(model, config, optimizer)
    items = steps * (batch * config.context if tokens else batch)
    state = optimizer.init(params)
    what = {"kind": "training", "model": model.__name__.rpartition(".")[2], "config": asdict(config), **asdict(adam)}
    peer = PeerProgram(what, {**_named(params, "params"), "x": x, "y": y})
    if steps == 1:
        return Workload(step, (params, state, x[0], y[0]), carried=2, items=items, peer=peer)

    def several(params: Any, state: Any, x: Any, y: Any) -> tuple[Any, Any, Any]:
        def one(carry: tuple[Any, Any], batch: tuple[Any, Any]) -> tuple[tuple[Any, Any], Any]:
            params, state, loss = step(*carry, *batch)
            return (params, state), loss

        (params, state), losses = graphc.scan(one, (params, state), (x, y))
        return params, state, losses

    return Workload(several, (params, state, x, y), carried=2, steps=steps, items=items, peer=peer)


def _named(tree: Any, *above: str) -> dict[str, NDArray]:
    """The leaves of a tree by their paths below some names: those of parameters as "params/blocks/0/wq"."""
    leaves, structure = graphc.tree.flatten(tree)
    paths = graphc.tree.paths(structure)
    return {"/".join((*above, *map(str, path))): np.asarray(leaf) for path, leaf in zip(paths, leaves, strict=True)}


def _program(program: Example) -> Callable[[bool], Workload]:
    def make(small: bool) -> Workload:
        arguments = program.make(small)
        what = {"kind": "program", "name": program.name}
        peer = PeerProgram(what, _named(arguments), ("torch",)) if program.torch else None
        return Workload(program.run, arguments, program.run_numpy, peer=peer)

    return make


def _gpt(small: bool) -> Workload:
    config = gpt.Config(vocab_size=65, dropout=0.0)
    if small:
        config = gpt.Config(vocab_size=8, context=8, width=16, heads=2, layers=1, dropout=0.0)
    return training(gpt, config, 4, Adam(3e-4, weight_decay=0.01))


def _transformer(small: bool) -> Workload:
    config = gpt.Config(vocab_size=65, context=32, width=64, heads=4, layers=2, dropout=0.0)
    if small:
        config = gpt.Config(vocab_size=8, context=8, width=16, heads=2, layers=1, dropout=0.0)
    return training(gpt, config, 8, Adam(1e-3, weight_decay=0.01))


def microgpt_training(batch: int) -> Callable[[bool], Workload]:
    def make(small: bool) -> Workload:
        config = microgpt.Config(context=4, width=8, heads=2) if small else microgpt.Config()
        adam = Adam(0.01, 0.85, 0.99, decay_steps=1000)
        return training(microgpt, config, batch, adam, tokens=batch > 1, steps=4 if small else 32)

    return make


MATMUL_GOALS: Final = (Goal("times_numpy", 0.28), Goal("unfused_times_numpy", 0.18), Goal("times_tinygrad", 9))
"""With operands from textures, with operands from buffers, and against the peer that runs on WebGPU too."""

AHEAD: Final = Goal("times_tinygrad", 1.0)
"""No slower than the peer on the same adapter."""

CASES: Final[tuple[Case, ...]] = (
    Case("matmul-1024", "kernels", "matmul 1024x1024x1024", _matmul(1024, 1024, 1024), MATMUL_GOALS),
    Case("matmul-4096", "kernels", "4096x384 @ 384x1536", _matmul(4096, 384, 1536), MATMUL_GOALS),
    Case("softmax", "kernels", "scale, mask, softmax (8,6,256,256)", _softmax, (Goal("times_unfused", 2.3),)),
    Case("layer-norm", "kernels", "layer norm 4096x384", _layer_norm, (Goal("times_unfused", 1.9),)),
    Case(
        "cross-entropy",
        "kernels",
        "cross-entropy forward and backward 4096x256",
        _cross_entropy,
        (Goal("times_unfused", 2.2),),
    ),
    Case(
        "attention",
        "kernels",
        "causal attention (16,6,256,64), one kernel against matmul, softmax, matmul",
        _attention,
        (Goal("times_unfused", 2.4), Goal("times_numpy", 1.0)),
    ),
    Case(
        "attention-gradient",
        "kernels",
        "the same forward and backward",
        _attention_gradient,
        (Goal("times_unfused", 2.0),),
    ),
    Case(
        "linear-gelu",
        "kernels",
        "matmul, bias, gelu 4096x384 @ 384x1536",
        _linear_gelu,
        (Goal("times_unfused", 1.15),),
    ),
    Case("top-k", "kernels", "the 10 greatest of rows, 64x1000", _top_k, (Goal("times_numpy", 0.33),)),
    Case(
        "gpt",
        "models",
        "GPT training step, 384 wide, 6 heads, 6 layers, context 256, batch 4",
        _gpt,
        (
            Goal("times_unfused", 1.7),
            Goal("milliseconds", 1500, at_least=False),
            Goal("dispatches", 170, at_least=False),
            Goal("bytes_of_unfused", 0.5, at_least=False),
            Goal("encode_us", 2.0, at_least=False),
            Goal("compile_s", 3.0, at_least=False),
            Goal("passes_s", 0.3, at_least=False),
            Goal("of_torch", 3.5, at_least=False),
            Goal("numpy_of_torch", 1.6, at_least=False),
            Goal("times_tinygrad", 10),
        ),
    ),
    Case(
        "transformer",
        "models",
        "transformer training step, 64 wide, 4 heads, 2 layers, context 32, batch 8",
        _transformer,
        (Goal("milliseconds", 20, at_least=False), AHEAD),
    ),
    Case(
        "microgpt",
        "models",
        "microGPT training, one name a step",
        microgpt_training(1),
        (Goal("dispatches", 30, at_least=False), Goal("per_second", 500), AHEAD),
    ),
    Case(
        "microgpt-64",
        "models",
        "microGPT training, 64 names a step",
        microgpt_training(64),
        (Goal("per_second", 100_000), AHEAD),
    ),
    *(Case(program.name, "programs", program.what, _program(program)) for program in PROGRAMS),
)

USUAL: Final = ("kernels", "models")
"""The groups that run where none is named."""
