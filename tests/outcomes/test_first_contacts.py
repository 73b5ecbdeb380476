"""Who asks again has not made another contact; and a plan's second contact isn't a first one."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from churn_assets.outcomes.first_contacts import (
    first_of_a_period,
    looks,
    may_be_made,
    once_asked,
    only_looked,
)
from churn_assets.outcomes.joining import without_ids
from churn_assets.outcomes.learning.measuring import learnable, measure
from churn_assets.outcomes.learning.templates import answered
from churn_assets.outcomes.reached import answers_known
from churn_assets.outcomes.simulation import WORLDS
from tests.outcomes.learning.worlds import models, outcomes
from tests.outcomes.test_joining import NOW, START, decision, event, joined

ASSUMED, LEARN_FROM = WORLDS["assumed"], 500
HOUR = pd.Timedelta(hours=1)


def offsets(table: pd.DataFrame) -> list[float]:
    return [one.used for one in measure(table, models([]), ASSUMED, LEARN_FROM).offsets]


def by_time(*parts: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(parts).sort_values("time", kind="stable", ignore_index=True)


def test_asking_twice_is_no_refusal() -> None:
    """Each page was loaded twice, and an answer that names no decision is the last one's: the
    offset was learnt as -0.9 where it is 0."""
    once = outcomes(3, 10_000)
    first = once.assign(time=once["time"] - HOUR, accepted=False, churned=once["churned"])
    twice = by_time(first, once)
    assert offsets(twice) == offsets(once)
    assert all(abs(one) < 0.2 for one in offsets(twice))
    contacts = learnable(twice.assign(group=None), models([]), ASSUMED, LEARN_FROM)
    assert contacts.sum() == once["contact"].sum()


def test_what_was_reported_as_sent_counts_each_time() -> None:
    """Two that were sent are two contacts, whose offers the log tells apart."""
    once = outcomes(3, 4_000).assign(group=None)
    twice = by_time(once.assign(time=once["time"] - HOUR), once)
    for table, count in ((twice, 1), (twice.assign(sent_at=twice["time"]), 2)):
        speaks = learnable(table, models([]), ASSUMED, LEARN_FROM)
        assert speaks.sum() == count * once["contact"].sum()


@pytest.mark.parametrize(
    ("answers", "kept"),
    [
        ([], [3, 5]),  # nobody answered: the last of each ten days
        ([event("accepted", 1.5)], [2, 5]),
        ([event("refused", 0.5), event("accepted", 12)], [1, 4]),
        ([event("refused", 0.5), event("accepted", 1.5)], [2, 5]),
    ],
)
def test_the_contact_that_was_answered_is_kept(
    answers: list[dict[str, str]], kept: list[int]
) -> None:
    """Asked on five days, of which two begin days for an answer: ten from the first on."""
    rows = [decision(n, day=day) for n, day in enumerate((0, 1, 9, 10, 15), 1)]
    table = joined(rows, answers).table
    table["customer"] = 0
    found = once_asked(table, answers_known(table), 10)
    assert [int(identity, 16) for identity in found["decision_id"]] == kept
    early = answers_known(table) & (table["time"] < table["time"].max())
    assert once_asked(table, early, 10)["decision_id"].tolist() == [f"{kept[0]:032x}"]
    planned = once_asked(table.assign(source="campaign"), answers_known(table), 10)
    assert len(planned) == 5


def test_a_template_that_was_asked_for_again_is_not_blamed() -> None:
    """Three times in the days for an answer, of which the last was accepted; then never again."""
    said = {"template": "t", "audience": '[1, "new", "month-to-month", "warm"]'}
    rows = [decision(n, day=day) for n, day in enumerate((0, 0.1, 1, 40, 40.1), 1)]
    table = without_ids(joined(rows, [event("accepted", 2)]).table).assign(**said)
    assert [each.success for each in answered(table, 14, NOW)] == [True, False]
    assert [e.success for e in answered(table, 14, START + timedelta(days=54.05))] == [True]
    sent = table.assign(sent_at=table["time"])
    assert len(list(answered(sent, 14, NOW))) == 5
    rows = [decision(1, source="api"), decision(2, day=2, source="campaign")]
    table = without_ids(joined(rows, [event("accepted", 4)]).table).assign(**said)
    assert [each.success for each in answered(table, 14, NOW)] == [True]  # the other was a look


def refusers_asked_again(seed: int, count: int) -> pd.DataFrame:
    """Plans a week apart: who didn't accept is asked again, up to three times. Customers have a
    chance of their own that the model knows the mean of, so who is left accepts less often."""
    rng = np.random.default_rng(seed)
    plan = outcomes(seed, count, control=0.0).assign(group=None, source="campaign")
    plan = plan[plan["contact"]]
    plan["observation"] = [seen[:5] for seen in plan["observation"]]
    level = plan["offer_level"].to_numpy()
    said = np.array(plan["observation"].tolist())[np.arange(len(plan)), 1 + level]
    own, parts = rng.beta(2 * said, 2 * (1 - said)), []
    for week in range(3):
        accepted = rng.random(len(plan)) < own
        parts.append(plan.assign(time=plan["time"] + pd.Timedelta(weeks=week), accepted=accepted))
        plan, own = plan[~accepted], own[~accepted]
    return by_time(*parts)


def test_a_plan_s_second_contact_is_no_first_one() -> None:
    """Its rows have the scores that nobody had been contacted at: offsets were -0.3 where they are
    0. Beyond the period it is a first one again."""
    table = refusers_asked_again(1, 8_000)
    first = first_of_a_period(table, 30)
    assert (first == ~table.duplicated("customer")).all()
    assert all(abs(one) < 0.15 for one in offsets(table))
    assert first_of_a_period(table, 6).all()
    place = table.groupby("customer").cumcount()
    never = table.assign(not_sent_at=table["time"].where(place == 0))
    assert (first_of_a_period(never, 10) == (place < 2)).all()


def test_what_the_caller_knew_of_contacts_goes_before_the_log() -> None:
    """An answer of the API says how many contacts there were in the period."""
    rows = [decision(n, day=n, observation=[0.1] * 6 + [7.0, 0.0, n - 1.0]) for n in (1, 2)]
    rows.append(decision(3, day=3, observation=[0.1] * 6 + [7.0, 0.0, 0.0]))
    table = without_ids(joined(rows, []).table)
    assert first_of_a_period(table, 30).tolist() == [True, False, True]


def plan_of(table: pd.DataFrame, day: float) -> pd.DataFrame:
    """The same decisions, made by a plan so many days later."""
    seen = [each[:5] for each in table["observation"]]
    later = {n: table[n] + pd.Timedelta(days=day) for n in ("time", "known_at", "accepted_at")}
    return table.assign(source="campaign", observation=seen, preferred=np.nan, **later)


def unanswered(table: pd.DataFrame) -> pd.DataFrame:
    never = pd.Series(pd.NaT, table.index, "datetime64[us, UTC]")
    return table.assign(accepted=False, accepted_at=never, refused=False, refused_at=never)


@pytest.mark.parametrize("experiment", ["on, since an earlier plan", "off"])
@pytest.mark.parametrize("numbers", [5, 9])
def test_a_look_before_a_plan_teaches_nothing(experiment: str, numbers: int) -> None:
    """The day before the second plan, all its customers were looked at: it was held to be their
    contact, the plan's to be a second one, and offsets were -1.0; without a draw -5.9."""
    whole = outcomes(1, 8_000)
    first, second = plan_of(whole[:4_000], 0), plan_of(whole[4_000:], 61)
    look = unanswered(plan_of(whole[4_000:], 60)).assign(source="command")
    look["observation"] = [[*seen, 0.0, 0.0, 0.0, 0.0][:numbers] for seen in look["observation"]]
    if experiment == "off":
        none = {"group": None, "period": None, "control_share": np.nan}
        look, second = look.assign(**none), second.assign(**none)
    plans = by_time(first, second)
    table = by_time(first, look, second)
    assert looks(table, 30).equals((table["source"] == "command") & table["contact"])
    assert offsets(table) == offsets(plans)
    assert all(abs(one) < 0.15 for one in offsets(plans))
    speaks = table[learnable(table.assign(group=None), models([]), ASSUMED, LEARN_FROM)]
    assert set(speaks["source"]) == {"campaign"}


