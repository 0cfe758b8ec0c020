"""What random programs have found, made small: each is right in every way to run it."""

from __future__ import annotations

import pytest

import graphc
from tests.fuzz.judge import judge
from tests.fuzz.program import Input, RandomProgram, Statement

ODD = "np.array([np.nan, np.inf, -np.inf, 0, 1.5, -2], f32)"

FOUND = {
    "two gradients of an attention are one value, and one was not written": (
        "nn.softmax(x0 @ x0.mT / 2) @ x0",
        ("np.array([[0.90625]], f32)",),
        "gradient",
        "no subgroups",
    ),
    "the replay of a plan took scratch for an operand": (
        "nn.attention(x0, x0, x0)",
        ("np.ones((1, 4), f32)",),
        "gradient",
        "no subgroups",
    ),
    "an operand of a product is a constant of one element": (
        "x0 @ np.ones((1, 1), f32)",
        ("np.array([[0.5], [-1.5]], f32)",),
        "gradient",
        "unfused",
    ),
    "NaN and infinity were lost in a difference": ("x0 - x0", (ODD,), "forward", "unfused"),
    "hypot of infinity and NaN is infinite": ("np.hypot(x0, x0[::-1])", (ODD,), "forward", "unfused"),
    "in a running sum of equal numbers all roundings go one way, and in NumPy's most": (
        "np.cumsum(x0)",
        ("np.full(30_000, 0.1, f32)",),
        "forward",
        "",
    ),
    "a slope without end, alike on both sides": ("np.abs(x0) ** x0", ("np.array([0, 2], f32)",), "gradient", ""),
    "running statistics have a slope and no gradient": (
        "graphc.tree.leaves(nn.batch_norm(x0, x1, x1, x1, x1, train=True))[2]",
        ("np.array([[1, 2], [0, 4]], f32)", "np.ones(2, f32)"),
        "gradient",
        "",
    ),
    "the replay of a plan asked for an operand of which nothing is left": (
        "np.tril((x0 * 2)[..., ::-1], -1)",
        ("np.ones((1, 1, 1), f32)",),
        "forward",
        "unfused",
    ),
    "an exponent is a whole number in float32 and none in float64": (
        "np.float_power(x1, np.logaddexp(x0, x2))",
        ("np.full(2, 1e-20, f32)", "np.array([-1e-20, 2], f32)", "np.array([23, 1], f32)"),
        "forward",
        "",
    ),
    "a root of what is zero in float32 alone": (
        "np.sqrt((1 - np.tanh(x0) ** 2) ** 2)",
        ("np.array([16, 1], f32)",),
        "gradient",
        "",
    ),
    "a sum on the way to a mean is infinite in float32 alone": (
        "np.mean(x0 * x0, axis=0)",
        ("np.array([[1.5e19, 1], [1.5e19, 2]], f32)",),
        "forward",
        "",
    ),
    "what is behind the point of infinity is 0": ("np.modf(x0)[0]", (ODD,), "forward", ""),
    "quick launches of half precision": (
        "np.sum(x0.astype(f32) * x1)",
        ("np.ones(999, f16)", "np.ones(999, f32)"),
        "gradient",
        "quick",
    ),
    # Mesa before 23.1 went by numbers of a fourth uniform buffer in what was none: the process ended.
    "a branch by numbers of many uniform buffers": (
        (
            "[o := optim.chain(optim.clip_by_global_norm(0.5), optim.sgd(optim.cosine(0.1, 5))), "
            "p := {'w': x0[:, :3] + np.arange(3, dtype=f32)[::-1], 'b': x0[:, 3:]}, "
            "g := graphc.grad(lambda p: np.mean(p['w'] ** 2) + np.sum(np.sin(p['b']))), "
            "t := o.update(g(p), o.init(p), p), o.update(g(t[0]), t[1], t[0])[0]['b']][-1]"
        ),
        ("np.array([[-2, 0, 1, 2]], f32)",),
        "gradient",
        "",
    ),
    "a sign of NaN that differs": (
        "nn.softmax(x0, axis=-1)",
        ("np.tile(" + ODD + ", 7000)[:, None]",),
        "gradient",
        "quick",
    ),
    "a value of the first place was taken for that of another": (
        "np.logaddexp.accumulate(graphc.segment_mean(x0, (x0 * 0).astype(i32) + 2, 3), axis=-1)",
        ("np.array([1.40625], f32)",),
        "gradient",
        "",
    ),
    "arcsinh has the slope 1 at 0": ("np.arcsinh(x0)", ("np.zeros((2, 2), f32)",), "gradient", "unfused"),
}
"""What was wrong: the result, its inputs, how it was run."""


@pytest.mark.parametrize("what", FOUND)
def test_found(what: str) -> None:
    text, inputs, mode, variant = FOUND[what]
    named = tuple(Input(f"x{k}", made) for k, made in enumerate(inputs))
    program = RandomProgram(named, (Statement("found", ("v0",), text),), "v0", mode, (), variant)
    seen = judge(program)
    assert seen.decided
    if "f16" in "".join(inputs) and "shader-f16" not in graphc.device("wgpu").target.features:
        assert all("it has no shader-f16" in finding.detail for finding in seen.findings)
    else:
        assert seen.findings == []
