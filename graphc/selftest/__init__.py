"""`graphc selftest`: is what this adapter computes right? Every kernel family against the reference."""

from __future__ import annotations

from graphc.selftest.report import Report, show
from graphc.selftest.runner import Outcome, reproduce, run

__all__ = ["Outcome", "Report", "reproduce", "run", "show"]
