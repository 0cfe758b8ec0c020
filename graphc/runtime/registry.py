"""Which adapters there are, and which one is the default.

Adapters are listed best first: discrete, integrated, virtual, software. Opening one costs milliseconds, so a Device
is opened when it is first used. `wgpu` itself is imported here, when somebody first asks for a device.

An adapter that is reached through OpenGL is never the default: it has to be named. Its shading language leaves open
what WGSL defines (integers of either sign, NaN, how drivers may rewrite arithmetic), so that results may differ.
"""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from graphc.errors import DeviceError
from graphc.runtime.forks import Lock
from graphc.runtime.wgpu.c_types import make_ready
from graphc.runtime.wgpu.interrupts import deferred

if TYPE_CHECKING:
    from graphc.runtime.base import Device

ENVIRONMENT: Final = "GRAPHC_DEVICE"
SOFTWARE_HINT: Final = "install your GPU's Vulkan driver to run on the GPU"
OPENGL_HINT: Final = "OpenGL's shading language leaves open what WGSL defines, so that results may differ"
NO_ADAPTER_HINT: Final = "install a Vulkan driver (on Debian or Ubuntu: apt install mesa-vulkan-drivers)"
NO_PACKAGE_HINT: Final = "pip install 'wgpu>=0.32,<0.33'"

_KINDS: Final = {"DiscreteGPU": "discrete", "IntegratedGPU": "integrated", "CPU": "software", "Unknown": "virtual"}
_RANK: Final = ("discrete", "integrated", "virtual", "software")
_PRIMARY: Final = ("Vulkan", "Metal", "DX12")


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

    def __str__(self) -> str:
        note = f"a software adapter; {SOFTWARE_HINT}" if self.software else f"{self.kind} GPU"
        if self.only_by_name:
            note += f"; only used where it is named, because {OPENGL_HINT}"
        return f"{self.name}, through {self.backend}: {note}"


class _Registry:
    """Adapters found and devices handed out; one of each in a process. missing: why wgpu could not be imported."""

    def __init__(self) -> None:
        self.lock = Lock(reentrant=True)
        self.adapters: list[AdapterInfo] | None = None
        self.devices: dict[str, Device] = {}
        self.said: set[str] = set()
        self.missing = ""

    def say_once(self, line: str) -> None:
        if line not in self.said:
            self.said.add(line)
            print(line, file=sys.stderr)


_registry: Final = _Registry()


def _enumerate() -> list[AdapterInfo]:
    """All adapters through the native backends; OpenGL is asked only where there is no other (its loader is noisy)."""
    try:
        import wgpu
        from wgpu.backends.wgpu_native import _ffi, extras
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        _registry.missing = f"the package wgpu cannot be imported ({str(error).partition(chr(10))[0]})"
        return []
    make_ready(_ffi.ffi)
    _separate_shader_caches()
    if "XDG_RUNTIME_DIR" not in os.environ:
        # Mesa's layer that asks the desktop for its favourite GPU complains loudly where there is no desktop.
        os.environ.setdefault("NODEVICE_SELECT", "1")
    with deferred:
        with contextlib.suppress(RuntimeError):  # where somebody else in this process has made the instance, use theirs
            extras.set_instance_extras(backends=_PRIMARY)
        found = wgpu.gpu.enumerate_adapters_sync()
        if not found:
            from wgpu.backends.wgpu_native import _helpers

            _helpers._the_instance = None  # with no adapter nothing can refer to it
            found = wgpu.gpu.enumerate_adapters_sync()
        return sorted((_describe(handle) for handle in found), key=preference)


def preference(adapter: AdapterInfo) -> tuple[bool, int]:
    """The sorting key of adapters, best first."""
    return adapter.only_by_name, _RANK.index(adapter.kind)


