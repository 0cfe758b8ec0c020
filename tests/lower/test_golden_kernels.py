"""Golden kernels: the WGSL that each family is given in telling cases, for targets that are written down here.

`pytest tests/lower/test_golden_kernels.py --rewrite-golden` writes `tests/golden/kernels/` anew; the review is reading
the diff. A file holds the kernels of one program, each under its name, its workgroups and what it binds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

import graphc
from graphc import nn, spec, trace
from graphc.lower import lower
from graphc.ops.indexing import scatter_add
from graphc.passes import pipeline
from graphc.plan.plan import Plan, Target
from graphc.tracing.trace import apply

FOLDER: Final = Path(__file__).parents[1] / "golden" / "kernels"
BASELINE: Final = Target()
SUBGROUPS: Final = Target("discrete", subgroup=32, features=frozenset({"subgroup"}))
SOFTWARE: Final = Target("software", subgroup=8, software=True, features=frozenset({"subgroup"}))


@dataclass(frozen=True)
class Case:
    """A program, its arguments and the target that it is compiled for."""

    fn: Callable[..., Any]
    args: Sequence[Any]
    target: Target = BASELINE

    def plan(self) -> Plan:
        return lower(pipeline.run(trace(self.fn, *self.args), (*pipeline.DEFAULT, *pipeline.LEGALIZE)), self.target)


def attention(q: Any, k: Any, v: Any) -> Any:
    return nn.attention(q, k, v, causal=True)


def attention_loss(q: Any, k: Any, v: Any) -> Any:
    return np.sum(attention(q, k, v) ** 2)


HEADS: Final = (spec((2, 3, 40, 16)),) * 3
CASES: Final[Mapping[str, Case]] = {
    "map_gelu": Case(lambda x, y: nn.gelu(x) * y + 1, (spec((6, 32)), spec((6, 32)))),
    "map_views": Case(lambda x: np.concatenate([x[:, ::-1].T, np.ones((2, 5), np.float32)]), (spec((5, 7)),)),
    "row_softmax_thread": Case(lambda x: nn.softmax(x), (spec((100, 27)),), SOFTWARE),
    "row_softmax_subgroup": Case(lambda x: nn.softmax(x), (spec((12, 256)),), SUBGROUPS),
    "row_softmax_workgroup": Case(lambda x: nn.softmax(x), (spec((12, 256)),)),
    "row_layer_norm_long": Case(
        lambda x, g, b: nn.layer_norm(x, g, b), (spec((3, 5000)), spec((5000,)), spec((5000,)))
    ),
    "row_sum_long": Case(lambda x: np.sum(x, axis=-1), (spec((12, 4000)),), SOFTWARE),
    "row_argmax": Case(lambda x: np.argmax(x, axis=-1), (spec((12, 256)),)),
    "column_sum": Case(lambda x: np.sum(x, axis=0), (spec((64, 96)),)),
    "column_sum_long": Case(lambda x: np.sum(x, axis=0), (spec((9000, 96)),)),
    "column_sum_alone": Case(lambda x: np.sum(x, axis=0), (spec((1000, 8)),), SOFTWARE),
    "matmul_bias_gelu": Case(
        lambda x, w, b: nn.gelu(x @ w + b), (spec((64, 48)), spec((48, 80)), spec((80,))), SOFTWARE
    ),
    "matmul_shared": Case(lambda x, w: x @ w, (spec((128, 256)), spec((256, 128)))),
    "matmul_shared_tails": Case(
        lambda x, w, b: nn.relu(x.T @ w.T + b), (spec((70, 130)), spec((131, 70)), spec((131,)))
    ),
    "matmul_thin": Case(lambda x, w, b: x @ w + b, (spec((3, 384)), spec((384, 96)), spec((96,)))),
    "matmul_textures": Case(lambda x, w: x @ w, (spec((512, 256)), spec((256, 256))), SOFTWARE),
    "conv_bias_relu": Case(
        lambda x, w, b: nn.relu(nn.conv(x, w, stride=2, padding=1, groups=2) + b),
        (spec((2, 6, 10, 12)), spec((8, 3, 3, 3)), spec((8, 1, 1))),
    ),
    "conv_packed": Case(
        lambda x, w, b: nn.relu(nn.conv(x, w, padding=1) + b),
        (spec((4, 16, 32, 32)), spec((32, 16, 3, 3)), spec((32, 1, 1))),
        SOFTWARE,
    ),
    "attention_forward": Case(attention, HEADS, SOFTWARE),
    "attention_gradient": Case(graphc.grad(attention_loss, argnums=(0, 1, 2)), HEADS, SOFTWARE),
    "attention_blocks": Case(attention, HEADS, SUBGROUPS),
    "attention_blocks_gradient": Case(graphc.grad(attention_loss, argnums=(0, 1, 2)), HEADS, SUBGROUPS),
    "scatter_add": Case(
        lambda i, x: apply(scatter_add, i, x, axis=0, size=50), (spec((300,), "int32"), spec((300, 8)))
    ),
    "argsort": Case(lambda x: np.argsort(x, axis=1), (spec((7, 70)),)),
    "top_k": Case(lambda x: graphc.top_k(x, 3)[1], (spec((7, 200)),)),
    "cumsum": Case(lambda x: np.cumsum(x, axis=1), (spec((7, 70)),)),
    "cholesky": Case(lambda x: np.linalg.cholesky(x), (spec((3, 40, 40)),)),
    "lu": Case(lambda x, y: np.linalg.solve(x, y), (spec((40, 40)), spec((40, 3)))),
    "qr": Case(lambda x: np.linalg.qr(x), (spec((40, 20)),)),
    "eigh": Case(lambda x: np.linalg.eigh(x), (spec((7, 7)),)),
    "svd": Case(lambda x: np.linalg.svdvals(x), (spec((7, 5)),)),
    "launches_horizontal": Case(
        lambda x, a, b: (np.tanh(x) @ a, np.tanh(x) @ b), (spec((12, 8)), spec((8, 16)), spec((8, 16))), SOFTWARE
    ),
    "launches_in_a_row": Case(lambda x, w: nn.softmax(np.tanh(x @ w) @ w), (spec((4, 8)), spec((8, 8))), SOFTWARE),
}


def shown(plan: Plan) -> str:
    """The kernels of a plan in order of launch."""
    parts = []
    for kernel in plan.kernels:
        launches = [d.workgroups for d in plan.dispatches if plan.kernels[d.kernel] is kernel]
        needs = f", needs {', '.join(kernel.needs)}" if kernel.needs else ""
        parts.append(f"// {kernel.name}: workgroups {launches}, binds {', '.join(kernel.access)}{needs}\n{kernel.wgsl}")
    return "\n".join(part.rstrip() + "\n" for part in parts)


@pytest.mark.parametrize("name", CASES)
def test_a_kernel_is_as_written(name: str, rewrite_golden: bool) -> None:
    path, text = FOLDER / f"{name}.wgsl", shown(CASES[name].plan())
    if rewrite_golden:
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")


def test_every_file_has_its_case() -> None:
    assert {path.stem for path in FOLDER.glob("*.wgsl")} == set(CASES)
