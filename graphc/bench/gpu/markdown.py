"""The report of a GPU as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

MARK: Final = {True: "met", False: "MISSED", None: "not measured"}


def markdown(data: Mapping[str, Any]) -> str:
    """The whole report, of GpuReport.to_data; what is not measured yet is left out."""
    parts = [_head(data), _peaks(data), _host(data), _rows(data), _goals(data), _checks(data)]
    parts += [f"## Kernels of {name}\n\n```\n{text}\n```" for name, text in data["profiles"].items()]
    parts += [_errors(data), _limits(data)]
    return "\n\n".join(part for part in parts if part)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _head(data: Mapping[str, Any]) -> str:
    adapter, machine = data["adapter"], data["machine"]
    lines = [
        f"# graphc on {adapter.get('name', 'an adapter')}",
        "",
        f"- {adapter.get('kind', '?')}, through {adapter.get('backend', '?')}, driver {adapter.get('driver') or '?'}",
        f"- subgroup: {adapter.get('subgroup', '?')}; features: {', '.join(adapter.get('features', ()))}",
        f"- PyTorch: {data['torch']}",
        f"- {machine['cores']} cores, {machine['platform']}, Python {machine['python']}, {machine['date']}",
        f"- measured in {data['seconds']:.0f} s",
    ]
    if (checks := adapter.get("checks", "all")) != "all":
        lines.append(f"- kernels have these of wgpu-native's checks: {checks} (GRAPHC_CHECKS)")
    if data["small"]:
        lines.append("- tiny sizes: the figures say nothing")
    return "\n".join(lines)


def _peaks(data: Mapping[str, Any]) -> str:
    rows = [
        (name.replace("_", " "), f"{rate / 1e12:.4g} {'TFLOP/s' if 'multiply' in name else 'TB/s'}")
        for name, rate in data["peaks"].items()
    ]
    return "## What it can do at most\n\n" + _table(("what", "rate"), rows) if rows else ""


def _host(data: Mapping[str, Any]) -> str:
    rows = [(name.replace("_", " "), f"{value:.3f}") for name, value in data["launches"].items()]
    rows += [(name.replace("_", " "), f"{value:.4g}") for name, value in data["transfers"].items()]
    if not rows:
        return ""
    return "## Launches and the host\n\nA dispatch that does nothing, and transfers.\n\n" + _table(("what", ""), rows)


COLUMNS: Final = (
    "program",
    "by",
    "ms",
    "ms a call",
    "TFLOP/s",
    "of peak",
    "GB/s",
    "of copy",
    "graphc is faster",
    "dispatches",
    "host us/dispatch",
    "first result s",
)


def _rows(data: Mapping[str, Any]) -> str:
    lines: list[Sequence[str]] = []
    for name, row in data["rows"].items():
        found = row["metrics"]
        lines.append(
            (
                f"{name}: {row['what']}",
                "graphc",
                f"{row['seconds'] * 1e3:.4f}",
                f"{row['call_seconds'] * 1e3:.4f}",
                _figure(found.get("tflops")),
                _share(found.get("of_multiply_add")),
                _figure(found.get("gbytes")),
                _share(found.get("of_copy")),
                "",
                str(row["dispatches"]),
                f"{found['host_us_a_dispatch']:.2f}",
                f"{row['compile_s'] + row['first_s']:.2f}",
            )
        )
        for who, ratio, title in (
            ("torch_seconds", "times_torch", "PyTorch"),
            ("torch_tf32_seconds", "times_torch_tf32", "PyTorch, TF32"),
        ):
            if who in row:
                seconds = row[who]
                lines.append(
                    (
                        "",
                        title,
                        f"{seconds * 1e3:.4f}",
                        "",
                        _figure(row["flops"] / seconds / 1e12 if row["flops"] else None),
                        _share(_scaled(found.get("of_multiply_add"), row["seconds"] / seconds)),
                        _figure(row["bytes"] / seconds / 1e9 if row["bytes"] else None),
                        _share(_scaled(found.get("of_copy"), row["seconds"] / seconds)),
                        f"{found[ratio]:.2f}x",
                        "",
                        "",
                        "",
                    )
                )
    if not lines:
        return ""
    notes = [f"- {n}: PyTorch: {r['torch_absent']}" for n, r in data["rows"].items() if r["torch_absent"]]
    unlike = [note for note in notes if not note.endswith(data["torch"])]
    told = (
        '"ms": the device\'s time, many recorded in a submit; of training steps, that of calls. '
        "\"graphc is faster\": PyTorch's time by graphc's."
    )
    return "\n\n".join(["## Programs", told, _table(COLUMNS, lines), *(["\n".join(unlike)] if unlike else [])])


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def _scaled(value: float | None, by: float) -> float | None:
    return None if value is None else value * by


def _goals(data: Mapping[str, Any]) -> str:
    rows = [(g["program"], g["goal"], _figure(g["value"]), MARK[g["met"]]) for g in data["goals"]]
    return "## Goals\n\n" + _table(("program", "goal", "measured", ""), rows) if rows else ""


def _checks(data: Mapping[str, Any]) -> str:
    rows = [
        (
            name,
            *(f"{found[way] * 1e3:.4f}" for way in found),
            *(f"{found['all'] / found[way]:.3f}x" for way in list(found)[1:]),
        )
        for name, found in data["checks"].items()
    ]
    if not rows:
        return ""
    ways = list(next(iter(data["checks"].values())))
    head = ("program", *(f"ms, {way}" for way in ways), *(f"gain, {way}" for way in ways[1:]))
    return "## wgpu-native's checks in kernels (GRAPHC_CHECKS)\n\n" + _table(head, rows)


def _errors(data: Mapping[str, Any]) -> str:
    lines = [f"- {name}: {' '.join(text.split())}" for name, text in data["errors"].items()]
    lines += [f"- {name}: not begun, the time was over" for name in data["skipped"]]
    return "## What failed, or was left out\n\n" + "\n".join(lines) if lines else ""


def _limits(data: Mapping[str, Any]) -> str:
    adapter = data["adapter"]
    if not adapter:
        return ""
    rows = [(name, str(value), str(adapter["offered_limits"][name])) for name, value in adapter["limits"].items()]
    offered = ", ".join(adapter["offered_features"])
    return "\n\n".join(["## Limits", _table(("limit", "used", "offered"), rows), f"Features of the adapter: {offered}"])
