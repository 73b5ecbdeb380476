"""`churn campaign status` against what is known by hand, on a real ledger and real plans."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.compute as pc
import pytest
import sqlalchemy as sa

from churn_assets.campaign.contacts.event import Event
from churn_assets.campaign.contacts.ledger import PLANS, STEPS
from churn_assets.campaign.spending import yearly_values
from churn_assets.campaign.status import status_of
from churn_assets.campaign.workflow import Campaigns
from churn_assets.cli.campaign_status import show_status
from churn_assets.storage.current import asset_pointer
from tests.campaign.test_workflow import NOW, TODAY, TOMORROW, Desk, desk

__all__ = ["desk"]  # a fixture

MORNING = timedelta(days=2)  # after the first plan: the second one is made
MADRID = ZoneInfo("Europe/Madrid")  # the company's clock
LATER = NOW + timedelta(days=3, hours=4)


def at(campaigns: Campaigns, plan_id: str, step: str, when: datetime) -> None:
    """Steps have the present; these are told as of the test's own time."""
    mine = sa.update(STEPS).where(STEPS.c.plan_id == plan_id, STEPS.c.step == step)
    with campaigns.ledger.writing() as connection:
        connection.execute(mine.values(at=when.isoformat(timespec="microseconds")))


def approved(campaigns: Campaigns, now: datetime) -> str:
    """The id of a plan that is made and approved at once; the one before is replaced."""
    before = campaigns.approved()
    plan_id = campaigns.plan(now, "Ana", curves=False).plan_id
    campaigns.approve(plan_id, "Eva", now)
    at(campaigns, plan_id, "approved", now)
    if before is not None:
        at(campaigns, before, "replaced", now)
    return plan_id


def told(customer: str, kind: str, when: datetime, offer: int | None = None) -> Event:
    return Event.model_validate(
        {
            "event_key": f"feedback:{customer}-{kind}-{when.isoformat()}",
            "customer_id": customer,
            "kind": kind,
            "occurred_at": when,
            "offer_percentage": offer,
        }
    )


def lines(campaigns: Campaigns, now: datetime, days: int = 5) -> dict[str, dict[str, Any]]:
    return {line["day"]: line for line in status_of(campaigns, now, days)["days"]}


@pytest.fixture
def three_days(desk: Desk) -> tuple[Campaigns, list[dict[str, Any]]]:
    """A day that is handed over, one that nobody did, one whose list was only taken away, and
    today, for which another plan is in force; and what the first day's list had."""
    campaigns = desk()
    approved(campaigns, NOW)
    first = campaigns.export(None, TODAY, NOW).rows
    assert campaigns.hand_over(None, TODAY, NOW, "Eva").new == len(first) == 8
    approved(campaigns, NOW + MORNING)
    campaigns.export(None, (NOW + MORNING).date(), NOW + MORNING)
    return campaigns, first


Given = tuple[Campaigns, list[dict[str, Any]]]


def test_a_day_says_what_became_of_its_contacts(three_days: Given) -> None:
    """Eight are handed over; four are reported as sent, one of them a day late, and of four nobody
    says so. Three accept, one of them of whom nothing was reported, one refuses, two opt out."""
    campaigns, rows = three_days
    names = [row["customer_id"] for row in rows]
    offers = {row["customer_id"]: row["offer_percentage"] for row in rows}
    sent = NOW + timedelta(hours=5)
    campaigns.ledger.record(
        [
            *(told(name, "sent", sent) for name in names[:3]),
            told(names[3], "sent", NOW + timedelta(days=1)),
            told(names[0], "accepted", sent + timedelta(hours=9)),
            told(names[1], "accepted", sent + timedelta(days=1), 5),
            told(names[2], "refused", sent + timedelta(days=1)),
            told(names[4], "accepted", sent + timedelta(days=1), 10),
            told(names[5], "opted_out", sent + timedelta(days=1)),
            told(names[6], "opted_out", sent + timedelta(days=1)),
            told("besides", "accepted", sent + timedelta(days=1), 10),
        ]
    )
    report = status_of(campaigns, LATER, 5)
    values = yearly_values(campaigns.predictions())
    given = {names[0]: offers[names[0]], names[1]: 5, names[4]: 10}
    fees = sum(row["channel"] == "call" for row in rows)
    found = {line["day"]: line for line in report["days"]}[TODAY.isoformat()]
    assert found == {
        "day": TODAY.isoformat(),
        "planned": 8,
        "handed_over": 8,
        "waiting": 0,
        "list": "handed over",
        "sent": 4,
        "not_sent": 0,
        "unreported": 4,
        "accepted": 3,
        "refused": 1,
        "opted_out": 2,
        "expected": pytest.approx(sum(row["expected_cost"] for row in rows), abs=0.01),
        "taken": pytest.approx(
            fees + sum(share / 100 * values[name] for name, share in given.items()), abs=0.01
        ),
    }
    mean = sum(values.values()) / len(values)
    assert report["other_discounts"] == pytest.approx(mean / 10, abs=0.01)
    assert report["month"] is None


