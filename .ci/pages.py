"""Pages of the docs site that nobody writes: the home page, the reference, sources that are linked, the gallery.

A hook of mkdocs, named in mkdocs.yml. README.md is the home page; links out of docs/ lead to pages with the text of the
file. The gallery and the pictures are made anew by each
build.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / ".ci")]

import gallery  # noqa: E402  # they stand beside this file
import images  # noqa: E402

_built: Final = tempfile.TemporaryDirectory()
"""Where the gallery and the pictures are until mkdocs has copied them."""

TOP: Final = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
REFERENCE: Final = {
    "graphc": "compile trace spec scan grad value_and_grad stop_gradient custom_vjp checkpoint tap with_taps save load "
    "load_metadata load_program enable_x64 asarray device devices Array Compiled Executable Graph Device",
    "nn": "",
    "optim": "",
    "random": "",
    "tree": "",
    "web": "export write_page",
    "onnx": "load export Model Backend OnnxError UnsupportedError",
    "errors": "",
}
"""The modules of the reference, and the names that are shown of each; none: all that are public."""

LINK: Final = re.compile(r"(\]\()([^)#:\s]+)((?:#[^)\s]*)?\))")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and files that are not written by hand."""
    for source, target in TOP.items():
        files.append(File.generated(config, target, content=_moved((ROOT / source).read_text("utf-8"), source, target)))
    for module, names in REFERENCE.items():
        files.append(File.generated(config, f"api/{module}.md", content=_reference(module, names)))
    for path in sorted(set(_sources())):
        text = f"---\nsearch: {{exclude: true}}\n---\n# {path}\n\n{_fenced(ROOT / path)}"
        files.append(File.generated(config, _page_of(path), content=text))
    place = Path(_built.name)
    gallery.build(place / "gallery", place / "runs")
    images.draw(place / "images", place / "runs")
    for file in sorted(p for name in ("gallery", "images") for p in (place / name).rglob("*") if p.is_file()):
        uri = file.relative_to(place).as_posix()
        if (kept := files.get_file_from_path(uri)) is not None:
            files.remove(kept)  # a picture that is kept beside the text: this one is of today
        files.append(File.generated(config, uri, abs_src_path=str(file)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links out of docs/ lead to the pages made for them."""
    written = page.file.generated_by is None
    return _moved(markdown, f"docs/{page.file.src_uri}", page.file.src_uri) if written else markdown


def _moved(markdown: str, source: str, target: str) -> str:
    """The text of `source`, a path in the repository, with links that are right in `target`, a path in the site."""

    def link(found: re.Match[str]) -> str:
        path = os.path.normpath(os.path.join(os.path.dirname(source), found[2]))
        goal = TOP.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else _page_of(path))
        known = (ROOT / path).exists() or path.startswith("docs/")
        return f"{found[1]}{os.path.relpath(goal, os.path.dirname(target))}{found[3]}" if known else found[0]

    return LINK.sub(link, markdown)


def _sources() -> Iterator[str]:
    """Files outside of docs/ that pages link to."""
    for page in (*(ROOT / name for name in TOP), *(ROOT / "docs").glob("*.md")):
        for found in LINK.finditer(page.read_text("utf-8")):
            path = Path(os.path.normpath(page.parent / found[2]))
            if path.is_file() and not path.is_relative_to(ROOT / "docs") and path.name not in TOP:
                yield path.relative_to(ROOT).as_posix()


def _page_of(path: str) -> str:
    return f"source/{path}.md"


def _fenced(path: Path) -> str:
    language = {".py": "python", ".wgsl": "rust", ".yml": "yaml"}.get(path.suffix, "text")
    return f"``````{language}\n{path.read_text('utf-8').rstrip()}\n``````\n"


def _reference(module: str, names: str) -> str:
    """A page of the reference."""
    path = "graphc" if module == "graphc" else f"graphc.{module}"
    if not names:
        return f"# {path}\n\n::: {path}\n"
    parts = (
        f"::: {path}.{name}\n    options: {{show_root_heading: true, show_root_toc_entry: true}}"
        for name in names.split()
    )
    return f"# {path}\n\n" + "\n\n".join(parts) + "\n"
