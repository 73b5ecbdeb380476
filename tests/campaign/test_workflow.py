"""A plan from draft to hand-over, on a small real release: what a retention team does in a day."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from churn_assets.campaign.config import CampaignConfig, Channel
from churn_assets.campaign.contacts.event import Event
from churn_assets.campaign.contacts.feed import LedgerFeed
from churn_assets.campaign.contacts.ledger import Ledger
from churn_assets.campaign.contacts.opening import LateLedger
from churn_assets.campaign.errors import CampaignError, LedgerError
from churn_assets.campaign.planning.plan import Plan
from churn_assets.campaign.workflow import Campaigns
from churn_assets.domain.events import is_decisions
from churn_assets.domain.experiment import CONTROL, ExperimentConfig, group_of
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.serving.decision_log import parts
from churn_assets.serving.engine import RetentionEngine
from churn_assets.serving.events import FeedbackEvent
from churn_assets.serving.feedback import open_feedback_log
from churn_assets.serving.schemas import PredictRequest
from churn_assets.storage.local import LocalArtifactStore

NOW = datetime(2026, 3, 10, 6, tzinfo=UTC)
TODAY, TOMORROW = NOW.date(), NOW.date() + timedelta(days=1)
SETTINGS: dict[str, Any] = {
    "budget": 900.0,
    "channels": {
        "email": Channel(contacts_a_day=6),
        "call": Channel(contacts_a_day=2, cost=1.0, hours=(9, 20)),
    },
}

FEATURES = {*PredictRequest.model_fields}

Desk = Callable[..., Campaigns]


@pytest.fixture
def desk(store: LocalArtifactStore, tmp_path: Path) -> Desk:
    """Makes campaigns with settings of one's own on this test's ledger."""

    def make(experiment: ExperimentConfig | None = None, **changes: Any) -> Campaigns:
        config = CampaignConfig.model_validate(SETTINGS | changes)
        return Campaigns(store, Ledger.open("", tmp_path), config, "Europe/Madrid", experiment)

    return make


def people(tmp_path: Path, lines: str) -> Path:
    """A table of people with these lines."""
    file = tmp_path / "people.csv"
    file.write_text(f"customer_id,first_name,zone,opt_out\n{lines}", encoding="utf-8")
    return file


def sent(customer: str, when: datetime) -> Event:
    """A contact that another system reports."""
    return Event(event_key=f"crm-{customer}", customer_id=customer, kind="sent", occurred_at=when)


def customers_of(plan: Plan, day: date | None = None) -> list[str]:
    """Whom the plan contacts, on a day or at all."""
    rows = plan.contacts.to_pylist()
    return [row["customer_id"] for row in rows if day in (None, row["day"])]


def test_a_plan_holds_its_limits_and_nobody_twice(desk: Desk) -> None:
    """Seven days, places and money; the bound and the sums agree with the rows."""
    campaigns = desk()
    plan = campaigns.plan(NOW, "Ana")
    rows, report = plan.contacts.to_pylist(), plan.report
    a_day = Counter((row["day"], row["channel"]) for row in rows)
    assert all(n <= SETTINGS["channels"][c].contacts_a_day for (_, c), n in a_day.items())
    assert len({row["day"] for row in rows}) == 7
    assert len(set(customers_of(plan))) == len(rows) == report["contacts"]
    assert sum(row["expected_cost"] for row in rows) <= 900
    assert sum(row["expected_value"] for row in rows) == pytest.approx(report["expected_value"])
    assert 0.95 * report["bound"] <= report["expected_value"] <= report["linear_bound"]
    assert report["linear_bound"] <= report["bound"]
    values = [point["value"] for point in report["pareto"]["money"]]
    assert values[0] < values[-1]
    assert report["pareto"]["contacts"][0]["value"] < report["pareto"]["contacts"][-1]["value"]
    assert campaigns.show()[1] == "draft"
    assert campaigns.show()[0].report == report


def test_who_is_left_out_is_listed_with_the_rule(desk: Desk, tmp_path: Path) -> None:
    """Opt-out, control group, cooldown: none is in the plan, each is in the list."""
    before = customers_of(desk().planner(NOW).plan(curves=False))
    experiment = ExperimentConfig(enabled=True, control_share=0.2)
    control = {c for c in before if group_of(c, experiment, NOW) == CONTROL}
    gone, lately = [customer for customer in before if customer not in control][:2]
    file = people(tmp_path, f"{gone},,,yes\n")
    campaigns = desk(experiment, people=file)
    campaigns.ledger.record([sent(lately, NOW - timedelta(hours=1))])
    plan = campaigns.plan(NOW, "Ana", curves=False)
    rules = {row["customer_id"]: row["rule"] for row in plan.excluded.to_pylist()}
    assert (rules.pop(gone), rules.pop(lately)) == ("opt_out", "cooldown")
    assert control
    assert rules == dict.fromkeys(rules, "control_group")
    assert control < rules.keys()
    assert plan.report["excluded"] == {
        "opt_out": 1,
        "control_group": len(rules),
        "cooldown": 1,
    }
    assert not set(customers_of(plan)) & {gone, lately, *rules}


def test_a_history_counts_as_post_predict_counts_it(desk: Desk) -> None:
    """What a contact would bring somebody with a history is what the engine says of them, and less
    than before they accepted."""
    campaigns = desk(rules={"cooldown_days": 0})
    plan = campaigns.plan(NOW, "Ana", curves=False)
    first = plan.contacts.to_pylist()[0]["customer_id"]
    when = NOW - timedelta(days=2)
    accepted = sent(first, when).model_copy(update={"event_key": "a", "kind": "accepted"})
    campaigns.ledger.record([sent(first, when), accepted])
    planner = campaigns.planner(NOW)
    place = planner.ids.index(first)
    value, cost = planner.options.special[place]
    assert value[0].max() < planner.options.value[place].max()
    assert (np.diff(value[:, 3])[:5] > 0).all()  # the more of the cooldown is over, the better
    customer = {k: v for k, v in planner.sources.table.to_pylist()[place].items() if k in FEATURES}
    history = campaigns.ledger.histories([first])[first].fields(NOW, 7)
    engine = RetentionEngine.load(ReleaseRegistry(campaigns.store).folder())
    request = PredictRequest.model_validate({"name": "Sam"} | customer | history)
    alternatives = engine.predict(request, exact=True)["metadata"]["alternatives"][1:]
    assert [a["expected_value"] for a in alternatives] == pytest.approx(value[0].tolist())
    assert [a["expected_cost"] for a in alternatives] == pytest.approx(cost[0].tolist())


def test_a_draft_is_no_list(desk: Desk) -> None:
    """It has to be approved, by somebody, and who and when is kept; a cancelled one stays so."""
    campaigns = desk()
    with pytest.raises(CampaignError, match="there is no plan yet"):
        campaigns.show()
    plan = campaigns.plan(NOW, "Ana", curves=False)
    with pytest.raises(CampaignError, match="is a draft: approve it first"):
        campaigns.export(None, TODAY, NOW)
    with pytest.raises(CampaignError, match="is a draft: approve it first"):
        campaigns.hand_over(None, TODAY, NOW, "Ana")
    assert campaigns.approve(None, "Eva", NOW) == plan.plan_id
    assert campaigns.approve(None, "Eva", NOW) == plan.plan_id
    assert [(s.step, s.who) for s in campaigns.ledger.steps(plan.plan_id)] == [
        ("planned", "Ana"),
        ("approved", "Eva"),
    ]
    campaigns.cancel(plan.plan_id, "Ana")
    with pytest.raises(CampaignError, match="is cancelled: make another one"):
        campaigns.hand_over(None, TODAY, NOW, "Ana")
    with pytest.raises(CampaignError, match="is cancelled: make another one"):
        campaigns.approve(None, "Eva", NOW)


def test_handing_over_twice_is_handing_over_once(desk: Desk) -> None:
    """The day's contacts are in the ledger, the list is empty, the next plan leaves them alone."""
    campaigns = desk()
    plan = campaigns.plan(NOW, "Ana", curves=False)
    campaigns.approve(None, "Eva", NOW)
    today = customers_of(plan, TODAY)
    assert len(campaigns.export(None, TODAY, NOW)[1]) == len(today) == 8
    done = campaigns.hand_over(None, TODAY, NOW, "Ana")
    assert (done.new, done.already, done.dropped) == (8, 0, {})
    again = campaigns.hand_over(None, TODAY, NOW + timedelta(hours=1), "Ana")
    assert (again.new, again.already, again.dropped) == (0, 8, {})
    assert campaigns.export(None, TODAY, NOW)[1] == []
    histories = campaigns.ledger.histories(today)
    assert all(len(histories[customer].contacts) == 1 for customer in today)
    later = campaigns.plan(NOW + timedelta(hours=2), "Ana", curves=False)
    assert not set(customers_of(later)) & set(today)
    assert later.report["excluded"] == {"cooldown": 8}


