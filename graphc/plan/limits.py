"""Whether a plan keeps the limits of its target, asked of the finished kernels and launches.

Kernel families choose layouts that fit; this is what holds them to it, so that a plan for an adapter that is not there
can be trusted without one.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphc.errors import DeviceError
from graphc.kernels.sizes import workgroup
from graphc.plan.plan import Dispatch, Plan, Target


def check_limits(plan: Plan, target: Target) -> None:
    """Raise DeviceError, naming kernel and line, where a launch needs more than the target allows."""
    for dispatch in plan.dispatches:
        for what, count, limit in _needed(plan, dispatch, target):
            if count > limit:
                lines = f"  # {', '.join(dispatch.lines)}" if dispatch.lines else ""
                raise DeviceError(
                    f"{plan.kernels[dispatch.kernel].name} needs {count} {what}, and {target.name} allows {limit}"
                    f"{lines}"
                )


def _needed(plan: Plan, dispatch: Dispatch, target: Target) -> Iterator[tuple[str, int, int]]:
    """What a launch needs, how much of it, and how much there is."""
    group = workgroup(plan.kernels[dispatch.kernel].wgsl)
    buffers = [b for b in dispatch.bindings if b.access in ("read", "read_write")]
    uniforms = [b for b in dispatch.bindings if b.access == "uniform"]
    yield "storage buffers", len(buffers), target.max_storage_buffers
    yield "uniform buffers", len(uniforms), target.max_uniform_buffers
    yield "bytes in one binding", max((b.nbytes for b in buffers), default=0), target.max_binding_bytes
    yield "invocations in a workgroup", group.invocations, target.max_invocations
    yield "bytes of workgroup memory", group.shared_bytes, target.max_shared_bytes
    yield "workgroups in one dimension", max(dispatch.workgroups), target.max_workgroups
