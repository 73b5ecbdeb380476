"""Do the contacts that a model learned from resemble the customers it is asked about?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from churn_assets.predictors.features import Feature

Matrix = NDArray[np.float32]

CELL_FEATURES = (
    "senior_citizen",
    "partner",
    "contact_channel",
    "contacts_this_period",
    "previous_outcome",
    "price_pressure",
)
PRESSURE_BINS = 5
MOST_CONTACTS = 3  # contacts in the period from here on are one kind


def similar_contacts(
    customers: Matrix, contacts: Matrix, features: Sequence[Feature]
) -> NDArray[np.int64]:
    """How many contacts are like each customer, shape (M,).

    Like means: equal in every discrete feature that the customer has, contacts this period capped
    at 3, and in the same fifth of price pressure. What a customer lacks is not compared.

    Args:
        customers: encoded, (M, F).
        contacts: encoded, (N, F).
        features: the F columns.
    """
    kinds, which = np.unique(_cells(customers, features), axis=0, return_inverse=True)
    cells = _cells(contacts, features)
    alike = [((cells == kind) | (kind < 0)).all(axis=1).sum() for kind in kinds]
    return np.array(alike, np.int64)[which.ravel()]


def _cells(matrix: Matrix, features: Sequence[Feature]) -> NDArray[np.int64]:
    """Discrete codes (N, len(CELL_FEATURES)), -1 for missing."""
    column = {feature.name: matrix[:, i] for i, feature in enumerate(features)}
    pressure = np.minimum(column["price_pressure"] * PRESSURE_BINS, PRESSURE_BINS - 1)
    contacts = np.minimum(column["contacts_this_period"], MOST_CONTACTS)
    column |= {"price_pressure": np.floor(pressure), "contacts_this_period": contacts}
    codes = np.column_stack([column[name] for name in CELL_FEATURES])
    return np.where(np.isnan(codes), -1, codes).astype(np.int64)
