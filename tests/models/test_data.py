"""Training text: files as they come, downloads that are checked, vocabularies and batches."""

from __future__ import annotations

import hashlib
import http.server
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pytest

from graphc.errors import DataError
from graphc.models import data
from graphc.models.data import Corpus, Vocabulary
from graphc.models.documents import DocumentBatches, evaluation, split

CONTENT = b"emma\nolivia\nava"


def test_built_in_names() -> None:
    corpus = data.load()
    names = corpus.documents
    assert len(names) == len(set(names)) == 5163
    assert {"mary", "james"} <= set(names)
    assert set("".join(names)) == set("abcdefghijklmnopqrstuvwxyz")
    assert data.load("built-in") == corpus


@pytest.mark.parametrize(
    ("content", "documents"),
    [
        (b"emma\nolivia\n", ("emma", "olivia")),
        (b"\xef\xbb\xbfemma\r\n\r\n  olivia \rava", ("emma", "olivia", "ava")),
        ("zo\u00eb\n\u674e".encode(), ("zo\u00eb", "\u674e")),
    ],
)
def test_text_files(tmp_path: Path, content: bytes, documents: tuple[str, ...]) -> None:
    path = tmp_path / "my names.txt"
    path.write_bytes(content)
    assert data.load(str(path)).documents == documents


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "holds no text"),
        (b" \n\t\n", "holds no text"),
        (b"\x89PNG\r\n\xff", "byte 0 is not UTF-8"),
        (b"ab\0cd", "zero byte"),
    ],
)
def test_files_that_are_no_text(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"x.txt: .*{reason}") as error:
        data.load(str(path))
    assert "\n" not in str(error.value)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such file, and no data set of that name \(names, shakespeare\)"):
        data.load(str(tmp_path / "nothing"))
    with pytest.raises(DataError, match="cannot be read"):
        data.load(str(tmp_path))


class Server(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT, and counts."""

    requests = 0

    def do_GET(self) -> None:
        type(self).requests += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server on this machine; the cache is empty."""
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / "cache" / name)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/names.txt"
    server.shutdown()
    server.server_close()


def test_a_download_is_checked_and_kept(site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(data.DOWNLOADS, "names", data.Download(site, hashlib.sha256(CONTENT).hexdigest(), "names.txt"))
    Server.requests = 0
    for _ in range(2):
        assert data.load("names").documents == ("emma", "olivia", "ava")
    assert Server.requests == 1
    (tmp_path / "cache" / "graphc" / "names.txt").write_bytes(b"damaged")
    assert data.load("names").documents == ("emma", "olivia", "ava")
    assert Server.requests == 2


def test_a_download_with_other_content_is_refused(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(data.DOWNLOADS, "names", data.Download(site, "0" * 64, "names.txt"))
    with pytest.raises(DataError, match="SHA-256 differs"):
        data.load("names")


def test_without_a_network_the_error_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / name)
    monkeypatch.setitem(data.DOWNLOADS, "names", data.Download("http://127.0.0.1:1/names.txt", "0" * 64, "names.txt"))
    with pytest.raises(DataError, match=r"cannot be downloaded .* --data") as error:
        data.load("names")
    assert "\n" not in str(error.value)


def test_the_pinned_downloads() -> None:
    assert data.DOWNLOADS["names"].sha256.startswith("0a30b5557f19")
    assert data.DOWNLOADS["shakespeare"].url.endswith("/data/tinyshakespeare/input.txt")
    assert all(d.url.startswith("https://") and len(d.sha256) == 64 for d in data.DOWNLOADS.values())


def test_vocabulary() -> None:
    vocabulary = Vocabulary.of(["cab", "dad"])
    assert (vocabulary.characters, len(vocabulary), vocabulary.end) == ("abcd", 5, 4)
    assert vocabulary.encode("bad") == [1, 0, 3]
    assert vocabulary.decode([1, 0, 3, 4, 2]) == "bad"
    with pytest.raises(DataError, match="'x' is not a character of the data"):
        vocabulary.encode("bax")
    with pytest.raises(DataError, match="no text"):
        Vocabulary.of([])


def test_batches_of_documents() -> None:
    order = ("ab", "c", "abcabc")
    vocabulary = Vocabulary.of(order)
    batches = DocumentBatches(order, vocabulary, context=4, batch_size=2)
    for step in range(4):
        x, y = batches(step)
        assert x.shape == y.shape == (2, 4)
        assert x.dtype == y.dtype == np.int32
        for row in range(2):
            tokens = [3, *vocabulary.encode(order[(2 * step + row) % 3]), 3]
            n = min(4, len(tokens) - 1)
            assert x[row, :n].tolist() == tokens[:n]
            assert y[row].tolist() == tokens[1 : n + 1] + [-1] * (4 - n)


def test_some_documents_are_not_trained_on() -> None:
    documents = [chr(97 + i % 26) * (i + 1) for i in range(25)]
    order = list(documents)
    random.Random(7).shuffle(order)
    parts = split(documents, 7)
    assert parts == {"train": order[:23], "dev": order[23:]}
    assert split(documents[:9], 7)["dev"] == []
    vocabulary = Vocabulary.of(documents)
    batches = evaluation(documents, vocabulary, 4, 7)
    for name, part in parts.items():
        ((x, y),) = batches[name]
        assert x.shape == y.shape == (2, 4)
        assert x[:, 1].tolist() == [vocabulary.encode(document)[0] for document in part[:2]]
    assert evaluation(documents[:9], vocabulary, 4, 7) == {}


def test_blank_lines_are_no_documents() -> None:
    assert Corpus("x", "\n a \n\n").documents == ("a",)
