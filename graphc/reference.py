"""The NumPy executor of graphs and of plans: the oracle of every stage, and the device "numpy".

`run` executes a graph by the reference of each op. `run_plan` executes a plan dispatch by dispatch in byte arenas, as
a GPU would, where every word knows the tensor that it belongs to: reading bytes that were never written, that died, or
that another tensor has taken over is an error that names both tensors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from graphc.analysis.loops import flatten, is_loop
from graphc.errors import DTypeError, GraphError, IndexRangeError, ShapeError
from graphc.ir.graph import Graph, Node, Value, describe, execute, run_node, value_names
from graphc.ir.types import NDArray, TensorType, dtype_of
from graphc.ops.indexing import axis_length
from graphc.ops.structured import dynamic_update_slice, repeat
from graphc.plan.course import Course, Run, course
from graphc.plan.plan import Dispatch, Plan, Tensor, range_message

POISON: Final = 0xFF
"""The byte that fills memory which holds no value: NaN in every float type, -1 in every int type."""


def run(graph: Graph, arrays: Sequence[Any], check_indices: bool = True) -> list[NDArray]:
    """The outputs of a graph for these inputs, by the NumPy reference of each op.

    Inputs must have the graph's types: ShapeError or DTypeError names the one that has not. An index outside its axis
    raises IndexRangeError as in NumPy; with `check_indices=False` it reads NaN, which is what a GPU does.
    """
    inputs = check_inputs(graph, arrays)
    return _Interpreter(check_indices).run(graph, inputs)


def run_one(graph: Graph, node: Node, arrays: Sequence[NDArray]) -> Sequence[NDArray]:
    """The outputs of one node of a graph; an index outside its axis raises IndexRangeError, as in `run`."""
    return _Interpreter(True).run_node(graph, node, arrays)


def check_inputs(graph: Graph, arrays: Sequence[Any]) -> list[NDArray]:
    """`arrays` as ndarrays of exactly the types of the graph's inputs.

    Raises ShapeError where their number or a shape differs, DTypeError where an element type does.
    """
    if len(arrays) != len(graph.inputs):
        raise ShapeError(f"the graph takes {len(graph.inputs)} inputs, got {len(arrays)}")
    names = value_names(graph)
    found = []
    for value, given in zip(graph.inputs, arrays, strict=True):
        array = np.asarray(given)
        if array.shape != value.type.shape:
            raise ShapeError(f"input {names[value]} is {value.type}, got an array of shape {list(array.shape)}")
        if array.dtype != value.type.dtype.numpy:
            raise DTypeError(f"input {names[value]} is {value.type}, got {array.dtype.name}")
        found.append(array)
    return found


class _Interpreter:
    """Runs graphs node by node; bodies of nodes too, so that what fails inside is named."""

    def __init__(self, check_indices: bool) -> None:
        self.check_indices = check_indices
        self.stacks: list[NDArray] = []
        """Tensors of loops that only `dynamic_update_slice` touches: they are written in place, as on a GPU."""

    def run(self, graph: Graph, arrays: Sequence[NDArray]) -> list[NDArray]:
        env = execute(graph, arrays, lambda node, given: self.run_node(graph, node, given))
        return [env[v] for v in graph.outputs]

    def run_node(self, graph: Graph, node: Node, arrays: Sequence[NDArray]) -> Sequence[NDArray]:
        body = node.attrs.get("body")
        if is_loop(node):
            return self.run_loop(node, arrays)
        if node.op is dynamic_update_slice and any(arrays[0] is stack for stack in self.stacks):
            return [dynamic_update_slice.reference(*arrays, **node.attrs, inplace=True)]  # type: ignore[list-item]  # it has one
        if "structured" in node.op.traits and isinstance(body, Graph):
            return self.run(body, arrays)
        if self.check_indices and (node.op.indices is not None or "reports" in node.op.traits):
            _check_range(graph, node, arrays)
        return run_node(node, arrays)

    def run_loop(self, node: Node, arrays: Sequence[NDArray]) -> Sequence[NDArray]:
        """The outputs of a scan."""
        body = node.attrs["body"]
        arrays, outer = list(arrays), self.stacks
        filled = {n.inputs[0] for n in body.nodes if n.op is dynamic_update_slice}
        for k, value in enumerate(body.inputs):
            if value in filled:
                arrays[k] = arrays[k].copy()
                self.stacks = [*self.stacks, arrays[k]]
        attrs = dict(node.attrs)
        results = repeat(lambda given: self.run(body, given), tuple(arrays), **attrs)
        self.stacks = outer
        return results


def _check_range(graph: Graph, node: Node, arrays: Sequence[NDArray]) -> None:
    """Raise IndexRangeError for an index out of range."""
    what, low, high = node.op.name, 0, -1
    if node.op.indices is None:
        ids, what, low, high = arrays[0], node.attrs["what"], node.attrs["low"], node.attrs["high"]
    else:
        ids, high = arrays[node.op.indices], axis_length(node) - 1
        low = -high - 1
    bad = ids[(ids > high) | (ids < low)] if ids.dtype.kind == "i" else ids[ids > high]
    if bad.size:
        message = range_message(what, int(bad.flat[0]), low, high)
        raise IndexRangeError(f"{message}\n  in  {describe(graph, node)}{node.source.at}")


def run_plan(plan: Plan, graph: Graph, inputs: Sequence[Any], poison: bool = True) -> list[NDArray]:
    """The outputs of a plan, each dispatch executed by the reference of its node in the bytes the plan gives it.

    graph: the lowered graph; Dispatch.node is a position in its nodes (those of loops in place), and tensors have the
    names of its values.
    With `poison`, raises GraphError naming the tensors where a dispatch reads bytes that do not hold its operand or
    writes into a read-only buffer; without, only what such a plan computes would be wrong.
    """
    return _PlanRun(plan, flatten(graph).graph, poison).run(check_inputs(graph, inputs))


class _PlanRun:
    """One execution of a plan. `owners[b][w]` is the tensor (its position) that word w of buffer b holds, or -1."""

    def __init__(self, plan: Plan, graph: Graph, poison: bool) -> None:
        self.plan = plan = plan.apart()
        self.graph = graph
        self.poison = poison
        self.memory = [np.full(-(-b.nbytes // 4) * 4, POISON, np.uint8) for b in plan.buffers]
        self.owners = [np.full(len(m) // 4, -1, np.int32) for m in self.memory]
        self.position = {t.name: i for i, t in enumerate(plan.tensors)}
        names = value_names(graph)
        self.tensor_of = {value: self.position[name] for value, name in names.items() if name in self.position}
        self.named = set(self.tensor_of.values())
        self.last_dispatch = {d.node: i for i, d in enumerate(plan.dispatches) if d.node >= 0}
        written = {self.tensor_of.get(v) for n in self.last_dispatch for v in graph.nodes[n].outputs}
        written |= {d.bindings[-1].tensor for d in plan.dispatches if d.node < 0}
        # What a node keeps between its kernels has bytes of its own, also where it takes over those of another tensor.
        written |= {b.tensor for d in plan.dispatches for b in d.bindings if b.access == "read_write"} - self.named
        # A name for the bytes of another tensor is bound nowhere.
        written &= {b.tensor for d in plan.dispatches for b in d.bindings}
        self.owner_of = [self._owner(i, written) for i in range(len(plan.tensors))]
        self.dying = self._deaths()
        self.captured: dict[Value, NDArray] = {}
        self.endings = self._endings()
        self.left: Counter[int] = Counter()
        """How often each dispatch still runs, of those that lie in no loop that ends by itself."""
        self.textures: dict[int, tuple[int, NDArray]] = {}
        self.writable = {(d.node, b.tensor) for d in plan.dispatches for b in d.bindings if b.access == "read_write"}
        donated = {slot for slot, _ in plan.donated}
        self.read_only = {
            number
            for number, b in enumerate(plan.buffers)
            if b.kind == "constant" or (b.kind == "input" and b.slot not in donated)
        }

    def _owner(self, position: int, written: set[int | None]) -> int:
        """The tensor whose writing gives this one its value: itself, or what it is a view of if nothing writes it."""
        while position not in written:
            alias = self.plan.tensors[position].alias
            if alias is None:
                break
            position = self.position[alias]
        return position

    def _deaths(self) -> dict[int, list[int]]:
        """The tensors whose bytes die after each dispatch: in an arena, with no later reader, and no output."""
        end: dict[int, int] = {}
        for tensor, owner in zip(self.plan.tensors, self.owner_of, strict=True):
            end[owner] = max(end.get(owner, -1), tensor.end)
        outputs = {self.owner_of[i] for i in self.plan.outputs}
        dying: dict[int, list[int]] = {}
        for owner, last in end.items():
            if owner not in outputs and self.plan.buffers[self.plan.tensors[owner].buffer].kind == "arena":
                dying.setdefault(last, []).append(owner)
        return dying

    def _endings(self) -> set[int]:
        """The tensors that die with the last step of a loop, not with each: they were there before it."""
        found = set()
        for tensor, owner in zip(self.plan.tensors, self.owner_of, strict=True):
            if any(tensor.start < loop.first <= tensor.end <= loop.last for loop in self.plan.loops):
                found.add(owner)
        return found

    def run(self, inputs: Sequence[NDArray]) -> list[NDArray]:
        """Load inputs and constants, run all dispatches, read the outputs."""
        for tensor, array in zip(self.plan.inputs, inputs, strict=True):
            self._store(tensor, array)
        for tensor, array in zip(self.plan.constants, self.graph.constants.values(), strict=True):
            self._store(tensor, array)
        parts = course(self.plan)
        self.left = Counter(n for part in parts if isinstance(part, Run) for n in part.numbers)
        self._follow(parts)
        return [self._load(tensor, "the program's end") for tensor in self.plan.outputs]

    def _follow(self, parts: Course) -> None:
        """Run what a course says. A loop that ends by itself is asked after each turn."""
        for part in parts:
            if not isinstance(part, Run):
                for _ in range(part.times):
                    self._follow(part.parts)
                    if part.alive >= 0 and not self._load(self.owner_of[part.alive], "the end of a turn").any():
                        break
                continue
            for number in part.numbers:
                self.left[number] -= 1
                self._step(number, self.plan.dispatches[number])
                for owner in self.dying.get(number, ()):
                    if owner not in self.endings or not self.left[number]:
                        self._kill(owner)

    def _step(self, number: int, dispatch: Dispatch) -> None:
        """One dispatch."""
        who = f"dispatch {number} ({dispatch.label})"
        for staging in dispatch.copies:
            self.textures[staging.texture] = self.owner_of[staging.tensor], self._load(staging.tensor, who)
        for position in dispatch.clears:
            self._claim(position, who)
        if dispatch.node < 0:
            self._copy(dispatch, who)
        else:
            self._launch(number, dispatch, who)

    def _copy(self, dispatch: Dispatch, who: str) -> None:
        array = self._load(dispatch.bindings[0].tensor, who)
        self._claim(dispatch.bindings[-1].tensor, who)
        self._store(dispatch.bindings[-1].tensor, array)

    def _launch(self, number: int, dispatch: Dispatch, who: str) -> None:
        """Operands are read where they are bound; the last dispatch of a node writes its outputs."""
        node = self.graph.nodes[dispatch.node]
        last = self.last_dispatch[dispatch.node] == number
        bound = {self.owner_of[b.tensor]: b.texture for b in dispatch.bindings}
        taking = [t for t in (self.plan.tensors[b.tensor] for b in dispatch.bindings) if t.start == number]
        replaced = {tensor.alias for tensor in taking}
        for value in dict.fromkeys(node.inputs):
            owner = self._owner_of(value)
            if owner in bound and bound[owner] >= 0:
                self.captured[value] = self._texels(bound[owner], owner, who).reshape(value.type.shape)
            elif owner in bound or self._name(owner) in replaced:
                self.captured[value] = self._value(value, who)
            elif last and value not in self.captured:
                self.captured[value] = self._unbound(value, number, who)
        outputs = {self.owner_of[self.tensor_of[v]] for v in node.outputs if v.type.size}
        operands = {self._owner_of(v) for v in node.inputs}
        for binding in dispatch.bindings:
            if self.plan.buffers[binding.buffer].kind == "faults":
                continue
            if binding.tensor in outputs or binding.tensor not in self.named:
                self._apart(binding.tensor, operands, who)
                self._claim(binding.tensor, who)
        if last:
            self._compute(node, dispatch, who)
            self.captured.clear()

    def _texels(self, texture: int, owner: int | None, who: str) -> NDArray:
        """What a texture holds; raises GraphError if `poison` and that is not the tensor `owner`."""
        held, array = self.textures.get(texture, (None, np.empty(0)))
        if held is None or (self.poison and held != owner):
            state = "nothing" if held is None else self.plan.tensors[held].name
            raise GraphError(f"{who} reads texture {texture}, which holds {state}")
        return array

    def _compute(self, node: Node, dispatch: Dispatch, who: str) -> None:
        results = run_node(node, [self.captured[v] for v in node.inputs])
        for value, array in zip(node.outputs, results, strict=True):
            if not value.type.size:
                continue
            tensor = self.owner_of[self.tensor_of[value]]
            if (dispatch.node, tensor) not in self.writable:
                raise GraphError(f"{who} has no binding through which to write {self.plan.tensors[tensor].name}")
            self._claim(tensor, who)
            self._store(tensor, array)

    def _apart(self, position: int, operands: set[int | None], who: str) -> None:
        """Raise GraphError if a tensor is written over an operand of the same dispatch, other than in its place."""
        tensor = self.plan.tensors[position]
        for owner in set(self._words(tensor, tensor.nbytes).tolist()) if self.poison else ():
            other = self.plan.tensors[owner]
            if (
                owner in operands
                and owner != position
                and (other.buffer, other.offset) != (tensor.buffer, tensor.offset)
            ):
                raise GraphError(f"{who} writes {tensor.name} over {other.name}, which it reads")

    def _name(self, owner: int | None) -> str:
        return "" if owner is None else self.plan.tensors[owner].name

    def _owner_of(self, value: Value) -> int | None:
        return self.owner_of[self.tensor_of[value]] if value in self.tensor_of else None

    def _value(self, value: Value, who: str) -> NDArray:
        if not value.type.size:
            return np.empty(value.type.shape, value.type.dtype.numpy)
        if value not in self.tensor_of:
            raise GraphError(f"{who} reads {value!r}, for which the plan has no tensor")
        return self._load(self.tensor_of[value], who)

    def _unbound(self, value: Value, number: int, who: str) -> NDArray:
        """An operand that no kernel of its node binds: known when they were made, or nothing depends on it.

        Of the latter, such as one that np.tril makes 0, a plan may say that it is dead: then it is poison.
        """
        owner = self._owner_of(value)
        if owner is not None and self.poison and self.plan.tensors[self.tensor_of[value]].end < number:
            type = value.type
            if (self._words(self.plan.tensors[owner], type.nbytes) != owner).any():
                filled = np.full(type.nbytes, POISON, np.uint8).view(type.dtype.storage)
                return filled.astype(type.dtype.numpy).reshape(type.shape)
        return self._value(value, who)

    def _words(self, tensor: Tensor, nbytes: int) -> NDArray:
        """The owners of the words of the first `nbytes` bytes of a tensor."""
        return self.owners[tensor.buffer][tensor.offset // 4 : -(-(tensor.offset + nbytes) // 4)]

    def _load(self, position: int, who: str) -> NDArray:
        """A tensor's value; raises GraphError if `poison` and some of its bytes hold something else."""
        tensor = self.plan.tensors[position]
        type = TensorType(tensor.shape, dtype_of(tensor.dtype))
        if self.poison:
            owners = self._words(tensor, type.nbytes)
            wrong = owners[owners != self.owner_of[position]]
            if wrong.size:
                state = "hold no value" if wrong[0] < 0 else f"hold {self.plan.tensors[wrong[0]].name}"
                raise GraphError(f"{who} reads {tensor.name}, but {wrong.size} of its words {state}")
        stored = self.memory[tensor.buffer][tensor.offset : tensor.offset + type.nbytes].view(type.dtype.storage)
        return stored.astype(type.dtype.numpy).reshape(tensor.shape)

    def _store(self, position: int, array: NDArray) -> None:
        """Give a tensor its value and the words it lies in."""
        tensor = self.plan.tensors[position]
        data = np.ascontiguousarray(array, dtype_of(tensor.dtype).storage).reshape(-1).view(np.uint8)
        self.memory[tensor.buffer][tensor.offset : tensor.offset + data.size] = data
        self._words(tensor, data.size)[:] = position

    def _claim(self, position: int, who: str) -> None:
        """Take the words that a kernel writing this tensor may write, whole vectors, and fill them with poison."""
        tensor = self.plan.tensors[position]
        size, nbytes = self.plan.buffers[tensor.buffer].nbytes, tensor.padded_bytes
        if tensor.offset + nbytes > size:
            raise GraphError(f"{who} writes {tensor.name}, which leaves its buffer of {size} bytes")
        if self.poison and tensor.buffer in self.read_only:
            raise GraphError(f"{who} writes {tensor.name} into a buffer that may only be read")
        self.memory[tensor.buffer][tensor.offset : tensor.offset + nbytes] = POISON
        self._words(tensor, nbytes)[:] = position

    def _kill(self, owner: int) -> None:
        """Poison the words that still hold a tensor after its last reader."""
        tensor = self.plan.tensors[owner]
        words = self._words(tensor, tensor.padded_bytes)
        dead = np.repeat(words == owner, 4)
        region = self.memory[tensor.buffer][tensor.offset : tensor.offset + dead.size]
        region[dead[: region.size]] = POISON
        words[words == owner] = -1
