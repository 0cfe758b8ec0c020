"""Reports of large programs: how soon they open, and how large they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import graphc
from graphc.cli.subject import program
from tests.support.browser import browser
from tests.support.report_pages import Report, large

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module")
def running() -> Iterator[Any]:
    with browser() as found:
        yield found


@pytest.mark.slow
def test_ten_thousand_nodes_open_in_five_seconds(running: Any, tmp_path: Path) -> None:
    report = Report(running, large(tmp_path), "#tab=graph", viewport={"width": 1400, "height": 900})
    report.click('label:has-text("fold") input')
    assert report.page.evaluate("performance.now()") < 5_000
    frame = """new Promise((done) => {
        const at = performance.now();
        requestAnimationFrame(() => done(performance.now() - at));
    })"""
    report.page.locator("canvas").focus()
    report.page.keyboard.press("+")
    assert report.page.evaluate(frame) < 500
    report.close()


@pytest.mark.slow
def test_the_report_of_six_layers(running: Any, tmp_path: Path) -> None:
    fn, given, donate = program("gpt", "training", 1, ())
    made = graphc.compile(fn, donate=donate).lower(*given)
    made.report(tmp_path / "page.html", profile=made.profile(*given, repeat=1))
    assert (tmp_path / "page.html").stat().st_size <= 3_000_000
    report = Report(running, tmp_path / "page.html", viewport={"width": 1400, "height": 900})
    # wait_for_function would evaluate a string in the page, which its policy forbids
    painted = """new Promise((done) => new PerformanceObserver((seen) => {
        for (const entry of seen.getEntriesByName("first-contentful-paint")) done(entry.startTime);
    }).observe({ type: "paint", buffered: true }))"""
    assert report.page.evaluate(painted) <= 1_500
    for tab in [one.inner_text() for one in report.page.locator("[role=tab]:visible").all()]:
        report.tab(tab)
    report.close()
