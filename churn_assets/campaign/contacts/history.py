"""One customer's contacts and answers, and what `POST /predict` would be told of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Literal, NamedTuple, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from churn_assets.domain.value import MONTHS_OF_VALUE
from churn_assets.serving.zones import zone_info

PERIOD = timedelta(days=30)  # the mean of the decision environment's periods
SAME_CONTACT = timedelta(hours=24)
"""A report of a contact so near to one that the campaign handed over is that one's, where it names
no decision; and so much earlier than its contact an answer may be that has a day and no hour."""
PLANNED = "plan:"  # begins the keys of contacts that a campaign handed over

ANSWERS = {"accepted": "success", "refused": "failure"}
KNOWN_CHANNELS = ("cellular", "telephone")  # those that the acceptance model was trained with

Kind = Literal["sent", "accepted", "refused", "churned", "complained", "opted_out", "opted_in"]
SAME_INSTANT: tuple[Kind, ...] = (
    "sent", "accepted", "refused", "complained", "opted_in", "churned", "opted_out",
)  # fmt: skip
"""The order of events with one time, as all of a day have in an import of bare dates: a contact
comes before what was said of it, and what ends contacts comes last."""


class Event(BaseModel):
    """Something that happened between the company and a customer.

    Attributes:
        event_key: its name; the same key is the same event.
        occurred_at: aware; of a contact that was handed over, from when it may be sent.
        plan_id: the plan that it belongs to.
        expected_cost: of a contact that was handed over, what the plan expected it to cost, in
            currency; None: nobody said.
        decision_id: of the decision that a report names.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    event_key: str = Field(min_length=1, max_length=160)
    customer_id: str = Field(min_length=1, max_length=64)
    kind: Kind
    occurred_at: AwareDatetime
    channel: str | None = None
    offer_percentage: int | None = None
    plan_id: str | None = None
    expected_cost: float | None = None
    decision_id: str | None = None

    @property
    def decision(self) -> str | None:
        """The decision that it belongs to, as far as that is known."""
        return self.event_key.removeprefix(PLANNED) if self.is_plans else self.decision_id

    @property
    def is_plans(self) -> bool:
        """Whether a plan's hand-over tells of it."""
        return self.event_key.startswith(PLANNED)

    @property
    def may_be_a_day(self) -> bool:
        """Whether its time may be a midnight somewhere: so days are told that have no hour."""
        at = self.occurred_at
        return at.minute % 15 == at.second == at.microsecond == 0


class Erasure(NamedTuple):
    """What is left of a customer whom the ledger has forgotten.

    Attributes:
        at: when it did, last.
        opted_out: they didn't want to be contacted then, and haven't opted in since.
        complained: when last before it; None: they hadn't, or nobody knows.
    """

    at: datetime
    opted_out: bool = False
    complained: datetime | None = None

    def covers(self, when: datetime) -> bool:
        """Whether what happened then was forgotten with the customer: at the same instant, too."""
        return when <= self.at


@dataclass(frozen=True)
class Contact:
    """One contact.

    Attributes:
        planned: whether a plan's hand-over told of it.
        answer: `accepted`, `refused` or, while there is none, None.
        expected_cost: as in `Event`.
        confirmed: whether both a hand-over and a report told of it.
        decision_id: of the decision to make it, as far as that is known.
    """

    when: datetime
    channel: str | None
    offer_percentage: int | None
    planned: bool
    answer: str | None = None
    expected_cost: float | None = None
    confirmed: bool = False
    decision_id: str | None = None

    def is_told_of_by(self, other: Contact) -> bool:
        """Whether another telling may be of this contact: one is a plan's hand-over, one the
        sending system's report, of the same decision and by the same channel as far as these are
        known, and there was no other such telling."""
        decisions = {self.decision_id, other.decision_id} - {None}
        return (
            self.planned != other.planned
            and not self.confirmed
            and self.is_by_the_channel_of(other)
            and len(decisions) < 2
        )

    def is_by_the_channel_of(self, other: Contact) -> bool:
        """Whether both channels are one, as far as they are known."""
        channels = {(each.channel or "").strip().casefold() for each in (self, other)} - {""}
        return len(channels) < 2

    def told_again(self, other: Contact) -> Self:
        """With what the other telling of it says: the later time, of what was sent the report, of
        what was expected the plan."""
        if self.confirmed or self.planned == other.planned:  # two systems report it
            return self
        plan, report = (self, other) if self.planned else (other, self)
        known = report.offer_percentage is not None
        return replace(
            self,
            when=max(self.when, other.when),
            channel=plan.channel if plan.is_by_the_channel_of(report) else report.channel,
            offer_percentage=report.offer_percentage if known else plan.offer_percentage,
            planned=True,
            expected_cost=plan.expected_cost,
            confirmed=True,
            decision_id=plan.decision_id,
        )

    def day(self, zone: str) -> date:
        """The date on which it was made by the clocks of an IANA time zone."""
        return self.when.astimezone(zone_info(zone)).date()