def test_contacts_that_were_made_before_a_plan_s_are_no_looks() -> None:
    """The API's contacts were answered, so a plan's a week later are second ones. Kept where they
    were accepted alone, the API's offers would seem to be accepted always."""
    api = outcomes(1, 8_000, control=0.0).assign(group=None)
    plan = plan_of(outcomes(2, 8_000, control=0.0).assign(group=None), 7)
    table = by_time(api, plan)
    assert not looks(table, 30).any()
    alone = offsets(api)
    assert offsets(table) == pytest.approx(alone, abs=0.15)
    assert all(abs(one) < 0.15 for one in alone)


def test_who_asks_every_day_is_answered_once() -> None:
    """One in thirty of what was asked for, yet as many customers answer as a plan's do; and one
    answer that finds a look makes none of the others a contact."""
    once = outcomes(3, 600, control=0.0).assign(group=None)
    asked = [unanswered(once.assign(time=once["time"] - n * 24 * HOUR)) for n in range(1, 30)]
    plan = plan_of(outcomes(4, 600, control=0.0).assign(group=None), 0)
    plan["customer"] += 600
    assert not looks(by_time(*asked, once, plan), 30).any()
    assert looks(by_time(*asked, plan), 30).sum() == 29 * once["contact"].sum()
    strays = by_time(*asked, once.head(20), plan)
    assert looks(strays, 30).sum() == (strays["contact"] & (strays["source"] == "api")).sum()
    assert not looks(by_time(*asked, unanswered(plan)), 30).any()  # nobody knows


