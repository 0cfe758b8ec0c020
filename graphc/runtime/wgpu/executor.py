"""Runs a Plan on a WebGPU device: everything is made once, and a step is one encoder, one compute pass, one submit.

Where a buffer of the plan comes from:
- arena, constant: buffers of the runner, bound once;
- input: the caller's Array, or a buffer of the runner into which ndarrays are packed at each call;
- output: taken from the device's pool at each call, or a donated input's buffer.
The last two change from call to call, so bind groups are cached by the buffers they name. The buffer of faults, if
indices are checked, is cleared before the dispatches of a call, and copied for the host after them.
"""

from __future__ import annotations

import itertools
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import wgpu

from graphc.errors import DeviceError, GraphError, ShapeError
from graphc.ir.types import NDArray, TensorType, dtype_of
from graphc.plan.course import Round, course
from graphc.plan.plan import Plan, Tensor
from graphc.runtime.array import Array
from graphc.runtime.base import Compiled, Runner
from graphc.runtime.faults import Faults
from graphc.runtime.wgpu import native
from graphc.runtime.wgpu.compiler import Compiler
from graphc.runtime.wgpu.interrupts import deferred
from graphc.runtime.wgpu.launching import Launching, Step
from graphc.runtime.wgpu.memory import Memory, Readback, padded
from graphc.runtime.wgpu.queue import to_storage
from graphc.runtime.wgpu.routes import output_routes
from graphc.runtime.wgpu.timing import Stopwatch
from graphc.runtime.wgpu.turning import Turning

PACKED_LIMIT: Final = 1 << 18
"""Inputs up to this many bytes share one upload buffer; larger ones get their own when an ndarray is first passed."""

GAP_LIMIT: Final = 4096
"""Packed inputs that lie closer than this are written with one call."""

READBACK_BYTES: Final = 64
READBACK_RESULTS: Final = 16
"""Results of up to so many bytes, and so many of them, are copied for the host by the call itself: losses, norms."""

_tags: Final = itertools.count()
CACHED_STEPS: Final = 32
CACHED_GROUPS: Final = 32


Bound = dict[int, Memory]
"""What each buffer of the plan stands for in one call."""

Words = Callable[[], NDArray]
"""Gives what range checks reported in a call."""

Record = Callable[[Any, native.Commands], None]
"""Records a program into a command encoder."""


