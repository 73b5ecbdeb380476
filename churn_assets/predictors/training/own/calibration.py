"""Are probabilities right where nothing is known of the rate beforehand?

Bins hold as many rows each, not as much of [0, 1]: of customers of whom 3 % leave, nearly all have
a risk below 0.1, and in one bin of equal width a model that says 0 for everybody would be off by 3
points, one that tells high from low twice too sharply by nothing at all.

What chance does to exact probabilities is drawn, and where somebody has several rows, these vary
together: of a customer who leaves within a year, a year's monthly snapshots say so. Taken for as
many customers, they would make an exact model look wrong beyond all chance.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from churn_assets.predictors.training.metrics import numbered
from churn_assets.predictors.training.streams import stream

Floats = NDArray[np.float64]
BINS = 10
DRAWS = 200
TINY = np.finfo(np.float64).tiny  # where nothing is off, nothing is off together


def calibration_by_mass(
    labels: Floats, probabilities: Floats, seed: int, whose: NDArray[Any] | None = None
) -> dict[str, float]:
    """The calibration error of probabilities (N,) of labels (N,) in bins of as many rows each.

    Equal probabilities are in one bin; there are fewer bins then.

    Args:
        whose: row it is, (N,), of any type; None where everybody has one.

    Returns:
        `ece`: mean |observed - predicted| over bins, weighted by rows. `floor`: the mean of what it
        would be if the probabilities were exactly right, since so few rows, of so few people,
        differ from them by chance; `error`: its standard deviation then. `beyond_floor`: what the
        model's is beyond it, at least 0. `rate`: of positive labels.
    """
    edges = np.unique(np.quantile(probabilities, np.arange(1, BINS) / BINS))
    which = np.searchsorted(edges, probabilities, side="right")
    bins = len(edges) + 1

    def off(answers: NDArray[np.float64] | NDArray[np.bool_]) -> Floats:
        return np.bincount(which, answers - probabilities, bins).astype(np.float64)

    rng = stream(seed, "calibrated")
    by_chance = np.array(
        [off(rng.random(len(probabilities)) < probabilities) for _ in range(DRAWS)]
    )
    if whose is not None:
        together = _varies_together(labels, probabilities, which + bins * numbered(whose), bins)
        by_chance += rng.normal(size=by_chance.shape) @ together
    chance = np.abs(by_chance).sum(axis=1) / len(probabilities)
    found, floor = float(np.abs(off(labels)).sum() / len(probabilities)), float(np.mean(chance))
    return {
        "ece": found,
        "floor": floor,
        "beyond_floor": max(0.0, found - floor),
        "error": float(np.std(chance)),
        "rate": float(labels.mean()),
    }


def _varies_together(
    labels: Floats, probabilities: Floats, cell: NDArray[np.int64], bins: int
) -> NDArray[np.float64]:
    """What a customer's rows add to the bins' deviations by varying together: a matrix (B, B) that
    makes normal draws of standard ones.

    Its covariance is the products of each two rows' deviations of one customer, summed (the
    cluster-robust estimate of Liang and Zeger, 1986, less its diagonal), at the size that
    deviations have of exact probabilities. Where it takes away in some direction, it is 0 there.

    Args:
        cell: a row's bin + B x its customer's number, (N,).
    """
    row = labels - probabilities
    customers = int(cell.max()) // bins + 1
    by_customer = np.bincount(cell, row, customers * bins).reshape(customers, bins)
    alone = np.bincount(cell % bins, row**2, bins)
    exact = float((probabilities * (1 - probabilities)).sum() / max(alone.sum(), TINY))
    values, vectors = np.linalg.eigh(exact * (by_customer.T @ by_customer - np.diag(alone)))
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
