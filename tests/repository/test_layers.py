"""The direction of imports, and the length of files."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import networkx as nx
import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {"graphc": "graphc", "passes": "graphc.passes", "kernels": "graphc.kernels", "models": "graphc.models"}
MOST_LINES = 500

LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors", "tree", "kernels", "startup"),
    ("ir",),
    ("plan",),
    ("ops",),
    ("analysis", "tracing", "codegen"),
    ("families",),
    ("autodiff",),
    ("reference",),
    ("passes",),
    ("lower",),
    ("runtime",),
    ("inspect", "program"),
    ("signature", "index_check", "limit", "tuner"),
    ("targets", "report"),
    ("executable",),
    ("compile",),
    ("eager",),
    (
        "checkpoint",
        "random",
        "convolution",
        "nn",
        "optim",
        "transforms",
        "vmap",
        "derivatives",
        "scan",
        "control",
        "taps",
        "web",
        "onnx",
        "updates",
        "ordering",
        "solving",
        "immediate",
        "array_api",
    ),
    ("",),
    ("models",),
    ("bench", "selftest"),
    ("cli",),
    ("__main__",),
)
"""Parts of graphc, each importing only from its own layer and those before it. "" is the public face.

What is below calls what is above only where that was put in: `graphc.ir.graph.draw_with` and the tables called ABOVE.
"""

PUBLIC = {"", "errors", "nn", "optim", "random", "tree", "checkpoint", "web"}
"""What models may use."""


@dataclass(frozen=True)
class Import:
    """`importer` imports `imported` (names without the leading graphc); lazy: inside a function."""

    importer: str
    imported: str
    lazy: bool


def modules() -> dict[str, Path]:
    """Module name -> file."""
    found = {}
    for folder, package in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = [p for p in path.relative_to(ROOT / folder).with_suffix("").parts if p != "__init__"]
            found[".".join([package, *parts])] = path
    return found


def imports(known: dict[str, Path]) -> list[Import]:
    """All imports of ours by ours, those for type checkers and those inside functions among them."""
    return [
        Import(short(name), short(target), lazy)
        for name, path in known.items()
        for target, lazy in targets(ast.parse(path.read_text(encoding="utf-8")), known, False)
    ]


def targets(tree: ast.AST, known: dict[str, Path], lazy: bool) -> Iterator[tuple[str, bool]]:
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.Import):
            yield from ((a.name, lazy) for a in child.names if a.name.split(".")[0] == "graphc")
        elif isinstance(child, ast.ImportFrom):
            assert not child.level, "imports are absolute"
            if (child.module or "").split(".")[0] == "graphc":
                for alias in child.names:
                    full = f"{child.module}.{alias.name}"
                    yield full if full in known else str(child.module), lazy
        yield from targets(child, known, lazy or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef))


def short(name: str) -> str:
    return name.removeprefix("graphc").removeprefix(".")


def part(name: str) -> str:
    return name.split(".")[0]


KNOWN = modules()
IMPORTS = imports(KNOWN)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def test_every_part_has_a_layer() -> None:
    unknown = {part(short(name)) for name in KNOWN} - set(LEVEL)
    assert not unknown, f"put {sorted(unknown)} into LAYERS"


def test_imports_go_one_way() -> None:
    wrong = [
        f"{i.importer} imports {i.imported}"
        for i in IMPORTS
        if part(i.imported) != part(i.importer) and LEVEL[part(i.imported)] > LEVEL[part(i.importer)]
    ]
    assert not wrong, "\n".join(wrong)


def test_no_cycle_among_modules() -> None:
    graph = nx.DiGraph((i.importer, i.imported) for i in IMPORTS if i.importer != i.imported)
    assert nx.is_directed_acyclic_graph(graph), nx.find_cycle(graph)


@pytest.mark.parametrize(("name", "others"), [("kernels", set()), ("errors", set()), ("tree", {"errors"})])
def test_what_imports_nothing_of_ours(name: str, others: set[str]) -> None:
    assert {part(i.imported) for i in IMPORTS if part(i.importer) == name} <= {name, *others}


def test_models_use_only_the_public_face() -> None:
    used = {i.imported for i in IMPORTS if part(i.importer) == "models" and part(i.imported) != "models"}
    assert used <= PUBLIC


def test_drawing_is_imported_only_by_methods_that_draw() -> None:
    drawing = "inspect.viz"
    users = {i.importer for i in IMPORTS if i.imported.startswith(drawing) and not i.lazy}
    assert {part(name) for name in users if not name.startswith(drawing)} == {"report"}
    assert {part(i.importer) for i in IMPORTS if part(i.imported) == "report" and not i.lazy} == {"report"}


def test_wgpu_is_imported_by_the_runtime_only() -> None:
    users = set()
    for name, path in KNOWN.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(n.split(".")[0] == "wgpu" for n in names):
                users.add(part(short(name)))
    assert users <= {"runtime"}


def test_the_checks_see_the_imports() -> None:
    assert Import("autodiff.reverse", "tracing.trace", False) in IMPORTS
    assert Import("inspect.pictures", "inspect.viz.draw", True) in IMPORTS
    assert Import("ir.graph", "ir.op", False) in IMPORTS


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    written = ROOT / "tests" / "golden"  # by the compiler, and read as differences
    found = [p for folder in (*FOLDERS, "tests", "docs") for p in (ROOT / folder).rglob("*")]
    paths = [p for p in found if written not in p.parents]
    long = {
        str(p.relative_to(ROOT)): count
        for p in paths
        if p.suffix in (".py", ".wgsl", ".md", ".js", ".html")
        and (count := len(p.read_text(encoding="utf-8").splitlines())) >= MOST_LINES
    }
    assert not long
