"""The simulated response follows its formula, leaks nothing, and gives way to a campaign log."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_assets.datasets.errors import SchemaViolationError
from churn_assets.predictors.config import OFFER_EFFECTS, AcceptConfig, OfferEffect
from churn_assets.predictors.features import PricePressure
from churn_assets.predictors.metrics import auc
from churn_assets.predictors.offer_response import bank_pressure, campaign_log, simulate

PRESSURE = PricePressure((20.0, 70.0, 120.0))


def probabilities(effect: OfferEffect, p0: float, pressure: float) -> list[float]:
    response = simulate(np.array([True]), np.array([p0]), np.array([pressure]), effect, seed=0)
    return [round(p, 2) for p in response.probability[0]]


def test_illustrative_preset_gives_the_specifications_curve() -> None:
    """0.12 / 0.45 / 0.73 / 0.89 for a customer of middling price pressure."""
    assert probabilities(OFFER_EFFECTS["illustrative"], 0.12, 0.5) == [0.12, 0.45, 0.73, 0.89]


def test_price_pressure_scales_the_effect() -> None:
    """Under no pressure a discount has half the middling effect on the log-odds, under most 3/2."""
    effect = OfferEffect(strength=1.0, exponent=1.0)
    low, high = (probabilities(effect, 0.5, pressure) for pressure in (0.0, 1.0))
    assert low == [round(1 / (1 + np.exp(-0.5 * k)), 2) for k in range(4)]
    assert high == [round(1 / (1 + np.exp(-1.5 * k)), 2) for k in range(4)]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(sorted(OFFER_EFFECTS)))
def test_responses_are_consistent(seed: int, preset: str) -> None:
    """Y(0) is the observed response, and whoever accepts an offer accepts any larger one."""
    rng = np.random.default_rng(seed)
    p0 = rng.uniform(0.01, 0.99, 200)
    observed = rng.random(200) < p0
    response = simulate(observed, p0, rng.random(200), OFFER_EFFECTS[preset], seed)
    np.testing.assert_array_equal(response.potential[:, 0], observed)
    assert (np.diff(response.potential.astype(int), axis=1) >= 0).all()
    chosen = response.potential[np.arange(200), response.offer_level]
    np.testing.assert_array_equal(response.accepted, chosen)


def test_rates_are_the_formulas() -> None:
    """Given p_0, conditioning u on the observed response leaves Y(k) with probability p_k."""
    rng = np.random.default_rng(11)
    p0 = rng.uniform(0.02, 0.4, 200_000)
    pressure = rng.random(len(p0))
    response = simulate(rng.random(len(p0)) < p0, p0, pressure, OFFER_EFFECTS["illustrative"], 1)
    for part in (pressure < 0.3, pressure > 0.7, p0 < 0.1):
        observed = response.potential[part].mean(axis=0)
        np.testing.assert_allclose(observed, response.probability[part].mean(axis=0), atol=0.006)


def test_offer_is_assigned_without_a_look_at_the_customer() -> None:
    """Offers derived from contact history would be a leak; here nothing predicts them."""
    rng = np.random.default_rng(4)
    p0, pressure = rng.uniform(0.1, 0.9, 50_000), rng.random(50_000)
    observed = rng.random(50_000) < p0
    offer = simulate(observed, p0, pressure, OFFER_EFFECTS["illustrative"], 9).offer_level
    np.testing.assert_allclose(np.bincount(offer) / len(offer), 0.25, atol=0.01)
    for feature in (p0, pressure, observed):
        assert auc((offer == 3).astype(float), feature.astype(float)) == pytest.approx(
            0.5, abs=0.01
        )


def test_debt_burden_becomes_a_uniform_quantile() -> None:
    """Few levels of burden, yet a scale like the customers'; heavier burdens rank higher."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "housing": rng.choice(["yes", "no"], 20_000),
            "loan": rng.choice(["yes", "no"], 20_000, p=[0.2, 0.8]),
            "default": rng.choice(["no", "unknown"], 20_000),
            "job": rng.choice(["admin.", "student"], 20_000),
        }
    )
    score = bank_pressure(frame, seed=0)
    np.testing.assert_allclose(np.quantile(score, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.01)
    light = (frame == ["no", "no", "no", "admin."]).all(axis=1).to_numpy()
    assert score[light].max() <= score[~light].min()


def log(rows: int = 800) -> pd.DataFrame:
    rng = np.random.default_rng(6)
    offer = rng.integers(0, 4, rows)
    return pd.DataFrame(
        {
            "partner": rng.choice([True, False, None], rows),
            "contact_channel": rng.choice(["cellular", "telephone", None], rows),
            "contacts_this_period": rng.integers(0, 3, rows),
            "days_since_contact": np.where(rng.random(rows) < 0.5, np.nan, 12.0),
            "previous_contacts": rng.integers(0, 2, rows),
            "previous_outcome": rng.choice(["failure", "nonexistent", "success"], rows),
            "monthly_charges": rng.uniform(20, 120, rows),
            "offer_level": offer,
            "accepted": rng.random(rows) < 0.1 + 0.2 * offer,
        }
    )


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_campaign_log_is_read_with_its_gaps(suffix: str, tmp_path: Path) -> None:
    """A company's own contacts pass the same schema, with missing values kept missing."""
    expected = log()
    file = tmp_path / f"log{suffix}"
    if suffix == ".csv":
        expected.to_csv(file, index=False)
    else:
        expected.to_parquet(file)
    contacts = campaign_log(tmp_path, PRESSURE)
    np.testing.assert_allclose(
        contacts["price_pressure"], PRESSURE(expected["monthly_charges"].to_numpy())
    )
    for name in ("partner", "contact_channel", "days_since_contact"):
        np.testing.assert_array_equal(contacts[name].isna(), expected[name].isna())
    assert (contacts["accepted"] == expected["accepted"]).all()
    assert set(contacts["split"]) == {"train", "valid", "test"}
    assert list(contacts["chronological_split"].unique()) == ["train", "valid", "test"]


@pytest.mark.parametrize(
    ("column", "value", "found"),
    [
        ("offer_level", 4, "offer_level"),
        ("contact_channel", "pigeon", "pigeon"),
        ("contacts_this_period", -1, "contacts_this_period"),
        ("previous_outcome", None, "previous_outcome"),
    ],
)
def test_wrong_rows_of_a_log_are_listed(
    column: str, value: object, found: str, tmp_path: Path
) -> None:
    """Whoever prepares the log needs to see which row is wrong."""
    rows = log()
    rows[column] = rows[column].astype(object)
    rows.loc[17, column] = value
    rows.to_csv(tmp_path / "log.csv", index=False)
    with pytest.raises(SchemaViolationError) as error:
        campaign_log(tmp_path, PRESSURE)
    assert found in error.value.failure_cases
    assert "17" in error.value.failure_cases


def test_log_without_an_offer_level_is_refused(tmp_path: Path) -> None:
    """An offer never made has no response to learn."""
    rows = log()
    rows[rows["offer_level"] < 3].to_csv(tmp_path / "log.csv", index=False)
    with pytest.raises(SchemaViolationError, match="every_offer_level"):
        campaign_log(tmp_path, PRESSURE)


def test_folder_must_hold_one_log(tmp_path: Path) -> None:
    """Two files would leave it to chance which one trained the model."""
    with pytest.raises(ValueError, match="found 0"):
        campaign_log(tmp_path, PRESSURE)
    log().drop(columns="monthly_charges").to_csv(tmp_path / "log.csv", index=False)
    with pytest.raises(ValueError, match="price_pressure or monthly_charges"):
        campaign_log(tmp_path, PRESSURE)


def test_presets_are_the_designs() -> None:
    """Changing an assumption has to be a decision, not a side effect."""
    assert AcceptConfig(effect="conservative").offer_effect == OfferEffect(
        strength=0.35, exponent=1.0
    )
