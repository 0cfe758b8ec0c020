"""The software Vulkan drivers that tests run on by name, each in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent


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


DRIVERS: Final = {"lavapipe": lavapipe, "swiftshader": swiftshader}


def run_on(driver: str, module: str, *arguments: str, stdin: str = "") -> str:
    """Standard output of `python -m module` with only this driver visible; raises AssertionError where it fails."""
    manifest = str(DRIVERS[driver]())
    environment = {**os.environ, "VK_DRIVER_FILES": manifest, "VK_ICD_FILENAMES": manifest}
    command: Sequence[str] = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
