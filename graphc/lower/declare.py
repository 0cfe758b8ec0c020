"""From a KernelSource to a WGSL module: declarations, windows, shared bytes, library functions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from graphc.codegen.kernel import LANES, KernelSource, Operand
from graphc.kernels import calls, math_source
from graphc.kernels.code import Code
from graphc.lower.effort import TURNS
from graphc.plan import Access


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


_SHORT_LOOP = re.compile(r"(for \(var (\w+) = (\d+)u; \2 < (\d+)u)(; \2(?:\+\+| \+= (\d+)u)\) \{)")


def rolled(source: KernelSource) -> KernelSource:
    """The kernel with loops whose length no compiler knows, so that none writes out those of a few turns."""

    stored = any(not o.texture and not o.uniform for o in source.operands)
    return replace(source, code=_rolled(source.code)) if stored else source


@lru_cache(1024)
def _rolled(code: Code) -> Code:
    def hidden(match: re.Match[str]) -> str:
        turns = -(-(int(match[4]) - int(match[3])) // int(match[6] or 1))
        if not 1 < turns <= TURNS:
            return match[0]
        return f"{match[1]} + gc_unknown(){match[5]}  // at most {turns} turns\n"

    return code.rewritten(
        lambda text: tuple(_SHORT_LOOP.sub(hidden, piece) if isinstance(piece, str) else piece for piece in text)
    )


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
    declarations: list[str] = []
    accessors: list[str] = []
    operands: list[Operand] = []
    modes: list[Access] = []
    for operand, mode in zip(source.operands, access, strict=True):
        if operand.texture:
            declarations.append(
                f"@group(0) @binding({len(operands)}) var {operand.name}: texture_storage_2d<rgba32float, read>;"
            )
            operands.append(operand)
            modes.append(mode)
            continue
        if operand.uniform:
            vectors = -(-operand.value.type.size // LANES)
            declarations.append(
                f"@group(0) @binding({len(operands)}) var<uniform> {operand.name}: "
                f"array<vec4<{operand.dtype.wgsl_storage}>, {vectors}>;"
            )
            operands.append(operand)
            modes.append(mode)
            continue
        qualifier = "read" if mode == "read" else "read_write"
        for name in window_names(operand):
            declarations.append(
                f"@group(0) @binding({len(operands)}) var<storage, {qualifier}> {name}: array<{operand.element}>;"
            )
            operands.append(operand)
            modes.append(mode)
        if operand.windows > 1:
            accessors += _accessors(operand, writable=mode == "read_write")
    # Browsers want `enable subgroups;` too, which naga rejects: whoever compiles for a browser adds it by `needs`.
    enable = "enable f16;\n" if "shader-f16" in source.needs else ""
    stored = next((window_names(o)[0] for o in operands if not o.texture and not o.uniform), "")
    helpers = math_source(sorted(calls(source.wgsl)), stored)
    parts = [enable + "\n".join(declarations), "\n".join(accessors), helpers.rstrip(), source.wgsl.rstrip()]
    return Module("\n\n".join(filter(None, parts)) + "\n", tuple(operands), tuple(modes))


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
