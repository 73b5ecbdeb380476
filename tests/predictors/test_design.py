"""Randomisation, placebo, support and era: each finds its fault, and lets what is sound pass."""

from __future__ import annotations

import itertools
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from churn_assets.datasets.build import build
from churn_assets.datasets.config import BankConfig, DatasetsConfig
from churn_assets.datasets.pull import pull
from churn_assets.domain.statistics import sigmoid
from churn_assets.predictors.config import AcceptConfig
from churn_assets.predictors.scoring.features import ACCEPT_FEATURES, encode
from churn_assets.predictors.training import design
from churn_assets.predictors.training.accept import Contacts
from churn_assets.predictors.training.accept_evaluation import first_contacts
from churn_assets.predictors.training.boosting import Learner, margins
from churn_assets.predictors.training.offer_response import bank_contacts
from tests.datasets.conftest import mirror  # noqa: F401  (the fixture)

CONFIG = AcceptConfig(trees=20, max_depth=3, bootstrap=100)
FAILS = 1e-4  # the gates' bound


def contacts(rows: int, seed: int = 0) -> np.ndarray:
    """Encoded contacts (rows, F) whose offers are drawn without a look at them."""
    rng = np.random.default_rng(seed)
    given = [
        {
            "partner": bool(rng.integers(2)),
            "contact_channel": str(rng.choice(["cellular", "telephone"])),
            "contacts_this_period": int(rng.integers(3)),
            "previous_contacts": int(rng.integers(3)),
            "previous_outcome": str(rng.choice(["failure", "nonexistent", "success"])),
            "price_pressure": float(rng.random()),
            "offer_level": int(rng.integers(4)),
        }
        for _ in range(rows)
    ]
    return encode(given, ACCEPT_FEATURES)


def responses(matrix: np.ndarray, effect: float, seed: int = 1) -> np.ndarray:
    rate = 0.2 + effect * matrix[:, design.OFFER]
    return (np.random.default_rng(seed).random(len(matrix)) < rate).astype(float)


def test_p_value_is_the_share_of_draws_as_large() -> None:
    """Few draws for a clear case, all of them for an extreme one, never 0."""
    ones = itertools.repeat(1.0)
    assert design.permutation_p_value(0.5, lambda: next(ones)) == 1
    coin = itertools.cycle([0.0, 1.0])
    assert design.permutation_p_value(0.5, lambda: next(coin)) == 0.5
    assert design.permutation_p_value(2.0, lambda: 0.0, most=99) == 0.01


