"""What became of the contacts, day by day: `status_of`.

From the ledger and the plans that it holds; nothing is kept of it. A day is the one that a contact
was planned for, in its customer's own time, whenever it was sent, reported or answered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from churn_assets.campaign.contacts.event import ANSWERS, Event
from churn_assets.campaign.contacts.history import History
from churn_assets.campaign.contacts.taken import taken
from churn_assets.campaign.contacts.tellings import Acceptance, Contact
from churn_assets.campaign.discounts import money_of
from churn_assets.campaign.eligibility import NOBODY
from churn_assets.campaign.errors import CampaignError
from churn_assets.campaign.people import Person
from churn_assets.campaign.sending import key_of
from churn_assets.campaign.silence import missing_answers
from churn_assets.campaign.spending import (
    followed,
    money_by_day,
    spent_this_month,
    with_answers_of_strangers,
    yearly_values,
)
from churn_assets.campaign.stored_plans import load_plan
from churn_assets.campaign.suppression import unknown_opt_outs
from churn_assets.domain.plain_errors import describe
from churn_assets.domain.value import MONTHS_OF_VALUE
from churn_assets.release.offers import offers_in_service
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.release.switches import budget_price
from churn_assets.serving.zones import zone_info
from churn_assets.storage.protocol import ArtifactError

if TYPE_CHECKING:
    from churn_assets.campaign.workflow import Campaigns

List = Literal["handed over", "exported", "none", "due", "to come", ""]
PLANS = 1_000  # of the newest that are looked at
LONGEST = timedelta(days=32)  # from a plan's making to the last contact of its own


@dataclass
class Day:
    """A day's contacts of plans; money in currency.

    Attributes:
        handed_over: that the ledger has.
        waiting: of the plan that was in force at the day's end, or is now, those that aren't handed
            over; None: its contacts aren't kept any more.
        list: what became of the day's list. `exported`: it was taken away and not handed over;
            `none`: contacts were approved for the day, and their list was neither; `due`: they are
            today's; empty: there were none, or nobody knows.
        sent, not_sent, unreported: of those handed over, whose sending was reported, that were
            reported as never made, and of which, where it should have begun by now, nobody said
            either.
        opted_out: who opted out since, and had no later contact of a plan before it.
        expected: what the plans expect of all of them but those that were never made.
        taken: discounts accepted and contacts' fees so far.
    """

    day: date
    handed_over: int = 0
    waiting: int | None = 0
    list: List = ""
    sent: int = 0
    not_sent: int = 0
    unreported: int = 0
    accepted: int = 0
    refused: int = 0
    opted_out: int = 0
    expected: float = 0.0
    taken: float = 0.0

    @property
    def planned(self) -> int | None:
        """All contacts of the day; None where only those that were handed over are known."""
        return None if self.waiting is None else self.handed_over + self.waiting

    def as_dict(self) -> dict[str, Any]:
        """As JSON; amounts with two decimals."""
        money = {name: round(getattr(self, name), 2) for name in ("expected", "taken")}
        return asdict(self) | {"day": self.day.isoformat(), "planned": self.planned} | money


@dataclass
class _Besides:
    """Discounts that were accepted of no contact which a plan handed over, in currency.

    Attributes:
        first: the first day that is looked at, by the clock of `now`.
        all, of_strangers: of the days since then; of them, those of `strangers`.
        this_month: of strangers, in the month of `now`.
    """

    first: date
    now: datetime
    all: float = 0.0
    of_strangers: float = 0.0
    strangers: list[str] = field(default_factory=list)
    this_month: float = 0.0

    def add(self, customer: str, paid: Iterable[tuple[Acceptance, float]], *, known: bool) -> None:
        """A customer's, who may be none of those that the predictions have."""
        days = [(each.when.astimezone(self.now.tzinfo).date(), money) for each, money in paid]
        lately = [money for day, money in days if day >= self.first]
        self.all += sum(lately)
        if not known:
            self.of_strangers += sum(lately)
            self.strangers += [customer] if sum(lately) else []
            month = self.now.date().replace(day=1)
            self.this_month += sum(money for day, money in days if day >= month)


class _Approved(NamedTuple):
    """A plan that was approved, and until when it was in force; None: it still is."""

    plan_id: str
    content: str
    since: datetime
    until: datetime | None

    def in_force_at(self, when: datetime) -> bool:
        """Whether its contacts were promises then."""
        return self.since <= when and (self.until is None or self.until > when)


