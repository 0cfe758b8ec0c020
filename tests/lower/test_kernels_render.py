"""The template renderer: exactly the holes of the template, exactly the functions that are called."""

from __future__ import annotations

import pytest

from graphc import kernels
from graphc.kernels.language import TemplateError, names_of, parse


def test_render_refuses_missing_and_unknown_holes() -> None:
    assert kernels.fill("a {{x}} b {{x}}", {"x": 3}) == "a 3 b 3"
    with pytest.raises(TemplateError, match="no value for y"):
        kernels.fill("{{x}} {{y}}", {"x": 1})
    with pytest.raises(TemplateError, match="has no hole z"):
        kernels.fill("{{x}}", {"x": 1, "z": 2})


ROWS = """
{% for r, seen in rows %}
  s{{r}} = {{scale}};
{% if seen %}
  {% for p in parts %}
  o{{r}}_{{p}} *= select(0.0, s{{r}}, {{seen}});
  {% end %}
{% else %}
  whole();
{% end %}
{% end %}
"""


def test_loops_and_conditions() -> None:
    assert names_of(parse(ROWS)) == {"rows", "scale", "parts"}
    found = kernels.fill(ROWS, {"rows": [(0, "a < b"), (1, None)], "scale": 2, "parts": "xy"})
    assert found.split("\n") == [
        "",
        "  s0 = 2;",
        "  o0_x *= select(0.0, s0, a < b);",
        "  o0_y *= select(0.0, s0, a < b);",
        "  s1 = 2;",
        "  whole();",
        "",
    ]


def test_what_a_loop_names_hides_a_hole_of_that_name() -> None:
    text = "{{r}}\n{% for r in rows %}\n{{r}}\n{% end %}\n{{r}}"
    assert kernels.fill(text, {"r": "out", "rows": [1, 2]}) == "out\n1\n2\nout"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{% for r in rows %}\nx", "has no"),
        ("x\n{% end %}\n", "ends nothing"),
        ("{% if a %}\n{% else %}\n{% else %}\n{% end %}\n", "has no"),
        ("{% for r in rows %}\n{% else %}\n{% end %}\n", "has no"),
        ("{% while a %}\n{% end %}\n", "there is no statement"),
        ("{% for 1 in rows %}\n{% end %}\n", "there is no statement"),
        ("{% if a b %}\n{% end %}\n", "there is no statement"),
    ],
)
def test_what_is_no_template_is_said(text: str, words: str) -> None:
    with pytest.raises(TemplateError, match=words):
        parse(text)


def test_a_loop_needs_items() -> None:
    with pytest.raises(TemplateError, match="a loop needs items"):
        kernels.fill("{% for r in rows %}\n{{r}}\n{% end %}\n", {"rows": 3})


def test_unknown_template_and_function_are_named() -> None:
    with pytest.raises(TemplateError, match="no kernel template 'nope'"):
        kernels.render("nope")
    with pytest.raises(TemplateError, match="gc_nope"):
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