def test_replanning_keeps_what_was_promised(desk: Desk) -> None:
    """Tomorrow's contacts of an approved plan are in the next one, as they were; then that one
    stands in the first one's place, and its hand-over writes each of them once."""
    campaigns = desk()
    first = campaigns.plan(NOW, "Ana", curves=False)
    campaigns.approve(None, "Eva", NOW)
    campaigns.hand_over(None, TODAY, NOW, "Ana")
    morning = NOW + timedelta(days=1)
    second = campaigns.plan(morning, "Ana", curves=False)
    promised = {r["decision_id"]: r for r in first.contacts.to_pylist() if r["day"] >= TOMORROW}
    kept = {r["decision_id"]: r for r in second.contacts.to_pylist() if r["promised"]}
    assert kept.keys() == promised.keys()
    assert all(kept[i] == row | {"promised": True} for i, row in promised.items())
    a_day = Counter((row["day"], row["channel"]) for row in second.contacts.to_pylist())
    assert all(n <= SETTINGS["channels"][c].contacts_a_day for (_, c), n in a_day.items())
    campaigns.approve(second.plan_id, "Eva", morning)
    assert campaigns.show(first.plan_id)[1] == "replaced"
    assert campaigns.hand_over(None, TOMORROW, morning, "Ana").new == 8
    with pytest.raises(CampaignError, match="is replaced"):
        campaigns.hand_over(first.plan_id, TOMORROW, morning, "Ana")


