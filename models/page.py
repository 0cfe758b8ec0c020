"""A trained model as a page: the functions that the browser runs, and what the page needs to know.

The page draws batches, tokens and keys as Python does, so that training and sampling give the same numbers there.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

import graphc
import graphc.optim
import graphc.random
import graphc.web
from graphc.models import MODELS, Model
from graphc.models.data import Vocabulary
from graphc.models.sampling import FREE, draw_any
from graphc.models.train import RunConfig, training_step

Array = Any

ROWS: Final = 64
"""Documents that the page draws at once; it shows as many of them as are asked for."""

TEXTS: Final = 4
"""The same for texts without end, which take a call a token."""

ALL: Final = 256
"""Examples of a batch in the page, where the run took all of its data in each step."""


@dataclass(frozen=True, eq=False)
class Trained:
    """A model out of a run: its parameters and the state of its optimizer after `step` steps.

    text: what stands in the field of the text to train on, before anybody pastes another one.
    """

    run: RunConfig
    params: Any
    state: Any
    config: Any
    vocabulary: Vocabulary
    step: int
    text: str = ""

    @property
    def model(self) -> Model:
        """The model's module."""
        return MODELS[self.run.model]

    @property
    def prose(self) -> bool:
        """Whether the model writes texts without end, rather than documents."""
        return hasattr(self.model, "training_loss") and not hasattr(self.config, "window")

    @property
    def batch_size(self) -> int:
        """Examples of a step in the page."""
        return self.run.batch_size or ALL


def write(trained: Trained, directory: Path) -> None:
    """Write the page of a model into a folder, ready for any static server. Raises ProgramError."""
    about = describe(trained)
    functions = {"step": step_function(trained), "sample": sample_function(trained)}
    params = {"params": trained.params, "state": trained.state}
    graphc.web.export(functions, directory, params, about=about, software=("step",))
    graphc.web.write_page(directory, f"{trained.run.model}: graphc", functions["step"])


def describe(trained: Trained) -> dict[str, Any]:
    """What the page needs to know of the model, beside its functions."""
    window = getattr(trained.config, "window", 1)
    kind = "prose" if trained.prose else "documents" if trained.run.model == "microgpt" else "windows"
    return {
        "model": trained.run.model,
        "characters": trained.vocabulary.characters,
        "step": trained.step,
        "config": asdict(trained.config),
        "batches": {
            "kind": kind,
            "size": trained.batch_size,
            "seed": trained.run.seed,
            "width": trained.config.context if kind != "windows" else window,
            "held_out": bool(getattr(trained.config, "held_out", kind == "windows")),
        },
        "sampling": {
            "prose": trained.prose,
            "rows": TEXTS if trained.prose else ROWS,
            "context": trained.config.context,
            "count": trained.model.DEFAULTS.samples,
        },
        "rate": trained.run.rate,
        "text": trained.text,
    }


def step_function(trained: Trained) -> graphc.Executable:
    """(params, state, x, y, rate) -> (params, state, loss): a training step at a rate that the page chooses."""

    def step(params: Any, state: Any, x: Array, y: Array, rate: Array) -> Any:
        optimizer = trained.run.make_optimizer(lambda number: rate)
        return training_step(trained.model, trained.config, optimizer, trained.run.seed)(params, state, x, y)

    width = describe(trained)["batches"]["width"]
    rows = (trained.batch_size, width)
    x = graphc.spec(rows, "int32")
    y = graphc.spec(rows[:1] if hasattr(trained.config, "window") or trained.run.model == "bigram" else rows, "int32")
    return graphc.compile(step, donate=("params", "state")).lower(
        trained.params, trained.state, x, y, graphc.spec((), "float32")
    )


def sample_function(trained: Trained) -> graphc.Executable:
    """What draws: a whole batch of documents, or the next token of texts."""
    return _sample_text(trained) if trained.prose else _sample_documents(trained)


def _sample_documents(trained: Trained) -> graphc.Executable:
    """(params, given [T], key, temperature, top_k) -> tokens [T, ROWS]; see graphc.models.sampling.generate."""
    model, config = trained.model, trained.config

    def sample(params: Any, given: Array, key: Array, temperature: Array, top_k: Array) -> Array:
        def one(carry: Any, x: Any) -> Any:
            tokens, cache = carry
            position, fixed = x
            logits, cache = model.decode(params, tokens, position, cache, config)
            drawn = draw_any(graphc.random.fold_in(key, position), logits, temperature, top_k)
            tokens = np.where(fixed == FREE, drawn, fixed)
            return (tokens, cache), tokens

        first = np.full(ROWS, config.vocab_size - 1, dtype=np.int32)
        numbers = np.arange(config.context, dtype=np.int32)
        return graphc.scan(one, (first, model.empty_cache(ROWS, config)), (numbers, given))[1]

    given = graphc.spec((config.context,), "int32")
    return graphc.compile(sample).lower(trained.params, given, *_drawing())


def _sample_text(trained: Trained) -> graphc.Executable:
    """(params, cache, tokens [TEXTS], position, place, key, temperature, top_k) -> (cache, next tokens).

    See graphc.models.prose.write; place: that of the token in the text.
    """
    model, config = trained.model, trained.config

    def sample(
        params: Any,
        cache: Any,
        tokens: Array,
        position: Array,
        place: Array,
        key: Array,
        temperature: Array,
        top_k: Array,
    ) -> Any:
        logits, cache = model.decode(params, tokens, position, cache, config)
        here = graphc.random.fold_in(graphc.random.fold_in(key, place), position)
        return cache, draw_any(here, logits, temperature, top_k)

    number = graphc.spec((), "int32")
    cache = model.empty_cache(TEXTS, config)
    compiled = graphc.compile(sample, donate=("cache",))
    return compiled.lower(trained.params, cache, graphc.spec((TEXTS,), "int32"), number, number, *_drawing())


def _drawing() -> tuple[Any, Any, Any]:
    """Specs of key, temperature and top_k."""
    return graphc.spec((2,), "uint32"), graphc.spec((), "float32"), graphc.spec((), "int32")
