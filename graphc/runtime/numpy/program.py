"""The fast executor of the device "numpy": the fused graph as a list of steps over memory that is allocated once.

Views cost nothing, products go to BLAS with their operands read in place, an op that is the last to read an array of
its own size writes there, and fused bodies run block by block (see numpy_blocks). `graphc.reference` stays the oracle.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc import reference
from graphc.analysis.loops import is_loop
from graphc.families.host import Compute
from graphc.ir.graph import Graph, Node, Value
from graphc.ir.types import NDArray, TensorType
from graphc.ops.structured import dynamic_update_slice, repeat
from graphc.runtime.forks import Lock, Threads
from graphc.runtime.numpy.blocks import Blocked, blocked
from graphc.runtime.numpy.compute import compute

Names = dict[Value, int]
"""Where each value of a graph, or of a body, lies in the program's list of arrays."""


@dataclass(slots=True, eq=False)
class _Step:
    """What is run at once. kind: "view", "op", "loop" (a body in blocks), "repeat" (a scan), "dynamic_update_slice" (a
    row of a stack, in place) or "whole" (several outputs, by the reference).

    elementwise: whether an element of the result depends on that element of its operands alone.
    """

    kind: str
    graph: Graph
    node: Node | None
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    run: Compute | None = None
    loop: Blocked | None = None
    names: Names | None = None
    elementwise: bool = False
    inner: NumpyProgram | None = None
    filled: frozenset[Value] = frozenset()


