"""Support: how many contacts resemble a customer."""

from __future__ import annotations

from typing import Any

import numpy as np

from churn_assets.predictors.features import ACCEPT_FEATURES, NEVER_CONTACTED, encode
from churn_assets.predictors.support import similar_contacts

CONTACT = {
    **NEVER_CONTACTED,
    "senior_citizen": False,
    "partner": True,
    "contact_channel": "cellular",
    "price_pressure": 0.5,
    "offer_level": 2,
}


def count(customer: dict[str, Any], contacts: list[dict[str, Any]]) -> int:
    matrices = [encode(rows, ACCEPT_FEATURES) for rows in ([customer], contacts)]
    return int(similar_contacts(*matrices, ACCEPT_FEATURES)[0])


def test_like_means_equal_kind_and_the_same_fifth_of_price_pressure() -> None:
    """The offer and the exact pressure don't matter; age group, partner and history do."""
    alike = [CONTACT, {**CONTACT, "offer_level": 0}, {**CONTACT, "price_pressure": 0.41}]
    unlike = [
        {**CONTACT, "senior_citizen": True},
        {**CONTACT, "partner": False},
        {**CONTACT, "price_pressure": 0.39},
        {**CONTACT, "previous_outcome": "failure"},
        {**CONTACT, "contacts_this_period": 1},
    ]
    assert count(CONTACT, alike + unlike) == 3


def test_what_a_customer_lacks_is_not_compared() -> None:
    """A customer without a known channel is like contacts by any channel."""
    contacts = [CONTACT, {**CONTACT, "contact_channel": "telephone"}]
    assert count(CONTACT, contacts) == 1
    assert count({**CONTACT, "contact_channel": None}, contacts) == 2


def test_many_contacts_are_one_kind() -> None:
    """Five or fifty contacts in a period are equally many."""
    assert count({**CONTACT, "contacts_this_period": 5}, [{**CONTACT, "contacts_this_period": 50}])


def test_each_customer_has_their_own_count() -> None:
    """Counts come back in the customers' order."""
    contacts = encode([CONTACT, CONTACT, {**CONTACT, "partner": False}], ACCEPT_FEATURES)
    customers = encode([{**CONTACT, "partner": value} for value in (False, True)], ACCEPT_FEATURES)
    np.testing.assert_array_equal(similar_contacts(customers, contacts, ACCEPT_FEATURES), [1, 2])
