"""Results in the bytes of donated inputs: counted on by fusion, kept by the order, made true by lowering."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphc
from graphc import nn, optim
from graphc.ir.graph import Graph, Value, evaluate
from graphc.ir.types import f32, i32
from graphc.lower import lower
from graphc.passes.fusion.fuse import Fuse, fuse
from graphc.passes.memory.order import order
from graphc.plan.plan import Target
from graphc.reference import run_plan
from tests.fusion.test_fuse_random import Random
from tests.support.fusing import Maker, arrays_for, assert_sound, families, kernels

EVERY = frozenset(range(99))


def adam_step(make: Maker, x: Value, dy: Value, state: tuple[Value, Value, Value]) -> list[Value]:
    """p', m', v' for a weight whose gradient is x^T @ dy, with two step sizes from one tensor."""
    p, m, v = state
    sizes = make.tensor(128)  # too many for a uniform buffer
    scale, root = (make.op("slice", sizes, start=(k,), stop=(k + 1,), step=(1,)) for k in (0, 1))
    gradient = make.op("matmul", make.op("transpose", x, perm=(1, 0)), dy)
    m2 = make.op("add", make.op("mul", m, 0.9), make.op("mul", gradient, 0.1))
    v2 = make.op("add", make.op("mul", v, 0.99), make.op("mul", make.op("mul", gradient, gradient), 0.01))
    change = make.op("div", make.op("mul", m2, scale), make.op("add", make.op("sqrt", v2), root))
    return [make.op("sub", p, change), m2, v2]


def weight_and_moments(make: Maker, rows: int = 8, columns: int = 12) -> tuple[Value, Value, Value]:
    return make.tensor(rows, columns), make.tensor(rows, columns), make.tensor(rows, columns)


def planned(graph: Graph, donated: frozenset[int], buffers: int = 8) -> Graph:
    """Fused with what may be donated; the plan's results, in poisoned memory, are those of the graph."""
    donated &= frozenset(range(len(graph.inputs)))
    target = Target(max_storage_buffers=buffers)
    after = order(Fuse(max_buffers=buffers, donated=donated)(graph))
    assert_sound(graph, after, buffers)
    plan = lower(after, target, donated)
    assert all(sum(b.access != "uniform" for b in d.bindings) <= buffers for d in plan.dispatches)
    arrays = [np.abs(a) for a in arrays_for(graph)]
    for want, got in zip(evaluate(graph, arrays), run_plan(plan, after, arrays), strict=True):
        np.testing.assert_array_equal(got, want)
    return after


def test_an_adam_step_is_written_from_the_matmul_of_its_gradient() -> None:
    make = Maker()
    graph = make.build(adam_step(make, make.tensor(16, 8), make.tensor(16, 12), weight_and_moments(make)))
    donated = frozenset(slot for slot, v in enumerate(graph.inputs) if v.type.shape == (8, 12))
    assert families(planned(graph, donated)) == ["matmul"]
    assert len(kernels(fuse(graph))) == 2, "what is not donated takes nine buffers"


def test_it_waits_for_whoever_reads_the_weight() -> None:
    make = Maker()
    x, dy, state = make.tensor(16, 8), make.tensor(16, 12), weight_and_moments(make)
    updated = adam_step(make, x, dy, state)
    dx = make.op("matmul", dy, make.op("transpose", state[0], perm=(1, 0)))
    after = planned(make.build([*updated, dx]), EVERY)
    assert [len(node.outputs) for node in kernels(after)] == [1, 3]
    assert len(kernels(after)[1].attrs["inplace"]) == 3


def test_an_update_that_the_weight_is_read_with_again_takes_other_bytes() -> None:
    make = Maker()
    x, dy, state = make.tensor(16, 8), make.tensor(16, 12), weight_and_moments(make)
    updated = adam_step(make, x, dy, state)
    slow = make.op("matmul", make.op("transpose", state[0], perm=(1, 0)), updated[0])
    after = planned(make.build([*updated, slow]), EVERY)
    assert all(v is not state[0] for n in after.nodes for v in (n.inputs[k] for _, k in n.attrs.get("inplace", ())))


def test_rows_that_end_within_a_vector_are_not_claimed() -> None:
    make = Maker()
    graph = make.build(adam_step(make, make.tensor(16, 8), make.tensor(16, 9), weight_and_moments(make, 8, 9)))
    assert len(kernels(planned(graph, EVERY))) == 2


