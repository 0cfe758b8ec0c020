"""Running a saved program: with NumPy and wgpu alone, no graph, no compiler."""

from __future__ import annotations

import collections
import os
import threading
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from graphc.errors import DTypeError, IndexRangeError, ProgramError, ShapeError
from graphc.ir.types import check_plain, type_of
from graphc.program.folder import load
from graphc.program.model import Function, Parameter, Program, Shaped, lacking
from graphc.runtime import Array, Device, Runner
from graphc.runtime import device as find_device
from graphc.runtime.array import bounds_of

_record: Final[Any] = collections.namedtuple
"""Makes the class of a record, whose fields are known when a program is read."""


def load_program(path: str | os.PathLike[str], device: Device | str | None = None) -> LoadedProgram:
    """The program in the folder `path` (see `Executable.save`), ready to run on a device.

    device: a Device or its name; None for the default. Raises ProgramError for a damaged program, and for one that
    was made for an adapter with other limits or features, saying which.
    """
    return LoadedProgram(load(path), find_device(device))


class LoadedProgram:
    """A saved program on a device. Call it where it holds one function, or one of its `functions`.

    state: the first values of arguments that were saved with it, by name, as trees of ndarrays.
    """

    def __init__(self, program: Program, device: Device) -> None:
        if not device.needs_plan:
            raise ProgramError(f"a saved program runs on a WebGPU adapter, and device {device.name!r} is none")
        self.program = program
        self.device = device
        self.functions: Mapping[str, LoadedFunction] = MappingProxyType(
            {name: LoadedFunction(chosen(program, name, device), program, device) for name in program.functions}
        )
        self.state = {name: _filled(tree, program) for name, tree in program.state.items()}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the only function."""
        if len(self.functions) != 1:
            raise ProgramError(f"this program holds {', '.join(self.functions)}: say which, by program.functions[name]")
        return next(iter(self.functions.values()))(*args, **kwargs)

    def __repr__(self) -> str:
        return f"LoadedProgram({', '.join(self.functions)} on {self.device.name})"


class LoadedFunction:
    """One function of a saved program: pytrees in, pytrees of Arrays out, as the compiled function had it."""

    def __init__(self, function: Function, program: Program, device: Device) -> None:
        _check_device(function, device)
        self.function = function
        self.device = device
        self._constants = [program.arrays[name] for name in function.constants]
        self._donated = frozenset(slot for slot, argument in enumerate(function.arguments) if argument.donated)
        self._lock = threading.Lock()
        self._runner: Runner | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run. Raises ShapeError, DTypeError or IndexRangeError that names the argument which does not fit."""
        leaves: list[Any] = []
        _match(self.function.in_tree, (args, kwargs), leaves, self.function.name)
        for argument, leaf in zip(self.function.arguments, leaves, strict=True):
            _check_leaf(argument, leaf)
        with self._lock:
            if self._runner is None:
                plan, names = self.function.plan, [a.name for a in self.function.arguments]
                self._runner = self.device.prepare_plan(plan, self._constants, self._donated, names)
        return _build(self.function.out_tree, iter(self._runner(leaves)))

    def __repr__(self) -> str:
        given = ", ".join(f"{a.name}: {a.dtype}{list(a.shape)}" for a in self.function.arguments)
        return f"LoadedFunction({self.function.name}({given}))"


def chosen(program: Program, name: str, device: Device) -> Function:
    """The first variant of a function that a device can run, else the function itself."""
    return next(
        (f for f in program.variants.get(name, ()) if not lacking(f.requires, device.target)), program.functions[name]
    )


def _check_device(function: Function, device: Device) -> None:
    """Raise ProgramError, naming what is missing, where an adapter cannot run a function."""
    if lacks := lacking(function.requires, device.target):
        what = f"the program {function.name!r} was made for another adapter than {device.target.name}"
        raise ProgramError(f"{what}: it needs {lacks}")


def _check_leaf(argument: Parameter, leaf: Any) -> None:
    check_plain(leaf, f"argument {argument.name}")
    found = leaf.type if isinstance(leaf, Array) else type_of(np.asarray(leaf))
    wanted = f"{argument.dtype}[{','.join(map(str, argument.shape))}]"
    if found.shape != argument.shape:
        raise ShapeError(f"argument {argument.name} was saved as {wanted}, got {found}")
    if found.dtype.name != argument.dtype:
        raise DTypeError(f"argument {argument.name} was saved as {wanted}, got {found}")
    if argument.axis is None:
        return
    bounds = leaf.bounds if isinstance(leaf, Array) else bounds_of(np.asarray(leaf))
    for index in bounds or ():
        if not -argument.axis <= index < argument.axis:
            raise IndexRangeError(
                f"argument {argument.name}: index {index} is out of range for an axis of {argument.axis}"
            )


def _match(shaped: Shaped, given: Any, leaves: list[Any], where: str) -> None:
    """Append the leaves of `given`, which must have this structure; raises ShapeError that says where it has not."""
    if shaped == "*":
        leaves.append(given)
        return
    if shaped is None:
        if given is not None:
            raise ShapeError(f"{where}: need None, got a {type(given).__name__}")
        return
    assert not isinstance(shaped, str)
    keys, kind = shaped["keys"], shaped["kind"]
    if kind == "dict":
        if not isinstance(given, Mapping) or set(given) != set(keys):
            raise ShapeError(f"{where}: need a dict with the keys {keys}, got {_shown(given)}")
        items = [given[key] for key in keys]
    elif kind == "record":
        items = _fields(given, keys, where)
    elif not isinstance(given, list if kind == "list" else tuple) or len(given) != len(keys):
        raise ShapeError(f"{where}: need a {kind} of {len(keys)}, got {_shown(given)}")
    else:
        items = list(given)
    for key, child, item in zip(keys, shaped["items"], items, strict=True):
        _match(child, item, leaves, f"{where}.{key}" if isinstance(key, str) else f"{where}[{key}]")


def _fields(given: Any, keys: Sequence[str], where: str) -> list[Any]:
    missing = [key for key in keys if not hasattr(given, key)]
    if missing:
        raise ShapeError(f"{where}: need something with {', '.join(keys)}, got a {type(given).__name__}")
    return [getattr(given, key) for key in keys]


def _shown(given: Any) -> str:
    if isinstance(given, Mapping):
        return f"one with {sorted(map(str, given))}"
    return f"{type(given).__name__} of {len(given)}" if isinstance(given, list | tuple) else type(given).__name__


def _build(shaped: Shaped, leaves: Any) -> Any:
    """The tree of this structure; a record becomes a named tuple with its fields."""
    if shaped == "*":
        return next(leaves)
    if shaped is None:
        return None
    assert not isinstance(shaped, str)
    items = [_build(child, leaves) for child in shaped["items"]]
    if shaped["kind"] == "dict":
        found = dict(zip(shaped["keys"], items, strict=True))
        return {key: found[key] for key in shaped["order"]}
    if shaped["kind"] == "record":
        return _record(shaped["name"], shaped["keys"], rename=True)(*items)
    return items if shaped["kind"] == "list" else tuple(items)


def _filled(names: Any, program: Program) -> Any:
    """The tree of parameters with its arrays."""
    if isinstance(names, str):
        return program.arrays[names]
    if isinstance(names, dict):
        return {key: _filled(item, program) for key, item in names.items()}
    return [_filled(item, program) for item in names] if isinstance(names, list) else names
