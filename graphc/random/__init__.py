"""Random numbers from keys: the same key gives the same numbers on every device, at once or compiled."""

from graphc.random.arrangements import choice, permutation, shuffle
from graphc.random.distributions import beta, exponential, gamma, multivariate_normal, poisson, truncated_normal
from graphc.random.draws import (
    bernoulli,
    bits,
    categorical,
    fold_in,
    gumbel,
    key,
    normal,
    randint,
    split,
    uniform,
)

__all__ = [
    "bernoulli",
    "beta",
    "bits",
    "categorical",
    "choice",
    "exponential",
    "fold_in",
    "gamma",
    "gumbel",
    "key",
    "multivariate_normal",
    "normal",
    "permutation",
    "poisson",
    "randint",
    "shuffle",
    "split",
    "truncated_normal",
    "uniform",
]
