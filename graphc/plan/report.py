"""What a plan needs in device memory: lifetimes of tensors, and the peak beside what no plan could beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from graphc.ir.text import COLUMNS, cut, escaped, html_details, html_table, html_text
from graphc.plan.plan import Plan


@dataclass(frozen=True, slots=True)
class LifetimeRecord:
    """One tensor of an arena. offset and size in bytes; start and end: the first and the last dispatch that touch it
    (the members of a dispatch are counted as dispatches).

    Tensors that lie in the same bytes on purpose (a reshape, an update in place) make one record; `names` has them all.
    """

    name: str
    arena: int
    offset: int
    size: int
    start: int
    end: int
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MemoryReport:
    """Device memory of a program, in bytes.

    peak_bytes: the arenas, where everything lives that is neither argument nor result. lower_bound_bytes: most bytes
    live at once in the order chosen. naive_bytes: what it would take without reuse. input_bytes, constant_bytes and
    output_bytes come on top, and texture_bytes, where operands are copied to textures. lifetimes: one record a tensor,
    in order of first use.
    """

    peak_bytes: int
    lower_bound_bytes: int
    naive_bytes: int
    input_bytes: int
    constant_bytes: int
    output_bytes: int
    texture_bytes: int
    lifetimes: tuple[LifetimeRecord, ...] = field(repr=False)

    def live_at(self, dispatch: int) -> list[LifetimeRecord]:
        """What lives during a dispatch, largest first."""
        live = [record for record in self.lifetimes if record.start <= dispatch <= record.end]
        return sorted(live, key=lambda record: -record.size)

    @property
    def peak_dispatch(self) -> int:
        """The dispatch during which most bytes live."""
        return _most_live(self.lifetimes)[1]

    def __str__(self) -> str:
        peak, bound, naive = map(_bytes, (self.peak_bytes, self.lower_bound_bytes, self.naive_bytes))
        inputs, constants, outputs = map(_bytes, (self.input_bytes, self.constant_bytes, self.output_bytes))
        textures = f", textures {_bytes(self.texture_bytes)}" if self.texture_bytes else ""
        head = [
            f"peak {peak} (lower bound {bound}, without reuse {naive})",
            f"inputs {inputs}, constants {constants}, outputs {outputs}{textures}",
        ]
        if not self.lifetimes:
            return "\n".join(head)
        width = min(COLUMNS - 50, max(6, *(len(record.name) for record in self.lifetimes)))
        head.append(f"{'tensor':<{width}}  arena      offset        size  dispatches")
        rows = [
            f"{cut(r.name, width):<{width}}  {r.arena:>5}  {r.offset:>10}  {r.size:>10}  {r.start}-{r.end}"
            for r in self.lifetimes
        ]
        return "\n".join(head + rows)

    def _repr_html_(self) -> str:
        """For notebooks: each tensor as a box over the dispatches and addresses, and the largest at the peak."""
        peak = replace(self, lifetimes=())
        if not self.lifetimes:
            return html_text(peak)
        rows = [(r.name, r.size, f"{r.start}-{r.end}") for r in self.live_at(self.peak_dispatch)]
        at = f"at the peak, dispatch {self.peak_dispatch}"
        return html_text(peak) + _timeline(self) + html_details(at, html_table(("tensor", "bytes", "lives"), rows))


def _timeline(memory: MemoryReport) -> str:
    """The tensors of all arenas, one arena above the other: dispatches to the right, addresses upwards."""
    width, height, below, base = 640, 240, 0, {}
    for arena in sorted({r.arena for r in memory.lifetimes}):
        base[arena] = below
        below += max(r.offset + r.size for r in memory.lifetimes if r.arena == arena)
    last = max(r.end for r in memory.lifetimes) + 1
    boxes = []
    for r in memory.lifetimes:
        x, w = r.start / last * width, (r.end + 1 - r.start) / last * width
        h = r.size / below * height
        y = height - (base[r.arena] + r.offset) / below * height - h
        tip = escaped(f"{r.name}: {r.size} bytes, dispatches {r.start} to {r.end}")
        boxes.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" fill="#9db8dc" stroke="#33507a" '
            f'stroke-width="0.5"><title>{tip}</title></rect>'
        )
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" aria-label="{escaped(_said(memory))}">'
        f"{''.join(boxes)}</svg>"
    )


def _said(memory: MemoryReport) -> str:
    return f"{len(memory.lifetimes)} tensors over dispatches and addresses; peak {_bytes(memory.peak_bytes)}"


def memory_report(plan: Plan, alignment: int) -> MemoryReport:
    """The report of a plan whose tensors are placed at multiples of `alignment` bytes."""
    lifetimes = _lifetimes(plan, alignment)
    tops: dict[int, int] = {}
    for record in lifetimes:
        tops[record.arena] = max(tops.get(record.arena, 0), record.offset + record.size)
    by_kind = dict.fromkeys(("input", "constant", "output"), 0)
    for buffer in plan.buffers:
        if buffer.kind in by_kind:
            by_kind[buffer.kind] += buffer.nbytes
    return MemoryReport(
        peak_bytes=sum(tops.values()),
        lower_bound_bytes=_most_live(lifetimes)[0],
        naive_bytes=sum(record.size for record in lifetimes),
        input_bytes=by_kind["input"],
        constant_bytes=by_kind["constant"],
        output_bytes=by_kind["output"],
        texture_bytes=sum(texture.nbytes for texture in plan.textures),
        lifetimes=lifetimes,
    )


def _lifetimes(plan: Plan, alignment: int) -> tuple[LifetimeRecord, ...]:
    """One record for each set of tensors that share bytes on purpose."""
    known = {tensor.name: tensor for tensor in plan.tensors}
    groups: dict[str, list[str]] = {}
    for tensor in plan.tensors:
        if plan.buffers[tensor.buffer].kind != "arena" or not tensor.nbytes:
            continue
        root = tensor
        while root.alias in known and known[root.alias].buffer == tensor.buffer:
            root = known[root.alias]
        groups.setdefault(root.name, []).append(tensor.name)
    records = []
    for root_name, names in groups.items():
        members = [known[name] for name in names]
        size = max(member.nbytes for member in members)
        records.append(
            LifetimeRecord(
                name=root_name,
                arena=plan.buffers[members[0].buffer].slot,
                offset=known[root_name].offset,
                size=-(-size // alignment) * alignment,
                start=min(member.start for member in members),
                end=max(member.end for member in members),
                names=tuple(names),
            )
        )
    return tuple(sorted(records, key=lambda record: (record.start, record.end, record.name)))


def _most_live(lifetimes: Sequence[LifetimeRecord]) -> tuple[int, int]:
    """Most bytes live during one dispatch, and which dispatch that is (the first)."""
    changes: dict[int, int] = {}
    for record in lifetimes:
        changes[record.start] = changes.get(record.start, 0) + record.size
        changes[record.end + 1] = changes.get(record.end + 1, 0) - record.size
    best, when, live = 0, 0, 0
    for dispatch in sorted(changes):
        live += changes[dispatch]
        if live > best:
            best, when = live, dispatch
    return best, when


def _bytes(count: int) -> str:
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:.2f} {unit}"
    return f"{count} B"
