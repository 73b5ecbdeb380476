"""A day's contacts of an approved plan on their way to the sending system.

`export` makes the list for a person to take away, and notes who is in it. `hand_over` writes these
contacts to the ledger: all of them or none, and never twice, whoever asks how often. `deliver` does
both at once: the list goes to a folder or bucket, and what is in it is handed over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from churn_assets.campaign import templates
from churn_assets.campaign.contact_list import contact_rows, list_bytes, name_tag
from churn_assets.campaign.contacts.event import PLANNED, Event
from churn_assets.campaign.contacts.ledger import (
    add_step,
    insert_events,
    known_keys,
    recent_contacts,
    status_of,
    times_done,
)
from churn_assets.campaign.contacts.taken import (
    days_taken,
    keep_taken,
    left_out_of_the_newest,
    taken,
)
from churn_assets.campaign.eligibility import NOBODY, Crowd, Terms, Window, eligible, opening
from churn_assets.campaign.errors import CampaignError
from churn_assets.campaign.planning.plan import Plan
from churn_assets.campaign.suppression import suppressed
from churn_assets.domain.contact_rules import RULES
from churn_assets.messages.shield.rules import RULES_PATH, load_rules
from churn_assets.release.bundle import message_seed
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.serving.engine import RetentionEngine
from churn_assets.storage.opening import write_file

if TYPE_CHECKING:
    from churn_assets.campaign.workflow import Campaigns

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Due:
    """Contacts of a day that can be sent, and when; how many can't any more, by the reason, or are
    handed over already; the customers' predictions; and where those live whose zone isn't known."""

    contacts: Rows
    windows: list[Window]
    dropped: Counter[str]
    done: int
    customers: dict[str, dict[str, Any]]
    zones: Sequence[str]


class DayList(NamedTuple):
    """A day's contact list, rows as in `contact_list.LIST`; how many of the plan's contacts are
    handed over already, and how many aren't in it by the reason."""

    plan_id: str
    rows: Rows
    already: int
    dropped: dict[str, int]


@dataclass(frozen=True)
class HandOver:
    """What a hand-over came to: contacts written now, there already, and dropped by the reason;
    the plan whose list they were in, where that is a cancelled one; and how many of those written
    now an earlier list of the day had, and its newest one no longer has."""

    new: int
    already: int
    dropped: dict[str, int]
    cancelled: str | None = None
    not_in_newest_list: int = 0


@dataclass(frozen=True)
class Delivery:
    """What a delivery came to. `file` is None where there was nothing left to send."""

    plan_id: str
    file: str | None
    handed_over: HandOver


def due_on(campaigns: Campaigns, plan: Plan, day: date, now: datetime) -> Due:
    """The day's contacts that aren't handed over yet, tried on every rule once more: somebody may
    have opted out since, or been contacted another way.

    Raises:
        CampaignError: the day is none of the plan's.
    """
    rows = [row for row in plan.contacts.to_pylist() if row["day"] == day]
    if not rows and day.isoformat() not in plan.report["days"]:
        begin, end = plan.report["days"][0], plan.report["days"][-1]
        raise CampaignError(f"plan {plan.plan_id} is for {begin} to {end}, not for {day}")
    done = campaigns.ledger.known(key_of(row) for row in rows)
    rows = [row for row in rows if key_of(row) not in done]
    customers = _customers(campaigns, {row["customer_id"] for row in rows})
    known = [row for row in rows if row["customer_id"] in customers]
    listed = suppressed(campaigns.store, campaigns.config)
    people, terms = campaigns.people(), _terms(campaigns, [day], listed, now)
    in_control = campaigns.control(now)
    ids = [row["customer_id"] for row in known]
    crowd = Crowd(
        ids,
        np.array([customers[i]["tenure"] for i in ids]),
        np.array([customers[i]["monthly_charges"] for i in ids]),
        people,
        campaigns.ledger.histories(ids),
        np.array([in_control(i) for i in ids], dtype=bool),
        campaigns.ledger.erased(ids),
    )
    found, names, channels = eligible(crowd, terms), list(RULES), list(terms.channels)
    due = Due([], [], Counter(), len(done), customers, terms.zones)
    due.dropped["unknown_customer"] += len(rows) - len(known)
    for i, row in enumerate(known):
        person = people.get(row["customer_id"], NOBODY)
        at = channels.index(row["channel"]) if row["channel"] in channels else None
        window = None if at is None else found.windows[person.zone][0][at]
        if at is None or window is None or not found.open[i, 0, at]:
            rule = int(found.rule[i])
            refused = "consent" if at is not None and found.refused[i, at] else "channel_closed"
            due.dropped[names[rule] if rule >= 0 else refused] += 1
        else:
            due.contacts.append(row)
            due.windows.append(window)
    return due


