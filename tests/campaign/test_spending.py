"""The month's budget: what the ledger says was spent, and the price of money that follows."""

from __future__ import annotations

import calendar
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from churn_assets.campaign.config import CampaignConfig, Channel
from churn_assets.campaign.contacts.event import Event, Kind
from churn_assets.campaign.contacts.history import History
from churn_assets.campaign.contacts.ledger import Ledger
from churn_assets.campaign.spending import (
    PRICES,
    DayMoney,
    followed,
    money_by_day,
    periods_of,
    plan_money,
    spent_this_month,
    yearly_values,
)
from churn_assets.campaign.status import status_of
from churn_assets.campaign.workflow import Campaigns
from churn_assets.decision.exact.spend_control import (
    LOWEST_AIM,
    Period,
    aim_of,
    next_aim,
    price_at,
)
from churn_assets.decision.rules.families import PricedGreedy
from churn_assets.domain.experiment import ExperimentConfig
from churn_assets.release.switches import budget_price
from churn_assets.release.switches.budget_price import BudgetPrice
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import ArtifactError
from tests.api.conftest import publish_predictions, publish_small_release

NOW = datetime(2026, 3, 21, 6, tzinfo=UTC)


def event(
    customer: str, kind: Kind, when: datetime, percentage: int | None = None, channel: str = "email"
) -> Event:
    """Something that happened to a customer."""
    return Event(
        event_key=f"{customer}-{kind}-{when:%m%d%H}",
        customer_id=customer,
        kind=kind,
        occurred_at=when,
        channel=channel,
        offer_percentage=percentage,
    )


@pytest.mark.parametrize("factor", [1.3, 0.7])
def test_daily_steps_end_where_the_monthly_rule_does(factor: float) -> None:
    """24 months by the day, with a shock in the middle: within 3 % of the budget after two months,
    never above 105 % in total; and a month with a constant price makes exactly the documented
    step."""
    periods: list[Period] = []
    totals, shock = [], 12
    for month in range(24):
        spent: list[float] = []
        for _ in range(30):
            aim = aim_of([*periods, Period(30, spent)])
            spent.append(aim * (factor if month >= shock else 1.0) / 30)
        periods.append(Period(30, spent))
        totals.append(sum(spent))
    assert abs(totals[shock] - 1) > 0.05
    settled = np.array(totals[:shock] + totals[shock + 2 :])
    assert np.abs(settled - 1).max() < 0.03
    assert max(np.cumsum(totals) / np.arange(1, 25)) < 1.05
    first = aim_of([periods[0], Period(30, [factor / 30])])
    assert first == pytest.approx(next_aim(1.0, factor ** (1 / 30)))
    assert aim_of(periods[: shock + 1]) == pytest.approx(next_aim(1.0, factor))


def test_a_quiet_beginning_does_not_wind_the_price_down() -> None:
    """Answers take days: a first day without any must move little, and no day may move without
    bounds."""
    assert aim_of([]) == 1
    assert 1 < aim_of([Period(30, [0.0])]) < 1.05
    assert aim_of([Period(30, [1.0])]) > 0.95  # a month's money on one day
    assert aim_of([Period(30, [5.0] * 30)] * 9) == LOWEST_AIM
    with pytest.raises(ValueError, match="finite"):
        aim_of([Period(30, [float("nan")])])


def test_a_price_lies_between_those_that_are_known() -> None:
    assert price_at(150.0, [0.0, 1.0, 3.0], [200.0, 100.0, 50.0]) == pytest.approx(0.5)
    assert price_at(75.0, [0.0, 1.0, 3.0], [200.0, 100.0, 50.0]) == pytest.approx(2.0)
    assert price_at(500.0, [0.0, 1.0, 3.0], [200.0, 100.0, 50.0]) == 0.0
    assert price_at(1.0, [0.0, 1.0, 3.0], [200.0, 100.0, 50.0]) == 3.0


