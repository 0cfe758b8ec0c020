"""Systems of equations that NumPy has no function for: triangular ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.eager import run_now
from graphc.errors import ArgumentError
from graphc.ir.types import NDArray
from graphc.ops import by_name
from graphc.runtime import Array
from graphc.tracing.core import is_tracer, located
from graphc.tracing.matrices import check_triangular
from graphc.tracing.matrices import solve_triangular as _traced
from graphc.tracing.trace import apply


def solve_triangular(a: Any, b: Any, trans: int | str = 0, lower: bool = False, unit_diagonal: bool = False) -> Any:
    """x with a x = b for triangular matrices `a`: [..., N, N], b: [..., N, K] or a vector [N] -> as b.

    Leading axes broadcast. lower: `a` is read on and below its diagonal, else on and above it; what stands in the other
    triangle does not matter, and has a gradient of 0. unit_diagonal: the diagonal counts as 1, whatever stands there.
    trans: 0 or "N" for a x = b, 1 or "T" for the transposed system. A zero on the diagonal gives infinite numbers or
    NaN. Floats stay as they are, float32 and float64; others become such. Raises ShapeError for shapes that do not fit,
    ArgumentError for another `trans`, and DTypeError for float16 that is traced. Source: scipy.linalg.solve_triangular.
    """
    if trans not in (0, 1, "N", "T"):
        raise located(ArgumentError(f"solve_triangular: trans is {trans!r}: write 0 or 'N', 1 or 'T' where transposed"))
    turned = trans in (1, "T")

    def solved(a: Any, b: Any) -> Any:
        return _traced(a, b, lower=bool(lower), unit=bool(unit_diagonal), transposed=turned)

    given = [x if is_tracer(x) or isinstance(x, Array) else np.asarray(x) for x in (a, b)]
    if any(map(is_tracer, given)):
        return solved(*given)
    if any(isinstance(x, Array) for x in given):
        return run_now(solved, given)
    return _on_host(np.asarray(a), np.asarray(b), lower=bool(lower), unit=bool(unit_diagonal), transposed=turned)


def _on_host(a: NDArray, b: NDArray, **settings: bool) -> NDArray:
    dtype = np.result_type(a, b, *([] if np.result_type(a, b).kind == "f" else [np.float64]))
    rows = b[:, None] if b.ndim == 1 else b
    check_triangular(tuple(a.shape), tuple(rows.shape))
    lead = np.broadcast_shapes(a.shape[:-2], rows.shape[:-2])
    full = [np.broadcast_to(x, (*lead, *x.shape[-2:])).astype(dtype) for x in (a, rows)]
    made: NDArray = apply(by_name("triangular_solve"), *full, **settings)
    return made[..., 0] if b.ndim == 1 else made
