"""program.json: a Program as JSON data and back. Reading checks every field against the others."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np

from graphc.errors import GraphError
from graphc.ir.types import ALL_DTYPES, NDArray, dtype_of
from graphc.kernels.turns import EndlessError, turns
from graphc.plan.plan import (
    Access,
    Binding,
    Buffer,
    BufferKind,
    Dispatch,
    Kernel,
    Loop,
    Plan,
    RangeCheck,
    Tensor,
    Texture,
    TextureCopy,
)
from graphc.program.at import At
from graphc.program.model import Function, Parameter, Program, Requirements, leaf_names
from graphc.program.state import misfit

KINDS: Final[Mapping[str, BufferKind]] = {
    "input": "input",
    "output": "output",
    "constant": "constant",
    "arena": "arena",
    "faults": "faults",
}
ACCESS: Final[Mapping[str, Access]] = {
    "read": "read",
    "read_write": "read_write",
    "uniform": "uniform",
    "texture": "texture",
}
DTYPES: Final = frozenset(dtype.name for dtype in ALL_DTYPES)
TREES: Final = frozenset({"dict", "list", "tuple", "record"})
MOST_STEPS: Final = 1 << 24
"""Turns that nobody writes out: more are a loop without a bound."""
DEEPEST: Final = 100
"""Most levels of a tree."""


def to_json(program: Program) -> dict[str, Any]:
    """The document of a program. Its kernels' text and its arrays stand in files of their own."""
    kernels: list[Kernel] = []
    functions = {name: _function(function, kernels) for name, function in program.functions.items()}
    variants = {name: [_function(f, kernels) for f in others] for name, others in program.variants.items()}
    return {
        "about": dict(program.about),
        "kernels": [
            {"name": k.name, "family": k.family, "access": list(k.access), "needs": list(k.needs)} for k in kernels
        ],
        "functions": functions,
        "variants": variants,
        "state": dict(program.state),
    }


def kernels_of(program: Program) -> list[Kernel]:
    """The kernels of all functions, each once, in the order in which the document numbers them."""
    found: list[Kernel] = []
    for function in (*program.functions.values(), *itertools.chain.from_iterable(program.variants.values())):
        _function(function, found)
    return found


def _function(function: Function, kernels: list[Kernel]) -> dict[str, Any]:
    plan = function.plan
    numbers = []
    for kernel in plan.kernels:
        if kernel not in kernels:
            kernels.append(kernel)
        numbers.append(kernels.index(kernel))

    def window(binding: Binding) -> list[int]:
        return [binding.tensor, binding.buffer, binding.offset, binding.nbytes, binding.texture]

    return {
        "parameters": list(function.parameters),
        "arguments": [asdict(p) for p in function.arguments],
        "results": [asdict(p) for p in function.results],
        "in_tree": function.in_tree,
        "out_tree": function.out_tree,
        "requires": asdict(function.requires),
        "buffers": [[b.name, b.kind, b.nbytes, b.slot] for b in plan.buffers],
        "tensors": [
            [t.name, list(t.shape), t.dtype, t.buffer, t.offset, t.nbytes, t.start, t.end, t.alias]
            for t in plan.tensors
        ],
        "textures": [[t.name, t.width, t.height] for t in plan.textures],
        "dispatches": [
            {
                "kernel": numbers[d.kernel],
                "label": d.label,
                "lines": list(d.lines),
                "phase": d.phase,
                "workgroups": list(d.workgroups),
                "bindings": [window(b) for b in d.bindings],
                "copies": [[s.tensor, s.buffer, s.offset, s.texture] for s in d.copies],
                "clears": list(d.clears),
                "work": [d.bytes_read, d.bytes_written, d.flops],
            }
            for d in plan.dispatches
        ],
        "loops": [[loop.first, loop.last, _bounded(loop)] for loop in plan.loops],
        "inputs": list(plan.inputs),
        "outputs": list(plan.outputs),
        "constants": list(plan.constants),
        "arrays": list(function.constants),
        "donated": [list(pair) for pair in plan.donated],
        "checks": [[c.what, c.low, c.high, c.signed, c.at] for c in plan.checks],
        "memory": dict(plan.memory),
    }