class Acceptance(NamedTuple):
    """An offer that was taken.

    Attributes:
        percentage: that was reported, else the contact's.
        contact: the place of the contact that it answers; None: it answers none.
    """

    when: datetime
    percentage: int
    contact: int | None


class _Tellings:
    """Contacts and answers, as one event after the other tells of them."""

    def __init__(self) -> None:
        self.contacts: list[Contact] = []
        self.accepted: dict[int, Event] = {}  # by the contact's place
        self.alone: list[Event] = []  # acceptances that answer no contact
        self.early: list[tuple[Event, int | None]] = []  # and the place that they may take instead

    def add(self, event: Event) -> None:
        """Another contact, unless it tells of one that is known: by the decision that both name, or
        of less than a day ago."""
        told = Contact(
            event.occurred_at,
            event.channel,
            event.offer_percentage,
            event.is_plans,
            expected_cost=event.expected_cost,
            decision_id=event.decision,
        )
        place = self._place_of(told)
        if place is None:
            self.contacts.append(told)
            place = len(self.contacts) - 1
        else:
            self.contacts[place] = self.contacts[place].told_again(told)
        contact, waiting, self.early = self.contacts[place], self.early, []
        for answer, instead in waiting:
            if _is_of(answer, contact):
                self._take(answer, place)
            else:
                self.early.append((answer, instead))

    def answer(self, event: Event) -> None:
        """An answer: to the contact of the decision that it names, else to the last one. Where
        there is none yet it waits for it; where that never comes, a named one answers the last
        contact, if nobody knows that one's decision."""
        last = len(self.contacts) - 1 if self.contacts else None
        place, instead = last, None
        if event.decision is not None:
            place = self._named(event.decision)
            if last is not None and self.contacts[last].decision_id is None:
                instead = last
        if place is None:
            self.early.append((event, instead))
        else:
            self._take(event, place)

    def acceptances(self) -> tuple[Acceptance, ...]:
        """A contact's once, the oldest first. To be asked for once all is told."""
        for answer, instead in self.early:
            self._take(answer, instead)
        self.early = []
        found = [Acceptance(e.occurred_at, e.offer_percentage or 0, None) for e in self.alone]
        for place, event in self.accepted.items():
            percentage = event.offer_percentage
            if percentage is None:
                percentage = self.contacts[place].offer_percentage
            found.append(Acceptance(event.occurred_at, percentage or 0, place))
        return tuple(sorted(found, key=lambda one: one.when))

    def _place_of(self, told: Contact) -> int | None:
        """The place of the contact that this tells of, too."""
        if told.decision_id is not None:
            named = self._named(told.decision_id)
            if named is not None:
                return named
        for place in reversed(range(len(self.contacts))):
            known = self.contacts[place]
            if told.when - known.when < SAME_CONTACT and known.is_told_of_by(told):
                return place
        return None

    def _named(self, decision: str) -> int | None:
        """The place of the contact of this decision."""
        places = range(len(self.contacts))
        return next((i for i in places if self.contacts[i].decision_id == decision), None)

    def _take(self, answer: Event, place: int | None) -> None:
        """An acceptance takes a refusal back; what was accepted once is accepted."""
        if place is None:
            if answer.kind == "accepted":
                self.alone.append(answer)
        elif answer.kind == "accepted":
            self.accepted.setdefault(place, answer)
            self.contacts[place] = replace(self.contacts[place], answer="accepted")
        elif self.contacts[place].answer is None:
            self.contacts[place] = replace(self.contacts[place], answer=answer.kind)


def _is_of(answer: Event, contact: Contact) -> bool:
    """Whether an answer that came before its contact is of this one."""
    if answer.decision is not None and contact.decision_id is not None:
        return answer.decision == contact.decision_id
    near = contact.when - answer.occurred_at < SAME_CONTACT
    return contact.planned and answer.may_be_a_day and near


