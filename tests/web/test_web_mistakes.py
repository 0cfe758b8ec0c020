"""What a user does wrong with exported programs and their pages is said, and what is odd but right works."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import web
from graphc.errors import ProgramError
from graphc.models import page
from graphc.web.export import TAKEN
from tests.support.browser import BLANK, Page, browser, serving
from tests.web.test_web_pages import CASES, click, opened

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

ONE = np.ones(3, np.float32)


@pytest.fixture(scope="module")
def running() -> Any:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def bigram(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mistakes") / "page"
    page.write(CASES["bigram"].trained(), folder)
    return folder


def double(x: Any) -> Any:
    return x * 2


def lowered() -> Any:
    return graphc.compile(double).lower(ONE)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda: {"functions": lowered()}, "a dict of Executables by their names, not Executable"),
        (lambda: {"functions": [lowered()]}, "a dict of Executables by their names, not list"),
        (lambda: {"functions": {}}, "no function to export"),
        (lambda: {"functions": {1: lowered()}}, "1 is no name for a function"),
        (lambda: {"functions": {"f": graphc.compile(double)}}, "f must be an Executable, not Compiled.*lower"),
        (lambda: {"functions": {"f": double}}, "f must be an Executable, not function.*lower"),
        (lambda: {"subgroups": 32}, r"a list of numbers of lanes, such as \[32\], not 32"),
        (lambda: {"subgroups": "32"}, "a list of numbers of lanes"),
        (lambda: {"software": "f"}, r"a list of names, such as \['f'\]"),
        (lambda: {"about": [1]}, "about must be a dict, not list"),
        (lambda: {"about": {"w": ONE}}, "about must hold what JSON can hold"),
        (lambda: {"about": {"rate": float("nan")}}, "about must hold what JSON can hold"),
    ],
)
def test_arguments_of_export_that_cannot_be(given: Callable[[], Any], message: str, tmp_path: Path) -> None:
    arguments = {"functions": {"f": lowered()}} | given()
    with pytest.raises(ProgramError, match=message):
        web.export(directory=tmp_path / "p", **arguments)
    assert not (tmp_path / "p").exists()


def test_a_runtime_goes_beside_a_program_alone(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match=r"no program in .*: write one with Executable\.save"):
        web.add_runtime(tmp_path)


@pytest.mark.parametrize("tree", [{"a": {"b": ONE}, "a.b": ONE * 5}, {1: ONE, "1": ONE * 5}])
def test_arrays_that_would_share_a_name_are_refused(tree: Any, tmp_path: Path) -> None:
    """One would be stored over the other."""
    executable = graphc.compile(lambda p: graphc.tree.leaves(p)[0]).lower(tree)
    with pytest.raises(ProgramError, match=r"two arrays would be called p\.(a\.b|1)"):
        web.export({"f": executable}, tmp_path / "p", {"p": tree})


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    empty = np.ones((0, 3), np.float32)
    folder = tmp_path_factory.mktemp("functions") / "p"
    web.export(
        {
            "double": lowered(),
            "names": graphc.compile(lambda constructor, valueOf: constructor + valueOf).lower(ONE, ONE),
            "keys": graphc.compile(lambda p: {"__proto__": p["__proto__"] + 2 * p[""]}).lower(
                {"__proto__": ONE, "": ONE}
            ),
            "cut": graphc.compile(lambda x: (x[:0], x * 2)).lower(ONE),
            "sums": graphc.compile(lambda e: np.sum(e)).lower(empty[:, 0]),
            "into": graphc.compile(lambda e, x: (e * 2, x + 1), donate=("e", "x")).lower(empty[:, 0], ONE),
        },
        folder,
        {"p": {"__proto__": ONE, "": ONE * 4}},
    )
    (folder / "blank.html").write_text(BLANK)
    return folder


def said(running: Any, folder: Path, script: str) -> Any:
    """What a script finds, in which `said(work)` is the message of a ProgramError, or what came instead."""
    found = Page(running)
    with serving(folder) as url:
        text = """
            const said = async (work) => {
                try { return JSON.stringify(await work()) ?? "undefined"; }
                catch (error) { return error instanceof ProgramError ? error.message : `odd: ${error}`; }
            };
            """
        value = found.run(url, text + script)
    assert not found.errors
    found.page.close()
    return value


def test_names_of_what_programs_have_cannot_be_those_of_functions(functions: Path, running: Any) -> None:
    """All that a loaded program has beside its functions, and what any object inherits, is refused by export."""
    names = said(
        running,
        functions,
        """
        const program = await load("./"), names = [];
        for (let at = program; at; at = Object.getPrototypeOf(at)) names.push(...Object.getOwnPropertyNames(at));
        return names.filter((name) => !Object.hasOwn(program.functions, name));
        """,
    )
    assert {"call", "ready", "toString", "__proto__"} <= set(names) <= TAKEN


@pytest.mark.parametrize("name", ["ready", "toString", "__proto__"])
def test_such_names_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="of its own"):
        web.export({name: lowered()}, tmp_path / "p")


def test_odd_names_and_odd_calls(functions: Path, running: Any) -> None:
    found = said(
        running,
        functions,
        """
        const program = await load("./"), x = [1, 2, 3];
        return [
            await said(() => program.names({})),
            await said(() => program.names({ constructor: x })),
            await said(async () => Array.from(await program.names({ constructor: x, valueOf: x }))),
            await said(async () => Array.from(Object.values(await program.keys())[0])),
            await said(() => program.double(null)),
            await said(() => program.double(x)),
        ];
        """,
    )
    assert found == [
        "names needs the argument constructor: give it, or put it into state",
        "names needs the argument valueOf: give it, or put it into state",
        "[2,4,6]",
        "[9,9,9]",
        "double takes its arguments by name",
        "double has no argument 0: it takes x",
    ]


def test_empty_arrays_stay_on_the_device_too(functions: Path, running: Any) -> None:
    found = said(
        running,
        functions,
        """
        const program = await load("./"), x = [1, 2, 3];
        const [none, twice] = await program.cut({ x }, { onDevice: true });
        const [total] = await program.sums({ e: none });
        const [again, more] = await program.into({ e: none, x: twice }, { onDevice: true });
        return [total, ...(await again.read()), "|", ...(await more.read()), (await program.sums({ e: again }))[0]];
        """,
    )
    assert found == [0, "|", 3, 5, 7, 0]


def test_a_program_is_found_by_every_kind_of_address(functions: Path, running: Any) -> None:
    found = said(
        running,
        functions,
        """
        const all = [new URL(".", location.href), location.origin, ".", "./", "./?version=2", "./#top"];
        const doubled = async (at) => Array.from(await (await load(at)).double({ x: [1, 2, 3] }));
        return Promise.all(all.map((at) => said(() => doubled(at))));
        """,
    )
    assert found == ["[2,4,6]"] * 6


def test_a_state_may_hold_an_array_twice_and_arrays_of_the_host(functions: Path, running: Any) -> None:
    found = said(
        running,
        functions,
        """
        const program = await load("./"), x = [1, 2, 3];
        const file = await program.save();
        Object.assign(program.state, { copy: program.state.p, x: Float32Array.from(x), list: [1, [2]], none: null });
        const first = Array.from(await program.double());
        const { p, x: kept, list, none, copy } = (program.restore(await program.save()), program.state);
        const host = [kept instanceof Float32Array, JSON.stringify(list), none, copy !== undefined];
        program.state.copy = program.state.p; // the same Tensors in two places are given back once
        const old = program.state.p[""];
        program.reset();
        const three = (n) => ({ dtype: "f32", shape: [3], data: Float32Array.of(n, n, n) });
        const tensors = [0, 1, 2, 3].map((n) => program.upload(three(n)));
        const values = await Promise.all(tensors.map(async (t) => (await t.read())[0]));
        return [first, host, values, Array.from(Object.values(await program.keys())[0]), await said(() => old.read())];
        """,
    )
    assert found[0] == [2, 4, 6]
    assert found[1] == [True, "[1,[2]]", None, True]
    assert found[2] == [0, 1, 2, 3]
    assert found[3] == [9, 9, 9]
    assert "is gone" in found[4]


# ---- Pages


def status_of(found: Page) -> str:
    found.page.wait_for_function("document.getElementById('status').textContent !== 'Loading…'")
    return str(found.page.inner_text("#status"))


def test_a_page_that_is_opened_as_a_file_says_what_to_do(bigram: Path, running: Any) -> None:
    found = Page(running)
    found.page.goto((bigram / "index.html").as_uri())
    assert "graphc serve" in status_of(found)
    assert not found.page.is_enabled("#sample")


@pytest.mark.parametrize(
    "name", ["page.js", "data.js", "format.js", "runtime.js", "manifest.json", "arrays.safetensors"]
)
def test_a_page_says_that_a_file_is_missing(name: str, bigram: Path, running: Any, tmp_path: Path) -> None:
    shutil.copytree(bigram, tmp_path / "page")
    (tmp_path / "page" / name).unlink()
    with serving(tmp_path) as url:
        found = Page(running)
        found.page.goto(f"{url}page/")
        assert "cannot be fetched" in status_of(found)


def test_a_page_without_its_picture_says_so_and_goes_on(bigram: Path, running: Any, tmp_path: Path) -> None:
    shutil.copytree(bigram, tmp_path / "page")
    (tmp_path / "page" / "model.svg.gz").unlink()
    with serving(tmp_path / "page") as url:
        found = opened(running, url)
        found.page.evaluate("document.getElementById('drawing').open = true")
        found.page.wait_for_function("document.getElementById('status').textContent.includes('model.svg.gz')")
        click(found, "Sample")


def test_a_page_fits_into_320_pixels(bigram: Path, running: Any) -> None:
    with serving(bigram) as url:
        found = opened(running, url)
        found.page.set_viewport_size({"width": 320, "height": 700})
        click(found, "Sample")
        assert found.page.evaluate("document.documentElement.scrollWidth") == 320
        right = "Math.max(...[...document.querySelectorAll('body *')].map((e) => e.getBoundingClientRect().right))"
        assert found.page.evaluate(right) <= 320


def test_numbers_are_taken_as_they_are_or_refused_in_words(bigram: Path, running: Any) -> None:
    """By the page, not by the browser, which would say nothing where a field cannot be seen."""
    with serving(bigram) as url:
        found = opened(running, url)
        right = [("temperature", "0.55"), ("temperature", "1e-30"), ("temperature", "1e300"), ("temperature", "0")]
        for field, value in [*right, ("top-k", "3000000000"), ("seed", "-3"), ("seed", str(2**53 - 1))]:
            before = found.page.input_value(f"#{field}")
            found.page.fill(f"#{field}", value)
            found.page.evaluate("document.getElementById('samples').textContent = ''")
            click(found, "Sample")
            assert found.page.text_content("#samples")
            found.page.fill(f"#{field}", before)
        wrong = [("top-k", "1.5", "whole"), ("top-k", "0", "at least 1"), ("seed", "0.5", "whole")]
        for field, value, message in [*wrong, ("seed", str(2**53 + 1), "exact"), ("count", "65", "at most 64")]:
            before = found.page.input_value(f"#{field}")
            found.page.fill(f"#{field}", value)
            found.page.click("#sample")
            found.page.wait_for_function(
                "text => document.getElementById('status').textContent.includes(text)", arg=message
            )
            found.page.fill(f"#{field}", before)
        found.page.focus("#top-k")
        found.page.keyboard.type("3e")  # no number: the field reads as empty, which means all
        found.page.click("#sample")
        found.page.wait_for_function("document.getElementById('status').textContent.startsWith('Sampling: top-k')")
    assert not found.errors


def test_a_loss_that_is_no_number_says_reset_and_reset_helps(running: Any, tmp_path: Path) -> None:
    case = CASES["mlp"]
    page.write(case.trained(), tmp_path / "page")
    with serving(tmp_path / "page") as url:
        found = opened(running, url)
        found.page.fill("#text", case.text)
        found.page.fill("#rate", "1e30")
        found.page.click("#train")
        found.page.wait_for_function("document.getElementById('status').textContent.includes('press Reset')")
        found.page.fill("#rate", "0.1")
        found.page.fill("#steps", "5")
        click(found, "Reset")
        click(found, "Train")
        assert np.isfinite(float(found.page.inner_text("#loss")))
    assert not found.errors


def test_weights_with_odd_notes_are_taken_and_trained_on(bigram: Path, running: Any) -> None:
    data = (bigram / "arrays.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    with serving(bigram) as url:
        found = opened(running, url)
        found.page.fill("#text", CASES["bigram"].text)
        found.page.fill("#steps", "2")
        click(found, "Train")
        want = found.page.inner_text("#loss")  # of the step that the page goes on with where a note makes no sense
        for note in ("abc", "-3", "1e400", "2.5", None, {"a": 1}, "12"):
            click(found, "Reset")
            text = json.dumps(header | {"__metadata__": {"step": note}}).encode()
            file = struct.pack("<Q", len(text)) + text + data[8 + length :]
            found.page.set_input_files("#load", {"name": "w", "mimeType": "", "buffer": file})
            click(found, "Train")
            assert (found.page.inner_text("#loss") == want) == (note != "12")
    assert not found.errors


def test_sampling_that_fails_leaves_nothing_in_the_state(running: Any, tmp_path: Path) -> None:
    """Weights that are saved before fit the page afterwards; caches of earlier texts are used again."""
    small = (("context", 16), ("width", 8), ("heads", 2), ("layers", 1))
    page.write(replace(CASES["gpt"], settings=small).trained(), tmp_path / "page")
    with serving(tmp_path / "page") as url:
        found = opened(running, url)
        found.page.fill("#length", "20")
        click(found, "Sample")
        text = found.page.text_content("#samples")
        run = """async () => {
            const { Program } = await import("./runtime.js");
            const real = Program.prototype.call;
            let left = 3;
            Program.prototype.call = function (...given) {
                if (left-- > 0) return real.apply(this, given);
                Program.prototype.call = real;
                globalThis.keys = Object.keys(this.state);
                globalThis.program = this;
                throw new Error("a call that fails");
            };
        }"""
        found.page.evaluate(run)
        found.page.click("#sample")
        found.page.wait_for_function("document.getElementById('status').textContent.includes('a call that fails')")
        assert "cache" in found.page.evaluate("keys")
        assert sorted(found.page.evaluate("Object.keys(program.state)")) == ["params", "state"]
        click(found, "Sample")
        before = found.page.evaluate("program.device.bytes")
        for _ in range(3):
            click(found, "Sample")
        assert found.page.evaluate("program.device.bytes") == before
        assert found.page.text_content("#samples") == text
    assert not found.errors