def contact_terms(campaigns: Campaigns, plan: Plan, now: datetime) -> dict[str, dict[str, Any]]:
    """Decision id -> what the decision log has of a plan's contact and the plan hasn't: what its
    channel costs, and from when it may be sent, as a list of its day would have it."""
    costs = {name: channel.cost for name, channel in campaigns.config.channels.items()}
    rows = plan.contacts.to_pylist()
    days = sorted({row["day"] for row in rows})
    opens = opening(rows, campaigns.people(), _terms(campaigns, days, frozenset(), now))
    return {
        row["decision_id"]: {"contact_cost": costs.get(row["channel"]), "contact_from": at}
        for row, at in zip(rows, opens, strict=True)
    }


def export(
    campaigns: Campaigns, plan_id: str | None, day: date, now: datetime, *, noted: bool = True
) -> DayList:
    """The contact list of a day of a plan.

    Args:
        noted: keep who is in it, for `hand_over`; off for somebody who doesn't get it.

    Raises:
        CampaignError: the plan isn't approved, or too old, or has no such day.
    """
    plan = campaigns.usable(plan_id, now)
    due = due_on(campaigns, plan, day, now)
    rows = _list_of(campaigns, plan, due)
    if rows and noted:
        with campaigns.ledger.writing() as connection:
            keep_taken(connection, day, _events(campaigns, plan, due))
    return DayList(plan.plan_id, rows, due.done, dict(+due.dropped))


def hand_over(
    campaigns: Campaigns, plan_id: str | None, day: date, now: datetime, who: str
) -> HandOver:
    """Write a day's contacts to the ledger; again, it changes nothing.

    Where lists of the day were exported (of the plan that is named, or of any), exactly who is in
    them is written: they went out, whatever the hour is now. A cancelled plan's list counts where
    it is the only one, or where that plan is named: else another one was sent in its place.

    Else it is who can be sent now. Then nobody is written who was contacted within the cooldown by
    whatever other way, at the same moment even. Nor is a day that is still to come: a hand-over
    can't be taken back, and without a list nobody can have sent it; but where nobody is due, as in
    a list without rows, there is nothing to be taken back.

    Raises:
        CampaignError: nothing was exported, and the plan isn't approved, or too old, or has no such
            day, or the day is later than `now`'s and somebody is due.
    """
    if (listed := _listed(campaigns, plan_id, day)).events:
        return _write_listed(campaigns, listed, day, who)
    plan = campaigns.usable(plan_id, now)
    due = due_on(campaigns, plan, day, now)
    if due.contacts and day > now.date():
        raise CampaignError(
            f"{day} is still to come (today is {now.date()}), and no list of it was exported: "
            "export it, give it to the sending system, then hand it over"
        )
    return _write(campaigns, plan, due, day, who, lambda *_: None)


def days_listed(campaigns: Campaigns, plan: Plan) -> list[str]:
    """The plan's days of which a list with contacts of it was exported, as ISO dates: what of them
    can be handed over, whatever has become of the plan."""
    keys = {key_of(row) for row in plan.contacts.select(["decision_id"]).to_pylist()}
    with campaigns.ledger.reading() as connection:
        return days_taken(connection, plan.report["days"], keys)


