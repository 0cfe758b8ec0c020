"""What is shown of a second program or run beside the first: its figures, its lines, its kernels, its losses."""

from __future__ import annotations

from typing import Any, Final

MOST: Final = 2000
"""Lines of the second program that are kept, and kernels."""


def beside(document: dict[str, Any]) -> dict[str, Any]:
    """The summary of a document that another one can hold.

    lines: [name, text, seconds, bytes] by name and text, so that a line that moved is still found. kernels: [name,
    family, launches, seconds, bytes, operations]. stages: ops after each pass.
    """
    texts = document["texts"]
    return {
        **{key: document[key] for key in ("name", "device", "profile", "memory", "contract")},
        "launches": len(document["dispatches"]),
        "ops": len(document["stages"][0]["rows"]),
        "lines": _lines(document)[:MOST],
        "kernels": [
            [texts[kernel["name"]], texts[kernel["family"]], *_spent(document, number)]
            for number, kernel in enumerate(document["kernels"][:MOST])
        ],
        "run": document.get("run"),
    }


def _lines(document: dict[str, Any]) -> list[list[Any]]:
    cost: dict[int, list[float]] = {}
    for row, seconds, moved, _ in document["shares"]:
        lines = document["sources"][document["rows"][row][4]][0]
        for line in lines:
            found = cost.setdefault(line, [0.0, 0.0])
            found[0] += seconds / len(lines)
            found[1] += moved / len(lines)
    shown = [{number: text.strip() for number, text in file["lines"]} for file in document["files"]]
    made = []
    for line, (seconds, moved) in cost.items():
        file, number = document["lines"][line]
        name = f"{document['files'][file]['name']}:{number}"
        made.append([name, shown[file].get(number, ""), float(f"{seconds:.4g}"), round(moved)])
    return sorted(made, key=lambda one: (-one[2], -one[3]))


def _spent(document: dict[str, Any], kernel: int) -> list[Any]:
    """Launches, seconds, bytes and operations of a kernel."""
    runs = [d for d in document["dispatches"] if d["kernel"] == kernel]
    return [
        len(runs),
        float(f"{sum(d.get('seconds', 0.0) for d in runs):.4g}"),
        sum((d["read"] + d["written"]) * d.get("times", 1) for d in runs),
        sum(d["flops"] * d.get("times", 1) for d in runs),
    ]
