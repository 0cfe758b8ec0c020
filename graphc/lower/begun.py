"""Slices whose place stands in the binding instead of the text, so that kernels of many steps have one text.

Steps that are written out one after the other differ in where their slices begin: x[0] in the first one, x[1] in the
next. A launch that is to compile soon binds the tensor from there on, as far as alignment lets it, and reads slices
that begin at 0: then the driver compiles one kernel for all steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace

from graphc.codegen.kernel import BuildContext, KernelSource
from graphc.ir.graph import Graph, Node, Value, reports
from graphc.ir.types import strides_of
from graphc.lower.alike import graph_key, over
from graphc.ops.movement import slice_

Build = Callable[[Graph, BuildContext], list[KernelSource]]
"""The builder of a kernel family."""


class Begun:
    """Kernels that bind tensors from where their slices begin, each kind of them once. alignment: of bindings."""

    def __init__(self, alignment: int) -> None:
        self._alignment = alignment
        self._known: dict[Hashable, tuple[list[Value], KernelSource | None]] = {}

    def with_quick(self, source: KernelSource, body: Graph, context: BuildContext, build: Build) -> KernelSource:
        """The one kernel of a body, with a quick launch that binds tensors from where their slices begin, if it may.

        Two ways to the same tensor, or a result in its bytes, need all of it.
        """
        starts = {} if any(True for _ in reports(body.nodes)) else self._starts(body, context.storage)
        tensors = {context.storage[v] for v, start in starts.items() if any(start)}
        if tensors.isdisjoint(o.value for o in source.operands) or tensors & {old for _, old in source.pairs()}:
            return source
        quick = self._built(_moved(body, starts), context, build)
        if quick is None or not set(source.pairs()) <= set(quick.pairs()):
            return source
        begin = {context.storage[v]: _elements(v, start) for v, start in starts.items()}
        whole = [o for o in quick.operands if o.value in begin and (o.windows > 1 or o.texture or o.uniform)]
        if whole:
            return source
        operands = tuple(replace(o, start=begin.get(o.value, 0)) for o in quick.operands)
        return source.with_quick([replace(quick, operands=operands)])

    def _starts(self, body: Graph, storage: Mapping[Value, Value]) -> dict[Value, tuple[int, ...]]:
        """For inputs that only slices read, where the first of them begins, at a place that may be bound."""
        roots = [storage[v] for v in (*body.inputs, *body.outputs)]
        readers: dict[Value, list[Node]] = {}
        for node in body.nodes:
            for value in node.inputs:
                readers.setdefault(value, []).append(node)
        found = {}
        for value in body.inputs:
            nodes = readers.get(value, [])
            sliced = all(n.op is slice_ and min(n.attrs["step"], default=1) > 0 for n in nodes)
            if not nodes or not sliced or roots.count(storage[value]) > 1:
                continue
            first = [min(starts) for starts in zip(*(n.attrs["start"] for n in nodes), strict=True)]
            unit = [self._alignment // math.gcd(self._alignment, n) for n in _byte_strides(value)]
            found[value] = tuple(start - start % each for start, each in zip(first, unit, strict=True))
        return found

    def _built(self, body: Graph, context: BuildContext, build: Build) -> KernelSource | None:
        """The quick launch of a body, or that of one like it over this one's tensors; None where it takes several."""
        tensors = [context.storage[v] for v in (*body.inputs, *body.outputs)]
        number = {value: n for n, value in enumerate(dict.fromkeys(tensors))}
        marked = tuple(n for n, node in enumerate(body.nodes) if node in context.textured)
        key = graph_key(body), tuple((number[t], t.type, t in context.uniform) for t in tensors), marked
        if key not in self._known:
            sources = build(body, context)
            quick = (sources[0].quick or tuple(sources)) if len(sources) == 1 else ()
            self._known[key] = tensors, quick[0] if len(quick) == 1 else None
        theirs, known = self._known[key]
        return over(known, dict(zip(theirs, tensors, strict=True))) if known else None


def _moved(body: Graph, starts: Mapping[Value, tuple[int, ...]]) -> Graph:
    """The body with slices that begin so much earlier."""

    def moved(node: Node) -> Node:
        if node.op is not slice_ or node.inputs[0] not in starts:
            return node
        by = starts[node.inputs[0]]
        less = {name: tuple(a - b for a, b in zip(node.attrs[name], by, strict=True)) for name in ("start", "stop")}
        return replace(node, attrs={**node.attrs, **less})

    return replace(body, nodes=tuple(map(moved, body.nodes)))


def _elements(value: Value, position: tuple[int, ...]) -> int:
    """How many elements of a value lie before a position."""
    return sum(a * stride for a, stride in zip(position, strides_of(value.type.shape), strict=True))


def _byte_strides(value: Value) -> list[int]:
    return [n * value.type.dtype.itemsize for n in strides_of(value.type.shape)]
