"""Are probabilities right where nothing is known of the rate beforehand?

Bins hold as many rows each, not as much of [0, 1]: of customers of whom 3 % leave, nearly all have
a risk below 0.1, and in one bin of equal width a model that says 0 for everybody would be off by 3
points, one that tells high from low twice too sharply by nothing at all.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from churn_assets.predictors.training.streams import stream

Floats = NDArray[np.float64]
BINS = 10
DRAWS = 200


def calibration_by_mass(labels: Floats, probabilities: Floats, seed: int) -> dict[str, float]:
    """The calibration error of probabilities (N,) of labels (N,) in bins of as many rows each.

    Equal probabilities are in one bin; there are fewer bins then.

    Returns:
        `ece`: mean |observed - predicted| over bins, weighted by rows. `floor`: the mean of what it
        would be if the probabilities were exactly right, since so few rows differ from them by
        chance; `error`: its standard deviation then. `beyond_floor`: what the model's is beyond
        it, at least 0. `rate`: of positive labels.
    """
    edges = np.unique(np.quantile(probabilities, np.arange(1, BINS) / BINS))
    which = np.searchsorted(edges, probabilities, side="right")

    def error(answers: NDArray[np.float64] | NDArray[np.bool_]) -> float:
        off = np.bincount(which, answers - probabilities)
        return float(np.abs(off).sum() / len(probabilities))

    rng = stream(seed, "calibrated")
    chance = [error(rng.random(len(probabilities)) < probabilities) for _ in range(DRAWS)]
    found, floor = error(labels), float(np.mean(chance))
    return {
        "ece": found,
        "floor": floor,
        "beyond_floor": max(0.0, found - floor),
        "error": float(np.std(chance)),
        "rate": float(labels.mean()),
    }
