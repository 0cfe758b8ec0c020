"""Devices, Arrays, and the execution of plans. The only place that imports wgpu."""

from __future__ import annotations

from graphc.runtime.array import Array, asarray
from graphc.runtime.base import Device, Runner
from graphc.runtime.registry import AdapterInfo, adapters, default_device, device, devices

__all__ = ["AdapterInfo", "Array", "Device", "Runner", "adapters", "asarray", "default_device", "device", "devices"]
