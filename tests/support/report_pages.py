"""A report in a browser, for tests, and the page of a large program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import graphc
from graphc.report import page
from graphc.report.document import finished, graph_document
from graphc.report.rows import Rows
from tests.support.browser import Page


class Report(Page):
    """A report that is open in a browser. Asks are clicks, which it counts; requests: whatever it asked others for."""

    def __init__(self, running: Any, path: Path, place: str = "", **context: Any) -> None:
        super().__init__(running.new_context(**context) if context else running)
        self.requests: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.clicks = 0
        self.url = path.as_uri()
        self.page.goto(self.url + place)

    def click(self, selector: str, text: str | None = None) -> None:
        self.clicks += 1
        found = self.page.locator(selector, has_text=text) if text else self.page.locator(selector)
        found.first.click()

    def text(self, selector: str) -> str:
        return str(self.page.locator(selector).first.inner_text())

    def texts(self, selector: str) -> list[str]:
        return [str(one) for one in self.page.locator(selector).all_inner_texts()]

    def tab(self, name: str) -> None:
        self.click(f'[role="tab"]:text-is("{name}")')

    def boxes(self) -> int:
        """How many are drawn."""
        return int(self.text("#graph-help").split()[0].replace(",", ""))

    def close(self) -> None:
        """Nothing went wrong meanwhile, and nothing was asked of anybody else."""
        assert self.errors == []
        assert [url for url in self.requests if not url.startswith((self.url, "data:"))] == []
        self.page.close()


def chain(count: int) -> graphc.Graph:
    """A program of so many nodes, in layers of ten."""

    def function(x: Any, w: Any) -> Any:
        for _ in range(count // 10):
            y = np.tanh(x) * w
            z = np.exp(y) + np.abs(x)
            x = np.maximum(y, z) - np.minimum(y, z) * 0.5 + np.sqrt(np.abs(z))
        return x

    return graphc.trace(function, graphc.spec((4, 4)), graphc.spec((4, 4)))


def large(tmp_path: Path, count: int = 10_000) -> Path:
    """The page of a program of so many nodes."""
    rows = Rows()
    graph = chain(count)
    found = finished({"name": "large", "device": "", **graph_document([("traced", graph)], (), rows)}, rows)
    assert len(found["rows"]) == len(graph.nodes) >= count
    (tmp_path / "page.html").write_text(page(found), encoding="utf-8")
    return tmp_path / "page.html"
