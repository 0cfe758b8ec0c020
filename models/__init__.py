"""Models written on graphc's public API, by the names that the command line knows them by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from graphc.models import bigram, microgpt, mlp
from graphc.models.settings import Defaults


class Model(Protocol):
    """What each model's module offers; the module's own docstrings give the shapes."""

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
    def batches(self) -> Callable[..., Callable[[int], tuple[Any, Any]]]:
        """(corpus, config, batch_size, seed) -> step -> (x, y)."""

    @property
    def sample(self) -> Callable[..., list[list[int]]]:
        """(params, key, config, *, count, prompt, temperature, top_k, device) -> lists of tokens."""


MODELS: Final[dict[str, Model]] = {"bigram": bigram, "mlp": mlp, "microgpt": microgpt}
