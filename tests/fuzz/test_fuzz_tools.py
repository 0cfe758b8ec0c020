"""The fuzzer itself: programs are what they print, it knows what is decided, and finds what is planted."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.autodiff import batch
from graphc.ir.graph import Graph
from graphc.ops import OPS, batching
from graphc.passes import DEFAULT
from tests.fuzz import __main__ as command
from tests.fuzz import judge as judging
from tests.fuzz import worker
from tests.fuzz.draw import draw
from tests.fuzz.grow import KINDS
from tests.fuzz.judge import Finding, judge, script
from tests.fuzz.off import OFF
from tests.fuzz.program import Input, RandomProgram, Statement
from tests.fuzz.shrink import shrink
from tests.fuzz.source import Source, replayed, seeded
from tests.fuzz.wide import bounds
from tests.support import adapters


def test_a_name_is_a_program() -> None:
    for number in range(20):
        source = seeded(f"same/{number}")
        program = draw(source)
        assert str(program) == str(draw(seeded(f"same/{number}"))) == str(draw(replayed(source.choices)))


def test_no_choices_are_the_simplest_program() -> None:
    program = draw(replayed([]))
    assert (len(program.statements), program.mode, program.variant, len(program.inputs)) == (1, "forward", "", 1)


def test_every_kind_of_statement_occurs() -> None:
    seen = {kind for number in range(700) for kind in draw(seeded(f"kinds/{number}")).kinds()}
    assert set(KINDS) - seen - set(OFF) == set()


def test_what_is_off_does_not_occur(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OFF, "flip", "a kind")
    monkeypatch.setitem(OFF, "np.tanh(", "a part of a statement")
    monkeypatch.setitem(OFF, "gradient", "a mode")
    made = [draw(seeded(f"off/{number}")) for number in range(60)]
    assert not any("flip" in p.kinds() or "np.tanh(" in p.function() or p.mode == "gradient" for p in made)


def test_a_script_runs_by_itself() -> None:
    made = (draw(seeded(f"script/{number}"), half=False, most=2) for number in range(99))
    program = next(program for program in made if program.mode == "gradient")
    text = script(replace(program, variant="smaller grid"), judging.Finding("fused", "value", "so"), "script/0")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(text, "script", "exec"), {"__name__": "script"})
    leaves = len(graphc.trace(program.callable(), *program.arguments()).outputs)
    lines = printed.getvalue().splitlines()
    assert len(lines) == 4 * leaves
    assert {line.split(" float32")[0] for line in lines if " float32" in line} == {
        "numpy",
        "unfused",
        "fused",
        "smaller grid",
    }


def one(text: str, *inputs: str, mode: str = "forward", donate: tuple[str, ...] = ()) -> RandomProgram:
    """A program of one statement."""
    named = tuple(Input(f"x{k}", i) for k, i in enumerate(inputs))
    return RandomProgram(named, (Statement("one", ("v0",), text),), "v0", mode, donate)


def bound(text: str, *inputs: str) -> Any:
    program = one(text, *inputs)
    arguments = program.arguments()
    (found,), _ = bounds(graphc.trace(program.callable(), *arguments), list(arguments))
    return found


def test_what_is_decided() -> None:
    x = "np.array([1.0, np.nan, np.inf, 1e30, 0.0], f32)"
    same = bound("x0 - x0", x)
    assert same.decided.all()
    assert np.array_equal(same.exact, [0, np.nan, np.nan, 0, 0], equal_nan=True)
    assert same.wrong(np.array([0, 0, np.nan, 1e-30, 0], np.float32)).tolist() == [False, True, False, True, False]
    large = bound("x0 * x0", x)
    assert np.array_equal(large.exact, [1, np.nan, np.inf, np.inf, 0], equal_nan=True)


def test_what_is_not_decided() -> None:
    third = "np.array([3.0, 0.3], f32)"
    assert not bound("np.floor(x0 / f32(0.1))", third).decided[0], "30 or 29: it depends on the last bit"
    assert bound("np.floor(x0 / f32(0.7))", third).decided.all()
    assert not bound("np.sqrt(np.sin(x0) ** 2 + np.cos(x0) ** 2 - 1)", third).decided.any()
    assert not bound("x0 * f32(0.1) > 0.3", third).decided[0]
    assert bound("x0 > 0.25", third).decided.all()
    many = "np.array([0.0] + [2.0] * 200, f32)"
    assert not bound("np.prod(x0)", many).decided.any(), "2 ** 200 times 0, or 0 times 2, and so on"
    assert bound("np.prod(x0[:9])", many).decided.all()
    signs = bound("np.copysign(x0, x1)", "np.ones(2, f32)", "np.array([np.nan, -1], f32)")
    assert signs.wrong(np.array([-1, 1], np.float32)).tolist() == [False, True], "a NaN may have either sign"
    assert not bound("np.argmax(np.stack([x0[1] * 0.7, 0.7 * x0[1]]))", third).decided.any(), "a tie but for rounding"


def test_how_near_is_near() -> None:
    x = "np.linspace(1, 2, 1000).astype(f32)"
    total = bound("np.sum(x0)", x)
    assert 1e-6 * total.exact < total.near < 1e-4 * total.exact
    cancelled = bound("np.sum(x0) - 1499.5", x)
    assert cancelled.near > 0.5 * total.near, "digits that cancel are not asked for"
    assert bound("np.sum(x0)", "np.arange(50, dtype=f32)").near < 1e-3, "whole numbers add up exactly"
    edge = bound("x0 * f32(0.999)", "np.array([1.1755e-38, 3e-38], f32)")
    assert edge.wrong(np.zeros(2)).tolist() == [False, True], "a denormal number may be taken as 0"
    tiny = bound("x0 @ x0", "np.array([3e-18, 1e-20, 1e-20], f32)")
    assert not tiny.wrong(np.float32(9e-36)), "and so may products that are added up"
    assert tiny.wrong(np.float32(8e-36))
    hidden = bound("graphc.grad(lambda y: np.sum(np.sqrt(y * y)))(np.sin(x0))", "np.array([1e-21, 1e-22], f32)")
    assert not hidden.decided.any(), "also where a sine before moves by more than that"


@pytest.mark.parametrize(
    ("text", "inputs"),
    [
        ("np.tanh(x0) @ x0.T", ["rng(0).normal(size=(5, 7)).astype(f32)"]),
        ("nn.attention(x0, x0, x0, causal=True)", ["rng(0).normal(size=(5, 4)).astype(f32)"]),
        ("np.minimum(np.max(x0), x0)", ["np.array([2, 1, 2, 2, 0], f32)"]),
        ("nn.layer_norm(x0) * x1", ["rng(0).normal(size=(3, 8)).astype(f32)", "np.float32(2)"]),
        ("graphc.scan(lambda c, x: (c * x, c + x), x0[0], x0)[1]", ["rng(0).normal(size=(3, 8)).astype(f32)"]),
    ],
)
@pytest.mark.parametrize("mode", ["forward", "gradient"])
def test_right_programs_are_found_right(text: str, inputs: list[str], mode: str) -> None:
    assert judge(one(text, *inputs, mode=mode)).findings == []


def swapped(graph: Graph) -> Graph:
    """A wrong pass: a - b becomes b - a."""
    nodes = tuple(replace(n, inputs=n.inputs[::-1]) if n.op is OPS["sub"] else n for n in graph.nodes)
    return replace(graph, nodes=nodes)


def test_a_wrong_pass_is_found_and_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {"fused": {"device": "numpy", "passes": (swapped, *DEFAULT)}}
    monkeypatch.setattr(judging, "ways", lambda variant: wrong)

    def fails(program: RandomProgram) -> bool:
        return any(f.symptom == "fused: value" for f in judge(program).findings)

    def drawn(source: Source) -> RandomProgram:
        return draw(source, most=5)

    sources = (seeded(f"planted/{number}") for number in range(200))
    source = next(s for s in sources if fails(drawn(s)) and len(drawn(replayed(s.choices)).statements) > 3)
    small = shrink(source, drawn, fails, tries=200)
    assert fails(small)
    assert len(small.statements) <= 2


def test_a_wrong_trace_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from graphc.tracing import functions

    monkeypatch.setitem(functions.TABLE, np.flip, lambda m, axis=None: m)
    found = judge(one("np.flip(x0, 0)", "np.arange(3, dtype=f32)")).findings
    assert {f.symptom for f in found} == {"eager: value", "eager float64: value"}


@pytest.mark.parametrize(("element", "asked"), [("4.0", True), ("np.nan", False), ("np.inf", False)])
def test_numpy_is_asked_for_factors_of_finite_matrices_alone(
    monkeypatch: pytest.MonkeyPatch, element: str, asked: bool
) -> None:
    """Of a matrix with NaN, the LAPACK that NumPy was built with says which elements are NaN, or refuses it."""
    from graphc.tracing import functions

    monkeypatch.setitem(functions.TABLE, np.linalg.cholesky, lambda a: functions.TABLE[np.linalg.inv](a))
    text = "np.linalg.cholesky(x0.mT @ x0 + 2 * np.eye(2, dtype=f32))"
    program = one(text, f"np.array([[1.0, 2.0], [3.0, {element}]], f32)")
    ways = {f.way for f in judge(program).findings}
    assert ways == ({"eager", "eager float64"} if asked else set())


@pytest.mark.parametrize("jump", ["np.sign", "np.floor", "np.cos"])
def test_numpy_is_not_asked_in_float32_where_long_sums_jump(monkeypatch: pytest.MonkeyPatch, jump: str) -> None:
    """Its sums of columns add one row after the other: in float32 the last digits are not those of other orders."""
    from graphc.tracing import functions

    monkeypatch.setitem(functions.TABLE, np.flip, lambda m, axis=None: m)
    text = f"np.flip({jump}(x0 - np.mean(x0, axis=0)), 0)"
    ways = {f.way for f in judge(one(text, "rng(5).uniform(0.1, 2, (700, 2)).astype(f32)")).findings}
    assert ways == ({"eager", "eager float64"} if jump == "np.cos" else {"eager float64"})


def of_values(findings: list[Finding]) -> list[Finding]:
    """All but those that say that this device cannot compute in float16, where it cannot."""
    if "shader-f16" in graphc.device("wgpu").target.features:
        return findings
    return [f for f in findings if "it has no shader-f16" not in f.detail]


@pytest.mark.parametrize(("size", "asked"), [(3e3, True), (3e4, False)])
def test_numpy_is_not_asked_in_float16_for_what_it_cannot_add(
    monkeypatch: pytest.MonkeyPatch, size: float, asked: bool
) -> None:
    """np.nanmean adds in float16: a sum beyond 65,504 is infinite there, and the mean is not."""
    from graphc.tracing import functions

    text, given = "np.nanmean(x0, axis=0)", f"np.array([[{size}], [{size}], [{size}]], np.float16)"
    assert of_values(judge(one(text, given)).findings) == []
    monkeypatch.setitem(functions.TABLE, np.flip, lambda m, axis=None: m)
    other = given.replace(str(size), str(size / 2), 1)
    ways = {f.way for f in of_values(judge(one("np.flip(x0 - np.nanmean(x0, axis=0), 0)", other)).findings)}
    assert ways == ({"eager", "eager float64"} if asked else {"eager float64"})


def test_a_wrong_batching_rule_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {"cumsum": batching.as_before}
    monkeypatch.setattr(batch, "rule_of", lambda op: wrong.get(op.name) or batching.rule_of(op))
    found = judge(one("np.cumsum(x0)", "np.arange(1, 4, dtype=f32)")).findings
    assert {f.symptom for f in found} == {"mapped: value"}


def test_a_wrong_gradient_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPS, "sin", OPS["sin"])
    wrong = replace(OPS["sin"], vjp=lambda g, out, x: (g * np.sin(x),))
    from graphc.tracing import ufuncs

    monkeypatch.setitem(ufuncs.RULES, np.sin, lambda x: x.apply(wrong, x))
    found = judge(one("np.sin(x0)", "np.array([0.3, 0.5], f32)", mode="gradient")).findings
    assert [f.symptom for f in found] == ["gradient: value"]


def test_quick_programs_start_with_other_kernels_and_end_with_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are run: of a wrong one of either kind something would be said."""
    waiting: list[int] = []
    called = judging._called

    def watched(compiled: Any, program: RandomProgram, where: Any) -> list[Any]:
        results = called(compiled, program, where)
        if where != "numpy":
            waiting.append(compiled.lower(*program.arguments()).prepared().compiled.waiting)
        return results

    monkeypatch.setattr(judging, "_called", watched)
    x = "rng(0).normal(size=(64, 128)).astype(f32)"
    program = replace(one("np.tanh(np.sum(x0.reshape(8, 8, 128), axis=0))", x), variant="quick")
    seen = judge(program)
    assert seen.findings == []
    assert [w > 0 for w in waiting] == [False, False, graphc.device("wgpu").target.software, False]