class NumpyProgram:
    """A graph made ready. Call it with ndarrays of the types of its inputs; it gives new arrays that the caller owns.

    One call runs at a time. pool: threads that share the blocks of a body. stacks: inputs that a loop fills row by row:
    they are written in place, and given back as outputs.
    """

    def __init__(self, graph: Graph, pool: Threads | None, stacks: frozenset[Value] = frozenset()) -> None:
        self._graph = graph
        self._pool = pool
        self._lock = Lock()
        self._values: list[Value] = []
        self._steps: list[_Step] = []
        names = {v: self._slot(v) for v in (*graph.inputs, *graph.constants)}
        self._fixed = {names[v]: array for v, array in graph.constants.items()}
        self._inputs = [names[v] for v in graph.inputs]
        self._stacks = {names[v] for v in stacks}
        self._add_graph(graph, names)
        self._outputs = [names[v] for v in graph.outputs]
        self._root = self._find_roots()
        self._memory: dict[int, NDArray] = {}
        self._place()
        self._spare: dict[tuple[Any, ...], list[NDArray]] = {}

    def __call__(self, arrays: Sequence[NDArray]) -> list[NDArray]:
        """The outputs for these inputs."""
        with self._lock, np.errstate(all="ignore"):
            return self._run(arrays)

    def give(self, array: NDArray) -> None:
        """Memory that nobody needs any more: a later output of its type may lie there."""
        if array.flags.c_contiguous and array.flags.owndata and array.flags.writeable:
            with self._lock:
                spare = self._spare.setdefault((array.shape, array.dtype), [])
                if len(spare) < len(self._outputs):
                    spare.append(array)

    # -- made once

    def _slot(self, value: Value) -> int:
        self._values.append(value)
        return len(self._values) - 1

    def _add_graph(self, graph: Graph, names: Names) -> None:
        for node in graph.nodes:
            body = node.attrs.get("body")
            if is_loop(node):
                self._add_repeat(node, names)
            elif "structured" in node.op.traits and isinstance(body, Graph):
                within = self._add_body(body, [names[v] for v in node.inputs])
                for value, inner in zip(node.outputs, body.outputs, strict=True):
                    names[value] = within[inner]
            else:
                self._add_node(graph, node, names)

    def _add_repeat(self, node: Node, names: Names) -> None:
        """A scan: a program of its own for the body, which is called once a step."""
        body = node.attrs["body"]
        filled = frozenset(
            n.inputs[0] for n in body.nodes if n.op is dynamic_update_slice and n.inputs[0] in body.inputs
        )
        inner = NumpyProgram(body, self._pool, filled)
        reads = tuple(names[v] for v in node.inputs)
        for value in node.outputs:
            names[value] = self._slot(value)
        self._steps.append(
            _Step("repeat", body, node, reads, tuple(names[v] for v in node.outputs), inner=inner, filled=filled)
        )

    def _add_body(self, body: Graph, inputs: list[int]) -> Names:
        names: Names = dict(zip(body.inputs, inputs, strict=True))
        for value, array in body.constants.items():
            names[value] = self._slot(value)
            self._fixed[names[value]] = array
        loop = None if any("structured" in node.op.traits for node in body.nodes) else blocked(body)
        if loop is None:
            self._add_graph(body, names)
        else:
            for node in loop.before:
                self._add_node(body, node, names)
            for value in loop.outputs:
                names[value] = self._slot(value)
            reads = tuple(names[v] for v in loop.sources)
            writes = tuple(names[v] for v in loop.outputs)
            self._steps.append(_Step("loop", body, None, reads, writes, loop=loop, names=names))
            for node in loop.after:
                self._add_node(body, node, names)
        return names

    def _add_node(self, graph: Graph, node: Node, names: Names) -> None:
        reads = tuple(names[v] for v in node.inputs)
        for value in node.outputs:
            names[value] = self._slot(value)
        writes = tuple(names[v] for v in node.outputs)
        if len(writes) == 1 and all(r in self._fixed for r in reads):
            self._fixed[writes[0]] = _constant(graph, node, [self._fixed[r] for r in reads])
            return
        if node.op is dynamic_update_slice and self._stack_of(reads[0]):
            self._steps.append(_Step("dynamic_update_slice", graph, node, reads, writes))
        elif "view" in node.op.traits or node.op.name in ("stop_gradient", "barrier"):
            self._steps.append(_Step("view", graph, node, reads, writes))
        elif len(writes) > 1 or not reads:
            self._steps.append(_Step("whole", graph, node, reads, writes))
        else:
            elementwise = "pointwise" in node.op.traits
            self._steps.append(_Step("op", graph, node, reads, writes, compute(graph, node), elementwise=elementwise))

    def _stack_of(self, slot: int) -> bool:
        """Whether a slot is a stack that this program fills, and remember that what it is written into is one too."""
        if slot in self._stacks:
            self._stacks.add(len(self._values) - 1)
        return slot in self._stacks

    def _find_roots(self) -> list[int]:
        """For each slot, the slot whose memory it lies in."""
        root = list(range(len(self._values)))
        for step in self._steps:
            if step.kind in ("view", "dynamic_update_slice"):
                root[step.writes[0]] = root[step.reads[0]]
        return root

    def _place(self) -> None:
        """Give each value that is computed and is no output its memory; memory is used again after its last reader."""
        last = {self._root[r]: number for number, step in enumerate(self._steps) for r in step.reads}
        kept = {self._root[s] for s in (*self._outputs, *self._inputs, *self._fixed)}
        free: dict[int, list[NDArray]] = {}
        held: dict[int, NDArray] = {}
        for number, step in enumerate(self._steps):
            dying = {self._root[r] for r in step.reads if last[self._root[r]] == number} & held.keys()
            taken = self._in_place(step, dying) if step.kind == "op" else None
            for slot in step.writes:
                if step.kind not in ("op", "loop") or slot in kept:
                    continue
                type = self._values[slot].type
                if taken is not None:
                    store = held.pop(taken)
                    dying.discard(taken)
                else:
                    spare = free.get(_nbytes(type))
                    store = spare.pop() if spare else np.empty(_nbytes(type), np.uint8)
                held[slot] = store
                self._memory[slot] = store.view(type.dtype.numpy).reshape(type.shape)
                if slot not in last:
                    dying.add(slot)
            for slot in dying:
                store = held.pop(slot)
                free.setdefault(store.nbytes, []).append(store)

    def _in_place(self, step: _Step, dying: set[int]) -> int | None:
        """The slot whose memory an elementwise op may write over: read here last, element for element."""
        value = self._values[step.writes[0]]
        for read in step.reads:
            same = self._values[read].type.shape == value.type.shape
            shared = any(r != read and self._root[r] == self._root[read] for r in step.reads)
            whole = self._root[read] == read and _nbytes(self._values[read].type) == _nbytes(value.type)
            if step.elementwise and read in dying and same and whole and not shared:
                return read
        return None

    # -- a call

    def _run(self, arrays: Sequence[NDArray]) -> list[NDArray]:
        env: dict[int, NDArray] = {**self._fixed, **self._memory}
        env.update(zip(self._inputs, arrays, strict=True))
        fresh: set[int] = set()

        def array_for(slot: int) -> NDArray:
            if slot not in env:
                type = self._values[slot].type
                spare = self._spare.get((type.shape, type.dtype.numpy))
                env[slot] = spare.pop() if spare else np.empty(type.shape, type.dtype.numpy)
                fresh.add(slot)
            return env[slot]

        for step in self._steps:
            if step.kind == "op":
                assert step.run is not None
                step.run([env[r] for r in step.reads], array_for(step.writes[0]))
            elif step.kind == "loop":
                self._run_loop(step, env, array_for)
            elif step.kind == "view":
                assert step.node is not None
                env[step.writes[0]] = np.asarray(step.node.op.reference(env[step.reads[0]], **step.node.attrs))
            elif step.kind == "dynamic_update_slice":
                assert step.node is not None
                stack, after, row = (env[r] for r in step.reads)
                stack[int(after) + step.node.attrs["shift"]] = row
                env[step.writes[0]] = stack
            elif step.kind == "repeat":
                env.update(zip(step.writes, self._repeat(step, [env[r] for r in step.reads]), strict=True))
            else:
                assert step.node is not None
                found = reference.run_one(step.graph, step.node, [env[r] for r in step.reads])
                env.update(zip(step.writes, found, strict=True))
        return self._results(env, fresh)

    def _repeat(self, step: _Step, arrays: list[NDArray]) -> tuple[NDArray, ...]:
        assert step.node is not None
        assert step.inner is not None
        for k, value in enumerate(step.graph.inputs):
            if value in step.filled:
                arrays[k] = arrays[k].copy()
        attrs: dict[str, Any] = dict(step.node.attrs)
        return repeat(step.inner, tuple(arrays), **attrs)

    def _run_loop(self, step: _Step, env: dict[int, NDArray], array_for: Callable[[int], NDArray]) -> None:
        loop, names = step.loop, step.names
        assert loop is not None
        assert names is not None
        loop.run(lambda v: env[names[v]], lambda v: array_for(names[v]), self._pool)

    def _results(self, env: dict[int, NDArray], fresh: set[int]) -> list[NDArray]:
        """The outputs as arrays of their own: what is a view of something else, or given twice, is copied."""
        results = []
        for slot in self._outputs:
            own = slot in fresh or slot in self._stacks
            fresh.discard(slot)
            results.append(env[slot] if own else np.array(env[slot], order="C"))
        return results


def _nbytes(type: TensorType) -> int:
    """Bytes of an ndarray of this type (a bool has one here, four on other devices)."""
    return type.size * type.dtype.numpy.itemsize


def _constant(graph: Graph, node: Node, arrays: list[NDArray]) -> NDArray:
    """What a node makes of constants. A mask repeated over leading axes is made once, and repeated as a view."""
    if node.op.name in ("tril", "triu") and not any(arrays[0].strides[:-2]):
        first = arrays[0][(0,) * (arrays[0].ndim - 2)] if arrays[0].size else arrays[0]
        return np.broadcast_to(node.op.reference(first, **node.attrs), arrays[0].shape)
    if "view" in node.op.traits:
        return np.asarray(node.op.reference(*arrays, **node.attrs))
    return reference.run_one(graph, node, arrays)[0]
