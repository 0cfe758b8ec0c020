"""Fixtures that several test files share."""

from __future__ import annotations

import os
import signal
import tempfile
from typing import Any

import pytest
from hypothesis import settings

import graphc.runtime

# Tests measure kernels only where they say so, and never write into the user's cache. Workers and the processes that
# tests start share the file of the first.
if "GRAPHC_TUNE_CACHE" not in os.environ:
    _folder = tempfile.TemporaryDirectory(prefix="graphc-tests-")
    os.environ["GRAPHC_TUNE_CACHE"] = os.path.join(_folder.name, "tuned.json")

# Programs are tested with the kernels of their plans; that others may stand in for those has tests of its own.
os.environ.setdefault("GRAPHC_START", "full")

# What shells start in the background ignores Ctrl-C, and so do its children: tests of it press in vain.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# CI draws the same examples each time; the rest of the world looks for new ones.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("local", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to start where kernels would not be tested on an adapter that programs are run on."""
    found = graphc.runtime.adapters()
    if not found or (found[0].only_by_name and not os.environ.get("GRAPHC_DEVICE")):
        what = f"the only one is {found[0]}" if found else "there is none"
        raise pytest.UsageError(
            f"the tests need a WebGPU adapter, and {what}. Install a Vulkan driver: 'make adapter' does, or "
            "apt-get install mesa-vulkan-drivers. To test on this one all the same, set GRAPHC_DEVICE=wgpu."
        )


@pytest.fixture(scope="session")
def device() -> Any:
    """The best WebGPU adapter of this machine."""
    return graphc.runtime.device("wgpu")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--rewrite-golden` writes the files of tests/golden anew."""
    parser.addoption("--rewrite-golden", action="store_true", help="write the files of tests/golden anew")


@pytest.fixture
def rewrite_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are written instead of compared."""
    return bool(request.config.getoption("--rewrite-golden"))
