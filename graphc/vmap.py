"""vmap: a function of one example becomes a function of many."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from graphc import tree
from graphc.autodiff.batch import batched
from graphc.eager import run_now
from graphc.errors import ShapeError, TraceError
from graphc.ir.types import TensorType
from graphc.passes.attention import raise_attention
from graphc.tracing.core import current, is_tracer, located, require_functions
from graphc.tracing.trace import Spec, argument_paths, called, inline, leaf_type, trace_program
from graphc.transforms import called_with, opened

Function = Callable[..., Any]
Axes = Any
"""An axis, None, or a tree of these that has the structure of the upper part of what it is for."""


def vmap(fn: Function, in_axes: Axes = 0, out_axes: Axes = 0) -> Function:
    """`fn`, which is written for one example, for many: each operation of it works on all of them.

    in_axes: the axis of each argument along which the examples lie, None where all share it; one for all arguments, or
    a tuple with one for each, which may be trees as the arguments are. Arguments given by name are mapped along axis 0.
    out_axes: where the axis of the examples is to be in the results; None for a result that is the same for all.

    It nests, and maps gradients, loops and random keys: a key for each example draws for each what it alone would draw.
    Values that do not depend on a mapped argument are computed once. Raises ShapeError where sizes along the mapped
    axes differ or an axis is not there, TraceError where in_axes or out_axes do not fit. Source: jax.vmap.
    """
    require_functions("vmap", fn=fn)

    @functools.wraps(fn)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        if current() is None and not any(is_tracer(leaf) for leaf in tree.leaves((args, kwargs))):
            leaves, rebuild = opened((args, kwargs))
            inner = functools.partial(_mapped, fn, in_axes, out_axes)
            return run_now(lambda *given: called_with(inner, rebuild(given)), leaves)
        return _mapped(fn, in_axes, out_axes, *args, **kwargs)

    return mapped


def _mapped(fn: Function, in_axes: Axes, out_axes: Axes, /, *args: Any, **kwargs: Any) -> Any:
    """The mapped function inside a running trace."""
    leaves, in_tree = tree.flatten((args, kwargs))
    paths = argument_paths(fn, in_tree)
    axes = [*_argument_axes(fn, in_axes, args), *(0 for _ in tree.leaves(kwargs))]
    names = [called(path) for path in paths]
    found = [_axis(leaf, axis, name) for leaf, axis, name in zip(leaves, axes, names, strict=True)]
    size = _size(leaves, found, names)
    # What is mapped, and other arrays, are inputs of the function's graph; the rest stays as it is.
    chosen = [i for i, leaf in enumerate(leaves) if found[i] is not None or hasattr(leaf, "dtype")]
    given: list[Any] = []
    for i in chosen:
        axis = found[i]
        given.append(leaves[i] if axis in (None, 0) else np.moveaxis(leaves[i], axis, 0))

    def one(*examples: Any) -> Any:
        full = list(leaves)
        for i, x in zip(chosen, examples, strict=True):
            full[i] = x
        return called_with(fn, tree.unflatten(in_tree, full))

    examples = [_example(leaves[i], found[i]) for i in chosen]
    program = trace_program(one, tuple(examples), {})
    flags = [*(found[i] is not None for i in chosen), *(False for _ in program.captured)]
    places = _result_axes(out_axes, program.out_tree)
    graph, made = batched(raise_attention(program.graph), size, flags, [place is not None for place in places])
    for path, place, is_mapped in zip(tree.paths(program.out_tree), places, made, strict=True):
        if place is None and is_mapped:
            what = f"vmap: result{tree.format_path(path)}"
            raise located(TraceError(f"{what} differs from example to example: its out_axes cannot be None"))
    results, treedef = tree.flatten(inline(replace(program, graph=graph), given))
    moved = [_placed(x, place, path) for x, place, path in zip(results, places, tree.paths(treedef), strict=True)]
    return tree.unflatten(treedef, moved)


def _argument_axes(fn: Function, in_axes: Axes, args: tuple[Any, ...]) -> Iterator[Any]:
    """The axis of each leaf of the positional arguments."""
    if isinstance(in_axes, tuple | list):
        if len(in_axes) != len(args):
            text = (
                f"vmap: in_axes {in_axes!r} has {len(in_axes)} entries, and {len(args)} positional arguments were given"
            )
            raise located(TraceError(text))
        marks = tuple(0 for _ in args)
        names = [called(path) for path in argument_paths(fn, tree.structure((marks, {})))]
        for i, (prefix, arg) in enumerate(zip(in_axes, args, strict=True)):
            yield from _spread(prefix, tree.structure(arg), f"in_axes[{i}]", f"argument {names[i]}, ")
    else:
        yield from _spread(in_axes, tree.structure(args), "in_axes")


def _result_axes(out_axes: Axes, out_tree: tree.TreeDef) -> list[Any]:
    return list(_spread(out_axes, out_tree, "out_axes"))


def _spread(prefix: Axes, treedef: tree.TreeDef, what: str, of: str = "") -> Iterator[Any]:
    """The axis of each leaf of a tree; `prefix` is an axis for all of it, or has its upper structure."""
    if prefix is None or (not isinstance(prefix, tuple | list | dict) and tree.is_leaf(prefix)):
        axis = _integer(prefix, what)
        yield from (axis for _ in range(treedef.num_leaves))
        return
    children = tree.children(prefix, treedef)
    if children is None:
        raise located(TraceError(f"vmap: {what} is {prefix!r}, and stands for {of}{treedef}: their structures differ"))
    for key, child, below in zip(treedef.keys or range(len(children)), children, treedef.children, strict=True):
        yield from _spread(child, below, f"{what}{tree.format_path((key,))}", of)


def _integer(axis: Any, what: str) -> int | None:
    if axis is None:
        return None
    try:
        if isinstance(axis, bool):
            raise TypeError
        return operator.index(axis)
    except TypeError:
        raise located(TraceError(f"vmap: {what} is {axis!r}: needs an axis (an integer) or None")) from None


def _axis(leaf: Any, axis: Any, name: str) -> int | None:
    """The axis of the examples, counted from the first one; raises ShapeError where the argument has none such."""
    if axis is None:
        return None
    if not hasattr(leaf, "shape"):
        text = f"vmap: argument {name} is {leaf!r}: it has no axis {axis}; say None for it in in_axes"
        raise located(TraceError(text))
    type, _ = leaf_type(leaf)
    if not -type.ndim <= axis < type.ndim:
        raise located(ShapeError(f"vmap: argument {name} is {type}: it has no axis {axis}; say None for it in in_axes"))
    return int(axis % type.ndim)


def _size(leaves: Sequence[Any], axes: Sequence[int | None], names: Sequence[str]) -> int:
    """How many examples there are; raises where arguments differ in it, or none is mapped."""
    sizes: dict[int, list[str]] = {}
    for leaf, axis, name in zip(leaves, axes, names, strict=True):
        if axis is not None:
            type, _ = leaf_type(leaf)
            sizes.setdefault(type.shape[axis], []).append(f"{name} is {type}, mapped along axis {axis}")
    if not sizes:
        raise located(TraceError("vmap: no argument is mapped: in_axes is None for all of them"))
    if len(sizes) > 1:
        shown = "; ".join(f"{found[0]}: {size} examples" for size, found in sizes.items())
        raise located(ShapeError(f"vmap: arguments differ in their number of examples: {shown}"))
    return int(next(iter(sizes)))


def _example(leaf: Any, axis: int | None) -> Spec:
    """One example of an argument."""
    type, weak = leaf_type(leaf)
    shape = type.shape if axis is None else (*type.shape[:axis], *type.shape[axis + 1 :])
    return Spec(shape, type.dtype.numpy, weak)


def _placed(x: Any, place: int | None, path: tree.Path) -> Any:
    """A result with the axis of the examples where out_axes wants it."""
    if place in (None, 0):
        return x
    if not -x.ndim <= place < x.ndim:
        what = f"vmap: result{tree.format_path(path)}"
        type = TensorType(x.shape[1:], x.value.type.dtype)
        raise located(ShapeError(f"{what} is {type} for one example: out_axes {place} is no place for their axis"))
    return np.moveaxis(x, 0, place)
