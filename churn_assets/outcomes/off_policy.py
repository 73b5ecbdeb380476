"""What another policy would have brought, judged on the decisions of the one that served.

Notation: N decisions with context x, action a of A, reward r, drawn with probability b(a | x) > 0
(the propensity); the target policy chooses with π(a | x); w = π(a | x) / b(a | x); q(x, a) is a
model of the reward, fitted on other folds than it is used on.

| estimator | value | source |
|---|---|---|
| `dm` | mean Σ_a π q | direct method; its interval can't know the model's error, so it has none |
| `ips` | mean w r | Horvitz, Thompson 1952 |
| `snips` | Σ w r / Σ w | Swaminathan, Joachims 2015 |
| `dr` | mean Σ_a π q + w (r − q) | Dudík, Langford, Li 2011 |
| `switch_dr` | as `dr`, but w = 0 where w > τ | Wang, Agarwal, Dudík 2017 |
| `dr_shrunk` | as `dr`, but with λ w / (w² + λ) for w | Su et al. 2020 |

τ and λ minimise an estimate of the mean squared error: the variance of the estimate plus the square
of an upper bound of its bias, mean w' |r − q| of what was taken away from the weights.

A target that does what was never tried has no estimate, and is refused by name: without a control
group nobody knows from a log what leaving everybody alone would have brought.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from churn_assets.domain.statistics import Estimate, Floats, mean_of

LEAST_EFFECTIVE = 50.0
"""Effective sample size below which a normal interval says nothing."""
UNSUPPORTED = 0.001
"""Share of a target's decisions that may be ones that were never tried."""
QUANTILES = np.array([0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 1.0])
FOLDS = 3
RIDGE = 1.0

ESTIMATORS = ("dm", "ips", "snips", "dr", "switch_dr", "dr_shrunk")


class UnsupportedTargetError(ValueError):
    """The target policy does what the log has no, or too few, examples of."""


@dataclass(frozen=True)
class Log:
    """N logged decisions.

    Attributes:
        actions: (N,) ints 0..A-1.
        rewards: (N,).
        propensities: (N, A) with which each action was taken; rows sum to 1.
    """

    actions: NDArray[np.int64]
    rewards: Floats
    propensities: Floats

    def __post_init__(self) -> None:
        logged = self.propensities[np.arange(len(self)), self.actions]
        if not (logged > 0).all():
            raise ValueError(
                f"{int((logged <= 0).sum())} logged decisions have propensity 0: "
                "what was done can't have been impossible"
            )

    def __len__(self) -> int:
        return len(self.actions)

    def chosen(self, table: Floats) -> Floats:
        """(N,) the entries of a table (N, A) at the logged actions."""
        return np.asarray(table[np.arange(len(self)), self.actions])

    def weights(self, target: Floats) -> Floats:
        """(N,) π / b at the logged actions."""
        return self.chosen(target) / self.chosen(self.propensities)


@dataclass(frozen=True)
class Evaluation:
    """One target's value by every estimator.

    Attributes:
        effective: sample size that the weights leave, (Σ w)² / Σ w².
        estimates: estimator -> value with 95 % interval; that of `dm` is as wide as its value.
    """

    effective: float
    estimates: dict[str, Estimate]


def evaluate(
    name: str, log: Log, target: Floats, expected: Floats, weights: Floats | None = None
) -> Evaluation:
    """The target's value by all estimators.

    Args:
        name: of the target, for the refusal.
        target: (N, A) its probabilities.
        expected: (N, A) the reward model q, out of fold (`fitted_rewards`).
        weights: (N,) w, where rewards depend on more than the logged action; None: π / b of that.

    Raises:
        UnsupportedTargetError: names the target and what it lacks.
    """
    weights = log.weights(target) if weights is None else weights
    require_support(name, log, target, weights)
    direct = (target * expected).sum(1)
    residuals = log.rewards - log.chosen(expected)
    ips = weights * log.rewards
    snips = ips.mean() / weights.mean()
    values = {
        "ips": mean_of(ips),
        "snips": mean_of(weights * (log.rewards - snips) / weights.mean(), around=float(snips)),
        "dr": mean_of(direct + weights * residuals),
        "switch_dr": _tuned(direct, weights, residuals, switched, np.quantile(weights, QUANTILES)),
        "dr_shrunk": _tuned(direct, weights, residuals, shrunk, _shrinkages(weights)),
    }
    value = float(direct.mean())
    return Evaluation(
        effective=effective_size(weights),
        estimates={"dm": Estimate(value, value, value, 0.0), **values},
    )


