"""How good are probabilities? AUC, expected calibration error, Brier score, bootstrap intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churn_assets.predictors.training.streams import stream

Floats = NDArray[np.float64]
ECE_BINS = 10


def auc(labels: Floats, scores: Floats) -> float:
    """Area under the ROC curve: P(score of a positive > score of a negative), ties count half.

    Args:
        labels: 0 or 1, shape (N,), both present.
        scores: any monotone score, shape (N,).

    Raises:
        ValueError: only one class is present.
    """
    return _RankedScores(labels, scores).auc(np.ones(len(labels)))


class _RankedScores:
    """Scores sorted once, so that each bootstrap resample costs two counts and one sum."""

    def __init__(self, labels: Floats, scores: Floats) -> None:
        if not 0 < np.sum(labels) < len(labels):
            raise ValueError("AUC needs both classes: the labels are all the same")
        _, self.rank = np.unique(scores, return_inverse=True)
        self.positive = np.asarray(labels, np.float64)

    def auc(self, weights: Floats) -> float:
        positives = np.bincount(self.rank, weights * self.positive)
        negatives = np.bincount(self.rank, weights * (1 - self.positive))
        below = np.cumsum(negatives) - negatives / 2
        return float((positives * below).sum() / (positives.sum() * negatives.sum()))


def bootstrap_auc(
    labels: Floats,
    scores: list[Floats],
    resamples: int,
    seed: int,
    whose: NDArray[Any] | None = None,
) -> NDArray[np.float64]:
    """AUC of each score on the same resampled rows, shape (resamples, len(scores)).

    Where somebody has several rows, people are drawn, each with all rows (Field and Welsh, 2007):
    their rows tell much the same, and drawn one by one they would pass for as many people.

    Args:
        labels: 0 or 1, (N,).
        scores: each (N,).
        resamples: how many.
        seed: of the draws.
        whose: row it is, (N,), of any type; None where everybody has one.
    """
    rng = stream(seed, "bootstrap")
    ranked = [_RankedScores(labels, score) for score in scores]
    case = np.arange(len(labels)) if whose is None else numbered(whose)
    count = int(case.max()) + 1
    values = np.empty((resamples, len(scores)))
    for row in values:
        weights = np.zeros(len(labels))
        while not 0 < weights @ labels < weights.sum():  # few rows: a draw may lack a class
            drawn = np.bincount(rng.integers(0, count, count), minlength=count)
            weights = drawn.astype(np.float64)[case]
        row[:] = [score.auc(weights) for score in ranked]
    return values


def numbered(whose: NDArray[Any]) -> NDArray[np.int64]:
    """Whose row it is as a number from 0 on, (N,), for counts and sums by person."""
    return np.unique(whose, return_inverse=True)[1].astype(np.int64)


@dataclass(frozen=True)
class CalibrationCurve:
    """Observed against predicted in equal-width bins; only bins with rows.

    Attributes:
        predicted, observed: mean probability and rate of positives, (B,).
        count: rows, (B,).
    """

    predicted: Floats
    observed: Floats
    count: Floats


def calibration_curve(
    labels: Floats, probabilities: Floats, bins: int = ECE_BINS
) -> CalibrationCurve:
    """Reliability diagram of probabilities (N,) in `bins` bins of equal width over [0, 1]."""
    which = _bins(probabilities, bins)
    count = np.bincount(which, minlength=bins).astype(np.float64)
    filled = count > 0
    count = count[filled]
    return CalibrationCurve(
        predicted=np.bincount(which, probabilities, bins)[filled] / count,
        observed=np.bincount(which, labels, bins)[filled] / count,
        count=count,
    )


def _bins(probabilities: Floats, bins: int) -> NDArray[np.int64]:
    """(N,) which of the bins of equal width each probability lies in."""
    return np.minimum((probabilities * bins).astype(np.int64), bins - 1)


def ece(labels: Floats, probabilities: Floats, bins: int = ECE_BINS) -> float:
    """Expected calibration error: mean |observed - predicted| over bins, weighted by rows.

    Equal-width bins (Naeini et al., 2015; Guo et al., 2017).
    """
    curve = calibration_curve(labels, probabilities, bins)
    return float(np.average(np.abs(curve.observed - curve.predicted), weights=curve.count))


def ece_error(
    labels: Floats,
    probabilities: Floats,
    whose: NDArray[Any] | None = None,
    bins: int = ECE_BINS,
) -> float:
    """Standard error of the ECE, at most: that of the sum of the bins' rates, since the absolute
    gap to the predictions varies no more than the rate itself; `whose` as for `error_of_sum`."""
    which = _bins(probabilities, bins)
    rate = np.bincount(which, labels, bins) / np.maximum(np.bincount(which, minlength=bins), 1)
    return error_of_sum(labels - rate[which], whose) / len(labels)


def auc_error(labels: Floats, scores: Floats, whose: NDArray[Any] | None = None) -> float:
    """Standard error of the AUC (DeLong, DeLong and Clarke-Pearson, 1988; of people with several
    rows Obuchowski, 1997); `whose` as for `error_of_sum`."""
    return error_of_sum(auc_effects(labels, scores), whose)


def auc_effects(labels: Floats, scores: Floats) -> Floats:
    """By how much each row (N,) moves the AUC: the share of the other kind that it is ranked
    rightly against, beyond the AUC, over the rows of its own kind. Their sum is 0."""
    _, rank = np.unique(scores, return_inverse=True)
    positives = np.bincount(rank, np.asarray(labels, np.float64))
    negatives = np.bincount(rank, 1 - np.asarray(labels, np.float64))
    below = (np.cumsum(negatives) - negatives / 2) / negatives.sum()
    above = 1 - (np.cumsum(positives) - positives / 2) / positives.sum()
    area = float((below * positives).sum() / positives.sum())
    of_positive, of_negative = (below - area) / positives.sum(), (above - area) / negatives.sum()
    return np.where(labels == 1, of_positive[rank], of_negative[rank])


def error_of_sum(values: Floats, whose: NDArray[Any] | None = None) -> float:
    """Standard error of the sum of values (N,) with mean 0, of which a person's vary together.

    Args:
        whose: row it is, (N,), of any type; None where everybody has one.
    """
    if whose is not None:
        values = np.bincount(numbered(whose), values).astype(np.float64)
    return float(np.sqrt((values**2).sum()))


def brier(labels: Floats, probabilities: Floats) -> float:
    """Mean squared error of the probabilities."""
    return float(np.mean((labels - probabilities) ** 2))


def summary(labels: Floats, probabilities: Floats) -> dict[str, float]:
    """The three figures that stand beside every model and baseline."""
    return {
        "auc": auc(labels, probabilities),
        "ece": ece(labels, probabilities),
        "brier": brier(labels, probabilities),
    }