def test_money_is_what_was_accepted_and_the_contacts_fees(tmp_path: Path) -> None:
    """From a real ledger: a discount counts once, on the day that it was taken, at what was offered
    where the report doesn't say; who isn't a customer any more counts as the mean."""
    ledger, day = Ledger.open("", tmp_path), NOW - timedelta(days=1)
    ledger.record(
        [
            event("A", "sent", NOW - timedelta(days=3), 10),
            event("A", "accepted", day),
            event("A", "accepted", day + timedelta(hours=2), 10),  # told a second time
            event("B", "sent", day, 15, "call"),
            event("B", "refused", day + timedelta(hours=1)),
            event("gone", "accepted", day, 5),
            event("C", "sent", NOW + timedelta(days=1), 5, "call"),  # planned ahead
        ]
    )
    values = {"A": 1_000.0, "B": 500.0, "C": 300.0}
    days = money_by_day(ledger.histories(), values, {"call": 3.0, "email": 0.5}, UTC, NOW, 12)
    money = {day: each.at(1.0) for day, each in days.items() if each.cost}
    assert money == pytest.approx(
        {(NOW - timedelta(days=3)).date(): 0.5, day.date(): 100.0 + 3.0 + 0.05 * 600.0}
    )
    assert spent_this_month(money, NOW.date()) == pytest.approx(133.5)
    twice = money_by_day(ledger.histories(), values, {}, UTC, NOW, 24)
    assert sum(each.cost for each in twice.values()) == pytest.approx(2 * (100.0 + 0.05 * 600.0))
    ledger.close()


def handed_over(
    customer: str, day: date, expected: float, accepted: datetime | None = None
) -> list[Event]:
    """A contact with 10 % that a plan handed over, and, if it was, its acceptance."""
    when = datetime.combine(day, datetime.min.time(), tzinfo=UTC) + timedelta(hours=9)
    sent = event(customer, "sent", when, 10).model_copy(update={"expected_cost": expected})
    return [sent] if accepted is None else [sent, event(customer, "accepted", accepted)]


def test_a_contact_costs_what_is_expected_until_it_is_answered() -> None:
    """Three of ten accept 10 % of 1,000, as was expected: 300 on the contacts' day, before, between
    and after the answers, refusals told or not. A period of answers later silence is a no."""
    day, days = date(2026, 3, 2), timedelta(days=1)
    start = datetime(2026, 3, 2, 9, tzinfo=UTC)
    names = [f"C{i}" for i in range(10)]
    values = dict.fromkeys([*names, "D"], 1_000.0)
    events = {name: handed_over(name, day, 30.0) for name in names}

    def money(now: datetime, fees: dict[str, float] | None = None) -> dict[date, float]:
        histories = {name: History.of(told) for name, told in events.items()}
        days = money_by_day(histories, values, fees or {}, UTC, now, 12)
        return {day: each.at(1.0) for day, each in days.items()}

    assert money(start - timedelta(hours=3)) == pytest.approx({day: 300.0})
    assert money(start + days, {"email": 1.0}) == pytest.approx({day: 300.0})  # fees are in it
    for i, name in enumerate(names[:3]):
        events[name].append(event(name, "accepted", start + (5 + i) * days))
        assert money(start + (5 + i) * days) == pytest.approx({day: 300.0})
    assert money(start + 29 * days) == pytest.approx({day: 300.0})
    events["C3"].append(event("C3", "accepted", start + 8 * days))  # more than was expected
    assert money(start + 9 * days) == pytest.approx({day: 400.0})
    for name in names[1:4]:
        events[name].pop()
    assert money(start + 9 * days) == pytest.approx({day: 300.0})
    for name in names[1:]:
        events[name].append(event(name, "refused", start + 9 * days))
    assert money(start + 10 * days) == pytest.approx({day: 100.0})  # fewer
    for name in names[1:]:
        events[name].pop()
    assert money(start + 31 * days) == pytest.approx({day: 300.0})  # nobody is heard of since
    events["D"] = handed_over("D", date(2026, 3, 22), 100.0, start + 30 * days)
    assert money(start + 31 * days) == pytest.approx({day: 100.0, date(2026, 3, 22): 100.0})
    del events["D"]
    events["C1"].append(event("C1", "accepted", start + 40 * days))  # on a day of its own
    assert money(start + 41 * days) == pytest.approx({day: 100.0, date(2026, 4, 11): 100.0})


