"""Who may be contacted on which day by which channel; who may not, by which rule.

`eligible(crowd, terms) -> Eligibility`. Each customer who is left out is left out by the first rule
of `RULES` that leaves no day and channel open to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from churn_assets.campaign.config import Channel
from churn_assets.campaign.contacts.history import Erasure, History
from churn_assets.campaign.errors import CampaignError
from churn_assets.campaign.people import Person
from churn_assets.domain.contact_rules import RULES, Cap, ContactRules
from churn_assets.messages.shield.rules import QuietHours
from churn_assets.serving.zones import zone_info

Flags = NDArray[np.bool_]

LONGEST_PLAN = timedelta(days=31)
SHORTEST_WINDOW = timedelta(minutes=30)  # less of today is left than anybody can use
EXCLUDED = pa.schema([("customer_id", pa.string()), ("rule", pa.string())])
NOBODY = Person()
NOTHING = History()
NOON = time(12, tzinfo=UTC)


class Window(NamedTuple):
    """When a contact may be sent: aware, in the customer's zone, or in UTC where it is unknown."""

    not_before: datetime
    not_after: datetime


@dataclass(frozen=True)
class Crowd:
    """N customers.

    Attributes:
        ids: of length N.
        tenure: (N,) months. monthly: (N,) currency.
        people, histories: of those of whom anything is known.
        in_control: (N,) whom nobody contacts, to measure what contacts bring.
        erased: what the ledger still knows of those whom it forgot.
    """

    ids: Sequence[str]
    tenure: NDArray[Any]
    monthly: NDArray[np.float64]
    people: Mapping[str, Person]
    histories: Mapping[str, History]
    in_control: Flags
    erased: Mapping[str, Erasure] = field(default_factory=dict)


@dataclass(frozen=True)
class Terms:
    """The days and channels of a plan, and what restricts them.

    Attributes:
        days: calendar days, as the customers' clocks have them.
        suppressed: the customers of the suppression list.
        quiet: the shield's quiet hours.
        zones: where customers live, for those whose zone isn't known.
    """

    rules: ContactRules
    channels: Mapping[str, Channel]
    days: Sequence[date]
    suppressed: frozenset[str]
    quiet: QuietHours
    zones: Sequence[str]
    now: datetime

    def __post_init__(self) -> None:
        """Raises CampaignError for a cap that would never hold anybody back."""
        for cap in self.rules.caps:
            if cap.channel not in (None, *self.channels):
                raise CampaignError(
                    f"a cap is on the channel {cap.channel!r}, which is none of "
                    f"{', '.join(self.channels)}: mend the rules' caps"
                )

    def windows(self, zone: str | None) -> list[list[Window | None]]:
        """[day][channel] when somebody in this zone (None: unknown) may be contacted, or None."""
        zones = [zone] if zone else list(self.zones)
        return [
            [self._window(day, channel, zones) for channel in self.channels.values()]
            for day in self.days
        ]

    def _window(self, day: date, channel: Channel, zones: Sequence[str]) -> Window | None:
        hours = _open_hours(channel, self.quiet)
        if hours is None:
            return None
        local = [zone_info(zone) for zone in zones]
        midnight = [datetime.combine(day, time(), tzinfo=zone) for zone in local]
        opens = max(m.replace(hour=hours[0]).astimezone(UTC) for m in midnight)
        closes = min(_at(m, hours[1]).astimezone(UTC) for m in midnight)
        opens = max(opens, self.now.astimezone(UTC).replace(microsecond=0))
        if closes - opens < SHORTEST_WINDOW:
            return None
        shown = local[0] if len(zones) == 1 else UTC
        return Window(opens.astimezone(shown), closes.astimezone(shown))


