"""Weights of GPT-2 as other programs save them: Hugging Face's transformers, and nanoGPT.

Both call the tensors alike (`transformer.h.0.attn.c_attn.weight`). transformers keeps the matrices of a block as
(in, out), nanoGPT as (out, in), which the joint matrix of queries, keys and values, [width, 3 width] or its transpose,
tells apart. Source: the names of openai-community/gpt2 and of Karpathy's nanoGPT.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

import graphc
from graphc.errors import DataError

Array = Any
Tensors = dict[str, Array]

ACTIVATIONS: Final[Mapping[str, str]] = {
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu": "gelu",
    "relu": "relu",
}
"""What transformers calls the activations of `gpt.Config`."""

_PREFIX: Final = re.compile(r"^(?:_orig_mod\.|module\.|transformer\.)+")
_BUFFER: Final = re.compile(r"^h\.\d+\.attn\.(?:bias|masked_bias)$")
"""The causal mask, which some files hold beside the weights."""


def read(path: Path) -> tuple[Tensors, dict[str, Any]]:
    """The tensors of a safetensors file, or of those in a folder, and the config.json beside them.

    Raises DataError for a folder without such files, CheckpointError for a file that is damaged.
    """
    folder = path if path.is_dir() else path.parent
    settings: dict[str, Any] = {}
    if (folder / "config.json").is_file():
        settings = _json(folder / "config.json")
    if not path.is_dir():
        return _tensors(path), settings
    index = folder / "model.safetensors.index.json"
    names = ["model.safetensors"]
    if index.is_file():
        listed = _json(index).get("weight_map")
        if not isinstance(listed, dict) or not all(isinstance(n, str) and Path(n).name == n for n in listed.values()):
            raise DataError(f"{index}: its weight_map does not name files of the folder")
        names = sorted(set(listed.values()))
    elif not (folder / names[0]).is_file():
        raise DataError(f"{folder} holds no model.safetensors")
    found: Tensors = {}
    for name in names:
        found |= _tensors(folder / name)
    return found, settings


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise DataError(f"{path}: holds no object")
    return found


def _tensors(path: Path) -> Tensors:
    found = graphc.load(path)
    if not isinstance(found, dict) or not all(isinstance(x, np.ndarray) for x in found.values()):
        raise DataError(f"{path}: was written by graphc.save, and is no file of GPT-2: graphc.load reads it")
    return found


def gpt2(tensors: Tensors, settings: Mapping[str, Any], heads: int | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """The params of `graphc.models.gpt` and the fields of its Config.

    A head that is the token embedding, or is not there, is left out of the params: it is tied. Biases that are not
    there are 0. Raises DataError naming the tensors that are missing, left over or of another shape.
    """
    given = _Given({_PREFIX.sub("", name): array for name, array in tensors.items()})
    kind = settings.get("model_type", "gpt2")
    if kind != "gpt2":
        raise DataError(f"config.json: the model is a {kind}, not a gpt2")
    if settings.get("scale_attn_by_inverse_layer_idx"):
        raise DataError("config.json: scale_attn_by_inverse_layer_idx is on, which graphc.models.gpt has not")
    wte, wpe = given.take("wte.weight", 2), given.take("wpe.weight", 2)
    (vocab_size, width), context = wte.shape, len(wpe)
    heads = settings.get("n_head") if heads is None else heads
    if not isinstance(heads, int) or heads < 1 or width % heads:
        raise DataError(f"heads is {heads}: say heads=, a divisor of the width {width}, as no config.json does")
    joint = given.take("h.0.attn.c_attn.weight", 2, keep=True)
    if joint.shape not in ((width, 3 * width), (3 * width, width)):
        raise DataError(f"h.0.attn.c_attn.weight is {list(joint.shape)}: needs [{width}, {3 * width}] or its transpose")
    turned = joint.shape == (3 * width, width)
    blocks = [_block(given, f"h.{i}", turned, width) for i in range(given.layers)]
    params = {"wte": wte, "wpe": wpe, "blocks": blocks, **given.norm("ln_f", "gain", "bias", width)}
    head = given.take("lm_head.weight", 2, optional=True)
    if head is not None and not np.array_equal(head, wte):
        params["head"] = np.ascontiguousarray(head.T)
    given.check_empty()
    default = "gelu" if turned else "gelu_new"
    activation = settings.get("activation_function", default)
    if activation not in ACTIVATIONS:
        raise DataError(f"config.json: activation_function is {activation}: there are {', '.join(ACTIVATIONS)}")
    for name, here in (("vocab_size", vocab_size), ("n_embd", width), ("n_positions", context)):
        if settings.get(name, here) != here:
            raise DataError(f"config.json: {name} is {settings[name]}, and the tensors have {here}")
    return params, {
        "vocab_size": vocab_size,
        "context": context,
        "width": width,
        "heads": heads,
        "layers": len(blocks),
        "scale": None if settings.get("scale_attn_weights", True) else 1.0,
        "dropout": 0.0,
        "eps": float(settings.get("layer_norm_epsilon", 1e-5)),
        "activation": ACTIVATIONS[activation],
        "begin": None,
    }


def _block(given: _Given, name: str, turned: bool, width: int) -> dict[str, Array]:
    joint, biases = given.linear(f"{name}.attn.c_attn", turned, width, 3 * width)
    parts = zip("qkv", np.split(joint, 3, axis=1), np.split(biases, 3), strict=True)
    block = {k: np.ascontiguousarray(x) for part, w, b in parts for k, x in ((f"w{part}", w), (f"b{part}", b))}
    block["wo"], block["bo"] = given.linear(f"{name}.attn.c_proj", turned, width, width)
    block["w1"], block["b1"] = given.linear(f"{name}.mlp.c_fc", turned, width, None)
    block["w2"], block["b2"] = given.linear(f"{name}.mlp.c_proj", turned, len(block["b1"]), width)
    return {**given.norm(f"{name}.ln_1", "gain1", "bias1", width), **block,
            **given.norm(f"{name}.ln_2", "gain2", "bias2", width)}  # fmt: skip


class _Given:
    """The tensors of a file, each of which has to be taken once."""

    def __init__(self, tensors: Tensors) -> None:
        self._left = {name: array for name, array in tensors.items() if not _BUFFER.match(name)}
        numbers = {int(found[1]) for name in self._left if (found := re.match(r"h\.(\d+)\.", name))}
        self.layers = max(numbers, default=-1) + 1

    def take(self, name: str, rank: int, *, keep: bool = False, optional: bool = False) -> Array:
        """A tensor as float32; None for an optional one that is not there."""
        found = self._left.get(name) if keep else self._left.pop(name, None)
        if found is None:
            if optional:
                return None
            raise DataError(f"the file has no tensor {name}: it is no GPT-2")
        if found.ndim != rank or found.dtype.kind != "f":
            raise DataError(f"{name} is {found.dtype.name}{list(found.shape)}: needs floats along {rank} axes")
        return found.astype(np.float32)

    def linear(self, name: str, turned: bool, inputs: int, outputs: int | None) -> tuple[Array, Array]:
        """A matrix [in, out] and its bias. outputs: None for any number of them."""
        weight = self.take(f"{name}.weight", 2)
        weight = np.ascontiguousarray(weight.T) if turned else weight
        if weight.shape != (inputs, weight.shape[1] if outputs is None else outputs):
            wanted = [inputs, outputs or "any"]
            raise DataError(f"{name}.weight is {list(weight.shape)} as (in, out): needs {wanted}")
        return weight, self._vector(f"{name}.bias", weight.shape[1], optional=True)

    def norm(self, name: str, gain: str, bias: str, width: int) -> dict[str, Array]:
        """Gain and bias of a layer norm."""
        return {gain: self._vector(f"{name}.weight", width), bias: self._vector(f"{name}.bias", width, optional=True)}

    def _vector(self, name: str, size: int, optional: bool = False) -> Array:
        found = self.take(name, 1, optional=optional)
        if found is None:
            return np.zeros(size, np.float32)
        if len(found) != size:
            raise DataError(f"{name} has {len(found)} elements: needs {size}")
        return found

    def check_empty(self) -> None:
        """Raise DataError where a tensor was not taken."""
        if self._left:
            names = sorted(self._left)
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise DataError(f"the file holds what no GPT-2 has: {', '.join(names[:3])}{more}")