def months_of(lag: int, world: float, *, refusals: bool) -> list[float]:
    """Eight months' cost over their budget. Each day's contacts are those of its plan; three of ten
    are accepted, so many days later, for `world` times of what is expected from the third month on;
    the others' refusals are reported then, or not."""
    budget, start = 20_000.0, datetime(2026, 1, 1, 6, tzinfo=UTC)
    costs: dict[date, float] = {}
    settled: dict[date, DayMoney] = {}
    months: dict[str, float] = {}
    for i in range(243):
        now = start + timedelta(days=i)
        histories, values = {}, {}
        for day in [day for day in costs if day not in settled]:
            at = datetime(day.year, day.month, day.day, 10, tzinfo=UTC) + timedelta(days=lag)
            real = costs[day] * (world if day.month > 2 else 1.0)
            for k in range(10):
                name, accepts = f"{day}-{k}", k < 3
                told = handed_over(name, day, costs[day] / 10)
                if at <= now and (accepts or refusals):
                    told.append(event(name, "accepted" if accepts else "refused", at))
                histories[name], values[name] = History.of(told), 10 * real / 3
        days = settled | money_by_day(histories, values, {}, UTC, now, 12)
        settled = {day: each for day, each in days.items() if (now.date() - day).days > 31}
        aim, money = followed(days, budget, now.date())
        price = BudgetPrice(
            price=1.0,
            aim=aim,
            month=f"{now:%Y-%m}",
            budget=budget,
            spent=spent_this_month(money, now.date()),
            release_id="r",
            predictions="p",
            prices=(0.0, 1.0),
            spends=(1.0, 0.0),
            at=now,
        )
        costs[now.date()] = plan_money(price, [now.date()])
        real = costs[now.date()] * (world if now.month > 2 else 1.0)
        months[price.month] = months.get(price.month, 0.0) + real / budget
    return list(months.values())


@pytest.mark.parametrize("refusals", [True, False])
@pytest.mark.parametrize("lag", [0, 14])
def test_a_month_costs_its_budget_however_long_answers_take(lag: int, refusals: bool) -> None:
    """No month seems cheap before its answers are in, and none pays for the one before."""
    assert months_of(lag, 1.0, refusals=refusals) == pytest.approx([1.0] * 8, abs=1e-6)


@pytest.mark.parametrize("refusals", [True, False])
@pytest.mark.parametrize("world", [0.7, 1.3])
def test_late_answers_are_followed_all_the_same(world: float, refusals: bool) -> None:
    """Within 5 % of the budget two months after customers began to accept otherwise."""
    found = months_of(10, world, refusals=refusals)
    assert found[:2] == pytest.approx([1.0, 1.0], abs=1e-6)
    assert found[4:] == pytest.approx([1.0] * 4, abs=0.05)


def test_months_begin_with_the_first_money() -> None:
    """A product that is new has not saved anything; a month that began late has its part."""
    money = {date(2026, 1, 22): 10.0, date(2026, 2, 1): 28.0, date(2026, 3, 1): 7.0}
    first, second, third = periods_of(money, 310.0, date(2026, 3, 3))
    assert (first.days, len(first.spent), sum(first.spent)) == (10, 10, pytest.approx(0.1))
    assert (second.days, sum(second.spent)) == (28, pytest.approx(28 / 310))
    assert (third.days, len(third.spent)) == (31, 2)
    assert periods_of({}, 310.0, date(2026, 3, 3)) == []


