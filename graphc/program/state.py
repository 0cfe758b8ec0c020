"""Whether the first value of an argument fits the argument."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.ir.types import NDArray, dtype_of
from graphc.program.model import Function, Shaped, leaf_count


def misfit(name: str, names: Any, functions: Mapping[str, Function], arrays: Mapping[str, NDArray]) -> str:
    """What an argument called `name` needs where this tree of names of arrays does not fit it in any function.

    Empty where it fits one of those that have such an argument.
    """
    found = [_misfit(name, names, f, arrays) for f in functions.values() if name in _arguments(f)]
    if not found:
        return "absent, for no function has such an argument"
    return "" if "" in found else found[0]


def _arguments(function: Function) -> dict[str, tuple[Shaped, int]]:
    """The structure of each argument and the number of its first leaf."""
    assert isinstance(function.in_tree, Mapping)
    args, kwargs = function.in_tree["items"]
    pairs = [*zip(function.parameters, args["items"], strict=True), *zip(kwargs["keys"], kwargs["items"], strict=True)]
    places, first = {}, 0
    for name, shaped in pairs:
        places[name] = shaped, first
        first += leaf_count(shaped)
    return places


def _misfit(name: str, names: Any, function: Function, arrays: Mapping[str, NDArray]) -> str:
    shaped, slot = _arguments(function)[name]
    leaves: list[str] = []
    if wrong := _collect(shaped, names, leaves, name):
        return wrong
    for leaf, argument in zip(leaves, function.arguments[slot:], strict=False):
        array = arrays[leaf]
        found = dtype_of(array.dtype).name, array.shape
        if found != (argument.dtype, argument.shape):
            return f"{argument.dtype}{list(argument.shape)} for {argument.name}, not {found[0]}{list(found[1])}"
    return ""


def _collect(shaped: Shaped, names: Any, leaves: list[str], where: str) -> str:
    """Append the names of a tree of this structure; what it needs where it has another one."""
    if shaped is None:
        return "" if names is None else f"null for {where}"
    if isinstance(shaped, str):
        if not isinstance(names, str):
            return f"an array for {where}"
        leaves.append(names)
        return ""
    keys = shaped["keys"]
    if shaped["kind"] in ("list", "tuple"):
        if not isinstance(names, list) or len(names) != len(keys):
            return f"a list of {len(keys)} for {where}"
        items = names
    else:
        texts = list(map(str, keys))
        if not isinstance(names, dict) or set(names) != set(texts):
            return f"an object with {', '.join(texts) or 'nothing'} for {where}"
        items = [names[text] for text in texts]
    steps = zip(shaped["items"], items, keys, strict=True)
    return next((wrong for child, item, key in steps if (wrong := _collect(child, item, leaves, f"{where}.{key}"))), "")
