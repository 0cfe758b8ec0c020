"""What a device can do at most: bytes copied and multiply-adds made in a second, by kernels that do nothing else."""

from __future__ import annotations

from typing import Final

import numpy as np

import graphc
from graphc.kernels import render
from graphc.plan.plan import Binding, Buffer, Dispatch, Kernel, Plan, Tensor
from graphc.runtime import Device

CHAINS: Final = 8
"""Independent chains of multiply-adds in peak_multiply_add.wgsl, of 4 lanes each."""

ROW: Final = 1024
"""Workgroups in a row of the copy kernel's grid."""


class BufferCopy:
    """A copy of one buffer to another, which the driver makes; counts each byte as read and as written."""

    def __init__(self, device: Device, small: bool = False) -> None:
        x = np.zeros(1 << (18 if small else 22), np.float32)
        self.work = 2 * x.nbytes
        self._call = graphc.compile(lambda x: x, device=device)  # no kernel: the result is a copy of the argument
        self._x = device.upload(x)

    def __call__(self) -> None:
        """Run it and wait."""
        self._call(self._x).block_until_ready()


class Peak:
    """A kernel whose work is known, ready to run: `work` bytes moved, or floating-point operations, each call."""

    def __init__(self, device: Device, plan: Plan, work: int) -> None:
        size = plan.tensors[0].shape[0]
        self.work = work
        self._x = device.upload(np.full(size, 0.5, np.float32))
        self._runner = device.prepare_plan(plan, (), frozenset())

    def __call__(self) -> None:
        """Run it and wait."""
        self._runner([self._x])[0].block_until_ready()


def kernel_copy(device: Device, small: bool = False) -> Peak:
    """A kernel that copies 16 MiB (1 MiB where `small`); counts as BufferCopy does."""
    vectors = 1 << (16 if small else 20)
    groups = vectors // 256
    text = render("peak_copy", vectors=vectors, across=ROW)
    return Peak(device, _plan("peak_copy", text, 4 * vectors, (min(groups, ROW), -(-groups // ROW), 1)), 32 * vectors)


def multiply_add(device: Device, small: bool = False) -> Peak:
    """Multiply-adds in registers only, each counted as two operations."""
    groups, rounds = (16, 64) if small else (1024, 1024)
    text = render("peak_multiply_add", rounds=rounds, groups=groups)
    plan = _plan("peak_multiply_add", text, 4 * 64 * groups, (groups, 1, 1))
    return Peak(device, plan, groups * 64 * rounds * CHAINS * 4 * 2)


def _plan(name: str, wgsl: str, size: int, workgroups: tuple[int, int, int]) -> Plan:
    """A plan of one dispatch from one input to one output of `size` floats."""
    nbytes = 4 * size
    return Plan(
        buffers=(Buffer("x", "input", nbytes, 0), Buffer("out", "output", nbytes, 0)),
        tensors=(
            Tensor("x", (size,), "float32", 0, 0, nbytes, 0, 0),
            Tensor("out", (size,), "float32", 1, 0, nbytes, 0, 0),
        ),
        kernels=(Kernel(name, wgsl, ("read", "read_write"), "map"),),
        dispatches=(
            Dispatch(
                label=name,
                kernel=0,
                node=0,
                nodes=(),
                lines=(),
                phase="forward",
                bindings=(Binding(0, 0, 0, nbytes, "read"), Binding(1, 1, 0, nbytes, "read_write")),
                workgroups=workgroups,
                bytes_read=nbytes,
                bytes_written=nbytes,
                flops=0,
            ),
        ),
        inputs=(0,),
        outputs=(1,),
        constants=(),
    )
