"""The simulated response follows its formula and leaks nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_assets.predictors.config import OFFER_EFFECTS, AcceptConfig, OfferEffect
from churn_assets.predictors.training.metrics import auc
from churn_assets.predictors.training.offer_response import bank_pressure, simulate


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


@settings(max_examples=30)
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


def test_presets_are_the_designs() -> None:
    """Changing an assumption has to be a decision, not a side effect."""
    assert AcceptConfig(effect="conservative").offer_effect == OfferEffect(
        strength=0.35, exponent=1.0
    )