def status_of(campaigns: Campaigns, now: datetime, days: int) -> dict[str, Any]:
    """The last days, today included, and those to come that have contacts, as JSON: `days`
    (`Day.as_dict` each, the oldest first); `other_discounts`, accepted in these days of no contact
    that a plan handed over, and what of them is `discounts_of_strangers`, whom the predictions
    don't have (`strangers`, their ids), at the mean of the bills; and `month`, where a month's
    budget is set, else None; what is spent of it has those discounts, `of_strangers`; and
    `unknown_opt_outs`, a sentence about ids that opted out and look misspelt, None without any; and
    `answers_missing`, one about contacts of which no answer is known, None where none is missing.
    Where there are no predictions that can be read, whose bills the discounts are of, `problem`
    says so, and what was taken, both discounts and `month` are None.

    Args:
        now: by the company's own clock.
        days: how many, today included; >= 1.
    """
    told: dict[str, list[Event]] = defaultdict(list)
    for event in campaigns.ledger.all_events():
        told[event.customer_id].append(event)
    values, problem = _values(campaigns)
    histories, by_now = (
        with_answers_of_strangers({who: History.of(each) for who, each in events.items()}, values)
        for events in (told, {who: _answered_by(now, each) for who, each in told.items()})
    )
    months = offers_in_service(campaigns.store).months
    fees = {name: channel.cost for name, channel in campaigns.config.channels.items()}
    people, first = campaigns.people(), now.date() - timedelta(days=days - 1)
    found = {day: Day(day) for day in (first + timedelta(days=i) for i in range(days))}
    mean, besides = float(np.mean(list(values.values()) or [0.0])), _Besides(first, now)
    for customer, history in by_now.items():
        a_percent = values.get(customer, mean) * months / MONTHS_OF_VALUE / 100
        money, others = money_of(history, a_percent, fees, now)
        besides.add(customer, others, known=customer in values)
        zone = _zone(people, customer, campaigns)
        _count(found, first, told[customer], history, [sum(each) for each in money], zone, now)
    _add_waiting(campaigns, found, {e.event_key for each in told.values() for e in each}, now)
    lines = [found[day].as_dict() for day in sorted(found)]
    said = {
        "unknown_opt_outs": unknown_opt_outs(histories, campaigns.store),
        "answers_missing": missing_answers(by_now, values, now),
    }
    if problem is not None:
        names = ("other_discounts", "discounts_of_strangers", "strangers", "month")
        unknown = dict.fromkeys(names) | {"problem": problem} | said
        told_of = [line | {"taken": None} for line in lines]
        return {"now": now.isoformat(timespec="seconds"), "days": told_of, **unknown}
    return {
        "now": now.isoformat(timespec="seconds"),
        "days": lines,
        "other_discounts": round(besides.all, 2),
        "discounts_of_strangers": round(besides.of_strangers, 2),
        "strangers": besides.strangers,
        "month": _month(campaigns, histories, values, fees, months, now, besides.this_month),
        **said,
    }


def _answered_by(now: datetime, events: Iterable[Event]) -> list[Event]:
    """The events without answers that are told ahead of their time: nothing is accepted, nor any
    discount taken, before it has come. What was sent, or not, may be told a bare day ahead."""
    return [e for e in events if e.kind not in ANSWERS or e.occurred_at <= now]


def _values(campaigns: Campaigns) -> tuple[dict[str, float], str | None]:
    """Customers' yearly bills, and why nobody knows them, where that is so."""
    try:
        return yearly_values(campaigns.predictions()), None
    except ArtifactError as error:
        return {}, describe(error)


def _zone(people: Mapping[str, Person], customer: str, campaigns: Campaigns) -> tzinfo:
    """Where a customer lives, as far as plans know it."""
    rules = campaigns.config.rules
    known = people.get(customer, NOBODY).zone
    return zone_info(known or next(iter(rules.zones), campaigns.default_zone))


def _count(
    found: dict[date, Day],
    first: date,
    events: Iterable[Event],
    history: History,
    money: list[float],
    zone: tzinfo,
    now: datetime,
) -> None:
    """Add a customer's contacts that plans handed over to their days."""
    told_of = {c.decision_id: (c, paid) for c, paid in zip(history.contacts, money, strict=True)}
    last: Day | None = None
    for event in (e for e in events if e.is_plans):  # each is one contact, whatever told of it too
        at = event.occurred_at.astimezone(zone).date()
        day = found.setdefault(at, Day(at)) if at >= first else Day(at)
        day.handed_over += 1
        day.list = "handed over"
        if event.decision not in told_of:
            day.not_sent += 1
            continue
        contact, paid = told_of[event.decision]
        _add(day, event, contact, paid, now)
        if history.opted_out_since and _is_after(history.opted_out_since, event, zone, now):
            last = day
    if last is not None:
        last.opted_out += 1


def _is_after(said: datetime, contact: Event, zone: tzinfo, now: datetime) -> bool:
    """Whether something was said after a contact, or on its day: a bare day is told as a midnight,
    by the clocks of the company, of the customer or of UTC."""
    day = contact.occurred_at.astimezone(zone).date()
    local = (said.astimezone(clock) for clock in (now.tzinfo, zone, UTC))
    told_the_day = any(at.time() == time() and at.date() == day for at in local)
    return contact.occurred_at <= said or told_the_day


