"""PyTorch's operators of indices, matrices and Fourier transforms, as one writes them in NumPy for graphc."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy

import graphc
from tests.support.torch_calls import Without, two

np: Any = numpy  # the stubs of NumPy know nothing of traced values

Call = Callable[..., Any]


def places(ids: Any, shape: tuple[int, ...], dim: int) -> tuple[Any, ...]:
    """The key of the elements that `ids` names along an axis, at its other axes' own places."""
    n = len(shape)
    return tuple(
        ids if k == dim % n else np.reshape(np.arange(ids.shape[k]), [-1 if j == k else 1 for j in range(n)])
        for k in range(n)
    )


def padded_gather(x: Any, dim: int, ids: Any) -> Any:
    if not np.ndim(x):
        return x + np.zeros_like(x) * ids
    return x[places(np.reshape(ids, (-1,) * 1) if not np.ndim(ids) else ids, x.shape, dim)]


def scattered(x: Any, dim: int, ids: Any, src: Any, how: str) -> Any:
    flat = not np.ndim(x)
    if flat:
        x = np.reshape(x, (1,))
    if not np.ndim(ids):
        ids = np.reshape(ids, (1,))
    if np.ndim(src):
        src = src[tuple(slice(0, n) for n in ids.shape)]
    key = places(ids, x.shape, dim)
    made = getattr(graphc.at(x)[key], how)(src)
    return np.reshape(made, ()) if flat else made


HOW: Final = {"sum": "add", "add": "add", "prod": "multiply", "multiply": "multiply", "amax": "max", "amin": "min"}


def start_of(x: Any, key: Any, how: str) -> Any:
    """x with what counts for nothing at the places that are named."""
    if how == "mean":
        return graphc.at(x)[key].set(0)
    return graphc.at(x)[key].set({"sum": 0.0, "prod": 1.0, "amax": -np.inf, "amin": np.inf}[how])


def scatter_reduce(x: Any, dim: int, ids: Any, src: Any, reduce: str, *, include_self: bool = True) -> Any:
    flat = not np.ndim(x)
    if flat:
        x = np.reshape(x, (1,))
    if not np.ndim(ids):
        ids, src = np.reshape(ids, (1,)), np.reshape(src, (1,))
    src = src[tuple(slice(0, n) for n in ids.shape)]
    key = places(ids, x.shape, dim)
    made = reduced_at(x, key, src, reduce, include_self)
    return np.reshape(made, ()) if flat else made


def reduced_at(x: Any, key: Any, src: Any, reduce: str, include_self: bool) -> Any:
    start = x if include_self else start_of(x, key, reduce)
    if reduce != "mean":
        return getattr(graphc.at(start)[key], HOW[reduce])(src)
    total = graphc.at(start)[key].add(src)
    one = np.ones_like(x) if include_self else graphc.at(np.ones_like(x))[key].set(0)
    return total / graphc.at(one)[key].add(np.ones_like(src))


def scatter(x: Any, dim: int, ids: Any, src: Any = None, *, value: Any = None, reduce: str | None = None) -> Any:
    return scattered(x, dim, ids, value if src is None else src, "set" if reduce is None else HOW[reduce])


def along(x: Any, dim: int, ids: Any) -> Any:
    return (*(slice(None),) * (dim % x.ndim), ids)


def by_index(how: str) -> Call:
    def call(x: Any, dim: int, ids: Any, src: Any, *, alpha: float = 1) -> Any:
        if not np.ndim(x):
            return np.reshape(
                call(np.reshape(x, (1,)), 0, np.reshape(ids, (-1,)), np.reshape(src, (-1,)), alpha=alpha), ()
            )
        return getattr(graphc.at(x)[along(x, dim, ids)], how)(src if alpha == 1 else src * alpha)

    return call


def index_reduce(x: Any, dim: int, ids: Any, src: Any, reduce: str, include_self: bool = True) -> Any:
    if not np.ndim(x):
        one = np.reshape(x, (1,))
        made = index_reduce(one, dim, np.reshape(ids, (-1,)), np.reshape(src, (-1,)), reduce, include_self)
        return np.reshape(made, ())
    return reduced_at(x, along(x, dim, ids), src, reduce, include_self)


def index_put(x: Any, ids: Any, values: Any, accumulate: bool = False) -> Any:
    return getattr(graphc.at(x)[tuple(ids)], "add" if accumulate else "set")(values)


def segment_reduce(
    x: Any,
    reduce: str,
    *,
    lengths: Any = None,
    offsets: Any = None,
    axis: int = 0,
    unsafe: bool = False,
    initial: Any = None,
) -> Any:
    if lengths is None:
        lengths = np.diff(offsets)
    n = lengths.shape[-1]
    if axis or lengths.ndim > 1 or sum(lengths) != x.shape[0]:
        raise Without("segments within rows, and rows of no segment")
    ids = np.repeat(np.arange(n), lengths)
    if reduce == "mean" and initial is not None:
        raise Without("a mean that starts somewhere")
    if reduce == "mean":
        return graphc.segment_mean(x, ids, n)
    if reduce == "sum" and initial is None:
        return graphc.segment_sum(x, ids, n)
    if reduce == "max" and initial is None:
        return graphc.segment_max(x, ids, n)
    start = {"sum": 0, "max": -np.inf, "min": np.inf, "prod": 1}[reduce] if initial is None else initial
    how = {"sum": "add", "max": "max", "min": "min", "prod": "multiply"}[reduce]
    return getattr(graphc.at(np.full_like(x, start, shape=(n, *x.shape[1:])))[ids], how)(x)


