"""Why the risk is what it is, in words that a retention agent understands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    row: Mapping[str, Any],
    count: int = TOP_REASONS,
) -> list[dict[str, Any]]:
    """The features that moved this customer's risk most, largest first.

    Args:
        features: names, F of them.
        contributions: (F,) exact SHAP values in log-odds, for the uncalibrated score.
        row: the customer.
    """
    values = contributions.tolist()
    order = sorted(range(len(values)), key=lambda i: -abs(values[i]))[:count]
    return [
        _reason(features[i], row.get(features[i]), values[i]) for i in order if values[i] != 0.0
    ]


def _reason(feature: str, value: Any, contribution: float) -> dict[str, Any]:
    direction = "raises" if contribution > 0 else "lowers"
    label = LABELS.get(feature, feature.replace("_", " "))
    return {
        "feature": feature,
        "value": value,
        "contribution": round(contribution, 4),
        "text": f"{label.capitalize()}: {_words(feature, value)}; {direction} the churn risk",
    }


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
