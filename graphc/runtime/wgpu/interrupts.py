"""Ctrl-C while the binding works: put off for a moment, so that it is not lost.

Python raises KeyboardInterrupt between any two instructions of the main thread. Those of a function that wgpu calls
back, or of a finalizer, are among them, and from there nothing can be raised: the exception is printed and gone.
"""

from __future__ import annotations

import signal
import sys
import threading
from importlib import import_module
from types import FrameType
from typing import Any, Final

# As C has them: the functions of `signal` make enums of what they give back, which takes ten times as long.
_raw: Final[Any] = import_module("_signal")
_SIGINT: Final = int(signal.SIGINT)


class Deferred:
    """A context in which Ctrl-C waits for the end. It may be entered again, and in any thread; there is one.

    What is raised at the end is what the handler of the signal raises, and what it does is done then.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._hit = False
        self._missed = False
        self._before: Any = None

    def missed(self) -> None:
        """Ctrl-C was raised where nothing can be raised: it is raised at the end of the next context."""
        self._missed = True

    def check(self) -> None:
        """Raise now what waits: between two parts of something long, where nothing would be lost by it."""
        if self._hit and self._depth and threading.get_ident() == threading.main_thread().ident:
            self._hit = False
            self._before(_SIGINT, sys._getframe(1))

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._hit = True

    def __enter__(self) -> None:
        if threading.get_ident() != threading.main_thread().ident:
            return  # signals are none of its business
        if self._depth:
            self._depth += 1
            return
        before = _raw.getsignal(_SIGINT)
        if callable(before):  # else it is ignored, ends the process, or belongs to somebody who is not Python
            _raw.signal(_SIGINT, self._note)
        # From here on nothing is raised, so that this is done as a whole.
        # `_hit` is left alone: it may have been pressed since.
        self._before, self._depth = before, 1

    def __exit__(self, *exc: object) -> None:
        if threading.get_ident() != threading.main_thread().ident:
            return
        if self._depth > 1:
            self._depth -= 1
            return
        before, self._depth = self._before, 0
        if callable(before):
            _raw.signal(_SIGINT, before)
            if self._hit or self._missed:
                self._hit = self._missed = False
                before(_SIGINT, sys._getframe(1))


deferred: Final = Deferred()