def test_a_few_contacts_that_nobody_answered_are_no_looks() -> None:
    """Why: of a handful it is no wonder, and left out they would favour what was accepted."""
    plan = plan_of(outcomes(4, 6_000, control=0.0).assign(group=None), 0)
    api = unanswered(outcomes(3, 600, control=0.0).assign(group=None))
    api["customer"] += 6_000
    few = api[api["contact"]].head(8)
    assert not looks(by_time(few, plan), 30).any()
    assert looks(by_time(api, plan), 30).sum() == api["contact"].sum()


@pytest.mark.parametrize("kind", ["sent_at", "delivered_at"])
def test_what_was_sent_is_no_look_however_few_answer(kind: str) -> None:
    """Why: plans are calls, which nearly everybody answers, and the API's contacts e-mails, which
    hardly anybody does: all of them were held to be looks. Of a few strays nothing follows but that
    these were contacts."""
    plan = plan_of(outcomes(4, 600, control=0.0).assign(group=None), 0)
    plan = plan.assign(refused_at=plan["time"].where(~plan["accepted"]))
    plan["customer"] += 600
    mail = unanswered(outcomes(3, 600, control=0.0).assign(group=None))
    for share, are_looks in ((0.0, True), (0.1, True), (0.6, False), (1.0, False)):
        reported = mail["contact"] & (mail["customer"] < 600 * share)
        table = by_time(mail.assign(**{kind: mail["time"].where(reported)}), plan)
        asked = table["contact"] & (table["source"] == "api")
        assert looks(table, 30).equals(asked & are_looks)
        assert only_looked(table, 30).equals((table["source"] == "api") & are_looks)
        made = may_be_made(table, 30) & asked
        assert made.sum() == (reported if are_looks else mail["contact"]).sum()


def test_a_contact_a_month_is_a_first_one_each_month() -> None:
    """Each is made three days after its plan's approval. Measured from there to the next approval,
    27 days, only the first month's contacts taught anything."""
    month = outcomes(1, 200, control=0.0)
    plans = by_time(*(plan_of(month, 30.4 * n) for n in range(6)))
    table = plans.assign(answers_from=plans["time"] + pd.Timedelta(days=3))
    assert first_of_a_period(table, 30).all()
    again = first_of_a_period(table, 31) & table["contact"]
    assert again.sum() == month["contact"].sum()
    alone = month.assign(contact=False, time=month["time"] + pd.Timedelta(days=2))
    both = by_time(plan_of(month, 0), plan_of(alone, 0))
    both["answers_from"] = both["time"] + pd.Timedelta(days=1)
    assert first_of_a_period(both, 30).sum() == 2 * len(month) - month["contact"].sum()
