"""The report of a GPU: what it can do at most, and how near graphc and PyTorch come to that, in a few minutes."""

from __future__ import annotations

from graphc.bench.gpu.report import SECONDS, GpuReport, gpu_report

__all__ = ["SECONDS", "GpuReport", "gpu_report"]
