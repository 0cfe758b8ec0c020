"""The docs site: it builds without a warning, and the models in its gallery are live."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.adapters import ROOT
from tests.support.browser import Page, browser, serving

MODELS = ("bigram", "mlp", "batchnorm_mlp", "microgpt", "gpt")

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.xdist_group("browser")]


def test_the_gallery_is_live_under_any_path(tmp_path: Path) -> None:
    site = tmp_path / "served" / "some" / "where"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(site)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stderr}\n(`make docs` installs what is needed)"
    assert "WARNING" not in done.stderr
    with browser() as running, serving(tmp_path / "served") as url:
        found = Page(running)
        elsewhere: list[str] = []

        def asked(request: Any) -> None:
            if not request.url.startswith((url, "blob:", "data:")):
                elsewhere.append(request.url)

        found.page.on("request", asked)
        for page in ("", "gpt/", "api/nn/", "source/models/gpt.py/"):
            found.page.goto(f"{url}some/where/{page}")
            assert found.page.inner_text("h1")
        found.page.goto(f"{url}some/where/gallery/")
        for name in MODELS:
            found.page.locator(f"iframe[src^='{name}/']").scroll_into_view_if_needed()
            live = found.page.frame_locator(f"iframe[src^='{name}/']")
            live.locator("#sample:enabled").wait_for()
            live.locator("#sample").click()
            live.locator("#status", has_text="Ready.").wait_for()
            live.locator("#samples", has_text="a").wait_for()
            live.locator("#steps").fill("3")
            live.locator("#train").click()
            live.locator("#train", has_text="Train").wait_for()
            live.locator("#sample:enabled").wait_for()
            assert live.locator("#status").inner_text() == "Ready."
            assert live.locator("#loss").inner_text() != "–"
        assert not found.errors
        assert not elsewhere
