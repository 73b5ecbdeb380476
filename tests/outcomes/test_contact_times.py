"""A plan decides today on contacts of days to come: an answer is of a contact that was made by
then, and has its days from that contact on. The groups are compared from the decision on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from churn_assets.domain.experiment import Draw
from churn_assets.outcomes.config import OutcomesConfig
from churn_assets.outcomes.drawn import customers_of
from churn_assets.outcomes.joining import join, without_ids
from churn_assets.outcomes.learning.measuring import RESPONSES, learnable, measure
from churn_assets.outcomes.learning.templates import answered
from churn_assets.outcomes.reached import answers_known
from churn_assets.outcomes.watching.conduct import spend_paced
from churn_assets.serving.decision_log.parts import SCHEMA
from tests.outcomes.learning.worlds import models, outcomes
from tests.outcomes.test_contact_costs import CALL, DISCOUNT
from tests.outcomes.test_joining import CONFIG, LEFT_ALONE, NOW, START, decision, event, joined
from tests.outcomes.watching.test_conduct import NOW as THEN
from tests.outcomes.watching.test_conduct import PARAMS, decisions

MIDNIGHT = -0.5  # before noon, when everything is decided
FIRST, SECOND = ({"decision_id": f"{n:032x}"} for n in (1, 2))


def planned(number: int, approved: float, on: float | None, **changes: Any) -> dict[str, Any]:
    """A plan's contact, with the day from whose noon it may be sent; an earlier version's has
    none."""
    when = None if on is None else START + timedelta(days=on)
    return decision(number, day=approved, source="campaign", contact_from=when, **changes)


def days_of(table: pd.DataFrame, column: str) -> list[float | None]:
    """When something happened about each decision, in days since the start."""
    gone = (table[column] - pd.Timestamp(START)) / pd.Timedelta(days=1)
    return [None if day != day else round(day, 6) for day in gone]


@pytest.mark.parametrize("sent", [{}, FIRST, None], ids=["sent", "named", "not reported"])
def test_an_answer_is_of_no_contact_to_come(sent: dict[str, Any] | None) -> None:
    """Contacted with 5 % three days ago; a plan of today has 15 % for the fifth day from now. Who
    accepts tomorrow accepts the 5 %, and costs no more."""
    two = [
        planned(1, -3.1, -3, offer_level=1, **CALL),
        planned(2, 0, 5, offer_level=3, **CALL),
    ]
    reported = [] if sent is None else [event("sent", -2.9, **sent)]
    table = joined(two, [*reported, event("accepted", 1)]).table
    assert table["accepted"].tolist() == [True, False]
    assert table["spend"].tolist() == [50 + 3, 0]
    after = joined(two, [*reported, event("accepted", 5.1)]).table
    assert after["accepted"].tolist() == [False, True]


def test_an_answer_before_any_contact_is_of_none() -> None:
    """Neither at an hour nor as a day alone; on the contact's own day it may be of it."""
    one = [planned(1, 0, 5)]
    for day in (1, 4 + MIDNIGHT, 4.9):
        assert joined(one, [event("accepted", day)]).left_out == {"no contact that it answers": 1}
    for day in (5 + MIDNIGHT, 5.1):
        assert joined(one, [event("accepted", day)]).table["accepted"].tolist() == [True]


def test_what_is_reported_as_sent_goes_before_the_plan() -> None:
    """Sent two days late, so that an answer of the day between is of the contact before it; or a
    day early, so that it isn't. A log of an earlier version knows no day, and hears of it so."""
    for on in (5, None):
        two = [planned(1, -3.1, -3), planned(2, 0, on)]
        late = joined(two, [event("sent", 7, **SECOND), event("accepted", 6)]).table
        assert late["accepted"].tolist() == [True, False]
        early = joined(two, [event("sent", 4, **SECOND), event("accepted", 4.5)]).table
        assert early["accepted"].tolist() == [False, True]
        assert days_of(early, "answers_from") == [-3, 4]


