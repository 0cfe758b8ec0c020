"""tinygrad on its WebGPU backend (Dawn), the program captured once by its JIT and replayed.

tinygrad loads Dawn from the path in WEBGPU_PATH. Where that is not set, the library that the package dawn-python brings
is taken.
"""

from __future__ import annotations

import os
import platform
import sys
import sysconfig
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any


def _dawn() -> str:
    """The file of the Dawn library; raises FileNotFoundError where there is none."""
    folder = Path(sysconfig.get_paths()["purelib"]) / "pydawn" / "lib"
    machine = {"AMD64": "x86_64", "arm64": "arm64" if sys.platform == "darwin" else "aarch64"}.get(
        platform.machine(), platform.machine()
    )
    names = {"win32": "libwebgpu_dawn.dll", "darwin": f"libwebgpu_dawn_{machine}.dylib"}
    found = folder / names.get(sys.platform, f"libwebgpu_dawn_{machine}.so")
    if not found.is_file():
        raise FileNotFoundError("its WebGPU backend needs Dawn: pip install dawn-python, or set WEBGPU_PATH")
    return str(found)


# Both are read when tinygrad is imported.
os.environ["DEV"] = "WEBGPU"
if not os.environ.get("WEBGPU_PATH"):
    os.environ["WEBGPU_PATH"] = _dawn()

from tinygrad import Context, Device, Tensor, TinyJit, nn  # noqa: E402

Prepared = Callable[[int], Callable[[], float]]


def version() -> str:
    """What is measured; opens the device."""
    return f"tinygrad {metadata.version('tinygrad')}, {type(Device[Device.DEFAULT]).__name__}, TinyJit"


def prepare(what: Mapping[str, Any], arrays: Mapping[str, Any], loss: Callable[..., Any]) -> Prepared:
    """The program as a function of how often it is to run; it returns, once the device is done, what reads the first
    number of the last result.

    loss: programs.loss.
    """
    return _matmul(arrays) if what["kind"] == "matmul" else _training(what, arrays, loss)


def _matmul(arrays: Mapping[str, Any]) -> Prepared:
    a, b = (Tensor(arrays[name]).realize() for name in "ab")
    product = TinyJit(lambda a, b: (a @ b).realize())

    def run(times: int) -> Callable[[], float]:
        for _ in range(times):
            result = product(a, b)
        Device[Device.DEFAULT].synchronize()
        return lambda: float(result.flatten()[0].item())

    return run


def _training(what: Mapping[str, Any], arrays: Mapping[str, Any], loss: Callable[..., Any]) -> Prepared:
    params = {n.removeprefix("params/"): Tensor(a).realize() for n, a in arrays.items() if n.startswith("params/")}
    x, y = ([Tensor(batch).realize() for batch in arrays[name]] for name in "xy")
    optimizer = nn.optim.AdamW(
        list(params.values()), what["rate"], what["beta1"], what["beta2"], what["adam_eps"], what["weight_decay"]
    )
    done = Tensor([0.0]).is_param_(False).realize()

    def step(x: Any, y: Any) -> Any:
        if what["decay_steps"]:
            optimizer.lr.assign(what["rate"] * (1 - done / what["decay_steps"]).maximum(0))
            done.assign(done + 1)
        optimizer.zero_grad()
        value = loss(_Functions, what["model"], what["config"], params, x, y).backward()
        return value.realize(optimizer.lr, done, *optimizer.schedule_step())

    replayed = TinyJit(step)
    count = 0

    def run(times: int) -> Callable[[], float]:
        nonlocal count
        with Context(TRAINING=1):
            for _ in range(times):
                value = replayed(x[count % len(x)], y[count % len(x)])
                count += 1
        Device[Device.DEFAULT].synchronize()
        return lambda: float(value.item())

    return run


class _Functions:
    """See programs.Functions."""

    @staticmethod
    def embedding(table: Any, tokens: Any) -> Any:
        return table[tokens]

    @staticmethod
    def layer_norm(x: Any, gain: Any, bias: Any, eps: float) -> Any:
        return x.layernorm(eps=eps) * gain + bias

    @staticmethod
    def rms_norm(x: Any, eps: float) -> Any:
        return x * (x.square().mean(-1, keepdim=True) + eps).rsqrt()

    @staticmethod
    def attention(q: Any, k: Any, v: Any) -> Any:
        return q.scaled_dot_product_attention(k, v, is_causal=True)

    @staticmethod
    def cross_entropy(logits: Any, labels: Any) -> Any:
        return logits.sparse_categorical_crossentropy(labels)