def from_json(raw: Any, wgsl: Sequence[str], arrays: Mapping[str, NDArray]) -> Program:
    """The program of a document; wgsl: the text of each kernel. Raises ProgramError that names the field."""
    top = At(raw, "program").object("about", "kernels", "functions", "variants", "state")
    items = top["kernels"].list(len(wgsl))
    kernels = tuple(_kernel(item, text) for item, text in zip(items, wgsl, strict=True))
    functions = {name: _Reader(name, at, kernels, arrays).function() for name, at in top["functions"].entries().items()}
    if not functions:
        raise top["functions"].wrong("one function at least")
    variants = {
        name: tuple(_variant(item, functions.get(name), kernels, arrays) for item in at.list())
        for name, at in top["variants"].entries().items()
    }
    for name, item in top["state"].entries().items():
        _check_names(item, arrays, 0)
        if needed := misfit(name, item.value, functions, arrays):
            raise item.wrong(needed)
    about = {k: v.value for k, v in top["about"].entries().items()}
    return Program(functions, arrays, top["state"].value, about, variants)


def _variant(at: At, function: Function | None, kernels: tuple[Kernel, ...], arrays: Mapping[str, NDArray]) -> Function:
    """A function that takes the place of `function` where the adapter has what it requires."""
    if function is None:
        raise at.wrong("absent, for there is no function of its name")
    found = _Reader(function.name, at, kernels, arrays).function()
    same = ("parameters", "arguments", "results", "in_tree", "out_tree")
    if any(getattr(found, name) != getattr(function, name) for name in same):
        raise at.wrong(f"a function with the arguments and results of {function.name}")
    return found


def _kernel(at: At, wgsl: str) -> Kernel:
    raw = at.object("name", "family", "access", "needs")
    access = raw["access"].each(lambda item: item.one_of(ACCESS))
    try:
        most = turns(wgsl)
    except EndlessError as error:
        raise at.wrong(f"a kernel whose loops end ({error})") from error
    return Kernel(raw["name"].text(), wgsl, access, raw["family"].text(), raw["needs"].each(At.text), most)


def _check_names(at: At, arrays: Mapping[str, NDArray], depth: int) -> None:
    """A tree of names of arrays."""
    if at.value is None:
        return
    if isinstance(at.value, str):
        if at.value not in arrays:
            raise at.wrong("the name of an array")
        return
    for item in at.list() if isinstance(at.value, list) else at.entries().values():
        if depth > DEEPEST:
            raise at.wrong(f"a tree of at most {DEEPEST} levels")
        _check_names(item, arrays, depth + 1)