@pytest.mark.parametrize("sent", [[], [event("sent", 4, **SECOND)]], ids=["never", "taken back"])
def test_who_names_no_contact_answers_none_that_never_was(sent: list[dict[str, Any]]) -> None:
    """Contacted with 5 %; the 15 % of the fifth day came back from the mail system. Who accepts
    afterwards accepts the 5 %, as in the ledger; who names the second was contacted by it."""
    two = [planned(1, -3.1, -3, offer_level=1), planned(2, 0, 5, offer_level=3)]
    told = [event("sent", -2.9, **FIRST), *sent, event("not_sent", 5.2, **SECOND)]
    table = joined(two, [*told, event("accepted", 6)]).table
    assert table["accepted"].tolist() == [True, False]
    assert table["spend"].tolist() == [50, 0]
    assert table["not_sent_at"].notna().tolist() == [False, True]
    named = joined(two, [*told, event("accepted", 6, **SECOND)]).table
    assert named["accepted"].tolist() == [False, True]


def test_a_contact_that_was_sent_again_counts_from_then() -> None:
    """Sent on the third day, which came back, and on the seventh; nine days later is an answer."""
    told = [event("sent", 3, **FIRST), event("not_sent", 3.1, **FIRST), event("sent", 7, **FIRST)]
    table = joined([planned(1, 0, 3)], [*told, event("accepted", 16)]).table
    assert table["accepted"].tolist() == [True]


def test_a_log_of_an_earlier_version_counts_from_the_approval() -> None:
    """As it did: nobody knows the day of a contact that isn't reported."""
    two = [planned(1, -3.1, None), planned(2, 0, None)]
    table = joined(two, [event("accepted", 1)]).table
    assert table["accepted"].tolist() == [False, True]
    assert days_of(table, "answers_from") == [-3.1, 0]


@pytest.mark.parametrize("kind", ["sent", "delivered", "not_sent"])
@pytest.mark.parametrize(
    ("day", "of"),
    [(1, 1), (4.1, 2), (4 + MIDNIGHT, 1), (5 + MIDNIGHT, 2), (5, 2), (9, 2), (-3.4, None)],
)
def test_a_report_is_of_the_contact_whose_day_it_is(kind: str, day: float, of: int | None) -> None:
    """That it was sent, or never was, may be told a little before its hour; as in the ledger, less
    than a day. Days earlier it is of the contact before."""
    result = joined([planned(1, -3.1, -3), planned(2, 0, 5)], [event(kind, day)])
    told = result.table[f"{kind}_at"].notna().tolist()
    assert told == [of == 1, of == 2]
    assert bool(result.left_out) is (of is None)


def test_a_report_is_of_no_plan_that_came_after_it() -> None:
    """Another system wrote at ten; at noon a plan was approved for the next day."""
    early = joined([planned(1, 0, 0.9)], [event("sent", -0.05)])
    assert early.left_out == {"no contact that it answers": 1}
    assert joined([planned(1, -1, 0.9)], [event("sent", -0.05)]).left_out == {}


def test_the_contact_of_an_answer_of_the_api_is_at_its_decision() -> None:
    """As it was, whatever is reported of it."""
    two = [decision(1, day=-3), decision(2, day=0)]
    table = joined(two, [event("sent", 5, **SECOND), event("accepted", 1)]).table
    assert table["accepted"].tolist() == [False, True]
    assert days_of(table, "answers_from") == [-3, 0]


@pytest.mark.parametrize("told", [[], ["sent"], ["delivered"]])
@pytest.mark.parametrize("on", [1, 10, 20, 31])
def test_every_contact_has_the_same_days_to_be_answered(told: list[str], on: int) -> None:
    """Accepted five days after it was sent, on whatever day of a plan: a success of its template
    and a discount paid, at once when its 14 days are over. After 30 days none has any left."""
    said = {"template": "t", "audience": '[1, "new", "month-to-month", "warm"]'}
    one = [planned(1, 0, on)]
    sent = [event(kind, on + 0.1, **FIRST) for kind in told]
    from_ = on + 0.1 * bool(told)

    def success(day: float, now: float) -> list[bool]:
        events = [*sent, event("accepted", from_ + day, **FIRST)]
        table = without_ids(joined(one, events).table).assign(**said)
        assert days_of(table, "answers_from") == [pytest.approx(from_)]
        assert table["spend"].tolist() == [DISCOUNT]
        return [each.success for each in answered(table, 14, START + timedelta(days=from_ + now))]

    assert success(5, 14.001) == [True]
    assert success(5, 13.999) == []
    assert success(14.5, 15) == [False]
    late = joined(one, [*sent, event("accepted", from_ + 30.5, **FIRST)])
    assert late.left_out == {"later than the horizon": 1}
    assert not late.table["accepted"].any()


