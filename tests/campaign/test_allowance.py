"""What accepted discounts leave of a customer's allowance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from churn_assets.campaign.contacts.event import Event
from churn_assets.campaign.contacts.history import History

NOW = datetime(2026, 3, 21, 6, tzinfo=UTC)


def accepted(*, days_ago: int, percentage: int) -> Event:
    """A discount that a customer took."""
    return Event(
        event_key="A",
        customer_id="A",
        kind="accepted",
        occurred_at=NOW - timedelta(days=days_ago),
        channel="email",
        offer_percentage=percentage,
    )


def test_an_allowance_is_used_by_the_months_that_a_discount_lasts() -> None:
    """15 % for a year leave a quarter of 20 % of a year's price; for half a year five eighths; for
    two years nothing."""
    history = History.of([accepted(days_ago=1, percentage=15)])
    left = [history.budget_remaining(NOW, 0.2, months) for months in (6, 12, 24)]
    assert left == pytest.approx([0.625, 0.25, 0.0])


@pytest.mark.parametrize(("months", "ends"), [(1, 31), (6, 183), (12, 366)])
def test_a_running_discount_uses_its_allowance_until_it_ends(months: int, ends: int) -> None:
    """Not only in the period of its acceptance: a month later the whole allowance was there again,
    and a second discount of a year was offered beside the first."""
    history = History.of([accepted(days_ago=40, percentage=10)])
    left = history.budget_remaining(NOW, 0.2, months)
    assert left == pytest.approx(1.0 if months == 1 else 1 - 0.1 * months / 12 / 0.2)
    later = NOW - timedelta(days=40) + timedelta(days=ends)
    assert history.budget_remaining(later, 0.2, months) == 1.0
