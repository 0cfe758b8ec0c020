"""Exported functions in a real browser: the same numbers as in Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn, optim, web
from graphc.errors import ProgramError
from tests.compile.test_program import loss, model
from tests.support.browser import BLANK, Page, browser, serving

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module")
def running() -> Any:
    with browser() as found:
        yield found


OPTIMIZER = optim.adam(0.05)


def step(params: Any, state: Any, x: Any, y: Any) -> Any:
    value, grads = graphc.value_and_grad(loss)(params, x, y)
    params, state = OPTIMIZER.update(grads, state, params)
    return params, state, value


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    params, x, y = model()
    state = OPTIMIZER.init(params)
    folder = tmp_path_factory.mktemp("web") / "model"
    functions = {
        "step": graphc.compile(step, donate=("params", "state")).lower(params, state, x, y),
        "loss": graphc.compile(loss).lower(params, x, y),
    }
    web.export(functions, folder, {"params": params, "state": state}, about={"title": "a small model"})
    (folder / "blank.html").write_text(BLANK)
    return folder


def test_one_function_may_be_ready_before_the_others(exported: Path, running: Any) -> None:
    params, x, y = model()
    page = Page(running)
    with serving(exported) as url:
        losses = page.run(
            url,
            """
            const program = await load("./", { first: "loss" });
            const step = program.step({x: args[0], y: args[1]});  // waits for its kernels
            const first = (await step)[2][0];
            return [first, (await program.step({x: args[0], y: args[1]}))[2][0]];
            """,
            x.tolist(),
            y.tolist(),
        )
    state = OPTIMIZER.init(params)
    params, state, one = step(params, state, x, y)
    two = step(params, state, x, y)[2]
    np.testing.assert_allclose(losses, [float(one), float(two)], rtol=1e-5)
    assert not page.errors


def test_a_training_step_keeps_its_state_and_gives_pythons_losses(exported: Path, running: Any) -> None:
    params, x, y = model()
    state = OPTIMIZER.init(params)
    want = []
    for _ in range(5):
        params, state, value = step(params, state, x, y)
        want.append(float(value))
    page = Page(running)
    with serving(exported) as url:
        got, evaluated, after = page.run(
            url,
            """
            const program = await load("./");
            const losses = [];
            for (let n = 0; n < 5; n++) losses.push((await program.step({x: args[0], y: args[1]}))[2][0]);
            const [evaluated] = await program.loss({x: Int32Array.from(args[0]), y: args[1]});
            const file = await program.save();
            program.reset();
            const [again] = (await program.step({x: args[0], y: args[1]}))[2];
            program.restore(file);
            const [restored] = await program.loss({x: args[0], y: args[1]});
            return [losses, evaluated, [again, restored, program.about.title]];
            """,
            x.tolist(),
            y.tolist(),
        )
    np.testing.assert_allclose(got, want, rtol=1e-5)
    np.testing.assert_allclose(evaluated, float(loss(params, x, y)), rtol=1e-5)
    np.testing.assert_allclose(after[:2], [want[0], evaluated], rtol=1e-5)
    assert after[2] == "a small model"
    assert not page.errors


def put(folder: Path, functions: Any, params: Any = None) -> Path:
    web.export(functions, folder, params)
    (folder / "blank.html").write_text(BLANK)
    return folder


def test_indices_out_of_range_are_told_when_a_result_is_read(tmp_path: Path, running: Any) -> None:
    def rows(table: Any, n: Any) -> Any:
        return table[n.astype(np.int32)], np.sum(table)

    def gradient(table: Any, ids: Any) -> Any:
        return graphc.grad(lambda t: np.sum(nn.embedding(t, ids) ** 2))(table)

    def twice(rows: Any) -> Any:
        return rows * 2

    table, n = np.random.default_rng(2).normal(size=(5000, 4)).astype(np.float32), np.array([3, -1, 4999], np.float32)
    ids = np.array([7, 7, 4998], np.int32)
    lowered = {
        "rows": graphc.compile(rows).lower(table, n),
        "gradient": graphc.compile(gradient).lower(table, ids),
        "twice": graphc.compile(twice).lower(table[:3]),
    }
    folder = put(tmp_path / "p", lowered, {"table": table})
    page = Page(running)
    with serving(folder) as url:
        found, picked, slope = page.run(
            url,
            """
            const program = await load("./");
            const said = async (wait) => {
              try { await wait(); return "nothing"; } catch (error) { return error.message; }
            };
            const good = () => program.rows({n: args[0]});
            const bad = [3, 5000, 0];
            const [kept] = await program.rows({n: bad}, {onDevice: true});
            const later = await program.twice({rows: kept}, {onDevice: true});
            const found = [
              await said(() => program.rows({n: bad})),
              await said(() => kept.read()),
              await said(() => later.read()),
              await said(good),
              await said(() => program.gradient({ids: [0, -1, 2]})),
            ];
            return [found, Array.from((await good())[0]), Array.from(await program.gradient({ids: args[1]}))];
            """,
            n.tolist(),
            ids.tolist(),
        )
    message = "take: index 5000 is out of range for an axis of 5000\n  at  test_web.py:"
    assert [text.startswith(message) for text in found] == [True, True, True, False, False]
    assert found[3] == "nothing"
    assert "-1 is out of range" in found[4]
    np.testing.assert_array_equal(np.reshape(picked, (3, 4)), table[[3, -1, 4999]])
    np.testing.assert_allclose(np.reshape(slope, table.shape), gradient(table, ids), rtol=1e-5)
    assert not page.errors


def test_every_kind_of_argument_and_result(tmp_path: Path, running: Any) -> None:
    def fn(x: Any, flags: Any, ids: Any, *, scale: Any) -> Any:
        c, ys = graphc.scan(lambda c, a: (np.tanh(c + a) * scale, np.sum(c)), np.zeros(5, np.float32), x)
        return {"c": c, "ys": [ys, x > 0], "none": None, "ids": ids * 2, "picked": np.where(flags, c, -1)}, np.sum(x)

    x = np.random.default_rng(1).normal(size=(7, 5)).astype(np.float32)
    flags, ids = np.array([True, False, True, True, False]), np.array([1, 2, 3], np.uint32)
    compiled = graphc.compile(fn)
    folder = put(tmp_path / "p", {"fn": compiled.lower(x, flags, ids, scale=np.float32(0.5))})
    want, total = graphc.tree.map(np.asarray, compiled(x, flags, ids, scale=np.float32(0.5)))
    page = Page(running)
    with serving(folder) as url:
        got, kinds = page.run(
            url,
            """
            const program = await load(args[3]);
            const [out, total] = await program.fn({x: args[0], flags: args[1], ids: args[2], scale: 0.5});
            const lists = [out.c, ...out.ys, out.ids, out.picked].map((a) => Array.from(a));
            return [[...lists, total[0], out.none],
                    [out.c, out.ys[1], out.ids].map((a) => a.constructor.name)];
            """,
            x.tolist(),
            flags.tolist(),
            ids.tolist(),
            url,
        )
    assert kinds == ["Float32Array", "Uint8Array", "Uint32Array"]
    assert got[6] is None
    for a, b in zip(got[:6], (want["c"], *want["ys"], want["ids"], want["picked"], total), strict=True):
        np.testing.assert_allclose(np.asarray(a, float), np.asarray(b, float).ravel() if np.ndim(b) else b, rtol=1e-5)
    assert not page.errors


def test_what_a_caller_does_wrong_is_said_in_one_line(exported: Path, running: Any) -> None:
    page = Page(running)
    with serving(exported) as url:
        messages = page.run(
            url,
            """
            const program = await load("./");
            const x = args[0], said = [];
            const calls = [
                () => program.loss({x, y: x.slice(1)}),
                () => program.loss({x: x.map(() => 11), y: x.map(() => 0)}),
                () => program.loss({x}),
                () => program.loss({x, y: x, z: 1}),
                () => program.loss({x: x.map((i) => i + 0.5), y: x}),
                () => program.loss({params: {w: [1]}, x, y: x}),
                () => program.call("nothing"),
                () => program.restore(new ArrayBuffer(4)),
                async () => {
                    const old = program.state.params;
                    await program.step({x: x.map(() => 0), y: x.map(() => 0)});
                    await old.w.read();
                },
                () => load("./nowhere/"),
            ];
            for (const call of calls) {
                try { await call(); said.push("nothing"); }
                catch (error) { said.push(error instanceof ProgramError ? error.message : String(error)); }
            }
            return said;
            """,
            [n % 5 for n in range(32)],
        )
    patterns = [
        "y has 31 elements",
        "index 11 is out of range for an axis of 11",
        "needs the argument y",
        "no argument z",
        "whole numbers",
        "needs an object with b, table, w for params",
        "no function nothing",
        "cut short",
        "donated",
        "cannot be fetched: 404",
    ]
    for message, pattern in zip(messages, patterns, strict=True):
        assert pattern in message
        assert "\n" not in message


def test_arrays_that_do_not_fit_are_refused_by_name(tmp_path: Path, running: Any) -> None:
    """A user's own function with a tree of names, scalars, flags, words and random keys."""

    def fn(tree: Any, flags: Any, ids: Any, key: Any, rate: Any) -> Any:
        noise = graphc.random.normal(key, (2, 3)) * rate
        return {"sum": np.where(flags, tree["a"]["x"] + noise, 0), "ids": ids + 1}

    key = graphc.random.key(7)
    tree, flags, ids = (
        {"a": {"x": np.ones((2, 3), np.float32)}},
        np.array([True, False, True]),
        np.arange(4, dtype=np.int32),
    )
    compiled = graphc.compile(fn)
    arguments = (tree, flags, ids, key, np.float32(0.25))
    folder = put(tmp_path / "p", {"fn": compiled.lower(*arguments)}, {"tree": tree})
    page = Page(running)
    with serving(folder) as url:
        total, numbers, said = page.run(
            url,
            """
            const program = await load("./");
            const good = { flags: [true, false, true], ids: [0, 1, 2, 3], key: Uint32Array.from(args[0]), rate: 0.25 };
            const out = await program.fn(good);
            const x = [[1, 2, 3], [4, 5, 6]];
            const wrong = [
                { tree: { a: { x: [[1, 2], [3, 4], [5, 6]] } } },
                { tree: { a: { x: [[1, 2, 3], [4, 5]] } } },
                { tree: { a: { x: new Float32Array(5) } } },
                { tree: { a: { x: ["1", 2, 3, 4, 5, 6] } } },
                { tree: { a: { x: [undefined, 2, 3, 4, 5, 6] } } },
                { tree: { a: { x: new DataView(new ArrayBuffer(24)) } } },
                { tree: { a: { y: x } } },
                { tree: { a: null } },
                { tree: 3 },
                { ids: [0, 1, 2, 2 ** 31] },
                { ids: new Float32Array([0.5, 0, 0, 0]) },
                { ids: new BigInt64Array(4) },
                { key: [-1, 0] },
                { key: [1] },
                { rate: "0.25" },
                { rate: [] },
                { flags: null },
                { nonsense: 1 },
            ];
            const said = [];
            for (const change of wrong) {
                try { await program.fn({ ...good, ...change }); said.push("nothing"); }
                catch (error) { said.push(error instanceof ProgramError ? error.message : `odd: ${error}`); }
            }
            return [Array.from(out.sum), Array.from(out.ids), said];
            """,
            np.asarray(key).tolist(),
        )
    want = compiled(*arguments)
    np.testing.assert_allclose(np.reshape(total, (2, 3)), np.asarray(want["sum"]), rtol=1e-5)
    assert numbers == [1, 2, 3, 4]
    patterns = [
        *('x"] is a list of lists: its shape must be [2,3]', 'x"] has 5 elements', 'x"] has 5 elements'),
        *("of type string", "of type undefined", 'x"] has no elements', "an object with x for tree.a"),
        *("an object with x for tree.a", "an object with a for tree", "ids must hold whole numbers, from -2147483648"),
        *("ids must hold whole", "ids holds a value of type bigint", "key must hold whole numbers, from 0"),
        *("key has 1 elements", "rate holds a value of type string", "rate has 0 elements", "flags has 1 elements"),
        "no argument nonsense: it takes tree, flags, ids, key, rate",
    ]
    for message, pattern in zip(said, patterns, strict=True):
        assert pattern in message
        assert "\n" not in message
    assert not page.errors


