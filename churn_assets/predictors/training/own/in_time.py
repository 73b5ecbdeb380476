"""What a risk model is worth in time, where customers have a row for each snapshot.

Out of fold, customers are apart and months are not: a column that is the same for all of a month
(an index, a price list, the month itself) tells each month's churn rate, and the pooled AUC counts
that as knowing customers. Next month it is worth nothing, and whom to contact is chosen among
customers of one day. So two more AUCs are told: among customers of the same snapshot, out of fold;
and of the test rows, which are of a later time and of other customers than what was learnt from.

A customer's rows of several snapshots tell much the same, and the errors of both say so.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn_assets.customers.splits import periods
from churn_assets.predictors.training.metrics import auc, auc_effects, error_of_sum
from churn_assets.predictors.training.own.calibration import calibration_by_mass
from churn_assets.predictors.training.own.methods import Groups

Floats = NDArray[np.float64]
SNAPSHOT = "snapshot"
SEED = 42  # of draws that only say what chance does


def within_snapshots(rows: pd.DataFrame, labels: Floats, scores: Floats) -> dict[str, Any]:
    """AUC over pairs of customers of the same snapshot, and its standard error.

    Args:
        rows: N rows with `customer_id` and `snapshot`.
        labels, scores: whether they left, and any score of it, (N,).

    Returns:
        {"auc", "error", "snapshots"}: of the snapshots of which some left and some stayed, each
        weighted by its pairs; empty where there is none such.
    """
    found = []
    ids = rows["customer_id"].to_numpy()
    period = periods(ids, rows[SNAPSHOT].to_numpy())
    effects = np.zeros(len(labels))
    for each in np.unique(period):
        here = period == each
        left = labels[here].sum()
        if pairs := left * (here.sum() - left):
            area, error = auc(labels[here], scores[here]), error_of_chance(labels[here])
            effects[here] = pairs * auc_effects(labels[here], scores[here])
            found.append((pairs, pairs * area, (pairs * error) ** 2))
    if not found:
        return {}
    pairs, areas, variances = np.sum(found, axis=0)
    return {
        "auc": float(areas / pairs),
        "error": max(float(np.sqrt(variances)), error_of_sum(effects, ids)) / float(pairs),
        "snapshots": len(found),
    }


def later(labels: Floats, risk: Floats, whose: Groups) -> dict[str, Any]:
    """AUC and calibration of the published model's risk (N,) of later rows, with their errors."""
    by_customer = error_of_sum(auc_effects(labels, risk), whose)
    return {
        "rows": len(labels),
        "left": int(labels.sum()),
        "auc": auc(labels, risk),
        "error": max(error_of_chance(labels), by_customer),
        "calibration_by_mass": calibration_by_mass(labels, risk, SEED, whose),
    }


def error_of_chance(labels: Floats) -> float:
    """Standard error of the AUC of scores that tell nothing of N labels (Mann and Whitney 1947):
    about the largest that there is, and right of few positives, of whom their own spread says
    nothing."""
    ones, zeros = labels.sum(), len(labels) - labels.sum()
    return float(np.sqrt((ones + zeros + 1) / (12 * ones * zeros)))