def test_two_results_that_wait_for_each_other_are_not_both_claimed() -> None:
    """Each update reads the other's weight: whichever overwrites first, the other one has to have read it."""
    make = Maker()
    x, dy, a, b = make.tensor(16, 8), make.tensor(16, 12), weight_and_moments(make), weight_and_moments(make)
    first, second = adam_step(make, x, dy, a), adam_step(make, x, dy, b)
    first[0], second[0] = make.op("add", first[0], b[0]), make.op("add", second[0], a[0])
    planned(make.build([*first, *second]), EVERY)


@pytest.mark.parametrize("shape", [(2, 1), (1, 2), (2, 3)])
@pytest.mark.parametrize("axis", [0, 1])
def test_what_is_made_of_an_input_and_picked_by_index_keeps_it(shape: tuple[int, int], axis: int) -> None:
    make = Maker()
    x, *ids = make.tensor(*shape), make.tensor(*shape, dtype=i32), make.tensor(*shape, dtype=i32)
    picked = make.op("take_along_axis", make.op("exp", x), make.op("add", *ids), axis=axis)
    planned(make.build([make.op("add", make.op("mul", x, 0.5), picked), picked]), EVERY, buffers=4)


@pytest.mark.parametrize("shape", [(32, 16, 12), (64, 20, 8), (2048, 8, 4)])
def test_training_steps_on_the_device(shape: tuple[int, int, int]) -> None:
    """Weights and biases updated in place, also where the sum is split: the reference's numbers, step after step."""
    batch, inputs, outputs = shape
    rng = np.random.default_rng(0)
    optimizer = optim.adam(0.01)

    def step(params: Any, state: Any, x: Any, y: Any) -> Any:
        grads = graphc.grad(lambda p: nn.cross_entropy(x @ p["w"] + p["b"], y))(params)
        return optimizer.update(grads, state, params)

    params = {"w": rng.standard_normal((inputs, outputs)).astype("f"), "b": np.zeros(outputs, "f")}
    x, y = rng.standard_normal((batch, inputs)).astype("f"), rng.integers(0, outputs, batch)
    found: list[Any] = []
    for device, passes in (("wgpu", graphc.passes.DEFAULT), ("numpy", ())):
        compiled = graphc.compile(step, device=device, passes=passes, donate=(0, 1))
        p, s = params, optimizer.init(params)
        for _ in range(3):
            p, s = compiled(p, s, x, y)
        found.append((p, s[0] if isinstance(s, tuple) else s))
    for name in params:
        np.testing.assert_allclose(found[0][0][name].numpy(), found[1][0][name].numpy(), rtol=2e-5, atol=2e-6)


def test_check_runs_such_programs() -> None:
    def step(w: Any, m: Any, v: Any, x: Any, y: Any) -> Any:
        g = graphc.grad(lambda w: nn.cross_entropy(x @ w, y))(w)
        m, v = 0.9 * m + 0.1 * g, 0.9 * v + 0.1 * g * g
        return w - x[0, 0] * m / (np.sqrt(v) + 0.1), m, v

    w = np.random.default_rng(0).standard_normal((8, 12)).astype("f")
    x, y = np.ones((16, 8), np.float32), np.arange(16, dtype=np.int32) % 12
    compiled = graphc.compile(step, device="wgpu", donate=(0, 1, 2), check=True)
    assert len(compiled(w, w, w * w, x, y)) == 3


class Updates(Random):
    """A random graph in which most inputs have a successor."""

    def finish(self) -> Graph:
        outputs: list[Value] = []
        for x in [v for v in self.b.inputs if v.type.dtype == f32]:
            same = [v for v in self.values if v.type.shape == x.type.shape]
            made = x
            for _ in range(self.draw(st.integers(1, 3))):
                made = self.b.op("add", self.b.op("mul", made, 0.5), self.draw(st.sampled_from(same)))
            outputs.append(made)
        return self.b.build([*outputs, self.values[-1]])


@st.composite
def updates(draw: st.DrawFn) -> Graph:
    random = Updates(draw)
    for _ in range(draw(st.integers(1, 30))):
        random.step()
    return random.finish()


@settings(max_examples=100, deadline=None)
@given(updates(), st.sampled_from((4, 5, 8)), st.sets(st.integers(0, 5)))
def test_random_updates(graph: Graph, buffers: int, kept: set[int]) -> None:
    planned(graph, EVERY - kept, buffers)
