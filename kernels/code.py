"""Code: a kernel as a structure, from its template until the last moment. Imports nothing of graphc.

Builders write statements as text in which each access of memory is marked: `load`, `store` and `mention` make the
marks. `Code.of` takes a rendered template apart: the size of its workgroup, what it declares beside its entry
(workgroup memory, constants, functions), and texts whose loads, stores, mentions of operands and calls of its own
functions are records. So kernels are launched together, and operands renamed or found elsewhere, without a look at
WGSL. A template has a layout: declarations begin lines, comments do too, and the entry is written as ENTRY says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

_OPEN, _NEXT, _CLOSE = "\ue000", "\ue001", "\ue002"
_LOAD, _STORE, _MENTION = "L", "S", "M"

ENTRY: Final = (
    "fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) ",
    ": u32) {\n",
)
"""The head of an entry; between the two stands the name of the invocation's number."""
SIZED: Final = "@compute @workgroup_size("
DECLARED: Final = ("fn ", "var", "const ", "struct ", "override ", "alias ")
"""How declarations begin."""


class LayoutError(ValueError):
    """A text has not the layout of a kernel."""


class Load(NamedTuple):
    """The element of an operand at an index."""

    name: str
    place: Text


class Store(NamedTuple):
    """The statement that writes an element of an operand."""

    name: str
    place: Text
    value: Text


class Mention(NamedTuple):
    """The name of an operand (a texture that is read), or of a function of this kernel that is called."""

    name: str


Piece = str | Load | Store | Mention
Text = tuple[Piece, ...]


def load(name: str, index: str) -> str:
    """The mark of a load."""
    return f"{_OPEN}{_LOAD}{name}{_NEXT}{index}{_CLOSE}"


def store(name: str, index: str, value: str) -> str:
    """The mark of a store, a statement."""
    return f"{_OPEN}{_STORE}{name}{_NEXT}{index}{_NEXT}{value}{_CLOSE}"


def mention(name: str) -> str:
    """The mark of a name."""
    return f"{_OPEN}{_MENTION}{name}{_CLOSE}"


class Access(Protocol):
    """How the loads, stores and names of a kernel are written."""

    def load(self, name: str, index: str) -> str:
        """The expression of an element."""

    def store(self, name: str, index: str, value: str) -> str:
        """The statement that writes one."""

    def mention(self, name: str) -> str:
        """A name."""


class Marks:
    """Writes them as marks again."""

    load = staticmethod(load)
    store = staticmethod(store)
    mention = staticmethod(mention)


class _Renamed:
    """Writes them under other names."""

    def __init__(self, access: Access, names: Mapping[str, str]) -> None:
        self._access, self._names = access, names

    def load(self, name: str, index: str) -> str:
        return self._access.load(self._names.get(name, name), index)

    def store(self, name: str, index: str, value: str) -> str:
        return self._access.store(self._names.get(name, name), index, value)

    def mention(self, name: str) -> str:
        return self._access.mention(self._names.get(name, name))


def written(text: Text, access: Access) -> str:
    """The text with its records written."""
    return "".join([piece if isinstance(piece, str) else _piece(piece, access) for piece in text])


def _piece(piece: Load | Store | Mention, access: Access) -> str:
    if isinstance(piece, Load):
        return access.load(piece.name, written(piece.place, access))
    if isinstance(piece, Store):
        return access.store(piece.name, written(piece.place, access), written(piece.value, access))
    return access.mention(piece.name)


def parsed(text: str) -> Text:
    """A text with marks as records."""
    if _OPEN not in text:
        return (text,) if text else ()
    parts: list[list[Piece]] = [[]]  # of the text, or of the mark that is open
    outer: list[list[list[Piece]]] = []
    for number, opened in enumerate(text.split(_OPEN)):
        if number:
            outer.append(parts)
            parts = [[]]
        for depth, closed in enumerate(opened.split(_CLOSE)):
            if depth:
                record, parts = _record(parts), outer.pop()
                parts[-1].append(record)
            if _NEXT in closed:
                first, *others = closed.split(_NEXT)
                if first:
                    parts[-1].append(first)
                parts += [[other] if other else [] for other in others]
            elif closed:
                parts[-1].append(closed)
    return tuple(parts[0])