def test_a_lost_device_is_said_and_survived(exported: Path, running: Any) -> None:
    page = Page(running)
    x, y = (a.tolist() for a in model()[1:])
    with serving(exported) as url:
        before, message, after, first = page.run(
            url,
            """
            const program = await load("./");
            const given = {x: args[0], y: args[1]};
            await program.step(given);
            const file = await program.save();
            const [before] = await program.loss(given);
            program.device.handle.destroy();
            await program.device.gone;
            let message = "";
            try { await program.step(given); } catch (error) { message = error.message; }
            await program.recover(file);
            const [after] = await program.loss(given);
            await program.recover();
            return [before, message, after, (await program.loss(given))[0]];
            """,
            x,
            y,
        )
    assert "lost" in message
    assert "recover" in message
    assert after == before
    assert abs(first - float(loss(model()[0], *model()[1:]))) < 1e-5


def test_a_page_without_webgpu_says_what_would_help(exported: Path, running: Any) -> None:
    page = Page(running)
    with serving(exported) as url:
        page.page.add_init_script("Object.defineProperty(navigator, 'gpu', {value: undefined})")
        message = page.run(url, 'try { await load("./"); return ""; } catch (error) { return error.message; }')
    assert "no WebGPU" in message


def test_state_is_given_by_argument_or_as_params(tmp_path: Path) -> None:
    executable = graphc.compile(lambda w, x: w @ x).lower(np.ones((2, 2), np.float32), np.ones(2, np.float32))
    web.export({"f": executable}, tmp_path / "a", {"w": np.eye(2)})
    assert graphc.load_program(tmp_path / "a", "wgpu").state["w"].tolist() == [[1, 0], [0, 1]]
    with pytest.raises(ProgramError, match=r"no function has an argument `params`.*w, x"):
        web.export({"f": executable}, tmp_path / "b", [np.eye(2)])
    with pytest.raises(ProgramError, match="no name for a function"):
        web.export({"not a name": executable}, tmp_path / "b")
    with pytest.raises(ProgramError, match="no function to export"):
        web.export({}, tmp_path / "b")