def campaign(tmp_path: Path, count: int) -> command.Campaign:
    options = Namespace(seed="s", first=0, count=count, minutes=1, out=tmp_path, driver="own", target="")
    return command.Campaign(options, command._environment("own"))


def test_a_process_that_dies_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = '{"findings": [], "elements": 4, "decided": 3, "done": '

    def dying(*arguments: str) -> list[str]:
        first = int(arguments[3]) if "--first" in arguments else -1
        said = f"print('{{\"start\": {first}}}', flush=True)"
        done = f"print('{line}{first}}}', flush=True)"
        return [sys.executable, "-c", f"{said}; import os; {'os.abort()' if first in (-1, 1) else done}"]

    monkeypatch.setattr(command, "_command", dying)
    monkeypatch.setattr(command, "PER_PROCESS", 1)
    ran = campaign(tmp_path, 3)
    assert ran.run() == 1
    assert (ran.done, ran.elements, ran.decided) == (2, 8, 6)
    assert dict(ran.symptoms) == {"crash: exit status -6": 1}
    assert "program s/1" in next(iter(ran.kept.values())).read_text()


def test_a_process_that_hangs_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "print('{\"start\": 0}', flush=True); import time; time.sleep(60)"
    monkeypatch.setattr(command, "_command", lambda *arguments: [sys.executable, "-c", said])
    monkeypatch.setattr(command, "HANGS", 1.0)
    monkeypatch.setattr(command, "SECONDS", 0.1)
    ran = campaign(tmp_path, 1)
    assert ran.run() == 1
    assert dict(ran.symptoms) == {"hang": 1}


def test_the_command() -> None:
    ran = [sys.executable, "-m", "tests.fuzz", "--driver", "own", "--program", "quick-3/0"]
    done = subprocess.run(ran, capture_output=True, text=True, cwd=adapters.ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert str(worker.drawn("quick-3/0")[0]) in done.stdout
