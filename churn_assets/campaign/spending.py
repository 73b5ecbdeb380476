"""What contacts have cost, month by month, and the price of money that follows from it.

A month's money is what was accepted (the discount on as many monthly charges as it lasts) and the
contacts' fees, as the ledger has them, and what contacts without an answer yet are expected to
cost. `decision.exact.spend_control` makes an aim of it, and the release's policy on the present
customers the price at which it spends that much.
"""

from __future__ import annotations

import calendar
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from churn_assets.campaign.config import CampaignConfig
from churn_assets.campaign.contacts.event import PERIOD
from churn_assets.campaign.contacts.history import History
from churn_assets.campaign.contacts.tellings import Acceptance
from churn_assets.campaign.discounts import contact_of, heard_until, money_of
from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.exact.policy_value import evaluate
from churn_assets.decision.exact.spend_control import (
    Period,
    aim_of,
    price_at,
    share_that_comes_true,
    still_to_come,
)
from churn_assets.decision.mdp.customers import Customers, systematic_sample
from churn_assets.decision.policy import at_price, price_of
from churn_assets.domain.experiment import ExperimentConfig
from churn_assets.domain.offers import OFFER_LEVELS
from churn_assets.domain.value import MONTHS_OF_VALUE
from churn_assets.release.switches.budget_price import BudgetPrice, read
from churn_assets.serving.assessment import Assessor
from churn_assets.storage.current import current_artifact
from churn_assets.storage.protocol import ArtifactStore

PRICES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 9.0, 12.0)
"""Of money, at which spend is worked out with the built-in offers (`prices_of` has others')."""
CUSTOMERS = 96  # on whom spend is worked out; they stand for equal shares of all value
PRIOR, HALF_LIFE = 0.05, 15  # a month's budgets, days: `comes_true` has them
LONGEST_GAP, RHYTHM = 31, timedelta(days=70)  # `quiet_days` has them
EDGE = 1e-6  # probabilities strictly between 0 and 1, as the environment has them


def yearly_values(predictions: pa.Table) -> dict[str, float]:
    """Customer id -> twelve monthly charges, in currency."""
    values = MONTHS_OF_VALUE * predictions["monthly_charges"].to_numpy()
    return dict(zip(predictions["customer_id"].to_pylist(), values.tolist(), strict=True))


def costs_of_percent(predictions: pa.Table, months: int) -> NDArray[np.float64]:
    """(N,) what a discount of one percent comes to, in currency.

    Args:
        months: that an accepted discount lasts.
    """
    bills: NDArray[np.float64] = predictions["monthly_charges"].to_numpy()
    return bills * months / 100


@dataclass
class DayMoney:
    """A day's money, in currency.

    Attributes:
        cost: what it has cost so far.
        planned: of that what contacts have that plans handed over and that aren't closed yet
            (`money_by_day`).
        expected: what plans expected these to cost.
        unanswered, fees: of those of them that nobody has answered, what was expected of them, and
            what they have cost.
        closed_expected, closed_cost: of plans' contacts that are closed, what was expected, and
            what they have cost, whenever it was accepted.
        ours: whether some of it surely comes from decisions of this product (`Event.is_ours`).
    """

    cost: float = 0.0
    planned: float = 0.0
    expected: float = 0.0
    unanswered: float = 0.0
    fees: float = 0.0
    closed_expected: float = 0.0
    closed_cost: float = 0.0
    ours: bool = False

    def at(self, comes_true: float) -> float:
        """What it has cost and is still to cost, if this share of expected money is spent."""
        return self.cost + still_to_come(
            self.expected, self.planned, self.unanswered, self.fees, comes_true
        )


def with_answers_of_strangers(
    histories: Mapping[str, History], known: Collection[str]
) -> Mapping[str, History]:
    """The histories, in which an acceptance under an id that nobody has answers the contact of the
    decision that it names, where a plan handed that over: the money is given once, however the id
    was written.

    Args:
        known: ids of customers; none: nobody knows them, and nothing is changed.
    """
    misspelt: dict[str, list[tuple[str, Acceptance]]] = defaultdict(list)
    for customer, history in histories.items() if known else ():
        for each in history.acceptances if customer not in known else ():
            if each.contact is None and each.decision_id is not None:
                misspelt[each.decision_id].append((customer, each))
    if not misspelt:
        return histories
    told = dict(histories)
    for customer, history in histories.items():
        for place, contact in enumerate(history.contacts):
            for stranger, each in misspelt.get(contact.decision_id or "", ()):
                if contact.planned:
                    told[customer] = told[customer].accepting(place, each)
                    told[stranger] = told[stranger].without(each)
    return told


