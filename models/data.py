"""Training text: a built-in list of names, a file, or a download that is checked and kept.

A corpus is one text. Models of names take its lines as documents; models of prose take it as one stream.
"""

from __future__ import annotations

import logging
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Final

import platformdirs
import pooch

from graphc.errors import DataError


@dataclass(frozen=True)
class Download:
    """A file on the web, pinned to one content."""

    url: str
    sha256: str
    file: str


_RAW: Final = "https://raw.githubusercontent.com/karpathy"
DOWNLOADS: Final[dict[str, Download]] = {
    # 32,033 names, MIT: github.com/karpathy/makemore
    "names": Download(
        f"{_RAW}/makemore/988aa59e4d8fefa526d06f3b453ad116258398d4/names.txt",
        "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d",
        "names.txt",
    ),
    # 40,000 lines of Shakespeare, MIT: github.com/karpathy/char-rnn
    "shakespeare": Download(
        f"{_RAW}/char-rnn/6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare/input.txt",
        "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        "tinyshakespeare.txt",
    ),
}
BUILT_IN: Final = "built-in"
TIMEOUT: Final = 30.0
"""Seconds that a download may stand still."""


@dataclass(frozen=True)
class Corpus:
    """A text to train on. name: where it came from, as the user wrote it."""

    name: str
    text: str

    @cached_property
    def documents(self) -> tuple[str, ...]:
        """The lines that are not blank, without surrounding space."""
        return tuple(stripped for line in self.text.split("\n") if (stripped := line.strip()))


@dataclass(frozen=True)
class Vocabulary:
    """Tokens are characters, numbered in the order of `characters`; `end` is one more, before and after a document."""

    characters: str

    @classmethod
    def of(cls, texts: Iterable[str]) -> Vocabulary:
        """All characters of the texts, sorted. Raises DataError where there are none."""
        found = "".join(sorted(set().union(*texts)))
        if not found:
            raise DataError("the data holds no text")
        return cls(found)

    @property
    def end(self) -> int:
        """The token between documents."""
        return len(self.characters)

    def __len__(self) -> int:
        return len(self.characters) + 1

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {character: number for number, character in enumerate(self.characters)}

    def encode(self, text: str) -> list[int]:
        """The token of each character. Raises DataError naming a character that is not in the vocabulary."""
        unknown = set(text) - self._numbers.keys()
        if unknown:
            raise DataError(f"{min(unknown)!r} is not a character of the data; it has {self.characters!r}")
        return [self._numbers[character] for character in text]

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens, up to the first end token."""
        characters: list[str] = []
        for token in tokens:
            if token == self.end:
                break
            characters.append(self.characters[token])
        return "".join(characters)


def load(source: str | None = None) -> Corpus:
    """The text that `source` names: "names" or "shakespeare" (downloaded once), a file, or the built-in names (None).

    Raises DataError, in one line, for a file that is missing, empty or not text, and for a download that fails.
    """
    if source is None or source == BUILT_IN:
        return Corpus(BUILT_IN, "\n".join(first_names()))
    if source in DOWNLOADS:
        return Corpus(source, read_text(fetch(DOWNLOADS[source])))
    if not Path(source).exists():
        raise DataError(f"{source}: no such file, and no data set of that name ({', '.join(sorted(DOWNLOADS))})")
    return Corpus(source, read_text(Path(source)))


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, with "\\n" between lines. Raises DataError if it is unreadable, binary or blank."""
    try:
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # reading a device or a pipe may never end
            raise DataError(f"{path}: cannot be read: it is no regular file")
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a text file: byte {error.start} is not UTF-8") from error
    if "\0" in text:
        raise DataError(f"{path}: not a text file: it holds a zero byte")
    if not text.strip():
        raise DataError(f"{path}: holds no text")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def fetch(download: Download) -> Path:
    """The file of a download, from the user's cache or else from the web, its checksum verified. Raises DataError."""
    pooch.get_logger().setLevel(logging.WARNING)
    folder = platformdirs.user_cache_path("graphc")
    try:
        found = pooch.retrieve(
            download.url,
            known_hash=f"sha256:{download.sha256}",
            fname=download.file,
            path=folder,
            downloader=pooch.HTTPDownloader(timeout=TIMEOUT),
        )
    except ValueError as error:
        raise DataError(f"{download.url}: its content is not the expected one (SHA-256 differs)") from error
    except OSError as error:
        raise DataError(
            f"{download.url} cannot be downloaded ({type(error).__name__}); give a file with --data, "
            f"or put it at {folder / download.file}"
        ) from error
    return Path(found)


def first_names() -> list[str]:
    """5,163 first names, in lower case, sorted: those of the PyPI package "names" (US census of 1990, MIT)."""
    found: set[str] = set()
    for file in ("dist.female.first", "dist.male.first"):
        found.update(line.split()[0].lower() for line in _installed(file).splitlines() if line.strip())
    return sorted(found)


def _installed(file: str) -> str:
    """A file of the installed package "names", which is not imported: a names.py of the user's would run instead."""
    try:
        return Path(str(metadata.distribution("names").locate_file(f"names/{file}"))).read_text(encoding="ascii")
    except (metadata.PackageNotFoundError, OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"the built-in names cannot be read ({type(error).__name__}): pip install --force-reinstall names, "
            "or give a file with --data"
        ) from error
