"""A contact that was handed over and never made counts for nothing: `not_sent`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_assets.campaign.contacts.event import PLANNED, SAME_INSTANT, Event, Kind
from churn_assets.campaign.contacts.history import History
from churn_assets.campaign.spending import money_by_day

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
NAMED: dict[str, Any] = {"decision_id": "P:A"}
MIDNIGHT = -8.0  # hours before the start


def plan(hours: float = 0, name: str = "P", channel: str = "email", cost: float = 30.0) -> Event:
    """A contact that a plan handed over, for so many hours after the start."""
    return Event(
        event_key=f"{PLANNED}{name}:A",
        customer_id="A",
        kind="sent",
        occurred_at=START + timedelta(hours=hours),
        channel=channel,
        offer_percentage=10,
        expected_cost=cost,
    )


def told(hours: float, kind: Kind = "not_sent", **said: Any) -> Event:
    """What was reported of so many hours after the start."""
    return Event(
        event_key=f"report:{kind}{hours}{sorted(said.items())}",
        customer_id="A",
        kind=kind,
        occurred_at=START + timedelta(hours=hours),
        **said,
    )


def history_of(*events: Event) -> History:
    """As the ledger reads it: a key once, the oldest first."""
    once = {event.event_key: event for event in events}.values()
    return History.of(
        sorted(once, key=lambda e: (e.occurred_at, SAME_INSTANT.index(e.kind), e.event_key))
    )


def hours_of(history: History) -> list[float]:
    """Hours after the start of each contact that counts."""
    return [(contact.when - START) / timedelta(hours=1) for contact in history.contacts]


@pytest.mark.parametrize("named", [NAMED, {}])
@pytest.mark.parametrize("hours", [MIDNIGHT, -0.9, 0.0, 5.0, 24.0 * 20])
@pytest.mark.parametrize("channel", [None, " EMail"])
def test_a_contact_that_was_never_made_counts_for_nothing(
    hours: float, named: dict[str, Any], channel: str | None
) -> None:
    """No cap, no cooldown, no money, and nothing that `POST /predict` would be told. Its report may
    come before the contact's hour: a list is taken, and an address refused."""
    history = history_of(plan(), told(hours, channel=channel, **named))
    now = START + timedelta(days=21)
    assert history.contacts == ()
    assert history.days([]) == []
    assert history.fields(now, 7) == History().fields(now, 7)
    assert money_by_day({"A": history}, {"A": 1_200.0}, {"email": 1.0}, UTC, now, 12) == {}
    assert [(c.decision_id, c.expected_cost) for c in history.not_sent] == [("P:A", 30.0)]


@pytest.mark.parametrize(
    "report",
    [
        told(2, channel="call"),
        told(24 * 31),
        told(-24),
        told(2, decision_id="Q:A"),
        told(2, decision_id="P:B"),
    ],
    ids=["another channel", "a month later", "a day before", "another decision", "no decision"],
)
def test_what_is_of_no_contact_takes_none_back(report: Event) -> None:
    assert hours_of(history_of(plan(), report)) == [0]


def test_a_mail_that_came_back_after_it_was_sent_was_not_made() -> None:
    """By the decision's name, whoever reported the sending how."""
    for sent in (told(1, "sent", **NAMED), told(1, "sent"), told(MIDNIGHT, "sent", **NAMED)):
        history = history_of(plan(), sent, told(1, **NAMED))
        assert (history.contacts, len(history.not_sent)) == ((), 1)
    served = [
        told(hours, kind, decision_id="one") for hours, kind in ((1, "sent"), (2, "not_sent"))
    ]
    assert history_of(*served).contacts == ()


def test_in_doubt_a_contact_counts() -> None:
    """A report that names no decision says nothing against one as sent, nor anything of an older
    contact."""
    week = 7 * 24
    events = [plan(), plan(week, "Q"), told(week + 1, "sent"), told(week + 2)]
    assert hours_of(history_of(*events)) == [0, week + 1]
    days = [plan(), told(MIDNIGHT, "sent"), told(MIDNIGHT)]
    assert hours_of(history_of(*days)) == [0]


def test_without_a_name_it_is_of_the_nearest_contact() -> None:
    """Where days are told, of the one that came later on that day, not of last week's; said twice,
    by two systems, it takes no second one back."""
    week = 7 * 24
    for hours in (week + MIDNIGHT, week - 1, week + 5):
        found = history_of(plan(), plan(week, "Q"), told(hours), told(hours, channel="email"))
        assert hours_of(found) == [0]
    assert hours_of(
        history_of(plan(), plan(week, "Q", "call"), told(week + 5, channel="email"))
    ) == [week]


