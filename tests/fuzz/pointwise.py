"""Statements that map elements: arithmetic, functions, comparisons, casts, selections."""

from __future__ import annotations

from typing import Final

import numpy as np

from tests.fuzz.grow import Grower, Rejected, kind

SMOOTH: Final = (
    "np.tanh({})",
    "np.sin({})",
    "np.cos({})",
    "np.exp(-({} * {}))",
    "np.log({} * {} + 0.5)",
    "np.sqrt({} * {} + 0.25)",
    "1 / (1 + {} * {})",
    "1 / (1 + np.exp(-{}))",
    "np.exp({})",
    "nn.sigmoid({})",
    "nn.silu({})",
    "nn.gelu({})",
    "nn.gelu({}, approximate=True)",
    "np.log1p({} * {})",
    "np.expm1({})",
    "np.arctan({})",
    "np.square({})",
    "{} ** 2",
    "{} ** 3",
    "(np.abs({}) + 0.5) ** 1.5",
    "np.log2({} * {} + 1)",
    "np.exp2({})",
    "np.sinh({})",
    "np.cosh({})",
    "np.hypot({}, 1.0)",
    "np.arctan2({}, 2.0)",
    "np.logaddexp({}, 0.5)",
    "np.arcsin(0.9 * np.tanh({}))",
    "np.arccos(0.9 * np.tanh({}))",
    "np.arctanh(0.9 * np.tanh({}))",
    "np.tan(np.tanh({}))",
    "np.reciprocal(np.abs({}) + 1)",
    "np.deg2rad({})",
    "np.rad2deg({})",
    "np.logaddexp2({}, 0.5)",
    "np.arccosh(np.abs({}) + 1.5)",
    "np.radians({})",
    "np.divide({}, 3.0)",
)
EDGED: Final = (
    "np.sqrt({})",
    "np.log({})",
    "1 / {}",
    "np.cbrt({})",
    "np.arcsinh({})",
    "np.log1p({})",
    "np.log10({})",
    "{} ** 0.5",
    "{} ** -1",
    "{} ** -0.5",
    "{} / {}",
    "{} - {}",
    "{} * 0.0",
    "np.sqrt(np.abs({}))",
)
"""Functions with edges: poles, NaN below zero, steep slopes."""

EXACT: Final = (
    "-{}",
    "np.abs({})",
    "{} + {}",
    "np.maximum({}, 0)",
    "nn.relu({})",
    "np.clip({}, -0.5, 0.75)",
    "{} * 2",
    "0.5 * {}",
    "np.minimum({}, 0.5)",
    "np.positive({})",
    "np.sign({})",
    "np.floor({})",
    "np.ceil({})",
    "np.rint({})",
    "np.trunc({})",
    "np.fabs({})",
    "np.nan_to_num({})",
    "np.nan_to_num({}, nan=1.0, posinf=2.0, neginf=-2.0)",
    "np.heaviside({}, 0.5)",
    "np.round({}, 1)",
    "np.copysign(1.5, {})",
    "{}.copy()",
    "np.fix({})",
    "np.zeros_like({}) - {}",
    "np.full_like({}, 0.5) * {}",
    "np.negative({})",
)
WHOLE: Final = (
    "-{}",
    "{} + 1",
    "{} * 3",
    "{} % 5",
    "{} // 3",
    "{} & 7",
    "{} | 4",
    "{} ^ 5",
    "~{}",
    "{} << 2",
    "{} >> 1",
    "np.abs({})",
    "np.sign({})",
    "np.clip({}, 1, 6)",
    "np.fmod({}, 4)",
    "np.maximum({}, 2)",
    "{} ** 2",
    "np.square({})",
    "np.where({} > 3, {}, 1)",
)
BINARY: Final = (
    "{} + {}",
    "{} - {}",
    "{} * {}",
    "np.maximum({}, {})",
    "np.minimum({}, {})",
    "{} / (1 + np.abs({}))",
    "np.hypot({}, {})",
    "np.arctan2({}, {})",
    "np.logaddexp({}, {})",
    "np.copysign({}, {})",
    "np.fmax({}, {})",
    "np.fmin({}, {})",
    "np.heaviside({}, {})",
)
BINARY_EDGED: Final = (
    "{} / {}",
    "np.abs({}) ** {}",
    "{} % {}",
    "np.fmod({}, {})",
    "{} // {}",
    "np.float_power({}, {})",
)
BINARY_WHOLE: Final = (
    "{} + {}",
    "{} - {}",
    "{} * {}",
    "{} & {}",
    "{} | {}",
    "{} ^ {}",
    "np.maximum({}, {})",
    "np.minimum({}, {})",
    "{} // {}",
    "{} % {}",
    "{} / (np.abs({}) + 1)",
)
COMPARE: Final = ("{} > {}", "{} <= {}", "{} < {}", "{} >= {}", "{} == {}", "{} != {}")
LOGIC: Final = (
    "{} & {}",
    "{} | {}",
    "{} ^ {}",
    "np.logical_and({}, {})",
    "np.logical_or({}, {})",
    "np.logical_xor({}, {})",
)