class PlanRunner(Runner):
    """A plan with its pipelines, constants and arenas on one device."""

    def __init__(
        self,
        compiler: Compiler,
        plan: Plan,
        constants: Sequence[NDArray],
        donated: dict[int, str],
        name: str = "a program",
    ) -> None:
        self._device = device = compiler.queue
        self._pipelines = compiler.pipelines
        self._plan = plan
        self._tag = next(_tags)  # a number, so that buffers in the pool do not keep the runner alive
        self._donated = donated
        self._input_types = [_type(plan.tensors[t]) for t in plan.inputs]
        self._output_types = [_type(plan.tensors[t]) for t in plan.outputs]
        self._inputs = self._input_buffers()
        self._taken_over = dict(plan.donated)
        self._direct, self._copies = output_routes(plan)
        self._outputs = [
            (n := self._direct.get(slot, -1), plan.buffers[n].kind if n >= 0 else "copied", type.nbytes)
            for slot, type in enumerate(self._output_types)
        ]
        self._readbacks = [
            (slot, nbytes)
            for slot, (_, kind, nbytes) in enumerate(self._outputs)
            if kind != "input" and 0 < nbytes <= READBACK_BYTES
        ][:READBACK_RESULTS]
        self._faults = next((n for n, b in enumerate(plan.buffers) if b.kind == "faults"), -1)
        self._check_limits()
        self._textures = self._make_textures()
        self._launching = Launching(compiler, plan, name)
        self._offsets, self._packed_bytes = self._layout_inputs()
        self._base = {self._inputs[slot][0]: offset for slot, offset in self._offsets.items()}
        self._host = np.zeros(self._packed_bytes, np.uint8)
        self._packed: Memory | None = None
        self._own_inputs: dict[int, Memory] = {}
        self._cache: OrderedDict[tuple[int, ...], tuple[native.Commands, list[Any], Turning | None]] = OrderedDict()
        self._course = course(plan)
        self._version = self._launching.version
        self._fixed: Bound = {}
        self._record: Record = native.record
        self._place_constants(constants)
        device.pool.hold(self, (self._launching.made, self._cache, self._textures))

    # -- made once

    def _check_limits(self) -> None:
        limit = self._device.limits["max-buffer-size"]
        for buffer in self._plan.buffers:
            if buffer.nbytes > limit:
                raise DeviceError(
                    f"buffer {buffer.name} needs {buffer.nbytes} bytes; {self._device.name} allows {limit} a buffer"
                )
        most = self._device.limits["max-compute-workgroups-per-dimension"]
        for dispatch in self._plan.dispatches:
            if max(dispatch.workgroups) > most:
                raise GraphError(f"{dispatch.label}: {dispatch.workgroups} workgroups, at most {most} a dimension")

    def _make_textures(self) -> list[native.Texels]:
        """Each texture of the plan."""
        usage = wgpu.TextureUsage.COPY_DST | wgpu.TextureUsage.STORAGE_BINDING
        found = []
        with deferred, self._device.guard("making textures for operands"):
            for texture in self._plan.textures:
                size = (texture.width, texture.height, 1)
                made = self._device.handle.create_texture(size=size, format="rgba32float", usage=usage)
                found.append(native.Texels(made))
        return found

    def _input_buffers(self) -> list[tuple[int, tuple[int, ...]]]:
        """For each input, its buffer in the plan (-1 where it needs none) and its shape."""
        numbers = {b.slot: n for n, b in enumerate(self._plan.buffers) if b.kind == "input"}
        return [(numbers.get(slot, -1) if type.size else -1, type.shape) for slot, type in enumerate(self._input_types)]

    def _layout_inputs(self) -> tuple[dict[int, int], int]:
        """Offset of each small input in the packed upload buffer, and its size."""
        offsets: dict[int, int] = {}
        total = 0
        for slot, type in enumerate(self._input_types):
            if 0 < type.nbytes <= PACKED_LIMIT and slot not in self._taken_over:
                offsets[slot] = total
                total += padded(type.nbytes)
        return offsets, total

    def _place_constants(self, constants: Sequence[NDArray]) -> None:
        with deferred, self._device.lock:
            for number, buffer in enumerate(self._plan.buffers):
                if buffer.kind in ("constant", "arena", "faults") and buffer.nbytes:
                    memory = self._device.pool.take(buffer.nbytes, (self._tag, number))
                    self._fixed[number] = memory
                if buffer.kind == "constant" and constants[buffer.slot].size:
                    array = constants[buffer.slot]
                    type = TensorType(tuple(array.shape), dtype_of(array.dtype))
                    self._device.write(memory, 0, to_storage(array, type))

    @property
    def compiled(self) -> Compiled:
        """What compiling has taken so far."""
        report = self._launching.report
        return Compiled(report.kernels, report.seconds, self._launching.waiting)

    def settle(self) -> None:
        """Compile what would run faster, and wait for it."""
        self._launching.settle()

    # -- a call

    def __call__(self, arguments: Sequence[Any]) -> list[Array]:
        with deferred:  # to the end of `_run`, where what it recorded into is finalised
            return self._run(arguments, self._record)

    def time_dispatches(self, arguments: Sequence[Any], repeat: int) -> tuple[str, NDArray | None]:
        """How dispatches are timed, and the start and end of each in ns, float64 [repeat, dispatches, 2], in the order
        in which they run: those of a loop stand there once for each of its steps.

        Those of the plan, so that its kernels are waited for. None where the device has no time stamps, or the program
        has no dispatches.
        """
        self.settle()
        watch = Stopwatch(self._device, len(self._launching.sequence))
        runs: list[NDArray] = []
        for warm in range(repeat + 1 if self._plan.dispatches else 0):
            with deferred:
                self._run(arguments, watch.record)
                stamps = watch.read()
            if stamps is not None and warm:
                runs.append(stamps)
        return watch.method, np.stack(runs) if runs else None

    def time_encoding(self, calls: Callable[[], None]) -> list[tuple[float, int]]:
        """For each call of this program that `calls` makes, seconds that recording takes the host, and how many
        commands are recorded: dispatches, copies into textures, and compute passes."""
        found: list[tuple[float, int]] = []

        def record(encoder: Any, commands: native.Commands) -> None:
            begin = time.perf_counter()
            native.record(encoder, commands)
            found.append((time.perf_counter() - begin, commands.count))

        with self.recording(record):
            calls()
        return found

    @contextmanager
    def recording(self, record: Record) -> Iterator[None]:
        """Meanwhile calls record the program with `record`, which may record it several times, as for a measurement."""
        self._record = record
        try:
            yield
        finally:
            self._record = native.record

    def _run(self, arguments: Sequence[Any], record: Record) -> list[Array]:
        device = self._device
        device.check_open()
        if len(arguments) != len(self._input_types):
            raise ShapeError(f"the program takes {len(self._input_types)} inputs, got {len(arguments)}")
        arguments = [self._local(a) if isinstance(a, Array) else a for a in arguments]
        before = {a._faults: None for a in arguments if isinstance(a, Array) and a._faults is not None}
        device.throttle()
        with device.lock:
            device.check_open()
            bound = dict(self._fixed)
            with device.guard("running a program"):
                encoder = device.handle.create_command_encoder()
                self._bind_inputs(arguments, bound, encoder)
                outputs = self._take_outputs(bound)
                commands, kept, turning = self._commands(bound)
                if self._faults >= 0:
                    native.clear(encoder, bound[self._faults].buffer, 4 * len(self._plan.checks))
                if turning is not None and record is native.record:
                    encoder = self._turn(turning, encoder, bound, arguments)
                elif commands.steps:
                    record(encoder, commands)
                for slot, source, offset, nbytes in self._copies:
                    target = outputs[slot]
                    if target is not None:
                        origin = bound[source]
                        start = self._start(source, origin) + offset
                        encoder.copy_buffer_to_buffer(origin.buffer, start, target.buffer, 0, -(-nbytes // 4) * 4)
                for memory in outputs:
                    if memory is not None:
                        memory.readback = None
                box = self._read_results_back(outputs, encoder)
                words = self._read_faults_back(bound, box, encoder)
            submission = device.submit(encoder, "running a program")
            for memory in outputs:
                if memory is not None:
                    memory.writer = submission
            if box is not None:
                box.submission = submission
            self._retire(arguments)
        del kept
        self._launching.ran()
        faults = self._found(words, submission, before)
        return [Array(device, m, type, faults) for m, type in zip(outputs, self._output_types, strict=True)]

    def _read_faults_back(self, bound: Bound, box: Readback | None, encoder: Any) -> Words | None:
        """Copy what range checks report to where the host can read it, which the result does."""
        if self._faults < 0:
            return None
        nbytes, source = 4 * len(self._plan.checks), bound[self._faults].buffer
        if box is not None:
            offset = READBACK_BYTES * len(self._readbacks)
            encoder.copy_buffer_to_buffer(source, 0, box.buffer, offset, nbytes)
            return lambda: self._device.read_box(box, offset, nbytes).view(np.uint32)
        memory = self._device.pool.take(nbytes, (self._tag, "faults"))
        encoder.copy_buffer_to_buffer(source, 0, memory.buffer, 0, nbytes)
        return lambda: self._device.read(memory, nbytes).view(np.uint32)

    def _found(
        self, words: Words | None, submission: native.Submission, before: Mapping[Faults, None]
    ) -> Faults | None:
        """The faults of a call, with those of its arguments that are not known to be none."""
        earlier = [faults for faults in before if not faults.clean()]
        known = next((faults for faults in earlier if faults.found), None)
        if known is not None or (words is None and len(earlier) == 1):
            return known or earlier[0]
        if words is None and not earlier:
            return None
        return Faults(self._plan.checks, words or _no_words, submission.done, earlier)

    def _read_results_back(self, outputs: Sequence[Memory | None], encoder: Any) -> Readback | None:
        """Copy small results to where the host can read them without a submit of its own."""
        nbytes = READBACK_BYTES * len(self._readbacks) + (4 * len(self._plan.checks) if self._faults >= 0 else 0)
        box = self._device.readback(nbytes) if nbytes else None
        if box is not None:
            for position, (slot, nbytes) in enumerate(self._readbacks):
                memory = outputs[slot]
                assert memory is not None
                offset = position * READBACK_BYTES
                encoder.copy_buffer_to_buffer(memory.buffer, 0, box.buffer, offset, -(-nbytes // 4) * 4)
                memory.readback = box, offset
        return box

    def _local(self, argument: Array) -> Array | NDArray:
        """An Array of this device as it is; one of another device is copied through the host."""
        argument._alive()
        return argument if argument.device is self._device else argument.numpy()

    def _bind_inputs(self, arguments: Sequence[Any], bound: Bound, encoder: Any) -> None:
        packed: list[tuple[int, NDArray]] = []
        for slot, (argument, (number, shape)) in enumerate(zip(arguments, self._inputs, strict=True)):
            array = isinstance(argument, Array)
            if (argument._type.shape if array else np.shape(argument)) != shape:
                raise ShapeError(f"input {slot} is {self._input_types[slot]}, got shape {list(np.shape(argument))}")
            if number < 0:
                continue
            if array:
                bound[number] = argument._content
            elif slot in self._offsets:
                packed.append((slot, self._to_storage(slot, argument)))
                bound[number] = self._upload_buffer()
            else:
                bound[number] = memory = self._memory_for(slot)
                self._device.write(memory, 0, self._to_storage(slot, argument))
        self._write_packed(packed)
        if self._taken_over:
            self._separate(arguments, bound, encoder)

    def _separate(self, arguments: Sequence[Any], bound: Bound, encoder: Any) -> None:
        """Copy what must not be written in place: Arrays that are also another argument, or being read by a thread."""
        used = [a._content for a in arguments if isinstance(a, Array) and a._content is not None]
        uids = [memory.uid for memory in used]
        if len(set(uids)) == len(uids) and not any(memory.readers for memory in used):
            return
        for slot in self._taken_over:
            number = self._inputs[slot][0]
            memory = bound.get(number)
            if memory is not None and (memory.readers or uids.count(memory.uid) > 1):
                bound[number] = copy = self._device.pool.take(memory.nbytes, (self._tag, "copy", slot))
                encoder.copy_buffer_to_buffer(memory.buffer, 0, copy.buffer, 0, memory.nbytes)

    def _start(self, number: int, memory: Memory) -> int:
        """Where a buffer of the plan begins in the memory that stands for it."""
        return self._base[number] if memory is self._packed else 0

    def _to_storage(self, slot: int, argument: Any) -> NDArray:
        return to_storage(np.asarray(argument), self._input_types[slot], f"input {slot}")

    def _upload_buffer(self) -> Memory:
        if self._packed is None:
            self._packed = self._device.pool.take(self._packed_bytes, (self._tag, "packed"))
        return self._packed

    def _memory_for(self, slot: int) -> Memory:
        """Where a large ndarray argument goes: a buffer of its own, a new one if an output takes it over."""
        nbytes = self._input_types[slot].nbytes
        if slot in self._taken_over:
            return self._device.pool.take(nbytes, (self._tag, "output", self._taken_over[slot]))
        if slot not in self._own_inputs:
            self._own_inputs[slot] = self._device.pool.take(nbytes, (self._tag, "input", slot))
        return self._own_inputs[slot]

    def _write_packed(self, packed: list[tuple[int, NDArray]]) -> None:
        """Write ndarrays (in order of slot) to the upload buffer, in as few calls as their gaps allow."""
        if not packed:
            return
        memory = self._upload_buffer()
        start = end = self._offsets[packed[0][0]]
        for slot, data in packed:
            offset = self._offsets[slot]
            if offset - end > GAP_LIMIT:
                self._device.write(memory, start, self._host[start:end])
                start = offset
            self._host[offset : offset + data.nbytes] = data.reshape(-1).view(np.uint8)
            end = offset + data.nbytes
        self._device.write(memory, start, self._host[start:end])

    def _take_outputs(self, bound: Bound) -> list[Memory | None]:
        outputs: list[Memory | None] = []
        for slot, (number, kind, nbytes) in enumerate(self._outputs):
            if not nbytes:
                outputs.append(None)
            elif kind == "input":
                outputs.append(bound[number])
            else:
                memory = self._device.pool.take(nbytes, (self._tag, "output", slot))
                outputs.append(memory)
                if kind == "output":
                    bound[number] = memory
        return outputs

    def _turn(self, turning: Turning, encoder: Any, bound: Bound, arguments: Sequence[Any]) -> Any:
        """Record a program that asks whether its loops go on: the encoder in which the rest stands."""
        device = self._device

        def ask(encoder: Any, position: int) -> bool:
            tensor = self._plan.tensors[position]
            memory = bound[tensor.buffer]
            start = self._start(tensor.buffer, memory) + tensor.offset
            return bool(device.read_behind(encoder, memory, start, tensor.nbytes).view(np.uint32).any())

        try:
            return turning.record(encoder, device.handle.create_command_encoder, ask)
        except BaseException:  # what it may write over is half written
            self._retire(arguments)
            raise

    def _commands(self, bound: Bound) -> tuple[native.Commands, list[Any], Turning | None]:
        """The dispatches as native calls with the copies between them, and the bind groups to keep alive meanwhile; of
        a program with loops that end by themselves, what runs it too."""
        launching = self._launching
        if self._version != launching.version:
            self._version = launching.version
            self._cache.clear()
        key = tuple([memory.uid for memory in bound.values()])
        found = self._cache.get(key)
        if found is not None:
            self._cache.move_to_end(key)
            return found
        kept = [self._group(step, bound) for step in launching.steps]
        steps: list[native.Step] = [
            (step.pipeline._internal, group._internal, *step.dispatch.workgroups)
            for step, group in zip(launching.steps, kept, strict=True)
        ]
        copies = [self._copies_before(step, bound) for step in launching.steps]

        def made(sequence: Sequence[int]) -> native.Commands:
            before = {position: copies[number] for position, number in enumerate(sequence) if copies[number]}
            return native.Commands([steps[number] for number in sequence], before)

        places = launching.positions
        asks = any(isinstance(part, Round) for part in self._course)
        turning = Turning(self._course, lambda run: made([k for n in run for k in places[n]])) if asks else None
        found = self._cache[key] = made(launching.sequence), kept, turning
        if len(self._cache) > CACHED_STEPS:
            self._cache.popitem(last=False)
        return found

    def _copies_before(self, step: Step, bound: Bound) -> list[native.Copy | native.Clear]:
        """The copies into textures, and what is cleared, before a dispatch."""
        found: list[native.Copy | native.Clear] = []
        for position in step.dispatch.clears:
            tensor = self._plan.tensors[position]
            memory = bound[tensor.buffer]
            start = self._start(tensor.buffer, memory) + tensor.offset
            found.append(native.Clear(memory.buffer, start, tensor.padded_bytes))
        for copy in step.dispatch.copies:
            memory = bound[copy.buffer]
            start = self._start(copy.buffer, memory) + copy.offset
            found.append(native.Copy(memory.buffer, start, self._textures[copy.texture]))
        return found

    def _group(self, step: Step, bound: Bound) -> Any:
        key = tuple([bound[n].uid for n in step.buffers])
        group = step.groups.get(key)
        if group is not None:
            step.groups.move_to_end(key)
            return group
        windows = []
        for binding in step.dispatch.bindings:
            if binding.access == "texture":
                windows.append((self._textures[binding.texture].view, 0, 0))
                continue
            memory = bound[binding.buffer]
            start = self._start(binding.buffer, memory) + binding.offset
            windows.append((memory.buffer, start, -(-binding.nbytes // 4) * 4))
        group = step.groups[key] = self._pipelines.bind(step.access, windows)
        if len(step.groups) > CACHED_GROUPS:
            step.groups.popitem(last=False)
        return group

    def _retire(self, arguments: Sequence[Any]) -> None:
        for slot, why in self._donated.items():
            argument = arguments[slot]
            if isinstance(argument, Array):
                argument._retire(why)


def _no_words() -> NDArray:
    return np.zeros(0, np.uint32)


def _type(tensor: Tensor) -> TensorType:
    return TensorType(tensor.shape, dtype_of(tensor.dtype))
