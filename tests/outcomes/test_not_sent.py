"""A contact that was reported as never made, in the outcomes: nothing is learnt of it, and the
groups stay as they were drawn."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pandas as pd
import pytest

from churn_assets.decision.config import EnvironmentParams
from churn_assets.outcomes.drawn import customers_of
from churn_assets.outcomes.joining import without_ids
from churn_assets.outcomes.learning.measuring import RESPONSES, measure
from churn_assets.outcomes.learning.templates import answered
from churn_assets.outcomes.lift import Customers
from churn_assets.outcomes.reached import was_not_sent
from churn_assets.outcomes.watching.conduct import contacts_kept, spend_paced
from tests.outcomes.learning.worlds import models, outcomes
from tests.outcomes.test_joining import LEFT_ALONE, NOW, START, decision, event, joined
from tests.outcomes.watching.test_conduct import NOW as THEN
from tests.outcomes.watching.test_conduct import PARAMS, decisions

ONE: dict[str, Any] = {"decision_id": f"{1:032x}"}


def reached(*events: dict[str, Any]) -> tuple[float | None, float | None, float | None]:
    """Days at which the one decision's contact was sent, delivered, and reported as never made, by
    events in whatever order."""
    found = set()
    for order in permutations(events):
        [row] = joined([decision(1)], [*order, *order]).table.to_dict("records")
        times = [row[f"{kind}_at"] for kind in ("sent", "delivered", "not_sent")]
        found.add(
            tuple(None if t is pd.NaT else (t - START).total_seconds() / 86_400 for t in times)
        )
    [one] = found
    return one


@pytest.mark.parametrize("named", [ONE, {}])
def test_a_contact_that_was_never_made_is_told(named: dict[str, Any]) -> None:
    assert reached(event("not_sent", 1, **named)) == (None, None, 1)


def test_the_last_word_holds() -> None:
    """As in the ledger: a mail that came back was never sent, another try may have been."""
    sent, seen = event("sent", 1, **ONE), event("delivered", 1.5, **ONE)
    back, again = event("not_sent", 2, **ONE), event("sent", 3, **ONE)
    assert reached(sent, seen, back) == (None, None, 2)
    assert reached(event("sent", 2, **ONE), back) == (None, None, 2)
    assert reached(sent, back, again) == (3, None, None)
    assert reached(back, event("delivered", 3, **ONE)) == (None, 3, None)
    assert reached(sent, back, again, event("not_sent", 4, **ONE)) == (None, None, 4)
    assert reached(event("sent", 1), event("not_sent", 2)) == (1, None, None)
    assert reached(sent, back, event("not_sent", 4)) == (None, None, 2)


@pytest.mark.parametrize("kind", ["accepted", "refused"])
@pytest.mark.parametrize("day", [1.5, 2.5])
def test_who_answered_was_contacted(kind: str, day: float) -> None:
    events = [event("sent", 1, **ONE), event("not_sent", 2, **ONE), event(kind, day, **ONE)]
    assert reached(*events) == (1, None, None)


def test_what_is_left_out_is_counted() -> None:
    events = [event(kind, day, **ONE) for kind, day in (("sent", 1), ("not_sent", 2))]
    assert joined([decision(1)], events).left_out == {"sent, but reported as not sent since": 1}
    late = [*events, event("sent", 3, **ONE)]
    assert joined([decision(1)], late).left_out == {
        "sent, but reported as not sent since": 1,
        "not sent, but sent later or answered": 1,
    }


def test_the_groups_stay_as_they_were_drawn() -> None:
    """Treated is who was to be contacted: whom nobody reached is compared as before, with what they
    did. A mail to the control group that never left is no mail to it."""
    rows = [
        decision(1),
        decision(2, "C2"),
        decision(3, "C3", **LEFT_ALONE),
        decision(4, "C4", **LEFT_ALONE),
    ]
    left = [event("churned", 5, c) for c in ("C1", "C3")] + [event("churned", 31, "elsewhere")]
    events = [*left, event("accepted", 3, "C2")]
    written = [event("sent", 1, "C4", decision_id=f"{4:032x}")]
    never = [event("not_sent", 2, **ONE), event("not_sent", 2, "C4", decision_id=f"{4:032x}")]
    before, after = (
        customers_of(without_ids(joined(rows, events + more).table))
        for more in (written, written + never)
    )
    assert before["contaminated"].tolist() == [False, False, False, True]
    assert after["contaminated"].tolist() == [False] * 4
    one, other = Customers.of(before), Customers.of(after)
    assert (one.treated == other.treated).all()
    for name, values in one.measures.items():
        assert (values == other.measures[name]).all()
    assert other.treated.sum() == 2


def test_the_cap_counts_what_was_made() -> None:
    """Also where nothing but what wasn't sent is reported."""
    rows = [decision(n, day=n) for n in range(1, 6)]
    never = [event("not_sent", n + 0.5, decision_id=f"{n:032x}") for n in (1, 2)]
    now = START.replace(day=8)
    above = [
        contacts_kept(without_ids(joined(rows, events).table), EnvironmentParams(), now).figures
        for events in ([], never)
    ]
    assert [(f["contacts"], f["counted"]) for f in above] == [(5, "decided"), (3, "decided")]


def test_no_money_is_expected_of_it() -> None:
    table = decisions()
    contact = table.index[table["contact"]]
    table["not_sent_at"] = table["sent_at"]
    table.loc[contact[:100], "not_sent_at"] = table["time"]
    expected = spend_paced(table, PARAMS, None, THEN).figures["expected"]
    assert expected == 10 * (len(contact) - 100)


def test_acceptance_is_not_learnt_of_it() -> None:
    """Of customers whom nobody asked, none accepted: the offers would look unwelcome."""
    table = outcomes(3, 20_000)
    whole = measure(table, models([]), PARAMS, 500)
    never = table.index % 3 == 0
    lost = table.assign(accepted=table["accepted"] & ~never)
    told = lost.assign(not_sent_at=table["time"].where(never & table["contact"]))
    taken = measure(told, models([]), PARAMS, 500)
    assert RESPONSES not in taken.why_not
    for one, other in zip(whole.offsets, taken.offsets, strict=True):
        assert other.used == pytest.approx(one.used, abs=0.15)
    assert all(o.used < -0.3 for o in measure(lost, models([]), PARAMS, 500).offsets)


def test_its_template_is_not_blamed() -> None:
    """Where only what wasn't sent is reported; and tables of earlier versions say nothing of it."""
    audience = '[1, "new", "month-to-month", "warm"]'
    said = {"template": "t", "audience": audience}
    joint = joined([decision(n, f"C{n}") for n in (1, 2)], [event("not_sent", 1)])
    table = without_ids(joint.table).assign(**said)
    assert was_not_sent(table).tolist() == [True, False]
    assert len(list(answered(table, 14, NOW))) == 1
    assert not was_not_sent(table.drop(columns="not_sent_at")).any()
    assert len(list(answered(table.drop(columns="not_sent_at"), 14, NOW))) == 2
