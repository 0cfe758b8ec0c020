"""verify: a finished plan is checked from its dispatches alone.

Lifetimes are computed again from the bindings, so that neither the placement nor what it was told is trusted. What
WebGPU refuses or leaves undefined is refused here, with names.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from graphc.errors import GraphError
from graphc.kernels.turns import EndlessError, turns
from graphc.plan.allocate import Assignment, Lifetime, check
from graphc.plan.overwrite import check_overwritten, check_stages
from graphc.plan.plan import MOST_TURNS, TEXEL_BYTES, Binding, Dispatch, Kernel, Plan, Tensor

ROW_BYTES: Final = 256
"""A row of a texture that is copied from a buffer has a multiple of this many bytes. Source: W3C WebGPU."""


def check_plan(plan: Plan, alignment: int = 256) -> None:
    """Raise GraphError naming tensors and dispatch where a plan breaks one of these rules.

    A binding lies within its tensor's place, at a multiple of `alignment` bytes, and a place within its buffer. In one
    dispatch no buffer is bound both for reading and for writing, and windows that are written do not overlap. A kernel
    says how often one invocation turns its loops, at most MOST_TURNS times. A tensor is alive at every dispatch that
    binds it, and through all of a loop if it is bound both inside and outside. Tensors of an arena that are alive at
    once share no byte, except that one may take the place of another (its alias) from that one's last dispatch on;
    where that dispatch still reads the other, each of its invocations reads only what it alone writes, and before it
    does (see `passes.overwrite`). All this counts the members of a dispatch as dispatches, which are ordered by its
    barriers, and what they touch lies in what it binds. Inputs that are not donated, and constants, are only read. A
    texture that is bound holds the tensor it is said to, copied from where that lies. What is cleared before a
    dispatch is written by it.
    """
    for kernel in plan.kernels:
        _check_turns(kernel)
    for number, dispatch in enumerate(plan.dispatches):
        _check_launch(plan, number, dispatch)
        check_stages(plan, number)
        _check_bindings(plan, f"dispatch {number} ({dispatch.label})", dispatch.bindings, alignment)
    plan = plan.apart()
    uses = _uses(plan)
    _check_textures(plan)
    for position, use in uses.items():
        tensor = plan.tensors[position]
        if use.first < tensor.start or use.last > tensor.end:
            raise GraphError(
                f"tensor {tensor.name} is bound from dispatch {use.first} to {use.last}, but said to live from "
                f"{tensor.start} to {tensor.end}"
            )
    _check_in_place(plan, uses)
    _check_arenas(plan, uses, alignment)


@dataclass(slots=True)
class _Use:
    """First and last dispatch that binds a tensor."""

    first: int
    last: int


def _uses(plan: Plan) -> dict[int, _Use]:
    uses: dict[int, _Use] = {}
    for number, dispatch in enumerate(plan.dispatches):
        for copy in dispatch.copies:
            uses.setdefault(copy.tensor, _Use(number, number)).last = number
        for binding in dispatch.bindings:
            uses.setdefault(binding.tensor, _Use(number, number)).last = number
        for taken in dispatch.taken:
            uses.setdefault(taken.tensor, _Use(number, number)).last = number
    for position in plan.outputs:
        if position in uses:
            uses[position].last = max(len(plan.dispatches) - 1, uses[position].last)
    given = {*plan.inputs, *plan.constants}
    for loop in plan.loops:
        if loop.alive >= 0:  # the host reads it after a turn
            asked = uses.setdefault(loop.alive, _Use(loop.last, loop.last))
            asked.last = max(asked.last, loop.last)
        inside = plan.dispatches[loop.first : loop.last + 1]
        touched = {b.tensor for d in inside for b in d.bindings} | {t.tensor for d in inside for t in d.taken}
        for position in touched:
            use = uses[position]
            if position in given or use.first < loop.first or use.last > loop.last:
                use.last = max(use.last, loop.last)
    return uses


def _check_turns(kernel: Kernel) -> None:
    """A kernel says how often its loops turn, which is not too often."""
    try:
        found = turns(kernel.wgsl)
    except EndlessError as error:
        raise GraphError(f"{kernel.name}: {error}") from error
    if found != kernel.turns or found > MOST_TURNS:
        raise GraphError(
            f"{kernel.name} turns its loops {found} times in one invocation, says {kernel.turns}, may {MOST_TURNS}"
        )


def _check_launch(plan: Plan, number: int, dispatch: Dispatch) -> None:
    """What a dispatch binds is what its kernel declares, and has in it what its members touch."""
    who = f"dispatch {number} ({dispatch.label})"
    kernel = plan.kernels[dispatch.kernel]
    if len(kernel.access) != len(dispatch.bindings):
        raise GraphError(f"{who} has {len(dispatch.bindings)} bindings, its kernel {len(kernel.access)}")
    for binding, access in zip(dispatch.bindings, kernel.access, strict=True):
        if binding.access != access:
            name = _name(plan, binding)
            raise GraphError(f"{who} binds {name} as {binding.access}, its kernel as {access}")
    written = {b.tensor for b in dispatch.bindings if b.access == "read_write"}
    for position in dispatch.clears:
        if position not in written or dispatch.members:
            raise GraphError(f"{who} clears {plan.tensors[position].name}, which it does not write")
    for member in dispatch.members:
        for binding in member.bindings:
            around = [b for b in dispatch.bindings if b.buffer == binding.buffer and _inside(binding, b)]
            if not around or (binding.access == "read_write" and around[0].access != "read_write"):
                raise GraphError(f"{who} has a member that touches {_name(plan, binding)}, which it does not bind so")


def _inside(inner: Binding, outer: Binding) -> bool:
    return outer.offset <= inner.offset and inner.offset + inner.nbytes <= outer.offset + outer.nbytes


def _name(plan: Plan, binding: Binding) -> str:
    """What a binding binds, in words."""
    return (
        plan.tensors[binding.tensor].name if binding.tensor >= 0 else f"a part of {plan.buffers[binding.buffer].name}"
    )


def _check_bindings(plan: Plan, who: str, bound: Sequence[Binding], alignment: int) -> None:
    donated = {slot for slot, _ in plan.donated}
    by_buffer: dict[int, list[Binding]] = defaultdict(list)
    for binding in bound:
        buffer, access, name = plan.buffers[binding.buffer], binding.access, _name(plan, binding)
        if access == "texture":
            continue
        if binding.offset % alignment:
            raise GraphError(f"{who} binds {name} at {binding.offset}, no multiple of {alignment}")
        low, high, home = 0, buffer.nbytes, binding.buffer
        if binding.tensor >= 0:
            tensor = plan.tensors[binding.tensor]
            low, high, home = tensor.offset, tensor.offset + tensor.padded_bytes, tensor.buffer
        inside = low <= binding.offset and binding.offset + binding.nbytes <= high and high <= buffer.nbytes
        if binding.buffer != home or not inside:
            raise GraphError(f"{who} binds {name} outside its place in {buffer.name}")
        fixed = buffer.kind == "constant" or (buffer.kind == "input" and buffer.slot not in donated)
        if fixed and access == "read_write":
            raise GraphError(f"{who} binds {name} for writing, and it may only be read")
        by_buffer[binding.buffer].append(binding)
    for buffer_number, bindings in by_buffer.items():
        _check_windows(plan, who, plan.buffers[buffer_number].name, bindings)


def _check_textures(plan: Plan) -> None:
    """Follow what each texture holds through the program."""
    held: dict[int, int] = {}
    twice = replace(plan, loops=tuple(replace(loop, times=min(loop.times, 2), alive=-1) for loop in plan.loops))
    for number in twice.sequence() if plan.textures else ():
        dispatch = plan.dispatches[number]
        who = f"dispatch {number} ({dispatch.label})"
        for copy in dispatch.copies:
            tensor, texture = plan.tensors[copy.tensor], plan.textures[copy.texture]
            if (copy.buffer, copy.offset) != (tensor.buffer, tensor.offset) or copy.offset % TEXEL_BYTES:
                raise GraphError(f"{who} copies {tensor.name} from outside its place")
            if plan.buffers[tensor.buffer].kind == "arena" and number <= tensor.start:
                raise GraphError(f"{who} copies {tensor.name}, which nothing has written yet")
            if texture.nbytes != tensor.nbytes or tensor.dtype != "f32" or texture.width * TEXEL_BYTES % ROW_BYTES:
                raise GraphError(f"{who} copies {tensor.name} to {texture.name}, which has another size")
            held[copy.texture] = copy.tensor
        for binding in dispatch.bindings:
            if binding.access == "texture" and held.get(binding.texture) != binding.tensor:
                name = plan.tensors[binding.tensor].name
                raise GraphError(f"{who} reads {name} from texture {binding.texture}, which does not hold it")
        written = [dispatch.bindings[position] for position in dispatch.writes]
        places = {(b.buffer, b.offset) for b in written}
        held = {
            texture: tensor
            for texture, tensor in held.items()
            if (plan.tensors[tensor].buffer, plan.tensors[tensor].offset) not in places
        }


def _check_windows(plan: Plan, who: str, buffer: str, bindings: list[Binding]) -> None:
    writing = {b.access == "read_write" for b in bindings}
    if len(writing) > 1:
        raise GraphError(f"{who} binds {buffer} both for reading and for writing")
    if True not in writing:
        return
    ordered = sorted(bindings, key=lambda b: b.offset)
    for a, b in itertools.pairwise(ordered):
        if a.offset + a.nbytes > b.offset:
            names = f"{_name(plan, a)} and {_name(plan, b)}"
            raise GraphError(f"{who} binds {names} for writing in overlapping windows of {buffer}")


def _check_in_place(plan: Plan, uses: dict[int, _Use]) -> None:
    """A tensor that takes the place of another begins no earlier than the other ends.

    Where it begins just there, in the dispatch that reads the other last, that dispatch says so.
    """
    position = {t.name: i for i, t in enumerate(plan.tensors)}
    for number in range(len(plan.dispatches)):
        check_overwritten(plan, number)
    for new, use in uses.items():
        tensor = plan.tensors[new]
        if tensor.alias is None:
            continue
        old = position[tensor.alias]
        if old in uses and uses[old].last > use.first:
            raise GraphError(
                f"tensor {tensor.name} takes the place of {tensor.alias} at dispatch {use.first}, although dispatch "
                f"{uses[old].last} still binds {tensor.alias}"
            )
        known = any(taken.tensor == old for taken in plan.dispatches[use.first].taken)
        if plan.buffers[tensor.buffer].kind == "arena" and plan.tensors[old].end >= use.first and not known:
            raise GraphError(
                f"tensor {tensor.name} takes the place of {tensor.alias} while dispatch {use.first} still needs that, "
                "which does not say how"
            )


def _check_arenas(plan: Plan, uses: dict[int, _Use], alignment: int) -> None:
    """Tensors that share a place on purpose count as one; all others must keep apart."""
    position = {t.name: i for i, t in enumerate(plan.tensors)}

    def root(i: int) -> int:
        alias = plan.tensors[i].alias
        while alias is not None and plan.tensors[position[alias]].offset == plan.tensors[i].offset:
            i = position[alias]
            alias = plan.tensors[i].alias
        return i

    arenas = [i for i, b in enumerate(plan.buffers) if b.kind == "arena"]
    groups: dict[int, list[int]] = defaultdict(list)
    for i in uses:
        if plan.tensors[i].buffer in arenas:
            groups[root(i)].append(i)
    lifetimes = [_lifetime([plan.tensors[i] for i in group], [uses[i] for i in group]) for group in groups.values()]
    places = [plan.tensors[i] for i in groups]
    assignment = Assignment(
        tuple(arenas.index(t.buffer) for t in places),
        tuple(t.offset for t in places),
        tuple(plan.buffers[i].nbytes for i in arenas),
        0,
        0,
        "",
    )
    check(lifetimes, assignment, alignment)


def _lifetime(tensors: Sequence[Tensor], uses: Sequence[_Use]) -> Lifetime:
    nbytes = max(t.padded_bytes for t in tensors)
    return Lifetime(tensors[0].name, nbytes, min(u.first for u in uses), max(u.last for u in uses))
