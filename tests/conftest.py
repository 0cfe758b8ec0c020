"""Fixtures that several test files share."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

import graphc.runtime

# CI draws the same examples each time; the rest of the world looks for new ones.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("local", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(scope="session")
def device():
    """The best WebGPU adapter of this machine."""
    return graphc.runtime.device("wgpu")
