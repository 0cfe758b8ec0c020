"""Compiles WGSL by Tint, the compiler of Chromium, through Dawn's null backend, which needs no driver.

`python -m tests.support.tint` reads a JSON object on standard input, {name: {"wgsl": text, "needs": [WebGPU
features]}}, and prints the errors by name.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tests.support.adapters import ROOT

FEATURES: Final = {"subgroup": ("subgroups", "enable subgroups;\n"), "shader-f16": ("shader-f16", "")}
"""By their name in graphc: Dawn's name, and the directive that a browser wants and naga rejects."""


def errors(texts: Mapping[str, tuple[str, Sequence[str]]]) -> dict[str, str]:
    """What Tint objects to in these kernels (name: WGSL, features it needs), by name, from a process of its own."""
    request = {name: {"wgsl": wgsl, "needs": list(needs)} for name, (wgsl, needs) in texts.items()}
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.tint"],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "WGPU_BACKEND_TYPE": "Null"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Compile what standard input holds."""
    import wgpudawn

    def compile_kernel(wgsl: str, needs: list[str]) -> str:
        text = "".join(FEATURES[need][1] for need in needs) + wgsl
        try:
            device.create_shader_module(code=text)
        except wgpudawn.GPUError as error:
            return f"{error}\n{text}"
        return ""

    adapter = wgpudawn.gpu.request_adapter_sync()
    device: Any = adapter.request_device_sync(required_features=[dawn for dawn, _ in FEATURES.values()])
    kernels = json.load(sys.stdin)
    results = {name: compile_kernel(kernel["wgsl"], kernel["needs"]) for name, kernel in kernels.items()}
    print(json.dumps({name: error for name, error in results.items() if error}))


if __name__ == "__main__":
    main()
