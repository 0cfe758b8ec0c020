"""Devices, Arrays, and the execution of plans. The only place that imports wgpu."""

from __future__ import annotations

from graphc.runtime.adapter import AdapterInfo, adapters, default_device, device, devices
from graphc.runtime.array import Array, asarray
from graphc.runtime.base import Device, Runner

__all__ = ["AdapterInfo", "Array", "Device", "Runner", "adapters", "asarray", "default_device", "device", "devices"]
