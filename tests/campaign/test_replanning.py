"""Plans one after another: what was promised, what was made already, and who was forgotten."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from churn_assets.campaign import workflow
from churn_assets.campaign.config import Channel
from churn_assets.campaign.contacts.event import Event
from churn_assets.campaign.errors import CampaignError
from churn_assets.campaign.planning.allocation import Problem, solve
from churn_assets.campaign.planning.marginal import with_first_units
from churn_assets.customers.schema import CustomerSchema
from churn_assets.domain.experiment import ExperimentConfig
from churn_assets.domain.offers import Offers
from churn_assets.serving.assessment import Assessor
from churn_assets.serving.decision_log import parts
from churn_assets.storage.local import LocalArtifactStore
from tests.campaign.test_workflow import (
    NOW,
    SETTINGS,
    TODAY,
    TOMORROW,
    Desk,
    customers_of,
    desk,
    sent,
)

__all__ = ["desk"]  # a fixture


def test_a_day_has_its_contacts_once_however_often_it_is_planned(desk: Desk) -> None:
    """What was handed over today, or reported by another system, has taken today's places."""
    campaigns = desk()
    campaigns.ledger.record(
        [sent(f"elsewhere-{i}", NOW).model_copy(update={"channel": "call"}) for i in range(2)]
    )
    first = campaigns.plan(NOW, "Ana", curves=False)
    assert Counter(row["channel"] for row in first.contacts.to_pylist() if row["day"] == TODAY) == {
        "email": 6
    }
    campaigns.approve(None, "Eva", NOW)
    assert campaigns.hand_over(None, TODAY, NOW, "Ana").new == 6
    noon = NOW + timedelta(hours=5)
    again = campaigns.plan(noon, "Ana", curves=False)
    assert customers_of(again, TODAY) == []
    assert len(customers_of(again, TOMORROW)) == 8
    rows = first.contacts.to_pylist()
    paid = sum(row["expected_cost"] for row in rows if row["day"] == TODAY)
    planner = campaigns.planner(noon)
    wide = planner.allocate(contacts_a_day={"email": 20, "call": 20})
    spent = wide.money + planner.promises.value_and_cost()[1] + paid
    assert paid > 0
    assert 0.9 * 900 < spent <= 900
    assert campaigns.planner(NOW + timedelta(days=6)).paid == pytest.approx(paid)
    assert campaigns.planner(NOW + timedelta(days=7)).paid == 0  # no seven days have both
    more = campaigns.changed(channels={"email": Channel(contacts_a_day=9)})
    assert len(customers_of(more.plan(noon, "Ana", curves=False), TODAY)) == 3


@pytest.mark.parametrize("a_day", [4, 100])
def test_no_seven_days_cost_more_than_a_plans_budget(desk: Desk, a_day: int) -> None:
    """Planned anew each morning: what was handed over on earlier days is paid for, until it is as
    long ago as a plan is long; then that money is there again. With few places it goes day by day,
    with many all on the first."""
    campaigns = desk(budget=20.0, channels={"email": Channel(contacts_a_day=a_day, cost=1.0)})
    costs: list[float] = []
    for i in range(14):
        now = NOW + timedelta(days=i)
        plan = campaigns.plan(now, "the schedule", curves=False)
        report = plan.report
        assert report["paid"] == pytest.approx(sum(costs[-6:]), abs=0.01)
        assert report["expected_cost"] + report["paid"] <= report["budget"] + 0.01 == 20.01
        campaigns.approve(plan.plan_id, "Eva", now)
        rows = [row for row in plan.contacts.to_pylist() if row["day"] == now.date()]
        assert campaigns.hand_over(None, now.date(), now, "Eva").new == len(rows)
        costs.append(sum(row["expected_cost"] for row in rows))
    assert max(sum(costs[i : i + 7]) for i in range(8)) <= 20
    assert sum(costs) > 0.85 * 2 * 20
    assert (costs[0] > 0.9 * 20) == (a_day == 100)