def test_promises_count_in_the_bound_and_the_curves(desk: Desk) -> None:
    """A plan that keeps promises is as near the best as it says, and stands on its own curves."""
    campaigns = desk()
    first = campaigns.plan(NOW, "Ana")
    campaigns.approve(None, "Eva", NOW)
    report = campaigns.plan(NOW + timedelta(hours=1), "Ana").report
    assert report["promised"] == report["contacts"] == first.report["contacts"]
    for told in (first.report, report):
        assert told["gap"] == pytest.approx(1 - told["expected_value"] / told["bound"], abs=1e-5)
        for curve, limit, now in (("money", "budget", 900), ("contacts", "a_day", 8)):
            [here] = [p for p in told["pareto"][curve] if p[limit] == now]
            assert here["value"] == pytest.approx(told["expected_value"], rel=0.02)
            assert told["pareto"][curve][0][limit] == 0
    nothing = report["pareto"]["contacts"][0]["value"]
    assert nothing == pytest.approx(first.report["expected_value"], abs=0.02)
    assert first.report["pareto"]["contacts"][0]["value"] == 0


def test_one_more_brings_what_it_says_at_most(desk: Desk) -> None:
    """Of money, and of a contact on each of the days: the price is a bound on what it brings."""
    planner = desk().planner(NOW)
    told = planner.sums(planner.allocate())
    more = told["value_of_one_more"]
    assert set(more) == {"money", "email", "call"}
    for other, price in (
        (planner.allocate(901.0), more["money"]),
        (planner.allocate(contacts_a_day={"email": 7}), more["email"]),
        (planner.allocate(contacts_a_day={"call": 3}), more["call"]),
    ):
        assert price > 0
        assert other.bound <= told["bound"] + price + 0.02
    assert planner.allocate(contacts_a_day={"email": 7}).value > told["expected_value"]


