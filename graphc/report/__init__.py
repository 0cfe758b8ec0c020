"""The report: everything that is known of a program as one HTML page, each part linked to its counterparts.

`document` gathers what the stages, the plan, the memory report and a profile say, as plain data; `page` puts that and
the viewer (the folder `viewer`) into one file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from graphc.report.document import Peaks, describe
from graphc.report.measure import made_up
from graphc.report.page import page

if TYPE_CHECKING:
    from graphc.executable import Executable
    from graphc.inspect.profile import Profile

__all__ = ["describe", "page", "write"]


def write(
    executable: Executable,
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
