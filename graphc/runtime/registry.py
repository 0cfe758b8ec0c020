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
import weakref
from pathlib import Path
from typing import Any, Final

import numpy as np

from graphc.errors import DeviceError, ShapeError
from graphc.ir.types import check_plain
from graphc.runtime.adapter import OPENGL_HINT, SOFTWARE_HINT, AdapterInfo, preference
from graphc.runtime.array import Array
from graphc.runtime.base import Device
from graphc.runtime.forks import Lock
from graphc.runtime.methods import ABOVE
from graphc.runtime.numpy.device import NumpyDevice
from graphc.runtime.weak import Attached
from graphc.runtime.wgpu.c_types import make_ready
from graphc.runtime.wgpu.interrupts import deferred

ENVIRONMENT: Final = "GRAPHC_DEVICE"
NO_ADAPTER_HINT: Final = "install a Vulkan driver (on Debian or Ubuntu: apt install mesa-vulkan-drivers)"
NO_PACKAGE_HINT: Final = "pip install 'wgpu>=0.32,<0.33'"

_KINDS: Final = {"DiscreteGPU": "discrete", "IntegratedGPU": "integrated", "CPU": "software", "Unknown": "virtual"}
_PRIMARY: Final = ("Vulkan", "Metal", "DX12")


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
        with deferred:  # the binding reads a header meanwhile, by objects with finalizers
            import wgpu
            from wgpu.backends.wgpu_native import _api, _ffi, extras
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        _registry.missing = f"the package wgpu cannot be imported ({str(error).partition(chr(10))[0]})"
        return []
    make_ready(_ffi.ffi)
    if isinstance(kept := getattr(_api, "_refs_per_struct", None), weakref.WeakKeyDictionary):
        _api._refs_per_struct = Attached(kept.items())
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


find_device: Final = device
"""The same, where `device` names something else."""


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


def asarray(value: Any, device: Device | str | None = None) -> Array:
    """`value` (an ndarray, Array, nested list or scalar) as an Array on `device`.

    An Array that lives there already is returned as it is, and stays where it is if no device is named. 64-bit types
    are narrowed unless x64 is on. Raises DTypeError for an integer that does not fit 32 bits and for arrays that mean
    more than their elements (masked, np.matrix, sparse), ShapeError for lists of unequal lengths, DeviceError for an
    unknown device.
    """
    target = value.device if device is None and isinstance(value, Array) else find_device(device)
    if isinstance(value, Array):
        if value.device is target:
            value._alive()
            return value
        value = value.numpy()
    check_plain(value, "asarray: the value")
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ShapeError(f"asarray: {error}") from None
    uploaded = target.upload(array)
    assert isinstance(uploaded, Array)
    return uploaded


ABOVE["asarray"] = asarray
