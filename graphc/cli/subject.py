"""What `graphc graph`, `profile`, `bench` and `report` look at: a model, a run, or a function of one's own."""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import click
import numpy as np

import graphc
from graphc.cli.arguments import FORM, Example, parse
from graphc.cli.sample import Saved, load_run
from graphc.cli.settings import settings_of
from graphc.errors import DataError, GraphcError
from graphc.models import MODELS, data
from graphc.models.rundir import RunDirectory
from graphc.models.settings import SettingError
from graphc.models.train import RunConfig, training_step
from graphc.tracing.source import raised_at

SUBJECT: Final = "MODEL|RUN|FILE.py:FUNCTION"
TRAINING: Final = "training"
_NAMED: Final = re.compile(r"([A-Za-z_]\w*)\s*=(.*)", re.DOTALL)
_SEED: Final = 0


@dataclass(frozen=True)
class Wanted:
    """The options that say what is looked at. what: None where it was not said. given: the texts of --arg."""

    what: str | None = None
    batch_size: int | None = None
    settings: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    grad: bool = False


@dataclass(frozen=True)
class Subject:
    """A function, example arguments (of which some may be Examples), and the names of those that it donates.

    saved: the run that it belongs to, which lies in `directory`. own: whether it is the user's, not a model's.
    """

    name: str
    fn: Callable[..., Any]
    arguments: tuple[Any, ...]
    donate: tuple[str, ...] = ()
    saved: Saved | None = None
    directory: Path | None = None
    own: bool = False

    def filled(self) -> tuple[Any, ...]:
        """The arguments with numbers."""
        rng = np.random.default_rng(_SEED)
        try:
            return tuple(
                graphc.tree.map(lambda leaf: leaf.filled(rng) if isinstance(leaf, Example) else leaf, argument)
                for argument in self.arguments
            )
        except (MemoryError, ValueError) as error:
            raise click.ClickException(f"{self.name}: its arguments cannot be made: {error}") from error

    def trace(self) -> graphc.Graph:
        """Its graph."""
        with self._explained():
            return graphc.trace(self.fn, *self.arguments)

    def lower(self, device: graphc.Device, target: str | None = None) -> graphc.Executable:
        """It as a program for a device."""
        with self._explained():
            return graphc.compile(self.fn, device=device, donate=self.donate, target=target).lower(*self.arguments)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """An error that the user's function raises ends the command with a sentence, as graphc's own do."""
        try:
            yield
        except (GraphcError, click.ClickException, OSError):
            raise
        except Exception as error:
            if not self.own:
                raise
            raise click.ClickException(f"{self.name} raised {type(error).__name__}: {error}{_at(error)}") from error


def _at(error: BaseException) -> str:
    lines = raised_at(error).lines
    return f", at {lines[0]}: {lines[0].text}" if lines else ""


def find(text: str, wanted: Wanted) -> Subject:
    """What a command's argument stands for. Raises UsageError where it is nothing, or options do not go with it."""
    path, _, function = text.rpartition(":")
    is_own = text.endswith(".py") or path.endswith(".py")
    if (wanted.given or wanted.grad) and not is_own:
        raise click.UsageError(f"--arg and --grad go with FILE.py:FUNCTION, not with {text}")
    if text in MODELS:
        made = program(text, wanted.what or TRAINING, wanted.batch_size, wanted.settings)
        return Subject(text, *made)
    if wanted.settings or wanted.batch_size:
        raise click.UsageError("--set and --batch-size are for models: a run has its own")
    if is_own:
        if wanted.what is not None:
            raise click.UsageError("--what goes with models and runs: --grad adds the gradient to a function")
        return _own(Path(text), "", wanted) if text.endswith(".py") else _own(Path(path), function, wanted)
    directory = Path(text)
    if not directory.is_dir():
        raise click.UsageError(
            f"{text}: neither a model ({', '.join(sorted(MODELS))}) nor the directory of a run, nor FILE.py:FUNCTION"
        )
    saved = load_run(directory)
    return Subject(text, *_of_run(directory, saved, wanted.what or TRAINING), saved, directory)


def program(
    model: str, what: str, batch_size: int | None, settings: tuple[str, ...]
) -> tuple[Callable[..., Any], tuple[Any, ...], tuple[str, ...]]:
    """The function of a model with example arguments, and the names of those it donates."""
    module = MODELS[model]
    defaults = module.DEFAULTS
    given = settings_of(model, settings)
    corpus = data.load()
    try:
        config, _ = module.configure(corpus, **given)
    except SettingError as error:
        raise click.UsageError(f"{model}: {error}") from error
    except (TypeError, ValueError) as error:
        raise DataError(f"{model}: {error}") from error
    size = batch_size or defaults.batch_size
    params = module.init(graphc.random.key(0), config)
    x, y = module.batches(corpus, config, size, 0)(0)
    if what == "forward":
        return _forward(module, config), (params, x), ()
    run = RunConfig(
        model,
        None,
        defaults.steps,
        size,
        defaults.optimizer,
        defaults.rate,
        defaults.decay,
        0,
        warmup=defaults.warmup,
        clip=defaults.clip,
    )
    optimizer = run.make_optimizer()
    step = training_step(module, config, optimizer)
    return step, (params, optimizer.init(params), x, y), ("params", "state")