def _record(parts: list[list[Piece]]) -> Piece:
    """A mark, of its parts; the first holds its kind and its name."""
    (head,), *others = parts
    assert isinstance(head, str)
    kind, name = head[0], head[1:]
    if kind == _LOAD:
        return Load(name, tuple(others[0]))
    return Store(name, tuple(others[0]), tuple(others[1])) if kind == _STORE else Mention(name)


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a module holds beside its entry. kind: one of DECLARED, "//" for comments, "" for blank lines. name: of a
    function."""

    kind: str
    name: str
    text: Text


@dataclass(frozen=True, eq=False)
class Code:
    """A kernel. size: invocations of a workgroup. local: the name of an invocation's number in it. head, tail: what is
    declared before and after the entry, in order. body: the statements of the entry. waits: whether invocations wait
    for each other. names: other names that operands and functions have."""

    size: int
    local: str
    head: tuple[Declaration, ...]
    body: Text
    tail: tuple[Declaration, ...]
    waits: bool = False
    names: Mapping[str, str] = field(default_factory=dict)
    _texts: dict[object, str] = field(default_factory=dict, repr=False)
    _renamed: dict[object, Code] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, text: str) -> Code:
        """The structure of a rendered template; raises LayoutError where it is not laid out as one."""
        before, sized, rest = text.partition(SIZED)
        size, closed, rest = rest.partition(")\n" + ENTRY[0])
        local, opened, rest = rest.partition(ENTRY[1])
        body, end, after = rest.partition("\n}\n")
        if not (sized and closed and opened and end and size.isdigit() and local.isidentifier()):
            raise LayoutError(f"this is no kernel: {text[:200]}")
        head, tail = list(_declarations(before)), list(_declarations(after))
        names = [name for kind, name, _ in (*head, *tail) if kind == "fn "]

        def made(part: str) -> Text:
            return parsed(_calls_marked(part, names))

        parts = [tuple(Declaration(kind, name, made(part)) for kind, name, part in side) for side in (head, tail)]
        return cls(int(size), local, parts[0], made(body + "\n"), parts[1], "Barrier" in text)

    @property
    def declarations(self) -> list[Declaration]:
        """What is declared beside the entry."""
        return [d for d in (*self.head, *self.tail) if d.kind not in ("", "//")]

    @property
    def functions(self) -> list[str]:
        """The names of the functions beside the entry."""
        return [self.names.get(d.name, d.name) for d in self.declarations if d.kind == "fn "]

    def rewritten(self, change: Callable[[Text], Text]) -> Code:
        """The code with each of its texts changed."""

        def changed(d: Declaration) -> Declaration:
            return d if d.kind in ("", "//") else Declaration(d.kind, d.name, change(d.text))

        sides = [tuple(map(changed, side)) for side in (self.head, self.tail)]
        return Code(self.size, self.local, sides[0], change(self.body), sides[1], self.waits, self.names)

    def renamed(self, names: Mapping[str, str]) -> Code:
        """The code with other names for operands and functions."""
        if not names:
            return self
        key = tuple(sorted(names.items()))
        if key not in self._renamed:
            known = {old: names.get(now, now) for old, now in self.names.items()}
            both = {**{old: new for old, new in names.items() if old not in self.names.values()}, **known}
            self._renamed[key] = Code(self.size, self.local, self.head, self.body, self.tail, self.waits, both)
        return self._renamed[key]

    def once(self, key: object, make: Callable[[], str]) -> str:
        """A text made of this code, kept for the next time that it is asked for under the same key."""
        if key not in self._texts:
            self._texts[key] = make()
        return self._texts[key]

    def wgsl(self, access: Access) -> str:
        """The text of the code."""
        access = _Renamed(access, self.names) if self.names else access
        entry = f"{SIZED}{self.size})\n{ENTRY[0]}{self.local}{ENTRY[1]}{written(self.body, access)}}}\n"
        return _declared(self.head, access) + entry + _declared(self.tail, access)

    def function(self, name: str, local: str, access: Access, comments: bool = True) -> str:
        """The entry as a function of the workgroup's and the invocation's number, with what is declared beside it."""
        access = _Renamed(access, self.names) if self.names else access
        head, tail = ([d for d in side if comments or d.kind != "//"] for side in (self.head, self.tail))
        entry = f"fn {name}(group: vec3<u32>, {local}: u32) {{\n{written(self.body, access)}}}\n"
        return _declared(head, access) + entry + _declared(tail, access)


def _declared(parts: Iterable[Declaration], access: Access) -> str:
    return "".join(written(d.text, access) for d in parts)


def _declarations(text: str) -> Iterator[tuple[str, str, str]]:
    """(kind, name, text) of each declaration, comment and gap of a part of a module."""
    kind, lines = "", list[str]()
    for line in text.splitlines(keepends=True):
        begins = None
        if line[0] not in " }\n":
            begins = "//" if line.startswith("//") else next((word for word in DECLARED if line.startswith(word)), None)
        if begins is None and kind == "//":
            begins = ""
        if begins is not None and lines:
            yield kind, _named(kind, lines[0]), "".join(lines)
            lines = []
        kind = kind if begins is None else begins
        lines.append(line)
    if lines:
        yield kind, _named(kind, lines[0]), "".join(lines)


def _named(kind: str, line: str) -> str:
    name = line[len(kind) : line.index("(")] if kind == "fn " else ""
    return name.removeprefix(_OPEN + _MENTION).removesuffix(_CLOSE)


def _calls_marked(text: str, names: Iterable[str]) -> str:
    """The text with these functions mentioned wherever they are called or declared."""
    for name in names:
        found, parts = 0, list[str]()
        call = f"{name}("
        while (at := text.find(call, found)) >= 0:
            inside = at > 0 and (text[at - 1].isalnum() or text[at - 1] == "_")
            parts += [text[found:at], name if inside else mention(name)]
            found = at + len(name)
        text = "".join([*parts, text[found:]])
    return text
