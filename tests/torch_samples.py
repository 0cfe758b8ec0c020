"""Samples of PyTorch's operators, made by PyTorch: `python -m tests.torch_samples`, where torch is installed.

PyTorch's list of operators (torch.testing) draws float32 arguments for each; it computes results and gradients of these
in float64. The smallest samples of each operator go into tests/golden/torch_samples.jsonl, which the tests read.
"""

from __future__ import annotations

import argparse
import pickle
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from tests.support import torch_calls, torch_nn_calls
from tests.support.torch_calls import Without
from tests.support.torch_golden import PATH, written
from tests.support.torch_samples import CALLS, LIMIT, Sample, arrays, flat, run, weights

MOST: Final = 12
"""Samples of an operator at most."""

KEPT: Final = 2
"""Those of each that are kept."""

SMALL: Final = 18
"""Numbers that these may have."""

LARGE: Final = 1200
"""Numbers that one may have where no sample has so few."""

CUT: Final = 4
"""Elements along an axis that are kept of arguments of elementwise operators."""

MOST_APART: Final = 1e-3
"""How far apart results of one operator may be by rounding; those that are farther take another place."""


POOLS: Final = {f"nn.functional.max_pool{n}d" for n in (1, 2, 3)}
"""What may give positions too."""

ELEMENTWISE: Final = {"kron", *torch_calls.ELEMENTS, *(f"nn.functional.{n}" for n in torch_nn_calls.ACTIVATIONS)} - {
    "nn.functional.glu",
    "nn.functional.softmin",
    "nn.functional.prelu",
}
"""Operators whose arguments may be cut."""


def outside(value: Any, leaves: list[torch.Tensor], how: str = "") -> Any:
    """Arguments as plain data, their tensors as arrays; these are noted, float ones in float64.

    how: "single" for float32, "moved" for others by up to half a unit in the last place of float32.
    """
    if isinstance(value, torch.Tensor):
        known = value.detach()
        if known.is_floating_point():
            moved = known.double() if how != "single" else known.clone()
            if how == "moved":
                moved = moved * (1 + 2.0**-24 * (2 * torch.rand(moved.shape, dtype=torch.float64) - 1))
            leaves.append(moved.requires_grad_())
        else:
            leaves.append(known)
        return np.array(known.numpy(), order="C")
    if isinstance(value, torch.dtype | torch.memory_format):
        return str(value).removeprefix("torch.")
    if isinstance(value, list | tuple):
        return [outside(part, leaves, how) for part in value]
    return {key: outside(part, leaves, how) for key, part in value.items()} if isinstance(value, dict) else value


def inside(value: Any, leaves: list[torch.Tensor]) -> Any:
    """The arguments with the tensors noted."""
    if isinstance(value, torch.Tensor):
        return leaves.pop(0)
    if isinstance(value, list | tuple):
        return tuple(inside(part, leaves) for part in value)
    return {key: inside(part, leaves) for key, part in value.items()} if isinstance(value, dict) else value


def signed(rows: torch.Tensor) -> torch.Tensor:
    """1 or -1 for each row, which makes its largest element positive."""
    if not rows.numel():
        return rows.new_ones(rows.shape[:-1])
    at = rows.detach().abs().argmax(-1, keepdim=True)
    return torch.where(rows.detach().gather(-1, at)[..., 0] < 0, -1.0, 1.0)


def settled(name: str, made: Any, kwargs: Mapping[str, Any]) -> Any:
    """Results of which PyTorch leaves the sign open, with graphc's; only those that graphc has too."""
    if name == "linalg.svd":
        u, s, vh = made
        k = s.shape[-1]
        u, vh = u[..., :k], vh[..., :k, :]
        signs = signed(vh) if u.shape[-2] >= vh.shape[-1] else signed(u.mT)
        return [u * signs[..., None, :], s, vh * signs[..., :, None]]
    if name == "linalg.eigh":
        values, vectors = made
        return [values, vectors * signed(vectors.mT)[..., None, :]]
    if name in ("linalg.lstsq", "triangular_solve") or (name in POOLS and isinstance(made, tuple)):
        return made[0]
    if name == "linalg.qr" and kwargs.get("mode") == "r":
        return made[1]
    return made


def parts(made: Any) -> list[torch.Tensor]:
    found = []
    for x in flat(tuple(made) if isinstance(made, list | tuple) else made):
        if isinstance(x, torch.Tensor):
            found += [x.real, x.imag.resolve_neg()] if x.is_complex() else [x]
        else:
            found.append(torch.tensor(x))
    return found


