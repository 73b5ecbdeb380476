"""Effects of a randomised treatment with intervals: at one look, at every look, and for planning.

| function | estimate and interval | source |
|---|---|---|
| `share_difference` | of two proportions, hybrid of Wilson intervals | Newcombe 1998, method 10 |
| `mean_difference` | of two means, unequal variances | Welch 1947 |
| `adjusted_difference` | of means, by regression with interactions, HC2 errors | Lin 2013 |
| `confidence_sequence` | of a mean, valid at all sample sizes at once | Waudby-Smith et al. 2024 |
| `doubly_robust_scores` | one unbiased effect a customer, propensity known | Robins et al. 1994 |
| `enough_of_both` | where a comparison of two groups' worth says anything | Cochran 1954 |
| `effective_number` | how many equal ones unequal weights are worth | Kish 1965 |
| `customers_needed` | for a difference of two proportions | Fleiss et al. 2003 |
| `observations_needed` | for a mean by the confidence sequence | |

Arrays are float64; `treated` is a bool (N,) drawn at random.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from churn_assets.domain.statistics import Estimate, Floats, wilson_interval

LEVEL = 0.05
POWER = 0.8
FOLDS = 5
FEWEST = 10
"""Customers in a group, and of either outcome in it, below which a normal interval says nothing."""
EFFECTIVE = 20
"""Customers of either outcome in a group, as many as their weights are worth (`effective_number`),
below which an interval of what they are worth says nothing."""


class TooFewError(ValueError):
    """A group has too few customers for an interval."""


def effective_number(weights: Floats) -> Floats:
    """(N,) how many equal ones the first 1 … N weights (>= 0) are worth: (Σ w)² / Σ w² (Kish,
    Survey Sampling, 1965). Of equal weights their number, of one that outweighs all others 1."""
    total, squares = np.cumsum(weights), np.cumsum(weights**2)
    return np.divide(total**2, squares, out=np.zeros_like(total), where=squares > 0)


def enough_of_both(outcome: Floats, treated: NDArray[np.bool_], worth: Floats) -> NDArray[np.bool_]:
    """(N,) whether after so many customers each group effectively holds `EFFECTIVE` of either
    outcome (0/1), weighted by what they are worth (N,): its own, or what it would if the groups
    were alike.

    Where nobody of a small group has left yet, what its customers are worth is all that was seen of
    it: their scores hardly vary, and an interval made of them is far too narrow. The usual rule is
    five expected (Cochran, Biometrics 1954); with it, one in twenty to one in fifteen campaigns
    without effect were told that contacting hurts, and with ten one in ten where bills differ much
    (`tests/outcomes/test_lift.py`): what a few large customers do is all that is seen then.
    The group's own do as well as what is expected: else an effect after which hardly anybody leaves
    would be found much later. Where nobody is worth anything, all count alike.
    """
    return least_of_both(outcome, treated, worth) >= EFFECTIVE


def least_of_both(outcome: Floats, treated: NDArray[np.bool_], worth: Floats) -> Floats:
    """(N,) how many customers of one worth either group effectively holds after so many, of the
    outcome of which it holds the fewest; as `enough_of_both` counts them."""
    weights = worth if (worth > 0).any() else np.ones_like(worth)
    least = np.full(len(outcome), np.inf)
    customers = np.arange(1, len(outcome) + 1)
    for happened in (outcome == 1, outcome == 0):
        whole = effective_number(weights * happened)
        for group in (treated, ~treated):
            expected = whole * np.cumsum(group) / customers
            own = effective_number(weights * (happened & group))
            least = np.minimum(least, np.maximum(expected, own))
    return least


def share_difference(outcome: Floats, treated: NDArray[np.bool_]) -> Estimate:
    """P(outcome | treated) − P(outcome | control) of a 0/1 outcome (N,), 95 %.

    Raises:
        TooFewError: fewer than ten customers in a group.
    """
    counts = _counts(treated)
    rates = np.array([outcome[treated].mean(), outcome[~treated].mean()])
    lower, upper = wilson_interval(rates, counts)
    value = float(rates[0] - rates[1])
    below = np.hypot(rates[0] - lower[0], upper[1] - rates[1])
    above = np.hypot(upper[0] - rates[0], rates[1] - lower[1])
    error = np.sqrt((rates * (1 - rates) / counts).sum())
    return Estimate(value, float(value - below), float(value + above), float(error))


def mean_difference(outcome: Floats, treated: NDArray[np.bool_]) -> Estimate:
    """mean(outcome | treated) − mean(outcome | control), 95 %; raises like `share_difference`."""
    counts = _counts(treated)
    groups = outcome[treated], outcome[~treated]
    parts = np.array([group.var(ddof=1) for group in groups]) / counts
    value = float(groups[0].mean() - groups[1].mean())
    error = float(np.sqrt(parts.sum()))
    if error == 0:
        return Estimate(value, value, value, 0.0)
    freedom = parts.sum() ** 2 / (parts**2 / (counts - 1)).sum()
    return _student(value, error, float(freedom))


def adjusted_difference(
    outcome: Floats, treated: NDArray[np.bool_], covariates: Floats
) -> Estimate:
    """`mean_difference` after what covariates known before the draw explain, 95 %.

    Ordinary least squares of the outcome on treatment, centred covariates and their products: never
    less exact than the plain difference in large samples, and consistent whether or not the model
    is right.

    Args:
        covariates: (N, K) of before the treatment, as the risk score; constant ones are left out.
    """
    _counts(treated)
    centred = covariates - covariates.mean(0)
    centred = centred[:, centred.std(0) > 0]
    centred = centred / centred.std(0)
    t = treated.astype(np.float64)[:, None]
    design = np.hstack([np.ones_like(t), t, centred, t * centred])
    bread = np.linalg.pinv(design.T @ design)
    coefficients = bread @ design.T @ outcome
    leverage = np.einsum("ij,jk,ik->i", design, bread, design)
    residuals = (outcome - design @ coefficients) ** 2 / np.maximum(1 - leverage, 1e-9)
    variance = (bread @ (design.T * residuals) @ design @ bread)[1, 1]
    # These customers are a sample: with others, the mean of effects that differ would differ too.
    own = centred @ coefficients[2 + centred.shape[1] :]
    variance += own.var() / len(outcome)
    return _student(
        float(coefficients[1]), float(np.sqrt(variance)), len(outcome) - design.shape[1]
    )


def doubly_robust_scores(
    outcome: Floats,
    treated: NDArray[np.bool_],
    covariates: Floats,
    treated_share: float | Floats,
    seed: int = 42,
) -> Floats:
    """(N,) scores whose expectation is the average effect, since the treated share is known.

    The outcome's expectation given the covariates is fitted, by group, on the other folds.
    """
    share = np.broadcast_to(np.asarray(treated_share, np.float64), outcome.shape)
    fold = np.random.default_rng(seed).permutation(len(outcome)) % FOLDS
    design = np.hstack([np.ones((len(outcome), 1)), covariates])
    expected = np.zeros((2, len(outcome)))
    for k in range(FOLDS):
        for arm, members in enumerate((~treated, treated)):
            rows = members & (fold != k)
            if rows.sum() > design.shape[1]:
                fitted = np.linalg.lstsq(design[rows], outcome[rows], rcond=None)[0]
                expected[arm, fold == k] = design[fold == k] @ fitted
    control, contacted = expected
    return np.asarray(
        contacted
        - control
        + np.where(treated, (outcome - contacted) / share, -(outcome - control) / (1 - share))
    )


@dataclass(frozen=True)
class Sequence:
    """A mean and its interval after each of N observations: all N hold together with 95 %."""

    value: Floats
    lower: Floats
    upper: Floats


def confidence_sequence(scores: Floats, plan: int, level: float = LEVEL) -> Sequence:
    """The asymptotic confidence sequence of the scores' mean (Waudby-Smith, Arbour, Sinha, Kennedy
    and Ramdas, Annals of Statistics 2024, theorem 2.2).

    It may be read after every customer: the chance that it *ever* excludes the truth is the level,
    while a usual 95 % interval that is read daily ends up excluding it almost surely.

    Args:
        scores: (N,) in the order in which they became known.
        plan: the number of observations at which it is to be tightest.
    """
    count = np.arange(1, len(scores) + 1)
    mean = np.cumsum(scores) / count
    variance = np.maximum(np.cumsum(scores**2) / count - mean**2, 0)
    bound = reach(count, np.sqrt(variance), plan, level)
    bound[: 2 * FEWEST - 1] = np.inf  # too few for a variance
    return Sequence(mean, mean - bound, mean + bound)


def reach(count: Any, deviation: Any, plan: int, level: float = LEVEL) -> Any:
    """Half the width of the confidence sequence after `count` observations of this standard
    deviation; numbers or arrays."""
    log_level = -2 * np.log(level)
    rho2 = (log_level + np.log(log_level) + 1) / plan
    inflated = count * rho2 + 1
    inside = 2 * inflated / (count**2 * rho2) * np.log(np.sqrt(inflated) / level)
    return deviation * np.sqrt(inside)


def customers_needed(
    rate: float, effect: float, control_share: float, power: float = POWER, level: float = LEVEL
) -> int:
    """Customers in both groups together that show a change of a proportion with this power.

    Args:
        rate: of the control group, in [0, 1].
        effect: treated minus control.
        control_share: of all customers, in (0, 1).
    """
    moved = min(max(rate + effect, 0.0), 1.0)
    variance = moved * (1 - moved) / (1 - control_share) + rate * (1 - rate) / control_share
    z = special.ndtri(1 - level / 2) + special.ndtri(power)
    return int(np.ceil(z**2 * variance / effect**2))


def observations_needed(deviation: float, effect: float, plan: int, power: float = POWER) -> int:
    """Observations after which the confidence sequence shows a mean of this size with this power.

    Args:
        deviation: standard deviation of the scores.
        plan: as for `confidence_sequence`.
    """
    margin = special.ndtri(power) * deviation
    count = 1.0
    while count < 1e12 and reach(count, deviation, plan) + margin / np.sqrt(count) > effect:
        count *= 1.05
    return int(np.ceil(count))


def _counts(treated: NDArray[np.bool_]) -> Floats:
    counts = np.array([treated.sum(), (~treated).sum()], np.float64)
    if counts.min() < FEWEST:
        raise TooFewError(
            f"{counts[0]:.0f} treated and {counts[1]:.0f} control customers with a known outcome: "
            f"at least {FEWEST} of each are needed"
        )
    return counts


def _student(value: float, error: float, freedom: float) -> Estimate:
    reach = float(special.stdtrit(freedom, 1 - LEVEL / 2)) * error
    return Estimate(value, value - reach, value + reach, error)
