"""Events find their decision by the written rules, whatever order, delay or contradiction."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from pandera.errors import SchemaError

from churn_assets.decision.config import EnvironmentParams
from churn_assets.domain.experiment import Draw
from churn_assets.outcomes.config import OutcomesConfig
from churn_assets.outcomes.drawn import customers_of, of_other_draws
from churn_assets.outcomes.joining import Joined, join, without_ids
from churn_assets.outcomes.schemas import OUTCOMES
from churn_assets.outcomes.watching.conduct import contacts_kept
from churn_assets.serving.decision_log.parts import SCHEMA

CONFIG = OutcomesConfig(horizon_days=30, answer_days=10)
START = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOW = START + timedelta(days=200)


def decision(number: int, customer: str = "C1", day: float = 0, **changes: Any) -> dict[str, Any]:
    row = {
        "decision_id": f"{number:032x}",
        "time": START + timedelta(days=day),
        "customer_id": customer,
        "group": "treated",
        "period": "start",
        "control_share": 0.1,
        "observation": [0.0] * 9,
        "contact": True,
        "offer_level": 2,
        "delay_days": 0,
        "propensity": 1.0,
        "churn_risk": 0.5,
        "customer_value": 1_000.0,
        "baseline": False,
    }
    return row | changes


def event(kind: str, day: float, customer: str = "C1", **changes: Any) -> dict[str, Any]:
    row = {
        "event_id": f"{kind}-{customer}-{day}",
        "customer_id": customer,
        "kind": kind,
        "occurred_at": (START + timedelta(days=day)).isoformat(),
    }
    return row | changes


def joined(decisions: list[dict[str, Any]], events: list[dict[str, Any]]) -> Joined:
    table = pa.Table.from_pylist(decisions, SCHEMA).to_pandas()
    result = join(table, events, CONFIG, NOW)
    OUTCOMES.validate(without_ids(result.table))
    return result


def test_a_plan_s_contact_of_the_control_group_is_none() -> None:
    """Logs of plans that were approved after the group was drawn anew have some, and whom the plan
    drew for; no list had them. Whoever else is logged so is a fault that the schema finds."""
    plan = {"source": "campaign", "group": "control", "exploration": 0.05, "preferred": 3}
    rows = [
        decision(1, propensity=0.95, runner_up=1, expected_cost=9.0, **plan),
        decision(2, "C2", contact=False, offer_level=0, propensity=0.95, **plan),
        decision(3, "C3", **plan | {"group": "treated"}),
    ]
    table = joined(rows, []).table.set_index("customer_id")
    assert table["contact"].to_dict() == {"C1": False, "C2": False, "C3": True}
    assert table["offer_level"].tolist() == [0, 0, 2]
    assert table["propensity"].tolist() == [1, 1, 1]
    assert table["preferred"].isna().tolist() == [True, True, False]
    with pytest.raises(SchemaError, match="nobody of the control group is contacted"):
        joined([decision(1, **plan | {"source": "api"})], [])


def test_an_accepted_offer_costs_its_discount() -> None:
    """10 % of a value of 1,000; by decision id or by customer and time, it is the same."""
    for named in ({}, {"decision_id": f"{1:032x}"}):
        [row] = joined([decision(1)], [event("accepted", 2, **named)]).table.to_dict("records")
        assert row["accepted"]
        assert row["spend"] == 100
        assert not row["churned"]
        assert row["known"]


def test_what_was_really_given_is_what_was_spent() -> None:
    """The agent on the phone gave 15 % where 10 % were decided."""
    table = joined([decision(1)], [event("accepted", 2, offer_percentage=15)]).table
    assert table["spend"].tolist() == [150]


def test_without_an_id_it_answers_the_last_contact() -> None:
    """Not a decision to leave the customer alone that came between, nor somebody else's."""
    decisions = [
        decision(1, day=0),
        decision(2, day=5),
        decision(3, day=6, contact=False, offer_level=0),
        decision(4, "C2", day=6),
    ]
    table = joined(decisions, [event("accepted", 7)]).table.set_index("decision_id")
    assert table["accepted"].tolist() == [False, True, False, False]


