"""Support: how many contacts resemble a customer, at each offer, and what they leave open."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np

from churn_assets.predictors.scoring.features import ACCEPT_FEATURES, NEVER_CONTACTED, encode
from churn_assets.predictors.training.support import Support

CONTACT = {
    **NEVER_CONTACTED,
    "partner": True,
    "contact_channel": "cellular",
    "price_pressure": 0.5,
    "offer_level": 2,
}


def support(customers: list[dict[str, Any]], contacts: list[dict[str, Any]]) -> Support:
    accepted = np.array([contact.get("accepted", False) for contact in contacts], float)
    matrices = [encode(rows, ACCEPT_FEATURES) for rows in (customers, contacts)]
    return Support.of(*matrices, accepted, ACCEPT_FEATURES)


def count(customer: dict[str, Any], contacts: list[dict[str, Any]]) -> int:
    return int(support([customer], contacts).contacts().sum())


def answered(level: int, yes: int, no: int, **changes: Any) -> list[dict[str, Any]]:
    """Contacts with one offer, of whom so many accepted."""
    contact = {**CONTACT, "offer_level": level, **changes}
    return [{**contact, "accepted": True}] * yes + [{**contact, "accepted": False}] * no


def test_like_means_equal_kind_and_the_same_fifth_of_price_pressure() -> None:
    """The exact pressure doesn't matter; partner and history do."""
    alike = [CONTACT, {**CONTACT, "offer_level": 0}, {**CONTACT, "price_pressure": 0.41}]
    unlike = [
        {**CONTACT, "partner": False},
        {**CONTACT, "price_pressure": 0.39},
        {**CONTACT, "previous_outcome": "failure"},
        {**CONTACT, "contacts_this_period": 1},
    ]
    assert count(CONTACT, alike + unlike) == 3


def test_each_offer_has_its_own_support() -> None:
    """Thousands of contacts without a discount say nothing about a discount of 15 %."""
    contacts = answered(0, 100, 900) + answered(1, 5, 5) + answered(2, 50, 50)
    found = support([CONTACT], contacts)
    np.testing.assert_array_equal(found.contacts(), [[1000, 10, 100, 0]])
    np.testing.assert_allclose(found.reach(), [[0.0186, 0.263, 0.096, 1.0]], atol=0.001)


def test_one_contact_leaves_nearly_everything_open() -> None:
    """Wilson's interval of one acceptance in one: from 1 / (1 + 1.96^2) to 1."""
    found = support([CONTACT], answered(1, 1, 0) + answered(2, 0, 2))
    one, two = (1 - 1 / (1 + 1.96**2)) / 2, (1.96**2 / (2 + 1.96**2)) / 2
    np.testing.assert_allclose(found.reach(), [[1.0, one, two, 1.0]], atol=1e-4)


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
    contacts = [CONTACT, CONTACT, {**CONTACT, "partner": False}]
    customers = [{**CONTACT, "partner": value} for value in (False, True)]
    np.testing.assert_array_equal(support(customers, contacts).contacts().sum(axis=1), [1, 2])


def test_curve_weights_contacts_as_the_customers_are() -> None:
    """Three customers with a partner, one without: their like's rates count three to one."""
    single = {"partner": False}
    contacts = answered(0, 20, 80) + answered(0, 60, 40, **single) + answered(3, 80, 20)
    curve, bounds = support([CONTACT] * 3 + [{**CONTACT, **single}], contacts).curve()
    np.testing.assert_allclose(curve, [0.75 * 0.2 + 0.25 * 0.6, np.nan, np.nan, 0.8])
    variance = 0.75**2 * 0.2 * 0.8 / 100 + 0.25**2 * 0.6 * 0.4 / 100
    np.testing.assert_allclose(bounds[0], curve[0] + 1.96 * np.sqrt(variance) * np.array([-1, 1]))


def test_curve_counts_a_shared_contact_once() -> None:
    """Customers with and without a known channel share contacts: no second evidence."""
    contacts = answered(0, 30, 70)
    alone, bounds = support([CONTACT], contacts).curve()
    both, shared = support([CONTACT, {**CONTACT, "contact_channel": None}], contacts).curve()
    np.testing.assert_allclose(both[0], alone[0])
    np.testing.assert_allclose(shared[0], bounds[0])


def test_memory_is_for_contacts_alone_however_many_kinds_of_customers_there_are() -> None:
    """A log of millions of contacts, of customers of a hundred kinds: each compared with each took
    nine bytes a contact and kind, gigabytes."""
    rng = np.random.default_rng(0)
    rows = [
        {
            **CONTACT,
            "contacts_this_period": i % 4,
            "price_pressure": i % 5 / 5,
            "previous_outcome": o,
        }
        for i in range(20)
        for o in ("failure", "nonexistent", "success")
    ]
    kinds = encode([{**row, "partner": p} for row in rows for p in (True, False)], ACCEPT_FEATURES)
    contacts = kinds[rng.integers(0, len(kinds), 50_000)]
    contacts[:, -1] = rng.integers(0, 4, len(contacts))
    tracemalloc.start()
    found = Support.of(kinds, contacts, rng.random(len(contacts)), ACCEPT_FEATURES)
    assert found.contacts().sum() == len(contacts)
    found.reach(), found.curve()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak / len(contacts) < 400
