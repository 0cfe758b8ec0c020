"""The C functions of wgpu-native that a step needs, called without the Python wrapper around each.

A dispatch costs 1.2 us this way and 3 to 4 us through the wrapper's methods. The wrapper also has no way to submit for
an index, to wait for that index, or to learn when one submission is done; all three are here. Errors: encoding calls
store theirs until `finish`, which goes through the wrapper and raises. A submit may not fail: wgpu-native aborts the
process when it does, so callers check lifetimes first.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from wgpu.backends.wgpu_native._ffi import ffi, lib

from graphc.errors import DeviceError, DeviceLostError
from graphc.runtime.base import pauses

Step = tuple[Any, Any, int, int, int]
"""Native pipeline (None: the one before stays), native bind group, workgroups in x, y, z."""

_MAP_READ: Final = 1
_tickets: Final = itertools.count(1)
_done: Final[dict[int, bool]] = {}
_mapped: Final[dict[int, int]] = {}


def _ticket_of(userdata: Any) -> int:
    return int(ffi.cast("intptr_t", userdata))


@ffi.callback("void(WGPUQueueWorkDoneStatus, WGPUStringView, void *, void *)")  # type: ignore[untyped-decorator, unused-ignore]  # cffi has no types
def _on_done(status: int, message: Any, userdata: Any, unused: Any) -> None:
    ticket = _ticket_of(userdata)
    if ticket in _done:
        _done[ticket] = True


@ffi.callback("void(WGPUMapAsyncStatus, WGPUStringView, void *, void *)")  # type: ignore[untyped-decorator, unused-ignore]  # cffi has no types
def _on_mapped(status: int, message: Any, userdata: Any, unused: Any) -> None:
    _mapped[_ticket_of(userdata)] = status


class Submission:
    """One submit: whether it is done, and a way to wait for it."""

    __slots__ = ("_device", "_index", "_ticket")

    def __init__(self, device: Any, index: int, ticket: int) -> None:
        self._device = device
        self._index = ffi.new("WGPUSubmissionIndex *", index)
        self._ticket = ticket

    def done(self) -> bool:
        """Whether the GPU has finished it; asks, and never blocks."""
        if not _done[self._ticket]:
            lib.wgpuDevicePoll(self._device._internal, False, ffi.NULL)
        return _done[self._ticket]

    def wait(self, alone: bool = True) -> None:
        """Block until the GPU has finished it; other Python threads run meanwhile.

        alone: no other thread uses the device. If one does, it must be able to submit meanwhile, and wgpu lets nobody
        submit while a thread blocks inside of it: then this thread sleeps, and looks now and then.
        """
        if alone and not _done[self._ticket]:
            lib.wgpuDevicePoll(self._device._internal, True, self._index)
            _done[self._ticket] = True
        for pause in pauses():
            if self.done():
                break
            time.sleep(pause)

    def __del__(self) -> None:
        _done.pop(self._ticket, None)


def submit(device: Any, command_buffer: Any) -> Submission:
    """Submit a finished command buffer (a wrapper's object) and say how to wait for it."""
    commands = ffi.new("WGPUCommandBuffer[]", [command_buffer._internal])
    queue = device.queue._internal
    index = lib.wgpuQueueSubmitForIndex(queue, 1, commands)
    ticket = next(_tickets)
    _done[ticket] = False
    info = ffi.new("WGPUQueueWorkDoneCallbackInfo *")
    info.mode = lib.WGPUCallbackMode_AllowProcessEvents
    info.callback = _on_done
    info.userdata1 = ffi.cast("void *", ticket)
    lib.wgpuQueueOnSubmittedWorkDone(queue, info[0])
    return Submission(device, index, ticket)


def encode(compute_pass: Any, steps: Sequence[Step]) -> None:
    """Record dispatches into an open compute pass (a wrapper's object). The bind groups must outlive the call."""
    set_pipeline = lib.wgpuComputePassEncoderSetPipeline
    set_bind_group = lib.wgpuComputePassEncoderSetBindGroup
    dispatch = lib.wgpuComputePassEncoderDispatchWorkgroups
    handle, none = compute_pass._internal, ffi.NULL
    for pipeline, group, x, y, z in steps:
        if pipeline is not None:
            set_pipeline(handle, pipeline)
        set_bind_group(handle, 0, group, 0, none)
        dispatch(handle, x, y, z)


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of a buffer's bytes from `offset` on into a whole texture of rgba32float texels (wrapper's objects)."""

    buffer: Any
    offset: int
    texture: Any

    def encode(self, encoder: Any) -> None:
        """Record it into a command encoder, outside of passes."""
        width, height, _ = self.texture.size
        layout = {"buffer": self.buffer, "offset": self.offset, "bytes_per_row": width * 16, "rows_per_image": height}
        encoder.copy_buffer_to_texture(layout, {"texture": self.texture}, (width, height, 1))


@dataclass(frozen=True, slots=True)
class Commands:
    """What a program records at each call: its dispatches, and the copies that come before some of them."""

    steps: Sequence[Step]
    copies: Mapping[int, Sequence[Copy]]

    def passes(self) -> Iterator[tuple[Sequence[Copy], int, int]]:
        """For each compute pass, the copies before it and its first and last dispatch (the end, exclusive)."""
        starts = sorted({0, *self.copies})
        for first, end in itertools.pairwise([*starts, len(self.steps)]):
            yield self.copies.get(first, ()), first, end


def with_pipelines(steps: Sequence[Step]) -> list[Step]:
    """The steps, each with its pipeline even where it is that of the step before: passes forget."""
    out: list[Step] = []
    last = None
    for pipeline, group, x, y, z in steps:
        last = last if pipeline is None else pipeline
        out.append((last, group, x, y, z))
    return out


def record(encoder: Any, commands: Commands) -> None:
    """All dispatches of a program, in as few compute passes as its copies allow."""
    single = not commands.copies
    steps = commands.steps if single else with_pipelines(commands.steps)
    for copies, first, end in commands.passes():
        for copy in copies:
            copy.encode(encoder)
        compute = encoder.begin_compute_pass()
        encode(compute, steps if single else steps[first:end])
        compute.end()


def read_mapped(buffer: Any, nbytes: int, submission: Submission, alone: bool = True) -> npt.NDArray[np.uint8]:
    """The first bytes of a MAP_READ buffer, after `submission` (the last to write it) is done. Blocks as its `wait`.

    Raises DeviceLostError where the device goes away meanwhile, DeviceError where the buffer cannot be mapped.
    """
    submission.wait(alone)
    ticket = next(_tickets)
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
    out = np.empty(nbytes, np.uint8)
    start = lib.wgpuBufferGetConstMappedRange(handle, 0, nbytes)
    ffi.memmove(ffi.from_buffer(out), start, nbytes)
    lib.wgpuBufferUnmap(handle)
    return out
