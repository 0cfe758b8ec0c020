"""The C types that the binding asks for by their texts, made ready at once.

cffi parses each text that is new to it together with the names of all types of wgpu-native, which takes 17 ms; those of
opening a device and of a first call, sixty of them, took a second. One text that holds them all is parsed in the time
of one. What is not listed here is parsed when it is asked for, as ever.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

NUMBERS: Final = ("intptr_t", "uintptr_t")
POINTED: Final = (
    "void",
    "uint8_t",
    "WGPUAdapterInfo",
    "WGPUBindGroupDescriptor",
    "WGPUBindGroupEntry",
    "WGPUBindGroupLayoutDescriptor",
    "WGPUBindGroupLayoutEntry",
    "WGPUBufferBindingLayout",
    "WGPUBufferDescriptor",
    "WGPUBufferMapCallbackInfo",
    "WGPUChainedStruct",
    "WGPUCommandBufferDescriptor",
    "WGPUCommandEncoderDescriptor",
    "WGPUComputePassDescriptor",
    "WGPUComputePipelineDescriptor",
    "WGPUComputeState",
    "WGPUDeviceDescriptor",
    "WGPUDeviceExtras",
    "WGPUDeviceLostCallbackInfo",
    "WGPUExtent3D",
    "WGPUInstanceDescriptor",
    "WGPUInstanceExtras",
    "WGPULimits",
    "WGPUNativeLimits",
    "WGPUPipelineLayoutDescriptor",
    "WGPUQuerySetDescriptor",
    "WGPUQueueDescriptor",
    "WGPUQueueWorkDoneCallbackInfo",
    "WGPURequestDeviceCallbackInfo",
    "WGPUShaderModuleDescriptor",
    "WGPUShaderSourceWGSL",
    "WGPUStorageTextureBindingLayout",
    "WGPUStringView",
    "WGPUSubmissionIndex",
    "WGPUTexelCopyBufferInfo",
    "WGPUTexelCopyTextureInfo",
    "WGPUTextureDescriptor",
    "WGPUTextureViewDescriptor",
    "WGPUUncapturedErrorCallbackInfo",
)
LISTED: Final = (
    "char",
    "WGPUAdapter",
    "WGPUBindGroupEntry",
    "WGPUBindGroupLayout",
    "WGPUBindGroupLayoutEntry",
    "WGPUCommandBuffer",
    "WGPUFeatureName",
)
SPACED: Final = ("char", "uint8_t", "uint32_t")
CALLED: Final = (
    "(WGPUDevice const *, WGPUDeviceLostReason, WGPUStringView, void *, void *)",
    "(WGPUDevice const *, WGPUErrorType, WGPUStringView, void *, void *)",
    "(WGPUMapAsyncStatus, WGPUStringView, void *, void *)",
    "(WGPUQueueWorkDoneStatus, WGPUStringView, void *, void *)",
    "(WGPURequestDeviceStatus, WGPUDevice, WGPUStringView, void *, void *)",
)


def _texts() -> Iterable[tuple[str, str]]:
    """Each text, and that of a parameter which tells its type: an array as what points to it, as C has no other."""
    yield from ((name, name) for name in NUMBERS)
    yield from ((f"{name} *", f"{name} *") for name in POINTED)
    yield "WGPUChainedStruct * ", "WGPUChainedStruct *"
    yield from ((f"{name}[]", f"{name} (*)[]") for name in LISTED)
    yield from ((f"{name} []", f"{name} (*)[]") for name in SPACED)
    yield from ((f"void{parameters}", f"void (*){parameters}") for parameters in CALLED)


def make_ready(ffi: Any) -> None:
    """Put the types of all texts where cffi looks for those that it has parsed before.

    A cffi that has no such place, and a wgpu-native without one of the types, are left as they are.
    """
    from cffi import CDefError, FFIError  # installed with the package wgpu, so perhaps not

    known = getattr(ffi, "_parsed_types", None)
    new = [(text, parameter) for text, parameter in _texts() if known is not None and text not in known]
    if known is None or not new:
        return
    try:
        types = ffi.typeof(f"void (*)({', '.join(parameter for _, parameter in new)})").args
    except (CDefError, FFIError):
        return
    for (text, parameter), found in zip(new, types, strict=True):
        called = parameter.startswith("void (*)(")
        known[text] = found.item if "(*)[]" in parameter else found, called
