"""How leaving counts: as in the world that policies are made for, and never more than that."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.mdp.dynamics import loss_at
from churn_assets.outcomes.config import OutcomesConfig
from churn_assets.outcomes.lift import Customers, lift_report
from churn_assets.outcomes.worth import PLAIN, Worth, loss_slope

LASTING = EnvironmentParams(persistence=12)
MONTH = Worth(LASTING, LASTING.period_days)
risks = st.floats(0.001, 0.999)


def kept(worth: Worth, risk: float, churned: float, value: float = 1.0) -> float:
    """What is kept of one whose chance of leaving within the horizon is `churned`."""
    row = {"customer_value": [value], "churned": [churned], "churn_risk": [risk]}
    return float(worth.kept(pd.DataFrame(row))[0])


def within(risk: float, worth: Worth) -> float:
    return float(1 - (1 - risk) ** (worth.horizon_days / worth.world.period_days))


@given(risks, st.integers(1, 36))
def test_the_slope_is_that_of_the_loss(risk: float, months: int) -> None:
    world, step = EnvironmentParams(persistence=months), 1e-5
    around = loss_at(np.array([risk - step, risk + step]), world)
    assert loss_slope(np.array([risk]), world)[0] == pytest.approx(
        (around[1] - around[0]) / (2 * step), rel=1e-5, abs=1e-7
    )


@given(risks, st.booleans())
def test_in_the_plain_world_who_stays_counts_their_value(risk: float, churned: bool) -> None:
    assert kept(PLAIN, risk, churned, 600.0) == (0.0 if churned else 600.0)


@given(risks, st.sampled_from([7.0, 30.0, 90.0, 365.0]))
def test_left_alone_everybody_keeps_what_the_world_says(risk: float, days: float) -> None:
    """Whatever the horizon: in expectation, one minus the loss at the risk that they had."""
    worth = Worth(LASTING, days)
    expected = 1 - float(loss_at(np.array([risk]), LASTING)[0])
    assert kept(worth, risk, within(risk, worth)) == pytest.approx(expected, abs=1e-9)


@given(risks, risks, st.sampled_from([7.0, 30.0, 90.0]))
def test_a_gain_is_never_told_too_large(before: float, after: float, days: float) -> None:
    """Why: what lasts is assumed; of what is assumed the report claims no more than it holds."""
    before, after = max(before, after), min(before, after)
    worth = Worth(LASTING, days)
    told = kept(worth, before, within(after, worth)) - kept(worth, before, within(before, worth))
    loss = loss_at(np.array([before, after]), LASTING)
    assert told <= loss[0] - loss[1] + 1e-9


def test_small_effects_are_told_as_the_world_has_them() -> None:
    for risk, days in ((0.01, 30.0), (0.034, 30.0), (0.26, 30.0), (0.034, 365.0)):
        worth, after = Worth(LASTING, days), 0.99 * risk
        told = kept(worth, risk, within(after, worth)) - kept(worth, risk, within(risk, worth))
        loss = loss_at(np.array([risk, after]), LASTING)
        assert told == pytest.approx(loss[0] - loss[1], rel=0.06), (risk, days)


def test_who_leaves_for_certain_or_never_counts_finitely() -> None:
    for risk in (0.0, 1.0):
        for days in (7.0, 30.0, 365.0):
            assert abs(kept(Worth(LASTING, days), risk, 0.0)) < 13


def test_a_discount_for_a_year_that_pays_within_it_is_not_called_harm() -> None:
    """Why: of customers of whom 3.4 % leave a month a third less is 1.1 points after 30 days, and
    4 % of the year's value after twelve months. A discount that costs 2 % of it was told to hurt,
    and the switch would have been thrown on a policy that is right in its own world."""
    rng, count = np.random.default_rng(5), 40_000
    risk, treated = np.full(count, 0.034), rng.random(count) < 0.5
    after = np.where(treated, 0.0225, risk)
    table = pd.DataFrame(
        {
            "customer": np.arange(count),
            "group": np.where(treated, "treated", "control"),
            "control_share": 0.5,
            "churn_risk": risk + rng.normal(0, 1e-3, count),
            "customer_value": rng.uniform(380.0, 460.0, count),
            "churned": rng.random(count) < after,
            "spend": 8.4 * treated,
            "known_at": pd.date_range("2026-01-01", periods=count, freq="min", tz="UTC"),
        }
    )
    config = OutcomesConfig(value_of_interest=1.0)
    plain = lift_report(Customers.of(table), config)
    lasting = lift_report(Customers.of(table, MONTH), config)
    assert plain["verdict"] == "hurts"
    assert lasting["verdict"] == "helps"
    loss = loss_at(np.array([0.034, 0.0225]), LASTING)
    truth = 420.0 * float(loss[0] - loss[1]) - 8.4
    net = lasting["effects"]["net"]
    assert net["effect_lower"] < truth < net["effect_upper"]


def test_the_horizon_is_the_table_s_and_the_reader_is_told() -> None:
    day = pd.Timestamp("2026-01-01", tz="UTC")
    table = pd.DataFrame({"time": [day], "known_at": [day + pd.Timedelta(days=90)]})
    worth = Worth.of(LASTING, table)
    assert worth.horizon_days == 90.0
    assert Worth.of(LASTING, table.iloc[:0]) == MONTH
    assert "bills expected of them in 12 months" in worth.sentence
    assert PLAIN.sentence == "Whoever stays counts 12 monthly charges."
