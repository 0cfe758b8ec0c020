"""The family horizontal: horizontal fusion, kernels side by side, each in workgroups of its own, launched together.

Where they have one workgroup size, they become functions of one kernel whose first workgroups compute the first one,
and so on; else each stays a kernel of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphc.codegen.kernel import BuildContext, KernelSource, Operand
from graphc.ir.graph import Graph
from graphc.kernels import render
from graphc.kernels.code import Code, Marks
from graphc.plan.plan import Target, Touch


def build(body: Graph, context: BuildContext) -> list[KernelSource]:
    """One kernel for several side by side, or theirs where they cannot share a launch."""
    parts = [context.kernels(node) for node in body.nodes]
    found = [source for part in parts for source in part]
    if len(found) > len(parts):  # what one computes in two steps
        return found
    joined = launched_together(found, context.target, f"horizontal_{context.label}")
    return found if joined is None else [joined]


def launched_together(sources: Sequence[KernelSource], target: Target, name: str) -> KernelSource | None:
    """The kernel that runs independent kernels side by side; None where they cannot share a launch."""
    sizes = {source.code.size for source in sources}
    total = sum(source.workgroups[0] for source in sources)
    flat = all(source.workgroups[1:] == (1, 1) for source in sources) and total <= target.max_workgroups
    if len(sizes) > 1 or not flat:
        return None
    if any(source.clears or source.code.declarations or source.code.local != "local" for source in sources):
        return None
    names = _Names()
    codes = [names.renamed(source) for source in sources]
    if names.clash:
        return None
    functions, calls, first = [], [], 0
    for part, (source, code) in enumerate(zip(sources, codes, strict=True)):
        functions.append(code.function(f"part{part}", "local", Marks()).rstrip())
        last = first + source.workgroups[0]
        condition = f"if (group.x < {last}u) " if part < len(sources) - 1 else ""
        calls.append(f"{condition}{{ part{part}(vec3<u32>(group.x - {first}u, 0u, 0u), local); }}")
        first = last
    (size,) = sizes
    text = render("horizontal", functions="\n\n".join(functions), size=size, calls="  " + " else ".join(calls))
    joined = KernelSource(
        name=name,
        family="horizontal",
        code=Code.of(text),
        operands=tuple(sorted(names.found, key=lambda o: (o.texture is None, o.access != "read"))),
        workgroups=(total, 1, 1),
        flops=sum(source.flops for source in sources),
        needs=tuple(dict.fromkeys(need for source in sources for need in source.needs)),
        inplace=tuple(pair for part, source in enumerate(sources) for pair in names.pairs(part, source)),
        touches=tuple(touch for part, source in enumerate(sources) for touch in names.touches(part, source)),
    )
    return joined.with_quick([part for source in sources for part in source.quick or (source,)])


class _Names:
    """Operands of several kernels under names of their own; one that several kernels read has one name.

    found: the operands. clash: whether one tensor is bound in two ways, which a kernel cannot do.
    """

    def __init__(self) -> None:
        self.found: list[Operand] = []
        self.clash = False
        self._maps: list[dict[str, str]] = []

    def renamed(self, source: KernelSource) -> Code:
        """The next kernel under the new names."""
        names: dict[str, str] = {}
        for operand in source.operands:
            same = next((o for o in self.found if _same_binding(o, operand)), None)
            if same is None:
                letter = "t" if operand.texture else "x" if operand.access == "read" else "y"
                same = replace(operand, name=f"{letter}_{len(self.found)}")
                self.found.append(same)
            elif not _alike(same, operand):
                self.clash = True
            self.clash |= operand.windows > 1
            names[operand.name] = same.name
        self._maps.append(names)
        return source.code.renamed(names)

    def pairs(self, part: int, source: KernelSource) -> list[tuple[str, str]]:
        """Its pairs (output, input) that may share bytes: no other part reads the input."""
        others = {name for k, names in enumerate(self._maps) if k != part for name in names.values()}
        mine = self._maps[part]
        return [(mine[new], mine[old]) for new, old in source.inplace if mine[old] not in others]

    def touches(self, part: int, source: KernelSource) -> list[tuple[str, Touch]]:
        """How its operands are touched, under the new names."""
        return [(self._maps[part][name], replace(touch, part=part)) for name, touch in source.touches]


def _same_binding(a: Operand, b: Operand) -> bool:
    """Whether two operands are one tensor, in a buffer or in a texture both times."""
    return a.value is b.value and (a.texture is None) == (b.texture is None)


def _alike(a: Operand, b: Operand) -> bool:
    same = (a.access, a.vector, a.texture) == (b.access, b.vector, b.texture)
    return same and (a.access == "read" or (a.atomic and b.atomic))
