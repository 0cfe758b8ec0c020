"""Fixtures that several test files share."""

from __future__ import annotations

import pytest

import graphc.runtime


@pytest.fixture(scope="session")
def device():
    """The best WebGPU adapter of this machine."""
    return graphc.runtime.device("wgpu")
