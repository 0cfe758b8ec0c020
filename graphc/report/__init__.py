"""The report: everything that is known of a program as one HTML page, each part linked to its counterparts.

`document` gathers what the stages, the plan, the memory report and a profile say, as plain data; `page` puts that and
the viewer (the folder `viewer`) into one file.
"""

from __future__ import annotations

import os
from pathlib import Path

from graphc.inspect.profile import Profile
from graphc.report.document import Peaks, Reported, describe
from graphc.report.measure import made_up
from graphc.report.page import page

__all__ = ["describe", "page", "write"]


def write(
    executable: Reported,
    path: str | os.PathLike[str],
    profile: Profile | bool = True,
    peaks: Peaks | None = None,
) -> None:
    """Write the page of a program; see `Executable.report`."""
    if isinstance(profile, bool):
        runs = executable.device.needs_plan and not executable.lacks
        measured = made_up(executable) if profile and runs else None
    else:
        measured = profile
    Path(path).write_text(page(describe(executable, measured, peaks)), encoding="utf-8")
