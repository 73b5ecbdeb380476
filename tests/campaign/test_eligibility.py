"""Who is left out, by which rule, and when the others may be contacted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from churn_assets.campaign.config import Channel
from churn_assets.campaign.contacts.event import Event
from churn_assets.campaign.contacts.history import Erasure, History
from churn_assets.campaign.eligibility import Crowd, Terms, Window, eligible
from churn_assets.campaign.errors import CampaignError
from churn_assets.campaign.people import Person
from churn_assets.domain.contact_rules import RULES, Cap, ContactRules
from churn_assets.messages.shield.rules import QuietHours

NOW = datetime(2026, 3, 10, 6, tzinfo=UTC)
DAYS = [date(2026, 3, 10) + timedelta(days=i) for i in range(3)]
CHANNELS = {
    "email": Channel(contacts_a_day=9),
    "call": Channel(contacts_a_day=9, hours=(9, 20)),
}


ONE_A_QUARTER = Cap(contacts=1, days=90)


def contacted(days: float, channel: str = "email") -> Event:
    """A contact so many days ago."""
    return Event(
        event_key=f"e{days}{channel}",
        customer_id="A",
        kind="sent",
        occurred_at=NOW - timedelta(days=days),
        channel=channel,
    )


def complaint(days: float) -> Event:
    """A complaint so many days ago."""
    return contacted(days).model_copy(update={"kind": "complained"})


def churned(days: float) -> Event:
    """A report of so many days ago that they have left."""
    return contacted(days).model_copy(update={"kind": "churned"})


def outcome(
    person: Person | None = None,
    events: tuple[Event, ...] = (),
    *,
    rules: Mapping[str, Any] | None = None,
    tenure: int = 12,
    control: bool = False,
    erased: datetime | Erasure | None = None,
    suppressed: frozenset[str] = frozenset(),
    zones: tuple[str, ...] = ("Europe/Madrid",),
) -> tuple[str | None, list[list[bool]]]:
    """The rule that leaves one customer out, and the days and channels that are open to them."""
    crowd = Crowd(
        ["A"],
        np.array([tenure]),
        np.array([50.0]),
        {"A": person} if person else {},
        {"A": History.of(events)} if events else {},
        np.array([control]),
        {"A": Erasure(erased) if isinstance(erased, datetime) else erased} if erased else {},
    )
    terms = Terms(
        ContactRules(**(rules or {})),
        CHANNELS,
        DAYS,
        suppressed,
        QuietHours(start=22, end=8),
        zones,
        NOW,
    )
    found = eligible(crowd, terms)
    rule = int(found.rule[0])
    assert found.counts() == ({} if rule < 0 else {list(RULES)[rule]: 1})
    return (None if rule < 0 else list(RULES)[rule]), found.open[0].tolist()


ALL_DAYS = [[True, True]] * 3


@pytest.mark.parametrize(
    ("named", "given"),
    [
        ("churned", {"events": (churned(3),)}),
        ("churned", {"events": (churned(3),), "control": True}),
        ("opt_out", {"person": Person(opt_out=True)}),
        ("opt_out", {"events": (contacted(90).model_copy(update={"kind": "opted_out"}),)}),
        ("opt_out", {"erased": Erasure(NOW - timedelta(days=900), opted_out=True)}),
        ("consent", {"person": Person(consent=False)}),
        ("consent", {"rules": {"consent_needed": True}}),
        ("suppression_list", {"suppressed": frozenset("A")}),
        ("erased", {"erased": NOW - timedelta(days=30)}),
        ("erased", {"erased": NOW - timedelta(days=80), "rules": {"caps": [ONE_A_QUARTER]}}),
        ("erased", {"erased": NOW - timedelta(days=30), "control": True}),
        ("control_group", {"control": True}),
        ("complaint", {"person": Person(complained_on=date(2026, 3, 1))}),
        ("complaint", {"events": (complaint(89),)}),
        (
            "complaint",
            {"erased": Erasure(NOW - timedelta(days=40), False, complaint(89).occurred_at)},
        ),
        ("minimum_tenure", {"rules": {"minimum_tenure": 13}}),
        ("minimum_value", {"rules": {"minimum_monthly_value": 50.01}}),
        ("blackout_dates", {"rules": {"blackout_dates": DAYS}}),
        ("cooldown", {"events": (contacted(1),)}),
        ("cooldown", {"events": (contacted(-5),)}),
        ("caps", {"events": (contacted(8), contacted(16), contacted(24))}),
        ("caps", {"rules": {"caps": [Cap(contacts=0, days=1)]}}),
        ("quiet_hours", {"zones": ("Pacific/Kiritimati", "Pacific/Midway")}),
    ],
)
def test_each_rule_leaves_out_and_is_named(named: str, given: dict[str, Any]) -> None:
    """What the contact list's reader asks first: why isn't this customer in it?"""
    rule, days = outcome(**given)
    assert rule == named
    assert not np.any(days)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"person": Person(opt_out=False, consent=True), "rules": {"consent_needed": True}},
        {"suppressed": frozenset("B")},
        {"person": Person(complained_on=date(2025, 3, 1))},
        {"events": (churned(30), complaint(2).model_copy(update={"kind": "opted_in"}))},
        {"events": (churned(30), complaint(2).model_copy(update={"kind": "accepted"}))},
        {"events": (complaint(91),)},
        {"events": (complaint(1),), "rules": {"complaint_days": 0}},
        {"rules": {"minimum_tenure": 12, "minimum_monthly_value": 50}},
        {"events": (contacted(7),)},
        {"events": (contacted(8), contacted(16), contacted(31))},
    ],
)
def test_who_just_fits_is_not_left_out(given: dict[str, Any]) -> None:
    """A rule's edge."""
    assert outcome(**given) == (None, ALL_DAYS)


