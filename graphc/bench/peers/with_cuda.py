"""PyTorch in eager mode on CUDA, for the report of a GPU. Each run waits for the GPU at its end."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F

Prepared = Callable[[int], Callable[[], float]]


def version() -> str:
    """What is measured. Raises RuntimeError where PyTorch finds no GPU."""
    if not torch.cuda.is_available():
        raise RuntimeError(f"PyTorch {torch.__version__} finds no CUDA GPU")
    return f"PyTorch {torch.__version__}, CUDA {torch.version.cuda}, eager, on {torch.cuda.get_device_name()}"


def configure(tf32: bool) -> None:
    """Whether products of f32 may take TF32 tensor cores from now on."""
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32


def prepare(what: Mapping[str, Any], arrays: Mapping[str, Any], loss: Callable[..., Any]) -> Prepared:
    """See with_torch.prepare; the tensors lie on the GPU."""
    torch.cuda.empty_cache()
    tensors = {name: torch.from_numpy(array).cuda() for name, array in arrays.items()}
    if what["kind"] == "training":
        return _waiting(importlib.import_module("with_torch").prepare(what, tensors, loss))
    return _waiting(_repeated(PROGRAMS[what["kind"]](**tensors)))


def _waiting(program: Prepared) -> Prepared:
    def run(times: int) -> Callable[[], float]:
        first = program(times)
        torch.cuda.synchronize()
        return first

    return run


def _repeated(call: Callable[[], Any]) -> Prepared:
    def run(times: int) -> Callable[[], float]:
        for _ in range(times):
            result = call()
        return lambda: float(result.detach().flatten()[0])

    return run


def _plain(fn: Callable[..., Any]) -> Callable[..., Callable[[], Any]]:
    """Programs that need no gradients."""

    def make(**tensors: Any) -> Callable[[], Any]:
        def call() -> Any:
            with torch.inference_mode():
                return fn(**tensors)

        return call

    return make


def _gelu(x: Any) -> Any:
    return F.gelu(x, approximate="tanh")


def _linear_gelu(x: Any, w: Any, b: Any) -> Any:
    return _gelu(torch.addmm(b, x, w))


def _attention(q: Any, k: Any, v: Any) -> Any:
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


def _cross_entropy(x: Any, labels: Any) -> Callable[[], Any]:
    x.requires_grad_()
    labels = labels.long()

    def call() -> Any:
        value = F.cross_entropy(x, labels)
        torch.autograd.grad(value, x)
        return value

    return call


def _attention_gradient(q: Any, k: Any, v: Any, t: Any) -> Callable[[], Any]:
    heads = [x.requires_grad_() for x in (q, k, v)]

    def call() -> Any:
        value = (_attention(*heads) * t).sum()
        torch.autograd.grad(value, heads)
        return value

    return call


def _scatter(x: Any, ids: Any, updates: Any) -> Callable[[], Any]:
    ids = ids.long()

    def call() -> Any:
        with torch.inference_mode():
            return torch.zeros_like(x).index_add_(0, ids, updates)

    return call


PROGRAMS: dict[str, Callable[..., Callable[[], Any]]] = {
    "matmul": _plain(lambda a, b: a @ b),
    "linear_gelu": _plain(_linear_gelu),
    "gelu": _plain(_gelu),
    "softmax": _plain(lambda x: F.softmax(x, -1)),
    "layer_norm": _plain(lambda x, gain, bias: F.layer_norm(x, gain.shape, gain, bias)),
    "cross_entropy": _cross_entropy,
    "attention": _plain(_attention),
    "attention_gradient": _attention_gradient,
    "scatter": _scatter,
}
"""How each kind of program is made from its tensors; a call starts it once, and returns its last result."""
