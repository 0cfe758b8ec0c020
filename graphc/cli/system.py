"""`graphc devices` and `graphc doctor`: what this machine has, what it lacks, and the command that mends it."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import click
import numpy as np
import platformdirs

import graphc
from graphc.cli import speed
from graphc.errors import GraphcError
from graphc.runtime import adapters
from graphc.runtime.registry import NO_PACKAGE_HINT, why_none


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def devices(as_json: bool) -> None:
    """List the devices that programs can run on.

    The best comes first: it is the default. With limits and features.
    """
    found = [describe_device(device) for device in graphc.devices()]
    if as_json:
        click.echo(json.dumps(found))
        return
    for device in found:
        click.echo(f"{device['name']:8s} {device['description']}")
        for key, value in device["limits"].items():
            click.echo(f"    {key:42s} {value}")
        if device["features"]:
            click.echo(f"    features: {', '.join(device['features'])}")


def describe_device(device: Any) -> dict[str, Any]:
    """A device as data for JSON."""
    adapter = getattr(device, "adapter", None)
    return {
        "name": device.name,
        "description": str(adapter) if adapter is not None else "the NumPy reference, on the CPU",
        "software": device.software,
        "limits": dict(sorted(device.limits.items())),
        "features": sorted(device.features),
    }


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. mend: the command that mends it. needed: whether graphc works without it."""

    what: str
    ok: bool
    detail: str
    mend: str = ""
    needed: bool = True


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--full", is_flag=True, help="Run `graphc selftest` too, which takes up to three minutes.")
def doctor(as_json: bool, full: bool) -> None:
    """Say what this machine lacks, and what mends it.

    Fails if something is missing that is needed.
    """
    findings = [check() for check in (*CHECKS, *([_check_kernels] if full else []))]
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings]))
    else:
        for finding in findings:
            mark = "ok" if finding.ok else "MISSING" if finding.needed else "optional"
            click.echo(f"{mark:9s} {finding.what}: {finding.detail}")
            if not finding.ok:
                click.echo(f"{'':9s} mend it with: {finding.mend}")
    missing = [finding.what for finding in findings if finding.needed and not finding.ok]
    if missing:
        raise click.ClickException(f"missing: {', '.join(missing)}")


def _check_python() -> Finding:
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}, NumPy {np.__version__}"
    return Finding("Python", sys.version_info >= (3, 11), detail, "install Python 3.11 or later")


def _check_adapter() -> Finding:
    mends = {
        "Linux": "sudo apt-get install mesa-vulkan-drivers",
        "Darwin": "macOS 10.15 or later has Metal; run outside a virtual machine",
        "Windows": "install the driver of your graphics card",
    }
    mend = mends.get(platform.system(), "install a Vulkan driver")
    why, hint = why_none()
    if hint == NO_PACKAGE_HINT:
        return Finding("WebGPU adapter", False, why, hint)
    try:
        found = [device for device in graphc.devices() if device.name != "numpy"]
    except GraphcError as error:
        return Finding("WebGPU adapter", False, str(error), mend)
    if not found:
        return Finding("WebGPU adapter", False, "none: programs run on the NumPy reference, slowly", mend)
    if all(adapter.only_by_name for adapter in adapters()):
        return Finding("WebGPU adapter", False, f"only {adapters()[0]}", mend)
    return Finding("WebGPU adapter", True, "; ".join(describe_device(device)["description"] for device in found))


def _check_program() -> Finding:
    """A small program on the default device agrees with NumPy."""
    x = np.linspace(-3, 3, 100, dtype=np.float32).reshape(10, 10)
    mend = "report it at the project's issue tracker, with the output of `graphc devices`"
    if os.environ.get("GRAPHC_DEVICE"):
        mend = "unset GRAPHC_DEVICE, or set it to a name that `graphc devices` shows"
    try:
        device = graphc.device(None)
        got = np.asarray(graphc.compile(graphc.nn.softmax, device=device)(x))
    except (GraphcError, OSError, RuntimeError) as error:
        return Finding("a program on the default device", False, str(error).splitlines()[0], mend)
    gap = float(np.abs(got - graphc.nn.softmax(x)).max())
    return Finding("a program on the default device", gap < 1e-6, f"{device.name}, {gap:.0e} from NumPy", mend)


def _check_speed() -> Finding:
    """What runs programs fastest, where there is no GPU."""
    what, mend = "speed", "report it at the project's issue tracker, with the output of `graphc devices`"
    try:
        device = graphc.device(None)
        if not device.software:
            return Finding(what, True, f"{device.name} is a GPU")
        if device.name == "numpy":
            return Finding(what, True, "the NumPy reference; there is nothing to compare it with")
        found = {setting.what: speed.measure(setting) for setting in _settings(device)}
    except (GraphcError, RuntimeError) as error:
        return Finding(what, False, str(error).splitlines()[0], mend, needed=False)
    return Finding(what, True, speed.advice(found, "as it is"))


def _settings(device: Any) -> list[speed.Setting]:
    """The present one, then those that may be faster than a software adapter."""
    settings = [speed.Setting("as it is", {}), speed.Setting("GRAPHC_DEVICE=numpy", {"GRAPHC_DEVICE": "numpy"})]
    if "llvmpipe" in device.adapter.name and os.environ.get("LP_NUM_THREADS") != "1":
        settings.append(speed.Setting("LP_NUM_THREADS=1", {"LP_NUM_THREADS": "1"}))
    return settings


def _check_dot() -> Finding:
    # The package graphviz-pure is one program, which pip puts beside the interpreter.
    bundled = shutil.which("graphviz-pure", path=sysconfig.get_path("scripts"))
    found = bundled or shutil.which("dot")
    what, mend = "Graphviz, for drawings", "pip install graphviz-pure"
    return Finding(what, found is not None, found or "none", mend, needed=False)


def _check_matplotlib() -> Finding:
    found = importlib.util.find_spec("matplotlib") is not None
    return Finding("matplotlib, for plots", found, "found" if found else "none", "pip install matplotlib", needed=False)


def _check_cache() -> Finding:
    folder = platformdirs.user_cache_path("graphc")
    mend = f"make {folder} writable, or set XDG_CACHE_HOME"
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Finding("cache, for downloads", False, f"{folder}: {error.strerror}", mend, needed=False)
    return Finding("cache, for downloads", True, str(folder))


def _check_kernels() -> Finding:
    """Every kernel family on the default device."""
    from graphc.selftest import run

    what, mend = "every kernel family", "run 'graphc selftest', and report the file that it writes"
    try:
        device = graphc.device(None)
        if not device.needs_plan:
            return Finding(what, True, f"{device.name} runs no kernels")
        outcomes = run(device)
    except (GraphcError, RuntimeError) as error:
        return Finding(what, False, str(error).splitlines()[0], mend)
    failed = [outcome.name for outcome in outcomes if outcome.state == "failed"]
    passed = sum(outcome.state == "passed" for outcome in outcomes)
    detail = f"failed on {device.name}: {', '.join(failed)}" if failed else f"{passed} cases passed on {device.name}"
    return Finding(what, not failed, detail, mend)


CHECKS: tuple[Callable[[], Finding], ...] = (
    _check_python,
    _check_adapter,
    _check_program,
    _check_speed,
    _check_dot,
    _check_matplotlib,
    _check_cache,
)
