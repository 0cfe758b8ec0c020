"""onnx's own tests of operators, by its BackendTest; node_cases.txt lists those of the types that graphc has."""

from __future__ import annotations

import importlib
import unittest
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from onnx.backend.test.case import node as node_cases  # noqa: E402
from onnx.backend.test.runner import Runner  # noqa: E402

from graphc.onnx import Backend, UnsupportedError  # noqa: E402

NAMES = (Path(__file__).parent / "node_cases.txt").read_text(encoding="utf-8").split()
SAMPLE = {
    "attention": "attention",
    "gathernd": "gathernd",
    "layernormalization": "layer_normalization",
    "negativeloglikelihoodloss": "nllloss",
    "pow": "pow",
    "reducemax": "reduce_max",
    "scatternd": "scatternd",
    "slice": "slice",
    "split": "split",
    "topk": "top_k",
}
"""Modules of onnx's cases that the quick test runs, and how the names of their cases begin."""

UNSUPPORTED = {
    "test_training_dropout",
    "test_training_dropout_default",
    "test_training_dropout_default_mask",
    "test_training_dropout_mask",
}
"""Cases that need random numbers of one library."""


def backend(name: str) -> type[Backend]:
    class OnDevice(Backend):
        @classmethod
        def prepare(cls, model: Any, device: str = "CPU", **kwargs: Any) -> Any:
            return super().prepare(model, device, **{**kwargs, "on": name})

    return OnDevice


def outcome(test: unittest.TestCase) -> str:
    """Runs a test: right, unsupported or wrong."""
    try:
        test.debug()
    except UnsupportedError:
        return "unsupported"
    except Exception as error:
        return f"wrong: {type(error).__name__}: {error}"
    return "right"


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_sample_of_the_cases_is_right() -> None:
    for module in SAMPLE:
        importlib.import_module(f"onnx.backend.test.case.node.{module}")
    begins = tuple(f"test_{name}" for name in SAMPLE.values())
    cases = {c.name: c for c in node_cases._NodeTestCases if c.name in NAMES and c.name.startswith(begins)}
    assert len(cases) >= 160
    chosen = [cases[name] for name in sorted(cases)][::4]
    for case in chosen:
        prepared = Backend.prepare(case.model, on="numpy")
        for inputs, expected in case.data_sets or ():
            Runner.assert_similar_outputs(expected, prepared.run(inputs), case.rtol, case.atol, case.name)


@pytest.mark.slow
@pytest.mark.parametrize("device", ["numpy", "wgpu"])
@pytest.mark.filterwarnings("ignore")
def test_all_cases_are_right(device: str) -> None:
    from onnx.backend.test import BackendTest

    tests = BackendTest(backend(device), __name__).test_cases["OnnxBackendNodeModelTest"]
    found = {name: outcome(tests(f"{name}_cpu")) for name in NAMES}
    assert not {name: what for name, what in found.items() if what.startswith("wrong")}
    assert {name for name, what in found.items() if what == "unsupported"} == UNSUPPORTED
    assert Counter(found.values()) == {"right": 741, "unsupported": 4}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_no_case_of_other_types_is_wrong() -> None:
    cases = [c for c in node_cases.collect_testcases(None) if c.name not in NAMES and c.model is not None]
    found: Counter[str] = Counter()
    for case in cases:
        assert case.model is not None
        try:
            prepared = Backend.prepare(case.model, on="numpy")
            for given, expected in case.data_sets or ():
                arrays = [[_array(x) for x in xs] for xs in (given, expected)]
                half = any(x.dtype == np.float16 for x in arrays[1])  # expected numbers are rounded at each step
                rtol = max(case.rtol, 2**-9) if half else case.rtol
                Runner.assert_similar_outputs(arrays[1], prepared.run(arrays[0]), rtol, case.atol, case.name)
            found["right"] += 1
        except UnsupportedError:
            found["unsupported"] += 1
    assert found["right"] >= 695


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_models_of_another_framework_are_right() -> None:
    from onnx.backend.test import BackendTest

    groups = BackendTest(backend("numpy"), __name__).test_cases
    found: Counter[str] = Counter()
    for kind in ("PyTorchConverted", "PyTorchOperator"):
        tests = groups[f"OnnxBackend{kind}ModelTest"]
        found.update(outcome(tests(n)) for n in dir(tests) if n.startswith("test_") and n.endswith("_cpu"))
    # Six models add with a broadcast that opset 7 has taken away.
    assert found == {"right": 111, "unsupported": 6}


def _array(x: Any) -> Any:
    return onnx.numpy_helper.to_array(x) if isinstance(x, onnx.TensorProto) else x


def test_outputs_have_the_element_types_that_the_model_says() -> None:
    import graphc

    node = onnx.helper.make_node("ArgMax", ["x"], ["y"], axis=1, keepdims=0)
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph([node], "g", [info("x", 1, ["n", 3])], [info("y", 7, ["n"])])
    model = graphc.onnx.load(onnx.helper.make_model(graph).SerializeToString())
    x = np.eye(3, dtype=np.float32)
    for found in (
        model(x),
        graphc.compile(model, device="numpy")(x),
        graphc.compile(lambda x: model(x), device="numpy")(x),
    ):
        assert np.asarray(found).dtype == np.int64
        assert np.asarray(found).tolist() == [0, 1, 2]
