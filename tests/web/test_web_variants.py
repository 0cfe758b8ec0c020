"""Functions with variants for subgroups: which one is taken, in Python and in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import web
from graphc.errors import ProgramError
from graphc.program import lacking, load
from graphc.targets import TYPICAL
from tests.support.browser import BLANK, Page, browser, serving
from tests.support.saved import rows

LANES = (4, 8, 16, 32)
X = np.random.default_rng(6).normal(size=(48, 96)).astype(np.float32)
FAKE = """Object.defineProperty(GPUAdapter.prototype, "info", {{ get: () => ({{ {info} }}) }});"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("variants") / "p"
    functions = {"rows": graphc.compile(rows).lower(X), "double": graphc.compile(lambda x: x * 2).lower(X)}
    web.export(functions, folder, subgroups=LANES)
    (folder / "blank.html").write_text(BLANK)
    return folder


def test_a_function_has_a_variant_for_each_number_of_lanes_that_makes_a_difference(exported: Path) -> None:
    program = load(exported)
    assert [f.requires.subgroup for f in program.variants["rows"]] == [*LANES]
    assert list(program.variants) == ["rows"]
    for function in program.functions.values():
        assert function.requires.subgroup == 0
        assert not function.requires.features


def test_python_takes_the_variant_of_its_device(exported: Path, device: Any) -> None:
    loaded = graphc.load_program(exported, device)
    lanes = device.target.subgroup
    assert loaded.functions["rows"].function.requires.subgroup == (lanes if lanes in LANES else 0)
    np.testing.assert_allclose(loaded.functions["rows"](X), rows(X), rtol=1e-5)
    np.testing.assert_array_equal(loaded.functions["double"](X), X * 2)


@pytest.fixture(scope="module")
def running() -> Iterator[Any]:
    with browser() as found:
        yield found


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
def test_a_page_takes_the_variant_of_its_adapter(exported: Path, running: Any) -> None:
    """Also the same numbers as Python: SwiftShader has subgroups of 4 lanes, always."""
    page = Page(running)
    with serving(exported) as url:
        lanes, size, got = page.run(
            url,
            """
            const program = await load("./");
            const { info, features } = program.device.adapter;
            const same = info.subgroupMinSize === info.subgroupMaxSize && features.has("subgroups");
            const out = await program.rows({ x: args[0] });
            return [same ? info.subgroupMinSize : 0, program.functions.rows.requires.subgroup, Array.from(out)];
            """,
            X.tolist(),
        )
    assert size == (lanes if lanes in LANES else 0)
    np.testing.assert_allclose(np.reshape(got, X.shape), rows(X), rtol=1e-5)
    assert not page.errors


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
@pytest.mark.parametrize(
    ("fake", "lanes"),
    [
        (FAKE.format(info="subgroupMinSize: 8, subgroupMaxSize: 8"), 8),
        (FAKE.format(info="subgroupMinSize: 8, subgroupMaxSize: 32"), 0),
        (FAKE.format(info="subgroupMinSize: 64, subgroupMaxSize: 64"), 0),
        (FAKE.format(info="vendor: 'a browser that says nothing of subgroups'"), 0),
        ("""Object.defineProperty(GPUAdapter.prototype, "features", { get: () => new Set() });""", 0),
    ],
)
def test_what_an_adapter_says_decides(exported: Path, running: Any, fake: str, lanes: int) -> None:
    page = Page(running)
    page.page.add_init_script(fake)
    with serving(exported) as url:
        found = page.run(
            url,
            """
            const program = await load("./");
            const { features } = program.device.handle;
            return [program.functions.rows.requires.subgroup, [...features].includes("subgroups")];
            """,
        )
    assert found == [lanes, lanes > 0]


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
def test_a_program_for_other_lanes_alone_is_refused_in_one_line(tmp_path: Path, running: Any, device: Any) -> None:
    """A folder that Executable.save wrote is for the adapter it was compiled on."""
    folder = tmp_path / "p"
    graphc.compile(rows, device=device).lower(X).save(folder)
    needs = load(folder).functions["rows"].requires
    web.add_runtime(folder)
    (folder / "blank.html").write_text(BLANK)
    page = Page(running)
    page.page.add_init_script(FAKE.format(info="subgroupMinSize: 128, subgroupMaxSize: 128"))
    with serving(folder) as url:
        said = page.run(
            url,
            """
            try { return Array.from(await (await load("./")).rows({ x: args[0] })); }
            catch (error) { return error.message; }
            """,
            X.tolist(),
        )
    if needs.subgroup:
        assert said == f"rows needs subgroups of {needs.subgroup} lanes, and here they have 128 to 128"
    else:
        np.testing.assert_allclose(np.reshape(said, X.shape), rows(X), rtol=1e-5)


def small(x: Any, w: Any) -> Any:
    """Kernels that follow each other and are small: on an adapter without a GPU, stages of one."""
    for _ in range(3):
        x = np.tanh(rows(x) @ w)
    return x


SMALL = X[:4, :64]
W = np.random.default_rng(7).normal(size=(64, 64)).astype(np.float32)


@pytest.fixture(scope="module")
def merged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("merged") / "p"
    web.export({"small": graphc.compile(small).lower(SMALL, W)}, folder, subgroups=(4,), software=("small",))
    (folder / "blank.html").write_text(BLANK)
    return folder


def test_launches_are_merged_for_adapters_without_a_gpu(merged: Path) -> None:
    program = load(merged)
    plain = program.functions["small"]
    software, lanes = program.variants["small"]
    assert [f.requires.software for f in (plain, software, lanes)] == [False, True, False]
    assert len(software.plan.dispatches) < len(plain.plan.dispatches)


def test_python_takes_merged_launches_on_software_alone(merged: Path) -> None:
    function = load(merged).variants["small"][0]
    target = replace(TYPICAL["software"], subgroup=4)
    assert not lacking(function.requires, target)
    assert lacking(function.requires, replace(target, software=False)) == "a software adapter"


def test_functions_that_are_not_exported_cannot_be_for_software(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="software names other, and the functions are rows"):
        web.export({"rows": graphc.compile(rows).lower(X)}, tmp_path / "p", software=["other"])


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
@pytest.mark.parametrize("info", ["", "isFallbackAdapter: false, ", "isFallbackAdapter: true, "])
def test_a_page_takes_merged_launches_on_software_alone(merged: Path, running: Any, info: str) -> None:
    """The first case is what the browser says of its adapter, which is SwiftShader."""
    page = Page(running)
    if info:
        page.page.add_init_script(FAKE.format(info=info + "subgroupMinSize: 4, subgroupMaxSize: 4"))
    with serving(merged) as url:
        taken, got = page.run(
            url,
            """
            const program = await load("./");
            const out = await program.small({ x: args[0], w: args[1] });
            return [program.functions.small.requires.software, Array.from(out)];
            """,
            SMALL.tolist(),
            W.tolist(),
        )
    assert taken == ("false" not in info)
    np.testing.assert_allclose(np.reshape(got, SMALL.shape), small(SMALL, W), atol=1e-4)
    assert not page.errors


@pytest.mark.parametrize(("name", "message"), [("call", "of its own"), ("then", "of its own"), ("a b", "no name")])
def test_names_that_programs_have_already_are_refused(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        web.export({name: graphc.compile(rows).lower(X)}, tmp_path / "p")


def test_numbers_of_lanes_that_no_adapter_has_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match=r"4, 8, 16, 32, 64 or 128 lanes, not 7"):
        web.export({"rows": graphc.compile(rows).lower(X)}, tmp_path / "p", subgroups=[7])