def money_by_day(
    histories: Mapping[str, History],
    values: Mapping[str, float],
    fees: Mapping[str, float],
    zone: tzinfo | None,
    now: datetime,
    months: int,
) -> dict[date, DayMoney]:
    """Day of the company -> money of its contacts and acceptances, as far as is known now.

    A contact that a plan handed over counts on its own day: by what it was expected to cost, until
    it is answered or closed, and by what was accepted then. So no day seems cheap because its
    answers take time. It is closed when answers are known of `PERIOD` after it: silence is a no
    only where others are heard of. A discount that answers no such contact counts on the day of its
    acceptance, also where it was accepted under an id that nobody has (`with_answers_of_strangers`
    finds whose some are): who gives it has less.

    Args:
        values: customer id -> yearly value, for discounts of no contact that has its own
            (`Event.cost_of_percent`); who isn't in it counts as the mean.
        fees: channel -> cost of a contact.
        months: that an accepted discount lasts.
    """
    mean = float(np.mean(list(values.values()))) if values else 0.0
    found: dict[date, DayMoney] = defaultdict(DayMoney)
    told = with_answers_of_strangers(histories, values)
    heard = heard_until(told.values(), now)
    for customer, history in told.items():
        a_percent = values.get(customer, mean) * months / MONTHS_OF_VALUE / 100
        money, others = money_of(history, a_percent, fees, now)
        for each, discount in others:
            day = found[each.when.astimezone(zone).date()]
            day.cost += discount
            day.ours |= each.ours
            if (asked := contact_of(history.contacts, each)) is not None:
                found[asked.when.astimezone(zone).date()].closed_cost += discount
        for contact, (fee, discount) in zip(history.contacts, money, strict=True):
            day = found[contact.when.astimezone(zone).date()]
            day.cost += fee + discount
            day.ours |= contact.ours
            if contact.expected_cost is None:
                continue
            if heard is not None and contact.when <= heard - PERIOD:
                day.closed_expected += contact.expected_cost
                day.closed_cost += fee + discount
            else:
                day.planned += fee + discount
                day.expected += contact.expected_cost
                if contact.answer is None:
                    day.unanswered += contact.expected_cost
                    day.fees += fee
    return dict(found)


def comes_true(days: Mapping[date, DayMoney], budget: float, today: date) -> float:
    """Share of the money that plans expect which is spent in the end, by their closed contacts.

    Nothing that is open is in it, so answers known to be missing (`heard_until`) can't lower it. A
    day weighs half as much every `HALF_LIFE` days after its `PERIOD`, and `PRIOR` of a month's
    budget is taken to have come as expected: what few contacts say, or those of long ago, is
    little."""
    expected = cost = 0.0
    for day, each in days.items():
        weight = 0.5 ** (max(0, (today - day - PERIOD).days) / HALF_LIFE)
        expected += weight * each.closed_expected
        cost += weight * each.closed_cost
    return share_that_comes_true(expected, cost, PRIOR * budget)


def followed(
    days: Mapping[date, DayMoney], budget: float, today: date
) -> tuple[float, dict[date, float]]:
    """The aim, and each day's money, in which open contacts count as far as what is expected comes
    true.

    Money of before the first contact or answer that surely is of this product is another tool's: it
    says nothing of the price."""
    share = comes_true(days, budget, today)
    money = {day: each.at(share) for day, each in days.items()}
    begun = min((day for day, each in days.items() if each.ours), default=today)
    ours = {day: cost for day, cost in money.items() if day >= begun}
    return aim_of(periods_of(ours, budget, today, quiet_days(days, today))), money


def quiet_days(busy: Collection[date], today: date) -> set[date]:
    """The days before today on which nobody could accept anything, as far as the ledger knows:
    those since the last contacts or money, however few, and those of gaps between them. But a gap
    of at most a month that is over is the campaign's rhythm (a weekend, a monthly list), where the
    `RHYTHM` before it has one as long: its share was spent on the days around it.

    Args:
        busy: days with contacts or money; later ones than today are of contacts to come.
    """
    quiet: set[date] = set()
    gaps: list[tuple[date, int]] = []  # of at most a month: end, and days to it
    for last, following in pairwise((*sorted(busy), date.max)):
        days = (following - last).days
        gaps = [(end, length) for end, length in gaps if last - end <= RHYTHM]
        if not any(days <= length for _, length in gaps):
            ahead = range(1, (min(following, today) - last).days)
            quiet.update(last + timedelta(days=i) for i in ahead)
        if 1 < days <= LONGEST_GAP:
            gaps.append((following, days))
    return quiet


