"""The C functions of wgpu-native that a step needs, called without the Python wrapper around each.

A dispatch costs 0.9 us this way and 3 to 4 us through the wrapper's methods, a pass 0.7 and 5.7, a copy into a texture
0.3 and 14. The wrapper also has no way to submit for
an index, to wait for that index, or to learn when one submission is done; all three are here. Errors: encoding calls
store theirs until `finish`, which goes through the wrapper and raises. A submit may not fail: wgpu-native aborts the
process when it does, so callers check lifetimes first.
"""

from __future__ import annotations

import itertools
import time
import traceback
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from wgpu.backends.wgpu_native._api import GPUShaderModule, libf
from wgpu.backends.wgpu_native._ffi import ffi, lib

from graphc.errors import DeviceError, DeviceLostError
from graphc.plan.plan import TEXEL_BYTES
from graphc.runtime.base import pauses
from graphc.runtime.wgpu.interrupts import deferred

Step = tuple[Any, Any, int, int, int]
"""Native pipeline (None: the one before stays), native bind group, workgroups in x, y, z."""

Order = tuple[Any, Any, Any, Any]
"""A copy into a texture or a clear, as the C function that records it with what it takes after the encoder."""

_MAP_READ: Final = 1
_ALL: Final = lib.WGPUTextureAspect_All
_PASS: Final = ffi.new("WGPUComputePassDescriptor *")
# Bound once: looking a function up in `lib` takes a tenth of the time of calling it.
_begin_pass: Final = lib.wgpuCommandEncoderBeginComputePass
_copy: Final = lib.wgpuCommandEncoderCopyBufferToTexture
_clear: Final = lib.wgpuCommandEncoderClearBuffer
_set_pipeline: Final = lib.wgpuComputePassEncoderSetPipeline
_set_bind_group: Final = lib.wgpuComputePassEncoderSetBindGroup
_dispatch: Final = lib.wgpuComputePassEncoderDispatchWorkgroups
_end_pass: Final = lib.wgpuComputePassEncoderEnd
_release_pass: Final = lib.wgpuComputePassEncoderRelease
_tickets: Final = itertools.count(1)
_waiting: Final[set[int]] = set()
"""Submissions that the GPU has not finished, as far as anybody has asked."""
_mapped: Final[dict[int, int]] = {}


def _ticket_of(userdata: Any) -> int:
    return int(ffi.cast("intptr_t", userdata))


