"""Which line of the user's code is running: the nearest frame outside graphc, NumPy and the standard library."""

from __future__ import annotations

import itertools
import linecache
import os
import sys
from types import CodeType, FrameType
from typing import Final

import numpy as np

from graphc.errors import GraphcError
from graphc.ir.value import FORWARD, NOWHERE, UPDATE, Source, SourceLine

_PACKAGE: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_OURS: Final = tuple(os.path.join(_PACKAGE, *part, "") for part in (("models",), ("bench", "programs")))
"""Folders of graphc whose functions are written as users write theirs."""
_NUMPY: Final = os.path.dirname(os.path.abspath(np.__file__)) + os.sep
_LIBRARY: Final = {
    os.path.join(_PACKAGE, path): name
    for path, name in (("nn" + os.sep, "nn"), ("optim" + os.sep, "optim"), ("random" + os.sep, "random"))
}
_COMMANDS: Final = os.path.join(_PACKAGE, "cli", "")
"""What calls the commands is nobody's code."""
_STANDARD: Final = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_INSTALLED: Final = tuple(os.path.join(_STANDARD, name) + os.sep for name in ("site-packages", "dist-packages"))
_USER: Final = ""
_INTERNAL: Final = "internal"
_OUTERMOST: Final = "outermost"
_MAX_TEXT: Final = 120

_kinds: dict[str, str] = {}
_sources: dict[tuple[int, int, str], tuple[CodeType, Source]] = {}


def caller(depth: int = 1) -> Source:
    """The user's line that is running, its scope being the outermost graphc.nn (or optim, random) function it called.

    What graphc.optim computes has the phase "update". Cheap enough for every node: files are classified once, and each
    instruction's Source is made once.
    """
    frame: FrameType | None = sys._getframe(depth)
    scope = ""
    while frame is not None:
        code = frame.f_code
        kind = _kind(code)
        if kind == _USER:
            return _source(code, frame.f_lasti, frame.f_lineno, scope)
        if kind == _OUTERMOST:
            return NOWHERE
        if kind != _INTERNAL and not code.co_name.startswith(("_", "<")):
            scope = f"{kind}.{code.co_name}"
        frame = frame.f_back
    return NOWHERE


def located(error: GraphcError, what: str = "", source: Source | None = None) -> GraphcError:
    """`error` with the user's line added, and `what` in front; unchanged if it has a line already."""
    text = str(error)
    if "\n  at  " in text:
        return error
    if what and not text.startswith(f"{what}:"):
        text = f"{what}: {text}"
    source = caller(2) if source is None else source
    return type(error)(text + source.at)


def raised_at(error: BaseException) -> Source:
    """The innermost of the user's lines that an exception passed through."""
    found = NOWHERE
    step = error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        if _kind(code) == _USER:
            found = _source(code, step.tb_lasti, step.tb_lineno, "")
        step = step.tb_next
    return found


def is_users(file: str) -> bool:
    """Whether a file is neither graphc's, nor NumPy's, nor the standard library's."""
    kind = _kinds.get(file)
    if kind is None:
        kind = _kinds[file] = _classify(file)
    return kind == _USER


def source_of(code: CodeType, instruction: int, number: int) -> Source:
    """The Source of one instruction of the user's code."""
    return _source(code, instruction, number, "")


def _kind(code: CodeType) -> str:
    kind = _kinds.get(code.co_filename)
    if kind is None:
        kind = _kinds[code.co_filename] = _classify(code.co_filename)
    return kind


def _classify(file: str) -> str:
    """_USER, _INTERNAL, _OUTERMOST, or the name of the library module whose functions name a scope."""
    path = os.path.abspath(file)
    for library, name in _LIBRARY.items():
        if path.startswith(library):
            return name
    if path.startswith(_OURS):
        return _USER
    if path.startswith(_COMMANDS):
        return _OUTERMOST
    if path.startswith((_PACKAGE, _NUMPY)) or file.startswith("<frozen "):
        return _INTERNAL
    if path.startswith(_STANDARD) and not path.startswith(_INSTALLED):
        return _INTERNAL
    return _USER


def _source(code: CodeType, instruction: int, number: int, scope: str) -> Source:
    key = (id(code), instruction, scope)
    found = _sources.get(key)
    if found is None:
        phase = UPDATE if scope.startswith("optim.") else FORWARD
        # The code object is kept beside its Source, so that its id is not given to another one.
        found = _sources[key] = (code, Source((_line(code, instruction, number),), phase, scope))
    return found[1]


def _line(code: CodeType, instruction: int, number: int) -> SourceLine:
    """The line of an instruction, with the text of its expression where that fits on the line."""
    position = next(itertools.islice(code.co_positions(), instruction // 2, None), (None, None, None, None))
    line, last, start, stop = position
    number = line or number
    text = linecache.getline(code.co_filename, number).rstrip("\n")
    if line is not None and line == last and start is not None and stop is not None:
        text = text.encode()[start:stop].decode(errors="replace")
    text = " ".join(text.split())
    return SourceLine(code.co_filename, number, text[:_MAX_TEXT], code.co_qualname)
