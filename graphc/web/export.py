"""export: compiled functions, with the values that they begin with, as a folder for any static server."""

from __future__ import annotations

import gzip
import html
import json
import os
import shutil
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from graphc import program
from graphc.errors import ProgramError
from graphc.executable import Executable
from graphc.ir.types import NDArray, dtype_of
from graphc.lower import lower
from graphc.plan.plan import Target
from graphc.program.folder import MANIFEST
from graphc.program.state import misfit

HERE: Final = Path(__file__).resolve().parent

TARGET: Final = Target("web")
"""What every browser with WebGPU has: the baseline limits, no optional features, nothing known of the adapter."""

SWIFTSHADER: Final = replace(TARGET, subgroup=4, software=True, features=frozenset({"subgroup"}))
"""Chromium's adapter where there is no GPU."""

RUNTIME: Final = ("runtime.js", "runtime.d.ts", "format.js")
TAKEN: Final = frozenset(
    [
        "about",
        "call",
        "constructor",
        "device",
        "document",
        "functions",
        "prepare",
        "ready",
        "recover",
        "replaced",
        "reset",
        "restore",
        "runners",
        "save",
        "state",
        "then",
        "upload",
        "zeros",
        "__defineGetter__",
        "__defineSetter__",
        "__lookupGetter__",
        "__lookupSetter__",
        "__proto__",
        "hasOwnProperty",
        "isPrototypeOf",
        "propertyIsEnumerable",
        "toLocaleString",
        "toString",
        "valueOf",
    ]
)
"""Names that a function cannot have: runtime.js gives them to what every program has, JavaScript to every object."""

ELEMENTS: Final = frozenset({"f32", "f16", "i32", "u32", "bool"})
"""Element types that WebGPU has."""


def export(
    functions: Mapping[str, Executable],
    directory: str | os.PathLike[str],
    params: Any = None,
    *,
    about: Mapping[str, Any] | None = None,
    subgroups: Iterable[int] = (),
    software: Collection[str] = (),
) -> None:
    """Write compiled functions as a folder that a page loads with `load(url)` of its runtime.js.

    functions: an Executable for each name (see `Compiled.lower`); they are lowered again for WebGPU's baseline, so
    that the page runs on every adapter. params: what arguments begin with and keep on the device between calls: a
    dict by the names of arguments, or else the tree of the argument that is called `params`. about: whatever JSON can
    hold, for the page. subgroups: lanes (4 to 128) for which other kernels are added; where an adapter's subgroups
    always have so many, they are taken when the program is loaded. software: functions that also get a plan for
    SwiftShader, Chromium's adapter where there is no GPU: launches are merged, which takes longer to compile. Raises
    ProgramError for names that no call could use, what is no Executable, types that WebGPU lacks, arrays that would
    share a name in the file, and a place that holds something else.
    """
    _check_given(functions, about, subgroups, software)
    if unknown := sorted(set(software) - set(functions)):
        raise ProgramError(
            f"web.export: software names {', '.join(unknown)}, and the functions are {', '.join(functions)}"
        )
    targets = [_with_subgroups(lanes) for lanes in subgroups]
    made: dict[str, program.Function] = {}
    variants: dict[str, tuple[program.Function, ...]] = {}
    arrays: dict[str, NDArray] = {}
    for name, executable in functions.items():
        _check_types(name, executable)
        executable = replace(executable.guarded, name=name)  # the page has no graph to look at arguments with
        single = _lowered(executable, TARGET)
        arrays |= single.arrays
        made |= single.functions
        wanted = ([SWIFTSHADER] if name in software else []) + targets  # the narrower one first
        others = [_lowered(executable, target).functions[name] for target in wanted]
        variants[name] = tuple(f for f in others if _differs(f, made[name]))
    state = _state(params, made, arrays)
    used = {name: others for name, others in variants.items() if others}
    program.save(program.Program(made, arrays, state, about or {}, used), directory, packed=True)
    add_runtime(directory)


def add_runtime(directory: str | os.PathLike[str]) -> None:
    """Add runtime.js and its like to a program that `Executable.save` wrote, so that a page can load it.

    It runs where a browser's adapter has what the program requires: `export` compiles for all of them. Raises
    ProgramError where no program lies in the folder.
    """
    if not (Path(directory) / MANIFEST).is_file():
        raise ProgramError(f"web.add_runtime: there is no program in {directory}: write one with Executable.save")
    for name in RUNTIME:
        shutil.copyfile(HERE / name, Path(directory) / name)