def periods_of(
    money: Mapping[date, float], budget: float, today: date, quiet: Collection[date] = ()
) -> list[Period]:
    """The months up to today, from the first day that cost anything; a month that isn't looked at
    whole has its share of the budget.

    Args:
        quiet: as `quiet_days`.
    """
    spent_on = [day for day, cost in money.items() if cost > 0 and day <= today]
    periods: list[Period] = []
    day = min(spent_on, default=today)
    while day < today:
        length = calendar.monthrange(day.year, day.month)[1]
        days = length - day.day + 1
        over = [day + timedelta(days=i) for i in range(min(days, (today - day).days))]
        whole = budget * days / length
        each = [money.get(one, 0.0) / whole for one in over]
        periods.append(Period(days, each, {i for i, one in enumerate(over) if one in quiet}))
        day += timedelta(days=len(over))
    return periods


def spent_this_month(money: Mapping[date, float], today: date) -> float:
    """Money of today's month, later days included for which contacts are handed over."""
    month = (today.year, today.month)
    return sum(cost for day, cost in money.items() if (day.year, day.month) == month)


def plan_money(price: BudgetPrice, days: Iterable[date], paid: float = 0.0) -> float:
    """What a plan for these days may use: each day's part of the aim, and no more than is left of
    the running month, also where days of the next one are among them: its contacts may all be made
    on the first days, and the next month's money isn't there before the next month is. Where
    contacts cost more than is expected of them, so much less may be expected of what is left: they
    count at the share that comes true once they are handed over.

    Args:
        paid: expected cost of contacts that are handed over, which the plan takes from this money;
            what is left of the month is without it already.
    """
    lengths = (calendar.monthrange(day.year, day.month)[1] for day in days)
    aimed = sum(price.aim * price.budget / length for length in lengths)
    left = max(0.0, price.budget - price.spent) / max(1.0, price.comes_true)
    return min(aimed, left + paid)


def prices_of(params: EnvironmentParams) -> tuple[float, ...]:
    """Prices of money at which spend is worked out: beyond `PRICES` as many times as far as cheaper
    offers are made (`EnvironmentParams.price_reach`)."""
    further = (price * params.price_reach for price in PRICES)
    return (*PRICES, *(price for price in further if price > PRICES[-1]))


def spends_at(predictions: pa.Table, assessor: Assessor, treated: float) -> tuple[float, ...]:
    """What the policy is expected to spend in a month at each of `prices_of` its world, in
    currency; empty where it knows no price.

    Args:
        treated: share of the customers that are contacted at all.
    """
    if price_of(assessor.policy) is None:
        return ()
    accept = np.column_stack([predictions[f"accept_prob_{i}"] for i in range(OFFER_LEVELS)])
    value = MONTHS_OF_VALUE * predictions["monthly_charges"].to_numpy()
    pays = value > 0
    if not pays.any():
        return ()
    risk = np.clip(predictions["churn_risk"].to_numpy(), EDGE, 1 - EDGE)
    base = Customers(risk[pays], np.clip(accept[pays], EDGE, 1 - EDGE), value[pays])
    some, params = systematic_sample(base, CUSTOMERS), assessor.params.clean
    shares = [
        evaluate(at_price(assessor.policy, price), some, params).mean("spend")
        for price in prices_of(params)
    ]
    return tuple(treated * float(value.sum()) * share for share in shares)


def followed_price(
    store: ArtifactStore,
    config: CampaignConfig,
    experiment: ExperimentConfig,
    assessor: Assessor,
    table: pa.Table,
    histories: Mapping[str, History],
    release_id: str,
    now: datetime,
) -> BudgetPrice | None:
    """The price from now on; None where there is no month's budget, or the policy knows no price.

    What is spent at which price is taken from the price in force where that is of the same release,
    predictions and share of customers who are contacted at all; else it is worked out, which takes
    seconds.

    Args:
        experiment: as it is in force; its control group costs nothing.
        table: the latest predictions.
        now: by the company's own clock, whose months are budgeted.
    """
    budget, last = config.month_budget, read(store)
    if budget is None:
        return None
    version = current_artifact(store, "predictions").version
    treated = 1 - experiment.control_share if experiment.enabled else 1.0
    prices = prices_of(assessor.params)
    key = (release_id, version, prices, treated)
    if last and (last.release_id, last.predictions, last.prices, last.treated) == key:
        spends = last.spends
    else:
        spends = spends_at(table, assessor, treated)
    if not spends:
        return None
    fees, zone = {name: channel.cost for name, channel in config.channels.items()}, now.tzinfo
    days = money_by_day(histories, yearly_values(table), fees, zone, now, assessor.months)
    today = now.date()
    aim, money = followed(days, budget, today)
    return BudgetPrice(
        price=price_at(aim * budget, prices, spends),
        aim=aim,
        month=f"{today:%Y-%m}",
        budget=budget,
        spent=spent_this_month(money, today),
        comes_true=comes_true(days, budget, today),
        release_id=release_id,
        predictions=version,
        prices=prices,
        spends=spends,
        treated=treated,
        at=now,
    )