def test_a_shorter_plan_keeps_what_is_promised_beyond_it(desk: Desk) -> None:
    """Its approval takes the longer one's place, so it carries the later promises on as they are;
    their customers are planned no second time, and their day's hand-over writes them."""
    campaigns = desk()
    long = campaigns.plan(NOW, "Ana", curves=False)
    campaigns.approve(None, "Eva", NOW)
    hour = NOW + timedelta(hours=1)
    short = campaigns.changed(days=1).plan(hour, "Ana", curves=False)
    told = {row["decision_id"]: row for row in short.contacts.to_pylist()}
    assert told == {
        row["decision_id"]: row | {"promised": True} for row in long.contacts.to_pylist()
    }
    assert (short.report["contacts"], short.report["promised_later"]) == (8, len(told) - 8)
    assert short.report["expected_cost"] == pytest.approx(
        sum(row["expected_cost"] for row in told.values() if row["day"] == TODAY), abs=0.01
    )
    campaigns.approve(short.plan_id, "Eva", hour)
    assert campaigns.show(long.plan_id)[1] == "replaced"
    assert campaigns.hand_over(None, TOMORROW, NOW + timedelta(days=1), "Ana").new == 8


def test_a_draft_is_planned_anew_only_where_it_would_be_another_one(desk: Desk) -> None:
    """By the schedule, which plans whether or not anything happened. What a person asks for by
    `churn campaign plan` is always made."""
    campaigns = desk()
    first, new = campaigns.draft(NOW, "the schedule")
    assert new
    soon = NOW + timedelta(minutes=1)
    same, new = campaigns.draft(soon, "the schedule")
    assert (same.plan_id, same.contacts, new) == (first.plan_id, first.contacts, False)
    assert len(campaigns.newest(9)) == 1
    assert campaigns.plan(soon, "Ana").contacts.drop(["decision_id"]) == first.contacts.drop(
        ["decision_id"]
    )
    assert len(campaigns.newest(9)) == 2
    customer = customers_of(first)[0]
    campaigns.ledger.record([sent(customer, soon)])
    other, new = campaigns.draft(soon, "the schedule")
    assert new
    assert customer not in customers_of(other)
    brief = campaigns.changed(max_age_hours=1.0)  # a setting
    assert brief.draft(soon, "the schedule")[1]
    assert not brief.draft(soon + timedelta(minutes=59), "the schedule")[1]
    assert brief.draft(soon + timedelta(minutes=61), "the schedule")[1]  # it couldn't be sent
    assert brief.draft(NOW + timedelta(days=1), "the schedule")[1]


def test_a_draft_that_was_approved_or_lost_is_no_draft(
    desk: Desk, store: LocalArtifactStore
) -> None:
    """Its contacts are promises then, which the next plan keeps; or it can't be shown."""
    campaigns = desk()
    first, _ = campaigns.draft(NOW, "the schedule")
    lost = campaigns.stored(first.plan_id)[1]
    store.delete(lost.name, lost.version)
    second, new = campaigns.draft(NOW + timedelta(seconds=1), "the schedule")
    assert new
    campaigns.approve(None, "Eva", NOW)
    third, new = campaigns.draft(NOW + timedelta(seconds=2), "the schedule")
    assert new
    assert customers_of(third) == customers_of(second)
    assert all(third.contacts["promised"].to_pylist())


def test_who_is_forgotten_is_not_contacted_anew(desk: Desk) -> None:
    """Neither by the plan that contacted them, whose record of it is gone, nor by another one, as
    long as any limit looks back; then they are customers like all others."""
    campaigns = desk()
    plan = campaigns.plan(datetime.now(UTC), "Ana", curves=False)
    now = datetime.fromisoformat(plan.report["created"])
    day = now.date() + timedelta(days=1)
    campaigns.approve(None, "Eva", now)
    midnight = datetime.combine(day, time(), tzinfo=UTC)  # before that, the day is still to come
    assert campaigns.hand_over(None, day, midnight, "Ana").new == 8
    gone = customers_of(plan, day)[0]
    assert campaigns.ledger.erase(gone) == 1
    assert campaigns.ledger.histories([gone]) == {}
    again = campaigns.hand_over(None, day, midnight, "Ana")
    assert (again.new, again.already, again.dropped) == (0, 7, {"erased": 1})
    assert campaigns.export(None, day, midnight).dropped == {"erased": 1}
    later = campaigns.planner(now + timedelta(days=30))
    names = later.plan(curves=False)
    assert {"customer_id": gone, "rule": "erased"} in names.excluded.to_pylist()
    assert gone not in customers_of(names)
    free = campaigns.planner(now + timedelta(days=32))
    assert free.allowed[free.ids.index(gone)].any()