def _check_given(functions: object, about: object, subgroups: object, software: object) -> None:
    """What could not be exported is said before anything is compiled."""
    if not isinstance(functions, Mapping):
        given = type(functions).__name__
        raise ProgramError(f"web.export: functions must be a dict of Executables by their names, not {given}")
    if not functions:
        raise ProgramError("web.export: there is no function to export")
    for name, executable in functions.items():
        if not isinstance(name, str) or not name.isidentifier():
            raise ProgramError(f"web.export: {name!r} is no name for a function in JavaScript")
        if name in TAKEN:
            raise ProgramError(f"web.export: a program in JavaScript has a {name!r} of its own: choose another name")
        if not isinstance(executable, Executable):
            raise ProgramError(
                f"web.export: {name} must be an Executable, not {type(executable).__name__}: "
                "graphc.compile(function).lower(arguments) makes one"
            )
    if isinstance(software, str):
        raise ProgramError(f"web.export: software must be a list of names, such as [{software!r}]")
    if isinstance(subgroups, str) or not isinstance(subgroups, Iterable):
        raise ProgramError(f"web.export: subgroups must be a list of numbers of lanes, such as [32], not {subgroups!r}")
    if about is not None and not isinstance(about, Mapping):
        raise ProgramError(f"web.export: about must be a dict, not {type(about).__name__}")
    try:
        json.dumps(about, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ProgramError(f"web.export: about must hold what JSON can hold: {error}") from None


def _with_subgroups(lanes: int) -> Target:
    if lanes not in (4, 8, 16, 32, 64, 128):
        raise ProgramError(f"web.export: subgroups have 4, 8, 16, 32, 64 or 128 lanes, not {lanes}")
    return replace(TARGET, subgroup=lanes, features=frozenset({"subgroup"}))


def _differs(variant: program.Function, function: program.Function) -> bool:
    """Whether a variant is one: it counts on subgroups, or saves launches where the adapter has no GPU."""
    if variant.requires.software:
        return len(variant.plan.dispatches) < len(function.plan.dispatches)
    return variant.requires.subgroup > 0


def _lowered(executable: Executable, target: Target) -> program.Program:
    graph = executable.graph_for(target)
    plan = lower(graph, target, executable.donated)
    plan = replace(plan, kernels=tuple(replace(k, wgsl=_short(k.wgsl)) for k in plan.kernels))
    found = executable.as_program(plan, target, graph)
    if not target.software:
        return found
    only = {name: replace(f, requires=replace(f.requires, software=True)) for name, f in found.functions.items()}
    return replace(found, functions=only)


def _short(wgsl: str) -> str:
    """The same kernel without comments, indentation and many spaces, a third of what a page would have to fetch."""
    lines = (line.strip() for line in wgsl.splitlines())
    return "\n".join(_tight(line) for line in lines if line and not line.startswith("//")) + "\n"


def _tight(line: str) -> str:
    """A line with fewer spaces; heads of loops, and what they say of their turns, stay as whoever counts them knows."""
    if line.startswith(("for", "while", "loop")) or "//" in line:
        return line
    return line.replace(", ", ",").replace(" * ", "*").replace(" + ", "+")


def _check_types(name: str, executable: Executable) -> None:
    values = (value for graph in (executable.graph,) for value in graph.values())
    lacking = sorted({v.type.dtype.numpy.name for v in values if v.type.dtype.name not in ELEMENTS})
    if lacking:
        raise ProgramError(f"web.export: {name} computes in {', '.join(lacking)}, which WebGPU does not have")


def _state(params: Any, functions: Mapping[str, program.Function], arrays: dict[str, NDArray]) -> dict[str, Any]:
    """The first values by argument, as trees of names; their arrays are added to `arrays`."""
    if params is None:
        return {}
    known = {name for function in functions.values() for name in _arguments(function)}
    named = isinstance(params, Mapping) and set(params) <= known
    given = dict(params) if named else {"params": params}
    if not named and "params" not in known:
        raise ProgramError(
            f"web.export: no function has an argument `params`: give params as a dict by the names of arguments, "
            f"out of {', '.join(sorted(known))}"
        )
    state = {name: _stored(tree, name, arrays) for name, tree in given.items()}
    for name, names in state.items():
        if needed := misfit(name, names, functions, arrays):
            raise ProgramError(f"web.export: params: {name} must be {needed}")
    return state


def _arguments(function: program.Function) -> tuple[str, ...]:
    in_tree = function.in_tree
    assert isinstance(in_tree, Mapping)
    return (*function.parameters, *in_tree["items"][1]["keys"])


def _stored(tree: Any, path: str, arrays: dict[str, NDArray]) -> Any:
    """A tree with the name of its array in the place of each leaf: "params.layers.0.wq"."""
    if tree is None:
        return None
    if isinstance(tree, Mapping):
        return {str(key): _stored(item, f"{path}.{key}", arrays) for key, item in tree.items()}
    if hasattr(tree, "_fields"):
        return {key: _stored(item, f"{path}.{key}", arrays) for key, item in zip(tree._fields, tree, strict=True)}
    if hasattr(tree, "__dataclass_fields__"):
        return {key: _stored(getattr(tree, key), f"{path}.{key}", arrays) for key in tree.__dataclass_fields__}
    if isinstance(tree, list | tuple):
        return [_stored(item, f"{path}.{n}", arrays) for n, item in enumerate(tree)]
    if path in arrays:
        raise ProgramError(f"web.export: two arrays would be called {path}: choose other keys in params")
    array = np.asarray(tree)
    arrays[path] = array.astype(dtype_of(array.dtype).numpy, copy=False)
    return path


def write_page(directory: str | os.PathLike[str], title: str, step: Executable) -> None:
    """Add a page that samples and trains to an exported model: its `about` says what data.js and page.js need.

    step: the function whose picture the page shows.
    """
    folder = Path(directory)
    for path in sorted((HERE / "page").iterdir()):
        text = path.read_text("utf-8")
        (folder / path.name).write_text(text.replace("{{title}}", html.escape(title)), "utf-8")
    (folder / "runtime.d.ts").unlink()  # types serve those who write code
    # A picture is repetitive, and servers of files do not compress: the page unpacks it.
    (folder / "model.svg.gz").write_bytes(gzip.compress(step.graph.to_svg().encode(), mtime=0))