def test_two_planners_at_once(desk: Desk) -> None:
    """Both plan the same customers; the second approval is refused, or nobody would know which of
    two promises holds. Whoever hands over, each customer is contacted once."""
    one, two = desk(), desk(budget=500.0)
    plans = [one.plan(NOW, "Ana", curves=False), two.plan(NOW, "Eva", curves=False)]
    one.approve(plans[0].plan_id, "Ana", NOW)
    with pytest.raises(CampaignError, match=r"promises \d+ contacts that plan .* doesn't know of"):
        two.approve(plans[1].plan_id, "Eva", NOW)

    def hand_over(number: int) -> int:
        desk_of = desk()
        return desk_of.hand_over(plans[0].plan_id, TODAY, NOW, f"worker {number}").new

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(hand_over, range(4))) == 8
    histories = one.ledger.histories()
    assert len(histories) == 8
    assert all(len(history.contacts) == 1 for history in histories.values())


def test_who_opts_out_after_the_approval_is_not_handed_over(desk: Desk) -> None:
    """Nor is who was contacted by another system meanwhile; both are counted, by the rule."""
    campaigns = desk()
    plan = campaigns.plan(NOW, "Ana", curves=False)
    campaigns.approve(None, "Eva", NOW)
    gone, lately = customers_of(plan, TODAY)[:2]
    out = sent(gone, NOW).model_copy(update={"kind": "opted_out"})
    campaigns.ledger.record([out, sent(lately, NOW - timedelta(days=3))])
    done = campaigns.hand_over(None, TODAY, NOW, "Ana")
    assert (done.new, done.dropped) == (6, {"opt_out": 1, "cooldown": 1})


def test_an_old_plan_is_not_handed_over(desk: Desk) -> None:
    """It knows nothing of what has happened since."""
    campaigns = desk(max_age_hours=12)
    campaigns.plan(NOW, "Ana", curves=False)
    campaigns.approve(None, "Eva", NOW)
    with pytest.raises(CampaignError, match="is 25 hours old, and 12 are allowed"):
        campaigns.hand_over(None, TOMORROW, NOW + timedelta(hours=25), "Ana")


def test_a_night_has_nothing_to_send(desk: Desk) -> None:
    """At 23:30 the day's contacts wait no longer: they are dropped, not sent at night."""
    campaigns = desk()
    campaigns.plan(NOW, "Ana", curves=False)
    campaigns.approve(None, "Eva", NOW)
    night = NOW.replace(hour=22, minute=30)
    assert campaigns.export(None, TODAY, night)[1] == []
    assert campaigns.hand_over(None, TODAY, night, "Ana").dropped == {"quiet_hours": 8}