LEFT_ALONE: dict[str, Any] = {"group": "control", "contact": False, "offer_level": 0}


def test_writing_to_the_control_group_is_seen_without_an_id() -> None:
    """A mail system that ignores the groups names no decision of ours. That a treated customer was
    left alone is no contact, nor can a control customer accept what wasn't offered."""
    decisions = [
        decision(1, "C1", **LEFT_ALONE),
        decision(2, "C1", day=3, **LEFT_ALONE),
        decision(3, "C2", contact=False, offer_level=0),
        decision(4, "C3", **LEFT_ALONE),
    ]
    events = [event(kind, 4) for kind in ("sent", "delivered", "accepted")]
    events += [event("sent", 4, "C2"), event("sent", 11, "C3")]
    result = joined(decisions, events)
    told = result.table.set_index("decision_id")[["sent_at", "delivered_at", "accepted_at"]]
    assert told.count(axis=1).to_dict() == {f"{n:032x}": 2 * (n == 2) for n in (1, 2, 3, 4)}
    assert result.left_out == {"no contact that it answers": 3}
    contaminated = customers_of(without_ids(result.table))["contaminated"]
    assert contaminated.tolist() == [True, False, False]
    found = contacts_kept(without_ids(result.table), EnvironmentParams(), START)
    assert (found.state, found.figures["control_written_to"]) == ("error", 1)


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("day", [1.5, 2, 9])
def test_what_arrives_after_a_new_draw_is_of_what_was_sent_before_it(
    day: float, named: bool
) -> None:
    """Why: a letter takes days, and the control group that was drawn meanwhile was said to have
    been written to. What was sent to it, or never before, still is."""
    identity = {"decision_id": f"{1:032x}"} if named else {}
    new = {"period": "2026-01-02", **LEFT_ALONE}
    rows = [decision(1), decision(2, day=1, **new), decision(3, "C2", day=1, **new)]
    letter, arrived = event("sent", 0.1, **identity), event("delivered", day)

    def delivered(*events: dict[str, Any]) -> list[bool]:
        table = joined(rows, list(events)).table
        found = contacts_kept(without_ids(table), EnvironmentParams(), START)
        told = table["delivered_at"].notna().tolist()
        assert (found.state == "error") == any(told[1:])
        return told

    assert delivered(letter, arrived) == [True, False, False]
    assert delivered(event("sent", 1.2), letter, arrived) == [False, True, False]
    assert delivered(letter, event("delivered", day, "C2")) == [False, False, True]
    assert delivered(letter, event("delivered", 10.2)) == [False, True, False]  # ten days, not more


def test_leaving_is_the_customers_whatever_decision_it_names() -> None:
    """Each decision has the same time for it: 30 days."""
    decisions = [decision(1, day=0), decision(2, day=20), decision(3, day=60)]
    events = [event("churned", 40, decision_id=f"{1:032x}")]
    assert joined(decisions, events).table["churned"].tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([event("accepted", 2, decision_id=f"{9:032x}")], "no such decision"),
        ([event("accepted", 2, "C2", decision_id=f"{1:032x}")], "another customer's decision"),
        ([event("accepted", -3, decision_id=f"{1:032x}")], "before its decision"),
        ([event("accepted", 11)], "no contact that it answers"),
        ([event("accepted", -1.1)], "no contact that it answers"),
        ([event("accepted", 31, decision_id=f"{1:032x}")], "later than the horizon"),
        ([event("churned", 3, "C9")], "no decision about this customer"),
        ([event("churned", -1.1)], "before its decision"),
    ],
)
def test_what_is_left_out_is_counted(events: list[dict[str, Any]], reason: str) -> None:
    """And changes no outcome."""
    result = joined([decision(1)], events)
    assert result.left_out == {reason: 1}
    assert not result.table[["accepted", "refused", "churned"]].to_numpy().any()


