"""Random numbers of NumPy's or Python's in a traced function: drawn once, while it is traced, they would be constants.

A generator is code of C's that says nothing when it draws, but its state changes. So the generators that a function can
reach by the names in its code are looked up before it is traced, and their states compared afterwards. A generator that
the function makes itself, of a seed, gives the same numbers each time in NumPy too, and is left alone.
"""

from __future__ import annotations

import dis
import functools
import pickle
import random
import threading
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from graphc.errors import TraceError
from graphc.ir.graph import Source
from graphc.tracing.core import located
from graphc.tracing.source import is_users, source_of

_GENERATORS: Final = (np.random.Generator, np.random.RandomState, np.random.BitGenerator, random.Random)
_FUNCTIONS: Final = (np.random, random)
"""Modules whose functions are methods of a generator."""
_UNSEEDED: Final = frozenset({"default_rng", "RandomState", "Random", "SystemRandom"})
"""Makers of generators that, called with nothing, begin somewhere else each time."""
_MOST: Final = 5000
"""Objects that are looked at, at most."""


@dataclass(frozen=True, slots=True)
class _Load:
    """A name that code loads.

    before: the names that led to it. member: it is an attribute, of those or of something else. leads: so is what
    follows. calls_with: the number of arguments that it is called with at once.
    """

    name: str
    offset: int
    line: int
    before: tuple[str, ...]
    member: bool
    leads: bool
    calls_with: int | None