def filled(template: str, *names: object) -> str:
    """A template with names in its holes; the first name in all of them if it is the only one."""
    holes = template.count("{}")
    return template.format(*(names * holes)[:holes])


@kind("smooth", 8)
def smooth(g: Grower) -> None:
    g.add(filled(g.source.pick(SMOOTH), g.floats()))


@kind("edged", 2)
def edged(g: Grower) -> None:
    g.add(filled(g.source.pick(EDGED), g.floats()))


@kind("exact", 4)
def exact(g: Grower) -> None:
    g.add(filled(g.source.pick(EXACT), g.floats()))


@kind("whole", 3)
def whole(g: Grower) -> None:
    g.add(filled(g.source.pick(WHOLE), g.choose(lambda s: s.whole)))


@kind("hash", 2)
def hashed(g: Grower) -> None:
    a = g.choose(lambda s: s.whole and s.rank > 0)
    x = a.name if a.dtype == "uint32" else f"np.abs({a}).astype(u32)"
    g.add(
        g.source.pick((f"{x} * u32(2654435761)", f"{x} ^ ({x} >> u32(15))", f"({x} << u32(5)) + {x}", f"{x} - u32(7)"))
    )


@kind("binary", 8)
def binary(g: Grower) -> None:
    a = g.floats()
    b = g.partner(a, lambda s: s.floating)
    g.add(filled(g.source.pick(BINARY), a, b))


@kind("binary edged", 1)
def binary_edged(g: Grower) -> None:
    a = g.floats()
    b = g.partner(a, lambda s: s.floating)
    g.add(filled(g.source.pick(BINARY_EDGED), a, b))


@kind("with number", 3)
def with_number(g: Grower) -> None:
    a, number = g.floats(), g.number()
    pythons = [s.name for s in g.slots if s.dtype == "python"]
    if pythons and g.source.chance(50):
        number = pythons[0]
    template = g.source.pick(
        ("{} + {}", "{} * {}", "{} - {}", "{} / {}", "np.maximum({}, {})", "np.where({} > {}, 1, 0)")
    )
    g.add(template.format(*((a, number) if not g.source.below(2) else (number, a))))


@kind("binary whole", 2)
def binary_whole(g: Grower) -> None:
    a = g.choose(lambda s: s.whole)
    b = g.partner(a, lambda s: s.dtype == a.dtype)
    template = g.source.pick(BINARY_WHOLE)
    if template[:5] in ("{} //", "{} % ") and not np.all(b.value):
        raise Rejected
    g.add(template.format(a, b))


@kind("two results", 1)
def two_results(g: Grower) -> None:
    """Whole part and rest."""
    a = g.floats()
    texts = [f"np.modf({a})", f"np.divmod({a}, 0.75)"]
    wholes = [s.name for s in g.slots if s.whole]
    if wholes:
        texts.append(f"np.divmod({wholes[-1]}, 3)")
    g.add(g.source.pick(texts), 2)