def test_an_approved_plan_is_in_the_decision_log(
    desk: Desk, store: LocalArtifactStore, tmp_path: Path
) -> None:
    """Everybody whom it could have contacted, and the control group beside them; approved twice,
    logged once. Who opted out is in neither group."""
    gone = customers_of(desk().planner(NOW).plan(curves=False))[0]
    experiment = ExperimentConfig(enabled=True, control_share=0.4)
    campaigns = desk(experiment, people=people(tmp_path, f"{gone},,,yes\n"))
    plan = campaigns.plan(NOW, "Ana", curves=False)
    for _ in range(2):
        campaigns.approve(None, "Eva", NOW)
    logged = parts.read(store).to_pylist()  # other tests' plans, too
    rows = [row for row in logged if row["decision_id"].startswith(f"{plan.plan_id}:")]
    found = {row["customer_id"]: row for row in rows}
    assert len(found) == len(rows)
    assert all(is_decisions(row["decision_id"]) for row in rows)
    assert {name for name, row in found.items() if row["contact"]} == set(customers_of(plan))
    assert {row["group"] for row in rows} == {"treated", "control"}
    assert not any(row["contact"] for row in rows if row["group"] == "control")
    assert all(row["group"] == group_of(name, experiment, NOW) for name, row in found.items())
    assert gone not in found
    contact = plan.contacts.to_pylist()[0]
    assert found[contact["customer_id"]]["decision_id"] == contact["decision_id"]
    channels = {row["customer_id"]: row["channel"] for row in plan.contacts.to_pylist()}
    assert {(channels.get(name), row["contact_cost"]) for name, row in found.items()} == {
        (None, None),
        ("email", 0.0),
        ("call", 1.0),
    }


@pytest.mark.parametrize(
    ("kind", "told"), [("unsubscribed", "opted_out"), ("delivered", "sent"), ("sent", "sent")]
)
def test_the_ledger_is_told_by_its_own_words(
    store: LocalArtifactStore, tmp_path: Path, kind: str, told: str
) -> None:
    """Who unsubscribes by POST /feedback isn't contacted again; who was reached was contacted."""
    ledger = Ledger.open("", tmp_path)
    when = "2026-03-01T10:00:00+00:00"
    event = FeedbackEvent(
        event_id="e1", customer_id="C1", kind=kind, occurred_at=when, decision_id="P:C1"
    )
    late = LateLedger("", tmp_path)
    with closing(LedgerFeed(open_feedback_log(store, tmp_path), late)) as feed, closing(late):
        assert feed.record(event.event_id, event.model_dump_json()) == "stored"
        assert len(feed.events()) == 1
    history = ledger.histories(["C1"]).get("C1")
    assert bool(history and history.opted_out) is (told == "opted_out")
    decisions = [contact.decision_id for contact in history.contacts] if history else []
    assert decisions == (["P:C1"] if told == "sent" else [])
    ledger.close()


def test_feedback_cannot_be_kept_while_the_ledger_cannot_be_used(
    store: LocalArtifactStore, tmp_path: Path
) -> None:
    """What is looked at while there is a problem: it isn't over before the ledger is back."""
    late = LateLedger("", tmp_path)
    with closing(LedgerFeed(open_feedback_log(store, tmp_path), late)) as feed, closing(late):
        feed.check()  # nobody was ever contacted
        (tmp_path / "ledger.sqlite3").write_bytes(b"no database" * 1_000)
        with pytest.raises(LedgerError):
            feed.check()


def test_an_erasure_ends_no_later_event(store: LocalArtifactStore, tmp_path: Path) -> None:
    """What is posted is kept, and a file's rows of after the erasure are."""
    late = LateLedger("", tmp_path)
    with closing(LedgerFeed(open_feedback_log(store, tmp_path), late)) as feed, closing(late):
        feed.erase("C1")
        content = {"customer_id": "C1", "kind": "sent", "channel": None, "offer_percentage": None}
        times = [datetime.now(UTC) + timedelta(hours=hours) for hours in (-1, 1)]
        events = [
            (f"e{i}", json.dumps(content | {"occurred_at": when.isoformat()}))
            for i, when in enumerate(times)
        ]
        assert feed.record_many(events) == ["erased", "stored"]
        assert feed.record(*events[1]) == "duplicate"
        assert feed.record("e2", events[1][1]) == "stored"
        assert set(late.opened().events(["feedback:e0", "feedback:e1", "feedback:e2"])) == {
            "feedback:e1",
            "feedback:e2",
        }
        assert not late.opened().erased(["C1"])["C1"].opted_out
        no = content | {"occurred_at": times[0].isoformat(), "kind": "unsubscribed"}
        assert feed.record_many([("e3", json.dumps(no))]) == ["erased"]
        assert late.opened().erased(["C1"])["C1"].opted_out