def _forward(module: Any, config: Any) -> Callable[..., Any]:
    def forward(params: Any, x: Any) -> Any:
        return module.apply(params, x, config)

    return forward


def _of_run(path: Path, saved: Saved, what: str) -> tuple[Any, tuple[Any, ...], tuple[str, ...]]:
    """The function of a run, its arguments as its newest checkpoint has them, and those that it donates."""
    directory = RunDirectory(path)
    run = RunConfig.from_json(directory.read_config())
    model = MODELS[run.model]
    corpus = data.load(run.data)
    x, y = model.batches(corpus, saved.config, run.batch_size, run.seed)(saved.step)
    params, state, _ = directory.load_newest()
    if what == "forward":
        return _forward(model, saved.config), (params, x), ()
    step = training_step(model, saved.config, run.make_optimizer(), run.seed)
    return step, (params, state, x, y), ("params", "state")


def _own(path: Path, function: str, wanted: Wanted) -> Subject:
    """A function of a file, with arguments as --arg has them."""
    module = _loaded(path)
    listed = [name for name, value in vars(module).items() if _is_function(module, value)]
    there = f"it has {', '.join(listed)}" if listed else "it has none"
    if not function:
        raise click.UsageError(f"{path}: which function? {there}: write {path}:{listed[0] if listed else 'FUNCTION'}")
    found: Any = module
    for part in function.split("."):
        if not hasattr(found, part):
            raise click.UsageError(f"{path} has no function {function}: {there}")
        found = getattr(found, part)
    name = f"{path.name}:{function}"
    if not callable(found):
        raise click.UsageError(f"{name} is no function, but a {type(found).__name__}: {there}")
    fn, arguments = _bound(found, name, wanted.given)
    return Subject(name, graphc.value_and_grad(fn) if wanted.grad else fn, arguments, own=True)


def _is_function(module: ModuleType, value: Any) -> bool:
    return getattr(value, "__module__", None) == module.__name__ and callable(value) and not inspect.isclass(value)


def _loaded(path: Path) -> ModuleType:
    """The module of a file, which is run as an import would; raises UsageError or ClickException where it is not."""
    if not path.is_file():
        raise click.UsageError(f"{path}: {'a folder' if path.is_dir() else 'no such file'}")
    name = f"graphc_subject_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look for it there
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)  # what stands beside it can be imported, as when it is run
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        place = f"{error.filename or path}:{error.lineno}" if error.lineno else str(error.filename or path)
        raise click.ClickException(f"{place}: {error.msg}") from error
    except SystemExit as error:
        text = 'it ends the process when it is imported: put what runs it under if __name__ == "__main__":'
        raise click.ClickException(f"{path}: {text}") from error
    except Exception as error:
        raise click.ClickException(f"{path} cannot be imported: {type(error).__name__}: {error}{_at(error)}") from error
    return module


def _bound(fn: Callable[..., Any], name: str, given: Sequence[str]) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """The function of those arguments that are arrays, and these; numbers and words are compiled in."""
    placed: list[Any] = []
    named: dict[str, Any] = {}
    for text in given:
        match = _NAMED.fullmatch(text)
        if match:
            named[match[1]] = parse(match[2])
        elif named:
            raise click.UsageError(f"--arg {text!r} stands after one with a name: {next(iter(named))}=")
        else:
            placed.append(parse(text))
    try:
        signature = inspect.signature(fn)
    except (TypeError, ValueError):  # some of NumPy's functions do not say
        signature = inspect.signature(lambda *args, **kwargs: None)
    try:
        bound = signature.bind(*placed, **named)
    except TypeError as error:
        takes = f"it takes {_listed(signature)}, and --arg was given {len(given)} times"
        raise click.UsageError(f"{name}: {error}: {takes}: {FORM}") from error
    arrays = {key: value for key, value in bound.arguments.items() if _has_arrays(value)}
    return _Partly(fn, signature, bound.arguments, tuple(arrays)), tuple(arrays.values())


class _Partly:
    """A function some of whose arguments are known. names: the others, which are given in this order."""

    def __init__(
        self,
        fn: Callable[..., Any],
        signature: inspect.Signature,
        known: Mapping[str, Any],
        names: tuple[str, ...],
    ) -> None:
        self._fn, self._whole, self._known, self._names = fn, signature, known, names
        self.__name__ = getattr(fn, "__name__", "function")
        self.__wrapped__ = fn  # where tracing looks for random numbers of the user's
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        self.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in names])

    def __call__(self, *arrays: Any) -> Any:
        every = {**self._known, **dict(zip(self._names, arrays, strict=True))}
        bound = inspect.BoundArguments(self._whole, OrderedDict(every))  # in the order of the parameters
        return self._fn(*bound.args, **bound.kwargs)


def _listed(signature: inspect.Signature) -> str:
    """Parameters as they are written, without types: "x, n=3"."""
    return ", ".join(str(p.replace(annotation=p.empty)) for p in signature.parameters.values()) or "nothing"


def _has_arrays(value: Any) -> bool:
    return any(isinstance(leaf, Example) for leaf in graphc.tree.leaves(value))
