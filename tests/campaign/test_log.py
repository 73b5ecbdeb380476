"""From feedback events to the campaign log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from api.routes.feedback import FeedbackEvent
from churn_assets.campaign.contacts.event import ANSWERS, PERIOD, Event, Kind
from churn_assets.campaign.contacts.history import History
from churn_assets.campaign.contacts.log import campaign_rows
from churn_assets.datasets.errors import DataError
from churn_assets.domain.events import EVENT_KINDS, EventKind
from churn_assets.predictors.scoring.features import PricePressure
from churn_assets.predictors.training.campaign_log import campaign_log, write_log
from churn_assets.predictors.training.offer_response import ROWS_PER_OFFER

NOW = datetime(2026, 4, 1, tzinfo=UTC)
CUSTOMERS = {
    name: {"partner": None, "monthly_charges": 70.0}
    for name in ("C1", "C2", *(f"N{i}" for i in range(4 * ROWS_PER_OFFER)))
}


def event(
    customer: str, kind: str, when: str, offer: int | None = None, channel: str | None = None
) -> dict[str, Any]:
    """As the log keeps it."""
    parsed = FeedbackEvent.model_validate(
        {
            "event_id": "e1",
            "customer_id": customer,
            "kind": kind,
            "occurred_at": when,
            "offer_percentage": offer,
            "channel": channel,
        }
    )
    return parsed.model_dump(mode="json")


def test_answers_become_rows_with_the_history_at_the_contact() -> None:
    """What the model learns from is what was known when the offer was made, not afterwards."""
    rows = campaign_rows(
        [
            event("C1", "accepted", "2026-03-03T09:00:00Z"),
            event("C1", "sent", "2026-01-01T09:00:00Z", 5),
            event("C1", "refused", "2026-01-02T09:00:00Z"),
            event("C1", "sent", "2026-02-20T09:00:00Z", 0),
            event("C1", "sent", "2026-03-02T10:00:00+01:00", 10),
        ],
        CUSTOMERS,
        NOW,
    ).rows
    told = ("offer_level", "accepted", "contacts_this_period", "days_since_contact")
    assert [[row[name] for name in told] for row in rows] == [[1, False, 0, None], [2, True, 1, 10]]
    assert [row["previous_contacts"] for row in rows] == [0, 1]
    assert [row["previous_outcome"] for row in rows] == ["nonexistent", "failure"]
    assert {row["customer"] for row in rows} == {"0"}  # both of one customer, who isn't named


GAPS = [timedelta(hours=1), timedelta(days=9), timedelta(days=20), PERIOD, timedelta(days=31)]
STEPS = st.tuples(st.sampled_from(["sent", "sent", "accepted", "refused"]), st.sampled_from(GAPS))


@settings(max_examples=200, deadline=None)
@given(steps=st.lists(STEPS, max_size=8))
@example(steps=[("sent", GAPS[0]), ("accepted", GAPS[1]), ("sent", GAPS[1]), ("refused", GAPS[0])])
@example(steps=[("sent", PERIOD), ("sent", PERIOD), ("accepted", GAPS[0])])
def test_only_who_was_not_contacted_before_has_no_outcome(
    steps: list[tuple[Kind, timedelta]],
) -> None:
    """Whatever happened, the fields don't contradict each other, and what is learnt from has them
    as a decision at that moment would have had them. Why: an acceptance of this period was a
    success of no contact, and both training and warnings forbid that."""
    when, known, expected = datetime(2024, 1, 1, tzinfo=UTC), list[Event](), []
    fields = ("previous_contacts", "previous_outcome")
    for i, (kind, gap) in enumerate(steps):
        when += gap
        told = History.of(known).fields(when, cooldown_days=7)
        assert (told["previous_contacts"] == 0) == (told["previous_outcome"] == "nonexistent")
        if kind == "sent" and steps[i + 1 : i + 2] and steps[i + 1][0] in ANSWERS:
            expected.append([told[name] for name in fields])
        known.append(Event(event_key=str(i), customer_id="C1", kind=kind, occurred_at=when))
    events = [event("C1", told.kind, told.occurred_at.isoformat(), 5) for told in known]
    rows = campaign_rows(events, CUSTOMERS, NOW).rows
    assert [[row[name] for name in fields] for row in rows] == expected


@pytest.mark.parametrize(
    "events",
    [
        [event("C1", "sent", "2026-01-01T09:00:00Z", 5)],
        [event("C1", "accepted", "2026-01-01T09:00:00Z", 5)],
        [event("C1", "churned", "2026-01-01T09:00:00Z")],
        [
            event("C1", "sent", "2026-01-01T09:00:00Z"),
            event("C1", "accepted", "2026-01-02T09:00:00Z"),
        ],
        [
            event("STRANGER", "sent", "2026-01-01T09:00:00Z", 5),
            event("STRANGER", "accepted", "2026-01-02T09:00:00Z"),
        ],
    ],
    ids=["unanswered", "unasked", "churned", "unknown offer", "unknown customer"],
)
def test_what_tells_nothing_is_no_row(events: list[dict[str, Any]]) -> None:
    """A guess in place of a missing answer, offer or customer would be learnt as a fact."""
    assert campaign_rows(events, CUSTOMERS, NOW)[:3] == ([], [], [])


def test_answers_of_customers_who_are_not_known_any_more_are_counted() -> None:
    """Who left is in no prediction: without a word, those who stayed would pass for all."""
    events = [
        event("GONE", "sent", "2026-01-01T09:00:00Z", 5),
        event("GONE", "refused", "2026-01-02T09:00:00Z"),
        event("GONE", "refused", "2026-01-03T09:00:00Z"),
    ]
    assert campaign_rows(events, CUSTOMERS, NOW) == ([], [], [], 1, 0, 0, 0)


def test_an_answer_to_what_is_not_offered_any_more_is_counted_and_no_row() -> None:
    """No level means 20 %: as one that does it would be learnt wrongly, and left out without a word
    nobody would know. As history it counts."""
    old = [
        event("C1", "sent", "2026-01-01T09:00:00Z") | {"offer_percentage": 20},
        event("C1", "accepted", "2026-01-02T09:00:00Z"),
        event("C1", "sent", "2026-02-20T09:00:00Z", 10),
        event("C1", "refused", "2026-02-21T09:00:00Z"),
    ]
    result = campaign_rows(old, CUSTOMERS, NOW)
    assert result.unoffered == [20]
    [row] = result.rows
    assert (row["offer_level"], row["previous_outcome"]) == (2, "success")


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize(
    ("channel", "learnt"), [("cellular", "cellular"), ("email", None), (None, None)]
)
def test_an_answer_of_the_contacts_own_instant_is_its_answer(
    first: int, channel: str | None, learnt: str | None
) -> None:
    """Why: bare dates are all of one time, and answers that came first in the store were lost."""
    both = [
        event("C1", "sent", "2026-01-01T09:00:00Z", 5, channel),
        event("C1", "accepted", "2026-01-01T09:00:00Z"),
    ]
    [row] = campaign_rows([both[first], both[1 - first]], CUSTOMERS, NOW).rows
    assert (row["offer_level"], row["accepted"], row["contact_channel"]) == (1, True, learnt)


@pytest.mark.parametrize("kind", EVENT_KINDS)
def test_every_kind_of_event_may_be_in_the_log(kind: EventKind) -> None:
    """Why: one report of a delivery kept all answers from being learnt from."""
    events = [
        event("C1", "sent", "2026-01-01T09:00:00Z", 5),
        event("C2", kind, "2026-01-01T09:00:00Z"),
        event("C1", "accepted", "2026-01-01T09:00:00Z"),
    ]
    [row] = campaign_rows(events, CUSTOMERS, NOW).rows
    assert (row["offer_level"], row["accepted"]) == (1, True)


@pytest.mark.parametrize("year", ["0001", "9999"])
def test_events_of_impossible_years_are_left_out_and_named(year: str) -> None:
    """A default date would be learnt as 739,616 days since the last contact."""
    events = [
        {**event("C1", "sent", "2026-01-01T09:00:00Z", 5), "event_id": name, "occurred_at": when}
        for name, when in (("e1", f"{year}-01-01T00:00:00Z"), ("e2", "2026-01-01T09:00:00Z"))
    ]
    events.append(event("C1", "accepted", "2026-01-02T09:00:00Z"))
    result = campaign_rows(events, CUSTOMERS, NOW)
    assert result.misdated == ["e1"]
    [row] = result.rows
    assert (row["days_since_contact"], row["previous_contacts"]) == (None, 0)


def test_a_clock_that_is_a_little_ahead_loses_nothing() -> None:
    """Callers' clocks differ by minutes, and their answers are real."""
    events = [
        event("C1", "sent", "2026-03-31T23:00:00Z", 5),
        event("C1", "accepted", "2026-04-01T00:10:00Z"),
    ]
    assert len(campaign_rows(events, CUSTOMERS, NOW).rows) == 1


