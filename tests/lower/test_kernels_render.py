"""The template renderer: exactly the holes of the template, exactly the functions that are called."""

from __future__ import annotations

import pytest

from graphc import kernels


def test_render_refuses_missing_and_unknown_holes() -> None:
    assert kernels.fill("a {{x}} b {{x}}", {"x": 3}) == "a 3 b 3"
    with pytest.raises(kernels.TemplateError, match="no value for y"):
        kernels.fill("{{x}} {{y}}", {"x": 1})
    with pytest.raises(kernels.TemplateError, match="has no hole z"):
        kernels.fill("{{x}}", {"x": 1, "z": 2})


def test_unknown_template_and_function_are_named() -> None:
    with pytest.raises(kernels.TemplateError, match="no kernel template 'nope'"):
        kernels.render("nope")
    with pytest.raises(kernels.TemplateError, match="gc_nope"):
        kernels.math_source([("gc_nope", 1)])


def test_math_source_takes_only_what_is_called() -> None:
    text = kernels.math_source([("gc_max", 4)])
    assert "fn gc_max_v4(a: vec4<f32>" in text
    assert text.count("fn gc_isnan_v4(") == 1
    assert "gc_exp" not in text
    assert "{{" not in text


def test_math_source_has_each_function_once_at_each_width() -> None:
    text = kernels.math_source([("gc_max", 1), ("gc_min", 1), ("gc_max_v4", 4), ("gc_isnan", 1)])
    assert [text.count(f"fn {name}(") for name in ("gc_isnan", "gc_isnan_v4", "gc_max", "gc_min_v4")] == [1, 1, 1, 0]


def test_calls_finds_functions_and_widths() -> None:
    assert kernels.calls("gc_exp(x) + gc_tanh_v4(y).x + own(z)") == {("gc_exp", 1), ("gc_tanh", 4)}