Desk = Callable[..., Campaigns]


@pytest.fixture(scope="module")
def priced_store(tmp_path_factory: pytest.TempPathFactory) -> LocalArtifactStore:
    """A store whose release decides by a price."""
    home = tmp_path_factory.mktemp("home")
    publish_small_release(home, tmp_path_factory.mktemp("release"), policy=PricedGreedy(price=0.5))
    publish_predictions(home, tmp_path_factory.mktemp("predictions"))
    return LocalArtifactStore(home / "store")


@pytest.fixture
def desk(priced_store: LocalArtifactStore, tmp_path: Path) -> Desk:
    """Makes campaigns with settings of one's own on this test's ledger."""

    def make(**changes: object) -> Campaigns:
        email = Channel(contacts_a_day=50, cost=0.1)
        config = CampaignConfig.model_validate({"channels": {"email": email}} | changes)
        return Campaigns(priced_store, Ledger.open("", tmp_path), config, "UTC")

    return make


def test_the_price_follows_what_the_ledger_says(desk: Desk) -> None:
    """A month without surprise, then one in which twice as much is accepted: the price rises, the
    plan is given less and never more than is left, and dear contacts are made no more."""
    calm = desk(month_budget=400.0)
    plan = calm.plan(NOW, "Ana", curves=False)
    before = budget_price.read(calm.store)
    assert before is not None
    assert before.aim == 1
    assert before.spends[0] > before.spends[-1]
    assert before.price == pytest.approx(price_at(400.0, PRICES, before.spends))
    assert plan.report["budget_price"] == before.price
    assert plan.report["overspent"] == round(before.overspent, 2)
    assert plan.report["budget"] == pytest.approx(400 * 7 / 31, abs=0.01)
    assert budget_price.in_force(calm.store, before.release_id) == before.price
    assert budget_price.in_force(calm.store, "another") is None

    values = yearly_values(calm.planner(NOW).sources.table)
    start, events = datetime(2026, 2, 1, 9, tzinfo=UTC), []
    rich = sorted(values, key=values.__getitem__)[-48:]
    for i, customer in enumerate(rich):  # one a day
        when = start + timedelta(days=i)
        events.append(event(customer, "sent", when, 5))
        events.append(event(customer, "accepted", when + timedelta(hours=1)))
    calm.ledger.record(events)
    after_plan = calm.plan(NOW, "Ana", curves=False)
    after = budget_price.read(calm.store)
    assert after is not None
    assert after.spends == before.spends  # not worked out again for the same release and customers
    assert after.spent > 2 * 400
    assert after.aim < 0.4
    assert after.price > before.price
    assert after_plan.report["budget"] == 0  # nothing is left of this month
    assert after_plan.report["contacts"] == 0
    april = NOW + timedelta(days=11)
    fresh = calm.planner(april)
    assert fresh.sources.price is not None
    assert fresh.sources.price.spent == 0
    assert fresh.budget == pytest.approx(fresh.sources.price.aim * 400 * 7 / 30)
    for row in fresh.plan(curves=False).contacts.to_pylist():
        assert row["expected_value"] >= fresh.sources.price.price * row["expected_cost"]

    month = status_of(calm, NOW, 1)["month"]
    assert (month["month"], month["budget"], month["left"]) == ("2026-03", 400.0, 0.0)
    assert month["spent"] == round(after.spent, 2)
    assert month["price"] == after.price
    assert status_of(calm, april, 1)["month"]["left"] == 400.0

    desk().plan(NOW, "Ana", curves=False)
    assert budget_price.read(calm.store) is None
    assert status_of(calm, NOW, 1)["month"]["price"] is None
    assert status_of(desk(), NOW, 1)["month"] is None