@dataclass(slots=True)
class _Reader:
    """Reads one function: first the lists, then what points into them."""

    name: str
    at: At
    kernels: tuple[Kernel, ...]
    arrays: Mapping[str, NDArray]

    def function(self) -> Function:
        raw = self.at.object(
            *(
                "parameters",
                "arguments",
                "results",
                "in_tree",
                "out_tree",
                "requires",
                "buffers",
                "tensors",
                "textures",
            ),
            *("dispatches", "loops", "inputs", "outputs", "constants", "arrays", "donated", "checks", "memory"),
        )
        arguments, results = raw["arguments"].each(_parameter), raw["results"].each(_parameter)
        for what, leaves in (("in_tree", arguments), ("out_tree", results)):
            _check_tree(raw[what], 0)
            if len(leaf_names(raw[what].value)) != len(leaves):
                raise raw[what].wrong(f"a tree of {len(leaves)} leaves")
        buffers = raw["buffers"].each(_buffer)
        tensors = raw["tensors"].each(lambda item: _tensor(item, buffers))
        textures = raw["textures"].each(_texture)
        dispatches = raw["dispatches"].each(lambda item: self._dispatch(item, buffers, tensors, textures))
        used = tuple(dict.fromkeys(d.kernel for d in dispatches))
        place = {number: n for n, number in enumerate(used)}
        plan = Plan(
            buffers=buffers,
            tensors=tensors,
            kernels=tuple(self.kernels[number] for number in used),
            dispatches=tuple(_renumbered(d, place) for d in dispatches),
            inputs=_slots(raw["inputs"], tensors, arguments),
            outputs=_slots(raw["outputs"], tensors, results),
            constants=raw["constants"].each(lambda item: item.index(len(tensors))),
            donated=raw["donated"].each(lambda item: _pair(item, len(arguments), len(results))),
            memory={key: item.whole() for key, item in raw["memory"].entries().items()},
            loops=raw["loops"].each(lambda item: _loop(item, len(dispatches))),
            textures=textures,
            checks=raw["checks"].each(_range_check),
        )
        _check_loops(raw["loops"], plan.loops)
        _check_slots(raw["buffers"], plan)
        names = raw["arrays"].each(At.text)
        self._check_constants(raw["arrays"], names, plan)
        donated = {slot for slot, _ in plan.donated}
        for slot, argument in enumerate(arguments):
            if slot in donated and not argument.donated:
                raise raw["donated"].wrong("pairs whose argument is donated")
        requires = _requirements(raw["requires"])
        parameters = raw["parameters"].each(At.text)
        if not _takes(raw["in_tree"].value, len(parameters)):
            raise raw["in_tree"].wrong(f"a pair: a tuple of {len(parameters)}, and a dict")
        found = Function(
            self.name,
            parameters,
            plan,
            arguments,
            results,
            raw["in_tree"].value,
            raw["out_tree"].value,
            names,
            requires,
        )
        _check_requirements(raw["requires"], found)
        return found

    def _dispatch(
        self, at: At, buffers: Sequence[Buffer], tensors: Sequence[Tensor], textures: Sequence[Texture]
    ) -> Dispatch:
        raw = at.object("kernel", "label", "lines", "phase", "workgroups", "bindings", "copies", "clears", "work")
        number = raw["kernel"].index(len(self.kernels))
        access = self.kernels[number].access
        bindings = tuple(
            _binding(item, how, buffers, tensors, textures)
            for item, how in zip(raw["bindings"].list(len(access)), access, strict=True)
        )
        x, y, z = (item.whole(1, 65535) for item in raw["workgroups"].list(3))
        read, written, flops = (item.whole() for item in raw["work"].list(3))
        copies = raw["copies"].each(lambda item: _texture_copy(item, buffers, tensors, textures))
        clears = raw["clears"].each(lambda item: item.index(len(tensors)))
        if not {b.tensor for b in bindings if b.access == "read_write"}.issuperset(clears):
            raise raw["clears"].wrong("tensors that the dispatch writes")
        lines = raw["lines"].each(At.text)
        label, phase = raw["label"].text(), raw["phase"].text()
        return Dispatch(label, number, -1, (), lines, phase, bindings, (x, y, z), read, written, flops, copies, clears)

    def _check_constants(self, at: At, names: Sequence[str], plan: Plan) -> None:
        if len(names) != len(plan.constants):
            raise at.wrong(f"a list of {len(plan.constants)}, one for each constant")
        for name, number in zip(names, plan.constants, strict=True):
            tensor = plan.tensors[number]
            array = self.arrays.get(name)
            if array is None or array.shape != tensor.shape or dtype_of(array.dtype).name != tensor.dtype:
                raise at.wrong(f"names of arrays, with {tensor.dtype}{list(tensor.shape)} under {name!r}")


def _parameter(at: At) -> Parameter:
    raw = at.object("name", "shape", "dtype", "donated", "axis")
    axis = None if raw["axis"].value is None else raw["axis"].whole()
    dtype = raw["dtype"].one_of({name: name for name in DTYPES})
    return Parameter(raw["name"].text(), raw["shape"].each(At.whole), dtype, raw["donated"].flag(), axis)


def _buffer(at: At) -> Buffer:
    name, kind, nbytes, slot = at.list(4)
    return Buffer(name.text(), kind.one_of(KINDS), nbytes.whole(), slot.whole())


def _range_check(at: At) -> RangeCheck:
    what, low, high, signed, line = at.list(5)
    return RangeCheck(what.text(), low.whole(-(2**31), 2**32), high.whole(-1, 2**32), signed.flag(), line.text())


