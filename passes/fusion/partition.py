"""The partition of kernel nodes into groups, one group a kernel, and the rules by which two groups may be joined."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from graphc.families.record import Family
from graphc.families.registry import LAUNCH
from graphc.ir.graph import Value
from graphc.passes.fusion.facts import OTHER_PHASE, Facts
from graphc.passes.fusion.group import Group, Pairs
from graphc.passes.fusion.inplace import Aliasing
from graphc.passes.fusion.legality import group_problem
from graphc.passes.fusion.reach import Reach, bits
from graphc.plan.plan import UNIFORM_BUFFERS, may_be_uniform


@dataclass(frozen=True, slots=True)
class Limits:
    """Most storage buffers of one group, most bytes that one of them may hold, most ops, and the families to fuse.

    donated: input slots whose buffers results may take over. max_uniform: most uniform buffers.
    """

    max_buffers: int
    max_binding_bytes: int
    max_nodes: int
    families: frozenset[str]
    donated: frozenset[int] = frozenset()
    max_uniform: int = UNIFORM_BUFFERS


class Partition:
    """Groups of the kernel nodes of one graph; starts with a group for each node."""

    def __init__(self, facts: Facts, limits: Limits) -> None:
        self.facts = facts
        self.limits = limits
        self.joins = 0
        self.aliasing = Aliasing(facts.graph, limits.donated)
        self.overwritten: dict[Value, int] = {}
        most = limits.max_binding_bytes
        self._small = {v for v in facts.graph.values() if may_be_uniform(v.type)}
        self._windows = {v: -(-v.type.nbytes // most) for v in facts.graph.values() if v.type.nbytes > most}
        self.reach = Reach([self._sources(n) for n in range(len(facts.nodes))])
        self.group_of: list[Group] = [self._single(n) for n in range(len(facts.nodes))]

    def groups(self) -> list[Group]:
        """The groups, by their first node."""
        return list(dict.fromkeys(self.group_of))

    def producers(self, group: Group) -> list[Group]:
        """The groups that make what this one reads, in order of reading."""
        made = (self.facts.defining.get(v) for v in group.loads)
        return list(dict.fromkeys(self.group_of[n] for n in made if n is not None))

    def consumers(self, group: Group) -> list[Group]:
        """The groups that read what this one makes, in order."""
        users = {n for v in group.stores for n in self.facts.users.get(v, ())}
        return list(dict.fromkeys(self.group_of[n] for n in sorted(users) if self.group_of[n] is not group))

    def overwriters(self, group: Group) -> list[Group]:
        """The groups that overwrite what this one reads, and so have to wait for it."""
        if not self.overwritten:
            return []
        found = (self.group_of[self.overwritten[v]] for v in group.loads if v in self.overwritten)
        return [other for other in dict.fromkeys(found) if other is not group]

    def only_reader(self, group: Group) -> Group | None:
        """The group that alone reads what this one makes."""
        if not self.facts.materialized.isdisjoint(group.stores):
            return None
        readers = self.consumers(group)
        return readers[0] if len(readers) == 1 else None

    def join(self, a: Group, b: Group) -> bool:
        """Join two groups if that is allowed, and say whether it was."""
        joined = self.joined(a, b)
        if isinstance(joined, str):
            return False
        self._settle(a, b, joined)
        return True

    def _settle(self, a: Group, b: Group, joined: Group) -> None:
        """Let a group take the place of two."""
        self.joins += 1
        self.reach.join(a.id, b.id)
        for number in joined.nodes:
            self.group_of[number] = joined
        for value in joined.aliases.values():
            self.overwritten[value] = joined.nodes[0]
            for number in self.facts.users.get(value, ()):
                if self.group_of[number] is not joined:
                    self.reach.link(self.group_of[number].id, joined.id)

    def join_horizontal(self, a: Group, b: Group) -> bool:
        """Launch two groups together, neither of which waits for the other (horizontal fusion), if that is allowed."""
        joined = self._horizontal(a, b)
        if joined is not None:
            self._settle(a, b, joined)
        return joined is not None

    def _horizontal(self, a: Group, b: Group) -> Group | None:
        """The launch that two groups make together, or None where they are kept apart."""
        allowed = a.family.horizontal and b.family.horizontal and LAUNCH.name in self.limits.families
        apart = a is b or (a.phases ^ b.phases) & ~OTHER_PHASE or a.ops + b.ops > self.limits.max_nodes
        waits = self.reach.reaches(a.id, b.id) or self.reach.reaches(b.id, a.id)
        if not allowed or apart or waits:
            return None
        loads, stores = self.boundary((a, b))
        reports = a.reports or b.reports
        buffers, most = self._buffers(loads, stores) + reports, self.limits.max_buffers
        if buffers - sum(v in self.aliasing.donated for v in loads) - self._uniform(loads) > most:
            return None
        nodes, roots = sorted(a.nodes + b.nodes), sorted(a.roots + b.roots)
        parts, phases = (*(a.parts or (a,)), *(b.parts or (b,))), a.phases | b.phases
        regular, ops = a.regular and b.regular, a.ops + b.ops
        group = Group(a.id, LAUNCH, (), nodes, loads, stores, roots, a.size, regular, phases, ops)
        group.parts, group.reports = parts, reports
        if (a.aliases or b.aliases or buffers > most) and self._alias(a, b, group, buffers):
            return None
        return group

    def joined(self, a: Group, b: Group) -> Group | str:
        """The group that a and b make together, or why they are kept apart."""
        if a is b or not (a.stores and b.stores):
            return "there is nothing to join"
        if a.parts or b.parts:
            return "kernels that are launched together stay as they are"
        if not (a.family.grows and b.family.grows):
            name = self.facts.nodes[(b if a.family.grows else a).nodes[0]].op.name
            return f"{name} has a kernel of its own"
        if a.ops + b.ops > self.limits.max_nodes:
            return f"a kernel holds at most {self.limits.max_nodes} ops"
        structure = self._structure(a, b)
        if isinstance(structure, str):
            return structure
        family, space, size = structure
        if family.name not in self.limits.families:
            return f"fusion of the {family.name} family is off"
        loads, stores = self.boundary((a, b))
        reports = a.reports or b.reports
        buffers = self._buffers(loads, stores) + reports
        most = self.limits.max_buffers
        if buffers > most and not self.aliasing.donated and buffers - self._uniform(loads) > most:
            return _too_many(buffers, most)
        if family.pointwise and stores:
            size = next(iter(stores)).type.size
        group = Group(
            a.id,
            family,
            space,
            sorted(a.nodes + b.nodes),
            loads,
            stores,
            sorted(a.roots + b.roots),
            size,
            a.regular and b.regular and self._regular(a, b) and self._regular(b, a),
            a.phases | b.phases,
            a.ops + b.ops,
            reports=reports,
        )
        problem = self._phase_problem(a, b) or self._cycle_problem(a, b)
        if problem is None and (a.aliases or b.aliases or buffers > most):
            problem = self._alias(a, b, group, buffers)
        return problem or group_problem(self.facts, group) or group

    def boundary(self, groups: Iterable[Group]) -> tuple[dict[Value, None], dict[Value, None]]:
        """What the union of groups would load and store."""
        inside = set(groups)
        made = {v for g in inside for v in g.stores}
        loads = {v: None for g in groups for v in g.loads if v not in made}
        stores: dict[Value, None] = {}
        for group in groups:
            for value in group.stores:
                users = self.facts.users.get(value, ())
                if value in self.facts.materialized or any(self.group_of[n] not in inside for n in users):
                    stores[value] = None
        return loads, stores

    def _buffers(self, loads: dict[Value, None], stores: dict[Value, None]) -> int:
        """Bindings of a kernel; a tensor larger than one binding may be is bound as several windows."""
        count = len(loads) + len(stores)
        return count + sum(self._windows[v] - 1 for v in (*loads, *stores) if v in self._windows)

    def _uniform(self, loads: Iterable[Value]) -> int:
        """How many of these may be bound as uniform buffers, which count apart."""
        return min(sum(v in self._small for v in loads), self.limits.max_uniform)

    def _sources(self, number: int) -> list[int]:
        made = (self.facts.defining.get(read.value) for read in self.facts.reads[number])
        return [n for n in made if n is not None]

    def _single(self, number: int) -> Group:
        facts, node = self.facts, self.facts.nodes[number]
        family = facts.family[number]
        loads = dict.fromkeys(read.value for read in facts.reads[number])
        stores = {v: None for v in node.outputs if v in facts.materialized or facts.users.get(v)}
        size = family.size(node)
        roots = [number] if family.grows and not family.pointwise else []
        space, phase, reports = family.space(node), facts.phase[number], "reports" in node.op.traits
        ops = facts.ops(number)
        return Group(number, family, space, [number], loads, stores, roots, size, True, phase, ops, reports=reports)

    def _structure(self, a: Group, b: Group) -> tuple[Family, tuple[object, ...], int] | str:
        """Family, space and size of the union."""
        if a.family.pointwise and b.family.pointwise:
            return a.family, (), max(a.size, b.size)
        anchored = [g for g in (a, b) if not g.family.pointwise]
        first = anchored[0]
        if len(anchored) == 2:
            if a.family is b.family and not a.family.many:
                return f"a kernel holds one {a.family.name}"
            if a.family is not b.family:
                return f"a {a.family.name} kernel and a {b.family.name} kernel loop over different axes"
            if a.space != b.space:
                return f"their rows differ: {_sized(a.space)} and {_sized(b.space)}"
        return first.family, first.space, first.size

    def _regular(self, a: Group, b: Group) -> bool:
        """Whether b reads what a makes only at the same flat position."""
        inside = set(b.nodes)
        for value in a.stores:
            for number in self.facts.users.get(value, ()):
                if number in inside:
                    reads = self.facts.reads[number]
                    if any(read.value is value and not read.regular for read in reads):
                        return False
        return True

    def _phase_problem(self, a: Group, b: Group) -> str | None:
        """Forward and backward are kept apart, so that nothing of the backward pass has to live through the forward.

        Where the forward pass ends (a loss), the two meet and may share what they read.
        """
        both = (a.phases | b.phases) & ~OTHER_PHASE
        if both != 3 or 3 in (a.phases & ~OTHER_PHASE, b.phases & ~OTHER_PHASE):
            return None
        forward = a if a.phases & 1 else b
        backward = b if forward is a else a
        if not (self.producers(backward).count(forward) and self._ends(forward)):
            return "one is forward and one is backward"
        return None

    def _ends(self, group: Group) -> bool:
        """Whether the forward pass makes nothing large after this group."""
        facts = self.facts
        for number in bits(self.reach.down[group.id]):
            if facts.phase[number] != 1:
                continue
            if facts.family[number].reads != "elements" or 2 * facts.size(number) > group.size:
                return False
        return True

    def _cycle_problem(self, a: Group, b: Group) -> str | None:
        for first, last in ((a, b), (b, a)):
            if not self.reach.reaches(first.id, last.id):
                continue
            for other in (*self.consumers(first), *self.overwriters(first)):
                if other is not last and self.reach.reaches(other.id, last.id):
                    op = self.facts.nodes[other.nodes[0]].op.name
                    return f"{op} lies between them and would have to run both before and after"
        return None

    def _alias(self, a: Group, b: Group, group: Group, buffers: int) -> str | None:
        """Let the union alias what it can in place, or say why it binds too many buffers."""
        most = self.limits.max_buffers
        if group.parts:
            group.parts = tuple(self._aliasing(part, group) for part in group.parts)
            group.aliases = {new: old for part in group.parts for new, old in part.aliases.items()}
        else:
            group.aliases = self._aliasable(group)
        overwritten = set(group.aliases.values())
        problem = self._alias_problem(a, b, group)
        if buffers - len(overwritten) - self._uniform(v for v in group.loads if v not in overwritten) > most:
            problem = _too_many(buffers - len(overwritten), most)
        if problem and not (a.aliases or b.aliases) and buffers - self._uniform(group.loads) <= most:
            group.aliases, problem = {}, None
            group.parts = tuple(replace(part, aliases={}) for part in group.parts)
        return problem

    def _aliasing(self, part: Group, launch: Group) -> Group:
        """A part of a launch with all the aliases that it can have: on what no other part reads."""
        others = {v for other in launch.parts if other.nodes != part.nodes for v in other.loads}
        return replace(part, aliases={n: old for n, old in self._aliasable(part).items() if old not in others})

    def _aliasable(self, group: Group) -> Pairs:
        """All the aliases that a group can have by itself: a launch tries the same part beside many others."""
        if group.aliasable is None:
            group.aliasable = self.aliasing.pairs(self.facts, group, self.limits.max_binding_bytes)
        return group.aliasable

    def _alias_problem(self, a: Group, b: Group, group: Group) -> str | None:
        """Whatever else reads an overwritten input has to run before, and so must not wait for this group."""
        for value in {**a.aliases, **b.aliases, **group.aliases}.values():
            lost = value not in group.aliases.values()
            for number in self.facts.users.get(value, ()):
                other = self.group_of[number]
                if lost or (other not in (a, b) and any(self.reach.reaches(g.id, other.id) for g in (a, b))):
                    op = self.facts.nodes[number].op.name
                    return f"{value!r} would be overwritten before {op} has read it"
        return None


def _too_many(buffers: int, most: int) -> str:
    return f"it would bind {buffers} buffers, more than {most}"


def _sized(space: tuple[object, ...]) -> str:
    return " x ".join(map(str, space))