INDICES: Final[dict[str, Call]] = {
    "gather": lambda x, dim, ids, sparse_grad=False: padded_gather(x, dim, ids),
    "take": lambda x, ids: np.take(x, ids),
    "take_along_dim": lambda x, ids, dim=None: np.take_along_axis(x, ids, dim)
    if dim is not None else np.take_along_axis(np.ravel(x), np.ravel(ids), 0),
    "index_select": lambda x, dim, ids: np.take(x, ids, axis=dim) if np.ndim(x) else x + 0,
    "index_add": by_index("add"), "index_copy": by_index("set"), "index_fill": by_index("set"),
    "index_put": index_put, "index_reduce": index_reduce,
    "scatter": scatter,
    "scatter_add": lambda x, dim, ids, src: scattered(x, dim, ids, src, "add"),
    "scatter_reduce": scatter_reduce,
    "_segment_reduce": segment_reduce,
    "__getitem__": lambda x, key: x[tuple(key) if isinstance(key, list) else key],
}  # fmt: skip


def times(function: Any) -> Call:
    """Products that a third array is added to."""

    def call(x: Any, a: Any, b: Any, *, beta: float = 1, alpha: float = 1) -> Any:
        made = function(a, b)
        made = made if alpha == 1 else made * alpha
        return made if beta == 0 else (x if beta == 1 else x * beta) + made

    return call


