"""WGSL templates and the strict renderer that fills them. Imports nothing of graphc.

A template is a file `kernels/<name>.wgsl` with holes written `{{hole}}`, loops and conditions (see `language`).
Rendering needs exactly the names that the template has. The files named in LIBRARIES hold functions written once for
scalars and for vec4, of which a kernel takes only those that it calls, with what those call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from graphc.kernels.blocks import called, named, word
from graphc.kernels.language import Parts, TemplateError, names_of, parse, written

FOLDER: Final = Path(__file__).resolve().parent
LIBRARIES: Final = ("math", "functions", "arith", "double", "random")
SUFFIX: Final[Mapping[int, str]] = MappingProxyType({1: "", 4: "_v4"})
"""What is appended to the name of a library function, by the width of its arguments."""


@cache
def template(name: str) -> str:
    """The text of `kernels/<name>.wgsl`; raises TemplateError where there is none."""
    path = FOLDER / f"{name}.wgsl"
    if not name.isidentifier() or not path.is_file():
        raise TemplateError(f"there is no kernel template {name!r}; there are: {', '.join(templates())}")
    return path.read_text(encoding="utf-8")


def templates() -> list[str]:
    """Names of all templates, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.wgsl"))


def fill(text: str, holes: Mapping[str, object], name: str = "text") -> str:
    """`text` with its holes filled, its loops and conditions done; raises TemplateError for a name that is missing or
    unknown."""
    parts, wanted = _parsed(text, name)
    if missing := sorted(wanted - set(holes)):
        raise TemplateError(f"{name}: no value for {', '.join(missing)}")
    if unknown := sorted(set(holes) - wanted):
        raise TemplateError(f"{name}: has no hole {', '.join(unknown)}")
    return written(parts, holes)


@lru_cache(256)
def _parsed(text: str, name: str) -> tuple[Parts, frozenset[str]]:
    parts = parse(text, name)
    return parts, names_of(parts)


def render(name: str, /, **holes: object) -> str:
    """The template `kernels/<name>.wgsl` with its holes filled; raises TemplateError unless they match exactly."""
    return fill(template(name), holes, name)


@cache
def _library() -> Mapping[str, str]:
    """Each declaration of the libraries by its name without width suffix, in the order in which they stand."""
    found: dict[str, str] = {}
    for library in LIBRARIES:
        text, start = template(library), 0
        for line in text.splitlines(keepends=True):
            kind, _, rest = line.partition(" ")
            if kind in ("fn", "const", "struct"):
                end = text.find("\n", start) if kind == "const" else text.find("\n}", start) + 2
                found[word(rest)] = text[start:end]
            start += len(line)
    return MappingProxyType(found)


def _types(width: int) -> dict[str, str]:
    if width == 1:
        return {"S": "", **_SCALARS}
    return {"S": SUFFIX[width], **{hole: f"vec{width}<{scalar}>" for hole, scalar in _SCALARS.items()}}


_SCALARS = {"F": "f32", "I": "i32", "U": "u32", "B": "bool", "D": "f64", "L": "i64"}


@cache
def _needs(name: str) -> frozenset[str]:
    text = _library()[name].replace("{{S}}", "")
    return frozenset((called(text, "gc_") | named(text, "GC_")) - {name})


def math_functions() -> list[str]:
    """Names of all library functions, without width suffix."""
    return [name for name in _library() if name.startswith("gc_")]


def math_source(names: Iterable[tuple[str, int]], buffer: str = "y0") -> str:
    """WGSL of the library functions `(name, width)`, width 1 or 4, with everything that they call, each once.

    A name may carry the width suffix already ("gc_exp_v4"). buffer: a storage buffer that the module declares, of which
    `gc_unknown` asks the length. Raises TemplateError for a function that does not exist.
    """
    wanted: dict[tuple[str, int], None] = {}
    stack = [(name.removesuffix(SUFFIX[4]), width) for name, width in names]
    library = _library()
    while stack:
        name, width = stack.pop()
        if name not in library:
            raise TemplateError(f"there is no library function {name!r}; there are: {', '.join(math_functions())}")
        key = (name, 1 if "{{S}}" not in library[name] else width)
        if key in wanted:
            continue
        wanted[key] = None
        stack += [(called, width) for called in _needs(name)]
    order = {name: position for position, name in enumerate(library)}
    texts = []
    for name, width in sorted(wanted, key=lambda key: (order[key[0]], key[1])):
        text = library[name]
        known = {**_types(width), "buffer": buffer}
        holes = {hole: t for hole, t in known.items() if f"{{{{{hole}}}}}" in text}
        texts.append(fill(text, holes, name))
    return "\n".join(texts) + ("\n" if texts else "")


def library_texts() -> list[str]:
    """The text of each library, with its holes."""
    return [template(name) for name in LIBRARIES]


@lru_cache(1024)
def _called(text: str) -> frozenset[str]:
    return frozenset(called(text, "gc_"))


def calls(text: str) -> set[tuple[str, int]]:
    """The library functions that WGSL text calls, as (name, width): what `math_source` needs to complete it."""
    found = set()
    for name in _called(text):
        base = name.removesuffix(SUFFIX[4])
        if base in _library():
            found.add((base, 4 if base != name else 1))
    return found
