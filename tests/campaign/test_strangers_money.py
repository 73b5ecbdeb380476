"""Discounts that were accepted under ids that no customer has: money once, and in view."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from churn_assets.campaign.contacts.event import Event
from churn_assets.campaign.spending import yearly_values
from churn_assets.campaign.status import status_of
from churn_assets.campaign.workflow import Campaigns
from churn_assets.cli.campaign_status import show_status
from tests.campaign.test_status import approved, told
from tests.campaign.test_workflow import NOW, TODAY, Desk, desk

__all__ = ["desk"]  # a fixture

LATER = NOW + timedelta(days=3)
BUDGET = 5_000.0


@pytest.fixture
def campaigns(desk: Desk) -> Campaigns:
    """With a month's budget, and today's list handed over."""
    campaigns = desk(month_budget=BUDGET)
    approved(campaigns, NOW)
    campaigns.export(None, TODAY, NOW)
    assert campaigns.hand_over(None, TODAY, NOW, "Eva").new == 8
    return campaigns


def one_of(campaigns: Campaigns) -> dict[str, Any]:
    """A contact that was handed over, with a discount."""
    rows: list[dict[str, Any]] = campaigns.show()[0].contacts.to_pylist()
    return next(row for row in rows if row["day"] == TODAY and row["offer_percentage"] > 0)


def accepted(customer: str, decision: str | None, when: datetime, offer: int | None) -> Event:
    event = told(customer, "accepted", when, offer)
    return event.model_copy(update={"decision_id": decision})


@pytest.mark.parametrize("offer", [None, 0, 15])
def test_a_misspelt_answer_to_a_known_contact_is_paid_once(
    campaigns: Campaigns, offer: int | None
) -> None:
    """It names the decision: the contact is answered, at its own customer's bill, and no money is
    held for it besides; nor again once the file is imported as it should be."""
    row, when = one_of(campaigns), NOW + timedelta(days=1)
    right = accepted(row["customer_id"], row["decision_id"], when, offer)
    misspelt = accepted("44", row["decision_id"], when, offer)
    campaigns.ledger.record([misspelt])
    report = status_of(campaigns, LATER, 5)
    assert (report["discounts_of_strangers"], report["strangers"]) == (0, [])
    assert [day["accepted"] for day in report["days"] if day["handed_over"]] == [1]
    campaigns.ledger.record([right, accepted("0044", row["decision_id"], when, offer)])
    assert status_of(campaigns, LATER, 5) == report
    campaigns.ledger.erase("44")
    campaigns.ledger.erase("0044")
    assert status_of(campaigns, LATER, 5) == report


def test_an_answer_that_names_another_customers_decision_stays_its_own(
    campaigns: Campaigns,
) -> None:
    """Whether id or decision is the wrong one, nobody knows, where both are known."""
    row, when = one_of(campaigns), NOW + timedelta(days=1)
    contacted = set(campaigns.ledger.histories())
    other = next(i for i in yearly_values(campaigns.predictions()) if i not in contacted)
    campaigns.ledger.record([accepted(other, row["decision_id"], when, 10)])
    report = status_of(campaigns, LATER, 5)
    value = yearly_values(campaigns.predictions())[other]
    assert report["other_discounts"] == pytest.approx(value / 10, abs=0.01)
    assert report["discounts_of_strangers"] == 0


def test_what_strangers_accepted_is_spent_and_named(
    campaigns: Campaigns, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who gives money has less of it, whoever has it; and who finds an id misspelt takes it out and
    imports it anew, and it counts once."""
    bare = status_of(campaigns, LATER, 5)
    show_status(bare)
    assert "predictions don't have" not in capsys.readouterr().out
    values = yearly_values(campaigns.predictions())
    given = sum(values.values()) / len(values) / 10
    campaigns.ledger.record([accepted("44", None, NOW + timedelta(days=1), 10)])
    report = status_of(campaigns, LATER, 1)  # the month's, too, though none of these days has it
    assert report["month"]["of_strangers"] == pytest.approx(given, abs=0.01)
    assert report["month"]["spent"] > bare["month"]["spent"]
    report = status_of(campaigns, LATER, 5)
    assert report["strangers"] == ["44"]
    show_status(report)
    said = capsys.readouterr().out
    assert "under ids that the latest predictions don't have, as '44', at the mean" in said
    assert f"spent ({given:,.2f} of it under ids that the predictions don't have), " in said
    campaigns.ledger.erase("44")
    assert status_of(campaigns, LATER, 5) == bare