@pytest.mark.parametrize("when", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00+00:00", "", None])
def test_an_old_log_with_impossible_times_is_read_without_them(when: str | None) -> None:
    """From before such were refused: one of them must not keep all others from being counted."""
    odd = event("accepted", 2, occurred_at=when)
    result = joined([decision(1)], [odd, event("churned", 3), {"event_id": "e"}])
    assert result.table["churned"].tolist() == [True]
    assert not result.table["accepted"].any()
    assert result.left_out == {"at a time that can't be": 2}
    nameless = event("accepted", 2) | {"customer_id": None}
    assert joined([decision(1)], [nameless]).left_out == {"without id, customer or kind": 1}


def test_duplicates_and_contradictions() -> None:
    """A retried event, the same said twice, and both yes and no: the discount is paid once."""
    events = [
        event("accepted", 3),
        event("accepted", 3),
        event("accepted", 4),
        event("refused", 2),
    ]
    result = joined([decision(1)], events)
    [row] = result.table.to_dict("records")
    assert (row["accepted"], row["refused"], row["spend"]) == (True, False, 100)
    assert row["accepted_at"] == pd.Timestamp(START + timedelta(days=3))
    assert result.left_out == {
        "the same event id": 1,
        "said twice of one decision": 1,
        "refused, but accepted": 1,
    }


def test_leaving_on_the_day_of_the_decision_counts() -> None:
    """A file of days says midnight, and it was decided at noon. To a decision of the day before it
    is what came next; one that was made later than a day after is of somebody who came back."""
    decisions = [decision(1, day=-1), decision(2), decision(3, day=0.6)]
    table = joined(decisions, [event("churned", -0.5)]).table
    assert table["churned"].tolist() == [True, True, False]
    assert table["churned_at"].iloc[1] == pd.Timestamp("2026-01-01", tz="UTC")


@pytest.mark.parametrize(
    ("kind", "changes", "within", "after"),
    [
        ("accepted", {}, (100, False), (0, False)),
        ("sent", LEFT_ALONE, (0, True), (0, False)),
    ],
)
def test_a_known_outcome_is_final(
    kind: str, changes: dict[str, Any], within: tuple[int, bool], after: tuple[int, bool]
) -> None:
    """Of a customer's second decision counts what happened within the horizon of the first: else
    money would be that of 60 days beside leaving of 30, and what was read early too rosy."""
    decisions = [decision(1, **changes), decision(2, day=28, **changes)]
    for day, expected in ((29, within), (45, after)):
        events = [event(kind, day, decision_id=f"{2:032x}")]
        [row] = customers_of(without_ids(joined(decisions, events).table)).to_dict("records")
        assert (row["spend"], row["contaminated"]) == expected


def test_the_order_of_events_is_no_matter() -> None:
    """A bucket lists them by name."""
    decisions = [decision(i, f"C{i % 3}", day=i) for i in range(9)]
    events = [event(k, d + 1.5, f"C{d % 3}") for d in range(9) for k in ("sent", "refused")]
    events.append(event("churned", 12, "C1"))
    forwards, backwards = joined(decisions, events), joined(decisions[::-1], events[::-1])
    pd.testing.assert_frame_equal(forwards.table, backwards.table)
    assert forwards.left_out == backwards.left_out


def test_nothing_at_all_is_no_error() -> None:
    """The first morning of an installation."""
    result = joined([], [])
    assert len(result.table) == 0
    assert len(customers_of(without_ids(result.table))) == 0


def test_an_open_horizon_is_not_known() -> None:
    """Somebody who may still leave is no success."""
    table = joined([decision(1, day=199)], []).table
    assert table["known"].tolist() == [False]
    assert len(customers_of(without_ids(table))) == 0


def test_customers_count_once_in_the_group_of_the_latest_draw() -> None:
    """From their first decision since it, with all discounts of that horizon; and a control
    customer who was written to is counted, but stays where the draw put them."""
    decisions = [
        decision(1, day=0),
        decision(2, day=50, period="2026-02-01"),
        decision(3, day=60, period="2026-02-01"),
        decision(4, day=100, period="2026-02-01"),
        decision(5, "C2", day=52, period="2026-02-01", **LEFT_ALONE),
    ]
    events = [event("accepted", day) for day in (1, 51, 61, 101)]
    events.append(event("sent", 53, "C2", decision_id=f"{5:032x}"))
    found = customers_of(without_ids(joined(decisions, events).table)).set_index("group")
    assert found["spend"].to_dict() == {"treated": 200, "control": 0}
    assert found["contaminated"].to_dict() == {"treated": False, "control": True}
    assert found.loc["treated", "time"] == pd.Timestamp(START + timedelta(days=50))


@pytest.mark.parametrize("kind", ["sent", "accepted", "refused", "unsubscribed"])
def test_a_day_without_an_hour_is_the_day_of_the_contact(kind: str) -> None:
    """What came of a contact on the same day, told as the midnight before it and without the
    decision's id. What was sent is of that day's contact rather than of an earlier one."""
    two, midnight = [decision(1), decision(2, day=5)], -0.5  # contacts are at noon
    result = joined(two, [event(kind, midnight)])
    assert result.left_out == {}
    assert result.table[f"{kind}_at"].notna().tolist() == [True, False]
    again = joined(two, [event(kind, 5 + midnight)]).table[f"{kind}_at"].notna().tolist()
    assert again == ([False, True] if kind == "sent" else [True, False])
    for hours in (-0.4, -1.1):  # at an hour it was before, whatever it was about
        early = joined([decision(1)], [event(kind, hours)])
        assert early.left_out == {"no contact that it answers": 1}
    alone = joined([decision(1, **LEFT_ALONE)], [event(kind, midnight)])
    assert alone.left_out == {"no contact that it answers": 1}


def test_a_program_with_other_settings_ends_no_experiment() -> None:
    """One decision from a shell that names no control share: it is told, and not counted."""
    decisions = [decision(i, f"C{i}", control_share=0.2) for i in range(5)]
    decisions.append(decision(9, "stray", day=100))
    table = without_ids(joined(decisions, []).table)
    assert len(customers_of(table)) == 1  # of the last one, where nobody says which is in force
    draw = Draw("start", 0.2)
    assert (len(customers_of(table, draw)), of_other_draws(table, draw)) == (5, 1)
    unused = Draw("2026-12-01", 0.2)  # drawn anew, and nothing decided since
    assert (len(customers_of(table, unused)), of_other_draws(table, unused)) == (1, 0)


def test_what_was_promised_before_a_draw_and_made_after_it_is_paid_in_it() -> None:
    """The answer names the decision of the earlier draw. What was accepted before the draw's first
    decision, or after the horizon, is no matter of it; nor is what a later draw's decision brought,
    or another customer's."""
    new = {"period": "2026-02-01"}
    decisions = [
        decision(1, day=20),
        decision(2, day=28),
        decision(3, day=31, **new, **LEFT_ALONE | {"group": "treated"}),
        decision(4, "C2", day=29),
        decision(5, "C2", day=31, **new, **LEFT_ALONE),
        decision(6, "C3", day=29),
    ]
    events = [
        event("accepted", 30, decision_id=f"{1:032x}"),
        event("sent", 32, decision_id=f"{2:032x}"),
        event("accepted", 33, decision_id=f"{2:032x}"),
        event("sent", 30, "C2", decision_id=f"{4:032x}"),
        event("accepted", 62, "C2", decision_id=f"{4:032x}"),
        event("accepted", 33, "C3", decision_id=f"{6:032x}"),
    ]
    table = without_ids(joined(decisions, events).table)
    found = customers_of(table, Draw("2026-02-01", 0.1)).set_index("group")
    assert found["spend"].to_dict() == {"treated": 100, "control": 0}
    assert not found["contaminated"].any()  # it was sent before the draw
    earlier = customers_of(table, Draw("start", 0.1)).set_index("customer")
    assert earlier["spend"].to_dict() == {0: 200, 1: 0, 2: 100}