def _tensor(at: At, buffers: Sequence[Buffer]) -> Tensor:
    name, shape, dtype, buffer, offset, nbytes, start, end, alias = at.list(9)
    sizes, kind = shape.each(At.whole), dtype.one_of({name: name for name in DTYPES})
    need = int(np.prod(sizes, dtype=object)) * dtype_of(kind).itemsize
    home = buffers[buffer.index(len(buffers))]
    if nbytes.whole() != need:
        raise nbytes.wrong(f"{need} bytes, for {kind}{list(sizes)}")
    if offset.whole() + need > home.nbytes:
        raise offset.wrong(f"at most {home.nbytes - need}, for {need} bytes inside of buffer {home.name}")
    if alias.value is not None:
        alias.text()
    last = end.whole(start.whole())
    return Tensor(name.text(), sizes, kind, buffer.value, offset.value, need, start.value, last, alias.value)


def _texture(at: At) -> Texture:
    name, width, height = at.list(3)
    return Texture(name.text(), width.whole(1, 1 << 16), height.whole(1, 1 << 16))


def _binding(
    at: At, access: Access, buffers: Sequence[Buffer], tensors: Sequence[Tensor], textures: Sequence[Texture]
) -> Binding:
    tensor, buffer, offset, nbytes, texture = at.list(5)
    home = buffers[buffer.index(len(buffers))]
    tensor.whole(-1, len(tensors) - 1)
    if access == "texture":
        texture.index(len(textures))
    elif texture.value != -1:
        raise texture.wrong("-1, for the kernel reads a buffer there")
    if nbytes.whole(0 if access == "texture" else 1) + offset.whole() > home.nbytes:
        raise at.wrong(f"a window inside of buffer {home.name}, which has {home.nbytes} bytes")
    if offset.value % 256:
        raise offset.wrong("a multiple of 256")
    return Binding(tensor.value, buffer.value, offset.value, nbytes.value, access, texture.value)


def _texture_copy(
    at: At, buffers: Sequence[Buffer], tensors: Sequence[Tensor], textures: Sequence[Texture]
) -> TextureCopy:
    tensor, buffer, offset, texture = at.list(4)
    home, drawn = buffers[buffer.index(len(buffers))], textures[texture.index(len(textures))]
    tensor.index(len(tensors))
    if offset.whole() + drawn.nbytes > home.nbytes:
        raise offset.wrong(f"at most {home.nbytes - drawn.nbytes}, for texture {drawn.name} out of buffer {home.name}")
    return TextureCopy(tensor.value, buffer.value, offset.value, texture.value)


def _renumbered(dispatch: Dispatch, place: Mapping[int, int]) -> Dispatch:
    return replace(dispatch, kernel=place[dispatch.kernel])


def _slots(at: At, tensors: Sequence[Tensor], leaves: Sequence[Parameter]) -> tuple[int, ...]:
    """Positions of the tensors of arguments or results, of the same types."""
    found = tuple(item.index(len(tensors)) for item in at.list(len(leaves)))
    for number, leaf in zip(found, leaves, strict=True):
        tensor = tensors[number]
        if (tensor.shape, tensor.dtype) != (leaf.shape, leaf.dtype):
            raise at.wrong(f"tensors of the leaves' types, with {leaf.dtype}{list(leaf.shape)} for {leaf.name}")
    return found


def _pair(at: At, inputs: int, outputs: int) -> tuple[int, int]:
    given, taken = at.list(2)
    return given.index(inputs), taken.index(outputs)


def _bounded(loop: Loop) -> int:
    """Turns of a loop: all that it may make, for a program that is saved asks nobody whether it goes on."""
    if loop.times >= MOST_STEPS:
        raise GraphError("a while_loop that is saved has to know how many turns there are at most: give max_steps=...")
    return loop.times


def _loop(at: At, dispatches: int) -> Loop:
    first, last, times = at.list(3)
    return Loop(first.index(dispatches), last.whole(first.value, dispatches - 1), times.whole(1))


def _check_loops(at: At, loops: Sequence[Loop]) -> None:
    """Of two loops, the later one holds the earlier one or lies apart from it."""
    for n, loop in enumerate(loops):
        for other in loops[:n]:
            apart = other.last < loop.first or loop.last < other.first
            if not apart and not (loop.first <= other.first and other.last <= loop.last):
                raise at.wrong("loops that lie apart or in each other, inner ones first")


