"""A profile as one self-contained HTML page: each dispatch a bar in time, coloured by the family of its kernel."""

from __future__ import annotations

from typing import Any, Final

import jinja2

from graphc.families.record import OWN
from graphc.families.registry import FAMILIES
from graphc.inspect.timing import Measured
from graphc.inspect.viz.dot import clean

COLOURS: Final = {family.kind: family.colours.bar for family in FAMILIES}
_BARS: Final = {family.name: family.colours.bar for family in FAMILIES}


def waterfall(profile: Measured) -> str:
    """The page's HTML. All text of the user's program is escaped; the page loads nothing from elsewhere."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("graphc.inspect.viz"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template("waterfall.html.j2")
    return page.render(profile=profile, rows=_rows(profile), colours=list(COLOURS.items()))


def _rows(profile: Measured) -> list[dict[str, Any]]:
    span = max((t.start + t.seconds for t in profile.timings), default=0.0) or 1.0
    rows: list[dict[str, Any]] = []
    phase = ""
    for timing in profile.timings:
        begins = timing.dispatch.phase != phase
        phase = timing.dispatch.phase
        rows.append(
            {
                "phase": phase if begins else "",
                "number": timing.number,
                "kernel": timing.kernel.name,
                "ops": clean("\n".join(timing.dispatch.nodes)),
                "lines": clean(", ".join(timing.dispatch.lines)),
                "micro": timing.seconds * 1e6,
                "gflops": timing.gflops,
                "gbytes": timing.gbytes,
                "left": 100 * timing.start / span,
                "width": 100 * timing.seconds / span,
                "colour": _BARS.get(timing.kernel.family, OWN.bar),
            }
        )
    return rows