def test_rules_of_days_and_channels_close_only_these() -> None:
    """A cooldown that ends, a blackout of one day, a cap on one channel."""
    assert outcome(events=(contacted(6),))[1] == [[False] * 2, [True] * 2, [True] * 2]
    assert outcome(rules={"blackout_dates": [DAYS[1]]})[1] == [[True] * 2, [False] * 2, [True] * 2]
    capped = {"caps": [Cap(contacts=1, days=30, channel="call")]}
    assert outcome(events=(contacted(10, "call"),), rules=capped) == (None, [[True, False]] * 3)
    capped = {"caps": [Cap(contacts=1, days=11, channel="call")]}
    assert outcome(events=(contacted(10, "call"),), rules=capped)[1][2] == [True, True]


def test_a_week_is_a_week_in_auckland() -> None:
    """A contact in the morning there was yesterday's in UTC: the cooldown and the caps end when the
    customer's own calendar says so."""
    morning = contacted(7).model_copy(update={"occurred_at": datetime(2026, 3, 3, 20, tzinfo=UTC)})
    there, weekly = Person(zone="Pacific/Auckland"), {"caps": [Cap(contacts=1, days=7)]}
    for rules in (None, {"cooldown_days": 0} | weekly):
        days = outcome(there, (morning,), rules=rules)[1]
        assert [any(day) for day in days] == [False, True, True]
        days = outcome(None, (morning,), rules=rules, zones=("Pacific/Auckland",))[1]
        assert [any(day) for day in days] == [False, True, True]
        assert any(outcome(Person(zone="Europe/Madrid"), (morning,), rules=rules)[1][0])


def test_a_contact_whose_channel_nobody_told_counts_for_each() -> None:
    """No cap is passed by leaving a field out."""
    untold = contacted(10).model_copy(update={"channel": None})
    capped = {"caps": [Cap(contacts=1, days=30, channel="call")]}
    assert outcome(events=(untold,), rules=capped) == (None, [[True, False]] * 3)
    capped = {"caps": [Cap(contacts=1, days=30, channel=name) for name in CHANNELS]}
    assert outcome(events=(untold,), rules=capped)[0] == "caps"


def test_a_cap_on_a_channel_that_is_none_is_an_error() -> None:
    """It would never hold anybody back; nobody would notice."""
    with pytest.raises(CampaignError, match=r"channel 'phone', which is none of email, call"):
        outcome(rules={"caps": [Cap(contacts=1, days=30, channel="phone")]})


def terms(*zones: str, now: datetime = NOW) -> Terms:
    """With customers in these zones."""
    quiet = QuietHours(start=22, end=8)
    return Terms(ContactRules(), CHANNELS, DAYS, frozenset(), quiet, zones, now)


def test_on_some_days_nobody_is_due() -> None:
    """Though it is known where everybody lives."""
    none = np.array([])
    crowd = Crowd([], none, none, {"A": Person(zone="Asia/Tokyo")}, {}, none.astype(bool), {})
    assert eligible(crowd, terms("UTC")).open.shape == (0, len(DAYS), len(CHANNELS))


def test_hours_are_those_of_the_customers_own_zone() -> None:
    """Quiet hours end at eight there; calls have hours of their own."""
    email, call = terms("UTC").windows("Asia/Tokyo")[1]
    assert email is not None
    assert call is not None
    assert [t.isoformat() for t in email] == [
        "2026-03-11T08:00:00+09:00",
        "2026-03-11T22:00:00+09:00",
    ]
    assert [t.isoformat() for t in call] == [
        "2026-03-11T09:00:00+09:00",
        "2026-03-11T20:00:00+09:00",
    ]


def test_an_unknown_zone_leaves_the_hours_that_all_zones_allow() -> None:
    """From New York's morning to Madrid's evening, in UTC; it isn't silently one of them."""
    email, _ = terms("Europe/Madrid", "America/New_York").windows(None)[1]
    assert email == Window(
        datetime(2026, 3, 11, 12, tzinfo=UTC), datetime(2026, 3, 11, 21, tzinfo=UTC)
    )
    assert terms("Europe/Madrid", "Asia/Tokyo", "America/New_York").windows(None)[1][1] is None


def test_what_is_left_of_today_begins_now() -> None:
    """An hour that has passed is offered to nobody."""
    at_noon = NOW.replace(hour=12)
    email, _ = terms("UTC", now=at_noon).windows("UTC")[0]
    assert email == Window(at_noon, at_noon.replace(hour=22))
    late = NOW.replace(hour=21, minute=45)
    assert terms("UTC", now=late).windows("UTC")[0] == [None, None]


def test_the_clocks_change(tmp_path: Path) -> None:
    """On the day on which an hour lacks, nine o'clock is still nine o'clock."""
    spring = Terms(
        ContactRules(), CHANNELS, [date(2026, 3, 29)], frozenset(),
        QuietHours(start=22, end=8), ("UTC",), NOW,
    )  # fmt: skip
    _, call = spring.windows("Europe/Madrid")[0]
    assert call is not None
    assert call.not_before.isoformat() == "2026-03-29T09:00:00+02:00"
