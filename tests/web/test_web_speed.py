"""How fast pages are on SwiftShader: printed, and held against Python on the same adapter; nothing is asserted."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

import pytest

from graphc.models import page
from tests.support.adapters import run_on
from tests.support.browser import Page, browser, serving
from tests.web.test_web_pages import CASES, click

STEPS = 40
TURNS = 5
ROUNDS = 3
"""How often Python and the page take turns: a machine's speed changes while other work comes and goes."""

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.mark.parametrize("name", ["mlp", "microgpt"])
def test_the_speed_of_a_page(name: str, tmp_path: Path, capsys: Any) -> None:
    case = CASES[name]
    page.write(case.trained(), tmp_path / "page")
    with browser() as running, serving(tmp_path / "page") as url:
        Page(running).page.goto("about:blank")
        found = Page(running)
        begun = time.perf_counter()
        found.page.goto(url)
        found.page.wait_for_function("document.getElementById('status').textContent === 'Ready.'")
        interactive = time.perf_counter() - begun
        found.page.fill("#text", case.text)
        found.page.fill("#steps", str(STEPS))
        click(found, "Train")  # the first steps wait for kernels to be compiled
        speeds: list[float] = []
        python: list[float] = []
        for _ in range(ROUNDS):
            python += map(float, run_on("swiftshader", "tests.support.web_speed", name, str(STEPS)).split())
            for _ in range(TURNS):
                click(found, "Train")
                speeds.append(float(found.page.inner_text("#speed").split()[0]))
        dispatches = found.page.text_content("#facts dd:nth-of-type(3)")
    with capsys.disabled():
        print(
            f"\n{name} on SwiftShader ({dispatches}): {statistics.median(speeds):.1f} steps/s in the page, "
            f"{statistics.median(python):.1f} in Python, {statistics.median(speeds) / statistics.median(python):.2f} "
            f"of it (medians); ready after {interactive:.2f} s"
        )
    assert min(speeds) > 0
    assert not found.errors
