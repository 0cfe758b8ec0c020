"""overwrite: what a dispatch writes over something that it reads, proved from the order in which that happens.

Inside a kernel, one invocation is followed through what is on record of it (`Touch`). Invocations run in any order and
at once, so one may only read what it alone writes, and a result is stored once, so what it has written is no operand
any more. The members of a megakernel are ordered by its barriers. Nothing is taken from the rules by which lowering
lets results take over bytes (`graphc.codegen.inplace`) and sets barriers (`graphc.lower.megakernel`).
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.errors import GraphError
from graphc.plan.plan import Binding, Dispatch, Plan, TakeOver, Touch


def check_overwritten(plan: Plan, number: int) -> None:
    """Raise GraphError, naming dispatch, tensors and place, unless all that a dispatch takes over is read before."""
    dispatch = plan.dispatches[number]
    bound = [taken.binding for taken in dispatch.taken]
    if len(set(bound)) < len(bound):
        raise GraphError(f"dispatch {number} ({dispatch.label}) takes over two tensors with one binding")
    for taken in dispatch.taken:
        _check_places(plan, f"dispatch {number} ({dispatch.label})", dispatch, taken)
        new, old = plan.tensors[dispatch.bindings[taken.binding].tensor].name, plan.tensors[taken.tensor].name
        problem = _problem(taken.touches)
        if problem:
            what = f"updates {new} in place" if new == old else f"writes {new} into the bytes of {old}"
            raise GraphError(f"dispatch {number} ({dispatch.label}) {what}, but an invocation {problem}")


def check_stages(plan: Plan, number: int) -> None:
    """Raise GraphError where two members of a megakernel, one of which writes what the other touches, know no order."""
    dispatch = plan.dispatches[number]
    since: dict[int, list[tuple[int, Binding, bool]]] = {}
    for position, member in enumerate(dispatch.members):
        if position in dispatch.barriers:
            since.clear()
        for at, binding in enumerate(member.bindings):
            writes = at in member.writes
            for other, held, written in since.get(binding.buffer, ()):
                apart = held.offset + held.nbytes <= binding.offset or binding.offset + binding.nbytes <= held.offset
                if other != position and (writes or written) and not apart:
                    raise GraphError(
                        f"dispatch {number} ({dispatch.label}) has no barrier between members {other} and {position}, "
                        f"which both touch the bytes of {plan.tensors[binding.tensor].name}"
                    )
            since.setdefault(binding.buffer, []).append((position, binding, writes))


def _check_places(plan: Plan, who: str, dispatch: Dispatch, taken: TakeOver) -> None:
    """The two tensors lie in the same bytes, on purpose, as elements of one size."""
    binding = dispatch.bindings[taken.binding]
    new, old = plan.tensors[binding.tensor], plan.tensors[taken.tensor]
    if binding.access != "read_write":
        raise GraphError(f"{who} writes {new.name} into the bytes of {old.name} through a binding for {binding.access}")
    same = (new.buffer, new.offset, new.nbytes, new.padded_bytes) == (
        old.buffer,
        old.offset,
        old.nbytes,
        old.padded_bytes,
    )
    if not same or (binding.tensor != taken.tensor and new.alias != old.name):
        raise GraphError(f"{who} takes over the bytes of {old.name} for {new.name}, which does not lie there")


def _problem(touches: Sequence[Touch]) -> str | None:
    """What an invocation does that another one, or it itself, has made wrong."""
    if not any(touch.store for touch in touches):
        return "is not on record with what it writes there"
    written: set[str] = set()
    for position, touch in enumerate(touches):
        if touch.part != touches[0].part:
            return f"of another kernel of the launch touches {touch.place}"
        if not touch.alone:
            return f"touches {touch.place}, as others do"
        if touch.store:
            written.add(touch.place)
        elif touch.place in written:
            return f"reads {touch.place} after it has written it"
        elif not any(_stores(later, touch) for later in touches[position + 1 :]):
            return f"reads {touch.place}, which another one may have written"
    return None


def _stores(later: Touch, load: Touch) -> bool:
    """Whether an access after a load stores just what that has read, in the same turn of each loop around the store."""
    same = (later.place, later.lane, later.vector) == (load.place, load.lane, load.vector)
    return later.store and same and load.loops[: len(later.loops)] == later.loops
