"""Prices of money for offers that cost little, and a budget that none of them keeps."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from churn_assets.campaign.eligibility import EXCLUDED
from churn_assets.campaign.planning.plan import Plan
from churn_assets.campaign.planning.promises import CONTACTS
from churn_assets.campaign.planning.warnings import warnings_of
from churn_assets.campaign.spending import CUSTOMERS, PRICES, prices_of, spends_at
from churn_assets.cli.campaign_plan import show_plan
from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.exact.policy_value import evaluate
from churn_assets.decision.exact.spend_control import price_at
from churn_assets.decision.mdp.customers import Customers, systematic_sample
from churn_assets.decision.rules.lookahead import TwoContacts
from churn_assets.domain.offers import Offers
from churn_assets.domain.statistics import sigmoid
from churn_assets.release.switches.budget_price import BudgetPrice


@pytest.mark.parametrize("months", [1, 3])
def test_cheap_offers_have_their_price_too(months: int) -> None:
    """An offer of one month costs a twelfth, and is made until money is twelve times as dear: a
    budget that needs the price 30 was overspent for ever at 12."""
    rng, count = np.random.default_rng(0), CUSTOMERS
    accept = sigmoid(np.array([-2.1, -0.4, 0.6, 1.3]) + rng.normal(0, 0.5, (count, 1)))
    risk, bills = sigmoid(rng.normal(-1.3, 1.3, count)), rng.uniform(30, 100, count)
    columns = {f"accept_prob_{i}": accept[:, i] for i in range(4)}
    table = pa.table(columns | {"churn_risk": risk, "monthly_charges": bills})
    params = EnvironmentParams().offering(Offers(months=months))
    world: Any = SimpleNamespace(policy=TwoContacts(params=params), params=params)
    some = systematic_sample(Customers(risk, accept, 12 * bills), CUSTOMERS)

    def spend(price: float) -> float:
        found = evaluate(TwoContacts(params=params, price=price), some, params.clean)
        return float(12 * bills.sum() * found.mean("spend"))

    prices, spends = prices_of(params), spends_at(table, world, 1.0)
    assert prices[: len(PRICES)] == PRICES
    assert prices[-1] == pytest.approx(12 * 12 / months)
    assert spends[:2] == pytest.approx([spend(price) for price in PRICES[:2]])
    budget = spend(30.0)
    assert budget < 0.9 * spend(12.0)
    assert spend(price_at(budget, prices, spends)) <= 1.02 * budget
    assert prices_of(EnvironmentParams()) == PRICES


PRICE = BudgetPrice(
    price=12.0,
    aim=0.5,
    month="2026-03",
    budget=100.0,
    spent=0.0,
    release_id="r",
    predictions="p",
    prices=(0.0, 12.0),
    spends=(400.0, 80.0),
    at=datetime(2026, 3, 21, 6, tzinfo=UTC),
)
KEPT = PRICE.model_copy(update={"aim": 1.0})


def test_a_budget_that_no_price_keeps_is_named() -> None:
    """Silence would be a promise: what requests are expected to spend above it is said."""
    assert PRICE.overspent == pytest.approx(30.0)
    assert KEPT.overspent == 0


def test_the_command_says_that_a_budget_is_not_kept(capsys: pytest.CaptureFixture[str]) -> None:
    """Where somebody looks who could raise the budget, or offer less; and in the plan's report,
    from which the console has it."""
    report: dict[str, Any] = {
        "days": ["2026-03-21"],
        "release_id": "r",
        "customers": 0,
        "budget": 10.0,
        "budget_price": 12.0,
        "overspent": 30.0,
        "gap": 0.0,
        **dict.fromkeys(("contacts", "promised", "expected_value", "expected_cost"), 0),
        **{part: {} for part in ("value_of_one_more", "contacts_a_day", "excluded")},
        "by_day": [],
    }
    line = "expected to spend 30.00 a month more than is aimed at"
    for price in (PRICE, KEPT):
        over = price.overspent
        told = report | {"overspent": over, "warnings": warnings_of(None, pytest.fail, price)}
        show_plan(Plan("p", CONTACTS.empty_table(), EXCLUDED.empty_table(), told), "draft", False)
        assert (line in capsys.readouterr().out) == (over > 0)