def test_who_had_opted_out_and_is_forgotten_is_never_contacted(desk: Desk) -> None:
    """No day of any plan, however long ago: an objection outlives the erasure."""
    campaigns = desk()
    plan = campaigns.plan(datetime.now(UTC), "Ana", curves=False)
    now = datetime.fromisoformat(plan.report["created"])
    gone = customers_of(plan, now.date() + timedelta(days=1))[0]
    said = Event(event_key="e1", customer_id=gone, kind="opted_out", occurred_at=now)
    campaigns.ledger.record([said])
    assert campaigns.ledger.erase(gone) == 1
    for days in (0, 32, 400):
        later = campaigns.planner(now + timedelta(days=days))
        assert not later.allowed[later.ids.index(gone)].any()
    names = later.plan(curves=False)
    assert {"customer_id": gone, "rule": "opt_out"} in names.excluded.to_pylist()


def test_offers_that_are_not_made_any_more_are_not_sent(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release with other offers came into service between plan and approval, or approval and
    list: said in words. A plan's promises of such offers are none: the next plan replaces it."""
    campaigns = desk()
    draft = campaigns.plan(NOW, "Ana", curves=False)
    offered = workflow.offers_to

    def others(customers: CustomerSchema | None) -> Offers:
        return offered(customers).model_copy(update={"percent": (0, 7, 14, 21)})

    monkeypatch.setattr(workflow, "offers_to", others)
    with pytest.raises(CampaignError, match="which the release in service doesn't: hand over"):
        campaigns.approve(None, "Eva", NOW)
    monkeypatch.undo()
    campaigns.approve(None, "Eva", NOW)
    monkeypatch.setattr(workflow, "offers_to", others)
    for use in (campaigns.export, lambda *given: campaigns.hand_over(*given, "Ana")):
        with pytest.raises(CampaignError, match=f"plan {draft.plan_id} offers"):
            use(None, TODAY, NOW)
    loaded = Assessor.load

    def of_others(folder: Path) -> Assessor:
        found = loaded(folder)
        found.percent = (0, 7, 14, 21)
        return found

    monkeypatch.setattr(workflow.Assessor, "load", of_others)
    again = campaigns.plan(NOW, "Ana", curves=False)
    kept = sum(not row["offer_percentage"] for row in draft.contacts.to_pylist())
    assert again.report["promised"] == kept < draft.contacts.num_rows
    assert {row["offer_percentage"] for row in again.contacts.to_pylist()} <= {0, 7, 14, 21}
    assert campaigns.approve(None, "Eva", NOW) == again.plan_id
    assert campaigns.show(draft.plan_id)[1] == "replaced"


def logged(store: LocalArtifactStore, plan_id: str) -> list[dict[str, Any]]:
    """What the decision log has of a plan."""
    rows: list[dict[str, Any]] = parts.read(store).to_pylist()
    return [row for row in rows if row["decision_id"].startswith(f"{plan_id}:")]


RUNNING = ExperimentConfig(enabled=True, control_share=0.4)
ROTATED = RUNNING.model_copy(update={"rotation_dates": (TOMORROW,)})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (ROTATED, ROTATED),
        (ExperimentConfig(), RUNNING),
        (RUNNING, ExperimentConfig()),
        (RUNNING, RUNNING.model_copy(update={"salt": "another"})),
        (RUNNING, RUNNING.model_copy(update={"control_share": 0.1})),
    ],
    ids=["rotation date", "on", "off", "salt", "share"],
)
def test_a_plan_of_another_control_group_is_not_approved(
    desk: Desk, store: LocalArtifactStore, before: ExperimentConfig, after: ExperimentConfig
) -> None:
    """Its contacts would be logged as the new group's, which nobody contacts. Planned again, and
    approved at once, nobody of the new group is contacted, and what was left to chance is nobody's
    of them. Who approved it before the draw has approved it."""
    evening, morning = NOW + timedelta(hours=17), NOW + timedelta(hours=18.5)
    first = desk(before).plan(evening, "Ana", curves=False)
    with pytest.raises(CampaignError, match=f"plan {first.plan_id} was made with: plan again"):
        desk(after).approve(None, "Eva", morning)
    assert logged(store, first.plan_id) == []
    assert desk().show(first.plan_id)[1] == "draft"
    again = desk(after).plan(morning, "Ana", curves=False)
    desk(after).approve(None, "Eva", morning)
    rows = logged(store, again.plan_id)
    control = [row for row in rows if row["group"] == "control"]
    assert {row["customer_id"] for row in rows if row["contact"]} == {*customers_of(again)}
    assert bool(control) is bool(after.enabled)
    assert not any(row["contact"] or row["propensity"] != 1 for row in control)
    assert desk(before).approve(again.plan_id, "Eva", evening) == again.plan_id