@kind("mixed types", 2)
def mixed(g: Grower) -> None:
    a = g.choose()
    b = g.partner(a, lambda s: s.dtype != a.dtype)
    if {a.dtype, b.dtype} == {"int32", "uint32"}:
        raise Rejected
    template = g.source.pick(("{} + {}", "{} * {}", "np.maximum({}, {})", "np.where({} > 0, {}, 1)"))
    g.add(template.format(a, b))


@kind("mixed signs", 1)
def mixed_signs(g: Grower) -> None:
    a = g.choose(lambda s: s.whole)
    other = "u32" if a.dtype == "int32" else "i32"
    b = f"np.arange({a.shape[-1]}, dtype={other})" if a.rank else f"{other}(3)"
    # Arithmetic would be NumPy's int64, and is refused (tests/ops/test_mixed_integers.py).
    g.add(g.source.pick(("{} > {}", "{} <= {}", "{} == {}", "{} < {}")).format(a, b))


@kind("compare", 3)
def compare(g: Grower) -> None:
    a = g.choose(lambda s: not s.boolean)
    number = "3" if a.whole else "0.3"
    b = g.partner(a, lambda s: s.dtype == a.dtype).name if g.source.below(2) else number
    g.add(g.source.pick(COMPARE).format(a, b))


@kind("logic", 2)
def logic(g: Grower) -> None:
    a = g.choose(lambda s: s.boolean)
    if not g.source.below(4):
        g.add(f"~{a}")
        return
    b = g.partner(a, lambda s: s.boolean)
    g.add(g.source.pick(LOGIC).format(a, b))


@kind("test", 1)
def test(g: Grower) -> None:
    g.add(f"{g.source.pick(('np.isnan', 'np.isfinite', 'np.isinf', 'np.signbit'))}({g.floats()})")


@kind("cast", 3)
def cast(g: Grower) -> None:
    a = g.choose()
    targets = [t for t in ("f32", "i32", "u32", "bool", "f16") if t != a.alias and (t != "f16" or g.half)]
    to = g.source.pick(targets)
    text = a.name
    if a.floating and to in ("i32", "u32"):
        low = 0 if to == "u32" else -99
        text = f"np.clip(np.nan_to_num({a}) * 4, {low}, 99)"
    elif a.dtype == "uint32" and to != "bool":
        text = f"({a} % u32(1000))"
    elif a.dtype == "int32" and to == "u32":
        text = f"np.abs({a})"
    elif a.whole and to == "f16":
        text = f"({a} % 32)"
    g.add(f"{text}.astype({to})")


@kind("select", 4)
def select(g: Grower) -> None:
    a = g.floats()
    mask = mask_of(g, a.shape)
    other: object = g.source.pick(("0", "0.5", "-1"))
    if g.source.below(2):
        other = g.partner(a, lambda s: s.floating)
    first, second = (a, other) if g.source.below(3) else (other, a)
    g.add(f"np.where({mask}, {first}, {second})")


@kind("select many", 1)
def select_many(g: Grower) -> None:
    a = g.floats()
    b = g.like(a)
    g.add(f"np.select([{a} > 0.5, {b} < 0], [{a}, {b} * 2], {g.number()})")


def mask_of(g: Grower, shape: tuple[int, ...]) -> str:
    """A truth value for each element of an array of this shape, of some kind or other."""
    source, rank, last = g.source, len(shape), shape[-1] if shape else 1
    bools = [s.name for s in g.slots if s.boolean and _fits(s.shape, shape)]
    options = [f"np.arange({last}) % 2 == 0", f"np.arange({last}) < {max(1, last // 2)}"] if rank else []
    if rank >= 2:
        options.append(f"np.tril(np.ones(({shape[-2]}, {last}), bool), {source.below(3) - 1})")
        options.append(f"np.arange({shape[-2]})[:, None] > np.arange({last})")
    floats = [s.name for s in g.slots if s.floating and _fits(s.shape, shape)]
    options += [f"{name} > 0.25" for name in floats[-2:]]
    options = [*bools[-3:], *options, "True"]
    return source.pick(options)


def _fits(inner: tuple[int, ...], outer: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(inner, outer) == outer
    except ValueError:
        return False