def triangular(a: Any, b: Any, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Any:
    if left:
        return graphc.solve_triangular(a, b, lower=not upper, unit_diagonal=unitriangular)
    turned = graphc.solve_triangular(a, np.swapaxes(b, -1, -2), lower=not upper, unit_diagonal=unitriangular, trans=1)
    return np.swapaxes(turned, -1, -2)


def old_triangular(b: Any, a: Any, upper: bool = True, transpose: bool = False, unitriangular: bool = False) -> Any:
    return graphc.solve_triangular(a, b, lower=not upper, unit_diagonal=unitriangular, trans=int(transpose))


def solve(a: Any, b: Any, *, left: bool = True) -> Any:
    if left:
        return np.linalg.solve(a, b) if b.shape != a.shape[:-1] else np.linalg.solve(a, b[..., None])[..., 0]
    if b.ndim == 1 or b.shape == a.shape[:-1]:
        return np.linalg.solve(a.mT, b[..., None])[..., 0]
    return np.linalg.solve(a.mT, b.mT).mT


def cholesky_solve(b: Any, factor: Any, upper: bool = False) -> Any:
    # PyTorch's gradient is that of all elements of the factor, also of those that are 0.
    return np.linalg.solve(factor.mT @ factor if upper else factor @ factor.mT, b)


def lstsq(a: Any, b: Any, rcond: Any = None, *, driver: Any = None) -> Any:
    if a.ndim == 2 and b.ndim <= 2:
        return np.linalg.lstsq(a, b)[0]
    return np.linalg.pinv(a) @ b


def cdist(x: Any, y: Any, p: float = 2.0, compute_mode: Any = None) -> Any:
    return np.linalg.vector_norm(x[..., :, None, :] - y[..., None, :, :], axis=-1, ord=p)


def cov(x: Any, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Any:
    return np.cov(x, ddof=correction, fweights=fweights, aweights=aweights)


def tensordot(a: Any, b: Any, dims: Any = 2) -> Any:
    if not isinstance(dims, int) and any(a.shape[i] != b.shape[k] for i, k in zip(*dims, strict=True)):
        raise Without("sums over axes of other lengths")
    return np.tensordot(a, b, dims)


def vander(x: Any, *, N: Any = None) -> Any:
    if x.ndim != 1:
        raise Without("rows of points")
    return np.vander(x, N, increasing=True)


def pinv(a: Any, b: Any = None, *, rtol: Any = None, atol: Any = None, hermitian: bool = False) -> Any:
    """Samples of two arrays are those of the product of the first and the second one turned, which has no full rank."""
    if atol is not None or hasattr(rtol, "shape"):
        raise Without("limits that are no parts, or traced")
    a = a if b is None else a @ b.mT
    # The samples are no symmetric matrices, and PyTorch's gradient is that of one: its own tests of it make them so.
    return np.linalg.pinv(a + a.mT if hermitian else a, rtol=rtol, hermitian=hermitian)


def rank_of(a: Any, hermitian: bool, tol: Any, rtol: Any) -> Any:
    if (tol is not None and rtol is not None) or np.ndim(tol) or hasattr(rtol, "shape") or hasattr(tol, "shape"):
        raise Without("the greater one of two limits, and limits that are traced")
    return np.linalg.matrix_rank(a, tol, hermitian, **({} if rtol is None else {"rtol": rtol}))


MATRICES: Final[dict[str, Call]] = {
    **{name: two(function) for name, function in {
        "matmul": np.matmul, "__rmatmul__": lambda a, b: b @ a, "mm": np.matmul, "bmm": np.matmul, "mv": np.matvec,
        "dot": np.dot, "vdot": np.vdot, "inner": np.inner, "outer": np.outer,
    }.items()},
    "linalg.vecdot": lambda a, b, *, dim=-1: np.vecdot(a, b, axis=dim),
    "addmm": times(np.matmul), "addmv": times(np.matvec), "addr": times(np.outer), "baddbmm": times(np.matmul),
    "addbmm": times(lambda a, b: np.sum(a @ b, axis=0)),
    "tensordot": tensordot,
    "einsum": lambda x, text: np.einsum(text, *x),
    "cross": lambda a, b, *, dim=-1: np.cross(a, b, axis=dim),
    "linalg.cross": lambda a, b, *, dim=-1: np.cross(a, b, axis=dim),
    "cov": cov, "corrcoef": lambda x: np.corrcoef(x), "cdist": cdist,
    "linalg.multi_dot": lambda x: np.linalg.multi_dot(x),
    "linalg.vander": vander,
    "linalg.cholesky": lambda a, *, upper=False: np.linalg.cholesky(a, upper=upper),
    "cholesky": lambda a, upper=False: np.linalg.cholesky(a, upper=upper),
    "cholesky_solve": cholesky_solve,
    "cholesky_inverse": lambda f, upper=False: np.linalg.inv(f.mT @ f if upper else f @ f.mT),
    "linalg.solve": solve, "linalg.solve_triangular": triangular, "triangular_solve": old_triangular,
    "linalg.inv": lambda a: np.linalg.inv(a),
    "linalg.det": lambda a: np.linalg.det(a), "logdet": lambda a: logdet(a),
    "linalg.slogdet": lambda a: list(np.linalg.slogdet(a)),
    "linalg.qr": lambda a, mode="reduced": list(np.linalg.qr(a, mode)) if mode != "r" else np.linalg.qr(a, "r"),
    "linalg.svd": lambda a, full_matrices=True: list(np.linalg.svd(a, full_matrices=False)),
    "linalg.svdvals": lambda a: np.linalg.svdvals(a),
    "linalg.eigh": lambda a, UPLO="L": list(np.linalg.eigh(a, UPLO)),
    "linalg.eigvalsh": lambda a, UPLO="L": np.linalg.eigvalsh(a, UPLO),
    "linalg.lstsq": lstsq,
    "linalg.pinv": pinv,
    "pinverse": lambda a: np.linalg.pinv(a),
    "linalg.matrix_rank": lambda a, hermitian=False, tol=None, atol=None, rtol=None: rank_of(
        a, hermitian, tol if atol is None else atol, rtol
    ),
    "linalg.matrix_power": lambda a, n: np.linalg.matrix_power(a, n),
    "linalg.tensorinv": lambda a, ind=2: np.linalg.tensorinv(a, ind),
    "linalg.cond": lambda a, p=None: np.linalg.cond(a, p),
    "linalg.tensorsolve": lambda a, b, dims=None: np.linalg.tensorsolve(a, b, dims),
}  # fmt: skip


def logdet(a: Any) -> Any:
    sign, logs = np.linalg.slogdet(a)
    return np.where(sign < 0, np.nan, logs)


def parts(z: Any) -> list[Any]:
    return [np.real(z), np.imag(z)]


def transform(name: str) -> Call:
    function = getattr(np.fft, name)
    real = name.startswith(("irfft", "hfft"))

    def call(x: Any, n: Any = None, dim: Any = None, norm: Any = None, s: Any = None) -> Any:
        given: dict[str, Any] = {} if norm is None else {"norm": norm}
        if name.endswith(("2", "n")):
            size = n if s is None else s
            axes = dim if dim is not None else (-2, -1) if name.endswith("2") else None
            if axes is not None:
                given["axes"] = tuple(axes) if isinstance(axes, list | tuple) else (axes,)
            elif size is not None:
                given["axes"] = tuple(range(-len(size), 0))
            if size is not None:
                given["s"] = size
        else:
            given |= {"n": n, "axis": -1 if dim is None else dim}
        made = function(x, **given)
        return made if real else parts(made)

    return call


FOURIER: Final[dict[str, Call]] = {
    **{f"fft.{name}": transform(name) for name in (
        "fft", "ifft", "rfft", "irfft", "hfft", "ihfft", "fft2", "ifft2", "rfft2", "irfft2", "fftn", "ifftn", "rfftn",
        "irfftn",
    )},
    "fft.fftshift": lambda x, dim=None: np.fft.fftshift(x, dim),
    "fft.ifftshift": lambda x, dim=None: np.fft.ifftshift(x, dim),
}  # fmt: skip
