"""Randomisation, placebo, support and era: each finds its fault, and lets what is sound pass."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from churn_assets.datasets.build import build
from churn_assets.datasets.config import BankConfig, DatasetsConfig
from churn_assets.datasets.pull import pull
from churn_assets.predictors.config import AcceptConfig
from churn_assets.predictors.scoring.features import ACCEPT_FEATURES, encode
from churn_assets.predictors.training import design
from churn_assets.predictors.training.accept import Contacts
from churn_assets.predictors.training.accept_evaluation import first_contacts
from churn_assets.predictors.training.boosting import Learner
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