def test_discounts_under_ids_that_nobody_has_are_told_apart(
    three_days: Given, capsys: pytest.CaptureFixture[str]
) -> None:
    """An acceptance under an id that lost its zeros was money that someone would have been given,
    and looked like any customer's."""
    campaigns, rows = three_days
    values = yearly_values(campaigns.predictions())
    known = next(i for i in values if i not in {row["customer_id"] for row in rows})
    when = NOW + timedelta(days=1)
    campaigns.ledger.record([told(known, "accepted", when, 5)])
    report = status_of(campaigns, LATER, 5)
    assert report["other_discounts"] == pytest.approx(values[known] * 0.05, abs=0.01)
    assert report["discounts_of_strangers"] == 0
    show_status(report)
    assert "under ids" not in capsys.readouterr().out
    campaigns.ledger.record([told("44", "accepted", when, 10)])
    report = status_of(campaigns, LATER, 5)
    mean = sum(values.values()) / len(values)
    assert report["discounts_of_strangers"] == pytest.approx(mean / 10, abs=0.01)
    both = values[known] * 0.05 + mean / 10
    assert report["other_discounts"] == pytest.approx(both, abs=0.02)
    show_status(report)
    said = capsys.readouterr().out.splitlines()
    place = said.index(f"Discounts accepted besides, of no contact of a plan: {both:,.2f}")
    assert said[place + 1].startswith(f"{mean / 10:,.2f} of them under ids that the latest")


@pytest.mark.parametrize("others_pay", [1.0, 3.0])
def test_a_past_day_stays_what_it_was(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, others_pay: float
) -> None:
    """Who accepted has left since, or has another bill, and the mean is another one: the discount
    was of the bill that the plan had. It was reckoned on the mean of today's."""
    campaigns = desk(month_budget=50_000.0)
    approved(campaigns, NOW)
    rows = campaigns.export(None, TODAY, NOW).rows
    campaigns.hand_over(None, TODAY, NOW, "Eva")
    stays, leaves = (row["customer_id"] for row in rows[:2])
    answered = NOW + timedelta(days=1)
    campaigns.ledger.record([told(name, "accepted", answered, 10) for name in (stays, leaves)])
    before = status_of(campaigns, LATER, 5)
    table = campaigns.predictions()
    values = yearly_values(table)
    fees = sum(row["channel"] == "call" for row in rows)
    taken = next(day["taken"] for day in before["days"] if day["handed_over"])
    assert taken == pytest.approx(fees + 0.1 * (values[stays] + values[leaves]), abs=0.01)
    table = table.filter(pc.not_equal(table["customer_id"], leaves))
    bills = pc.multiply(table["monthly_charges"], others_pay)
    table = table.set_column(table.column_names.index("monthly_charges"), "monthly_charges", bills)
    monkeypatch.setattr(campaigns, "predictions", lambda: table)
    assert status_of(campaigns, LATER, 5) == before


@pytest.mark.parametrize("zone", [ZoneInfo("Europe/Madrid"), UTC])
def test_an_opt_out_told_as_a_bare_day_is_of_that_day(three_days: Given, zone: tzinfo) -> None:
    """Its midnight lies before the contact: it was counted on no day. The evening before isn't
    after the contact, nor is the midnight of that day."""
    campaigns, rows = three_days
    names = [row["customer_id"] for row in rows]
    midnight = datetime.combine(TODAY, time(), zone)
    before = midnight - timedelta(days=1)
    campaigns.ledger.record(
        [
            *(told(name, "opted_out", midnight) for name in names[:2]),
            told(names[2], "opted_out", before),
            told(names[3], "opted_out", before + timedelta(hours=20)),
        ]
    )
    assert lines(campaigns, LATER.astimezone(MADRID))[TODAY.isoformat()]["opted_out"] == 2


@pytest.mark.parametrize("kind", ["accepted", "refused"])
def test_an_answer_told_ahead_counts_when_its_time_has_come(three_days: Given, kind: str) -> None:
    """An import takes events of up to a day ahead: a discount was accepted and not taken."""
    campaigns, rows = three_days
    names = [row["customer_id"] for row in rows]
    before = lines(campaigns, LATER)[TODAY.isoformat()]
    ahead = LATER + timedelta(hours=20)
    campaigns.ledger.record([told(names[0], kind, ahead, 10), told("besides", kind, ahead, 10)])
    report = status_of(campaigns, LATER, 5)
    assert {line["day"]: line for line in report["days"]}[TODAY.isoformat()] == before
    assert report["other_discounts"] == 0
    after = lines(campaigns, ahead)[TODAY.isoformat()]
    assert after[kind] == before[kind] + 1
    assert (after["taken"] > before["taken"]) is (kind == "accepted")


