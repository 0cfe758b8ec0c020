"""What the driver's own cache of compiled kernels holds, as far as graphc has seen to it.

A driver does not tell whether its cache has a kernel; asking costs what compiling costs. So each kernel that was
compiled is noted in a file that lies in the cache's own folder, and goes when that is emptied.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

NOTES: Final = "graphc-kernels"
DIGEST: Final = 16
"""Bytes of a kernel's name in the file."""

_FOLDERS: Final = ("mesa_shader_cache_db", "mesa_shader_cache", "mesa_shader_cache_sf")
_OFF: Final = ("1", "true", "yes", "y")


class DriverCache:
    """The kernels that one driver has in its cache. about: what tells its code from that of others."""

    def __init__(self, about: str) -> None:
        self._about = about
        self._known: set[bytes] = set()
        self._folder: Path | None = None

    @property
    def folder(self) -> Path | None:
        """Where Mesa keeps its cache; None where it keeps none.

        Source: Mesa, "Environment Variables", MESA_SHADER_CACHE_DIR.
        """
        if os.environ.get("MESA_SHADER_CACHE_DISABLE", "").lower() in _OFF:
            return None
        above = os.environ.get("MESA_SHADER_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return next((found for name in _FOLDERS if (found := Path(above, name)).is_dir()), None)

    def key(self, text: str) -> bytes:
        """The name of a kernel."""
        return hashlib.blake2b(f"{self._about}\n{text}".encode(), digest_size=DIGEST).digest()

    def holds(self, keys: Iterable[bytes]) -> list[bool]:
        """For each kernel, whether it was compiled while the cache was as it is."""
        folder = self.folder
        if folder != self._folder or not self._known:
            self._folder, self._known = folder, set()
            try:
                raw = (folder / NOTES).read_bytes() if folder else b""
            except OSError:
                raw = b""
            self._known = {raw[at : at + DIGEST] for at in range(0, len(raw) - DIGEST + 1, DIGEST)}
        return [key in self._known for key in keys]

    def note(self, keys: Sequence[bytes]) -> None:
        """Note kernels that the driver has compiled; where the folder cannot be written, that is forgotten."""
        new = [key for key, known in zip(keys, self.holds(keys), strict=True) if not known]
        if not new or self._folder is None:
            return
        self._known.update(new)
        try:
            with (self._folder / NOTES).open("ab") as file:  # whole names at once, so that processes may share it
                file.write(b"".join(new))
        except OSError:
            return
