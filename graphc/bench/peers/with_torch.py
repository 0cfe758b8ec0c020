"""PyTorch in eager mode on the processor, with as many threads as it takes by itself."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F

Prepared = Callable[[int], Callable[[], float]]


def version() -> str:
    """What is measured."""
    return f"PyTorch {torch.__version__}, eager, {torch.get_num_threads()} threads"


def prepare(what: Mapping[str, Any], arrays: Mapping[str, Any], loss: Callable[..., Any]) -> Prepared:
    """The program as a function of how often it is to run; it returns what reads the first number of the last result.

    arrays: ndarrays, or tensors where they are to be. loss: programs.loss.
    """
    tensors = {name: torch.as_tensor(array) for name, array in arrays.items()}
    if what["kind"] == "program":
        return _repeated(importlib.import_module("torch_programs").PROGRAMS[what["name"]], tensors)
    return _matmul(tensors) if what["kind"] == "matmul" else _training(what, tensors, loss)


def _repeated(program: Callable[..., Any], tensors: Mapping[str, Any]) -> Prepared:
    def run(times: int) -> Callable[[], float]:
        for _ in range(times):
            result = program(tensors)
        return lambda: float(result.flatten()[0])

    return run


def _matmul(tensors: Mapping[str, Any]) -> Prepared:
    def run(times: int) -> Callable[[], float]:
        with torch.inference_mode():
            for _ in range(times):
                result = tensors["a"] @ tensors["b"]
        return lambda: float(result.flatten()[0])

    return run


def _training(what: Mapping[str, Any], tensors: Mapping[str, Any], loss: Callable[..., Any]) -> Prepared:
    params = {n.removeprefix("params/"): t.requires_grad_() for n, t in tensors.items() if n.startswith("params/")}
    x, y = (list(tensors[name].long()) for name in "xy")
    rate, end = what["rate"], what["decay_steps"]
    optimizer = torch.optim.AdamW(
        params.values(), rate, (what["beta1"], what["beta2"]), what["adam_eps"], what["weight_decay"]
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: max(0.0, 1 - n / end)) if end else None

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad(set_to_none=True)
        value = loss(_Functions, what["model"], what["config"], params, x, y)
        value.backward()
        optimizer.step()
        if schedule is not None:
            schedule.step()
        return value.detach()

    count = 0

    def run(times: int) -> Callable[[], float]:
        nonlocal count
        for _ in range(times):
            value = step(x[count % len(x)], y[count % len(x)])
            count += 1
        return lambda: float(value)

    return run


class _Functions:
    """See programs.Functions."""

    @staticmethod
    def embedding(table: Any, tokens: Any) -> Any:
        return F.embedding(tokens, table)

    @staticmethod
    def layer_norm(x: Any, gain: Any, bias: Any, eps: float) -> Any:
        return F.layer_norm(x, gain.shape, gain, bias, eps)

    @staticmethod
    def rms_norm(x: Any, eps: float) -> Any:
        return F.rms_norm(x, x.shape[-1:], eps=eps)

    @staticmethod
    def attention(q: Any, k: Any, v: Any) -> Any:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)

    @staticmethod
    def cross_entropy(logits: Any, labels: Any) -> Any:
        return F.cross_entropy(logits, labels)
