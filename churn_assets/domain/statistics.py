"""Log-odds, and how sure a figure is: estimates with 95 % intervals.

Everything here is float64. The simulator, the exact optimum, the trained models and serving share
this one `sigmoid` and `logit`, so that what they make of the same number agrees to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

Z95 = 1.96
"""Standard errors on either side of a figure that make its 95 % normal interval."""

PROBABILITY_FLOOR = 1e-6
"""Probabilities are kept this far from 0 and 1 before a logit is taken."""


def sigmoid(log_odds: NDArray[np.floating[Any]]) -> Floats:
    """1 / (1 + exp(-x)) of any shape, without overflow."""
    half = np.asarray(log_odds, dtype=np.float64) / 2
    return 0.5 * (1.0 + np.tanh(half))


def logit(probability: Floats) -> Floats:
    """log(p / (1 - p)) of any shape, with p kept within [1e-6, 1 - 1e-6]."""
    kept = np.minimum(np.maximum(probability, PROBABILITY_FLOOR), 1 - PROBABILITY_FLOOR)
    return np.log(kept / (1 - kept))


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval and its standard error."""

    value: float
    lower: float
    upper: float
    error: float

    @classmethod
    def of(cls, value: float, samples: Floats) -> Estimate:
        """From bootstrap samples (R,) of the figure: their percentile interval (Efron and
        Tibshirani 1993, chapter 13) and their standard deviation."""
        lower, upper = interval(samples)
        return cls(value, lower, upper, float(np.std(samples)))

    @classmethod
    def normal(cls, value: float, error: float) -> Estimate:
        """From its standard error: the normal interval."""
        return cls(value, value - Z95 * error, value + Z95 * error, error)

    def as_dict(self, name: str) -> dict[str, float]:
        """`{name: value, name_lower: …, name_upper: …}`, as flat reports hold it."""
        return {name: self.value, f"{name}_lower": self.lower, f"{name}_upper": self.upper}


def interval(samples: Floats) -> list[float]:
    """The central 95 % of samples (R,): [2.5 % quantile, 97.5 % quantile]."""
    return [float(bound) for bound in np.quantile(samples, [0.025, 0.975])]


def wilson_interval(rate: ArrayLike, count: ArrayLike) -> tuple[Floats, Floats]:
    """95 % bounds of observed rates (B,) of `count` > 0 trials each (B,) (Wilson 1927)."""
    p, n, z2 = np.asarray(rate, np.float64), np.asarray(count, np.float64), Z95**2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    reach = Z95 / (1 + z2 / n) * np.sqrt(p * (1 - p) / n + z2 / (4 * n**2))
    return centre - reach, centre + reach


def share(successes: int, trials: int) -> Estimate:
    """A proportion with Wilson's interval; raises ValueError where there are no trials."""
    if trials == 0:
        raise ValueError("a share of no trials is undefined")
    p = successes / trials
    lower, upper = wilson_interval(p, trials)
    return Estimate(p, float(lower), float(upper), float(np.sqrt(p * (1 - p) / trials)))


def mean_of(scores: Floats, around: float | None = None) -> Estimate:
    """The mean of scores (N,) with its normal interval; `around` where they are an influence
    function, whose estimate that is."""
    value = float(scores.mean()) if around is None else around
    return Estimate.normal(value, float(scores.std(ddof=1) / np.sqrt(len(scores))))


def auc_error(auc: float, ones: float, zeros: float) -> float:
    """Standard error of an AUC between so many cases of either kind (Hanley and McNeil 1982)."""
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = auc * (1 - auc) + (ones - 1) * (q1 - auc**2) + (zeros - 1) * (q2 - auc**2)
    return float(np.sqrt(max(spread, 0.0) / (ones * zeros)))


def bootstrap_mean(values: Floats, seed: int = 42, draws: int = 2_000) -> Estimate:
    """The mean of values (N,) with the interval of `draws` bootstrap resamples (Efron 1979)."""
    rng = np.random.default_rng(seed)
    means = values[rng.integers(0, len(values), (draws, len(values)))].mean(1)
    return Estimate.of(float(values.mean()), means)