def _separate_shader_caches() -> None:
    """Give each width of Mesa's vectors a shader cache of its own.

    LP_NATIVE_VECTOR_WIDTH changes how many lanes a subgroup has, but not the keys of Mesa's cache: a kernel that was
    compiled for one width would be taken for another.
    """
    width = os.environ.get("LP_NATIVE_VECTOR_WIDTH", "")
    own = f"width-{width}"
    folder = os.environ.get("MESA_SHADER_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    if width and Path(folder).name != own:
        os.environ["MESA_SHADER_CACHE_DIR"] = str(Path(folder, "mesa_shader_cache", own))


def _describe(handle: Any) -> AdapterInfo:
    info = handle.info
    return AdapterInfo(
        name=info["device"] or info["vendor"] or "unnamed adapter",
        kind=_KINDS.get(info["adapter_type"], "virtual"),
        backend=info["backend_type"],
        driver=info["description"],
        vendor_id=info["vendor_id"],
        handle=handle,
    )


def why_none() -> tuple[str, str]:
    """Why there is no adapter, and what mends it."""
    adapters()
    return (_registry.missing, NO_PACKAGE_HINT) if _registry.missing else ("no WebGPU adapter", NO_ADAPTER_HINT)


def adapters() -> list[AdapterInfo]:
    """Every WebGPU adapter of this machine, best first; an empty list where there is none."""
    with _registry.lock:
        if _registry.adapters is None:
            _registry.adapters = _enumerate()
        return list(_registry.adapters)


def devices() -> list[Device]:
    """Every device that graphc can run on, best first; the last is the NumPy reference, "numpy"."""
    return [_named(f"wgpu:{n}") for n in range(len(adapters()))] + [_named("numpy")]


def device(name: str | Device | None = None) -> Device:
    """The device called `name`: "wgpu" (the best adapter), "wgpu:1" (the second best), "numpy"; None for the default.

    A Device is returned as it is. Raises DeviceError for a name that means none, naming those there are.
    """
    from graphc.runtime.base import Device

    if isinstance(name, Device):
        return name
    if name is None:
        return default_device()
    if not isinstance(name, str):
        raise DeviceError(f"a device is named by a string, got {type(name).__name__}")
    found = _named(name)
    adapter: AdapterInfo | None = getattr(found, "adapter", None)
    if adapter is not None and adapter.only_by_name:
        _registry.say_once(f"graphc: running on {adapter.name} through OpenGL, as {name!r} says; {OPENGL_HINT}")
    return found


def _named(name: str) -> Device:
    """The device called `name`, made when it is first asked for."""
    key = "wgpu:0" if name == "wgpu" else name
    with _registry.lock:
        known = _registry.devices.get(key)
        if known is None or known.closed:
            known = _registry.devices[key] = _make(key, name)
        return known


def _make(key: str, name: str) -> Device:
    if key == "numpy":
        from graphc.runtime.numpy.device import NumpyDevice

        return NumpyDevice()
    kind, _, number = key.partition(":")
    if kind != "wgpu" or not number.isdecimal():
        raise DeviceError(f"unknown device {name!r}: {_available()}")
    found = adapters()
    if not found:
        why, mend = why_none()
        raise DeviceError(f"there is no device {name!r}: {why}: {mend}; device 'numpy' always works")
    if int(number) >= len(found):
        raise DeviceError(f"there is no device {name!r}: {_available()}")
    try:
        from graphc.runtime.wgpu.device import WgpuDevice
    except (ImportError, AttributeError) as error:  # of another version, whose functions are others
        raise DeviceError(f"the package wgpu is not the one that graphc needs ({error}): {NO_PACKAGE_HINT}") from error
    return WgpuDevice(key, found[int(number)])


def _available() -> str:
    names = [f"wgpu:{n}" for n in range(len(adapters()))]
    return f"there are {', '.join(['wgpu', *names, 'numpy'] if names else ['numpy'])}"


def default_device() -> Device:
    """The device of the environment variable GRAPHC_DEVICE, else the best adapter, else the NumPy reference.

    An adapter that is reached through OpenGL is no default. That the default is a software adapter or the reference is
    said once, in one line on stderr.
    """
    wanted = os.environ.get(ENVIRONMENT, "").strip()
    if wanted:
        try:
            return device(wanted)
        except DeviceError as error:
            raise DeviceError(f"{ENVIRONMENT}: {error}") from None
    found = adapters()
    if not found or found[0].only_by_name:
        why, way = why_none()
        if found:
            why += f" but {found[0].name} through OpenGL"
            way += f", or name it ({ENVIRONMENT}=wgpu): {OPENGL_HINT}"
        _registry.say_once(f"graphc: {why}, running on the NumPy reference (slow); {way}")
        return device("numpy")
    if found[0].software:
        _registry.say_once(
            f"graphc: running on {found[0].name}, a software adapter; {SOFTWARE_HINT}; small programs may be faster "
            f"{_faster_ways(found[0])} ('graphc doctor' measures)"
        )
    return device("wgpu:0")


def _faster_ways(adapter: AdapterInfo) -> str:
    """What may beat this software adapter."""
    ways = f"with {ENVIRONMENT}=numpy"
    threads = "llvmpipe" in adapter.name and os.environ.get("LP_NUM_THREADS") != "1"
    return f"{ways} or LP_NUM_THREADS=1" if threads else ways
