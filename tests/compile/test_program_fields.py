"""Each field of a program changed in turn, and files that are cut: refused in one line, by Python and by JavaScript."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.errors import ProgramError
from graphc.program import folder, load
from graphc.program.document import from_json
from tests.support import saved
from tests.support.browser import BLANK, Page, browser, serving

PEOPLE = {"about", "label", "lines", "phase", "work", "memory", "family"}
"""What people read: any text, or any number that is not negative, is good."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "p"
    saved.write(path)
    (path / "blank.html").write_text(BLANK)
    return path


def changes(raw: Any) -> Iterator[tuple[list[Any], Any]]:
    """(path, value): what cannot stand there, for each value of a document and each of its objects' keys."""

    def visit(value: Any, path: list[Any]) -> Iterator[tuple[list[Any], Any]]:
        names = [key for key in path if isinstance(key, str)]
        last = names[-1] if names else ""
        if path and path[0] != "about":
            yield path, {"no": "such"}
            yield path, [[[]]]
        if type(value) is int:
            yield from ((path, other) for other in (1.5, True, "text", None))
            if last not in ("keys", "order", "checks"):
                yield path, -7
            if last not in ("keys", "order", "checks", *PEOPLE):
                yield path, 2**60
        elif path and path[0] != "about" and value is not None:
            yield path, 7
        if isinstance(value, dict):
            for key, item in value.items():
                # One function is read as the other: of the variant, only what it is the variant of.
                if path != ["variants", "learn", 0] or key in ("parameters", "arguments", "in_tree", "requires"):
                    yield from visit(item, [*path, key])
        elif isinstance(value, list):
            for n, item in enumerate(value):
                yield from visit(item, [*path, n])

    return visit(raw, [])


def test_the_document_has_all_that_the_format_has(written: Path) -> None:
    raw = json.loads((written / folder.DOCUMENT).read_text())
    learn, multiply, wide = raw["functions"]["learn"], raw["functions"]["multiply"], raw["variants"]["learn"][0]
    assert all(learn[name] for name in learn if name != "textures")
    assert multiply["textures"]
    assert any(d["copies"] for d in multiply["dispatches"])
    assert any(d["clears"] for d in learn["dispatches"])
    assert wide["requires"]["features"] == ["subgroup"]
    assert {tuple(sorted(k["access"])) for k in raw["kernels"]} >= {("read", "read_write", "texture", "texture")}


def test_python_refuses_each_field_in_turn(written: Path) -> None:
    raw = json.loads((written / folder.DOCUMENT).read_text())
    wgsl = ["fn main() {}"] * len(raw["kernels"])  # their loops are counted each time
    arrays = folder._arrays((written / folder.ARRAYS).read_bytes())
    from_json(raw, wgsl, arrays)
    accepted, tried = [], 0
    for path, value in changes(raw):
        home = raw
        for key in path[:-1]:
            home = home[key]
        kept, home[path[-1]] = home[path[-1]], value
        tried += 1
        try:
            from_json(raw, wgsl, arrays)
            accepted.append((path, value))
        except ProgramError as error:
            if "\n" in str(error):
                accepted.append((path, str(error)))
        home[path[-1]] = kept
    from_json(raw, wgsl, arrays)
    assert tried > 2000
    assert not accepted


