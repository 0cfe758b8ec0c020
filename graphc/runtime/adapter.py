"""Which adapters there are, and which one is the default.

Adapters are listed best first: discrete, integrated, virtual, software. Opening one costs milliseconds, so a Device
is opened when it is first used. `wgpu` itself is imported here, when somebody first asks for a device.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from graphc.errors import DeviceError

if TYPE_CHECKING:
    from graphc.runtime.base import Device

ENVIRONMENT: Final = "GRAPHC_DEVICE"
SOFTWARE_HINT: Final = "install your GPU's Vulkan driver to run on the GPU"
NO_ADAPTER_HINT: Final = "install a Vulkan driver (on Debian or Ubuntu: apt install mesa-vulkan-drivers)"

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

    @property
    def software(self) -> bool:
        """Whether programs run on the CPU."""
        return self.kind == "software"

    def __str__(self) -> str:
        note = f"a software adapter; {SOFTWARE_HINT}" if self.software else f"{self.kind} GPU"
        return f"{self.name}, through {self.backend}: {note}"


class _Registry:
    """Adapters found and devices handed out; one of each in a process."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.adapters: list[AdapterInfo] | None = None
        self.devices: dict[str, Device] = {}
        self.said: set[str] = set()

    def say_once(self, line: str) -> None:
        if line not in self.said:
            self.said.add(line)
            print(line, file=sys.stderr)


_registry: Final = _Registry()


def _enumerate() -> list[AdapterInfo]:
    """All adapters through the native backends; OpenGL is asked only where there is no other (its loader is noisy)."""
    try:
        import wgpu
        from wgpu.backends.wgpu_native import extras
    except (ImportError, OSError, RuntimeError):
        return []
    if "XDG_RUNTIME_DIR" not in os.environ:
        # Mesa's layer that asks the desktop for its favourite GPU complains loudly where there is no desktop.
        os.environ.setdefault("NODEVICE_SELECT", "1")
    with contextlib.suppress(RuntimeError):  # where somebody else in this process has made the instance, use theirs
        extras.set_instance_extras(backends=_PRIMARY)
    found = wgpu.gpu.enumerate_adapters_sync()
    if not found:
        from wgpu.backends.wgpu_native import _helpers

        _helpers._the_instance = None  # with no adapter nothing can refer to it
        found = wgpu.gpu.enumerate_adapters_sync()
    listed = [_describe(handle) for handle in found]
    return sorted(listed, key=lambda a: (_RANK.index(a.kind), a.backend == "OpenGL"))


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


def adapters() -> list[AdapterInfo]:
    """Every WebGPU adapter of this machine, best first; an empty list where there is none."""
    with _registry.lock:
        if _registry.adapters is None:
            _registry.adapters = _enumerate()
        return list(_registry.adapters)


def devices() -> list[Device]:
    """Every device that graphc can run on, best first; the last is the NumPy reference, "numpy"."""
    return [device(f"wgpu:{n}") for n in range(len(adapters()))] + [device("numpy")]


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
    key = "wgpu:0" if name == "wgpu" else name
    with _registry.lock:
        known = _registry.devices.get(key)
        if known is None or known.closed:
            known = _registry.devices[key] = _make(key, name)
        return known


def _make(key: str, name: str) -> Device:
    from graphc.runtime.numpy_device import NumpyDevice
    from graphc.runtime.wgpu_device import WgpuDevice

    if key == "numpy":
        return NumpyDevice()
    kind, _, number = key.partition(":")
    if kind != "wgpu" or not number.isdecimal():
        raise DeviceError(f"unknown device {name!r}: {_available()}")
    found = adapters()
    if not found:
        raise DeviceError(f"there is no WebGPU adapter for {name!r}: {NO_ADAPTER_HINT}; device 'numpy' always works")
    if int(number) >= len(found):
        raise DeviceError(f"there is no device {name!r}: {_available()}")
    return WgpuDevice(key, found[int(number)])


def _available() -> str:
    names = [f"wgpu:{n}" for n in range(len(adapters()))]
    return f"there are {', '.join(['wgpu', *names, 'numpy'] if names else ['numpy'])}"


def default_device() -> Device:
    """The device of the environment variable GRAPHC_DEVICE, else the best adapter, else the NumPy reference.

    That the default is a software adapter or the reference is said once, in one line on stderr.
    """
    wanted = os.environ.get(ENVIRONMENT, "").strip()
    if wanted:
        try:
            return device(wanted)
        except DeviceError as error:
            raise DeviceError(f"{ENVIRONMENT}: {error}") from None
    found = adapters()
    if not found:
        _registry.say_once(f"graphc: no WebGPU adapter, running on the NumPy reference (slow); {NO_ADAPTER_HINT}")
        return device("numpy")
    if found[0].software:
        _registry.say_once(f"graphc: running on {found[0].name}, a software adapter; {SOFTWARE_HINT}")
    return device("wgpu:0")
