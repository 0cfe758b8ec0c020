"""Texts of indices and elements in WGSL."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir.index import LANES, Idx
from graphc.ir.op import Lanes, Term
from graphc.ir.types import i32


def quarter(flat: Idx) -> str:
    """The number of the vector that starts at `flat`."""
    if flat.const is not None:
        return f"{flat.const // LANES}u"
    suffix = f" * {LANES}u)"
    if flat.text.startswith("(") and flat.text.endswith(suffix) and is_atom(flat.text[1 : -len(suffix)]):
        return flat.text[1 : -len(suffix)]
    return f"{flat.text} / {LANES}u"


def number_of(idx: Idx) -> int | None:
    """The number that an index is in lane 0, where its expression is one: of a row that is laid out in full."""
    digits = idx.text.removesuffix("u")
    return int(digits) if digits.isdecimal() and digits != idx.text else idx.const


def plus(text: str, number: int) -> str:
    """A name and a number that is added, or taken away."""
    return text if number == 0 else f"{text} {'+' if number > 0 else '-'} {abs(number)}u"


def swizzled(elements: Sequence[str]) -> list[str]:
    """Elements, those that lie in a row in one vector as one expression: v1.y and v1.z as v1.yz."""
    found: list[str] = []
    for element in elements:
        name, _, lane = element.rpartition(".")
        before, _, lanes = found[-1].rpartition(".") if found else ("", "", "")
        if name.isalnum() and name == before and lanes in "xyzw" and lane == "xyzw"["xyzw".index(lanes[-1]) + 1 :][:1]:
            found[-1] += lane
        else:
            found.append(element)
    return found


def is_atom(text: str) -> bool:
    """Whether the text is a name, or a literal, alone or in a vector constructor."""
    inner = text.partition("(")
    if inner[1] and inner[0].startswith("vec4<") and text.endswith(")") and "(" not in inner[2]:
        text = inner[2][:-1]
    return text.replace("_", "").replace(".", "", 1).lstrip("-").isalnum()


def narrowed(ids: Term, width: int) -> str:
    """Signed indices in 32 bits: what is too large stays out of range."""
    if ids.dtype.wgsl != "i64":
        return ids.text
    wide, narrow = Lanes(width)(ids.dtype), Lanes(width)(i32)
    return f"{narrow}(clamp({ids.text}, {wide}({-(2**31)}li), {wide}({2**31 - 1}li)))"
