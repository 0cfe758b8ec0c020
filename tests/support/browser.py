"""A headless Chromium with WebGPU on SwiftShader, and a server for folders, for tests of exported pages."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
    "--disable-quic",
)
QUIET = ("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync")
BLANK = "<!doctype html><title>blank</title><link rel=icon href=data:,>"
"""A page for scripts: `blank.html` in a folder that is served."""

PATIENCE = 600_000
"""Milliseconds after which what a page has not done counts as never: a busy machine is no fault of the page."""

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def executable() -> str:
    """The browser on this machine; raises FileNotFoundError where there is none."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    raise FileNotFoundError("no Chromium: run `make setup`")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: tests look at the page."""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The URL under which a folder is served meanwhile."""
    handler = functools.partial(_Quiet, directory=os.fspath(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def browser(*flags: str) -> Iterator[Any]:
    """A browser; `browser.new_page()` gives a page."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=executable(), args=[*FLAGS, *QUIET, *flags])
        try:
            yield running
        finally:
            running.close()


class Page:
    """A page and what it complained about: console errors, and exceptions that nobody caught."""

    def __init__(self, running: Any) -> None:
        self.page = running.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.errors: list[str] = []
        self.page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def run(self, url: str, script: str, *arguments: Any) -> Any:
        """The value of an async JavaScript function body with `load`, `program` (of the URL) and `args` at hand."""
        self.page.goto(url + "blank.html")
        text = f"""async (args) => {{
            const {{ load, toHost, ProgramError }} = await import("{url}runtime.js");
            {script}
        }}"""
        return self.page.evaluate(text, list(arguments))
