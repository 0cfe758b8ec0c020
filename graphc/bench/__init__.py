"""Benchmarks: fused against unfused, NumPy and what the machine can do at most, measured side by side in one run."""

from __future__ import annotations

from graphc.bench.cases import CASES, USUAL
from graphc.bench.cold import COLD_CASES, GROUP, ColdResult, run_cold
from graphc.bench.harness import CaseResult, Report, Sample, run_cases
from graphc.bench.peers import find
from graphc.bench.show import show

__all__ = [
    "CASES",
    "COLD_CASES",
    "GROUP",
    "USUAL",
    "CaseResult",
    "ColdResult",
    "Report",
    "Sample",
    "find",
    "run_cases",
    "run_cold",
    "show",
]