def _add(day: Day, event: Event, contact: Contact, paid: float, now: datetime) -> None:
    day.sent += contact.confirmed
    day.unreported += not contact.confirmed and event.occurred_at <= now
    day.accepted += contact.answer == "accepted"
    day.refused += contact.answer == "refused"
    day.expected += event.expected_cost or 0.0
    day.taken += paid


def _add_waiting(
    campaigns: Campaigns, found: dict[date, Day], known: set[str], now: datetime
) -> None:
    """Add the contacts that aren't handed over, of the plan in force on each day."""
    today, plans = now.date(), _approved(campaigns, min(found))
    rows = {plan.plan_id: _rows(campaigns, plan) for plan in plans}
    last = [
        row["day"]
        for plan in plans
        if plan.in_force_at(now)
        for row in rows[plan.plan_id] or ()
        if row["day"] > today and key_of(row) not in known
    ]
    for day in {*found, *last}:
        of_the_day = found.setdefault(day, Day(day))
        # A plan of the next morning no longer has the contacts of the day before.
        end = datetime.combine(day + timedelta(days=1), time(), now.tzinfo)
        for plan in plans:
            if plan.in_force_at(min(end, now)) and _has(plan, day):
                _wait(of_the_day, rows[plan.plan_id], known)
        if of_the_day.waiting and not of_the_day.handed_over:
            of_the_day.list = "to come" if day > today else _listed(campaigns, day, today)


def _wait(day: Day, rows: list[dict[str, Any]] | None, known: set[str]) -> None:
    if rows is None:
        day.waiting = None
        return
    left = [row for row in rows if row["day"] == day.day and key_of(row) not in known]
    day.waiting = None if day.waiting is None else day.waiting + len(left)
    day.expected += sum(row["expected_cost"] for row in left)


def _has(plan: _Approved, day: date) -> bool:
    """Whether the plan may have contacts on a day: it keeps promises for days after its own."""
    return plan.plan_id[:8] <= f"{day:%Y%m%d}"


def _rows(campaigns: Campaigns, plan: _Approved) -> list[dict[str, Any]] | None:
    """A plan's contacts; None where they aren't kept any more, or are lost."""
    try:
        stored = load_plan(campaigns.store, plan.plan_id, plan.content)
    except (ArtifactError, CampaignError):
        return None
    rows: list[dict[str, Any]] = stored.contacts.to_pylist()
    return rows


def _approved(campaigns: Campaigns, first: date) -> list[_Approved]:
    """The plans that were ever approved and may have contacts on `first` or later."""
    plans = [plan for plan in campaigns.ledger.plans(PLANS) if plan[2] != "draft"]
    since_then = f"{first - LONGEST:%Y%m%d}"  # a plan's id begins with its first day
    plans = [plan for plan in plans if plan[2] == "approved" or plan[0] >= since_then]
    found = []
    for plan_id, content, _ in plans:
        since: datetime | None = None
        until: datetime | None = None
        for step in campaigns.ledger.steps(plan_id):
            if step.step == "approved":
                since = step.at
            elif step.step in ("replaced", "cancelled"):
                until = step.at
        if since is not None:
            found.append(_Approved(plan_id, content, since, until))
    return found


def _listed(campaigns: Campaigns, day: date, today: date) -> List:
    """Whether a day's list was taken away, of a day none of which is handed over."""
    with campaigns.ledger.reading() as connection:
        if taken(connection, day):
            return "exported"
    return "due" if day == today else "none"


def _month(
    campaigns: Campaigns,
    histories: Mapping[str, History],
    values: Mapping[str, float],
    fees: Mapping[str, float],
    months: int,
    now: datetime,
    of_strangers: float,
) -> dict[str, Any] | None:
    """The month's budget as it stands now: what is spent of it (in it what strangers accepted), and
    the price that is in force, which is None before a plan with the release in service, or where
    its policy knows no price."""
    budget = campaigns.config.month_budget
    if budget is None:
        return None
    days = money_by_day(histories, values, fees, now.tzinfo, now, months)
    spent = spent_this_month(followed(days, budget, now.date())[1], now.date())
    price, serving = budget_price.read(campaigns.store), ReleaseRegistry(campaigns.store).serving()
    if price is not None and (serving is None or price.release_id != serving.release_id):
        price = None
    return {
        "month": f"{now:%Y-%m}",
        "budget": budget,
        "spent": round(spent, 2),
        "of_strangers": round(of_strangers, 2),
        "left": round(max(0.0, budget - spent), 2),
        "price": None if price is None else price.price,
        "priced_at": None if price is None else price.at.isoformat(timespec="seconds"),
    }