@dataclass(frozen=True)
class Eligibility:
    """Who may be contacted when.

    Attributes:
        open: (N, days, channels).
        rule: (N,) index into `RULES` of the rule that leaves the customer out, or -1.
        refused: (N, channels) which of them the customer said no to.
        windows: zone (None: unknown) -> `Terms.windows`.
    """

    open: Flags
    rule: NDArray[np.int8]
    refused: Flags
    windows: Mapping[str | None, list[list[Window | None]]]

    def counts(self) -> dict[str, int]:
        """How many customers each rule leaves out; rules that leave out nobody aren't in it."""
        names = list(RULES)
        found = np.bincount(self.rule[self.rule >= 0], minlength=len(names))
        return {name: int(n) for name, n in zip(names, found, strict=True) if n}

    def left_out(self, ids: Sequence[str]) -> pa.Table:
        """Who is left out by which rule, as in `EXCLUDED`."""
        names, out = list(RULES), np.flatnonzero(self.rule >= 0).tolist()
        rows = {
            "customer_id": [ids[i] for i in out],
            "rule": [names[self.rule[i]] for i in out],
        }
        return pa.table(rows, schema=EXCLUDED)


def on_the_list(suppressed: frozenset[str], ids: Sequence[str]) -> int | None:
    """How many customers a suppression list names; None without one. A list of other ids than the
    customers' (`123` for `00123`) names none of them, and keeps nobody out."""
    return len(suppressed.intersection(ids)) if suppressed else None


def eligible(crowd: Crowd, terms: Terms) -> Eligibility:
    """Try every rule on everybody."""
    shape = (len(crowd.ids), len(terms.days), len(terms.channels))
    still = np.ones(shape, dtype=bool)
    rule = np.full(shape[0], -1, dtype=np.int8)
    windows = {
        zone: terms.windows(zone) for zone in {None, *(p.zone for p in crowd.people.values())}
    }

    def apply(name: str, allowed: Flags) -> None:
        np.logical_and(still, allowed, out=still)
        out = (rule < 0) & ~still.any(axis=(1, 2))
        rule[out] = list(RULES).index(name)

    left_out = _left_out(crowd, terms)
    for name, out in left_out.items():
        apply(name, ~out[:, None, :])
    refused = np.broadcast_to(left_out["opt_out"] | left_out["consent"], (shape[0], shape[2]))
    days_open = np.array([day not in terms.rules.blackout_dates for day in terms.days])
    apply("blackout_dates", days_open[None, :, None])
    cooled, capped = _by_history(crowd, terms, shape)
    apply("cooldown", cooled)
    apply("caps", capped)
    apply("quiet_hours", _awake(crowd, windows, shape))
    return Eligibility(still, rule, refused, windows)


def opening(
    contacts: Iterable[Mapping[str, Any]], people: Mapping[str, Person], terms: Terms
) -> list[datetime]:
    """From when each contact of a plan may be sent on its day, where its customer lives; from noon
    (UTC) where its channel isn't open to them any more, and never before now."""
    days, channels = list(terms.days), list(terms.channels)
    windows: dict[str | None, list[list[Window | None]]] = {}
    found = []
    for row in contacts:
        zone = people.get(row["customer_id"], NOBODY).zone
        if zone not in windows:
            windows[zone] = terms.windows(zone)
        window = None
        if row["channel"] in channels:
            window = windows[zone][days.index(row["day"])][channels.index(row["channel"])]
        at = window.not_before if window else datetime.combine(row["day"], NOON)
        found.append(max(at, terms.now).astimezone(UTC))
    return found


