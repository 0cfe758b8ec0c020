"""The order in which groups are joined. Earlier steps take what saves most; each join is checked by the partition.

1. A pointwise or indexed op goes to its only reader.
2. A matmul takes the pointwise group that alone reads it (bias, activation, residual).
3. Reductions of one row space, and what lies between and after them, become row programs; what feeds only one of
   them goes in too. Columns take what feeds only them.
4. A matmul takes a pointwise group though others read it as well, then any producer and consumer are joined that may
   be: the value goes to memory for the others, but is not read back.
5. A matmul and a sum over columns of what it reads share a launch.
6. Groups side by side that read the same tensors, tiny ones, sums over rows of one space, and updates of parameters of
   one size share a kernel.
7. What is still a tiny kernel of its own goes along with any other.
8. Matmuls of one shape that read the same activations, or are all that one kernel waits for, share a launch, and then
   long loops nearby that wait for nothing of each other.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Final

from graphc.families.record import Family
from graphc.passes.fusion.facts import OTHER_PHASE
from graphc.passes.fusion.group import Group
from graphc.passes.fusion.partition import Partition

ROUNDS: Final = 4
TINY: Final = 256
"""Elements up to which a kernel costs its launch, whatever it computes."""

NEAR: Final = 32
"""Nodes between two groups that are made one kernel though they read different tensors."""

APART: Final = ("terms", "update", "sums")
"""Kinds of groups that are joined so."""

LONG: Final = 64
"""Terms of a sum from which on the rest of its kernel hardly counts."""

LOOK_BACK: Final = 12
"""How many groups are tried as partners of one that shares no tensor with them."""


def join_dependent(part: Partition) -> None:
    """Join groups with those that read them: this decides what lies in memory."""
    into_only_reader(part, lambda family: family.pointwise)
    strict_epilogues(part)
    for _ in range(ROUNDS):
        before = part.joins
        row_programs(part)
        into_only_reader(part, _computes_operands)
        if part.joins == before:
            break
    strict_epilogues(part)
    shared_epilogues(part)
    neighbours(part)


def join_independent(part: Partition) -> None:
    """Join groups horizontally, which saves launches, and what that lets join besides."""
    sums_beside_products(part)
    for _ in range(ROUNDS):
        before = part.joins
        neighbours(part)
        side_by_side(part)
        if part.joins == before:
            break
    tiny_guests(part)
    sibling_products(part)
    near_launches(part)


def into_only_reader(part: Partition, into: Callable[[Family], bool]) -> None:
    """Move each pointwise group into the one group that reads it, last groups first, if that is of such a family."""
    for number in reversed(range(len(part.group_of))):
        group = part.group_of[number]
        if not group.family.pointwise:
            continue
        reader = part.only_reader(group)
        if reader is not None and into(reader.family):
            part.join(group, reader)


def _computes_operands(family: Family) -> bool:
    """Whether its kernels compute what their ops read on the way."""
    return family.grows and family.reads == "elements"


def strict_epilogues(part: Partition) -> None:
    """Let a matmul take the map group that alone reads it; a sum of products goes to the last of them."""
    for number in reversed(range(len(part.group_of))):
        group = part.group_of[number]
        while group.family.product and group.roots == [number]:
            readers = part.consumers(group)
            if len(readers) != 1 or not readers[0].family.pointwise or not part.join(group, readers[0]):
                break
            group = part.group_of[number]


def shared_epilogues(part: Partition) -> None:
    """Let a matmul take map groups that read it beside others."""
    for number in range(len(part.group_of)):
        if not part.facts.family[number].product:
            continue
        for reader in part.consumers(part.group_of[number]):
            if reader.family.pointwise:
                part.join(part.group_of[number], part.group_of[reader.nodes[0]])


def row_programs(part: Partition) -> None:
    """Join row groups with the row groups and map groups that read them."""
    for number in range(len(part.group_of)):
        for producer in part.producers(part.group_of[number]):
            group = part.group_of[number]
            if producer.family.rows is None or part.group_of[producer.nodes[0]] is not producer:
                continue
            if group.family.rows or (group.family.pointwise and not _rather_joins_reader(part, producer, group)):
                part.join(producer, group)


def _rather_joins_reader(part: Partition, producer: Group, group: Group) -> bool:
    """Whether the map group saves more memory traffic in the one group that reads it; then it has gone there."""
    reader = part.only_reader(group)
    if reader is None or not _computes_operands(reader.family) or reader.family.pointwise:
        return False
    saved_here = sum(v.type.nbytes for v in producer.stores if v in group.loads)
    saved_there = sum(v.type.nbytes for v in group.stores)
    return saved_there > saved_here and part.join(group, reader)


def neighbours(part: Partition) -> None:
    """Join any producer with any consumer."""
    for number in range(len(part.group_of)):
        if part.group_of[number].nodes[0] != number:
            continue
        for producer in part.producers(part.group_of[number]):
            if part.group_of[producer.nodes[0]] is producer:
                part.join(producer, part.group_of[number])


def side_by_side(part: Partition) -> None:
    """Join groups of one kind that read the same tensors, or that cost little but their launch."""
    seen: dict[tuple[object, ...], list[int]] = {}
    for group in part.groups():
        if group.family.reads != "elements":
            continue
        for key in _meeting_places(part, group):
            for number in seen.setdefault(key, [])[-LOOK_BACK:]:
                mine = part.group_of[group.nodes[0]]
                other = part.group_of[number]
                near = key[0] not in APART or mine.nodes[0] - other.nodes[-1] <= NEAR
                if other is not mine and other.phases == mine.phases and near:
                    part.join(other, mine)
            seen[key].append(group.nodes[0])


def tiny_guests(part: Partition) -> None:
    """Let a tiny map group run in any kernel whose outputs have its size: alone it would cost a launch."""
    hosts = [g for g in part.groups() if _computes_operands(g.family) and g.stores]
    for group in hosts:
        guest = part.group_of[group.nodes[0]]
        if guest is not group or not guest.family.pointwise or guest.size > TINY:
            continue
        fitting = (h for h in hosts if any(v.type.size == guest.size for v in h.stores))
        for host in itertools.islice(fitting, LOOK_BACK):
            now = part.group_of[host.nodes[0]]
            if now is not guest and part.join(now, guest):
                break


def sibling_products(part: Partition) -> None:
    """Launch matmuls of one shape together that read one result of the program, or that one kernel reads."""
    seen: dict[tuple[object, ...], list[int]] = {}
    facts = part.facts
    for number in range(len(part.group_of)):
        group = part.group_of[number]
        if not group.family.product or group.roots != [number]:
            continue
        node = facts.nodes[number]
        shape = (*(v.type.shape for v in node.inputs), *(v.type for v in group.stores))
        keys: list[tuple[object, ...]] = [
            (shape, "reads", read.value) for read in facts.reads[number] if read.value in facts.defining
        ]
        keys += [(shape, "feeds", consumer.id) for consumer in part.consumers(group)]
        others = dict.fromkeys(n for key in keys for n in seen.get(key, ()))
        for other in others:
            if part.join_horizontal(part.group_of[other], part.group_of[number]):
                break
        for key in keys:
            seen.setdefault(key, []).append(number)


def sums_beside_products(part: Partition) -> None:
    """Launch each sum over columns together with a matmul that reads the same: weight and bias have one gradient.

    Of several, the one that binds most buffers is taken, which has least room for anything else.
    """
    for group in part.groups():
        if group.family.product or group.parts or not _is_loop(part, group):
            continue
        users = (part.group_of[n] for v in group.loads for n in part.facts.users.get(v, ()))
        products = [g for g in dict.fromkeys(users) if g.family.product and _is_loop(part, g)]
        products.sort(key=lambda g: -len(g.loads) - len(g.stores))
        any(part.join_horizontal(product, group) for product in products)


def near_launches(part: Partition) -> None:
    """Launch matmuls and sums over columns together with others nearby."""
    seen: list[int] = []
    for group in part.groups():
        if not _is_loop(part, group):
            continue
        for number in reversed(seen[-LOOK_BACK:]):
            if part.join_horizontal(part.group_of[number], part.group_of[group.nodes[0]]):
                break
        seen.append(group.nodes[0])


def _is_loop(part: Partition, group: Group) -> bool:
    """Whether a kernel is a long loop: on a processor each workgroup runs through the text of all parts of a launch."""
    if not group.parts and group.family.terms is None:
        return False
    facts = part.facts
    return all((terms := facts.family[n].terms) is None or terms(facts.nodes[n]) >= LONG for n in group.roots)


def _meeting_places(part: Partition, group: Group) -> list[tuple[object, ...]]:
    """Keys of which two groups must share one to be tried."""
    size = group.size
    if group.family.many and group.family.terms:
        return [("terms", *group.space)]
    if group.family.pointwise and size <= TINY:
        return [("tiny", size)]
    if group.family.pointwise and group.phases == OTHER_PHASE:
        return [("update", size)]
    if group.family.rows and all(v.type.size < size for v in group.stores):
        return [("sums", *group.space)]
    return [(group.family, group.space, size, v) for v in group.loads if v.type.size * 2 >= size]
