"""Kernels as structures: what is taken apart is put together again, and parts of it are found, renamed and moved."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphc import trace
from graphc.codegen.kernel import Bound, KernelSource, Operand
from graphc.ir.graph import new_value
from graphc.ir.types import NDArray, TensorType, f32
from graphc.kernels.blocks import Block, Loop, blocks, called, loop_of, without_comments
from graphc.kernels.code import Code, LayoutError, Load, Marks, Mention, Store, load, mention, parsed, store, written
from graphc.lower.family import kernels_of
from graphc.passes import pipeline
from graphc.plan.plan import Target

ROOT = Path(__file__).resolve().parents[2]

TEXT = (
    "// a kernel\nvar<workgroup> shared_max: array<f32, 8>;\n\n@compute @workgroup_size(32)\n"
    "fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {\n"
    f"  let x0 = {load('x0', 'at(' + load('x1', 'lane') + ')')};\n"
    f"  {store('y0', 'lane', load('x0', 'lane') + ' + x0')}\n"
    f"  let t = textureLoad({mention('t0')}, 0);\n"
    "}\n\nfn at(i: u32) -> u32 {\n  return i + 1u;\n}\n"
)


class Plain:
    """Writes accesses as those of whole tensors."""

    def load(self, name: str, index: str) -> str:
        return f"{name}[{index}]"

    def store(self, name: str, index: str, value: str) -> str:
        return f"{name}[{index}] = {value};"

    def mention(self, name: str) -> str:
        return name


def test_marks_are_records() -> None:
    assert parsed("a " + load("x0", "i + " + load("x1", "j")) + " b") == (
        "a ",
        Load("x0", ("i + ", Load("x1", ("j",)))),
        " b",
    )
    assert parsed(store("y0", "i", "v")) == (Store("y0", ("i",), ("v",)),)
    assert parsed(mention("t0") + "!") == (Mention("t0"), "!")
    assert parsed("") == ()
    text = TEXT.partition("{\n")[2]
    assert written(parsed(text), Marks()) == text


def test_a_kernel_is_taken_apart() -> None:
    code = Code.of(TEXT)
    assert (code.size, code.local, code.waits) == (32, "lane", False)
    assert [d.kind for d in code.declarations] == ["var", "fn "]
    assert code.functions == ["at"]
    plain = code.wgsl(Plain())
    assert "let x0 = x0[at(x1[lane])];" in plain
    assert "y0[lane] = x0[lane] + x0;" in plain
    assert plain.startswith("// a kernel\nvar<workgroup>")
    assert plain.endswith("  return i + 1u;\n}\n")
    assert Code.of(code.wgsl(Marks())).wgsl(Plain()) == plain


def test_operands_and_functions_are_renamed_and_nothing_else() -> None:
    other = Code.of(TEXT).renamed({"x0": "x_7", "t0": "t_2", "at": "at_3"})
    text = other.wgsl(Plain())
    assert "let x0 = x_7[at_3(x1[lane])];" in text
    assert "y0[lane] = x_7[lane] + x0;" in text
    assert "textureLoad(t_2, 0)" in text
    assert "fn at_3(i: u32)" in text
    assert other.functions == ["at_3"]


def test_the_entry_as_a_function() -> None:
    text = Code.of(TEXT).function("stage4", "lane", Plain(), comments=False)
    assert "fn stage4(group: vec3<u32>, lane: u32) {\n  let x0" in text
    assert "//" not in text
    assert "@compute" not in text


@pytest.mark.parametrize("text", ["", "fn main() {\n}\n", "@compute @workgroup_size(n)\nfn main() {\n}\n"])
def test_what_is_no_kernel(text: str) -> None:
    with pytest.raises(LayoutError):
        Code.of(text)


def test_how_operands_are_bound() -> None:
    whole = new_value(TensorType((64,), f32))
    operands = [
        Operand("a", whole, "read", False, uniform=True),
        Operand("b", whole, "read", True, uniform=True),
        Operand("c", whole, "write", False, windows=2, window=32),
    ]
    bound = Bound(operands)
    assert bound.load("a", "i + 1u") == "a[(i + 1u) / 4u + gc_unknown()][(i + 1u) % 4u]"
    assert bound.load("b", "i") == "b[i + gc_unknown()]"
    assert bound.load("c", "i") == "load_c(i)"
    assert bound.store("c", "i", "v") == "store_c(i, v);"


def sources(fn: Callable[..., Any], *arrays: NDArray) -> list[KernelSource]:
    graph = pipeline.run(trace(fn, *arrays), (*pipeline.DEFAULT, *pipeline.LEGALIZE))
    return [s for node in graph.nodes for s in kernels_of(node, graph, Target(), lambda value: value)]


def test_no_access_of_an_operand_is_written_by_hand() -> None:
    """Under other names for all operands, the old names stand nowhere."""
    x, w = np.ones((40, 64), np.float32), np.ones((64, 64), np.float32)

    def program(x: Any, w: Any) -> Any:
        h = np.tanh(x @ w) + x
        e = np.exp(h - h.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True), np.cumsum(h, axis=0), h.sum(axis=0), np.take(h, [1, 2], axis=0)

    for source in sources(program, x, w):
        names = {operand.name: f"renamed_{operand.name}" for operand in source.operands}
        text = source.code.renamed(names).wgsl(Plain())
        assert not [name for name in names if f" {name}[" in text or f"({name}[" in text], source.name
        assert "\ue000" not in text


TEXTS = {
    "kernels/language.py": "the holes and statements of templates",
    "graphc/lower/family.py": "names of kernels, made of names of ops",
}
"""Files of what makes kernels that hold a regular expression, and what it reads."""


def test_no_regular_expression_reads_wgsl() -> None:
    folders = ("kernels", "graphc/codegen", "graphc/families", "graphc/lower")
    files = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    found = {
        path.relative_to(ROOT).as_posix(): sum(
            isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "re"
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        )
        for path in files
    }
    assert {file: count for file, count in found.items() if count} == dict.fromkeys(TEXTS, 1)


def test_loops_are_read_off_their_heads() -> None:
    assert loop_of("for (var k = 2u; k < 9u; k += 3u) ") == Loop("k", 2, 9, 3, True, True, False)
    assert loop_of("for (var k: i32 = 9; k >= 0i; k--) ") == Loop("k", 9, 0, 1, False, False, True)
    assert loop_of("for (var k = first; k < 8u && open; k++)") == Loop("k", None, 8, 1, True, True, False)
    for other in ("for (var k = 0u; k < n; k++)", "for (var k = 0u; j < 4u; k++)", "for (;;)", "while (k < 4u)"):
        assert loop_of(other) is None
    assert loop_of("for (var k = 0u; k < 8u; k *= 2u)") is None
    assert loop_of("for (var k = 0u; k > 8u; k++)") is None


def test_blocks_are_a_tree() -> None:
    loop = "for (var k = 0u; k < n; k++) {  // at most 7 turns\n  }"
    text = f"fn f() {{\n  a();\n  if (b) {{ c(); }} else {{ d(); }}\n  {loop}\n}}"
    (function,) = (part for part in blocks(text).parts if isinstance(part, Block))
    inner = [part for part in function.parts if isinstance(part, Block)]
    assert [part.word for part in inner] == ["if", "else", "for"]
    assert [part.said for part in inner] == [None, None, 7]
    assert without_comments("a // b { c\nd // at most 3 turns\n/ e") == "a \nd // at most 3 turns\n/ e"
    assert called("gc_exp(x) + my_gc_log(y) + gc_sin", "gc_") == {"gc_exp"}
