"""Captured uplift and lead with intervals: exact figures, bootstrapped over customers and seeds."""

from collections.abc import Iterator

import numpy as np

from churn_assets.decision.exact.pareto import ParetoCurve, captured_share
from churn_assets.decision.exact.policy_value import Evaluation
from churn_assets.decision.mdp.dynamics import Array
from churn_assets.domain.statistics import Estimate

BLOCK_BYTES = 2**23
"""Of the weights of as many resamples as are held at a time."""


class Bootstrap:
    """Resamples of the customers, the same for every policy: differences are paired.

    Within a resample the oracle's curve, never contacting and the policies are all recomputed. What
    is kept is how often each customer is drawn, a byte each; weights are made of it block by block.
    """

    def __init__(self, curve: ParetoCurve, samples: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.curve, self.samples, self.rng = curve, samples, rng
        count = len(curve.weight)
        self._rows = max(1, BLOCK_BYTES // (8 * count))
        # Drawn once in the mean: 256 times or more has a probability of less than 1e-500.
        self._times = np.empty((samples, count), np.uint8)
        for rows in self._blocks():
            here = len(self._times[rows])
            self._times[rows] = rng.multinomial(count, np.full(count, 1 / count), size=here)
        dual = curve.uplift - curve.prices[:, None] * curve.spend
        self._dual, self._never = self._means(dual.T, curve.never)

    def weights(self, rows: slice = slice(None)) -> Array:
        """(rows, N) the customers' shares of all value in these resamples."""
        weights = self._times[rows] * self.curve.weight
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))

    def captured(self, found: Evaluation) -> Array:
        """(B,) captured uplift of one policy in each resample, some of which may leave nothing to
        capture."""
        spend, uplift = self._means(found.spend, found.uplift)
        most = (self._dual + self.curve.prices * spend[:, None]).min(axis=1) - self._never
        return captured_share(uplift - self._never, most)

    def over_seeds(self, runs: list[Evaluation]) -> Array:
        """(B,) mean captured uplift over seeds, which are resampled too."""
        each = np.stack([self.captured(run) for run in runs])
        drawn = self.rng.integers(len(runs), size=(self.samples, len(runs)))
        mean: Array = each[drawn, np.arange(self.samples)[:, None]].mean(axis=1)
        return mean

    def spend(self, found: Evaluation) -> Array:
        """(B,) mean spend in each resample."""
        [spend] = self._means(found.spend)
        return spend

    def _means(self, *figures: Array) -> list[Array]:
        """Of figures (N, …) of the customers, the mean in each resample (B, …)."""
        blocks = []
        for rows in self._blocks():
            weights = self.weights(rows)
            blocks.append([weights @ each for each in figures])
        return [np.concatenate(parts) for parts in zip(*blocks, strict=True)]

    def _blocks(self) -> Iterator[slice]:
        for first in range(0, self.samples, self._rows):
            yield slice(first, first + self._rows)


def captured_uplift(curve: ParetoCurve, found: Evaluation) -> float:
    """The policy's uplift over the oracle's at the policy's own spend; see `ParetoCurve`."""
    return curve.captured(found.mean("uplift"), found.mean("spend"))


def systematic_mean(values: Array, weight: Array) -> Estimate:
    """Weighted mean (weights sum to 1) of a systematic sample, given in the order it was drawn in.

    The 95 % normal interval is from the differences of neighbours, which are alike (Wolter 2007,
    "Introduction to Variance Estimation", section 8.2): a plain draw's would be far too wide.
    """
    mean = float(values @ weight)
    steps = np.diff(weight * (values - mean))
    error = float(np.sqrt((steps**2).sum() / 2))
    return Estimate.normal(mean, error)