def test_a_designs_p_value_is_of_the_distance_from_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the sum of the four AUCs from 2, whatever the shares of the offers; and of the two folds
    the smaller one, twice, at most 1."""
    rng = np.random.default_rng(0)
    scores, offer = (
        rng.integers(0, 5, (60, 4)).astype(float),
        rng.choice(4, 60, p=[0.4, 0.3, 0.2, 0.1]),
    )
    areas = [roc_auc_score(offer == k, scores[:, k]) for k in range(4)]
    seen: list[float] = []

    def kept(observed: float, draw: Any) -> float:
        seen.extend([observed, *(draw() for _ in range(4000))])
        return 0.3

    monkeypatch.setattr(design, "permutation_p_value", kept)
    design._permuted(scores, offer, rng)
    assert seen[0] == pytest.approx(abs(sum(areas) - 2), abs=1e-8)
    assert seen[0] < abs(sum(areas) - 2)  # equal assignments count as equal
    shuffled = np.array(
        [
            abs(sum(roc_auc_score(order == k, scores[:, k]) for k in range(4)) - 2)
            for order in (rng.permutation(offer) for _ in range(200))
        ]
    )
    assert np.mean(seen[1:]) == pytest.approx(shuffled.mean(), rel=0.25)
    for values, expected in (([0.3, 0.9], 0.6), ([0.9, 0.7], 1.0)):
        told = iter(values)
        monkeypatch.setattr(design, "_permuted", lambda *_, told=told: next(told))
        assert design.propensity(contacts(200), CONFIG)["propensity_p_value"] == expected


def test_an_uplift_is_between_the_largest_and_no_offer() -> None:
    """In probability, of contacts as they are but for the offer; and over the shuffles Student's
    t, with its interval."""
    matrix, seen = contacts(300), contacts(50, seed=5)
    accepted = responses(matrix, 0.2)
    learner = Learner(ACCEPT_FEATURES, CONFIG.model_copy(update={"masked_copies": 0}))
    booster, ends = learner.train(matrix, accepted), [seen.copy(), seen.copy()]
    ends[0][:, design.OFFER], ends[1][:, design.OFFER] = 0, 3
    low, high = (sigmoid(margins(booster, end)) for end in ends)
    found = design._uplift(partial(margins, booster), seen, 3)
    assert found == pytest.approx((high - low).mean())
    assert found > 0.2
    few = design.placebo(learner, matrix[:8], np.zeros(8), seen)  # not a single split
    assert few["placebo_p_value"] == 1
    assert few["placebo_uplifts"] == {"mean": 0.0, "interval": [0.0, 0.0]}


def test_support_figures_by_hand() -> None:
    """1,000 contacts alike at each offer but the last, with 10; one customer of four is like none
    of them."""
    row = contacts(1)
    alike = np.repeat(row, 3010, axis=0)
    alike[:, design.OFFER] = np.repeat([0, 1, 2, 3], [1000, 1000, 1000, 10])
    customers = np.repeat(row, 4, axis=0)
    customers[3, design.COLUMN["partner"]] = 1 - customers[3, design.COLUMN["partner"]]
    accepted = np.arange(3010) % 2 == 0
    config = CONFIG.model_copy(update={"support_rows": 10, "support_reach": 0.35})
    found = design.support(customers, alike, accepted.astype(float), config)
    assert found["support_by_level"] == [0.75] * 4
    assert found["support_share"] == 0.75
    assert found["support_least"] == 0
    assert found["thin_support_share"] == 0.25
    np.testing.assert_allclose(found["curve_by_contacts"]["mean"], [0.5] * 4)
    narrow = config.model_copy(update={"support_reach": 0.1})
    found = design.support(customers, alike, accepted.astype(float), narrow)
    assert found["support_by_level"] == [0.75, 0.75, 0.75, 0.0]
    many = config.model_copy(update={"support_rows": 11})
    found = design.support(customers, alike, accepted.astype(float), many)
    assert found["support_by_level"] == [0.75, 0.75, 0.75, 0.0]
    alone = design.support(customers[3:], alike, accepted.astype(float), config)
    assert alone["curve_by_contacts"] == {"mean": [None] * 4, "interval": [[None] * 2] * 4}


def test_twenty_late_contacts_are_enough_to_tell() -> None:
    """Of either side."""
    matrix, everybody = contacts(100), np.ones(100, bool)
    for late, told in ((20, True), (19, False), (80, True), (81, False)):
        found = design.era_auc(matrix, np.arange(100) < late, everybody, AcceptConfig())
        assert (found["with_history"] is not None) is told


@pytest.mark.parametrize("rows", [400, 4_000])
def test_independent_offers_pass_at_any_size(rows: int) -> None:
    """An absolute bound on the AUC would refuse every honest log of a few hundred contacts."""
    found = design.propensity(contacts(rows), CONFIG)
    assert found["propensity_p_value"] > FAILS
    assert found["propensity_auc"] == pytest.approx(0.5, abs=1.5 / np.sqrt(rows))


def test_offers_made_by_looking_at_the_customer_fail() -> None:
    """Larger discounts for those under price pressure: then a discount's effect is theirs too."""
    matrix = contacts(800)
    pressed = np.random.default_rng(2).random(800) < matrix[:, design.COLUMN["price_pressure"]]
    matrix[pressed, design.OFFER] = np.maximum(matrix[pressed, design.OFFER], 2)
    found = design.propensity(matrix, CONFIG)
    assert found["propensity_p_value"] < FAILS
    assert found["propensity_auc"] > 0.55


