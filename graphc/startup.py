"""What happens when Ctrl-C comes while the command `graphc` is still being imported."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
from types import FrameType
from typing import Final

INTERRUPTED: Final = 130
"""Exit status of a command that Ctrl-C ended: 128 and the number of the signal, as shells have it."""


def guard() -> None:
    """Where graphc is imported to run as a command, Ctrl-C ends it in silence until `release`: nothing has begun.

    A program that imports graphc as a library keeps what it does at Ctrl-C.
    """
    main = threading.current_thread() is threading.main_thread()
    if _is_command() and main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def release() -> None:
    """Have Ctrl-C raise KeyboardInterrupt again."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _is_command() -> bool:
    """Whether this process is `python -m graphc`, whose name Python puts in later, or the script of that name."""
    name = sys.argv[0] if getattr(sys, "argv", None) else ""
    if name == "-m":
        words = sys.orig_argv
        return "-mgraphc" in words or ("-m", "graphc") in itertools.pairwise(words)
    return os.path.splitext(os.path.basename(name))[0] == "graphc"


def _leave(number: int, frame: FrameType | None) -> None:
    os._exit(INTERRUPTED)
