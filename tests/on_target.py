"""Op cases and models compiled for a class of adapters and run on this one: `python -m tests.on_target --target NAME`.

What the plans compute is held to the reference, and what they ask for to WebGPU's default limits. Exit status 1 where
something is wrong; it is printed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

import graphc
from graphc import selftest
from graphc.cli.subject import program
from graphc.ir.graph import Graph, evaluate
from graphc.ir.op import Case, Op
from graphc.ir.types import f32
from graphc.lower import lower
from graphc.models import MODELS
from graphc.ops import OPS, by_name
from graphc.passes import pipeline
from graphc.plan.plan import Target
from graphc.runtime.registry import adapters
from graphc.runtime.wgpu.device import WgpuDevice
from graphc.selftest.cases import cases
from graphc.targets import target_of
from tests.ops.test_ops_gpu import alone, halved, of_floats, surrounded, takes_halves
from tests.ops.test_ops_grad_gpu import CASES as GRADIENTS
from tests.ops.test_ops_grad_gpu import gradients
from tests.support.planning import over_baseline

TARGETS: Final = ("discrete", "discrete,no-subgroup", "discrete,no-f16", "discrete,no-subgroup,no-f16")
"""GPUs of each kind. Without f16, a program that holds none is the same program."""

SMALL: Final = {
    "bigram": (32, ()),
    "mlp": (8, ()),
    "batchnorm_mlp": (8, ()),
    "microgpt": (4, ()),
    "gpt": (2, ("context=24", "width=32", "heads=2", "layers=2", "dropout=0.1")),
}
"""A model's examples a step and its settings, for seconds."""

REAL: Final = {name: (2 if name == "gpt" else module.DEFAULTS.batch_size, ()) for name, module in MODELS.items()}
"""Each model as it is, a GPT of 11 million parameters with two examples a step."""

STEPS: Final = 3
FAR: Final = 3e-3
"""Of the length of a gradient of a large model: what rounding makes of it at most."""

OPERATIONS: Final = {name: op for name, op in OPS.items() if "structured" not in op.traits}


def some() -> list[str]:
    """An op of each kind: of the ways in which ops are lowered and the families that compute them, the first ones."""
    kinds: dict[tuple[str, str], str] = {}
    for name, op in OPERATIONS.items():
        inputs = op.cases()[0].inputs
        kinds.setdefault((type(op.lowering).__name__, str(np.asarray(inputs[0]).dtype) if inputs else ""), name)
    return list(dict.fromkeys([*kinds.values(), *CUSTOM]))


CUSTOM: Final = ("matmul", "take", "take_along_axis", "scatter_add", "cumsum", "argmax", "pad", "concatenate")


def op_graphs(op: Op, target: Target) -> Iterator[tuple[str, Graph, list[Any], Sequence[Case]]]:
    """Programs of an op: each case alone, among others in fused kernels, and in half precision where there is such."""
    cases = op.cases()
    yield "alone", *_legal(alone(op, cases), pipeline.LEGALIZE), cases
    yield "fused", *_legal(surrounded(op, cases), pipeline.DEFAULT), cases
    halves = tuple(halved(c) for c in cases if of_floats(c))
    if takes_halves(op) and "shader-f16" in target.features:
        yield "in half precision", *_legal(alone(op, halves), pipeline.DEFAULT), halves


def _legal(made: tuple[Graph, list[Any]], passes: Any) -> tuple[Graph, list[Any]]:
    return pipeline.run(made[0], passes), made[1]


def wrong_op(name: str, wanted: str) -> Iterator[str]:
    """What is wrong with an op's kernels, compiled for a target."""
    device = graphc.device("wgpu")
    target = target_of(wanted, device)
    for how, graph, arrays, tried in op_graphs(OPERATIONS[name], target):
        try:
            plan = lower(graph, target)
            yield from (f"{name} {how}: {text}" for text in over_baseline(plan))
            found = [np.asarray(a) for a in device.prepare(graph, plan, frozenset())(arrays)]
        except graphc.GraphcError as error:
            yield f"{name} {how}: {type(error).__name__}: {error}"
            continue
        for number, (case, got, want) in enumerate(zip(tried, found, evaluate(graph, arrays), strict=True)):
            if text := _different(got, want, case.rtol, case.atol):
                yield f"{name} {how}, case {number}: {text}"


def wrong_gradient(name: str, wanted: str) -> Iterator[str]:
    """What is wrong with the kernels of an op's gradient, compiled for a target, all its cases in one program."""
    device = graphc.device("wgpu")
    target = target_of(wanted, device)
    graph, arrays = gradients(by_name(name), GRADIENTS[name], f32)
    expected = evaluate(graph, arrays)
    graph = pipeline.run(graph, pipeline.DEFAULT)
    plan = lower(graph, target)
    yield from (f"gradient of {name}: {text}" for text in over_baseline(plan))
    found = [np.asarray(a) for a in device.prepare(graph, plan, frozenset())(arrays)]
    for number, (got, want) in enumerate(zip(found, expected, strict=True)):
        scale = max(1.0, float(np.abs(want).max(initial=0)))
        if text := _different(got, want, 4e-5, 4e-5 * scale):
            yield f"gradient of {name}, result {number}: {text}"