@pytest.mark.parametrize("rows", [400, 3_000])
@pytest.mark.parametrize("effect", [0.0, 0.2])
def test_shuffled_offers_pass_at_any_size(rows: int, effect: float) -> None:
    """Whether discounts work or not: once shuffled, they explain nothing."""
    matrix = contacts(rows)
    learner = Learner(ACCEPT_FEATURES, CONFIG, rising=frozenset({"offer_level"}))
    found = design.placebo(learner, matrix, responses(matrix, effect), contacts(500, seed=5))
    assert found["placebo_p_value"] > FAILS
    low, high = found["placebo_uplifts"]["interval"]
    assert low < 0 < high
    assert found["placebo_uplift"] >= 0


def test_training_that_makes_an_uplift_up_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here one whose offers are never shuffled: it finds their effect where none should be."""
    matrix = contacts(400)
    matrix = matrix[np.argsort(matrix[:, design.OFFER], kind="stable")]
    accepted = responses(matrix, 0.2)

    def blurred(matrix: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        noisy = matrix.copy()
        noisy[:, design.COLUMN["price_pressure"]] = rng.random(len(matrix))
        return noisy

    monkeypatch.setattr(design, "_shuffled", blurred)
    learner = Learner(ACCEPT_FEATURES, CONFIG, rising=frozenset({"offer_level"}))
    found = design.placebo(learner, matrix, accepted, contacts(500, seed=5))
    assert found["placebo_p_value"] < FAILS
    assert found["placebo_uplifts"]["interval"][0] > 0.2


def test_support_is_the_least_supported_offers() -> None:
    """One offer that was hardly ever made to people like the customers is enough to fail."""
    matrix = contacts(8_000)
    customers = matrix[:100]
    full = design.support(customers, matrix, responses(matrix, 0.2), AcceptConfig())
    assert full["support_share"] == min(full["support_by_level"])
    rare = matrix[(matrix[:, design.OFFER] < 3) | (np.arange(8_000) < 400)]
    thin = design.support(customers, rare, responses(rare, 0.2), AcceptConfig())
    assert thin["support_share"] == thin["support_by_level"][3] == 0
    assert thin["support_reach_by_level"][3] > AcceptConfig().support_reach


def era(folder: Path) -> dict[str, Any]:
    frame = bank_contacts(folder, CONFIG)["illustrative"]
    seen = Contacts.of(frame)
    return design.era_auc(
        seen.matrix, seen.chronological == "test", first_contacts(seen.matrix), AcceptConfig()
    )


def test_era_is_not_in_the_real_features(mirror: Path, tmp_path: Path) -> None:  # noqa: F811
    """Seniority was (0.65 and 0.66 with it): a model that knows it takes the era for the age.

    Where customers are asked about: their own features, and first contacts by everything. The
    history of earlier contacts does tell the era of the bank's, and the report says so.
    """
    config = DatasetsConfig(source="mirror", mirror=mirror)
    build("bank_contacts", pull("bank_contacts", config, tmp_path), tmp_path, config)
    found = era(tmp_path)
    assert found["own_features"] <= 0.60
    assert found["first_contacts"] <= 0.60
    assert found["with_history"] > 0.75


def test_era_is_not_in_the_synthetic_customers(tmp_path: Path) -> None:
    """The generator's customers are held to the same. Its first contacts tell a little more of the
    era than the public ones (0.61 to 0.63 for three seeds), through their channel."""
    config = DatasetsConfig(source="synthetic", bank=BankConfig(synthetic_rows=6_000))
    build("bank_contacts", pull("bank_contacts", config, tmp_path), tmp_path, config)
    assert era(tmp_path)["own_features"] <= 0.60


def test_a_feature_that_tells_the_era_is_found() -> None:
    """The figure can rise: here the channel changes with time, as a proxy does."""
    matrix = contacts(3_000)
    end = np.arange(3_000) >= 2_700
    matrix[end, design.COLUMN["contact_channel"]] = 1.0
    everybody = np.ones(3_000, bool)
    found = design.era_auc(matrix, end, everybody, AcceptConfig())
    assert found["first_contacts"] > 0.65
    assert found["own_features"] < 0.60


def test_too_few_late_contacts_tell_nothing() -> None:
    """A log of some hundred contacts has no tenth to speak of."""
    matrix = contacts(100)
    found = design.era_auc(matrix, np.arange(100) >= 90, np.ones(100, bool), AcceptConfig())
    assert found["own_features"] is None