@pytest.fixture(scope="module")
def packed(written: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same program with its kernels compressed, as pages have it."""
    path = tmp_path_factory.mktemp("packed") / "p"
    folder.save(load(written), path, packed=True)
    return path


def test_packed_kernels_are_the_same_in_a_sixth_of_their_text(written: Path, packed: Path) -> None:
    assert load(packed).functions == load(written).functions
    assert not (packed / folder.KERNELS).exists()
    assert 3 * (packed / folder.PACKED).stat().st_size < (written / folder.KERNELS).stat().st_size


def damaged(written: Path, copies: Path) -> list[str]:
    """Folders in which one file is cut, longer, changed or absent, or one entry of the manifest is another one."""
    manifest = json.loads((written / folder.MANIFEST).read_bytes())
    listed = list(manifest["files"])
    data = {name: (written / name).read_bytes() for name in (*listed, folder.MANIFEST)}
    variants: list[dict[str, bytes | None]] = []
    for name, good in data.items():
        middle = len(good) // 2
        flipped = good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :]
        variants += [{**data, name: bad} for bad in (None, b"", good[:-1], good[:middle], good + b" x", flipped)]
    wrong: tuple[Any, ...] = (None, "x", 7, [], {})
    for path in (["format"], ["version"], *(["files", f, k] for f in listed for k in ("bytes", "sha256"))):
        for value in wrong:
            changed = json.loads(data[folder.MANIFEST])
            at = changed
            for key in path[:-1]:
                at = at[key]
            at[path[-1]] = value
            variants.append({**data, folder.MANIFEST: json.dumps(changed).encode()})
    variants.append({**data, folder.MANIFEST: json.dumps({**manifest, "more": 1}).encode()})
    variants.append({**data, folder.MANIFEST: json.dumps({**manifest, "files": {}}).encode()})
    if folder.PACKED in listed:  # what cannot be unpacked, though the manifest says that it is right
        good = data[folder.PACKED]
        for bad in (
            b"",
            b"no",
            good[:-9],
            good[:20] + b"????" + good[24:],
            gzip.compress(b"\xff"),
            gzip.compress(b"fn"),
        ):
            entry = {"bytes": len(bad), "sha256": hashlib.sha256(bad).hexdigest()}
            changed = {**manifest, "files": {**manifest["files"], folder.PACKED: entry}}
            variants.append({**data, folder.PACKED: bad, folder.MANIFEST: json.dumps(changed).encode()})
    names = []
    for number, files in enumerate(variants):
        place = copies / str(number)
        place.mkdir(parents=True)
        for name, content in files.items():
            if content is not None:
                (place / name).write_bytes(content)
        names.append(place.name)
    return names


@pytest.mark.parametrize("form", ["written", "packed"])
def test_python_refuses_files_that_are_damaged(form: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    names = damaged(request.getfixturevalue(form), tmp_path / "copies")
    assert len(names) > 60
    for name in names:
        with pytest.raises(ProgramError) as error:
            load(tmp_path / "copies" / name)
        assert "\n" not in str(error.value)


@pytest.fixture(scope="module")
def running() -> Iterator[Any]:
    with browser() as found:
        yield found


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
def test_javascript_refuses_what_python_refuses(written: Path, packed: Path, running: Any, tmp_path: Path) -> None:
    site = tmp_path / "site"
    shutil.copytree(written, site)
    raw = json.loads((written / folder.DOCUMENT).read_text())
    shutil.copytree(packed, site / "packed")
    names = [f"{form}/{n}" for form, p in (("a", written), ("b", packed)) for n in damaged(p, site / "copies" / form)]
    tried = list(changes(raw))
    found = Page(running)
    with serving(site) as url:
        accepted, loaded = found.run(
            url,
            """
            const [url, changes, names] = args;
            const { check, read, readArrays } = await import(url + "format.js");
            const get = async (name) => (await fetch(url + name)).arrayBuffer();
            const raw = JSON.parse(new TextDecoder().decode(await get("program.json")));
            const wgsl = raw.kernels.map(() => "");
            const arrays = readArrays(await get("arrays.safetensors"));
            const told = (error) => error instanceof ProgramError && !error.message.includes("\\n");
            check(raw, wgsl, arrays);
            const text = ({ kernels }) => kernels.map((kernel) => kernel.wgsl).join();
            if (text(await read(url + "packed")) !== text(await read(url))) return ["other kernels", []];
            const accepted = [];
            for (const [path, value] of changes) {
                const home = path.slice(0, -1).reduce((at, key) => at[key], raw);
                const kept = home[path.at(-1)];
                home[path.at(-1)] = value;
                try { check(raw, wgsl, arrays); accepted.push([path, value]); }
                catch (error) { if (!told(error)) accepted.push([path, value, String(error)]); }
                home[path.at(-1)] = kept;
            }
            check(raw, wgsl, arrays);
            const loaded = [];
            for (const name of names) {
                try { await read(`${url}copies/${name}`); loaded.push(name); }
                catch (error) { if (!told(error)) loaded.push([name, String(error)]); }
            }
            return [accepted, loaded];
            """,
            url,
            tried,
            names,
        )
    assert not accepted
    assert not loaded


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
def test_it_runs_in_a_browser_as_in_python(written: Path, running: Any) -> None:
    """Textures, cleared tables, loops and the variant for subgroups: twice, for the table stays on the device."""
    given = saved.arguments()
    page = Page(running)
    with serving(written) as url:
        product, first, second = page.run(
            url,
            """
            const program = await load("./");
            const [given] = args;
            const flat = (out) => [...out[1], ...out[2].rows, ...out[2].flags[0], ...out[2].picked];
            const call = async () => flat(await program.learn({ ids: given.ids, n: given.n, more: given.more }));
            return [Array.from(await program.multiply({ a: given.a, b: given.b })), await call(), await call()];
            """,
            graphc.tree.map(lambda x: np.asarray(x).tolist(), given),
        )
    np.testing.assert_allclose(np.reshape(product, (256, 256)), saved.multiply(given["a"], given["b"]), atol=2e-5)
    state = given["state"]
    for got in (first, second):
        new, seen, found = saved.learn(state, given["ids"], given["n"], more=given["more"])
        want = [seen, found["rows"], found["flags"][0], found["picked"]]
        np.testing.assert_allclose(got, np.concatenate([np.ravel(np.asarray(a, np.float32)) for a in want]), atol=1e-5)
        state = graphc.tree.map(np.asarray, new)
    assert not page.errors
