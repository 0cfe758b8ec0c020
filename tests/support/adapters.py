"""The software Vulkan drivers that tests run on by name, each in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]


def swiftshader() -> Path:
    """SwiftShader's Vulkan manifest, which Chromium brings along. Raises FileNotFoundError where there is none."""
    browsers = [
        shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    ]
    folders = [Path(found).resolve().parent for found in browsers if found]
    folders += [Path(p) for p in ("/usr/lib/chromium", "/usr/lib64/chromium-browser", "/opt/google/chrome")]
    folders += sorted((Path.home() / ".cache/ms-playwright").glob("chromium*/chrome-linux*"))
    for folder in folders:
        if (manifest := folder / "vk_swiftshader_icd.json").is_file():
            return manifest
    raise FileNotFoundError("vk_swiftshader_icd.json: install a Chromium (apt-get install chromium)")


def lavapipe() -> Path:
    """Lavapipe's Vulkan manifest. Raises FileNotFoundError where there is none."""
    for folder in ("/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d"):
        for manifest in sorted(Path(folder).glob("lvp_icd*.json")):
            return manifest
    raise FileNotFoundError("lvp_icd.json: install Mesa's Vulkan drivers (apt-get install mesa-vulkan-drivers)")


def opengl() -> Path:
    """Mesa's EGL library, through which OpenGL is reached. Raises FileNotFoundError where there is none."""
    for folder in ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"):
        for library in Path(folder).glob("libEGL_mesa.so*"):
            return library
    raise FileNotFoundError("libEGL_mesa.so: install Mesa's OpenGL (apt-get install libegl1 libgl1-mesa-dri)")


def only(manifest: Path) -> dict[str, str]:
    """The environment in which the Vulkan loader sees this driver alone."""
    return {"VK_DRIVER_FILES": str(manifest), "VK_ICD_FILENAMES": str(manifest)}


def environment(driver: str) -> dict[str, str]:
    """The environment in which graphc runs on this driver. Raises FileNotFoundError where it is not installed."""
    if driver == "opengl":
        opengl()
        return {**only(Path("/nonexistent.json")), "GRAPHC_DEVICE": "wgpu"}
    name, _, width = driver.partition("-")
    found = only(lavapipe() if name == "lavapipe" else swiftshader())
    return {**found, "LP_NATIVE_VECTOR_WIDTH": width} if width else found


DRIVERS: Final = {
    "lavapipe": "llvmpipe",
    "lavapipe-128": "llvmpipe",
    "lavapipe-512": "llvmpipe",
    "swiftshader": "SwiftShader",
    "opengl": "llvmpipe",
}
"""The drivers that kernels are held to, and what their adapters are called; lavapipe also with other widths in bits."""


def run_on(driver: str, module: str, *arguments: str, stdin: str = "") -> str:
    """Standard output of `python -m module` with only this driver visible; raises AssertionError where it fails."""
    command: Sequence[str] = [sys.executable, "-m", module, *arguments]
    variables = {**os.environ, **environment(driver)}
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, cwd=ROOT, env=variables, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
