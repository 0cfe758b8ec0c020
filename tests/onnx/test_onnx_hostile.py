"""Files that lie: refused with an error, soon, and without memory for what they claim."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper  # noqa: E402

import graphc  # noqa: E402
from graphc.errors import GraphcError  # noqa: E402
from graphc.onnx import OnnxError, UnsupportedError, load  # noqa: E402
from tests.support.onnx_models import graph, info, model, node, tensor  # noqa: E402

X, Y = [info("x", [2])], [info("y", None)]


@contextmanager
def measured(limit: int) -> Iterator[None]:
    """What runs inside takes no more bytes than these."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < limit


def lying(*dims: int, data: bytes = b"") -> TensorProto:
    return TensorProto(name="t", data_type=1, dims=dims, raw_data=data)


def nested(depth: int) -> Any:
    leaf = inner = graph([node("Neg", "x", "y")], [], Y)
    for _ in range(depth):
        inner = graph([node("If", "c", "y", then_branch=inner, else_branch=leaf)], [], Y)
    return [node("If", "c", "y", then_branch=inner, else_branch=leaf)]


def calls(pairs: list[tuple[str, list[str]]]) -> dict[str, Any]:
    """Functions that call others of the same domain, and a model that calls the first."""
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("my", 1)]
    functions = []
    for name, called in pairs:
        nodes, last = [], "x"
        for k, other in enumerate(called):
            nodes.append(node(other, last, f"h{k}", domain="" if other == "Neg" else "my"))
            last = f"h{k}"
        nodes.append(node("Identity", last, "y"))
        functions.append(helper.make_function("my", name, ["x"], ["y"], nodes, opsets))
    return {"nodes": [node(pairs[0][0], "x", "y", domain="my")], "functions": functions, "domains": ["my"]}


DOUBLING = [("f0", ["f1", "f1"]), *((f"f{k}", [f"f{k + 1}"] * 9) for k in range(1, 9)), ("f9", ["Neg"])]
LIES = {
    "circle": ({"nodes": [node("Add", "x b", "a"), node("Neg", "a", "b"), node("Neg", "b", "y")]}, "in a circle"),
    "nothing makes it": ({"nodes": [node("Neg", "z", "y")]}, "reads 'z', which nothing makes"),
    "made twice": ({"nodes": [node("Neg", "x", "y"), node("Neg", "x", "y")]}, "which is there already"),
    "no output": ({"nodes": [node("Neg", "x", "z")]}, "nothing makes its output 'y'"),
    "dims": ({"nodes": [node("Add", "x t", "y")], "tensors": [lying(1 << 40, 1 << 40)]}, "too many"),
    "negative": ({"nodes": [node("Add", "x t", "y")], "tensors": [lying(-1)]}, r"has the shape \[-1\]"),
    "short": ({"nodes": [node("Add", "x t", "y")], "tensors": [lying(1 << 20, data=b"1234")]}, "and 4 bytes of data"),
    "axes": ({"nodes": [node("Add", "x t", "y")], "tensors": [lying(*[1] * 99, data=b"1234")]}, "has the shape"),
    "name": ({"nodes": [node("Neg", "x", "y", name="n" * 10_000)]}, "a name of 10000 characters"),
    "input name": ({"nodes": [node("Neg", "x", "y")], "more": [info("i" * 5000, [2])]}, "a name of 5000 characters"),
    "input dims": (
        {"nodes": [node("Neg", "x", "y")], "more": [info("i", [1 << 40, 9])]},
        "a shape that makes no sense",
    ),
    "input axes": ({"nodes": [node("Neg", "x", "y")], "more": [info("i", [1] * 99)]}, "a shape that makes no sense"),
    "deep": ({"nodes": nested(20)}, "sub-graphs within sub-graphs, more than 16 deep"),
    "recursion": (calls([("f0", ["f1"]), ("f1", ["f0"])]), "function 'f0' calls itself"),
    "chain": (calls([*((f"f{k}", [f"f{k + 1}"]) for k in range(40)), ("f40", ["Neg"])]), "more than 16 deep"),
    "doubling": (calls(DOUBLING), "more than 200000 nodes"),
    "opset": ({"nodes": [node("Neg", "x", "y")], "opset": 10_000}, "the model uses opset 10000"),
    "kind": ({"nodes": [node("Cast", "x", "y", to=999)]}, "element type 999"),
    "sparse attribute": ({"nodes": [node("Constant", "", "y", sparse_value=onnx.SparseTensorProto())]}, "kind"),
}


@pytest.mark.parametrize("name", LIES)
def test_what_a_file_says_wrong_is_refused_in_little_memory(name: str) -> None:
    parts, message = LIES[name]
    parts = dict(parts)
    inputs = [*X, *parts.pop("more", ())] if name != "deep" else [*X, info("c", [], "bool")]
    data = model(parts.pop("nodes"), inputs, Y, **parts).SerializeToString()
    with measured(64 * 2**20 + 8 * len(data)), pytest.raises(OnnxError, match=message):
        load(data)(np.ones(2, np.float32))


