"""What is measured of the accept model, beside plain AUC and calibration.

All figures are of held-out contacts unless they say otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churn_assets.predictors.baselines import logistic_regression
from churn_assets.predictors.boosting import Learner, fit_calibrator, margins, stratified_folds
from churn_assets.predictors.calibration import sigmoid
from churn_assets.predictors.config import SPECIFICATION, AcceptConfig
from churn_assets.predictors.features import ACCEPT_FEATURES, OFFER_LEVELS
from churn_assets.predictors.metrics import (
    auc,
    auc_error,
    bootstrap_auc,
    ece,
    ece_error,
    interval,
    summary,
    wilson_interval,
)
from churn_assets.predictors.support import similar_contacts

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]
Mask = NDArray[np.bool_]

COLUMN = {feature.name: column for column, feature in enumerate(ACCEPT_FEATURES)}
PLACEBO_FOLDS = 2


def discrimination(
    matrix: Matrix, accepted: Floats, probabilities: Floats, config: AcceptConfig
) -> dict[str, Any]:
    """AUC and ECE overall and at each offer, of contacts (N, 9) and their probabilities (N,).

    `auc_offer_only` ranks by the offer alone: what the discount explains without the customer.
    """
    offer = matrix[:, COLUMN["offer_level"]].astype(np.float64)
    resampled = bootstrap_auc(accepted, [probabilities, offer], config.bootstrap, config.seed)
    levels = [offer == level for level in range(OFFER_LEVELS)]
    return {
        **summary(accepted, probabilities),
        "auc_interval": interval(resampled[:, 0]),
        "auc_error": auc_error(accepted, probabilities),
        "ece_error": ece_error(accepted, probabilities),
        "auc_offer_only": auc(accepted, offer),
        "auc_over_offer_only_error": float(np.std(resampled[:, 0] - resampled[:, 1])),
        "auc_over_offer_only_interval": interval(resampled[:, 0] - resampled[:, 1]),
        "auc_offer0": auc(accepted[levels[0]], probabilities[levels[0]]),
        "auc_offer0_error": auc_error(accepted[levels[0]], probabilities[levels[0]]),
        "auc_by_offer": [auc(accepted[rows], probabilities[rows]) for rows in levels],
        "ece_by_offer": [ece(accepted[rows], probabilities[rows]) for rows in levels],
        "ece_by_offer_error": [ece_error(accepted[rows], probabilities[rows]) for rows in levels],
        "rows": len(accepted),
    }


def offer_curve(matrix: Matrix, accepted: Floats, probabilities: Floats) -> dict[str, Any]:
    """Predicted against observed rate of the contacts at each offer, with 95 % intervals."""
    offer = matrix[:, COLUMN["offer_level"]]
    levels = [offer == level for level in range(OFFER_LEVELS)]
    observed = np.array([accepted[rows].mean() for rows in levels])
    count = np.array([rows.sum() for rows in levels])
    bounds = wilson_interval(observed, count)
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


def support(customers: Matrix, contacts: Matrix, config: AcceptConfig) -> dict[str, float]:
    """Share of customers (M, 9) that resemble the contacts (N, 9) trained on."""
    alike = similar_contacts(customers, contacts, ACCEPT_FEATURES)
    return {
        "support_share": float((alike >= config.support_rows).mean()),
        "thin_support_share": float((alike < config.thin_support_rows).mean()),
        "support_least": int(alike.min()),
    }


def propensity_auc(matrix: Matrix, config: AcceptConfig) -> float:
    """Can the offer be told from the features? Mean one-against-rest AUC over the four offers.

    Out-of-fold, over all contacts (N, 9). 0.5 means that offers were assigned independently of
    the features, so that differences between offers are effects of offers.
    """
    features = tuple(f for f in ACCEPT_FEATURES if f.name != "offer_level")
    learner = Learner(features, config.model_copy(update={"trees": 50, "masked_copies": 0}))
    without_offer = np.delete(matrix, COLUMN["offer_level"], axis=1)
    offer = matrix[:, COLUMN["offer_level"]].astype(np.int64)
    folds = stratified_folds(offer, PLACEBO_FOLDS, config.seed)
    values = []
    for level in range(OFFER_LEVELS):
        given = (offer == level).astype(np.float64)
        values.append(auc(given, learner.cross_fit(without_offer, given, folds).scores["full"]))
    return float(np.mean(values))


def placebo_uplift(learner: Learner, matrix: Matrix, accepted: Floats, test: Matrix) -> float:
    """Mean predicted uplift of the largest offer when offers have nothing to do with responses.

    The offers of the training contacts (N, 9) are shuffled; a pipeline that still finds an uplift
    in the test contacts makes it up. Not calibrated.
    """
    rng = np.random.default_rng(learner.config.seed)
    shuffled = matrix.copy()
    column = COLUMN["offer_level"]
    shuffled[:, column] = rng.permutation(shuffled[:, column])
    booster = learner.train(shuffled, accepted)
    ends = [test.copy(), test.copy()]
    ends[0][:, column], ends[1][:, column] = 0, OFFER_LEVELS - 1
    low, high = (sigmoid(margins(booster, end)) for end in ends)
    return float((high - low).mean())


def chronological(
    learner: Learner, matrix: Matrix, accepted: Floats, split: NDArray[np.str_]
) -> dict[str, float]:
    """Trained on the first 80 % of the contacts, calibrated on the next tenth, tested on the last.

    Era proxies are no features, so a drift of the base rate shows in full: published, not gated.
    """
    train, valid, test = (split == name for name in ("train", "valid", "test"))
    booster = learner.train(matrix[train], accepted[train])
    calibrator = fit_calibrator(
        learner.config.calibration, margins(booster, matrix[valid]), accepted[valid]
    )
    figures = summary(accepted[test], calibrator(margins(booster, matrix[test])))
    return {
        "auc_chronological": figures["auc"],
        "ece_chronological": figures["ece"],
        "chronological_rate_learned": float(accepted[train | valid].mean()),
        "chronological_rate_tested": float(accepted[test].mean()),
    }


def baselines(
    matrix: Matrix, accepted: Floats, test: Matrix, config: AcceptConfig
) -> dict[str, Floats]:
    """Probabilities of the test contacts by each baseline, trained on the same contacts (N, 9)."""
    specification = Learner(
        ACCEPT_FEATURES, SPECIFICATION.model_copy(update={"threads": config.threads})
    )
    folds = stratified_folds(accepted, PLACEBO_FOLDS, config.seed)
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
