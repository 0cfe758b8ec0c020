"""What is known of an adapter, and which one is better than another."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Any, Final

SOFTWARE_HINT: Final = "install your GPU's Vulkan driver to run on the GPU"
OPENGL_HINT: Final = "OpenGL's shading language leaves open what WGSL defines, so that results may differ"
_LLVMPIPE: Final = re.compile(r"llvmpipe \(LLVM [\d.]+, (?P<bits>\d+) bits\)")
_MESA: Final = re.compile(r"Mesa (?P<major>\d+)\.(?P<minor>\d+)")
_RANK: Final = ("discrete", "integrated", "virtual", "software")


@dataclass(frozen=True, slots=True)
class AdapterInfo:
    """One adapter. kind: "discrete", "integrated", "virtual" or "software"; backend: "Vulkan", "Metal", "D3D12", ..."""

    name: str
    kind: str
    backend: str
    driver: str
    vendor_id: int
    handle: Any = field(repr=False, compare=False)
    process: int = field(default_factory=os.getpid, repr=False, compare=False)
    """The process that found it: an adapter is of no use in another one."""

    @property
    def software(self) -> bool:
        """Whether programs run on the CPU."""
        return self.kind == "software"

    @property
    def only_by_name(self) -> bool:
        """Whether the adapter is used by those alone who name it."""
        return self.backend == "OpenGL"

    @property
    def unsound(self) -> frozenset[str]:
        """Features that the driver has and gets wrong, which are therefore not used.

        Mesa's software driver, told by LP_NATIVE_VECTOR_WIDTH to use vectors of more than its 256 bits, ends the
        process ("stack smashing detected") where it compiles `x & 1` of 64-bit integers, which double precision is
        computed with, too. So it is with Mesa 26.2.6, and not with 22.3.6 and 25.0.7.
        """
        width, version = _LLVMPIPE.match(self.name), _MESA.search(self.driver)
        sound = version is not None and (int(version["major"]), int(version["minor"])) <= (25, 0)
        if width is None or int(width["bits"]) <= 256 or sound:
            return frozenset()
        return frozenset(("shader-f64", "shader-int64"))

    def __str__(self) -> str:
        note = f"a software adapter; {SOFTWARE_HINT}" if self.software else f"{self.kind} GPU"
        if self.only_by_name:
            note += f"; only used where it is named, because {OPENGL_HINT}"
        return f"{self.name}, through {self.backend}: {note}"


def preference(adapter: AdapterInfo) -> tuple[bool, int]:
    """The sorting key of adapters, best first."""
    return adapter.only_by_name, _RANK.index(adapter.kind)
