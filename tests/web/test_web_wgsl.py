"""The kernels of the five exported models, forward and training: Tint takes them, and a browser's plain device."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from graphc import web
from graphc.models import page
from graphc.program import load
from tests.support import tint
from tests.support.browser import BLANK, Page, browser, serving
from tests.web.test_web_pages import CASES

BASELINE: Final = {
    "maxBufferSize": 256 << 20,
    "maxStorageBufferBindingSize": 128 << 20,
    "maxStorageBuffersPerShaderStage": 8,
    "maxUniformBuffersPerShaderStage": 12,
    "maxStorageTexturesPerShaderStage": 4,
    "maxComputeWorkgroupsPerDimension": 65535,
    "maxComputeInvocationsPerWorkgroup": 256,
    "maxComputeWorkgroupStorageSize": 16384,
    "maxTextureDimension2D": 8192,
}
"""The limits that every WebGPU device has. Source: the specification's table of limits."""


@pytest.fixture(scope="module")
def running() -> Iterator[Any]:
    with browser() as found:
        yield found


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] if n == "gpt" else []) for n in CASES])
def test_every_kernel_is_accepted(name: str, running: Any, tmp_path: Path) -> None:
    trained = CASES[name].trained()
    functions = {"step": page.step_function(trained), "sample": page.sample_function(trained)}
    web.export(functions, tmp_path / "p", subgroups=(4,), software=("step", "sample"))
    program = load(tmp_path / "p")
    assert list(program.functions) == ["step", "sample"]
    for function in program.functions.values():
        assert not function.requires.features
        assert not function.requires.software
    every = (*program.functions.values(), *(f for others in program.variants.values() for f in others))
    for function in every:
        assert not function.plan.textures
        for limit, need in function.requires.limits.items():
            assert need <= BASELINE[limit], limit
    plans = [function.plan for function in every]
    kernels = {f"{p}/{k.name}/{n}": k for p, plan in enumerate(plans) for n, k in enumerate(plan.kernels)}
    assert not tint.errors({key: (kernel.wgsl, kernel.needs) for key, kernel in kernels.items()})
    (tmp_path / "p" / "blank.html").write_text(BLANK)
    found = Page(running)
    with serving(tmp_path / "p") as url:
        compiled, refused = found.run(
            url,
            """
            const { read } = await import(args[0] + "format.js");
            const { kernels } = await read(args[0]);
            const open = async (more) => (await navigator.gpu.requestAdapter()).requestDevice(more);
            const devices = [await open(), await open({ requiredFeatures: ["subgroups"] })];
            const types = { read: "read-only-storage", read_write: "storage", uniform: "uniform" };
            const refused = [];
            const compile = async ({ name, access, needs, wgsl }) => {
                const device = devices[needs.length];
                const module = device.createShaderModule({
                    code: (needs.length ? "enable subgroups; " : "") + wgsl,
                });
                const { messages } = await module.getCompilationInfo();
                refused.push(...messages.map(({ type, message }) => [name, type, message]));
                const binds = (how, binding) => ({ binding, visibility: 4, buffer: { type: types[how] } });
                const group = device.createBindGroupLayout({ entries: access.map(binds) });
                const layout = device.createPipelineLayout({ bindGroupLayouts: [group] });
                await device.createComputePipelineAsync({ layout, compute: { module, entryPoint: "main" } })
                    .catch((error) => refused.push([name, error.message]));
            };
            await Promise.all(kernels.map(compile));
            return [kernels.length, refused];
            """,
            url,
        )
    assert compiled >= max(len(plan.kernels) for plan in plans) > 0
    assert not refused
    assert not found.errors