def require_support(name: str, log: Log, target: Floats, weights: Floats) -> None:
    """Raise UnsupportedTargetError where the log can't tell what the target would bring."""
    missing = float((target * (log.propensities <= 0)).sum(1).mean())
    if missing > UNSUPPORTED:
        raise UnsupportedTargetError(
            f"{name}: {missing:.1%} of its decisions were never tried in the log, so nobody knows "
            "what they bring; log with a control group and some exploration"
        )
    effective = effective_size(weights)
    if effective < LEAST_EFFECTIVE:
        raise UnsupportedTargetError(
            f"{name}: the {len(log):,} logged decisions are worth {effective:.0f} of its own, "
            f"fewer than {LEAST_EFFECTIVE:.0f}"
        )


def effective_size(weights: Floats) -> float:
    """(Σ w)² / Σ w² (Kish 1965); 0 where all weights are."""
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0


def switched(weights: Floats, threshold: float) -> Floats:
    """The weights, 0 where they are larger than the threshold."""
    return np.where(weights <= threshold, weights, 0.0)


def shrunk(weights: Floats, strength: float) -> Floats:
    """λ w / (w² + λ): w for λ → ∞, 0 for λ = 0."""
    if strength == 0:  # also where a weight is 0
        return np.zeros_like(weights)
    return strength * weights / (weights**2 + strength) if np.isfinite(strength) else weights


def _shrinkages(weights: Floats) -> Floats:
    """λ around the squares of the large weights, and none."""
    large = np.quantile(weights, QUANTILES) ** 2
    return np.concatenate([large[large > 0] * 10, [np.inf]])


def _tuned(
    direct: Floats,
    weights: Floats,
    residuals: Floats,
    change: Callable[[Floats, float], Floats],
    candidates: Floats,
) -> Estimate:
    """DR with the changed weights that have the smallest estimated mean squared error."""
    best: tuple[float, Estimate] | None = None
    for candidate in candidates:
        changed = change(weights, float(candidate))
        estimate = mean_of(direct + changed * residuals)
        bias = float(((weights - changed) * np.abs(residuals)).mean())
        error = estimate.error**2 + bias**2
        if best is None or error < best[0]:
            best = error, estimate
    assert best is not None  # noqa: S101 - there are candidates
    return best[1]


def fitted_rewards(log: Log, features: Floats, seed: int = 42) -> Floats:
    """(N, A) expected rewards by a ridge regression for each action, fitted on other folds.

    Cheap, and enough: the doubly robust estimates are right whatever it gets wrong, only wider.

    Args:
        features: (N, K) of the context.
    """
    fold = np.random.default_rng(seed).permutation(len(log)) % FOLDS
    scale = features.std(0)
    standard = (features - features.mean(0)) / np.where(scale > 0, scale, 1)
    design = np.hstack([np.ones((len(log), 1)), standard])
    penalty = RIDGE * np.eye(design.shape[1])
    penalty[0, 0] = 1e-9
    actions = log.propensities.shape[1]
    expected = np.zeros((len(log), actions))
    for k in range(FOLDS):
        for action in range(actions):
            rows = (log.actions == action) & (fold != k)
            x = design[rows]
            fitted = np.linalg.solve(x.T @ x + penalty, x.T @ log.rewards[rows])
            expected[fold == k, action] = design[fold == k] @ fitted
    return expected