@pytest.mark.parametrize("suffix", [".csv", ".CSV", ".csv.gz", ".parquet"])
def test_the_log_is_one_that_the_accept_model_takes(suffix: str, tmp_path: Path) -> None:
    """The schema is `offer_response`'s own, at every offer level."""
    events = []
    for number in range(4 * ROWS_PER_OFFER):
        events.append(event(f"N{number}", "sent", "2026-01-01T09:00:00Z", 5 * (number % 4)))
        kind = "accepted" if number % 3 else "refused"
        events.append(event(f"N{number}", kind, "2026-01-02T09:00:00Z"))
    write_log(campaign_rows(events, CUSTOMERS, NOW).rows, tmp_path / f"contacts{suffix}")
    log = campaign_log(tmp_path, PricePressure((20.0, 60.0, 90.0, 120.0)))
    assert len(log) == 4 * ROWS_PER_OFFER
    assert set(log["offer_level"]) == {0, 1, 2, 3}
    assert log["accepted"].mean() == pytest.approx(2 / 3, abs=0.01)
    assert log["contact_channel"].isna().all()


def test_a_name_of_no_known_format_is_refused(tmp_path: Path) -> None:
    """Parquet under another name was a file that nothing opened."""
    with pytest.raises(DataError, match=r"end in \.csv, \.csv\.gz or \.parquet"):
        write_log([{"accepted": True}], tmp_path / "log.xlsx")
    assert list(tmp_path.iterdir()) == []


