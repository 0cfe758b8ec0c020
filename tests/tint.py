"""Compiles WGSL by Tint, the compiler of Chromium, through Dawn: `python -m tests.tint`.

Reads a JSON object on standard input: {name: {"wgsl": text, "needs": [WebGPU features]}}. Prints the errors by name.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import wgpudawn

FEATURES = {"subgroup": ("subgroups", "enable subgroups;\n"), "shader-f16": ("shader-f16", "")}
"""By their name in graphc: Dawn's name, and the directive that a browser wants and naga rejects."""


def main() -> None:
    """Compile all."""
    adapter = wgpudawn.gpu.request_adapter_sync()
    wanted = [dawn for dawn, _ in FEATURES.values() if dawn in adapter.features]
    device = adapter.request_device_sync(required_features=wanted)
    errors = {}
    for name, kernel in json.load(sys.stdin).items():
        if error := compile_kernel(device, kernel["wgsl"], kernel["needs"]):
            errors[name] = error
    print(json.dumps(errors))


def compile_kernel(device: Any, wgsl: str, needs: list[str]) -> str:
    """The compiler's message, empty where it has no objection."""
    if unknown := [need for need in needs if FEATURES[need][0] not in device.features]:
        return f"this adapter lacks {unknown}"
    text = "".join(FEATURES[need][1] for need in needs) + wgsl
    try:
        device.create_shader_module(code=text)
    except wgpudawn.GPUError as error:
        return f"{error}\n{text}"
    return ""


if __name__ == "__main__":
    main()
