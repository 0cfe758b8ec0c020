"""Programs of the kinds that people write in NumPy, each in a module: tested, and timed by `graphc bench programs`."""

from __future__ import annotations

from typing import Final

from graphc.bench.programs import (
    cnn,
    contrastive,
    dqn,
    gaussian_process,
    graph_network,
    hamiltonian_monte_carlo,
    heat,
    hidden_markov,
    image_filters,
    kmeans,
    linear_regression,
    logistic_regression,
    lora,
    lstm,
    nbody,
    pca,
    pinn,
    rotary_transformer,
    vae,
)
from graphc.bench.programs.record import Example

PROGRAMS: Final[tuple[Example, ...]] = (
    linear_regression.PROGRAM,
    logistic_regression.PROGRAM,
    kmeans.PROGRAM,
    pca.PROGRAM,
    gaussian_process.PROGRAM,
    hidden_markov.PROGRAM,
    hamiltonian_monte_carlo.PROGRAM,
    nbody.PROGRAM,
    heat.PROGRAM,
    image_filters.PROGRAM,
    cnn.PROGRAM,
    lstm.PROGRAM,
    vae.PROGRAM,
    dqn.PROGRAM,
    pinn.PROGRAM,
    rotary_transformer.PROGRAM,
    lora.PROGRAM,
    contrastive.PROGRAM,
    graph_network.PROGRAM,
)

__all__ = ["PROGRAMS", "Example"]
