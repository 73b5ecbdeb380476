"""By whom offers are accepted where straight lines don't say it: XGBoost on the known answers.

    logit P(accept | customer, offer k) = h + g_k(r, b)

h is the log-odds that offsets and slopes make of the model's (`response`), r and b the customer's
risk and bill as the log has them, g the sum of trees by offer, risk and bill. A leaf says what its
answers are off by, weighed by what they know: an answer adds p (1 − p) to a leaf's information, the
trees before it count `PRIOR` of it, and a leaf with less than `LEAST` isn't made. So trees, too,
move away from what is known already by information and not by a switch.

The policy decides by what the log holds, and h, r and b are what it holds of who accepts. Given
these, which offer was made is as good as drawn; so answers aren't weighted by their propensities,
which would only add noise. What the log doesn't hold of a customer (their services, say) no tree
can ask for, and there the policy's choice would have to be corrected for.

They are used where they are shown to tell answers better than offsets and slopes alone: out of
fold, a customer's answers in one fold, by at least `SURE` standard errors.

As g depends on an offer, a risk and a bill alone, it is kept as the table that it is, each cell
with the trees' own number: a release needs no XGBoost for it, and a customer's is one look-up.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray

from churn_assets.domain.measured import Steps
from churn_assets.domain.offers import OFFER_LEVELS
from churn_assets.domain.statistics import Floats
from churn_assets.outcomes.learning.response import Responses, fitted_response
from churn_assets.predictors.scoring.corrected import Correction

PRIOR, LEAST = 10.0, 20.0
ROUNDS = 100
SETTINGS: dict[str, Any] = {
    "objective": "binary:logistic",
    "base_score": 0.5,  # log-odds of 0: what isn't the trees' is the margin's
    "max_depth": 3,
    "eta": 0.05,
    "max_bin": 16,
    "reg_lambda": PRIOR,
    "min_child_weight": LEAST,
    "nthread": 1,
    "verbosity": 0,
}
FOLDS, SURE = 5, 2.0
PLACES = 4  # decimals of log-odds


def shown_steps(answers: Responses, customers: NDArray[np.int64]) -> Steps | None:
    """What trees add, learnt from all answers; None where they aren't shown to tell better.

    Args:
        customers: (N,) whose each answer is, a number.
    """
    gain, error = gain_out_of_fold(answers, customers)
    if gain < SURE * error or gain <= 0:
        return None
    risks, bills, added = table_of(trained(answers, _straight(answers)))
    if not np.any(added):
        return None
    return Steps(
        risks=tuple(risks.tolist()),
        bills=tuple(bills.tolist()),
        added=tuple(tuple(map(tuple, offer)) for offer in added.round(PLACES).tolist()),
        answers=len(answers.level),
        gain=gain,
        error=error,
    )


def gain_out_of_fold(answers: Responses, customers: NDArray[np.int64]) -> tuple[float, float]:
    """By how much trees lower the mean log loss of answers that neither they nor offsets and slopes
    learnt from, in nats, and its standard error by customers."""
    whose = np.unique(customers, return_inverse=True)[1]
    fold = np.random.default_rng(0).integers(0, FOLDS, whose.max() + 1)[whose]
    gains = np.empty(len(fold))
    for each in range(FOLDS):
        others, held = _take(answers, fold != each), _take(answers, fold == each)
        straight = _straight(others)
        before = straight.moved_at(held.level, held.logit, held.known)
        data = xgboost.DMatrix(_columns(held), base_margin=before)
        after = trained(others, straight).predict(data, output_margin=True).astype(np.float64)
        gains[fold == each] = _loss(before, held.accepted) - _loss(after, held.accepted)
    gain = float(gains.mean())
    by_customer = np.bincount(whose, gains - gain)
    return gain, float(np.sqrt((by_customer**2).sum()) / len(gains))


def trained(answers: Responses, straight: Correction) -> xgboost.Booster:
    """Trees on top of what offsets and slopes say."""
    margin = straight.moved_at(answers.level, answers.logit, answers.known)
    data = xgboost.DMatrix(_columns(answers), answers.accepted, base_margin=margin)
    return xgboost.train(SETTINGS, data, ROUNDS)


def table_of(booster: xgboost.Booster) -> tuple[Floats, Floats, Floats]:
    """Thresholds of risk (R,) and of bill (B,), and what the trees add (4, R + 1, B + 1)."""
    splits = booster.trees_to_dataframe()
    risks, bills = (
        np.unique(splits.loc[splits["Feature"] == name, "Split"].to_numpy(np.float32))
        for name in ("f1", "f2")
    )
    cells = np.meshgrid(
        np.arange(OFFER_LEVELS, dtype=np.float32), _within(risks), _within(bills), indexing="ij"
    )
    grid = np.stack(cells, axis=-1)
    data = xgboost.DMatrix(grid.reshape(-1, 3))
    added = booster.predict(data, output_margin=True).reshape(grid.shape[:-1])
    return risks.astype(np.float64), bills.astype(np.float64), added.astype(np.float64)


def _within(thresholds: NDArray[np.float32]) -> NDArray[np.float32]:
    """A number of each step: below all thresholds, then at each."""
    if not len(thresholds):
        return np.zeros(1, np.float32)
    return np.concatenate([[np.nextafter(thresholds[0], np.float32(-np.inf))], thresholds])


def _straight(answers: Responses) -> Correction:
    offsets, slopes = fitted_response(answers)
    return Correction(
        offsets=np.array([one.used for one in offsets]),
        slopes=np.array([one.slope.used for one in slopes]),
        centres=np.array([one.centre for one in slopes]),
        scales=np.array([one.scale for one in slopes]),
    )


def _columns(answers: Responses) -> NDArray[np.float32]:
    return np.column_stack([answers.level, answers.known]).astype(np.float32)


def _take(answers: Responses, rows: NDArray[np.bool_]) -> Responses:
    level, score, known, accepted = answers
    return Responses(level[rows], score[rows], known[rows], accepted[rows])


def _loss(score: Floats, accepted: NDArray[np.bool_]) -> Floats:
    """-log of the probability that was given to what happened, (N,)."""
    return np.logaddexp(0, np.where(accepted, -score, score))