def test_an_experiment_that_begins_has_its_spends_worked_out(desk: Desk) -> None:
    """Half of the customers are left alone: the others spend half as much at any price. A price of
    an earlier version doesn't say of whom its spends are, and is worked out anew."""
    calm = desk(month_budget=400.0)
    calm.plan(NOW, "Ana", curves=False)
    before = budget_price.read(calm.store)
    assert before is not None
    half = ExperimentConfig(enabled=True, control_share=0.5)
    running = Campaigns(calm.store, calm.ledger, calm.config, "UTC", half)
    price = running.planner(NOW).sources.price
    assert price is not None
    assert price.spends == pytest.approx([spend / 2 for spend in before.spends])
    assert price.price < before.price
    earlier = before.model_dump_json(exclude={"treated"})
    calm.store.write_pointer(budget_price.POINTER, earlier.encode())
    assert budget_price.in_force(calm.store, before.release_id) == before.price
    again = running.planner(NOW).sources.price
    assert again is not None
    assert again.spends == price.spends


def test_a_plan_over_the_months_end_is_aimed_at_both(desk: Desk) -> None:
    """But it may make all of its contacts in the running month, so what is left of that pays for
    them."""
    planner = desk(month_budget=400.0).planner(NOW + timedelta(days=8))  # the 29th, for 7 days
    price = planner.sources.price
    assert price is not None
    three, four = 3 * 400 / 31, 4 * 400 / calendar.monthrange(2026, 4)[1]
    assert planner.budget == pytest.approx(three + four)
    nearly = price.model_copy(update={"spent": 395.0})
    assert plan_money(nearly, planner.days) == pytest.approx(5)


def test_what_was_handed_over_is_spent_before_it_is_answered(desk: Desk) -> None:
    """The next morning's plan has a day's money more, and not a week's again; what is left of the
    month is less by it, and pays for it once."""
    campaigns = desk(month_budget=400.0)
    plan = campaigns.plan(NOW, "Ana", curves=False)
    campaigns.approve(None, "Eva", NOW)
    campaigns.hand_over(None, NOW.date(), NOW, "Eva")
    rows = plan.contacts.to_pylist()
    paid = sum(row["expected_cost"] for row in rows if row["day"] == NOW.date())
    assert 0 < paid <= plan.report["budget"] == pytest.approx(400 * 7 / 31, abs=0.01)
    planner = campaigns.planner(NOW + timedelta(days=1))
    price = planner.sources.price
    assert price is not None
    assert price.aim < 1  # a week's money on one day
    assert price.spent == pytest.approx(paid)  # the aim says nothing of who accepts
    assert planner.paid == pytest.approx(paid)
    assert planner.budget == pytest.approx(price.aim * 400 * 7 / 31)
    again = planner.plan(curves=False).report
    assert again["contacts"] == again["promised"]  # dear days are aimed lower at
    nearly = price.model_copy(update={"spent": 395.0, "aim": 2.0})
    assert plan_money(nearly, planner.days, paid) - paid == pytest.approx(5)


def test_without_a_months_budget_nothing_changes(desk: Desk) -> None:
    """The release's own price, the plan's own money, no word of either."""
    campaigns = desk()
    campaigns.ledger.record([event("T00001", "accepted", NOW - timedelta(days=40), 15)])
    plan = campaigns.plan(NOW, "Ana", curves=False)
    assert plan.report["budget_price"] is None
    assert budget_price.read(campaigns.store) is None
    own = campaigns.planner(NOW)
    assert own.budget == own.sources.budget_a_period * 7 / own.sources.assessor.params.period_days


def test_a_pointer_that_holds_no_price_is_refused(tmp_path: Path) -> None:
    """Somebody wrote it by hand; a guess would spend money."""
    store = LocalArtifactStore(tmp_path)
    store.write_pointer(budget_price.POINTER, b"cheap")
    with pytest.raises(ArtifactError, match="churn campaign plan"):
        budget_price.read(store)
