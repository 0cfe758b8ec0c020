"""What kernels take of a GPU: workgroups are read exactly, registers as they can be counted by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn
from graphc.inspect.occupancy import MULTIPROCESSORS, kernel_report, resident
from graphc.kernels.code import ENTRY, SIZED
from graphc.kernels.sizes import SPARE, registers, workgroup
from tests.support.planning import shared_bytes

GOLDEN = sorted((Path(__file__).parents[1] / "golden" / "kernels").glob("*.wgsl"))
DISCRETE = MULTIPROCESSORS["discrete"]


def module(body: str, declared: str = "", size: int = 64) -> str:
    return f"{declared}\n{SIZED}{size})\n{ENTRY[0]}local{ENTRY[1]}{body}\n}}\n"


def words(body: str, declared: str = "") -> int:
    """The registers of a kernel beyond those that all have."""
    return registers(module(body, declared)) - SPARE


def test_a_workgroup_is_what_it_declares() -> None:
    declared = (
        "var<workgroup> a: array<f32, 100>;\nvar<workgroup> b: array<vec4<f16>, 32>;\n"
        "var<workgroup> c: array<vec3<u32>, 2>;\nvar<workgroup> d: u32;\nvar<private> e: array<f32, 9>;"
    )
    found = workgroup(module("  let x = 1u;", declared, 96))
    assert (found.invocations, found.shared_bytes) == (96, 400 + 256 + 32 + 4)
    assert [shared_bytes(kind) for kind in ("f32", "vec4<f16>", "array<vec4<f32>, 3>")] == [4, 8, 48]
    with pytest.raises(ValueError, match="no size"):
        workgroup("fn main() {}")


def test_registers_are_those_of_what_lives_at_once() -> None:
    assert words("  let a = 1u;\n  let b = 2u;\n  let c = 3u;") == 8  # whole steps
    accumulators = "  var sums: array<vec4<f32>, 8>;"
    assert words(f"{accumulators}\n  for (var k = 0u; k < 4u; k++) {{ sums[0] += vec4<f32>(1.0); }}") == 40
    # Values of one loop's turn make room for those of the next loop; what a loop needs from before it stays.
    one = "  for (var k = 0u; k < 4u; k++) { let v = vec4<f32>(f32(k)); let w = v + v; y0[k] = w; }\n"
    assert words(one) == words(one * 3)
    held = "".join(f"  let v{k} = vec4<f32>(1.0);\n" for k in range(4))
    used = "  for (var k = 0u; k < 4u; k++) { y0[k] = v0 * v1 * v2 * v3; }\n"
    assert (words(held + used + one), words(held + one + used)) == (24, 32)


def test_vectors_are_wide_where_their_source_is() -> None:
    wide = "@group(0) @binding(0) var<storage, read> x0: array<vec4<f32>>;"
    narrow = wide.replace("vec4<f32>", "f32")
    body = "".join(f"  let v{k} = x0[local + {k}u];\n" for k in range(8))
    body += "  y0[local] = " + " + ".join(f"v{k}" for k in range(8)) + ";"
    assert (words(body, wide), words(body, narrow)) == (32, 8)
    one = body.replace("u];", "u].x;")
    assert words(one, wide) == 8
    assert words("  let a = dot(x0[0], x0[1]);\n  y0[0] = a;", wide) == 8


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_kind_of_kernel_can_be_read(path: Path) -> None:
    text = path.read_text("utf-8")
    assert 1 <= workgroup(text).invocations <= 256
    assert SPARE < registers(text) < 1000


def test_what_bounds_the_workgroups_of_a_multiprocessor() -> None:
    assert resident(256, 0, 32, DISCRETE) == (6, "invocations")
    assert resident(256, 0, 128, DISCRETE) == (2, "registers")
    assert resident(256, 16384, 32, DISCRETE) == (6, "invocations")
    assert resident(64, 16384, 32, DISCRETE) == (6, "memory")
    assert resident(32, 0, 32, DISCRETE) == (16, "workgroups")
    assert resident(32, 0, 400, DISCRETE) == (8, "spilling")
    assert resident(1024, 0, 255, DISCRETE)[0] == 1
    assert resident(8, 0, 400, MULTIPROCESSORS["software"]) == (1, "workgroups")


def test_the_report_adds_up() -> None:
    def step(x: Any, w: Any) -> Any:
        for _ in range(3):
            x = nn.softmax(x @ w)
        return x

    x, w = graphc.spec((512, 512)), graphc.spec((512, 512))
    executable = graphc.compile(step, device="numpy", target="discrete").lower(x, w)
    report = executable.kernels
    assert report == kernel_report(executable.plan, executable.target)
    assert sum(k.launches for k in report.kernels) == len(executable.plan.dispatches)
    assert sum(k.flops for k in report.kernels) == executable.contract.flops
    assert sum(k.bytes_moved for k in report.kernels) == executable.contract.bytes_moved
    products = [k for k in report.kernels if k.family == "matmul"]
    assert sum(k.launches for k in products) == 3
    assert all(k.intensity == k.flops / k.bytes_moved > 10 for k in products)
    for kernel in report.kernels:
        assert 0 < kernel.occupancy <= 1
        assert kernel.name in str(report)
        assert kernel.occupancy == kernel.resident * kernel.invocations / DISCRETE.invocations


def test_launches_of_a_loop_count_each_time() -> None:
    def loop(x: Any) -> Any:
        return graphc.scan(lambda c, _: (np.tanh(c) + 1, None), x, np.zeros(7))[0]

    executable = graphc.compile(loop, device="numpy", target="discrete").lower(graphc.spec((1000,)))
    assert sum(k.launches for k in executable.kernels.kernels) == executable.contract.dispatches >= 7