def test_templates_of_an_older_table_count_from_the_decision() -> None:
    table = without_ids(joined([planned(1, 0, 10)], [event("accepted", 15, **FIRST)]).table)
    table = table.assign(template="t", audience='[1, "new", "month-to-month", "warm"]')
    assert [each.success for each in answered(table, 14, NOW)] == [True]
    old = table.drop(columns=["answers_from", "answers_known"])
    assert [each.success for each in answered(old, 14, NOW)] == [False]
    assert answers_known(old).tolist() == old["known"].tolist()


def test_the_groups_are_compared_from_the_decision() -> None:
    """Nobody contacts the control group, so it has no other day: who was contacted late in a plan
    is given no more time to leave, or to cost anything, than who was left alone."""
    rows = [
        planned(1, 0, 20, **CALL),
        decision(2, "C2", source="campaign", **LEFT_ALONE),
        planned(3, 0, 31, customer="C3", **CALL),
    ]
    events = [
        event("sent", 20, **FIRST),
        event("accepted", 35, **FIRST),
        event("churned", 40, "C1"),
        event("churned", 40, "C2"),
        event("sent", 31.5, "C3", decision_id=f"{3:032x}"),
    ]
    table = joined(rows, events).table
    assert table["accepted"].tolist() == [True, False, False]
    assert table["spend"].tolist() == [DISCOUNT + 3, 0, 3]
    assert days_of(table, "known_at") == [30, 30, 30]
    assert not table["churned"].any()
    found = customers_of(without_ids(table)).set_index("customer")
    assert found["spend"].to_dict() == {0: 3, 1: 0, 2: 0}
    assert set(days_of(found, "known_at")) == {30}


def test_a_promise_of_before_a_draw_costs_as_long_as_any_contact() -> None:
    """It was approved eleven days before the draw, made two days after it, and accepted within the
    horizon of both: not within that of its approval."""
    new = {"period": "2026-02-01"}
    rows = [
        planned(1, 20, 33),
        planned(2, 31, None, **new, **LEFT_ALONE | {"group": "treated"}),
    ]
    table = without_ids(joined(rows, [event("accepted", 55, **FIRST)]).table)
    [found] = customers_of(table, Draw("2026-02-01", 0.1)).to_dict("records")
    assert found["spend"] == DISCOUNT


def test_acceptance_is_learnt_once_the_answers_are_known() -> None:
    """Of the contacts of a plan's last days most answers are still to come when the outcome of its
    decisions is known: counted then, every offer would look unwelcome."""
    table = outcomes(3, 4_000)
    early = table.assign(answers_known=table["known"] & ~table["contact"])
    assert RESPONSES not in measure(table, models([]), PARAMS, 500).why_not
    assert RESPONSES in measure(early, models([]), PARAMS, 500).why_not
    none, all_ = (
        learnable(each.assign(group=None), models([]), PARAMS, 500) for each in (early, table)
    )
    assert not none.any()
    assert (all_ == table["contact"]).all()


def test_the_answers_of_a_late_contact_are_known_later() -> None:
    rows = [planned(1, 0, 20), decision(2, "C2", source="campaign", **LEFT_ALONE)]
    log = pd.DataFrame(rows).reindex(columns=SCHEMA.names)
    known, at_once = {}, CONFIG.model_copy(update={"report_days": 0})
    for day in (29, 31, 49, 51):
        table = join(log, [], at_once, START + timedelta(days=day)).table
        known[day] = (table["known"].tolist(), table["answers_known"].tolist())
    assert known == {
        29: ([False, False], [False, False]),
        31: ([True, True], [False, True]),
        49: ([True, True], [False, True]),
        51: ([True, True], [True, True]),
    }


def test_money_is_expected_until_the_answers_are_known() -> None:
    """A contact of the twelfth day costs something still, though outcomes are known after ten."""
    table = decisions()
    contacts = int(table["contact"].sum())
    table["known"] = True
    assert spend_paced(table, PARAMS, None, THEN).figures["expected"] == 0
    table["answers_known"] = False
    assert spend_paced(table, PARAMS, None, THEN).figures["expected"] == 10 * contacts


def test_a_short_horizon_ends_no_plan() -> None:
    """Of ten days, with a contact on the twelfth."""
    rows = [planned(1, 0, 12)]
    events = [event("sent", 12.1, **FIRST), event("accepted", 14)]
    log = pd.DataFrame(rows).reindex(columns=SCHEMA.names)
    result = join(log, events, OutcomesConfig(horizon_days=10), NOW)
    assert result.left_out == {}
    assert result.table["accepted"].tolist() == [True]
