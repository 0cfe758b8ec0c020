"""Weights of others: a GPT-2 of transformers and of nanoGPT gives the logits that transformers computes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

import graphc
from graphc.errors import DataError
from graphc.models import gpt
from tests.support.gpt2 import CONTEXT, GOLDEN, HEADS, LAYERS, SETTINGS, TOKENS, VOCABULARY, nanogpt, tensors, write

LOGITS: dict[str, Any] = json.loads(GOLDEN.read_text("utf-8"))["logits"]
IDS = np.array(TOKENS, np.int32)


def close(params: Any, config: Any, activation: str, device: Any = "numpy") -> None:
    logits = graphc.compile(lambda p, x: gpt.apply(p, x, config), device=device)(params, IDS)
    np.testing.assert_allclose(logits, LOGITS[activation], atol=1e-4)


@pytest.mark.parametrize("activation", ["gelu_new", "gelu", "relu"])
def test_a_folder_of_transformers(tmp_path: Path, activation: str, device: Any) -> None:
    folder = write(tmp_path / "model", {**SETTINGS, "activation_function": activation})
    params, config = gpt.load(folder)
    assert (config.vocab_size, config.context, config.heads, config.layers) == (VOCABULARY, CONTEXT, HEADS, LAYERS)
    assert "head" not in params
    close(params, config, activation)
    if activation == "gelu_new":
        close(params, config, activation, device)
        close(*gpt.load(folder / "model.safetensors"), activation)


def test_files_that_are_split(tmp_path: Path) -> None:
    folder = write(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    names = list(tensors())
    parts = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, inside in parts.items():
        safetensors.numpy.save_file({f"transformer.{n}": tensors()[n] for n in inside}, folder / file)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {n: file for file, inside in parts.items() for n in inside}}))
    close(*gpt.load(folder), "gelu_new")
    index.write_text(json.dumps({"weight_map": {"wte.weight": "../a.safetensors"}}))
    with pytest.raises(DataError, match="does not name files of the folder"):
        gpt.load(folder)


def test_a_file_of_nanogpt(tmp_path: Path) -> None:
    file = tmp_path / "nano.safetensors"
    safetensors.numpy.save_file(nanogpt(), file)
    close(*gpt.load(file, heads=HEADS), "gelu")
    safetensors.numpy.save_file(nanogpt(bias=False), file)
    params, config = gpt.load(file, heads=HEADS)
    safetensors.numpy.save_file({k: v * (not k.endswith(".bias")) for k, v in tensors().items()}, file)
    other, _ = gpt.load(file, heads=HEADS)
    for one, two in zip(graphc.tree.leaves(params), graphc.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(one, two)
    assert (config.activation, config.dropout) == ("gelu", 0.0)


def test_a_head_of_its_own_and_half_precision(tmp_path: Path) -> None:
    file = tmp_path / "x.safetensors"
    head = np.roll(tensors()["wte.weight"], 3, axis=0)
    safetensors.numpy.save_file({**tensors(), "lm_head.weight": head}, file)
    params, config = gpt.load(file, heads=HEADS)
    logits = gpt.apply(params, IDS, config)
    np.testing.assert_allclose(np.roll(np.asarray(logits), -3, axis=-1), LOGITS["gelu_new"], atol=1e-4)
    safetensors.numpy.save_file({k: v.astype(np.float16) for k, v in tensors().items()}, file)
    params, config = gpt.load(file, heads=HEADS)
    np.testing.assert_allclose(gpt.apply(params, IDS, config), LOGITS["gelu_new"], atol=0.02)


def test_what_is_loaded_is_sampled_and_trained(tmp_path: Path) -> None:
    params, config = gpt.load(write(tmp_path / "model"))
    whole = gpt.apply(params, IDS, config)
    cache = gpt.empty_cache(len(IDS), config)
    for position in range(IDS.shape[1]):
        logits, cache = gpt.decode(params, IDS[:, position], np.int32(position), cache, config)
        np.testing.assert_allclose(logits, whole[:, position], atol=1e-5)
    (text,) = gpt.sample(params, graphc.random.key(0), config, prompt=(3, 1), temperature=0.0, length=6, device="numpy")
    assert len(text) == 6
    with pytest.raises(DataError, match="give a prompt"):
        gpt.sample(params, graphc.random.key(0), config)
    assert text[:3] == [3, 1, int(np.argmax(gpt.apply(params, np.array([[3, 1]], np.int32), config)[0, -1]))]
    x, y = IDS[:, :-1], IDS[:, 1:]
    step = graphc.compile(graphc.value_and_grad(lambda p: gpt.loss(p, x, y, config)), device="numpy")
    before, grads = step(params)
    after, _ = step(graphc.tree.map(lambda p, g: p - 0.05 * g, params, grads))
    assert float(after) < float(before)


def missing(found: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in found.items() if k != "h.1.mlp.c_fc.weight"}


WRONG: dict[str, tuple[Any, dict[str, Any], str]] = {
    "a tensor is missing": (missing, {}, "no tensor h.1.mlp.c_fc.weight"),
    "others are left": (lambda t: {**t, "h.0.crossattention.x": np.ones(2, np.float32)}, {}, "h.0.crossattention.x"),
    "a wrong shape": (lambda t: {**t, "h.1.attn.c_proj.weight": np.ones((16, 8), np.float32)}, {}, r"needs \[16, 16\]"),
    "a wrong bias": (lambda t: {**t, "ln_f.bias": np.ones(3, np.float32)}, {}, "has 3 elements: needs 16"),
    "integers": (lambda t: {**t, "wte.weight": np.ones((29, 16), np.int32)}, {}, "needs floats"),
    "another model": (lambda t: t, {"model_type": "llama"}, "the model is a llama"),
    "heads": (lambda t: t, {"n_head": 5}, "a divisor of the width 16"),
    "no heads": (lambda t: t, {"n_head": None}, "say heads="),
    "an activation": (lambda t: t, {"activation_function": "swish"}, "activation_function is swish"),
    "a vocabulary": (lambda t: t, {"vocab_size": 30}, "vocab_size is 30, and the tensors have 29"),
    "scales by layer": (lambda t: t, {"scale_attn_by_inverse_layer_idx": True}, "which graphc.models.gpt has not"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_gpt2_is_refused(tmp_path: Path, kind: str) -> None:
    change, settings, said = WRONG[kind]
    folder = write(tmp_path / "model", {**SETTINGS, **settings})
    safetensors.numpy.save_file(change(tensors()), folder / "model.safetensors")
    with pytest.raises(DataError, match=said):
        gpt.load(folder)


def test_files_that_are_none_are_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no model\.safetensors"):
        gpt.load(tmp_path)
    (tmp_path / "config.json").write_text("[1]")
    with pytest.raises(DataError, match="holds no object"):
        gpt.load(tmp_path)
    (tmp_path / "config.json").unlink()
    (tmp_path / "model.safetensors").write_bytes(b"12345678910")
    with pytest.raises(graphc.CheckpointError, match="damaged"):
        gpt.load(tmp_path)
    graphc.save(tmp_path / "own.safetensors", {"params": {"w": np.ones(2)}})
    with pytest.raises(DataError, match=r"written by graphc\.save"):
        gpt.load(tmp_path / "own.safetensors")
    with pytest.raises(ValueError, match="activation is 'swish'"):
        gpt.Config(activation="swish")