@dataclass(frozen=True)
class History:
    """What is known of one customer.

    Attributes:
        contacts: in the order in which they were first told of.
        complained: when last.
        churned: when they left, as far as is known; None: they haven't, or came back (they accepted
            something since, or opted in again).
        opted_out: whether they don't want to be contacted.
        opted_out_since: when they first said so of the times that they did in a row; None: they
            haven't, or it is known of an erasure only.
        acceptances: a contact's once, oldest first.
    """

    contacts: tuple[Contact, ...] = ()
    complained: datetime | None = None
    opted_out: bool = False
    churned: datetime | None = None
    acceptances: tuple[Acceptance, ...] = ()
    opted_out_since: datetime | None = None

    @classmethod
    def of(cls, events: Iterable[Event]) -> Self:
        """From one customer's events, oldest first; those of one instant as in `SAME_INSTANT`."""
        told = _Tellings()
        complained: datetime | None = None
        churned: datetime | None = None
        opted_out_since: datetime | None = None
        for event in events:
            if event.kind == "sent":
                told.add(event)
            elif event.kind in ANSWERS:
                told.answer(event)
                churned = None if event.kind == "accepted" else churned
            elif event.kind == "complained":
                complained = event.occurred_at
            elif event.kind == "churned":
                churned = event.occurred_at
            elif event.kind in ("opted_out", "opted_in"):
                if event.kind == "opted_in":
                    opted_out_since = churned = None
                else:
                    opted_out_since = opted_out_since or event.occurred_at
        acceptances = told.acceptances()
        return cls(
            tuple(told.contacts),
            complained,
            opted_out_since is not None,
            churned,
            acceptances,
            opted_out_since,
        )

    def after(self, erasure: Erasure) -> Self:
        """With what the customer had said before they were erased, as far as it holds still."""
        complaints = [when for when in (self.complained, erasure.complained) if when is not None]
        return replace(
            self,
            opted_out=self.opted_out or erasure.opted_out,
            complained=max(complaints, default=None),
        )

    def days(self, zones: Collection[str]) -> list[tuple[date, str | None]]:
        """The day of each contact, and its channel: the latest day that it was in any of these
        zones or in UTC, so that no limit that counts days ends early."""
        places = {"UTC", *zones}
        return [(max(map(contact.day, places)), contact.channel) for contact in self.contacts]

    def fields(self, now: datetime, cooldown_days: float) -> dict[str, Any]:
        """The contact history's fields of `POST /predict`, as this record has them."""
        since = now - PERIOD
        recent = [i for i, contact in enumerate(self.contacts) if contact.when > since]
        before = [contact.answer for contact in self.contacts if contact.when <= since]
        accepted = [i for i in recent if self.contacts[i].answer == "accepted"]
        last = max(self.contacts, key=lambda contact: contact.when, default=None)
        channel = last.channel if last and last.channel in KNOWN_CHANNELS else None
        return {
            "days_since_contact": max(0, (now - last.when).days) if last else None,
            "contacts_this_period": len(recent),
            "acceptances_this_period": len(accepted),
            "refusals_this_period": sum(self.contacts[i].answer == "refused" for i in recent),
            "acceptances_in_cooldown": sum(self._soon(i, cooldown_days) for i in accepted),
            "acceptances_without_discount": sum(
                self.contacts[i].offer_percentage == 0 for i in accepted
            ),
            "previous_contacts": len(before),
            "previous_outcome": outcome_of(before),
            "contact_channel": channel,
        }

    def budget_remaining(self, now: datetime, allowance: float, months: int) -> float:
        """Share of the customer's allowance that acceptances of this period have left.

        Args:
            allowance: the most that one customer is given in a period, share of yearly value.
            months: that an accepted discount lasts.
        """
        since = now - PERIOD
        given = sum(each.percentage for each in self.acceptances if each.when > since)
        share = given / 100 * months / MONTHS_OF_VALUE
        return max(0.0, round(1 - share / allowance, 9))

    def _soon(self, i: int, cooldown_days: float) -> bool:
        """Whether the i-th contact came within the cooldown of the one before."""
        if i == 0:
            return False
        return self.contacts[i].when - self.contacts[i - 1].when < timedelta(days=cooldown_days)


def outcome_of(answers: Sequence[str | None]) -> str:
    """`previous_outcome` after contacts with these answers, oldest first; None: there is none yet.

    What the running period's contacts do to acceptance is the decision environment's to say, so the
    answers are those of the contacts before it. As in the bank's data, only who wasn't contacted
    has no outcome: contacts that nobody answered have failed.
    """
    if not answers:
        return "nonexistent"
    newest = next((answer for answer in reversed(answers) if answer is not None), "refused")
    return ANSWERS[newest]
