"""The language of kernel templates: holes, loops and conditions. Imports nothing of graphc.

`{{name}}` is a hole. A line that holds `{% for a, b in items %}`, `{% if name %}`, `{% else %}` or `{% end %}` and
nothing else is a statement, and leaves no line behind. A loop gives each item, or the parts of each, the names before
`in`; a condition holds for what is neither empty, zero nor None. All else is WGSL, and stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

_TOKEN: Final = re.compile(r"(?m)^[ \t]*\{% (?P<statement>.+?) %\}[ \t]*\n|\{\{(?P<hole>\w+)\}\}")
"""What a template has beside WGSL: nothing else of it is read by a regular expression."""


class TemplateError(ValueError):
    """A template does not exist, is no template, or its holes are not those that were given."""


@dataclass(frozen=True, slots=True)
class Text:
    """WGSL as it stands."""

    text: str


@dataclass(frozen=True, slots=True)
class Hole:
    """What is filled in."""

    name: str


@dataclass(frozen=True, slots=True)
class Loop:
    """Parts that are written once for each item of what `items` names."""

    names: tuple[str, ...]
    items: str
    parts: Parts


@dataclass(frozen=True, slots=True)
class Choice:
    """Parts that are written where what `name` names holds, and others where it does not."""

    name: str
    parts: Parts
    otherwise: Parts


Parts = tuple[Text | Hole | Loop | Choice, ...]


def parse(text: str, name: str = "text") -> Parts:
    """A template; raises TemplateError for a statement that there is not, and one without its end."""
    tokens = _tokens(text)
    parts, last = _parts(tokens, name)
    if last:
        raise TemplateError(f"{name}: {{% {last} %}} ends nothing")
    return parts


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """The text in pieces: ("text" or "hole" or "statement", what it says)."""
    start = 0
    for match in _TOKEN.finditer(text):
        if match.start() > start:
            yield "text", text[start : match.start()]
        kind = match.lastgroup
        assert kind is not None
        yield kind, match[kind]
        start = match.end()
    if start < len(text):
        yield "text", text[start:]


def _parts(tokens: Iterator[tuple[str, str]], name: str) -> tuple[Parts, str]:
    """What comes before the end of a loop or of a condition, and the word that ends it; "" at the end of the text."""
    found: list[Text | Hole | Loop | Choice] = []
    for kind, said in tokens:
        if kind == "text":
            found.append(Text(said))
        elif kind == "hole":
            found.append(Hole(said))
        elif said in ("else", "end"):
            return tuple(found), said
        else:
            found.append(_block(said, tokens, name))
    return tuple(found), ""


def _block(said: str, tokens: Iterator[tuple[str, str]], name: str) -> Loop | Choice:
    word, _, rest = said.partition(" ")
    names, _, items = rest.partition(" in ")
    declared = tuple(part.strip() for part in names.split(","))
    if not (word == "if" and rest.isidentifier()) and not (
        word == "for" and items.isidentifier() and all(map(str.isidentifier, declared))
    ):
        raise TemplateError(f"{name}: there is no statement {{% {said} %}}")
    parts, last = _parts(tokens, name)
    otherwise: Parts = ()
    if last == "else" and word == "if":
        otherwise, last = _parts(tokens, name)
    if last != "end":
        raise TemplateError(f"{name}: {{% {said} %}} has no {{% end %}}")
    return Choice(rest, parts, otherwise) if word == "if" else Loop(declared, items, parts)


def names_of(parts: Parts) -> frozenset[str]:
    """The names that a template needs: those of its holes, loops and conditions which no loop gives."""
    found: set[str] = set()
    for part in parts:
        if isinstance(part, Hole):
            found.add(part.name)
        elif isinstance(part, Loop):
            found |= {part.items} | (names_of(part.parts) - set(part.names))
        elif isinstance(part, Choice):
            found |= {part.name} | names_of(part.parts) | names_of(part.otherwise)
    return frozenset(found)


def written(parts: Parts, values: Mapping[str, object]) -> str:
    """The text of a template with `values` for all its names."""
    return "".join(_written(parts, values))


def _written(parts: Parts, values: Mapping[str, object]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, Text):
            yield part.text
        elif isinstance(part, Hole):
            yield str(values[part.name])
        elif isinstance(part, Choice):
            yield from _written(part.parts if values[part.name] else part.otherwise, values)
        else:
            items = values[part.items]
            if not isinstance(items, Iterable):
                raise TemplateError(f"{part.items} is {items!r}, and a loop needs items")
            for item in items:
                given: Sequence[object] = item if len(part.names) > 1 else (item,)
                yield from _written(part.parts, {**values, **dict(zip(part.names, given, strict=True))})
