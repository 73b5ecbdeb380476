"""What is measured of the accept model, beside plain AUC and calibration.

All figures are of held-out contacts unless they say otherwise. Whether the contacts can support
them at all is `design`'s to say. What few contacts of a campaign log can't tell, such as an AUC
where all of them accepted, is None: no gate looks at it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churn_assets.domain.offers import OFFER_LEVELS
from churn_assets.domain.splits import SPLITS
from churn_assets.domain.statistics import interval, wilson_interval
from churn_assets.predictors.config import SPECIFICATION, AcceptConfig
from churn_assets.predictors.scoring.features import ACCEPT_FEATURES
from churn_assets.predictors.training.baselines import logistic_regression
from churn_assets.predictors.training.boosting import (
    Learner,
    calibrator_or_rate,
    margins,
    stratified_folds,
)
from churn_assets.predictors.training.design import COLUMN
from churn_assets.predictors.training.metrics import (
    auc,
    auc_error,
    bootstrap_auc,
    ece,
    ece_error,
    summary,
)

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]
Mask = NDArray[np.bool_]
Whose = NDArray[np.int64] | None
"""Whom each contact reached, a number, (N,): what somebody answers several times tells much the
same. None where each reached somebody else."""
Measure = Callable[..., float]

BASELINE_FOLDS = 2


def discrimination(
    matrix: Matrix, accepted: Floats, probabilities: Floats, config: AcceptConfig, whose: Whose
) -> dict[str, Any]:
    """AUC and ECE overall and at each offer, of contacts (N, F) and their probabilities (N,).

    `auc_offer_only` ranks by the offer alone: what the discount explains without the customer.
    """
    offer = matrix[:, COLUMN["offer_level"]].astype(np.float64)
    scores = [probabilities, offer]
    resampled = bootstrap_auc(accepted, scores, config.bootstrap, config.seed, whose)
    of_level = [
        (accepted[rows], probabilities[rows], _of(whose, rows))
        for rows in (offer == level for level in range(OFFER_LEVELS))
    ]
    return {
        **summary(accepted, probabilities),
        "auc_interval": interval(resampled[:, 0]),
        "auc_error": auc_error(accepted, probabilities, whose),
        "ece_error": ece_error(accepted, probabilities, whose),
        "auc_offer_only": auc(accepted, offer),
        "auc_over_offer_only_error": float(np.std(resampled[:, 0] - resampled[:, 1])),
        "auc_over_offer_only_interval": interval(resampled[:, 0] - resampled[:, 1]),
        "auc_offer0": _if_both(auc, *of_level[0][:2]),
        "auc_offer0_error": _if_both(auc_error, *of_level[0]),
        "auc_by_offer": [_if_both(auc, *told[:2]) for told in of_level],
        "ece_by_offer": [_if_any(ece, *told[:2]) for told in of_level],
        "ece_by_offer_error": [_if_any(ece_error, *told) for told in of_level],
        "rows": len(accepted),
    }


def _if_both(figure: Measure, accepted: Floats, *told: Any) -> float | None:
    """A figure that takes acceptances and refusals; None where the contacts lack either."""
    return figure(accepted, *told) if both_answers(accepted) else None


def _if_any(figure: Measure, accepted: Floats, *told: Any) -> float | None:
    """A figure that takes contacts; None without any."""
    return figure(accepted, *told) if len(accepted) else None


def _of(whose: Whose, rows: Mask) -> Whose:
    return None if whose is None else whose[rows]


def both_answers(accepted: Floats) -> bool:
    """Whether some of the contacts (N,) accepted and some refused."""
    return bool(0 < accepted.sum() < len(accepted))


def summary_or_none(accepted: Floats, probabilities: Floats) -> dict[str, float | None]:
    """`summary`, with None for each figure where the contacts lack acceptances or refusals."""
    if both_answers(accepted):
        return {**summary(accepted, probabilities)}
    return dict.fromkeys(("auc", "ece", "brier"))


def offer_curve(
    matrix: Matrix, accepted: Floats, probabilities: Floats, whose: Whose
) -> dict[str, Any]:
    """Predicted against observed rate of the contacts at each offer, with 95 % intervals that count
    people."""
    offer = matrix[:, COLUMN["offer_level"]]
    levels = [offer == level for level in range(OFFER_LEVELS)]
    observed = np.array([accepted[rows].mean() for rows in levels])
    people = [rows.sum() if whose is None else len(np.unique(whose[rows])) for rows in levels]
    bounds = wilson_interval(observed, np.array(people))
    return {
        "predicted": [float(probabilities[rows].mean()) for rows in levels],
        "observed": observed.tolist(),
        "observed_interval": np.column_stack(bounds).tolist(),
    }


def first_contacts(matrix: Matrix) -> Mask:
    """Contacts (N,) with a customer never contacted before, in this period or any other."""
    nothing_before = matrix[:, COLUMN["previous_contacts"]] == 0
    return nothing_before & (matrix[:, COLUMN["contacts_this_period"]] == 0)


def customer_curves(curves: Floats) -> dict[str, Any]:
    """Offer curves (M, 4) of all customers: violations of monotonicity, and how strict it is."""
    steps = np.diff(curves, axis=1)
    return {
        "monotone_violations": int((steps < 0).any(axis=1).sum()),
        "strictly_increasing_share": float((steps > 0).all(axis=1).mean()),
        "within_zero_and_one": bool((curves > 0).all() and (curves < 1).all()),
        "customer_curve": curves.mean(axis=0).tolist(),
        "customers": len(curves),
    }


def offer0(
    matrix: Matrix, accepted: Floats, probabilities: Floats, config: AcceptConfig, whose: Whose
) -> dict[str, Any]:
    """AUC and ECE of the contacts (N, F) without a discount: their responses were observed."""
    rows = matrix[:, COLUMN["offer_level"]] == 0
    labels, scores = accepted[rows], probabilities[rows]
    found: dict[str, Any] = {**summary_or_none(labels, scores), "auc_interval": None}
    if both_answers(labels):
        resampled = bootstrap_auc(labels, [scores], config.bootstrap, config.seed, _of(whose, rows))
        found["auc_interval"] = interval(resampled[:, 0])
    return {**found, "rows": int(rows.sum())}


def later_contacts(
    learner: Learner, matrix: Matrix, accepted: Floats, split: NDArray[np.str_]
) -> dict[str, Any]:
    """Trained on the first 80 % of the contacts, calibrated on the next tenth, tested on the last.

    The base rate drifts, and the contact history tells the era (`design.era_auc`), so a model of
    yesterday's contacts errs on tomorrow's by what this shows: published, not gated. None where
    one of the parts has acceptances or refusals alone.

    Args:
        learner: of the model.
        matrix: encoded contacts (N, F).
        accepted: their responses (N,).
        split: "train", "valid" or "test" by time, (N,).
    """
    train, valid, test = (split == name for name in SPLITS)
    found: dict[str, float | None] = dict.fromkeys(("auc", "ece", "brier"))
    if all(both_answers(accepted[part]) for part in (train, valid, test)):
        booster = learner.train(matrix[train], accepted[train])
        calibrator = calibrator_or_rate(
            learner.config.calibration, margins(booster, matrix[valid]), accepted[valid]
        )
        found |= summary(accepted[test], calibrator(margins(booster, matrix[test])))
    return {
        **found,
        "rate_learned": float(accepted[train | valid].mean()),
        "rate_tested": float(accepted[test].mean()),
        "rows": int(test.sum()),
    }


def baselines(
    matrix: Matrix, accepted: Floats, test: Matrix, config: AcceptConfig
) -> dict[str, Floats]:
    """Probabilities of the test contacts by each baseline, trained on the same contacts (N, F)."""
    specification = Learner(
        ACCEPT_FEATURES, SPECIFICATION.model_copy(update={"threads": config.threads})
    )
    folds = stratified_folds(accepted, BASELINE_FOLDS, config.seed)
    calibrator = specification.cross_fit(matrix, accepted, folds).calibrator("isotonic")
    return {
        "offer_only": _rate_of_offer(matrix, accepted, test),
        "logistic_regression": logistic_regression(matrix, accepted, test, ACCEPT_FEATURES),
        "specification": calibrator(margins(specification.train(matrix, accepted), test)),
    }


def _rate_of_offer(matrix: Matrix, accepted: Floats, test: Matrix) -> Floats:
    offer = matrix[:, COLUMN["offer_level"]]
    rates: Sequence[float] = [accepted[offer == k].mean() for k in range(OFFER_LEVELS)]
    return np.asarray(rates)[test[:, COLUMN["offer_level"]].astype(np.int64)]
