"""What a forked process has to make anew: locks that a thread of the parent may have held, and pools of threads.

A fork copies memory and one thread. Threads of a pool are gone in the child, and a lock that another thread held stays
locked for ever.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, Final, Protocol

from graphc.runtime.weak import Alive


class Renewed(Protocol):
    """Something that has to be made anew."""

    def after_fork(self) -> None:
        """Called in the child, before anything else runs there."""


_known: Final[Alive[Renewed]] = Alive()


def renew(item: Renewed) -> None:
    """Call `item.after_fork()` in every process that is forked from this one."""
    _known.add(item)


def _after_fork() -> None:
    for item in _known:
        item.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class Lock:
    """A lock that several threads may use, and that is free in a forked process. reentrant: as threading.RLock."""

    __slots__ = ("__weakref__", "_lock", "_make")

    def __init__(self, reentrant: bool = False) -> None:
        self._make: Any = threading.RLock if reentrant else threading.Lock
        self._lock = self._make()
        renew(self)

    def after_fork(self) -> None:
        """A lock of the child's own."""
        self._lock = self._make()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *exc: object) -> None:
        self._lock.release()


class Threads(Executor):
    """A pool of `count` threads (one for each processor), begun when it is first used, in each process anew."""

    def __init__(self, name: str, count: int = 0) -> None:
        self.count: Final = count or os.cpu_count() or 1
        self._name = name
        self._pool: ThreadPoolExecutor | None = None
        self._lock = Lock()
        renew(self)

    def after_fork(self) -> None:
        """The child begins with no threads."""
        self._pool = None

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As Executor.submit."""
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self.count, self._name)
            return self._pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As Executor.shutdown; a later submit begins anew."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait, cancel_futures=cancel_futures)