def deliver(campaigns: Campaigns, day: date, now: datetime, who: str) -> Delivery:
    """Put a day's list of the approved plan where the sending system takes lists from, and hand
    over what is in it; again, it does nothing. Who can be sent only later on the same day (they
    opted in again, say) comes in a file of their own: the first one may not have been taken yet.

    The file is written just before the ledger's transaction ends: a process that is killed between
    leaves a file that the next delivery writes anew under the same name, never a contact in the
    ledger that no file has.

    Raises:
        CampaignError: `deliver_to` isn't set, no plan is approved, or that one is too old or has no
            such day.
        OSError, ArtifactError: the file can't be written; then nothing is handed over.
    """
    place, form = campaigns.config.deliver_to, campaigns.config.deliver_as
    if not place:
        raise CampaignError("set CHURN_CAMPAIGN__DELIVER_TO, a folder or gs://bucket/prefix")
    if (approved := campaigns.approved()) is None:
        raise CampaignError("no plan is approved: `churn campaign approve`")
    plan = campaigns.usable(approved, now)
    due = due_on(campaigns, plan, day, now)
    rows = _list_of(campaigns, plan, due)
    name, written = f"contacts-{plan.plan_id}-{day.isoformat()}", []

    def put(chosen: Sequence[int], number: int) -> None:
        content = list_bytes([rows[i] for i in chosen], f".{form}")
        file = f"{name}.{form}" if number == 1 else f"{name}-{number}.{form}"
        written.append(write_file(place, file, content))

    done = _write(campaigns, plan, due, day, who, put)
    return Delivery(plan.plan_id, written[0] if written else None, done)


def _write(
    campaigns: Campaigns,
    plan: Plan,
    due: Due,
    day: date,
    who: str,
    put: Callable[[Sequence[int], int], None],
) -> HandOver:
    """Write what is due to the ledger, in one transaction.

    Args:
        put: is given the places in `due` of the contacts that were written, if there are any, and
            which hand-over of the day it is, from 1, before the transaction ends; what it raises
            leaves the ledger as it was.
    """
    events = _events(campaigns, plan, due)
    cooldown = campaigns.config.rules.cooldown_days
    # From the same midnight as the rule has it: what it lets pass is sent, so it has to be written.
    since = datetime.combine(day - timedelta(days=cooldown - 1), time(), tzinfo=UTC)
    with campaigns.ledger.writing() as connection:
        if status_of(connection, plan.plan_id) != "approved":
            raise CampaignError(f"plan {plan.plan_id} is not approved any more")
        known = known_keys(connection, [event.event_key for event in events])
        fresh = [i for i, event in enumerate(events) if event.event_key not in known]
        lately: set[str] = set()
        if cooldown:
            lately = recent_contacts(connection, [events[i].customer_id for i in fresh], since)
        chosen = [i for i in fresh if events[i].customer_id not in lately]
        new = insert_events(connection, [events[i] for i in chosen])
        if new:
            step = f"handed over {day.isoformat()}"
            add_step(connection, plan.plan_id, step, who)
            put(chosen, times_done(connection, plan.plan_id, step))
    due.dropped["cooldown"] += len(lately)
    return HandOver(new, due.done + len(known), dict(+due.dropped))


def _events(campaigns: Campaigns, plan: Plan, due: Due) -> list[Event]:
    """What is due, as the ledger has it."""
    reach = {name: channel.reach for name, channel in campaigns.config.channels.items()}
    return [
        Event(
            event_key=key_of(row),
            customer_id=row["customer_id"],
            kind="sent",
            occurred_at=window.not_before,
            channel=row["channel"],
            offer_percentage=row["offer_percentage"],
            plan_id=plan.plan_id,
            expected_cost=row["expected_cost"],
            cost_of_percent=row["cost_of_percent"],
            accept_prob=row["accept_prob"] * reach.get(row["channel"], 1.0),
        )
        for row, window in zip(due.contacts, due.windows, strict=True)
    ]


