"""A small WebGPU harness for kernel tests: one device, one call to run WGSL on arrays."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import wgpu

from graphc.runtime import adapters

USAGE = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_SRC | wgpu.BufferUsage.COPY_DST


@cache
def device() -> Any:
    """The best adapter's device, with subgroups where it has them and WebGPU's baseline limits."""
    adapter = adapters()[0].handle
    features = [name for name in ("subgroup",) if name in adapter.features]
    return adapter.request_device_sync(required_features=features)


def adapter_name() -> str:
    """What the adapter calls itself."""
    return str(device().adapter.info["device"])


@cache
def pipeline(code: str) -> Any:
    """The compute pipeline of `code`, entry point main."""
    module = device().create_shader_module(code=code)
    return device().create_compute_pipeline(layout="auto", compute={"module": module, "entry_point": "main"})


def buffer(array: np.ndarray[Any, Any]) -> Any:
    """A storage buffer that holds the array's bytes, padded to 16."""
    raw = np.ascontiguousarray(array).tobytes()
    made = device().create_buffer(size=max(16, -(-len(raw) // 16) * 16), usage=USAGE)
    if raw:
        device().queue.write_buffer(made, 0, raw + bytes(-len(raw) % 4))
    return made


def dispatch(code: str, buffers: Sequence[Any], workgroups: tuple[int, int, int]) -> None:
    """Run `code` with the buffers at bindings 0, 1, ... of group 0."""
    made = pipeline(code)
    entries = [
        {"binding": at, "resource": {"buffer": bound, "offset": 0, "size": bound.size}}
        for at, bound in enumerate(buffers)
    ]
    group = device().create_bind_group(layout=made.get_bind_group_layout(0), entries=entries)
    encoder = device().create_command_encoder()
    compute = encoder.begin_compute_pass()
    compute.set_pipeline(made)
    compute.set_bind_group(0, group)
    compute.dispatch_workgroups(*workgroups)
    compute.end()
    device().queue.submit([encoder.finish()])


def read(made: Any, shape: Sequence[int], dtype: Any) -> np.ndarray[Any, Any]:
    """The buffer's contents as an array."""
    count = int(np.prod(shape, dtype=np.int64))
    return np.frombuffer(device().queue.read_buffer(made), dtype)[:count].reshape(shape).copy()