def sample_of(name: str, function: Any, given: Any, gradient: str, how: str = "") -> Sample:
    """One sample with PyTorch's results. gradient: of "all" float arrays, of the "first" argument, or of "none"."""
    leaves: list[torch.Tensor] = []
    everything = [given.input, *given.args]
    args, kwargs = outside(everything, leaves, how), outside(given.kwargs, leaves, how)
    moved = [x for x in leaves if x.is_floating_point()]
    if gradient != "all":
        counted = sum(x.dtype.kind == "f" for x in arrays(args[0])) if gradient == "first" else 0
        for x in moved[counted:]:
            x.requires_grad_(False)
    rest = list(leaves)
    first, others = inside(everything, rest), inside(given.kwargs, rest)
    results = parts(settled(name, function(first[0], *first[1:], **others), others))
    total: Any = 0
    for y in results:
        if y.requires_grad:
            total = total + (y.double() * torch.from_numpy(weights(tuple(y.shape)))).sum()
    gradients: list[np.ndarray | None] | None = None
    if isinstance(total, torch.Tensor):
        wanted = [x for x in moved if x.requires_grad]
        made = iter(torch.autograd.grad(total, wanted, allow_unused=True))
        gradients = []
        for x in moved:
            g = next(made) if x.requires_grad else None
            zero = np.zeros(tuple(x.shape)) if x.requires_grad else None
            gradients.append(zero if g is None else g.to_dense().numpy())
    found = [y.detach().numpy() for y in results]
    return Sample(name, args, kwargs, [y.astype(np.float64) if y.dtype.kind == "f" else y for y in found], gradients)


def told(value: Any) -> str:
    """The shapes and settings of arguments: samples for which they are the same are alike."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.shape}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(told, value)) + "]"
    return str({k: told(v) for k, v in value.items()}) if isinstance(value, dict) else repr(value)


def samples(names: set[str], most: int) -> Iterator[Sample]:
    """Samples of the operators of these names, no two alike, at most so many of each."""
    from torch.testing._internal.common_methods_invocations import op_db
    from torch.testing._internal.opinfo.core import SampleInput

    for op in op_db:
        if op.name not in names:
            continue
        dtype = torch.float32 if torch.float32 in op.dtypes else torch.int64
        torch.manual_seed(zlib.crc32(op.name.encode()))
        seen: dict[str, Any] = {}
        for given in op.sample_inputs_func(op, "cpu", dtype, False):
            if op.name in ELEMENTWISE:
                cut = [cropped(part) for part in ([given.input, *given.args], given.kwargs)]
                given = SampleInput(cut[0][0], args=tuple(cut[0][1:]), kwargs=cut[1])
            text = told(outside([given.input, given.args, given.kwargs], []))
            if "complex" not in text:
                seen.setdefault(text, given)
        every = list(seen.values())
        step = max(len(every) / most, 1)
        for k in range(min(most, len(every))):
            if (found := tried(op, every[int(k * step)])) is not None:
                yield found


def cropped(value: Any) -> Any:
    """Arguments with the first elements of their tensors along each axis."""
    if isinstance(value, torch.Tensor):
        return value[tuple(slice(0, CUT) for _ in value.shape)]
    if isinstance(value, list | tuple):
        return type(value)(cropped(part) for part in value)
    return {key: cropped(part) for key, part in value.items()} if isinstance(value, dict) else value


def tried(op: Any, given: Any) -> Sample | None:
    """A sample with as many gradients as PyTorch has; None where it has no results."""
    problem: Exception | None = None
    # The gradient of a pseudo-inverse by eigenvalues is that of a symmetric matrix, which PyTorch's tests make of each.
    function = partial(op.gradcheck_wrapper, op.op) if op.name == "linalg.pinv" else op.op
    for gradient in ("all", "first", "none"):
        try:
            found = sample_of(op.name, function, given, gradient)
            others = [sample_of(op.name, function, given, gradient, how) for how in ("single", "moved", "moved")]
            return replace(found, limit=max([LIMIT, *(2 * far for far in map(found.far, others) if far < MOST_APART)]))
        except (RuntimeError, TypeError, NotImplementedError) as error:
            problem = error
    print(f"{op.name} {op.variant_test_name}: {type(problem).__name__}: {str(problem)[:150]}")
    return None


def small(samples: list[Sample]) -> list[Sample]:
    """Those that are kept of an operator: the largest of few numbers, else the smallest one, and one without any."""

    def size(sample: Sample) -> int:
        return sum(x.size for x in arrays([sample.args, sample.kwargs, sample.results, sample.gradients]))

    full = [sample for sample in samples if sample.holds_numbers]
    empty = islice(filter(offered, (sample for sample in samples if not sample.holds_numbers)), 1)
    few = [sample for sample in sorted(full, key=size) if size(sample) <= LARGE]
    chosen = [s for s in reversed(few) if size(s) <= SMALL] + [s for s in few if size(s) > SMALL]
    found = list(islice(filter(offered, chosen), KEPT))
    return [*([s for s in found if size(s) <= SMALL] or found[:1]), *empty]


def offered(sample: Sample) -> bool:
    """Whether graphc has the settings of a sample."""
    try:
        run(sample, device="numpy")
    except Without:
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=PATH)
    parser.add_argument("--all", type=Path, help="write all samples to this file too, as a pickle")
    options = parser.parse_args()
    found: dict[str, list[Sample]] = {}
    for sample in samples(set(CALLS), MOST):
        found.setdefault(sample.name, []).append(sample)
    if options.all:
        options.all.write_bytes(pickle.dumps([sample for several in found.values() for sample in several]))
    chosen = [sample for name in CALLS for sample in small(found.get(name, []))]
    options.out.write_text(written(chosen, torch.__version__), "utf-8")
    print(f"{len(chosen)} samples, {options.out.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