def test_who_was_promised_a_contact_and_came_into_the_control_group(
    desk: Desk, store: LocalArtifactStore
) -> None:
    """By a rotation date between two plans: no list has them any more, and the log says so."""
    campaigns = desk(ROTATED)
    campaigns.plan(NOW, "Ana", curves=False)
    campaigns.approve(None, "Eva", NOW)
    morning = NOW + timedelta(days=1)
    short = campaigns.changed(days=1).plan(morning, "Ana", curves=False)
    campaigns.approve(None, "Eva", morning)
    control = {r["customer_id"]: r for r in logged(store, short.plan_id) if r["group"] == "control"}
    assert control.keys() & {*customers_of(short)}
    assert not any(row["contact"] or row["propensity"] != 1 for row in control.values())
    day = TODAY + timedelta(days=3)
    listed = campaigns.export(None, day, morning)
    assert listed.dropped["control_group"] == len(control.keys() & {*customers_of(short, day)}) > 0


def test_a_promise_that_later_plans_keep_is_logged_once(
    desk: Desk, store: LocalArtifactStore
) -> None:
    """A plan each day: each contact is one decision, under the id that its list has. Whom nobody
    contacts is decided on by each plan."""
    campaigns = desk()
    plans = []
    for days in range(3):
        now = NOW + timedelta(days=days)
        plans.append(campaigns.plan(now, "the schedule", curves=False))
        campaigns.approve(None, "Eva", now)
        assert campaigns.hand_over(None, now.date(), now, "Eva").new == 8
    assert plans[-1].report["promised"] > 8
    rows = [row for plan in plans for row in logged(store, plan.plan_id)]
    made = {row["decision_id"]: row for plan in plans for row in plan.contacts.to_pylist()}
    contacts = {row["decision_id"]: row for row in rows if row["contact"]}
    assert contacts.keys() == made.keys()
    left_alone = [row for row in logged(store, plans[-1].plan_id) if not row["contact"]]
    assert {row["customer_id"] for row in left_alone}.isdisjoint(customers_of(plans[-1]))
    assert len(left_alone) == 90 - plans[-1].contacts.num_rows


def test_a_day_that_is_none_of_the_plans_is_said(desk: Desk) -> None:
    """Not an empty list, which could be taken for a day without anybody to contact."""
    campaigns = desk()
    plan = campaigns.plan(NOW, "Ana", curves=False)
    campaigns.approve(None, "Eva", NOW)
    for day in (TODAY - timedelta(days=1), TODAY + timedelta(days=7)):
        with pytest.raises(CampaignError, match=rf"is for {TODAY} to .*, not for {day}"):
            campaigns.export(None, day, NOW)
        with pytest.raises(CampaignError, match=f"plan {plan.plan_id} is for"):
            campaigns.hand_over(None, day, NOW, "Ana")


def test_the_first_contact_of_a_closed_channel_brings_what_it_says_at_most(desk: Desk) -> None:
    """A slider at nothing, or days that promises have filled: still a bound, and no leftover of the
    search for prices."""
    planner = desk().planner(NOW)
    nothing = {"email": 0, "call": 0}
    told = planner.sums(planner.allocate(contacts_a_day=nothing))
    one = planner.allocate(contacts_a_day=nothing | {"email": 1})
    assert told["expected_value"] == 0
    assert one.value > 0
    assert told["value_of_one_more"]["email"] >= one.bound - 0.01
    assert told["value_of_one_more"]["email"] <= 7 * planner.options.value.max() + 0.01
    campaigns = desk()
    campaigns.plan(NOW, "Ana", curves=False)
    campaigns.approve(None, "Eva", NOW)
    full = campaigns.planner(NOW)
    told = full.sums(full.allocate())
    more = full.allocate(contacts_a_day={"email": SETTINGS["channels"]["email"].contacts_a_day + 1})
    assert more.value > 0
    assert told["value_of_one_more"]["email"] >= more.bound - 0.01


def test_the_first_money_brings_what_it_says_at_most() -> None:
    """Two customers, one place each day; what costs nothing is worth less. Told is the best rate of
    all, though a unit doesn't buy the option that has it."""
    value, money = np.array([[3.0, 9.0, 50.0], [2.0, 4.0, 60.0]]), np.array([[0.0, 0.4, 2.0]] * 2)
    problem = Problem.of(value, money, np.zeros(3, np.int64), np.array([2.0]), 0.0)
    found = solve(problem)
    prices = with_first_units(problem, found.prices)
    with_one = solve(Problem.of(value, money, problem.slots, problem.places, 1.0))
    assert found.value == 5
    assert with_one.value == 13
    assert prices.money == pytest.approx((60 - 2) / 2, abs=0.01)
    assert with_one.value <= found.value + prices.money
