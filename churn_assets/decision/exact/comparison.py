"""Captured uplift and lead with intervals: exact figures, bootstrapped over customers and seeds."""

import numpy as np

from churn_assets.decision.exact.pareto import ParetoCurve, captured_share
from churn_assets.decision.exact.policy_value import Evaluation
from churn_assets.decision.mdp.dynamics import Array
from churn_assets.domain.statistics import Estimate


class Bootstrap:
    """Resamples of the customers, the same for every policy: differences are paired.

    Within a resample the oracle's curve, never contacting and the policies are all recomputed.
    """

    def __init__(self, curve: ParetoCurve, samples: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        count = len(curve.weight)
        times = rng.multinomial(count, np.full(count, 1 / count), size=samples)
        weights = times * curve.weight
        self.curve = curve
        self.rng = rng
        self.weights: Array = weights / weights.sum(axis=1, keepdims=True)
        dual = curve.uplift - curve.prices[:, None] * curve.spend
        self._dual = self.weights @ dual.T
        self._never = self.weights @ curve.never

    def captured(self, found: Evaluation) -> Array:
        """(B,) captured uplift of one policy in each resample, some of which may leave nothing to
        capture."""
        spend = self.weights @ found.spend
        most = (self._dual + self.curve.prices * spend[:, None]).min(axis=1) - self._never
        return captured_share(self.weights @ found.uplift - self._never, most)

    def over_seeds(self, runs: list[Evaluation]) -> Array:
        """(B,) mean captured uplift over seeds, which are resampled too."""
        each = np.stack([self.captured(run) for run in runs])
        drawn = self.rng.integers(len(runs), size=(self.weights.shape[0], len(runs)))
        mean: Array = each[drawn, np.arange(self.weights.shape[0])[:, None]].mean(axis=1)
        return mean

    def spend(self, found: Evaluation) -> Array:
        """(B,) mean spend in each resample."""
        spend: Array = self.weights @ found.spend
        return spend


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
