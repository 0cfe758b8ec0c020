"""The programs of `graphc/bench/programs/` as one writes them in PyTorch: each returns what the other returns last.

Arguments are leaves by their paths: "0/w1" is w1 of the first argument. Those that train start anew with each call.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F

Tensors = Mapping[str, Any]


def linear_regression(a: Tensors) -> Any:
    x, y = a["0"], a["1"]
    design = torch.cat([torch.ones(len(x), 1), x], 1)
    gram = design.T @ design
    w = torch.linalg.solve(gram, design.T @ y)
    rest = y - design @ w
    variance = rest @ rest / (design.shape[0] - design.shape[1])
    torch.sqrt(variance * torch.diag(torch.linalg.inv(gram)))
    return 1 - rest @ rest / torch.sum((y - y.mean()) ** 2)


def logistic_regression(a: Tensors) -> Any:
    w, x, y = a["0"], a["1"], a["2"]

    def loss(w: Any) -> Any:
        z = x @ w
        return torch.mean(F.softplus(z) - y * z) + 5e-4 * w @ w

    losses = []
    for _ in range(6):
        w = w - torch.linalg.solve(torch.func.hessian(loss)(w), torch.func.grad(loss)(w))
        losses.append(loss(w))
    return torch.stack(losses)


def k_means(a: Tensors) -> Any:
    centres, x = a["0"], a["1"]

    def nearest(centres: Any) -> Any:
        return torch.argmin((x**2).sum(1)[:, None] - 2 * x @ centres.T + (centres**2).sum(1), 1)

    for _ in range(10):
        at = nearest(centres)
        count = torch.bincount(at, minlength=len(centres))[:, None]
        sums = torch.zeros_like(centres).index_add_(0, at, x)
        centres = torch.where(count > 0, sums / count.clamp(min=1), centres)
    return torch.bincount(nearest(centres), minlength=len(centres))


def pca(a: Tensors) -> Any:
    centred = a["0"] - a["0"].mean(0)
    _, _, vt = torch.linalg.svd(centred, full_matrices=False)
    first = vt[:2]
    largest = torch.gather(first, 1, first.abs().argmax(1, keepdim=True))
    return centred @ (first * torch.sign(largest)).T


def gaussian_process(a: Tensors) -> Any:
    height, length, noise, x, y, new = a["0/height"], a["0/length"], a["0/noise"], a["1"], a["2"], a["3"]

    def kernel(s: Any, t: Any) -> Any:
        apart = (s**2).sum(1)[:, None] - 2 * s @ t.T + (t**2).sum(1)
        return torch.exp(2 * height - 0.5 * apart.clamp(min=0) * torch.exp(-2 * length))

    lower = torch.linalg.cholesky(kernel(x, x) + torch.exp(2 * noise) * torch.eye(len(x)))
    half = torch.linalg.solve_triangular(lower, kernel(x, new), upper=False)
    _ = half.T @ torch.linalg.solve_triangular(lower, y[:, None], upper=False)
    return torch.sqrt(torch.exp(2 * height) - (half**2).sum(0))


def hidden_markov(a: Tensors) -> Any:
    first, move, emit = (F.log_softmax(a[f"0/{name}"], -1) for name in ("first", "move", "emit"))
    seen = a["1"].long()
    best, back = first + emit[:, seen[0]], []
    for symbol in seen[1:]:
        most, came = torch.max(best[:, None] + move, 0)
        best = most + emit[:, symbol]
        back.append(came)
    state = torch.argmax(best)
    for came in reversed(back):
        state = came[state]
    return torch.max(best)


def n_body(a: Tensors) -> Any:
    x, v, mass, times = a["0"], a["1"], a["2"], a["3"]

    def pull(x: Any) -> Any:
        apart = x[None] - x[:, None]
        near = ((apart**2).sum(-1) + 0.05**2) ** -1.5
        return (apart * (mass * near)[:, :, None]).sum(1)

    energies = []
    for _ in times:
        v = v + 0.005 * pull(x)
        x = x + 0.01 * v
        v = v + 0.005 * pull(x)
        apart = torch.sqrt(((x[None] - x[:, None]) ** 2).sum(-1) + 0.05**2)
        energies.append((mass[:, None] * v**2).sum() / 2 - torch.triu(mass[:, None] * mass / apart, 1).sum())
    return torch.stack(energies)


def heat(a: Tensors) -> Any:
    u, means = a["0"].clone(), []
    for _ in a["1"]:
        around = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
        u[1:-1, 1:-1] += 0.2 * (around - 4 * u[1:-1, 1:-1])
        means.append(u.mean())
    return torch.stack(means)


def image_filters(a: Tensors) -> Any:
    x = a["0"]
    taps = torch.tensor([1.0, 4, 6, 4, 1]) / 16
    padded = F.pad(x[None, None], (2, 2, 2, 2), mode="replicate")
    soft = F.conv2d(F.conv2d(padded, taps[None, None, :, None]), taps[None, None, None])[0, 0]
    across, down = (torch.roll(x, -1, k) - torch.roll(x, 1, k) for k in (1, 0))
    across = torch.roll(across, 1, 0) + 2 * across + torch.roll(across, -1, 0)
    down = torch.roll(down, 1, 1) + 2 * down + torch.roll(down, -1, 1)
    torch.sqrt(across**2 + down**2 + 1e-6)
    torch.clamp(x + 1.5 * (x - soft), 0, 1)
    around = F.pad(x[None, None], (1, 1, 1, 1), mode="reflect")[0, 0]
    around.unfold(0, 3, 1).unfold(1, 3, 1).reshape(*x.shape, 9).median(-1)
    level = (x * 32).long().clamp(0, 31)
    return (torch.cumsum(torch.bincount(level.flatten(), minlength=32), 0) / x.numel())[level]


def _trained(
    a: Tensors,
    optimizer: Callable[[Any], Any],
    batches: Any,
    loss: Callable[..., Any],
    params: str = "0/",
    clip: float = 0,
) -> Any:
    """The loss of each step. batches: tuples of what loss takes after the parameters by name."""
    p = {name.removeprefix(params): t.clone().requires_grad_() for name, t in a.items() if name.startswith(params)}
    made, losses = optimizer(p.values()), []
    for batch in batches:
        made.zero_grad()
        value = loss(p, *batch)
        value.backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(p.values(), clip)
        made.step()
        losses.append(value.detach())
    return torch.stack(losses)


def _adam(rate: float) -> Callable[[Any], Any]:
    return lambda params: torch.optim.Adam(params, rate)


def cnn(a: Tensors) -> Any:
    def loss(p: Any, x: Any, y: Any) -> Any:
        h = F.max_pool2d(F.relu(F.conv2d(x, p["w1"], p["b1"], padding="same")), 2)
        h = F.max_pool2d(F.relu(F.conv2d(h, p["w2"], p["b2"], padding="same")), 2)
        return F.cross_entropy(h.flatten(1) @ p["w3"] + p["b3"], y)

    return _trained(a, _adam(1e-2), zip(a["1"], a["2"].long(), strict=True), loss)


def lstm(a: Tensors) -> Any:
    def loss(p: Any, x: Any) -> Any:
        h = c = torch.zeros(x.shape[1], len(p["wh"]))
        errors = []
        for now, after in itertools.pairwise(x):
            i, f, g, o = torch.chunk(now[:, None] @ p["wx"] + h @ p["wh"] + p["b"], 4, -1)
            c = torch.sigmoid(f + 1) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            errors.append((h @ p["out"] - after) ** 2)
        return torch.stack(errors).mean()

    return _trained(a, _adam(1e-2), ((x,) for x in a["1"]), loss, clip=1.0)


def dqn(a: Tensors) -> Any:
    slow = {name.removeprefix("1/"): t.clone() for name, t in a.items() if name.startswith("1/")}

    def values(p: Any, x: Any) -> Any:
        return F.relu(F.relu(x @ p["w1"] + p["b1"]) @ p["w2"] + p["b2"]) @ p["w3"] + p["b3"]

    def loss(p: Any, state: Any, action: Any, reward: Any, after: Any, done: Any) -> Any:
        with torch.no_grad():
            best = values(p, after).argmax(1, keepdim=True)
            goal = reward + 0.97 * torch.where(done, 0.0, values(slow, after).gather(1, best)[:, 0])
        value = F.huber_loss(values(p, state).gather(1, action[:, None])[:, 0], goal)
        with torch.no_grad():
            for name, w in slow.items():
                w += 0.05 * (p[name] - w)
        return value

    columns = (a["2/state"], a["2/action"].long(), a["2/reward"], a["2/next"], a["2/done"])
    return _trained(a, _adam(3e-3), zip(*columns, strict=True), loss)


def pinn(a: Tensors) -> Any:
    def u(p: Any, t: Any, x: Any) -> Any:
        return torch.tanh(t[:, None] * p["wt"] + x[:, None] * p["wx"] + p["b"]) @ p["out"]

    def loss(p: Any, points: Any) -> Any:
        t, x = (points[:, k].clone().requires_grad_() for k in (0, 1))
        dt, dx = torch.autograd.grad(u(p, t, x).sum(), (t, x), create_graph=True)
        (dxx,) = torch.autograd.grad(dx.sum(), x, create_graph=True)
        start = u(p, 0 * t, x) - torch.sin(torch.pi * x)
        ends = u(p, t, 0 * x), u(p, t, 0 * x + 1)
        return torch.mean((dt - 0.1 * dxx) ** 2) + torch.mean(start**2) + sum(torch.mean(e**2) for e in ends)

    return _trained(a, _adam(1e-2), ((points,) for points in a["1"]), loss)


def rotary_transformer(a: Tensors) -> Any:
    layers = {name.split("/")[2] for name in a if name.startswith("0/blocks/")}

    def rotated(x: Any) -> Any:
        length, width = x.shape[-2:]
        angle = torch.arange(length)[:, None] * 10000.0 ** (-torch.arange(0, width, 2) / width)
        first, second = x[..., 0::2], x[..., 1::2]
        cos, sin = torch.cos(angle), torch.sin(angle)
        return torch.stack((first * cos - second * sin, first * sin + second * cos), -1).reshape(x.shape)

    def loss(p: Any, tokens: Any) -> Any:
        x = F.embedding(tokens[:, :-1], p["table"])
        n, length, width = x.shape
        for layer in sorted(layers):
            b = {name.rpartition("/")[2]: w for name, w in p.items() if name.startswith(f"blocks/{layer}/")}
            q, k, v = torch.chunk(F.rms_norm(x, (width,), b["norm1"], 1e-5) @ b["qkv"], 3, -1)
            q, k, v = (t.reshape(n, length, 2, width // 2).transpose(1, 2) for t in (q, k, v))
            found = F.scaled_dot_product_attention(rotated(q), rotated(k), v, is_causal=True)
            x = x + found.transpose(1, 2).reshape(n, length, width) @ b["out"]
            gate, value = torch.chunk(F.rms_norm(x, (width,), b["norm2"], 1e-5) @ b["up"], 2, -1)
            x = x + (F.silu(gate) * value) @ b["down"]
        logits = F.rms_norm(x, (width,), eps=1e-5) @ p["table"].T
        return F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())

    return _trained(a, lambda params: torch.optim.AdamW(params, 3e-3), ((t,) for t in a["1"].long()), loss)


def lora(a: Tensors) -> Any:
    hidden = [w for name, w in sorted(a.items()) if name.startswith("1/hidden/")]

    def loss(p: Any, x: Any, y: Any) -> Any:
        for k, w in enumerate(hidden):
            x = F.gelu(x @ w + 2 * (x @ p[f"{k}/0"]) @ p[f"{k}/1"])
        return F.cross_entropy(x @ a["1/head"], y)

    return _trained(a, _adam(3e-2), zip(a["2"], a["3"].long(), strict=True), loss)


def contrastive(a: Tensors) -> Any:
    def loss(p: Any, one: Any, other: Any) -> Any:
        n = len(one)
        z = F.normalize(F.relu(torch.cat([one, other]) @ p["w1"] + p["b1"]) @ p["w2"])
        near = (z @ z.T / 0.2).masked_fill(torch.eye(2 * n, dtype=torch.bool), -torch.inf)
        return F.cross_entropy(near, (torch.arange(2 * n) + n) % (2 * n))

    return _trained(a, lambda params: torch.optim.SGD(params, 0.1, 0.9), zip(a["1"], a["2"], strict=True), loss)


def graph_network(a: Tensors) -> Any:
    def loss(p: Any, nodes: Any, start: Any, end: Any, graph: Any, y: Any) -> Any:
        h = torch.tanh(nodes @ p["start"])
        for _ in range(2):
            message = F.relu(torch.cat([h[start], h[end]], 1) @ p["message"] + p["bias"])
            total = torch.zeros_like(h).index_add(0, end, message)
            h = F.layer_norm(h + torch.tanh(torch.cat([h, total], 1) @ p["update"]), h.shape[1:])
        sums = torch.zeros(len(y), h.shape[1]).index_add(0, graph, h)
        return F.cross_entropy(sums / torch.bincount(graph)[:, None] @ p["head"], y)

    whole = (a["1/from"].long(), a["1/to"].long(), a["1/graph"].long(), a["2"].long())
    return _trained(a, _adam(1e-2), zip(a["1/nodes"], *whole, strict=True), loss)


PROGRAMS: Mapping[str, Callable[[Tensors], Any]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        linear_regression, logistic_regression, k_means, pca, gaussian_process, hidden_markov, n_body, heat,
        image_filters, cnn, lstm, dqn, pinn, rotary_transformer, lora, contrastive, graph_network,
    )
}  # fmt: skip
"""By the names of the programs."""
