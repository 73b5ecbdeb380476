"""Which tellings are of one contact: a plan hands it over, the sending system reports it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from churn_assets.campaign.contacts.event import PLANNED, Event
from churn_assets.campaign.contacts.history import History
from churn_assets.campaign.spending import money_by_day

START = datetime(2026, 3, 2, 8, tzinfo=UTC)


def told(hours: float, kind: str = "sent", *, planned: bool = False, **said: Any) -> Event:
    """What happened so many hours after the start."""
    return Event(
        event_key=f"{PLANNED if planned else 'report:'}{kind}{hours}",
        customer_id="A",
        kind=kind,
        occurred_at=START + timedelta(hours=hours),
        **said,
    )


def contacts(*events: Event) -> list[tuple[float, str | None, bool]]:
    """Hours, channel, and whether a plan's, of each contact."""
    found = History.of(sorted(events, key=lambda event: event.occurred_at)).contacts
    return [((c.when - START) / timedelta(hours=1), c.channel, c.planned) for c in found]


MAIL = told(0, planned=True, channel="email", offer_percentage=5)


@pytest.mark.parametrize("hours", [-2.0, 0.5, 23.9])
@pytest.mark.parametrize("channel", ["email", None])
def test_a_report_of_a_contact_that_was_handed_over_is_no_other(
    hours: float, channel: str | None
) -> None:
    """The later time counts: no limit ends early."""
    assert contacts(MAIL, told(hours, channel=channel)) == [(max(0, hours), "email", True)]


def test_one_report_is_of_it_and_the_next_ones_are_contacts() -> None:
    """Calls that follow a campaign's mail day by day count for every cap."""
    calls = [told(12 + 23 * i, channel="call") for i in range(5)]
    assert len(contacts(MAIL, *calls)) == 6
    mails = [told(2 + 23 * i, channel="email") for i in range(3)]
    assert [hours for hours, _, _ in contacts(MAIL, *mails)] == [2, 25, 48]


def test_a_call_between_a_mail_and_its_report_is_another_contact() -> None:
    found = contacts(MAIL, told(1, channel="call"), told(2, channel="email"))
    assert found == [(2, "email", True), (1, "call", False)]


def test_a_late_report_takes_no_answer_from_the_call_before_it() -> None:
    """The call's acceptance is the call's, whenever the mail is reported."""
    events = [
        MAIL,
        told(0.5, "accepted"),
        told(1, channel="call", offer_percentage=15),
        told(2, channel=" EMail"),
        told(3, "accepted"),
    ]
    history = History.of(events)
    assert [each.percentage for each in history.acceptances] == [5, 15]
    assert [contact.answer for contact in history.contacts] == ["accepted", "accepted"]


def test_an_acceptance_is_of_the_call_that_it_followed() -> None:
    """At the call's percentage, not at that of the morning's mail."""
    call, yes = told(6, channel="call", offer_percentage=15), told(7, "accepted")
    history = History.of([MAIL, call, yes])
    assert [each.percentage for each in history.acceptances] == [15]
    assert [contact.answer for contact in history.contacts] == [None, "accepted"]


PLAN = Event(
    event_key=f"{PLANNED}P:A",
    customer_id="A",
    kind="sent",
    occurred_at=START,
    channel="email",
    offer_percentage=10,
    expected_cost=30.0,
)
NAMED: dict[str, Any] = {"decision_id": "P:A"}
MIDNIGHT = -8.0  # hours before the start


@pytest.mark.parametrize("named", [NAMED, {}])
@pytest.mark.parametrize(
    "reports",
    [
        [(1, "sent"), (3, "accepted")],
        [(3, "accepted")],
        [(MIDNIGHT, "sent"), (MIDNIGHT + 24, "accepted")],
        [(MIDNIGHT, "sent"), (MIDNIGHT, "accepted")],
        [(MIDNIGHT, "accepted")],
        [(-2, "sent"), (3, "accepted")],
        [(1, "sent"), (2, "refused"), (3, "accepted"), (4, "accepted")],
        [(2, "refused"), (3, "accepted"), (30, "refused")],
    ],
)
def test_a_discount_is_paid_once_however_it_is_reported(
    reports: list[tuple[float, str]], named: dict[str, Any]
) -> None:
    """Hours or days alone, before or behind the plan's hour, twice, or after a refusal; none of the
    reports says which discount it was."""
    events = [PLAN, *(told(hours, kind, **named) for hours, kind in reports)]
    history = History.of(sorted(events, key=lambda event: event.occurred_at))
    assert [(each.percentage, each.contact) for each in history.acceptances] == [(10, 0)]
    [contact] = history.contacts
    assert (contact.answer, contact.expected_cost) == ("accepted", 30.0)
    money = money_by_day({"A": history}, {"A": 1_200.0}, {}, UTC, START + timedelta(days=5), 12)
    assert [(day.cost, day.unanswered) for day in money.values() if day.planned] == [(120.0, 0.0)]
    assert sum(day.cost for day in money.values()) == 120.0


