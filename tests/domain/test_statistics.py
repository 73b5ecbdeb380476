"""One sigmoid, one interval: against their definitions and published values."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_assets.domain.offers import OFFER_PERCENTAGES
from churn_assets.domain.statistics import (
    PROBABILITY_FLOOR,
    Z95,
    Estimate,
    bootstrap_mean,
    logit,
    share,
    sigmoid,
    wilson_interval,
)
from churn_assets.serving.schemas import Alternative, Decision


@given(st.floats(-700, 700))
def test_sigmoid_is_exact_and_never_overflows(value: float) -> None:
    """The same function in training and serving, in both tails."""
    expected = 1 / (1 + math.exp(-value))
    assert sigmoid(np.array([value]))[0] == pytest.approx(expected, abs=1e-15)


@given(st.floats(PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR))
def test_logit_inverts_sigmoid(p: float) -> None:
    """The offer response adds to log-odds and comes back."""
    assert sigmoid(logit(np.array([p])))[0] == pytest.approx(p, rel=1e-6, abs=1e-12)


def test_wilson_interval_is_wilsons() -> None:
    """No width zero at rates 0 and 1; published value for 81 of 263 (Newcombe, 1998)."""
    low, high = wilson_interval(np.array([81 / 263, 1.0]), np.array([263.0, 10.0]))
    assert (low[0], high[0]) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert low[1] < 0.8
    assert high[1] == pytest.approx(1)


def test_wilson_interval_of_known_cases() -> None:
    """Why: the gates read these bounds. 10 of 10 has the lower bound n / (n + z^2)."""
    ten = share(10, 10)
    assert ten.lower == pytest.approx(10 / (10 + Z95**2))
    assert ten.upper == pytest.approx(1.0)
    half = share(50, 100)
    assert half.lower == pytest.approx(1 - half.upper)
    with pytest.raises(ValueError, match="no trials"):
        share(0, 0)


def test_bootstrap_covers_the_normal_interval() -> None:
    """Why: the percentile bootstrap of a mean must agree with mean +- 1.96 standard errors."""
    values = np.random.default_rng(1).normal(0.3, 1, 400)
    found = bootstrap_mean(values)
    error = values.std() / 20
    assert found.value == pytest.approx(values.mean())
    assert found.lower == pytest.approx(values.mean() - 1.96 * error, abs=0.02)
    assert found.upper == pytest.approx(values.mean() + 1.96 * error, abs=0.02)


def test_logit_of_certainty_is_finite() -> None:
    """A score of 0 or 1 must not become an infinite state."""
    bound = math.log(PROBABILITY_FLOOR / (1 - PROBABILITY_FLOOR))
    assert logit(np.array([0.0, 1.0])) == pytest.approx([bound, -bound])


def test_estimate_of_samples_has_their_spread() -> None:
    """Value as given; interval and error are the samples'."""
    samples = np.linspace(0, 1, 1001)
    assert Estimate.of(0.4, samples) == Estimate(
        0.4, pytest.approx(0.025), pytest.approx(0.975), float(samples.std())
    )


@pytest.mark.parametrize("answer", [Decision, Alternative])
def test_the_api_answers_with_these_offers(answer: type[Decision] | type[Alternative]) -> None:
    """The percentages in the specified JSON are those that every area reckons with."""
    field = answer.model_fields["offer_percentage"]
    assert get_args(field.annotation) == OFFER_PERCENTAGES
