"""The document: what the page shows, as data for JSON. What stands in each part is said where it is made."""

from __future__ import annotations

import linecache
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any, Final, Protocol

from graphc.families.record import OWN
from graphc.families.registry import FAMILIES
from graphc.inspect.profile import Profile
from graphc.inspect.subject import Subject
from graphc.inspect.viz.convert import KINDS, OTHER
from graphc.inspect.viz.dot import clean
from graphc.ir.graph import Graph, value_names
from graphc.plan.plan import Kernel, Plan
from graphc.report.launches import Launches
from graphc.report.rows import Rows, Table
from graphc.report.stages import stages
from graphc.signature import Retrace

Peaks = tuple[float, float]
"""What a device can do at most: FLOP/s and bytes/s."""

AROUND: Final = 12
"""Lines of a source file between two that a program comes from that are still shown."""

SOURCE: Final = 400
"""Characters of a source line that are shown."""

COLOURS: Final = {
    "input": "#b8860b",
    "constant": "#808080",
    **{family.kind: family.colours.bar for family in FAMILIES if family.kind != OTHER},
    "view": "#9a9a9a",
    "random": "#8e5bb8",
    OTHER: OWN.bar,
    "output": "#c99a00",
}


class Reported(Subject, Protocol):
    """What the page is of: a compiled program, and how often its function was compiled so far, and why."""

    retraces: Sequence[Retrace]


def describe(executable: Reported, profile: Profile | None, peaks: Peaks | None = None) -> dict[str, Any]:
    """The document of a program."""
    rows = Rows()
    plan, memory = executable.plan, executable.memory
    made = graph_document(executable.stages, executable.passes, rows)
    launches = Launches(rows, executable.graph, plan)
    donated = executable.donated
    called = executable.stages[0][1].called
    contract = executable.contract
    made |= {
        "name": clean(executable.name, 120),
        "device": clean(str(executable.wanted or executable.device.name), 200),
        "arguments": [
            [rows.text(name), rows.text(str(value.type)), value.type.nbytes, int(n in donated), rows.value(value)]
            for n, (name, value) in enumerate(zip(called.inputs, executable.graph.inputs, strict=True))
        ],
        "results": [
            [rows.text(name), rows.text(str(value.type)), value.type.nbytes, rows.value(value)]
            for name, value in zip(called.outputs, executable.graph.outputs, strict=True)
        ],
        "launches": launches.described(executable.decisions()),
        "dispatches": launches.dispatches(profile),
        "shares": launches.shares(profile),
        "loops": [[loop.first, loop.last, loop.times] for loop in plan.loops],
        "tensors": _tensors(rows, plan, launches.flat),
        "buffers": [[rows.text(b.name), b.kind, b.nbytes, b.slot] for b in plan.buffers],
        "lifetimes": _lifetimes(executable, plan),
        "memory": {
            "peak": memory.peak_bytes,
            "bound": memory.lower_bound_bytes,
            "naive": memory.naive_bytes,
            "inputs": memory.input_bytes,
            "constants": memory.constant_bytes,
            "outputs": memory.output_bytes,
            "textures": memory.texture_bytes,
        },
        "contract": {
            "parameters": contract.parameters,
            "total": contract.total_bytes,
            "dispatches": contract.dispatches,
            "flops": contract.flops,
            "moved": contract.bytes_moved,
        },
        "peaks": list(peaks) if peaks else None,
        "profile": _profile(profile),
        "retraces": [_retrace(one) for one in executable.retraces],
        **_kernels(rows, plan.kernels),
    }
    return finished(made, rows)


def graph_document(found: Sequence[tuple[str, Graph]], passes: Sequence[Any], rows: Rows) -> dict[str, Any]:
    """The part of a document that stages alone give; `finished` adds the tables."""
    return {"stages": stages(rows, found, passes), "kinds": [[kind, COLOURS[kind]] for kind in KINDS]}


