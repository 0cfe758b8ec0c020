"""From a KernelSource to a WGSL module: declarations, windows, shared bytes, library functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from graphc.codegen.kernel import HIDDEN, LANES, KernelSource, Operand
from graphc.kernels import calls, math_source
from graphc.kernels.blocks import loop_of
from graphc.kernels.code import Code
from graphc.lower.effort import TURNS
from graphc.plan.plan import Access


@dataclass(frozen=True, slots=True)
class Module:
    """A finished WGSL module. operands: in binding order, one entry a window. access: that of each binding."""

    wgsl: str
    operands: tuple[Operand, ...]
    access: tuple[Access, ...]


def share(source: KernelSource, merged: Mapping[str, str]) -> KernelSource:
    """The kernel with each input operand in `merged` (input name -> output name) replaced by the output operand."""
    if not merged:
        return source
    if source.inside is not None:  # it has one pair
        inside = source.inside
        source = replace(source, code=inside.code, workgroups=inside.workgroups, touches=inside.touches)
    over = {merged[o.name]: o.value for o in source.operands if o.name in merged}
    operands = tuple(
        replace(o, access="read_write", over=over[o.name]) if o.name in over else o
        for o in source.operands
        if o.name not in merged
    )
    touches = tuple((merged.get(name, name), touch) for name, touch in source.touches)
    return replace(
        source, code=source.code.renamed(merged), operands=operands, touches=tuple(t for t in touches if t[0] in over)
    )


_FOR = "for (var "


def rolled(source: KernelSource) -> KernelSource:
    """The kernel with loops whose length no compiler knows, so that none writes out those of a few turns."""

    stored = any(not o.texture and not o.uniform for o in source.operands)
    return replace(source, code=_rolled(source.code)) if stored else source


@lru_cache(1024)
def _rolled(code: Code) -> Code:
    texts = (code.body, *(d.text for d in code.declarations))
    if not any(isinstance(piece, str) and _FOR in piece for text in texts for piece in text):
        return code
    return code.rewritten(lambda text: tuple([_hidden(p) if isinstance(p, str) and _FOR in p else p for p in text]))


def _hidden(text: str) -> str:
    """A piece of a text with the ends of its short loops hidden."""
    first, *others = text.split(_FOR)
    parts = [first]
    for other in others:
        head, brace, rest = other.partition(") {")
        loop = loop_of(f"{_FOR}{head})") if brace else None
        if loop is not None and loop.strict and loop.unsigned and loop.first is not None and 1 < loop.turns <= TURNS:
            start, test, step = head.split(";")
            head = f"{start};{test}{HIDDEN};{step}"
            brace = f") {{  // at most {loop.turns} turns\n"
        parts += [_FOR, head, brace, rest]
    return "".join(parts)


def share_quick(source: KernelSource, merged: Mapping[str, str]) -> list[KernelSource]:
    """The quick launches of a kernel, with the tensors merged that are merged in it."""
    values = {o.name: o.value for o in source.operands if not o.texture}
    over = {values[old]: values[new] for old, new in merged.items()}
    found = []
    for quick in map(rolled, source.quick or (replace(source, quick=()),)):
        written = {o.value: o.name for o in quick.operands if o.access != "read"}
        reads = [o for o in quick.operands if o.access == "read" and not o.texture and over.get(o.value) in written]
        found.append(share(quick, {o.name: written[over[o.value]] for o in reads}))
    return found


def module(source: KernelSource, access: Sequence[Access]) -> Module:
    """The WGSL module of a kernel whose operands are bound with these accesses, one for each operand."""
    both = list(zip(source.operands, access, strict=True))
    operands = tuple(operand for operand in source.operands for _ in range(operand.windows))
    modes = tuple(mode for operand, mode in both for _ in range(operand.windows))
    # Layers of a model have kernels of one code, whose modules are alike where their operands are.
    key = ("module", *(_kind(operand, mode) for operand, mode in both), "shader-f16" in source.needs)
    return Module(source.code.once(key, lambda: _text(source, both)), operands, modes)


def _kind(operand: Operand, mode: Access) -> tuple[object, ...]:
    """What a module's text depends on of an operand."""
    alike = operand.name, operand.element, operand.texture is None, operand.access == "read", mode
    if operand.windows == 1 and not operand.uniform:
        return alike
    return *alike, operand.windows, operand.window, operand.value.type.size if operand.uniform else -1


def _text(source: KernelSource, both: Sequence[tuple[Operand, Access]]) -> str:
    declarations: list[str] = []
    accessors: list[str] = []
    for operand, mode in both:
        start = f"@group(0) @binding({len(declarations)}) var"
        if operand.texture:
            declarations.append(f"{start} {operand.name}: texture_storage_2d<rgba32float, read>;")
            continue
        if operand.uniform:
            vectors = -(-operand.value.type.size // LANES)
            declarations.append(
                f"{start}<uniform> {operand.name}: array<vec4<{operand.dtype.wgsl_storage}>, {vectors}>;"
            )
            continue
        qualifier = "read" if mode == "read" else "read_write"
        for name in window_names(operand):
            declarations.append(
                f"@group(0) @binding({len(declarations)}) var<storage, {qualifier}> {name}: array<{operand.element}>;"
            )
        if operand.windows > 1:
            accessors += _accessors(operand, writable=mode == "read_write")
    # Browsers want `enable subgroups;` too, which naga rejects: whoever compiles for a browser adds it by `needs`.
    enable = "enable f16;\n" if "shader-f16" in source.needs else ""
    stored = next((window_names(o)[0] for o, _ in both if not o.texture and not o.uniform), "")
    helpers = math_source(sorted(calls(source.wgsl)), stored)
    parts = [enable + "\n".join(declarations), "\n".join(accessors), helpers.rstrip(), source.wgsl.rstrip()]
    return "\n\n".join(filter(None, parts)) + "\n"


def window_names(operand: Operand) -> list[str]:
    """The variable of each window."""
    if operand.windows == 1:
        return [operand.name]
    return [f"{operand.name}_{k}" for k in range(operand.windows)]


def _accessors(operand: Operand, writable: bool) -> list[str]:
    """`load_x(i)` and `store_x(i, value)`, which pick the window."""
    lines = [f"fn load_{operand.name}(i: u32) -> {operand.element} {{"]
    names, size = window_names(operand), operand.window
    for k, name in enumerate(names[:-1]):
        lines.append(f"  if (i < {(k + 1) * size}u) {{ return {_at(name, k * size)}; }}")
    lines += [f"  return {_at(names[-1], (len(names) - 1) * size)};", "}"]
    if writable and operand.access != "read":
        lines.append(f"fn store_{operand.name}(i: u32, value: {operand.element}) {{")
        for k, name in enumerate(names[:-1]):
            lines.append(f"  if (i < {(k + 1) * size}u) {{ {_at(name, k * size)} = value; return; }}")
        lines += [f"  {_at(names[-1], (len(names) - 1) * size)} = value;", "}"]
    return lines


def _at(name: str, start: int) -> str:
    return f"{name}[i - {start}u]" if start else f"{name}[i]"
