"""Devices, Arrays, and the execution of plans. The only place that imports wgpu."""

from __future__ import annotations

from graphc.runtime.adapter import AdapterInfo
from graphc.runtime.array import Array
from graphc.runtime.base import Device, DeviceArray, Runner
from graphc.runtime.registry import adapters, asarray, default_device, device, devices

__all__ = [
    "AdapterInfo",
    "Array",
    "Device",
    "DeviceArray",
    "Runner",
    "adapters",
    "asarray",
    "default_device",
    "device",
    "devices",
]
