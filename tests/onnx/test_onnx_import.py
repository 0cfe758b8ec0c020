"""ONNX models as functions: they run on arrays, trace, differentiate and compile; what is missing is said once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from onnx.reference import ReferenceEvaluator  # noqa: E402

import graphc  # noqa: E402
from graphc.onnx import OnnxError, UnsupportedError, load  # noqa: E402
from tests.support.onnx_models import graph, info, model, node, tensor  # noqa: E402

rng = np.random.default_rng(0)


def draw(*shape: int) -> Any:
    return rng.normal(size=shape).astype(np.float32)


def mlp() -> Any:
    tensors = [tensor("w", draw(4, 3)), tensor("b", draw(3))]
    nodes = [node("Gemm", "x w b", "h"), node("Relu", "h", "r"), node("ReduceSum", "r", "y", keepdims=0)]
    return model(nodes, [info("x", ["n", 4])], [info("y", [])], tensors)


def reference(proto: Any, **inputs: Any) -> Any:
    return ReferenceEvaluator(proto).run(None, inputs)


def compiled(made: Any, *inputs: Any) -> Any:
    return graphc.compile(made, device="numpy")(*inputs)


def test_a_model_runs_traces_differentiates_and_compiles(tmp_path: Path) -> None:
    proto, x = mlp(), draw(5, 4)
    (tmp_path / "m.onnx").write_bytes(proto.SerializeToString())
    expected = reference(proto, x=x)[0]
    for source in (proto, proto.SerializeToString(), tmp_path / "m.onnx", str(tmp_path / "m.onnx")):
        f = load(source)
        np.testing.assert_allclose(f(x), expected, rtol=1e-5)
        np.testing.assert_allclose(f(x=x), expected, rtol=1e-5)
    np.testing.assert_allclose(compiled(f, x), expected, rtol=1e-5)
    w, b = f.initializers["w"], f.initializers["b"]
    slope = ((x @ w + b) > 0).astype(np.float32) @ w.T
    np.testing.assert_allclose(np.asarray(compiled(graphc.grad(f), x)), slope, rtol=1e-5)
    assert [v.hint for v in graphc.trace(f, x).inputs] == ["x"]


def test_shape_arithmetic_is_folded_and_shapes_are_bound() -> None:
    nodes = [
        node("Shape", "x", "s"),
        node("Gather", "s zero", "n"),
        node("Unsqueeze", "n first", "n1"),
        node("Concat", "n1 rest", "shape", axis=0),
        node("Reshape", "x shape", "y"),
        node("Reshape", "y wanted", "z"),
    ]
    tensors = [tensor("zero", 0, "int64"), tensor("first", [0], "int64"), tensor("rest", [-1], "int64")]
    f = load(model(nodes, [info("x", [2, 3, 4]), info("wanted", [2], "int64")], [info("z", None)], tensors))
    x, wanted = draw(2, 3, 4), np.array([4, 6])
    assert f(x, wanted).shape == (4, 6)
    with pytest.raises(UnsupportedError, match=r"Reshape \(node 'z'\) has to know its shape.*bind"):
        graphc.trace(f, x, wanted)
    bound = f.bind(wanted=[4, 6])
    assert bound.inputs == ("x",)
    made = graphc.trace(bound, x)
    assert [n.op.name for n in made.nodes] == ["reshape", "reshape"]
    assert graphc.trace(lambda x: f(x, wanted), x).outputs[0].type.shape == (4, 6)
    with pytest.raises(OnnxError, match="bind: 'shape' is no input"):
        f.bind(shape=[1])
    with pytest.raises(OnnxError, match=r"input 'x' is \[2, 3\]: the model takes \[2, 3, 4\]"):
        f(draw(2, 3), wanted)


def test_all_that_is_missing_is_said_at_once() -> None:
    nodes = [
        node("DFT", "x", "a", name="first"),
        node("DFT", "a", "b", name="second"),
        node("Abs", "b", "c"),
        node("NonMaxSuppression", "c c", "y", name="boxes"),
    ]
    with pytest.raises(
        UnsupportedError,
        match=r"^3 nodes of 2 operators without an importer: DFT \(opset 20\): 2 \('first', 'second'\); NonMax.*boxes",
    ):
        load(model(nodes, [info("x", [4])], [info("y", [4])]))
    resized = [node("Resize", "x - s", "y", antialias=1, mode="linear")]
    shrunk = load(model(resized, [info("x", [4])], [info("y", None)], [tensor("s", [0.5], "float32")]))
    with pytest.raises(UnsupportedError, match=r"Resize \(node 'y'\): antialias"):
        shrunk(draw(4))
    with pytest.raises(UnsupportedError, match=r"Neg \(node 'y'\): its attribute 'what' is not imported"):
        load(model([node("Neg", "x", "y", what=1)], [info("x", [4])], [info("y", [4])]))


def test_local_functions_and_attributes_that_refer_to_their_callers() -> None:
    inner = node("LeakyRelu", "x", "h")
    inner.attribute.append(onnx.helper.make_attribute("alpha", 0.0))
    inner.attribute[0].ref_attr_name = "slope"
    inner.attribute[0].ClearField("f")
    one = onnx.helper.make_opsetid
    leaky = onnx.helper.make_function(
        "my", "Leaky", ["x"], ["y"], [inner, node("Add", "h h", "y")], [one("", 20)], ["slope"]
    )
    twice = onnx.helper.make_function(
        "my", "Twice", ["x"], ["y"],
        [node("Leaky", "x", "h", domain="my", slope=0.5), node("Leaky", "h", "y", domain="my", slope=2.0)],
        [one("", 20), one("my", 1)],
    )  # fmt: skip
    made = model(
        [node("Twice", "x", "y", domain="my")], [info("x", [3])], [info("y", [3])], (), 20, [leaky, twice], ["my"]
    )
    x = np.array([-1, 0, 2], np.float32)
    assert load(made)(x).tolist() == [-4, 0, 8]
    assert np.asarray(compiled(load(made), x)).tolist() == [-4, 0, 8]


def test_standard_functions_run_by_their_bodies() -> None:
    made = model(
        [node("CenterCropPad", "x s", "y", axes=[0])],
        [info("x", [4, 2])],
        [info("y", None)],
        [tensor("s", [2], "int64")],
    )
    x = draw(4, 2)
    np.testing.assert_array_equal(compiled(load(made), x), x[1:3])


def test_branches_and_loops() -> None:
    then, other = (graph([node(op, "x x", "r")], [], [info("r", [2])]) for op in ("Add", "Mul"))
    made = load(
        model(
            [node("If", "c", "y", then_branch=then, else_branch=other)],
            [info("c", [], "bool"), info("x", [2])],
            [info("y", [2])],
        )
    )
    x = np.array([3, 5], np.float32)
    for value, expected in ((True, [6, 10]), (False, [9, 25])):
        assert made(np.array(value), x).tolist() == expected
        assert np.asarray(compiled(made, np.array(value), x)).tolist() == expected
        assert np.asarray(compiled(made.bind(c=value), x)).tolist() == expected

    body = graph(
        [node("Add", "v x", "w"), node("Identity", "go", "on"), node("Mul", "w w", "row")],
        [info("i", [], "int64"), info("go", [], "bool"), info("v", [2])],
        [info("on", [], "bool"), info("w", [2]), info("row", [2])],
    )
    made = load(
        model(
            [node("Loop", "n - x", "last rows", body=body)],
            [info("x", [2])],
            [info("last", [2]), info("rows", [3, 2])],
            [tensor("n", 3, "int64")],
        )
    )
    last, rows = compiled(made, x)
    assert np.asarray(last).tolist() == [12, 20]
    assert np.asarray(rows).tolist() == [[36, 100], [81, 225], [144, 400]]

    often = node("Loop", "n - x", "last rows", body=body)
    results = [info("last", [2]), info("rows", [100, 2])]
    long = load(model([often], [info("x", [2])], results, [tensor("n", 100, "int64")]))
    assert [n.op.name for n in graphc.trace(long, x).nodes] == ["scan"]
    assert np.asarray(compiled(long, x)[0]).tolist() == [303, 505] == long(x)[0].tolist()

    step = graph(
        [node("Add", "s x", "t"), node("Neg", "t", "u")],
        [info("s", [2]), info("x", [2])],
        [info("t", [2]), info("u", [2])],
    )
    made = load(
        model(
            [node("Scan", "s xs", "t us", body=step, num_scan_inputs=1, scan_input_directions=[1])],
            [info("s", [2]), info("xs", [3, 2])],
            [info("t", [2]), info("us", [3, 2])],
        )
    )
    xs = np.arange(6, dtype=np.float32).reshape(3, 2)
    last, rows = compiled(made, x, xs)
    assert np.asarray(last).tolist() == [9, 14]
    assert np.asarray(rows).tolist() == [[-7, -10], [-9, -13], [-9, -14]]


def case(op: str, *inputs: Any, opset: int = 20, count: int = 1, bind: int = 0, **attrs: Any) -> Any:
    return pytest.param(
        op, inputs, opset, count, bind, attrs, id=f"{op}-{'-'.join(f'{k}_{v}' for k, v in attrs.items())}"[:60]
    )


image = draw(1, 2, 6, 5)
unused = np.zeros(0, np.float32)


def scales(*values: float) -> Any:
    return np.array([1, 1, *values], np.float32)


CASES = (
    case("Conv", image, draw(4, 1, 3, 3), draw(4), group=2, pads=[1, 0, 2, 1], strides=[2, 1]),
    case("Conv", image, draw(3, 2, 2, 2), auto_pad="SAME_UPPER", strides=[2, 2]),
    case("Conv", draw(2, 2, 4, 3, 3), draw(2, 2, 2, 2, 2), strides=[2, 1, 1], pads=[0, 1, 0, 1, 0, 1]),
    case("ConvTranspose", image, draw(2, 3, 3, 2), draw(3), strides=[2, 1], pads=[1, 0, 0, 1], output_padding=[1, 0]),
    case("ConvTranspose", draw(1, 4, 3), draw(4, 2, 3), dilations=[2]),
    case("MaxPool", image, kernel_shape=[2, 3], strides=[2, 1], pads=[1, 1, 0, 1]),
    case("MaxPool", image, kernel_shape=[2, 2], dilations=[2, 1], ceil_mode=1, strides=[2, 2]),
    case("AveragePool", image, kernel_shape=[3, 2], pads=[1, 1, 1, 0], count_include_pad=1),
    case("AveragePool", image, kernel_shape=[3, 2], pads=[1, 1, 1, 0]),
    case("GlobalAveragePool", image),
    case("GlobalMaxPool", image),
    case("InstanceNormalization", image, draw(2), draw(2)),
    case("GroupNormalization", image, draw(2), draw(2), num_groups=2, opset=21),
    case(
        "Resize",
        image,
        np.zeros(0, np.float32),
        np.array([1, 1, 0.5, 2], np.float32),
        bind=2,
        mode="nearest",
        nearest_mode="floor",
        coordinate_transformation_mode="asymmetric",
    ),
    case(
        "Resize",
        image,
        np.zeros(0, np.float32),
        np.array([1, 1, 2, 2], np.float32),
        bind=2,
        mode="cubic",
        coordinate_transformation_mode="align_corners",
    ),
    case("Resize", image, unused, scales(2, 1.6), bind=2, mode="linear"),
    case("Resize", image, unused, scales(0.5, 2), bind=2, coordinate_transformation_mode="asymmetric"),
    case("Resize", image, unused, scales(2, 2), bind=2, mode="cubic", coordinate_transformation_mode="align_corners"),
    case("Einsum", draw(2, 3), draw(3, 4), equation="ij,jk->ik"),
    case("Pad", image, np.array([0, 0, 1, 2, 0, 0, 2, 1]), np.float32(3), bind=2),
    case("Pad", image, np.array([0, 0, 1, 2, 0, 0, 2, 1]), bind=1, mode="edge"),
    case("DepthToSpace", draw(1, 8, 2, 3), blocksize=2, mode="CRD"),
    case("SpaceToDepth", draw(1, 2, 4, 6), blocksize=2),
    case("ReverseSequence", draw(4, 3), np.array([1, 4, 2]), time_axis=0, batch_axis=1),
    case("BitShift", np.array([1, 2, 3], np.int32), np.array([3, 1, 2], np.int32), direction="LEFT"),
    case("Hardmax", draw(2, 5), axis=1),
    case("CumSum", draw(2, 5), np.array(1), bind=1, exclusive=1, reverse=1),
    case("TopK", draw(2, 5), np.array([3]), bind=1, count=2, largest=0, axis=1),
    case("ArgMin", np.array([[3, 1, 1]], np.float32), axis=1, select_last_index=1),
    case("HardSwish", draw(7)),
    case("Selu", draw(7)),
    case("Celu", draw(7), alpha=2.0),
    case("Softsign", draw(7)),
    case("Shrink", draw(7), bias=0.5, lambd=0.7),
    case("ThresholdedRelu", draw(7), alpha=0.3),
    case("PRelu", draw(2, 7), draw(7)),
    case("Mish", draw(7)),
    case("IsInf", np.array([1, -np.inf, np.inf, np.nan], np.float32), detect_negative=0),
    case("ReduceL1", draw(2, 3), np.array([1]), bind=1, keepdims=0),
    case("ReduceProd", draw(2, 3)),
    case("Tile", draw(2, 3), np.array([2, 1]), bind=1),
    case("CastLike", draw(3), np.array([1, 2])),
)


@pytest.mark.parametrize(("op", "inputs", "opset", "count", "bind", "attrs"), CASES)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_operators_agree_with_onnx(op: str, inputs: Any, opset: int, count: int, bind: int, attrs: Any) -> None:
    """bind: how many of the last inputs have to be known."""
    arrays = [np.asarray(x) for x in inputs]
    names = [f"x{k}" for k in range(len(arrays))]
    outputs = [f"y{k}" for k in range(count)]
    ports = [info(n, x.shape, x.dtype.name) for n, x in zip(names, arrays, strict=True)]
    made = node(op, " ".join(names), " ".join(outputs), **attrs)
    proto = model([made], ports, [onnx.ValueInfoProto(name=n) for n in outputs], opset=opset)
    if op == "BitShift":  # onnx has it for unsigned integers alone, which have the same bits here
        expected: Any = [np.left_shift(*arrays)]
    else:
        expected = reference(proto, **dict(zip(names, arrays, strict=True)))
    f = load(proto)
    known = dict(zip(names[len(names) - bind :], arrays[len(names) - bind :], strict=True)) if bind else {}
    free = arrays[: len(names) - bind]
    for found in (f(*arrays), compiled(f.bind(**known), *free)):
        results = found if isinstance(found, tuple) else (found,)
        for x, want in zip(results, expected, strict=True):
            np.testing.assert_allclose(np.asarray(x), want, rtol=2e-5, atol=2e-6)


def test_what_older_operator_sets_and_negative_widths_mean() -> None:
    x = draw(2, 3, 4)
    old = load(model([node("Softmax", "x", "y", axis=1)], [info("x", [2, 3, 4])], [info("y", None)], opset=12))
    np.testing.assert_allclose(old(x), graphc.nn.softmax(x.reshape(2, 12)).reshape(x.shape), rtol=1e-6)
    pads = tensor("p", [0, 0, 1, 0, 0, -2], "int64")
    padded = load(model([node("Pad", "x p", "y")], [info("x", [2, 3, 4])], [info("y", None)], [pads]))
    np.testing.assert_array_equal(compiled(padded, x), np.pad(x[:, :, :2], [(0, 0), (0, 0), (1, 0)]))


def test_attention_without_extras_is_what_the_compiler_has_kernels_for() -> None:
    q = draw(1, 2, 40, 16)
    ports = [info(n, q.shape) for n in "qkv"]
    made = load(model([node("Attention", "q k v", "y", is_causal=1)], ports, [info("y", q.shape)], opset=23))
    stages = graphc.compile(made, device="numpy").lower(q, q, q).stages
    assert any(n.op.attends for _, stage in stages for n in stage.nodes)
    np.testing.assert_allclose(made(q, q, q), graphc.nn.attention(q, q, q, causal=True), rtol=1e-5)


def test_a_constant_to_pad_with_may_be_traced() -> None:
    pads = tensor("p", [1, 0], "int64")
    made = load(model([node("Pad", "x p c", "y")], [info("x", [2]), info("c", [])], [info("y", [3])], [pads]))
    assert np.asarray(compiled(made, np.ones(2, np.float32), np.array(7, np.float32))).tolist() == [7, 1, 1]


def test_data_in_files_of_their_own(tmp_path: Path) -> None:
    proto, x = mlp(), draw(5, 4)
    onnx.save_model(proto, tmp_path / "m.onnx", save_as_external_data=True, location="data.bin", size_threshold=0)
    expected = reference(mlp(), x=x)[0]
    assert (tmp_path / "data.bin").stat().st_size
    assert load(tmp_path / "m.onnx")(x).shape == np.shape(expected)
    with pytest.raises(OnnxError, match="load the model by its path"):
        load((tmp_path / "m.onnx").read_bytes())


def test_the_examples_of_the_docs_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRAPHC_DEVICE", "numpy")
    text = (Path(__file__).parents[2] / "docs" / "onnx.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(block, names)
    assert names["y"].shape == (6,)
    assert names["names"] == ["params.w1", "params.w2", "x", "y"]
    np.testing.assert_allclose(names["y"].reshape(2, 3), np.tanh(names["x"] @ names["w"]), rtol=1e-6)
    assert names["slope"].shape == (2, 4)


def test_what_is_no_path_is_said() -> None:
    traced = graphc.trace(np.tanh, graphc.spec((2,)))
    for call in (lambda: load(cast(Any, 3)), lambda: graphc.onnx.export(traced, cast(Any, 3))):
        with pytest.raises(graphc.ArgumentError, match="3 is no path"):
            call()


def same_kind(kind: str) -> Any:
    """A model that adds 1 to an input of an element type."""
    return load(
        model([node("Add", "x one", "y")], [info("x", [2], kind)], [info("y", [2], kind)], [tensor("one", 1, kind)])
    )


GIVEN: dict[str, list[Any]] = {
    "float32": [np.array([1, 2]), np.array([1, 2], np.uint8), np.array([True, False]), np.array([1, 2.0]), [1, 2]],
    "float16": [np.array([1, 2], np.int32), np.array([1, 2], np.float32)],
    "int64": [np.array([1, 2], np.int32), np.array([True, False]), [1, 2]],
    "int32": [np.array([1, 2], np.int64), np.array([1, 2], np.uint8)],
}
REFUSED: dict[str, list[Any]] = {
    "float32": [np.array([1j, 2]), np.array(["a", "b"]), "a", None, [[1], [2, 3]], np.array([None, 1])],
    "int64": [np.array([1.5, 2]), [1.5, 2], np.array([1, 2], np.float32)],
    "int32": [np.array([1, 2**40]), [1, 2**40], 2**80],
    "bool": [np.array([1, 0]), [0.5, 1]],
}


@pytest.mark.parametrize("kind", GIVEN)
def test_inputs_are_cast_to_what_the_model_says(kind: str) -> None:
    f, tanh = same_kind(kind), load(model([node("Tanh", "x", "y")], [info("x", [2])], [info("y", [2])]))
    for x in GIVEN[kind]:
        want = (np.asarray(x).astype(kind) + 1).astype(kind)
        for got in (f(x), f.bind(x=x)(), compiled(lambda x: f(x), np.asarray(x)), compiled(f, np.asarray(x))):
            np.testing.assert_array_equal(np.asarray(got), want)
        assert f(x).dtype == want.dtype
        if kind == "float32":
            wanted = np.tanh(np.asarray(x, np.float32))
            for got in (tanh(x), compiled(tanh, np.asarray(x))):
                np.testing.assert_allclose(np.asarray(got), wanted, rtol=1e-6)


@pytest.mark.parametrize("kind", REFUSED)
def test_inputs_of_another_kind_are_refused(kind: str) -> None:
    nodes = [node("Identity", "x", "y")]
    f = load(model(nodes, [info("x", None, kind)], [info("y", None, kind)]))
    for x in REFUSED[kind]:
        for call in (lambda x=x: f(x), lambda x=x: f.bind(x=x)):
            with pytest.raises(OnnxError, match="input 'x'"):
                call()
    if kind == "int64":
        with pytest.raises(OnnxError, match="input 'x' is float32: the model takes int64"):
            compiled(lambda x: f(x), np.array([1.5, 2], np.float32))


def test_what_export_cannot_use_is_said(tmp_path: Path) -> None:
    traced, export = graphc.trace(np.tanh, graphc.spec((2,))), cast(Any, graphc.onnx.export)
    named = traced.called.inputs[0]
    for values in (3, [1], {named: "a"}, {named: [[1], [2, 3]]}, {named: ["a", "b"]}, {"other": 1}):
        with pytest.raises(graphc.ArgumentError):
            export(traced, values=values)
    with pytest.raises(graphc.ArgumentError, match="name is 3"):
        export(traced, name=3)
    for path in (tmp_path / "no" / "m.onnx", tmp_path):
        with pytest.raises(OnnxError, match="cannot be written"):
            export(traced, path)
    for text in ("", "\0"):
        with pytest.raises(graphc.ArgumentError, match=r"onnx\.export: "):
            export(traced, text)
        with pytest.raises(graphc.ArgumentError, match=r"onnx\.load: "):
            load(text)
