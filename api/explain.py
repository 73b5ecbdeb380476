"""Why the risk is what it is, in words that a retention agent understands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

TOP_REASONS = 5

LABELS = {
    "tenure": "time with us",
    "monthly_charges": "monthly bill",
    "contract": "contract",
    "payment_method": "payment method",
    "total_charges": "billed so far",
    "senior_citizen": "senior citizen",
    "partner": "partner",
    "dependents": "dependents",
    "phone_service": "phone service",
    "multiple_lines": "multiple lines",
    "internet_service": "internet service",
    "online_security": "online security",
    "online_backup": "online backup",
    "device_protection": "device protection",
    "tech_support": "tech support",
    "streaming_tv": "streaming TV",
    "streaming_movies": "streaming movies",
    "paperless_billing": "paperless billing",
}


def top_reasons(
    features: Sequence[str],
    contributions: NDArray[np.floating[Any]],
    rows: Sequence[Mapping[str, Any]],
    count: int = TOP_REASONS,
) -> list[list[dict[str, Any]]]:
    """For each customer, the features that moved their risk most, largest first.

    Args:
        features: names, F of them.
        contributions: (N, F) exact SHAP values in log-odds, for the uncalibrated score.
        rows: the N customers.
    """
    order = np.argsort(-np.abs(contributions), axis=1, kind="stable")[:, :count]
    sizes = contributions[np.arange(len(rows))[:, None], order].round(4)
    return [
        [
            _reason(features[i], row.get(features[i]), size)
            for i, size in zip(places, shares, strict=True)
            if size != 0
        ]
        for row, places, shares in zip(rows, order.tolist(), sizes.tolist(), strict=True)
    ]


def _reason(feature: str, value: Any, contribution: float) -> dict[str, Any]:
    return {
        "feature": feature,
        "value": value,
        "contribution": contribution,
        "text": _text(feature, value, contribution > 0),
    }


@lru_cache(maxsize=4_096, typed=True)  # typed: True, 1 and 1.0 read differently
def _text(feature: str, value: Any, raises: bool) -> str:
    label = LABELS.get(feature, feature.replace("_", " "))
    direction = "raises" if raises else "lowers"
    return f"{label.capitalize()}: {_words(feature, value)}; {direction} the churn risk"


def _words(feature: str, value: Any) -> str:
    if value is None:
        return "not given"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if feature == "tenure":
        return "1 month" if value == 1 else f"{value} months"
    if isinstance(value, float):
        return f"{value:.2f}"
    return str(value)
