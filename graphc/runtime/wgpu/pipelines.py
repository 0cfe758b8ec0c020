"""Compute pipelines, made once for each WGSL text, and what a device's subgroups are really like."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
import wgpu

from graphc.errors import DeviceError
from graphc.plan.plan import Access, Kernel
from graphc.runtime.wgpu import native
from graphc.runtime.wgpu.interrupts import deferred
from graphc.runtime.wgpu.queue import Queue

_BUFFER_TYPE: Final = {"read": "read-only-storage", "read_write": "storage", "uniform": "uniform"}
KEPT: Final = 1024
"""Pipelines kept beside those that programs hold, the last used."""

_VENDORS_THAT_VARY: Final = frozenset({0x8086})
"""Intel's compilers choose 8, 16 or 32 lanes a kernel, so a size probed with one kernel says nothing of the next."""

_PROBE: Final = """
@group(0) @binding(0) var<storage, read_write> found: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) i: u32, @builtin(subgroup_invocation_id) lane: u32) {
    found[i] = subgroupAdd(1u) * 256u + lane;
}
"""


def _layout_of(mode: Access) -> dict[str, Any]:
    """What a bind group layout says of a binding of this access mode."""
    if mode == "texture":
        return {"storage_texture": {"access": "read-only", "format": "rgba32float", "view_dimension": "2d"}}
    return {"buffer": {"type": _BUFFER_TYPE[mode]}}


class Pipelines:
    """Pipelines of one device by WGSL text, bind group layouts by access pattern. Safe for threads."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self._lock = threading.Lock()
        self._layouts: dict[tuple[Access, ...], tuple[Any, Any]] = {}
        self._made: OrderedDict[tuple[str, tuple[Access, ...]], Any] = OrderedDict()

    def __len__(self) -> int:
        return len(self._made)

    def layout(self, access: tuple[Access, ...]) -> tuple[Any, Any]:
        """Bind group layout and pipeline layout for bindings of these access modes."""
        with self._lock:
            found = self._layouts.get(access)
            if found is None:
                handle = self.queue.handle
                entries = [
                    {"binding": n, "visibility": wgpu.ShaderStage.COMPUTE, **_layout_of(mode)}
                    for n, mode in enumerate(access)
                ]
                group = handle.create_bind_group_layout(entries=entries)
                found = group, handle.create_pipeline_layout(bind_group_layouts=[group])
                self._layouts[access] = found
            return found

    def get(self, kernels: Sequence[Kernel]) -> list[Any]:
        """A pipeline for each kernel; those that are new are compiled in parallel.

        Raises DeviceError naming the kernel whose WGSL the device refuses, or that needs a feature it lacks.
        """
        with self._lock:
            found = {key: self._made[key] for key in ((k.wgsl, k.access) for k in kernels) if key in self._made}
        new = {(k.wgsl, k.access): k for k in kernels if (k.wgsl, k.access) not in found}
        if len(new) < 2:
            made = [self._make(k) for k in new.values()]
        else:
            with ThreadPoolExecutor(max_workers=min(os.cpu_count() or 1, 8)) as pool:
                made = list(pool.map(self._make, new.values()))
        found.update(zip(new, made, strict=True))
        with deferred, self._lock:
            for key, pipeline in found.items():
                self._made[key] = pipeline
                self._made.move_to_end(key)
            while len(self._made) > KEPT:
                self._made.popitem(last=False)
        return [found[k.wgsl, k.access] for k in kernels]

    def _make(self, kernel: Kernel) -> Any:
        missing = set(kernel.needs) - self.queue.features
        if missing:
            raise DeviceError(f"kernel {kernel.name} needs {', '.join(sorted(missing))}; {self.queue.name} has none")
        with deferred, self.queue.guard(f"compiling kernel {kernel.name}"):
            _, layout = self.layout(kernel.access)
            handle = self.queue.handle
            if self.queue.checks == "all":
                module = handle.create_shader_module(code=kernel.wgsl, label=kernel.name)
            else:
                module = native.trusted_module(handle, kernel.wgsl, kernel.name, self.queue.checks == "indices")
            return handle.create_compute_pipeline(
                layout=layout, compute={"module": module, "entry_point": "main"}, label=kernel.name
            )

    def bind(self, access: tuple[Access, ...], windows: Sequence[tuple[Any, int, int]]) -> Any:
        """A bind group of (buffer, byte offset, bytes) windows; for the access "texture", (texture view, 0, 0)."""
        entries = [
            {"binding": n, "resource": item if mode == "texture" else {"buffer": item, "offset": offset, "size": size}}
            for n, (mode, (item, offset, size)) in enumerate(zip(access, windows, strict=True))
        ]
        with self.queue.guard("binding buffers"):
            return self.queue.handle.create_bind_group(layout=self.layout(access)[0], entries=entries)

    def clear(self) -> None:
        """Forget all pipelines."""
        self._made.clear()
        self._layouts.clear()


def probe_subgroup(device: Queue, pipelines: Pipelines) -> int:
    """Lanes of a subgroup as a kernel finds them; 0 where subgroups are missing, vary, or number lanes oddly.

    What adapters report is no guide: lavapipe says 4 to 128 and has 8.
    """
    if "subgroup" not in device.features or device.adapter.vendor_id in _VENDORS_THAT_VARY:
        return 0
    kernel = Kernel("probe_subgroup", _PROBE, ("read_write",), "probe")
    with deferred, device.lock:
        (pipeline,) = pipelines.get([kernel])
        memory = device.pool.take(256)
        group = pipelines.bind(kernel.access, [(memory.buffer, 0, 256)])
        encoder = device.handle.create_command_encoder()
        compute = encoder.begin_compute_pass()
        compute.set_pipeline(pipeline)
        compute.set_bind_group(0, group)
        compute.dispatch_workgroups(1)
        compute.end()
        memory.writer = device.submit(encoder, "probing subgroups")
    found = device.read(memory, 256).view(np.uint32)
    size = int(found[0] >> 8)
    regular = size in (4, 8, 16, 32, 64) and np.array_equal(found, size * 256 + np.arange(64, dtype=np.uint32) % size)
    return size if regular else 0
