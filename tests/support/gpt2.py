"""A made-up small GPT-2 in the formats of others, and how its golden logits were made.

`python -m tests.support.gpt2` writes tests/golden/gpt2.json in an environment that has torch and transformers:
transformers computes the logits of the weights below. Nothing else needs either.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "gpt2.json"
VOCABULARY, CONTEXT, WIDTH, HEADS, LAYERS = 29, 12, 16, 4, 2
TOKENS = [[3, 1, 4, 1, 5, 9, 2, 6], [27, 18, 28, 18, 0, 28, 4, 5]]
SETTINGS: dict[str, Any] = {
    "model_type": "gpt2",
    "vocab_size": VOCABULARY,
    "n_positions": CONTEXT,
    "n_embd": WIDTH,
    "n_layer": LAYERS,
    "n_head": HEADS,
    "activation_function": "gelu_new",
    "layer_norm_epsilon": 1e-5,
}


def tensors() -> dict[str, Any]:
    """The weights under the names of transformers, matrices as (in, out), far from symmetric and none of them 0."""
    shapes: dict[str, tuple[int, ...]] = {"wte.weight": (VOCABULARY, WIDTH), "wpe.weight": (CONTEXT, WIDTH)}
    for k in range(LAYERS):
        for norm in ("ln_1", "ln_2"):
            shapes |= {f"h.{k}.{norm}.weight": (WIDTH,), f"h.{k}.{norm}.bias": (WIDTH,)}
        for name, inputs, outputs in (
            ("attn.c_attn", WIDTH, 3 * WIDTH),
            ("attn.c_proj", WIDTH, WIDTH),
            ("mlp.c_fc", WIDTH, 4 * WIDTH),
            ("mlp.c_proj", 4 * WIDTH, WIDTH),
        ):
            shapes |= {f"h.{k}.{name}.weight": (inputs, outputs), f"h.{k}.{name}.bias": (outputs,)}
    shapes |= {"ln_f.weight": (WIDTH,), "ln_f.bias": (WIDTH,)}
    found = {}
    for number, (name, shape) in enumerate(shapes.items()):
        places = np.arange(np.prod(shape), dtype=np.float64)
        values = 0.5 * np.sin(places * (1.7 + 0.3 * number) + number) + 0.25 * np.cos(places * places)
        found[name] = (values + (1.0 if "ln" in name and "weight" in name else 0.0)).astype(np.float32).reshape(shape)
    return found


def nanogpt(bias: bool = True) -> dict[str, Any]:
    """The same weights as nanoGPT has them: matrices as (out, in), a head that is the embedding."""
    found = {}
    for name, array in tensors().items():
        matrix = name.startswith("h.") and array.ndim == 2
        if bias or not name.endswith(".bias"):
            found[f"_orig_mod.transformer.{name}"] = np.ascontiguousarray(array.T) if matrix else array
    found["_orig_mod.lm_head.weight"] = tensors()["wte.weight"]
    return found


def write(folder: Path, settings: dict[str, Any] | None = None) -> Path:
    """A folder as `save_pretrained` writes it, with the masks that older files hold."""
    folder.mkdir(parents=True)
    masks = {f"h.{k}.attn.bias": np.tril(np.ones((1, 1, CONTEXT, CONTEXT), np.float32)) for k in range(LAYERS)}
    safetensors.numpy.save_file({**tensors(), **masks}, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(SETTINGS if settings is None else settings), "utf-8")
    return folder


def main() -> None:
    """Write the golden logits of each activation."""
    import torch
    import transformers

    found = {}
    for activation in ("gelu_new", "gelu", "relu"):
        config = transformers.GPT2Config(**{**SETTINGS, "activation_function": activation})
        model = transformers.GPT2LMHeadModel(config).eval()
        left = model.transformer.load_state_dict({k: torch.tensor(v) for k, v in tensors().items()}, strict=False)
        assert not left.unexpected_keys
        assert all("attn.bias" in key or "masked_bias" in key for key in left.missing_keys)
        model.tie_weights()
        with torch.no_grad():
            logits = model(torch.tensor(TOKENS)).logits
        found[activation] = [[[round(float(v), 6) for v in row] for row in text] for text in logits]
    made = {"torch": torch.__version__, "transformers": transformers.__version__, "logits": found}
    GOLDEN.write_text(json.dumps(made, separators=(",", ":")) + "\n", "utf-8")


if __name__ == "__main__":
    main()