def _different(got: Any, want: Any, rtol: float, atol: float) -> str:
    if got.shape != want.shape or got.dtype != want.dtype:
        return f"it is {got.dtype}{list(got.shape)}, and must be {want.dtype}{list(want.shape)}"
    try:
        np.testing.assert_allclose(got, want, rtol=rtol, atol=atol)
    except AssertionError as error:
        return str(error)
    return ""


def wrong_model(name: str, wanted: str, sizes: Mapping[str, tuple[int, tuple[str, ...]]]) -> Iterator[str]:
    """What is wrong with a model's training steps and gradients, compiled for a target, beside the device "numpy"."""
    size, settings = sizes[name]
    step, arguments, donate = program(name, "training", size, settings)
    module = MODELS[name]
    config, _ = module.configure(graphc.models.data.load(), **_settings(name, settings))
    params, _, x, y = arguments
    gradient = graphc.value_and_grad(lambda p: module.loss(p, x, y, config))

    def on(device: str, target: str | None) -> tuple[list[float], list[Any]]:
        compiled = graphc.compile(step, device=device, target=target, donate=donate)
        slopes = graphc.compile(gradient, device=device, target=target)
        if target is not None:
            for executable in (compiled.lower(*arguments), slopes.lower(params)):
                beyond.extend(over_baseline(executable.plan))
        losses, (first, state) = [], graphc.tree.map(np.asarray, arguments[:2])
        for _ in range(STEPS):
            first, state, loss = compiled(first, state, x, y)
            losses.append(float(loss))
        value, grads = slopes(params)
        return [*losses, float(value)], [np.asarray(leaf) for leaf in graphc.tree.leaves(grads)]

    beyond: list[str] = []
    (want, slopes), (got, found) = on("numpy", None), on("wgpu", wanted)
    yield from (f"{name}: {text}" for text in beyond)
    if text := _different(np.array(got), np.array(want), 2e-4, 2e-5):
        yield f"{name}: losses: {text}"
    for number, (a, b) in enumerate(zip(found, slopes, strict=True)):
        # One of millions of units may be 0 on one device and next to it on another: that moves all gradients a little.
        far = float(np.linalg.norm(a - b)) > FAR * float(np.linalg.norm(b))
        if (far or sizes is SMALL) and (text := _different(a, b, 1e-4, 1e-4 * float(np.abs(b).max()))):
            yield f"{name}: gradient {number}: {text}"


def adapted(wanted: str) -> WgpuDevice:
    """The adapter as one for which everything is compiled for a target."""
    own = graphc.device("wgpu")
    made = WgpuDevice("wgpu:0", adapters()[0])
    target = target_of(wanted, own)
    made.__dict__ |= {"target": target, "features": own.features & target.features}
    return made


def wrong_selftest(name: str, wanted: str) -> Iterator[str]:
    """What is wrong with a case of `graphc selftest`, compiled for a target."""
    for outcome in selftest.run(adapted(wanted), only=name):
        if outcome.name == name and outcome.state == "failed":
            yield f"{name}: {outcome.detail}"


def _settings(name: str, pairs: tuple[str, ...]) -> dict[str, Any]:
    from graphc.models.settings import parse_settings

    return parse_settings(MODELS[name].Config, pairs)


CHECKS: Final[dict[str, tuple[Sequence[str], Callable[[str, str], Iterator[str]]]]] = {
    "ops": (tuple(OPERATIONS), wrong_op),
    "gradients": (tuple(GRADIENTS), wrong_gradient),
    "selftest": (tuple(c.name for c in cases(False) if not c.nbytes), wrong_selftest),
    "models": (tuple(SMALL), lambda name, target: wrong_model(name, target, SMALL)),
    "real models": (tuple(REAL), lambda name, target: wrong_model(name, target, REAL)),
}


def main(arguments: list[str]) -> int:
    """Exit status: 0 where nothing is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.on_target", description=__doc__)
    parser.add_argument("--target", default="discrete")
    parser.add_argument("--only", default="", help="names that hold this text")
    parser.add_argument("what", nargs="*", help=f"of {', '.join(CHECKS)}; all of them by default")
    options = parser.parse_args(arguments)
    wrong = 0
    for what in options.what or CHECKS:
        names, check = CHECKS[what]
        for name in (n for n in names if options.only in n):
            for text in check(name, options.target):
                wrong += 1
                print(text)
        print(f"{what}: {wrong} wrong so far", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