def _broken_off(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What the callbacks below do where Ctrl-C ended them before their first line: all the same, and it is not lost.

    wgpu calls back whenever it is called, also while an object is released, and then nobody has put Ctrl-C off.
    """
    if not issubclass(kind, KeyboardInterrupt):
        traceback.print_exception(error)
        return
    while trace is not None:
        given = trace.tb_frame.f_locals
        if "userdata" in given:
            ticket = _ticket_of(given["userdata"])
            _waiting.discard(ticket)
            if "mapped" in given:
                _mapped[ticket] = given["mapped"]
        trace = trace.tb_next
    deferred.missed()


@ffi.callback("void(WGPUQueueWorkDoneStatus, WGPUStringView, void *, void *)", onerror=_broken_off)  # type: ignore[untyped-decorator, unused-ignore]  # cffi has no types
def _on_done(status: int, message: Any, userdata: Any, unused: Any) -> None:
    _waiting.discard(_ticket_of(userdata))


@ffi.callback("void(WGPUMapAsyncStatus, WGPUStringView, void *, void *)", onerror=_broken_off)  # type: ignore[untyped-decorator, unused-ignore]  # cffi has no types
def _on_mapped(mapped: int, message: Any, userdata: Any, unused: Any) -> None:
    _mapped[_ticket_of(userdata)] = mapped


def trusted_module(device: Any, wgsl: str, label: str, indices: bool) -> Any:
    """A shader module (a wrapper's object) in which wgpu-native counts no turns of loops, and where `indices` is false
    keeps no index within its buffer or array either. WGSL that is not valid raises, as ever."""
    code, name = (text.encode() for text in (wgsl, label))
    texts = [ffi.from_buffer("char[]", text) for text in (code, name)]
    source = ffi.new("WGPUShaderSourceWGSL *")
    source.chain.sType = lib.WGPUSType_ShaderSourceWGSL
    source.code.data, source.code.length = texts[0], len(code)
    descriptor = ffi.new("WGPUShaderModuleDescriptor *")
    descriptor.nextInChain = ffi.cast("WGPUChainedStruct *", source)
    descriptor.label.data, descriptor.label.length = texts[1], len(name)
    checks = lib.WGPUShaderRuntimeChecks_BoundsChecks if indices else lib.WGPUShaderRuntimeChecks_None
    made = libf.wgpuDeviceCreateShaderModuleTrusted(device._internal, descriptor, checks)
    if made == ffi.NULL:
        raise DeviceError(f"no shader module was made of {label}")
    return GPUShaderModule(label, made, device)


class Submission:
    """One submit: whether it is done, and a way to wait for it."""

    __slots__ = ("_device", "_index", "_ticket")

    def __init__(self, device: Any, index: int, ticket: int) -> None:
        self._device = device
        self._index = ffi.new("WGPUSubmissionIndex *", index)
        self._ticket = ticket

    def done(self) -> bool:
        """Whether the GPU has finished it; asks, and never blocks."""
        if self._ticket in _waiting:
            with deferred:
                lib.wgpuDevicePoll(self._device._internal, False, ffi.NULL)
        return self._ticket not in _waiting

    def wait(self, alone: bool = True) -> None:
        """Block until the GPU has finished it; other Python threads run meanwhile.

        alone: no other thread uses the device. If one does, it must be able to submit meanwhile, and wgpu lets nobody
        submit while a thread blocks inside of it: then this thread sleeps, and looks now and then.
        """
        if alone and self._ticket in _waiting:
            with deferred:
                lib.wgpuDevicePoll(self._device._internal, True, self._index)
                _waiting.discard(self._ticket)
        for pause in pauses():
            if self.done():
                break
            time.sleep(pause)


def submit(device: Any, command_buffer: Any) -> Submission:
    """Submit a finished command buffer (a wrapper's object) and say how to wait for it."""
    commands = ffi.new("WGPUCommandBuffer[]", [command_buffer._internal])
    queue = device.queue._internal
    index = lib.wgpuQueueSubmitForIndex(queue, 1, commands)
    ticket = next(_tickets)
    _waiting.add(ticket)
    info = ffi.new("WGPUQueueWorkDoneCallbackInfo *")
    info.mode = lib.WGPUCallbackMode_AllowProcessEvents
    info.callback = _on_done
    info.userdata1 = ffi.cast("void *", ticket)
    lib.wgpuQueueOnSubmittedWorkDone(queue, info[0])
    return Submission(device, index, ticket)


class Texels:
    """A texture of rgba32float texels (a wrapper's object) with the view that kernels bind, and how it is copied to.

    target, size: what the C function takes; they are made once a texture, so that they are in the cache when a step is
    recorded.
    """

    __slots__ = ("height", "row_bytes", "size", "target", "texture", "view")

    def __init__(self, texture: Any) -> None:
        width, self.height, _ = texture.size
        self.texture, self.view, self.row_bytes = texture, texture.create_view(), width * TEXEL_BYTES
        self.target = ffi.new("WGPUTexelCopyTextureInfo *", {"texture": texture._internal, "aspect": _ALL})
        self.size = ffi.new("WGPUExtent3D *", (width, self.height, 1))


class Copy:
    """A copy of a buffer's bytes (a wrapper's object) from `offset` on into a whole texture.

    The buffer and the texture live as long as the copy does.
    """

    __slots__ = ("_alive", "order")

    def __init__(self, buffer: Any, offset: int, into: Texels) -> None:
        layout = {"offset": offset, "bytesPerRow": into.row_bytes, "rowsPerImage": into.height}
        source = ffi.new("WGPUTexelCopyBufferInfo *", {"layout": layout, "buffer": buffer._internal})
        self._alive = buffer, into
        self.order: Order = _copy, source, into.target, into.size


class Clear:
    """Zeros over `nbytes` bytes of a buffer (a wrapper's object), which lives as long as the clear does."""

    __slots__ = ("_alive", "order")

    def __init__(self, buffer: Any, offset: int, nbytes: int) -> None:
        self._alive = buffer
        self.order: Order = _clear, buffer._internal, offset, nbytes


class Commands:
    """What a program records at each call, as native handles.

    steps: its dispatches, each with its pipeline. copies: the copies and clears that come before a dispatch, by its
    position in steps. passes: for each compute pass, the orders before it, and its dispatches with None for a pipeline
    that stays.
    """

    __slots__ = ("copies", "passes", "steps")

    def __init__(self, steps: Sequence[Step], copies: Mapping[int, Sequence[Copy | Clear]]) -> None:
        self.steps, self.copies = steps, copies
        starts = sorted({0, *copies})
        self.passes = [
            ([copy.order for copy in copies.get(first, ())], _without_repeats(steps[first:end]))
            for first, end in itertools.pairwise([*starts, len(steps)])
        ]

    @property
    def count(self) -> int:
        """Dispatches, copies, clears and passes in all."""
        return len(self.steps) + sum(1 + len(copies) for copies, _ in self.passes)


def _without_repeats(steps: Sequence[Step]) -> list[Step]:
    """The dispatches of one pass with None for the pipeline where it is that of the dispatch before."""
    before = [None, *(pipeline for pipeline, *_ in steps)]
    return [(None if step[0] == last else step[0], *step[1:]) for last, step in zip(before, steps, strict=False)]


def encode(compute_pass: Any, steps: Sequence[Step]) -> None:
    """Record dispatches into an open compute pass (its native handle). The bind groups must outlive the call."""
    set_pipeline, set_bind_group, dispatch, none = _set_pipeline, _set_bind_group, _dispatch, ffi.NULL
    for pipeline, group, x, y, z in steps:
        if pipeline is not None:
            set_pipeline(compute_pass, pipeline)
        set_bind_group(compute_pass, 0, group, 0, none)
        dispatch(compute_pass, x, y, z)


def copy(encoder: Any, orders: Iterable[Order]) -> None:
    """Record copies and clears into a command encoder (its native handle), outside of passes."""
    for function, first, second, third in orders:
        function(encoder, first, second, third)


def clear(encoder: Any, buffer: Any, nbytes: int) -> None:
    """Record that the first bytes of a buffer become 0 (both are wrapper's objects)."""
    _clear(encoder._internal, buffer._internal, 0, nbytes)


def record(encoder: Any, commands: Commands) -> None:
    """All dispatches of a program into a command encoder (a wrapper's object), in as few passes as its copies allow."""
    handle = encoder._internal
    for copies, steps in commands.passes:
        copy(handle, copies)
        compute_pass = _begin_pass(handle, _PASS)
        encode(compute_pass, steps)
        _end_pass(compute_pass)
        _release_pass(compute_pass)


def read_mapped(
    buffer: Any, out: npt.NDArray[np.uint8], submission: Submission, alone: bool = True
) -> npt.NDArray[np.uint8]:
    """The first bytes of a MAP_READ buffer, as many as `out` holds, which they are copied to and which is returned.

    It is read after `submission` (the last to write it) is done. Blocks as its `wait`. Raises DeviceLostError where the
    device goes away meanwhile, DeviceError where the buffer cannot be mapped.
    """
    submission.wait(alone)
    with deferred:
        return _read_mapped(buffer, out, submission)


def _read_mapped(buffer: Any, out: npt.NDArray[np.uint8], submission: Submission) -> npt.NDArray[np.uint8]:
    ticket, nbytes = next(_tickets), out.nbytes
    info = ffi.new("WGPUBufferMapCallbackInfo *")
    info.mode = lib.WGPUCallbackMode_AllowProcessEvents
    info.callback = _on_mapped
    info.userdata1 = ffi.cast("void *", ticket)
    handle = buffer._internal
    lib.wgpuBufferMapAsync(handle, _MAP_READ, 0, nbytes, info[0])
    while ticket not in _mapped:
        lib.wgpuDevicePoll(submission._device._internal, True, submission._index)
    status = _mapped.pop(ticket)
    if status != lib.WGPUMapAsyncStatus_Success:
        lost = status == lib.WGPUMapAsyncStatus_Aborted
        raise (DeviceLostError if lost else DeviceError)(f"a result could not be read back (map status {status})")
    start = lib.wgpuBufferGetConstMappedRange(handle, 0, nbytes)
    ffi.memmove(ffi.from_buffer(out), start, nbytes)
    lib.wgpuBufferUnmap(handle)
    return out