def finished(made: dict[str, Any], rows: Rows) -> dict[str, Any]:
    """The document with the tables that its numbers mean."""
    files, lines = _sources(rows)
    return {
        **made,
        "rows": rows.rows,
        "alike": rows.alike(),
        "types": rows.types,
        "constants": {number: clean(text, 40) for number, text in rows.constants.items()},
        "sources": rows.sources,
        "files": files,
        "lines": lines,
        "texts": rows.text.texts,
    }


def _sources(rows: Rows) -> tuple[list[dict[str, Any]], list[list[int]]]:
    """The files with the lines that are shown, and the file and number of each line that a program comes from."""
    names = list(dict.fromkeys(line.file for line in rows.lines))
    wanted: dict[str, set[int]] = {name: set() for name in names}
    for line in rows.lines:
        wanted[line.file].add(line.line)
    texts = {(line.file, line.line): line.text for line in rows.lines}
    files = []
    for name, short in zip(names, _short_names(names), strict=True):
        shown = []
        for first, last in _spans(sorted(wanted[name])):
            for number in range(first, last + 1):
                text = linecache.getline(name, number).rstrip("\n") or texts.get((name, number), "")
                shown.append([number, clean(text.expandtabs(4), SOURCE)])
        files.append({"name": clean(short, 120), "lines": shown})
    place = {name: number for number, name in enumerate(names)}
    return files, [[place[line.file], line.line] for line in rows.lines]


def _spans(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """The parts of a file that hold these lines, with a few lines around."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        first, last = max(1, number - 3), number + 2
        if found and first - found[-1][1] <= AROUND:
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return found


def _short_names(names: Sequence[str]) -> list[str]:
    """The names of files without their folders, as far as they differ without them."""
    parts = [PurePath(name.replace("\\", "/")).parts for name in names]
    lengths = [1] * len(names)
    while True:
        shown = ["/".join(part[-length:]) for part, length in zip(parts, lengths, strict=True)]
        again = [n for n, name in enumerate(shown) if shown.count(name) > 1 and lengths[n] < len(parts[n])]
        if not again:
            return shown
        for n in again:
            lengths[n] += 1


def _tensors(rows: Rows, plan: Plan, flat: Graph) -> list[list[Any]]:
    """Each tensor of the plan: [name, type, buffer, offset, bytes, first part, last part, value or -1]."""
    values = {name: value for value, name in value_names(flat).items()}
    return [
        [
            rows.text(t.name),
            rows.text(f"{t.dtype}[{','.join(map(str, t.shape))}]"),
            t.buffer,
            t.offset,
            t.nbytes,
            t.start,
            t.end,
            rows.value(values[t.name]) if t.name in values else -1,
        ]
        for t in plan.tensors
    ]


def _lifetimes(executable: Subject, plan: Plan) -> list[list[Any]]:
    """Each record of the memory report: [tensor, arena, offset, bytes, first part, last part, other tensors]."""
    place = {tensor.name: number for number, tensor in enumerate(plan.tensors)}
    return [
        [place[r.name], r.arena, r.offset, r.size, r.start, r.end, [place[n] for n in r.names if n != r.name]]
        for r in executable.memory.lifetimes
    ]


def _kernels(rows: Rows, kernels: Sequence[Kernel]) -> dict[str, Any]:
    """Each kernel, and the lines of their WGSL, of which each stands there once."""
    lines = Table()
    made = [
        {
            "name": rows.text(kernel.name),
            "family": rows.text(kernel.family),
            "needs": list(kernel.needs),
            "turns": kernel.turns,
            "access": list(kernel.access),
            "wgsl": [lines(line, 2000) for line in kernel.wgsl.split("\n")],
        }
        for kernel in kernels
    ]
    return {"kernels": made, "wgsl": lines.texts}


def _profile(profile: Profile | None) -> dict[str, Any] | None:
    if profile is None:
        return None
    return {
        "method": profile.method,
        "repeat": profile.repeat,
        "total": profile.total,
        "submit": profile.submit,
        "span": profile.span,
        "busy": profile.busy,
        "stamped": bool(profile.timings),
    }


def _retrace(one: Retrace) -> list[Any]:
    return [clean(one.signature, 400), [clean(why, 400) for why in one.why]]