@pytest.mark.parametrize("days", [3, 40])
def test_a_discount_is_of_the_bill_that_the_plan_had(days: int) -> None:
    """However late it was accepted, and whatever is known of the customer today; of a contact that
    an earlier version handed over nobody knows it."""
    now, paid = START + timedelta(days=50), PLAN.model_copy(update={"cost_of_percent": 7.0})
    for plan, expected in ((paid, 70.0), (PLAN, 120.0)):
        history = History.of([plan, told(24.0 * days, "accepted", **NAMED)])
        for values in ({"A": 1_200.0}, {"B": 1_200.0}):
            money = money_by_day({"A": history}, values, {}, UTC, now, 12)
            assert sum(day.cost for day in money.values()) == expected


@pytest.mark.parametrize("hours", [27.0, 24.0 * 9, -30.0])
def test_a_report_that_names_its_decision_is_of_that_contact(hours: float) -> None:
    """However late it was sent."""
    events = [PLAN, told(hours, **NAMED), told(hours + 2, "accepted", **NAMED)]
    history = History.of(sorted(events, key=lambda event: event.occurred_at))
    assert len(history.contacts) == 1
    assert history.contacts[0].when == START + timedelta(hours=max(hours, 0))
    assert [each.percentage for each in history.acceptances] == [10]
    assert history.fields(START + timedelta(days=10), 7)["contacts_this_period"] == 1


def test_of_two_reports_of_a_decision_the_first_counts() -> None:
    again = [told(hours, **NAMED) for hours in (2, 50)]
    assert contacts(PLAN, *again) == [(2, "email", True)]
    served = [told(hours, decision_id="of /predict", channel="email") for hours in (2, 50)]
    assert contacts(*served) == [(2, "email", False)]


def test_an_answer_is_of_the_contact_that_it_names() -> None:
    """Though a later one was accepted meanwhile; what names none is of the last."""
    later = PLAN.model_copy(
        update={
            "event_key": f"{PLANNED}Q:A",
            "occurred_at": START + timedelta(days=8),
            "offer_percentage": 5,
        }
    )
    answers = [told(24 * 9, "accepted", decision_id="Q:A"), told(24 * 10, "accepted", **NAMED)]
    history = History.of([PLAN, later, *answers])
    assert [(each.percentage, each.contact) for each in history.acceptances] == [(5, 1), (10, 0)]
    history = History.of([PLAN, later, told(24 * 9, "accepted")])
    assert [(each.percentage, each.contact) for each in history.acceptances] == [(5, 1)]


@pytest.mark.parametrize("hours", [MIDNIGHT, 3.0])
def test_a_named_answer_passes_over_an_older_contact_of_nobody_knows_what(hours: float) -> None:
    """Also where it has a day alone, and so comes before its contact; it answers the older one
    only where its own never comes."""
    older, yes = told(-240, channel="email", offer_percentage=5), told(hours, "accepted", **NAMED)
    events = sorted([older, PLAN, yes], key=lambda event: event.occurred_at)
    assert [(each.percentage, each.contact) for each in History.of(events).acceptances] == [(10, 1)]
    events.remove(PLAN)
    assert [(each.percentage, each.contact) for each in History.of(events).acceptances] == [(5, 0)]


def test_reports_of_two_decisions_are_two_contacts() -> None:
    """Also within an hour, by one channel."""
    other = told(1, channel="email", decision_id="of /predict")
    assert contacts(PLAN, other) == [(0, "email", True), (1, "email", False)]


def test_an_answer_to_a_decision_that_nobody_sent_takes_no_contact_s_place() -> None:
    history = History.of(
        [PLAN, told(3, "accepted", decision_id="of /predict", offer_percentage=15)]
    )
    assert [(each.percentage, each.contact) for each in history.acceptances] == [(15, None)]
    assert history.contacts[0].answer is None


def test_an_hour_before_a_contact_answers_nothing() -> None:
    """Only a day alone may be of what was sent later on it, and nothing is of the day before's."""
    early = told(-2 + 1 / 60, "accepted", offer_percentage=5)
    assert History.of([early, PLAN]).contacts[0].answer is None
    day_before = told(MIDNIGHT - 24, "accepted", offer_percentage=5)
    history = History.of([day_before, PLAN])
    assert history.contacts[0].answer is None
    assert [(each.percentage, each.contact) for each in history.acceptances] == [(5, None)]


def test_the_channel_is_the_one_that_was_used() -> None:
    """A customer whom the plan mails may have been called in the end."""
    assert contacts(PLAN, told(1, channel="call", **NAMED)) == [(1, "call", True)]