class Listed(NamedTuple):
    """Contacts of a day that lists had which were exported, each customer once; what other
    customers have only in a cancelled plan's list; and the cancelled plan whose list it is, where
    there is no other."""

    events: list[Event]
    others: list[Event]
    cancelled: str | None = None


def _listed(campaigns: Campaigns, plan_id: str | None, day: date) -> Listed:
    """What of a day was exported: of the plan that is named, or of any. Who is in the lists of
    several plans is there as the newest one has them."""
    if campaigns.ledger.is_absent():
        return Listed([], [])
    with campaigns.ledger.reading() as connection:
        events = taken(connection, day)
    if plan_id is not None:
        mine = {key_of(row) for row in campaigns.show(plan_id)[0].contacts.to_pylist()}
        return Listed([event for event in events if event.event_key in mine], [])
    made = {plan: campaigns.ledger.steps(plan)[0].at for plan in {str(e.plan_id) for e in events}}
    with campaigns.ledger.reading() as connection:
        standing = {plan for plan in made if status_of(connection, plan) != "cancelled"}
    cancelled = max(made, key=made.__getitem__) if made and not standing else None
    counting = standing if cancelled is None else {cancelled}
    once: dict[str, Event] = {}
    others: dict[str, Event] = {}
    for event in sorted(events, key=lambda event: made[str(event.plan_id)]):
        (once if event.plan_id in counting else others)[event.customer_id] = event
    return Listed(
        list(once.values()), [others[each] for each in others.keys() - once.keys()], cancelled
    )


def _write_listed(campaigns: Campaigns, listed: Listed, day: date, who: str) -> HandOver:
    """Write contacts that lists had to the ledger, in one transaction."""
    with campaigns.ledger.writing() as connection:
        known = known_keys(connection, [e.event_key for e in (*listed.events, *listed.others)])
        fresh = [event for event in listed.events if event.event_key not in known]
        earlier = {e.event_key for e in fresh} & left_out_of_the_newest(connection, day)
        insert_events(connection, fresh)
        for plan_id in sorted({str(event.plan_id) for event in fresh}):
            add_step(connection, plan_id, f"handed over {day.isoformat()}", who)
    left_out = sum(event.event_key not in known for event in listed.others)
    dropped = {"only_in_a_cancelled_plan": left_out} if left_out else {}
    return HandOver(len(fresh), len(known), dropped, listed.cancelled, len(earlier))


def key_of(contact: dict[str, Any]) -> str:
    """What a plan's contact is called in the ledger."""
    return f"{PLANNED}{contact['decision_id']}"


def _list_of(campaigns: Campaigns, plan: Plan, due: Due) -> Rows:
    """The rows of the contact list."""
    folder = ReleaseRegistry(campaigns.store).folder()
    config = campaigns.config
    return contact_rows(
        due.contacts,
        due.windows,
        due.customers,
        campaigns.people(),
        RetentionEngine.load(folder, campaigns.default_zone),
        message_seed(folder),
        name_tag(config.dialect, config.name_tag),
        templates.logged(campaigns.store, plan),
        due.zones,
    )


def _terms(
    campaigns: Campaigns, days: Sequence[date], listed: frozenset[str], now: datetime
) -> Terms:
    rules = campaigns.config.rules
    return Terms(
        rules,
        campaigns.config.channels,
        days,
        listed,
        load_rules(RULES_PATH).quiet_hours,
        rules.zones or (campaigns.default_zone,),
        now,
    )


def _customers(campaigns: Campaigns, wanted: set[str]) -> dict[str, dict[str, Any]]:
    """Customer id -> the row of their latest prediction."""
    table = campaigns.predictions()
    chosen = table.filter(pc.is_in(table["customer_id"], pa.array(wanted, pa.string())))
    return {row["customer_id"]: row for row in chosen.to_pylist()}
