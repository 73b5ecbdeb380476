"""Which tellings are of one contact: a plan hands it over, the sending system reports it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from churn_assets.campaign.contacts.history import PLANNED, Event, History

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
    assert [percentage for _, percentage in history.acceptances] == [5, 15]
    assert [contact.answer for contact in history.contacts] == ["accepted", "accepted"]


def test_an_acceptance_is_of_the_call_that_it_followed() -> None:
    """At the call's percentage, not at that of the morning's mail."""
    call, yes = told(6, channel="call", offer_percentage=15), told(7, "accepted")
    history = History.of([MAIL, call, yes])
    assert [percentage for _, percentage in history.acceptances] == [15]
    assert [contact.answer for contact in history.contacts] == [None, "accepted"]