@pytest.mark.parametrize("named", [NAMED, {}])
@pytest.mark.parametrize("again", [NAMED, {}])
def test_another_try_that_worked_counts_as_sent(
    named: dict[str, Any], again: dict[str, Any]
) -> None:
    """At its own time: no limit ends early. Also where the first try was reported as sent."""
    tried = [plan(), told(2, **named), told(20, "sent", **again)]
    for events in (tried, [*tried, told(1, "sent")] if named else tried):
        history = history_of(*events)
        assert hours_of(history) == [20]
        [contact] = history.contacts
        assert (contact.decision_id, contact.confirmed, history.not_sent) == ("P:A", True, ())


def test_the_last_word_holds() -> None:
    words = [told(1, "sent", **NAMED), told(2, **NAMED), told(50, "sent", **NAMED)]
    assert hours_of(history_of(plan(), *words)) == [50]
    assert hours_of(history_of(*words)) == [50]
    assert hours_of(history_of(plan(), *words, told(60, **NAMED))) == []
    assert hours_of(history_of(plan(), *words, told(60))) == [50]


@pytest.mark.parametrize("kind", ["accepted", "refused"])
@pytest.mark.parametrize("hours", [1.0, 5.0, 3.0])
def test_who_answered_was_contacted(kind: Kind, hours: float) -> None:
    """Before or after somebody said otherwise, or at that instant."""
    history = history_of(plan(), told(3, **NAMED), told(hours, kind, **NAMED))
    assert [(c.answer, c.expected_cost) for c in history.contacts] == [(kind, 30.0)]
    assert [(a.percentage, a.contact) for a in history.acceptances] == [(10, 0)][
        : kind == "accepted"
    ]


def test_an_answer_without_a_name_is_of_the_contact_before() -> None:
    """And of none where there was none: what a contact that was never made promised is nothing."""
    week = 7 * 24
    yes = told(week + 8, "accepted", offer_percentage=5)
    never = told(week + 1, decision_id="Q:A")
    history = history_of(plan(), plan(week, "Q"), never, yes)
    assert [(c.decision_id, c.answer) for c in history.contacts] == [("P:A", "accepted")]
    alone = history_of(plan(week, "Q"), never, told(week + 8, "accepted"))
    assert [(a.percentage, a.contact) for a in alone.acceptances] == [(0, None)]
    assert alone.contacts == ()


def test_acceptances_keep_their_contacts() -> None:
    """Though one before them never was."""
    week = 7 * 24
    history = history_of(
        plan(), told(1, **NAMED), plan(week, "Q"), told(week + 1, "accepted", decision_id="Q:A")
    )
    assert [(a.percentage, a.contact) for a in history.acceptances] == [(10, 0)]


REPORTS = st.builds(
    lambda hours, kind, said: told(hours, kind, **said),
    st.sampled_from([MIDNIGHT, 1.0, 1.0, 3.0, 30.0, 24.0 * 7 + 1, 24.0 * 8]),
    st.sampled_from(["sent", "not_sent", "not_sent", "accepted", "refused"]),
    st.sampled_from([{}, NAMED, {"decision_id": "Q:A"}, {"channel": "email"}]),
)


@settings(max_examples=300, deadline=None)
@given(reports=st.lists(REPORTS, max_size=7), data=st.data())
def test_reports_are_counted_once_in_whatever_order_they_came(
    reports: list[Event], data: st.DataObject
) -> None:
    """Of `not_sent` also where another key has it: told by a file as well as by a caller."""
    plans = [plan(), plan(24 * 7, "Q")]
    expected = history_of(*plans, *reports)
    by_file = [
        event.model_copy(update={"event_key": f"import:{event.event_key}"})
        for event in reports
        if event.kind == "not_sent"
    ]
    again = data.draw(st.lists(st.sampled_from([*plans, *reports, *by_file]), max_size=9))
    events = data.draw(st.permutations([*plans, *reports, *again]))
    assert history_of(*events) == expected
    every = {*expected.contacts, *expected.not_sent}
    assert {"P:A", "Q:A"} <= {contact.decision_id for contact in every}
    assert len(every) == len(expected.contacts) + len(expected.not_sent)
    for accepted in expected.acceptances:
        if accepted.contact is not None:
            assert expected.contacts[accepted.contact].answer == "accepted"
    assert all(contact.answer is None for contact in expected.not_sent)