SHAPE = tensor("s", [1 << 20, 1 << 20], "int64")
GROWTH = {
    "ConstantOfShape": [node("ConstantOfShape", "s", "y")],
    "Expand": [node("Expand", "one s", "y")],
    "Tile": [node("Reshape", "one pair", "r"), node("Tile", "r s", "y")],
    "Range": [node("Range", "zero far step", "y")],
    "MatMul": [
        node("Reshape", "many column", "a"),
        node("Reshape", "many row", "b"),
        node("MatMul", "a b", "y"),
    ],
    "Add": [node("Reshape", "many column", "a"), node("Add", "a many", "y")],
    "Concat": [node("Concat", f"h{k} " * 8, f"h{k + 1}", axis=0) for k in range(5)] + [node("Neg", "h5", "y")],
    "Loop": [
        node(
            "Loop",
            "far - one",
            "y",
            body=graph(
                [node("Identity", "go", "on"), node("Neg", "v", "w")],
                [info("i", [], "int64"), info("go", [], "bool"), info("v", [1])],
                [info("on", [], "bool"), info("w", [1])],
            ),
        )
    ],
}
TENSORS = [
    SHAPE,
    tensor("one", [1], "float32"),
    tensor("h0", np.zeros(1 << 17), "float32"),
    tensor("pair", [1, 1], "int64"),
    tensor("zero", 0, "int64"),
    tensor("far", 1 << 40, "int64"),
    tensor("step", 1, "int64"),
    tensor("many", np.zeros(1 << 17), "float32"),
    tensor("column", [-1, 1], "int64"),
    tensor("row", [1, -1], "int64"),
]


@pytest.mark.parametrize("name", GROWTH)
def test_small_tensors_do_not_grow_without_end(name: str) -> None:
    f = load(model(GROWTH[name], X, Y, TENSORS).SerializeToString())
    with measured(1200 * 2**20), pytest.raises(UnsupportedError, match=name):
        graphc.trace(f, np.ones(2, np.float32))


def external(location: str, **entries: Any) -> bytes:
    t = TensorProto(name="t", data_type=1, dims=[2], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **entries}.items():
        t.external_data.add(key=key, value=str(value))
    made = model([node("Add", "x t", "y")], X, Y, [t])
    return bytes(made.SerializeToString())


@pytest.mark.parametrize(
    ("location", "entries", "message"),
    [
        ("../secret", {}, "outside of the model's folder"),
        ("/etc/hostname", {}, "outside of the model's folder"),
        ("link", {}, "outside of the model's folder"),
        ("a/../../secret", {}, "outside of the model's folder"),
        ("", {}, "outside of the model's folder"),
        (".", {}, "which is no file"),
        ("missing", {}, "which is no file"),
        ("data", {"offset": 4}, "is 8 bytes"),
        ("data", {"offset": -8}, "is 8 bytes"),
        ("data", {"length": 1 << 40}, "is 8 bytes"),
        ("data", {"offset": "x"}, "offset or length is no number"),
    ],
)
def test_data_outside_of_the_folder_is_not_read(
    location: str, entries: dict[str, Any], message: str, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(bytes(8))
    (folder / "data").write_bytes(bytes(8))
    os.symlink(tmp_path / "secret", folder / "link")
    (folder / "m.onnx").write_bytes(external(location, **entries))
    with pytest.raises(OnnxError, match=message):
        load(folder / "m.onnx")
    (folder / "m.onnx").write_bytes(external("data"))
    assert load(folder / "m.onnx")(np.ones(2, np.float32)).tolist() == [1, 1]


def test_what_is_no_model_is_said(tmp_path: Path) -> None:
    for data in (b"", b"no model", bytes(1000)):
        with pytest.raises(OnnxError, match="this is no ONNX model"):
            load(data)
    with pytest.raises(OnnxError, match="cannot be read"):
        load(tmp_path / "missing.onnx")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_damaged_files_raise_errors_of_ours() -> None:
    rng = np.random.default_rng(0)
    body = graph([node("Add", "x x", "r")], [], [info("r", [2])])
    nodes = [
        node("Gemm", "x w b", "h", alpha=0.5),
        node("If", "c", "i", then_branch=body, else_branch=body),
        node("Pad", "h p", "q", mode="edge"),
        node("Concat", "q i", "k", axis=0),
        node("Softmax", "k", "y"),
    ]
    nodes[0].input[0] = "m"
    tensors = [tensor("m", np.ones((1, 2)), "float32"), tensor("w", np.ones((2, 3)), "float32")]
    tensors += [tensor("b", np.ones(3), "float32"), tensor("p", [0, 1, 0, 1], "int64"), tensor("c", True, "bool")]
    good = np.frombuffer(model(nodes, X, Y, tensors).SerializeToString(), np.uint8)
    outcomes = set()
    for _ in range(400):
        bad = good.copy()
        places = rng.integers(0, len(bad), rng.integers(1, 4))
        bad[places] = rng.integers(0, 256, len(places))
        try:
            graphc.trace(load(bad.tobytes()), np.ones(2, np.float32))
            outcomes.add("right")
        except GraphcError as error:
            outcomes.add(type(error).__name__)
    assert "OnnxError" in outcomes