def test_days_that_nobody_handed_over_are_told(three_days: Given) -> None:
    campaigns, _ = three_days
    found = lines(campaigns, LATER)
    lists = {day: line["list"] for day, line in found.items()}
    days = [(TODAY + timedelta(days=i)).isoformat() for i in range(-1, 9)]
    assert list(lists.items()) == [
        *zip(days[:2], ["", "handed over"], strict=True),
        *zip(days[2:5], ["none", "exported", "due"], strict=True),
        *((day, "to come") for day in days[5:]),
    ]
    for day in days[2:]:
        assert (found[day]["planned"], found[day]["handed_over"]) == (8, 0)
        assert found[day]["taken"] == found[day]["unreported"] == 0 < found[day]["expected"]
    assert found[days[0]]["planned"] == 0
    assert campaigns.hand_over(None, (NOW + MORNING).date(), LATER, "Eva").new == 8
    after = lines(campaigns, LATER)[days[3]]
    assert (after["list"], after["handed_over"], after["unreported"]) == ("handed over", 8, 8)


def test_a_cancelled_plan_promises_nothing(three_days: Given) -> None:
    campaigns, _ = three_days
    standing = str(campaigns.approved())
    campaigns.cancel(standing, "Eva")
    at(campaigns, standing, "cancelled", LATER - timedelta(hours=1))
    found = lines(campaigns, LATER)
    assert max(found) == LATER.date().isoformat()
    assert (found[max(found)]["planned"], found[max(found)]["list"]) == (0, "")
    assert found[TOMORROW.isoformat()]["list"] == "none"  # it wasn't cancelled then


def test_what_is_not_kept_any_more_is_unknown(three_days: Given) -> None:
    campaigns, _ = three_days
    replaced = next(p for p, _, status in campaigns.ledger.plans(5) if status == "replaced")
    with campaigns.ledger.writing() as connection:
        mine = PLANS.c.plan_id == replaced
        content = connection.execute(sa.select(PLANS.c.content).where(mine)).scalar_one()
        removed = json.dumps(json.loads(content) | {"removed": True})
        connection.execute(sa.update(PLANS).where(mine).values(content=removed))
    found = lines(campaigns, LATER)
    today, tomorrow = found[TODAY.isoformat()], found[TOMORROW.isoformat()]
    assert (today["planned"], today["handed_over"]) == (None, 8)
    assert (tomorrow["planned"], tomorrow["list"]) == (None, "")


@pytest.mark.parametrize("now", [NOW, LATER])
def test_before_the_first_plan_there_is_nothing(desk: Desk, now: datetime) -> None:
    campaigns = desk()
    report = status_of(campaigns, now, 3)
    assert len(report["days"]) == 3
    assert not any(line["planned"] or line["list"] for line in report["days"])
    assert campaigns.ledger.is_absent()


def test_a_list_of_tomorrow_is_not_overdue(desk: Desk) -> None:
    """Handed over ahead: nobody can have reported it as sent yet."""
    campaigns = desk()
    approved(campaigns, NOW)
    campaigns.export(None, TOMORROW, NOW)
    campaigns.hand_over(None, TOMORROW, NOW, "Eva")
    line = lines(campaigns, NOW, 1)[TOMORROW.isoformat()]
    assert (line["handed_over"], line["sent"], line["unreported"]) == (8, 0, 0)
    late = lines(campaigns, NOW + timedelta(days=1, hours=9), 1)[TOMORROW.isoformat()]
    assert late["unreported"] == 8


def test_without_predictions_it_says_all_but_the_discounts(three_days: Given) -> None:
    """Why: it refused when somebody had to know what was handed over."""
    campaigns, rows = three_days
    campaigns.ledger.record([told(rows[0]["customer_id"], "accepted", NOW + timedelta(days=1), 5)])
    whole = status_of(campaigns, LATER, 5)
    assert "problem" not in whole
    pointer = asset_pointer("predictions")
    before = campaigns.store.read_pointer(pointer)
    assert before is not None
    for damaged in (b"", b"\0" * 64, before[: len(before) // 2]):
        campaigns.store.write_pointer(pointer, damaged)
        report = status_of(campaigns, LATER, 5)
        assert report["days"] == [line | {"taken": None} for line in whole["days"]]
        assert report["other_discounts"] is report["month"] is None
        assert report["discounts_of_strangers"] is None
        assert "assets/predictions.json is damaged" in report["problem"]
        show_status(report)
    campaigns.store.write_pointer(pointer, before)
    assert status_of(campaigns, LATER, 5) == whole
