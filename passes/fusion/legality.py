"""Whether one kernel can compute a group, and whether it would compute too much twice.

The rules are those of `graphc.families`, asked here of groups instead of bodies so that growing a group stays quick.
"""

from __future__ import annotations

from typing import Final

from graphc.passes.fusion.facts import Facts, Read
from graphc.passes.fusion.group import Group

FEW_ROWS: Final = 8
LONG_ROW: Final = 8192
"""A row is one workgroup's work: where there are few and long rows, other work is not added to them."""

CHEAP_REPEATS: Final = 16
"""Most cheap ops that may be computed again for each element of a kernel's outputs."""

FEW: Final = 64
"""Elements so few that computing one again costs nothing beside the launch of a kernel."""

MAX_PLACES: Final = 8
"""Most different indices at which one value may be read."""


def group_problem(facts: Facts, group: Group) -> str | None:
    """Why no kernel should compute this group, or None."""
    problem = _stores_problem(facts, group) or _bound_problem(facts, group)
    if problem is None and not group.regular:
        problem = _repeated_work(facts, group)
    return problem


def _stores_problem(facts: Facts, group: Group) -> str | None:
    sizes = {v.type.size for v in group.stores}
    if group.family.pointwise:
        if len(sizes) > 1:
            return f"a {group.family.name} kernel has outputs of one shape, not of {_listed(sizes)} elements"
        return None
    if group.family.rows is None:
        extra = sizes - {group.size}
        return f"an output of {_listed(extra)} elements has not the result's shape" if extra else None
    rows, length = facts.rows(group.roots[0])
    extra = sizes - {rows, rows * length}
    if extra:
        return f"an output of {_listed(extra)} elements does not fit {rows} rows of {length}"
    if rows < FEW_ROWS and length > LONG_ROW and rows * length in sizes:
        return f"{rows} rows of {length} elements would keep too few workgroups busy"
    return None


def _listed(sizes: set[int]) -> str:
    return " and ".join(map(str, sorted(sizes)))


def _bound_problem(facts: Facts, group: Group) -> str | None:
    """What depends on a root must be read where it is known."""
    if group.family.pointwise:
        return None
    roots = set(group.roots)
    made = {v for n in group.nodes for v in facts.nodes[n].outputs}
    rows = facts.rows(group.roots[0])[0] if group.family.rows else 0
    bound = {facts.nodes[n].out for n in roots}
    for number in group.nodes:
        node = facts.nodes[number]
        for read in facts.reads[number]:
            if group.family.product and number in roots and read.value in made:
                return f"an operand of {node.op.name} can be a view, not the result of {_maker(facts, read)}"
            if read.value not in bound:
                continue
            if group.family.rows:
                if read.kept % rows:
                    return f"{node.op.name} reads the result of {_maker(facts, read)} across rows"
            elif number in roots:
                return f"{node.op.name} needs the sums of {_maker(facts, read)} complete"
            elif not read.regular or facts.size(number) != group.size:
                return f"{node.op.name} reads the result of {_maker(facts, read)} at other positions"
            bound.add(node.out)
    return None


def _maker(facts: Facts, read: Read) -> str:
    return facts.nodes[facts.defining[read.value]].op.name


def _repeated_work(facts: Facts, group: Group) -> str | None:
    """Follow from the outputs at how many places each value is computed."""
    made = {v: n for n in group.nodes for v in facts.nodes[n].outputs}
    roots = set(group.roots)
    rows = facts.rows(group.roots[0])[0] if group.family.rows else 0
    # For each node, the indices at which it is computed: a key that tells equal ones, and their number.
    places: dict[int, dict[object, int]] = {n: {} for n in group.nodes}
    for value in group.stores:
        places[made[value]]["row of" if value.type.size == rows else "own"] = value.type.size
    repeats = 0
    for number in reversed(group.nodes):
        at = places[number]
        if number in roots:
            at = {"own": facts.nodes[number].inputs[0].type.size}
        else:
            total, size = sum(at.values()), facts.size(number)
            repeats += max(0, total - size)
            name = facts.nodes[number].op.name
            if facts.expensive[number] and 4 * total > 5 * size and total > FEW:
                return f"{name} would be computed {total} times for {size} elements"
            if repeats > CHEAP_REPEATS * max(group.size, 1) or len(at) > MAX_PLACES:
                return f"{name} and others would be computed again too often"
        for position, read in enumerate(facts.reads[number]):
            target = made.get(read.value)
            if target is None or target in roots:
                continue
            aligned = rows and read.kept % rows == 0 and read.value.type.size == rows
            for key, count in at.items():
                if aligned:
                    places[target]["row of"] = rows
                elif read.regular:
                    places[target][key] = max(count, places[target].get(key, 0))
                else:
                    places[target][_elsewhere(facts, key, number, position)] = count
    return None


def _elsewhere(facts: Facts, key: object, number: int, position: int) -> object:
    """A key for the index that a read makes of the index `key`; broadcasts between two shapes share one."""
    node = facts.nodes[number]
    read = facts.reads[number][position]
    if "pointwise" in node.op.traits and read.value in node.inputs:
        return (key, node.out.type.shape, read.value.type.shape)
    return (key, number, position)