def told(kind: str, when: str, decision: str, offer: int | None = None) -> dict[str, Any]:
    return event("C1", kind, when, offer) | {"decision_id": decision}


def test_an_answer_that_names_its_decision_is_to_what_that_offered() -> None:
    """Refusals rarely say what was refused: without them everybody accepted."""
    events = [
        told("sent", "2026-01-01T09:00:00Z", "a"),
        told("refused", "2026-01-02T09:00:00Z", "a"),
        told("sent", "2026-02-01T09:00:00Z", "b"),
        told("accepted", "2026-02-02T09:00:00Z", "b", 15),
        told("sent", "2026-03-01T09:00:00Z", "c"),
        told("refused", "2026-03-02T09:00:00Z", "c"),
    ]
    found = campaign_rows(events, CUSTOMERS, NOW, offered={"a": 10, "b": 5})
    assert [(row["offer_level"], row["accepted"]) for row in found.rows] == [(2, False), (3, True)]
    assert found.untold == 1


def test_who_says_nothing_does_not_accept() -> None:
    """Once the time to answer is over; until then nothing is known."""
    events = [
        event("C1", "sent", "2026-01-01T09:00:00Z", 5),
        event("C2", "sent", "2026-01-20T09:00:00Z", 10),
        event("C2", "accepted", "2026-01-22T09:00:00Z"),
        event("C1", "sent", "2026-03-20T09:00:00Z", 10),
        event("C2", "sent", "2026-03-20T09:00:00Z", 10),
        event("C2", "accepted", "2026-03-21T09:00:00Z"),
    ]
    assert len(campaign_rows(events, CUSTOMERS, NOW).rows) == 2
    found = campaign_rows(events, CUSTOMERS, NOW, answer_days=30)
    assert [(row["offer_level"], row["accepted"]) for row in found.rows] == [(2, True), (1, False)]
    assert (found.unanswered, found.early) == (1, 2)
    never = (
        told("sent", "2026-01-01T10:00:00Z", "d", 5),
        told("not_sent", "2026-01-03T09:00:00Z", "d"),
    )
    assert campaign_rows(never, CUSTOMERS, NOW, answer_days=30).rows == []


def rows_of(*events: dict[str, Any]) -> list[tuple[int, bool]]:
    """Level and answer of each row, where silence counts."""
    found = campaign_rows(events, CUSTOMERS, NOW, answer_days=30)
    return [(row["offer_level"], row["accepted"]) for row in found.rows]


SENT = told("sent", "2026-01-05T09:00:00Z", "a", 10)


@pytest.mark.parametrize(
    "answer",
    [
        told("accepted", "2026-01-05T00:00:00Z", "a"),  # a day has no hour
        told("accepted", "2026-01-05T08:59:00Z", "a"),  # clocks differ
        event("C1", "accepted", "2026-01-05T00:00:00Z"),
        event("C1", "accepted", "2026-01-06T09:00:00Z"),
    ],
)
def test_no_acceptance_is_taken_for_silence(answer: dict[str, Any]) -> None:
    assert rows_of(SENT, answer) == [(2, True)]


def test_an_early_answer_waits_for_the_contact_that_it_names() -> None:
    """Another one is reported first."""
    early = told("accepted", "2026-01-05T00:00:00Z", "b")
    later = told("sent", "2026-01-05T12:00:00Z", "b", 15)
    assert sorted(rows_of(SENT, early, later)) == [(2, False), (3, True)]


def test_another_report_of_a_contact_is_no_other_contact() -> None:
    again = SENT | {"occurred_at": "2026-01-05T15:00:00Z"}
    assert rows_of(SENT, again, told("accepted", "2026-01-06T09:00:00Z", "a")) == [(2, True)]


def test_an_answer_is_to_the_decision_that_it_names() -> None:
    """Not to the customer's last contact."""
    other = told("sent", "2026-01-12T09:00:00Z", "b", 15)
    answer = told("accepted", "2026-01-13T09:00:00Z", "a")
    assert rows_of(SENT, other, answer) == [(2, True), (3, False)]
    assert rows_of(SENT, other, answer, told("refused", "2026-01-14T09:00:00Z", "b")) == [
        (2, True), (3, False)
    ]  # fmt: skip
    nobody_knows = told("accepted", "2026-01-13T09:00:00Z", "c")
    assert rows_of(SENT, other, nobody_knows) == [(2, False), (3, False)]


def test_every_contact_has_the_same_time_to_be_answered() -> None:
    late = told("accepted", "2026-02-20T09:00:00Z", "a")
    assert rows_of(SENT, late) == [(2, False)]
    assert campaign_rows([SENT, late], CUSTOMERS, NOW).rows[0]["accepted"] is True