@functools.lru_cache(maxsize=4096)
def _loads(code: types.CodeType) -> tuple[_Load, ...]:
    """The names that code loads, and what is done with them; not those of the functions in it."""
    found: list[_Load] = []
    chain: tuple[str, ...] = ()
    plain = [i for i in dis.get_instructions(code) if i.opname not in ("CACHE", "PUSH_NULL", "NOP", "RESUME")]
    for at, instruction in enumerate(plain):
        follower = plain[at + 1] if at + 1 < len(plain) else None
        if instruction.opname in ("LOAD_ATTR", "LOAD_METHOD", "LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "LOAD_FAST"):
            attribute = instruction.opname in ("LOAD_ATTR", "LOAD_METHOD")
            before = chain if attribute else ()
            name = str(instruction.argval)
            calls = follower.arg if follower is not None and follower.opname in ("PRECALL", "CALL") else None
            more = follower is not None and follower.opname in ("LOAD_ATTR", "LOAD_METHOD")
            line = instruction.positions.lineno if instruction.positions else None
            at_line = line or code.co_firstlineno
            found.append(_Load(name, instruction.offset, at_line, before, attribute, more, calls))
            chain = (*before, name)
        else:
            chain = ()
    return tuple(found)


@functools.lru_cache(maxsize=4096)
def _codes(code: types.CodeType) -> tuple[types.CodeType, ...]:
    """Code and that of the functions in it."""
    inner = [c for const in code.co_consts if isinstance(const, types.CodeType) for c in _codes(const)]
    return (code, *inner)


@functools.lru_cache(maxsize=4096)
def _names(code: types.CodeType) -> frozenset[str]:
    return frozenset(name for c in _codes(code) for name in (*c.co_names, *c.co_freevars))


@dataclass(slots=True)
class _Reached:
    """What a function can reach by the names in its code. generators: each with the name that led to it."""

    generators: dict[int, tuple[Any, str]] = field(default_factory=dict)
    codes: dict[types.CodeType, dict[str, Any]] = field(default_factory=dict)
    seen: set[tuple[int, int]] = field(default_factory=set)

    def visit(self, item: Any, name: str, names: frozenset[str]) -> None:
        """Look at an object that is called `name` in code with these names."""
        key = (id(item), hash(names))
        if key in self.seen or len(self.seen) > _MOST:
            return
        self.seen.add(key)
        if isinstance(item, _GENERATORS):
            self.generators[id(item)] = (item, name)
        elif isinstance(item, types.FunctionType):
            self._function(item)
        elif isinstance(item, types.MethodType | types.BuiltinMethodType):
            self.visit(item.__self__, name, names)
            self.visit(getattr(item, "__func__", None), name, names)
        elif isinstance(item, functools.partial):
            for part in (item.func, *item.args, *item.keywords.values()):
                self.visit(part, name, names)
        elif isinstance(item, types.ModuleType):
            if item in (np, *_FUNCTIONS) or is_users(getattr(item, "__file__", None) or ""):
                for member in names & vars(item).keys():
                    self.visit(vars(item)[member], member, names)
        elif isinstance(item, dict | list | tuple):
            if len(item) <= 64:
                for part in item.values() if isinstance(item, dict) else item:
                    self.visit(part, name, names)
        elif not isinstance(item, type):
            self._object(item, names)

    def _function(self, function: types.FunctionType) -> None:
        code = function.__code__
        cells = [c for cell in function.__closure__ or () for c in _content(cell)]
        if not is_users(code.co_filename):
            # A function that wraps the user's: what it wraps is what counts.
            for part in (getattr(function, "__wrapped__", None), *cells):
                if callable(part):
                    self.visit(part, "", frozenset())
            return
        names = _names(code)
        for part in _codes(code):
            self.codes[part] = function.__globals__
        for name, part in zip(code.co_freevars, cells, strict=False):
            self.visit(part, name, names)
        for part in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
            self.visit(part, "", names)
        for name in names & function.__globals__.keys():
            self.visit(function.__globals__[name], name, names)

    def _object(self, item: Any, names: frozenset[str]) -> None:
        """An object of a class of the user's: what its attributes and methods, as far as they are named, lead to."""
        cls = type(item)
        wrapped = getattr(item, "__wrapped__", None)
        if wrapped is not None and callable(item):
            self.visit(wrapped, "", names)
            return
        attributes = getattr(item, "__dict__", None)
        if attributes is None or cls.__module__.partition(".")[0] in ("builtins", "numpy", "graphc"):
            return
        names = names | {"__call__"}
        while True:
            methods = [m for c in cls.__mro__ for n, m in vars(c).items() if n in names and callable(m)]
            more = names.union(*(_names(m.__code__) for m in methods if isinstance(m, types.FunctionType)))
            if more == names:
                break
            names = more
        for method in methods:
            self.visit(method, "", names)
        for name in names & attributes.keys():
            self.visit(attributes[name], name, names)


def _content(cell: Any) -> list[Any]:
    try:
        return [cell.cell_contents]
    except ValueError:  # nothing is in it yet
        return []


def _state(generator: Any) -> Any:
    if isinstance(generator, random.Random):
        return generator.getstate()
    bits = generator if isinstance(generator, np.random.BitGenerator) else _bits(generator)
    return pickle.dumps(bits.state)


def _bits(generator: Any) -> Any:
    return generator._bit_generator if isinstance(generator, np.random.RandomState) else generator.bit_generator


class Watch:
    """The generators that a function can reach, as they are before it is traced."""

    def __init__(self, fn: Callable[..., Any]) -> None:
        self._reached = _Reached()
        self._reached.visit(fn, "", frozenset())
        self._before = {key: _state(generator) for key, (generator, _) in self._reached.generators.items()}

    def check(self) -> None:
        """Raise TraceError where one of them was drawn from since, or where numbers of no seed are drawn."""
        for source in self._unseeded():
            raise located(_refusal("a generator without a seed"), source=source)
        for key, (generator, name) in self._reached.generators.items():
            if _state(generator) == self._before[key]:
                continue
            lines = [*self._drawing(generator, name, exactly=True), *self._drawing(generator, name, exactly=False)]
            # Another thread may have drawn: without a line that could be it, it is taken to be that one.
            if lines or threading.active_count() == 1:
                kind = type(generator)
                what = f"{kind.__module__.partition('.')[0]}'s {kind.__name__}"
                raise located(_refusal(what), source=lines[0] if lines else None)

    def _drawing(self, generator: Any, name: str, exactly: bool) -> Iterator[Source]:
        """The lines that may draw from a generator."""
        for code, scope in self._reached.codes.items():
            for load in _loads(code):
                if load.leads:
                    continue
                itself = not load.member and getattr(scope.get(load.name), "__self__", None) is generator
                base = load.before[-1] if load.before else ""
                known = base == name or (base == "random" and scope.get(load.before[0]) is np)
                method = load.member and _draws(generator, load.name) and scope.get(base) is not np
                if itself or (method and (known or not exactly)):
                    yield source_of(code, load.offset, load.line)

    def _unseeded(self) -> Iterator[Source]:
        """The lines that make a generator without a seed."""
        for code, scope in self._reached.codes.items():
            for load in _loads(code):
                if load.name in _UNSEEDED and load.calls_with == 0 and _resolved(load, scope) in _MAKERS:
                    yield source_of(code, load.offset, load.line)


_MAKERS: Final = (np.random.default_rng, np.random.RandomState, random.Random, random.SystemRandom)


def _resolved(load: _Load, scope: dict[str, Any]) -> Any:
    """What a chain of names leads to, from the globals on; None where that is not known."""
    first, *rest = (*load.before, load.name)
    found = scope.get(first)
    for name in rest:
        found = vars(found).get(name) if isinstance(found, types.ModuleType) else None
    return found


def _draws(generator: Any, name: str) -> bool:
    """Whether this is a method that draws from a generator, or from one that is made of its bits."""
    classes = [type(generator)]
    if isinstance(generator, np.random.BitGenerator):
        classes += [np.random.Generator, np.random.RandomState]
    return not name.startswith("_") and any(callable(getattr(cls, name, None)) for cls in classes)


def _refusal(what: str) -> TraceError:
    return TraceError(
        f"random numbers of {what} are drawn while the function is traced, and would be the same at every call: draw "
        "them before and make them an argument, or write graphc.random.normal(key, shape) and the like"
    )
