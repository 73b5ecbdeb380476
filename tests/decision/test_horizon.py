"""The contract's horizon and the environment's period."""

from __future__ import annotations

import numpy as np
import pytest

from churn_assets.decision.mdp.horizon import risk_of_a_period


def test_a_horizon_as_long_as_the_period_changes_no_bit() -> None:
    """IBM's month is the environment's period: its figures stay what they were."""
    risk = np.array([0.0, 1e-9, 0.1, 0.7, 0.999])
    for horizon in (None, 30.0):
        np.testing.assert_array_equal(risk_of_a_period(risk, horizon, 30.0), risk)


def test_three_periods_are_the_horizon_again() -> None:
    """Whoever stays for three months stays for each of them."""
    risk = np.array([1e-6, 0.05, 0.3, 0.9])
    month = risk_of_a_period(risk, 90.0, 30.0)
    assert (month < risk).all()
    np.testing.assert_allclose(1 - (1 - month) ** 3, risk, rtol=1e-9)
    assert month[2] == pytest.approx(0.1121, abs=1e-4)


def test_a_week_s_risk_grows_to_a_month_s() -> None:
    """A shorter horizon than the period: more leave until its end."""
    [month] = risk_of_a_period(np.array([0.05]), 7.0, 30.0)
    assert month == pytest.approx(1 - 0.95 ** (30 / 7))