def _left_out(crowd: Crowd, terms: Terms) -> dict[str, Flags]:
    """Rule -> (N, 1) or (N, channels) whom it leaves out on every day, in order."""
    rules, ids = terms.rules, crowd.ids
    since = terms.now - timedelta(days=rules.complaint_days)
    # As long as any limit looks back: their contacts can't be counted any more.
    longest = max(timedelta(days=n) for n in (rules.cooldown_days, *(c.days for c in rules.caps)))
    forgotten = terms.now - max(LONGEST_PLAN, longest)
    lately = {customer for customer, erasure in crowd.erased.items() if erasure.at > forgotten}
    histories = dict(crowd.histories)
    for customer, erasure in crowd.erased.items():
        histories[customer] = histories.get(customer, NOTHING).after(erasure)

    def of(test: Callable[[Person, History], bool]) -> Flags:
        people = crowd.people
        found = [test(people.get(i, NOBODY), histories.get(i, NOTHING)) for i in ids]
        return np.array(found, bool)[:, None]

    # Where nobody says something of one channel, all are alike.
    differ = any(person.by_channel for person in crowd.people.values())
    channels = list(terms.channels) if differ else list(terms.channels)[:1]

    def by(test: Callable[[Person, str], bool]) -> Flags:
        def on(channel: str) -> Flags:
            return of(lambda person, _: test(person, channel))

        return np.hstack([on(channel) for channel in channels])

    def complained(person: Person, history: History) -> bool:
        told = person.complained_on is not None and person.complained_on >= since.date()
        return told or (history.complained is not None and history.complained >= since)

    def refused(person: Person, channel: str) -> bool:
        consents = person.consents_to(channel)
        return consents is False or (rules.consent_needed and consents is None)

    return {
        "churned": of(lambda _, history: history.churned is not None),
        "opt_out": of(lambda _, history: history.opted_out) | by(Person.opted_out_of),
        "consent": by(refused),
        "suppression_list": np.array([i in terms.suppressed for i in ids], bool)[:, None],
        "erased": np.array([i in lately for i in ids], bool)[:, None],
        "control_group": crowd.in_control[:, None],
        "complaint": of(complained) & bool(rules.complaint_days),
        "minimum_tenure": (crowd.tenure < rules.minimum_tenure)[:, None],
        "minimum_value": (crowd.monthly < rules.minimum_monthly_value)[:, None],
    }


def _by_history(crowd: Crowd, terms: Terms, shape: tuple[int, int, int]) -> tuple[Flags, Flags]:
    """(N, days, channels) what the cooldown and the caps leave open."""
    cooled, capped = np.ones(shape, bool), np.ones(shape, bool)
    nothing_allowed = any(cap.contacts == 0 for cap in terms.rules.caps)
    for row, customer in enumerate(crowd.ids):
        history = crowd.histories.get(customer, NOTHING)
        if not history.contacts and not nothing_allowed:
            continue
        zone = crowd.people.get(customer, NOBODY).zone
        made = history.days([zone] if zone else terms.zones)
        last = max((day for day, _ in made), default=date.min)
        for d, day in enumerate(terms.days):
            if terms.rules.cooldown_days:
                cooled[row, d] = (day - last).days >= terms.rules.cooldown_days
            for cap in terms.rules.caps:
                used = _used(cap, made, day)
                for c, channel in enumerate(terms.channels):
                    if cap.channel in (None, channel):
                        capped[row, d, c] &= used < cap.contacts
    return cooled, capped


def _used(cap: Cap, made: Sequence[tuple[date, str | None]], day: date) -> int:
    """How many contacts count for a cap on a day, planned ones ahead included. One whose channel
    nobody told counts for each: no cap is passed by leaving it out."""
    return sum(
        (day - on).days < cap.days and (cap.channel is None or channel in (None, cap.channel))
        for on, channel in made
    )


def _awake(
    crowd: Crowd,
    windows: Mapping[str | None, list[list[Window | None]]],
    shape: tuple[int, int, int],
) -> Flags:
    """(N, days, channels) where the customer's zone leaves any hour."""
    open_in = {
        zone: np.array([[window is not None for window in day] for day in table])
        for zone, table in windows.items()
    }
    if not crowd.people or not len(crowd.ids):  # on some days nobody is due
        return np.broadcast_to(open_in[None], shape)
    return np.stack([open_in[crowd.people.get(i, NOBODY).zone] for i in crowd.ids])


def _open_hours(channel: Channel, quiet: QuietHours) -> tuple[int, int] | None:
    """The longest run of whole hours that the channel may use and that aren't quiet."""
    runs = []
    hours = [(hour, not quiet.contains(hour)) for hour in range(*channel.hours)]
    for is_open, run in groupby(hours, key=lambda pair: pair[1]):
        if is_open:
            found = [hour for hour, _ in run]
            runs.append((found[0], found[-1] + 1))
    return max(runs, key=lambda run: run[1] - run[0], default=None)


def _at(midnight: datetime, hour: int) -> datetime:
    """The hour of that day's clock; 24 is the next midnight."""
    return midnight.replace(hour=hour) if hour < 24 else midnight + timedelta(days=1)
