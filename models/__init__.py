"""Models written on graphc's public API, by the names that the command line knows them by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from graphc.models import batchnorm_mlp, bigram, gpt, microgpt, mlp
from graphc.models.settings import Defaults
from graphc.models.steps import Batches


class Model(Protocol):
    """What each model's module offers; the module's own docstrings give the shapes.

    A module may offer more: training_loss(params, key, x, y, config) -> (loss, entries of params to replace), where the
    loss of training takes random numbers or observes statistics; evaluation_loss, like loss, for a model out of
    training; evaluation(corpus, config, batch_size, seed) -> {part: [(x, y), ...]}, the batches to measure the loss on;
    draw(params, config, vocabulary, directory), the model's own pictures.
    """

    @property
    def DEFAULTS(self) -> Defaults:
        """How the model is trained unless the user says otherwise."""

    @property
    def Config(self) -> type[Any]:
        """The frozen dataclass of the model's sizes."""

    @property
    def configure(self) -> Callable[..., tuple[Any, Any]]:
        """(corpus, **settings) -> (config, vocabulary)."""

    @property
    def init(self) -> Callable[..., Any]:
        """(key, config) -> params."""

    @property
    def apply(self) -> Callable[..., Any]:
        """(params, x, config) -> logits."""

    @property
    def loss(self) -> Callable[..., Any]:
        """(params, x, y, config) -> scalar."""

    @property
    def batches(self) -> Callable[..., Batches]:
        """(corpus, config, batch_size, seed) -> the batch of each step."""

    @property
    def empty_cache(self) -> Callable[..., Any]:
        """(count, config) -> what `decode` keeps of the past, before the first token."""

    @property
    def decode(self) -> Callable[..., tuple[Any, Any]]:
        """(params, tokens [count], position, cache, config) -> (logits [count, V], cache)."""

    @property
    def sample(self) -> Callable[..., list[list[int]]]:
        """(params, key, config, *, count, prompt, temperature, top_k, length, device) -> lists of tokens."""


MODELS: Final[dict[str, Model]] = {
    "bigram": bigram,
    "mlp": mlp,
    "batchnorm_mlp": batchnorm_mlp,
    "microgpt": microgpt,
    "gpt": gpt,
}
