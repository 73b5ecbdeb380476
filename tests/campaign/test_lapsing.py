"""Who approves a plan of many days is told that it is sent for few hours."""

from __future__ import annotations

from datetime import timedelta

import pytest

from churn_assets.campaign.errors import CampaignError
from churn_assets.campaign.lapsing import lapses
from tests.campaign.test_workflow import NOW, TODAY, Desk, desk

__all__ = ["desk"]  # a fixture


def test_the_sentence_says_when_and_how_many(desk: Desk) -> None:
    """Made at six, for eight contacts a day: until the next day at six in the evening two days can
    be sent, and five can't."""
    campaigns = desk()
    plan = campaigns.plan(NOW, "Ana", curves=False)
    assert lapses(plan, campaigns.config.max_age_hours) == (
        "Its lists can be taken until 2026-03-11 18:00, 36 hours after it was made: plan and "
        "approve again every day, which keeps what it promises, or its 40 contacts of later days "
        "lapse."
    )
    campaigns.approve(None, "Eva", NOW)
    assert campaigns.export(None, TODAY + timedelta(days=1), NOW + timedelta(hours=36)).rows
    with pytest.raises(CampaignError, match="37 hours old, and 36 are allowed"):
        campaigns.export(None, TODAY + timedelta(days=2), NOW + timedelta(hours=37))


@pytest.mark.parametrize(("days", "hours"), [(1, 12.0), (2, 36.0), (7, 200.0)])
def test_nothing_is_said_of_a_plan_that_can_be_sent_to_its_end(
    desk: Desk, days: int, hours: float
) -> None:
    campaigns = desk(days=days, max_age_hours=hours)
    assert lapses(campaigns.plan(NOW, "Ana", curves=False), hours) is None
