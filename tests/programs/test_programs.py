"""Programs as people write them: the same numbers fused and not, on both devices, as in NumPy; gradients as slopes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.bench.programs import PROGRAMS, Example

ROUNDED = {"gaussian-process": 3e-4}
"""Where the answer depends on what rounding leaves of a nearly singular matrix."""

QUICK = ("linear-regression", "logistic-regression", "k-means", "hamiltonian-monte-carlo", "n-body", "heat", "lora")
"""Whose kernels compile in about a second; the others wait for the long tests."""

WAYS = {"fused": graphc.passes.DEFAULT, "unfused": ()}
NAMES = [program.name for program in PROGRAMS]
BY_NAME = dict(zip(NAMES, PROGRAMS, strict=True))


def wide(tree: Any) -> Any:
    """The same in double precision."""
    return graphc.tree.map(lambda x: np.asarray(x, np.float64) if np.asarray(x).dtype.kind == "f" else x, tree)


def close(found: Any, wanted: Any, share: float) -> None:
    """Both trees agree: integers exactly, others to a share of the largest entry of each array."""
    for a, b in zip(graphc.tree.leaves(found), graphc.tree.leaves(wanted), strict=True):
        a, b = np.asarray(a), np.asarray(b)
        assert a.shape == b.shape
        if a.dtype.kind == "f":
            np.testing.assert_allclose(a, b, rtol=0, atol=share * np.abs(b).max(initial=1e-3))
        else:
            assert np.array_equal(a, b)


def check_run(program: Example, device: str, passes: Sequence[Any]) -> None:
    """What it computes is what NumPy computes, or, where it trains, what the device "numpy" does; and it is good."""
    arguments = program.make(True)
    found = graphc.compile(program.run, device=device, passes=passes)(*arguments)
    assert program.holds(arguments, graphc.tree.map(np.asarray, found))
    if program.run_numpy is not None:
        close(found, program.run_numpy(*wide(arguments)), ROUNDED.get(program.name, 1e-5))
    else:  # Adam divides by the root of a square: what is next to 0 moves as far as all else
        close(found, graphc.compile(program.run, device="numpy", passes=())(*arguments), 1e-3)


def check_gradient(program: Example, device: str, passes: Sequence[Any]) -> None:
    """The loss is NumPy's; each leaf of its gradient is the slope along a random line, in double precision."""
    arguments = program.make(True)
    inside = wide(arguments)
    loss = program.loss_numpy or program.loss
    gradient = graphc.value_and_grad(program.loss, argnums=program.of)
    value, found = graphc.compile(gradient, device=device, passes=passes)(*arguments)
    rounded = ROUNDED.get(program.name, 1e-5)
    assert float(value) == pytest.approx(float(loss(*inside)), rel=rounded)
    leaves, structure = graphc.tree.flatten(inside[program.of])
    rng, step = np.random.default_rng(0), 1e-6
    for at, slope in enumerate(graphc.tree.leaves(found)):
        line = rng.normal(size=np.shape(leaves[at]))

        def moved(by: float, at: int = at, line: Any = line) -> float:
            changed = [leaf + by * line if k == at else leaf for k, leaf in enumerate(leaves)]
            given = [structure.unflatten(changed) if k == program.of else a for k, a in enumerate(inside)]
            return float(loss(*given))

        wanted = (moved(step) - moved(-step)) / (2 * step)
        exact = np.asarray(slope, np.float64)
        assert float(np.sum(exact * line)) == pytest.approx(
            wanted, abs=2 * rounded * max(float(np.linalg.norm(exact)), 1e-3)
        )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NAMES)
def test_the_answer_is_numpys(name: str, way: str) -> None:
    check_run(BY_NAME[name], "numpy", WAYS[way])
    check_gradient(BY_NAME[name], "numpy", WAYS[way])


@pytest.mark.parametrize("name", QUICK)
def test_kernels_give_its_gradient(name: str) -> None:
    check_gradient(BY_NAME[name], "wgpu", WAYS["fused"])


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NAMES)
def test_kernels_give_all_of_it(name: str, way: str) -> None:
    check_run(BY_NAME[name], "wgpu", WAYS[way])
    check_gradient(BY_NAME[name], "wgpu", WAYS[way])


def test_its_lines_are_those_of_a_user() -> None:
    program = BY_NAME["heat"]
    graph = graphc.trace(program.run, *program.make(True))
    assert {line.file.rpartition("/")[2] for node in graph.nodes for line in node.source.lines} == {"heat.py"}


def test_each_has_a_name_and_arguments_of_its_own() -> None:
    assert len(BY_NAME) == len(PROGRAMS) >= 18
    for program in PROGRAMS:
        kinds = {np.asarray(leaf).dtype.name for leaf in graphc.tree.leaves(program.make(True))}
        assert kinds <= {"float32", "int32", "uint32", "bool"}