def _check_slots(at: At, plan: Plan) -> None:
    counts = {"input": len(plan.inputs), "output": len(plan.outputs), "constant": len(plan.constants), "faults": 1}
    faults = [buffer for buffer in plan.buffers if buffer.kind == "faults"]
    if len(faults) != bool(plan.checks) or any(buffer.nbytes < 4 * len(plan.checks) for buffer in faults):
        raise at.wrong(f"with one buffer for the faults of {len(plan.checks)} checks")
    taken: set[tuple[str, int]] = set()
    holders = {"input": plan.inputs, "output": plan.outputs, "constant": plan.constants}
    for number, (item, buffer) in enumerate(zip(at.list(), plan.buffers, strict=True)):
        if buffer.slot >= counts.get(buffer.kind, len(plan.buffers)):
            raise item.wrong(f"a buffer whose slot is one of {counts.get(buffer.kind)} {buffer.kind}s")
        if (buffer.kind, buffer.slot) in taken:
            raise item.wrong(f"a buffer with a slot of its own, and another {buffer.kind} has slot {buffer.slot}")
        taken.add((buffer.kind, buffer.slot))
        if buffer.kind in holders and plan.tensors[holders[buffer.kind][buffer.slot]].buffer != number:
            raise item.wrong(f"the buffer in which the tensor of {buffer.kind} {buffer.slot} lies")
    for kind in ("input", "constant"):
        if missing := {(kind, slot) for slot in range(counts[kind])} - taken:
            raise at.wrong(f"with a buffer for {kind} {min(missing)[1]}")


def _check_tree(at: At, depth: int) -> None:
    if at.value is None or at.value == "*":
        return
    if not isinstance(at.value, dict) or depth > DEEPEST:
        raise at.wrong(f'"*", null or an object, of at most {DEEPEST} levels')
    more = {"record": ("name",), "dict": ("order",)}.get(str(at.value.get("kind")), ())
    raw = at.object("kind", "keys", "items", *more)
    raw["kind"].one_of({kind: kind for kind in TREES})
    if "name" in raw:
        raw["name"].text()
    items = raw["items"].list()
    keys = raw["keys"].list(len(items))
    for key in keys:
        _key(key)
    if len({(type(key.value), key.value) for key in keys}) < len(keys):
        raise raw["keys"].wrong("keys that differ")
    if "order" in raw and Counter(map(repr, raw["order"].each(_key))) != Counter(map(repr, raw["keys"].value)):
        raise raw["order"].wrong("the keys, in some order")
    if raw["kind"].value in ("list", "tuple") and raw["keys"].value != list(range(len(items))):
        raise raw["keys"].wrong(f"the numbers from 0 to {len(items) - 1}")
    for item in items:
        _check_tree(item, depth + 1)


def _takes(in_tree: Any, count: int) -> bool:
    """Whether a tree is ((args), {kwargs}) with so many positional arguments."""
    if not isinstance(in_tree, dict) or len(in_tree["items"]) != 2:
        return False
    args, kwargs = in_tree["items"]
    kinds = (isinstance(part, dict) and part["kind"] for part in (in_tree, args, kwargs))
    return tuple(kinds) == ("tuple", "tuple", "dict") and len(args["items"]) == count


def _key(at: At) -> str | int:
    if not isinstance(at.value, str) and type(at.value) is not int:
        raise at.wrong("a text or a whole number")
    found: str | int = at.value
    return found


def _requirements(at: At) -> Requirements:
    raw = at.object("limits", "features", "subgroup", "software")
    limits = {key: item.whole() for key, item in raw["limits"].entries().items()}
    features, lanes = raw["features"].each(At.text), raw["subgroup"].whole(0, 128)
    return Requirements(limits, features, lanes, raw["software"].flag())


def _check_requirements(at: At, function: Function) -> None:
    needs = {need for kernel in function.plan.kernels for need in kernel.needs}
    if set(function.requires.features) != needs:
        raise at.wrong(f"the features that the kernels need: {', '.join(sorted(needs)) or 'none'}")
