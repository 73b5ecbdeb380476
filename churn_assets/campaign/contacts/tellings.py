"""Which contacts and answers a customer's events tell of: several events may tell of one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import NamedTuple, Self

from churn_assets.campaign.contacts.event import PERIOD, SAME_CONTACT, Event
from churn_assets.serving.zones import zone_info


@dataclass(frozen=True)
class Contact:
    """One contact.

    Attributes:
        planned: whether a plan's hand-over told of it.
        answer: `accepted`, `refused` or, while there is none, None.
        expected_cost, cost_of_percent, accept_prob: as in `Event`.
        confirmed: whether both a hand-over and a report told of it.
        decision_id: of the decision to make it, as far as that is known.
        ours: as `Event.is_ours`, of any that told of it.
        delivered: whether only its delivery was reported, by a report that names its decision.
        refused_by_file: whether an import (`Event.is_imported`) told that it was refused.
    """

    when: datetime
    channel: str | None
    offer_percentage: int | None
    planned: bool
    answer: str | None = None
    expected_cost: float | None = None
    confirmed: bool = False
    decision_id: str | None = None
    cost_of_percent: float | None = None
    accept_prob: float | None = None
    ours: bool = True
    refused_by_file: bool = False
    delivered: bool = False

    @classmethod
    def of(cls, event: Event) -> Self:
        """As one event tells of it."""
        return cls(
            event.occurred_at,
            event.channel,
            event.offer_percentage,
            event.is_plans,
            expected_cost=event.expected_cost,
            decision_id=event.decision,
            cost_of_percent=event.cost_of_percent,
            accept_prob=event.accept_prob,
            ours=event.is_ours,
            delivered=bool(event.delivered) and event.decision is not None,
        )

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

    def is_delivery_of(self, sent: Contact) -> bool:
        """Whether this report of a delivery is of what another says to have been sent within the
        day before, which names no decision."""
        return (
            self.delivered
            and not sent.planned
            and sent.decision_id is None
            and timedelta() <= self.when - sent.when < SAME_CONTACT
            and self.is_by_the_channel_of(sent)
        )

    def with_delivery(self, report: Contact) -> Self:
        """What was sent, with what the report of its delivery says of it."""
        known = self.offer_percentage is not None
        return replace(
            self,
            channel=self.channel or report.channel,
            offer_percentage=self.offer_percentage if known else report.offer_percentage,
            decision_id=report.decision_id,
            ours=self.ours or report.ours,
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
            cost_of_percent=plan.cost_of_percent,
            accept_prob=plan.accept_prob,
            ours=True,
        )

    def day(self, zone: str) -> date:
        """The date on which it was made by the clocks of an IANA time zone."""
        return self.when.astimezone(zone_info(zone)).date()


class Acceptance(NamedTuple):
    """An offer that was taken.

    Attributes:
        percentage: that was reported, else the contact's.
        contact: the place of the contact that it answers; None: it answers none.
        decision_id: that was named and is of none of the customer's contacts.
        reported: the percentage that the report told, where it answers none.
        ours: as `Event.is_ours`.
        by_file: as `Event.is_imported`.
    """

    when: datetime
    percentage: int
    contact: int | None
    decision_id: str | None = None
    reported: int | None = None
    ours: bool = True
    by_file: bool = False


class Told(NamedTuple):
    """What all events together tell of.

    Attributes:
        contacts: in the order in which they were first told of.
        not_sent: those that were never made, as was reported; they are none of `contacts`.
        acceptances: a contact's once, oldest first.
    """

    contacts: tuple[Contact, ...]
    not_sent: tuple[Contact, ...]
    acceptances: tuple[Acceptance, ...]


class Tellings:
    """Contacts and answers, as one event after the other tells of them.

    That a contact was never made (`not_sent`) is said of the decision that the report names, and
    the last word holds: a `sent` after it says that another try worked, one before it doesn't. A
    report that names none is of the contact by its channel (by any, where it tells none) whose time
    is nearest among those that plans handed over, from `PERIOD` before it to less than
    `SAME_CONTACT` after it (a list is taken, and an address refused, before the contact's hour);
    and it holds only while nobody reports that one as sent: in doubt a contact counts. Who answered
    a contact was contacted, whenever somebody said otherwise. What was never made is nobody's last
    contact, so an answer that names no decision is of the one before.
    """

    def __init__(self, plans: Iterable[Event] = ()) -> None:
        """Args:
        plans: the contacts among the events that plans handed over.
        """
        self.contacts: list[Contact] = []
        self.accepted: dict[int, Event] = {}  # by the contact's place
        self.alone: list[Event] = []  # acceptances that answer no contact
        self.early: list[tuple[Event, int | None]] = []  # and the place that they may take instead
        self._plans = tuple(plans)
        self._turn = 0  # of reports, so that the last word is known
        self._reported: dict[int, int] = {}  # contact's place -> turn of its last report as sent
        self._denied: dict[str, int] = {}  # decision -> turn of the last report that it wasn't
        self._doubted: set[str] = set()  # decisions of which one said so that named none

    def add(self, event: Event) -> None:
        """Another contact, unless it tells of one that is known: by the decision that both name, or
        of less than a day ago."""
        self._turn += 1
        told = Contact.of(event)
        place = self._place_of(told)
        if place is None:
            self.contacts.append(told)
            place = len(self.contacts) - 1
        else:
            self.contacts[place] = self._told_again(place, told)
        if not told.planned:
            self._reported[place] = self._turn
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
        made = (i for i in reversed(range(len(self.contacts))) if not self._is_not_sent(i))
        last = next(made, None)
        place, instead = last, None
        if event.decision is not None:
            place = self._named(event.decision)
            if last is not None and self.contacts[last].decision_id is None:
                instead = last
        if place is None:
            self.early.append((event, instead))
        else:
            self._take(event, place)

    def deny(self, event: Event) -> None:
        """A report that a contact was never made."""
        self._turn += 1
        if event.decision is not None:
            self._denied[event.decision] = self._turn
        elif (nearest := self._nearest(event)) is not None:
            self._doubted.add(nearest)

    def all(self) -> Told:
        """What they tell of. To be asked for once all is told."""
        for answer, instead in self.early:
            self._take(answer, instead)
        self.early = []
        places = range(len(self.contacts))
        made = [i for i in places if not self._is_not_sent(i)]
        found = [
            Acceptance(
                e.occurred_at,
                e.offer_percentage or 0,
                None,
                e.decision,
                e.offer_percentage,
                e.is_ours,
                e.is_imported,
            )
            for e in self.alone
        ]
        for place, event in self.accepted.items():
            percentage = event.offer_percentage
            if percentage is None:
                percentage = self.contacts[place].offer_percentage
            answered = Acceptance(event.occurred_at, percentage or 0, made.index(place))
            found.append(answered._replace(ours=event.is_ours, by_file=event.is_imported))
        return Told(
            tuple(self.contacts[i] for i in made),
            tuple(self.contacts[i] for i in places if i not in made),
            tuple(sorted(found, key=lambda one: one.when)),
        )

    def _is_not_sent(self, place: int) -> bool:
        """Whether a contact was never made, as far as is told by now."""
        contact, reported = self.contacts[place], self._reported.get(place, 0)
        if contact.answer is not None or contact.decision_id is None:
            return False
        denied = self._denied.get(contact.decision_id, 0) > reported
        return denied or (contact.decision_id in self._doubted and not reported)

    def _nearest(self, report: Event) -> str | None:
        """The decision of the contact that this one is of, which names none."""
        said, at = Contact.of(report), report.occurred_at
        found = [
            (abs(at - plan.occurred_at), plan.event_key, plan.decision)
            for plan in self._plans
            if at - PERIOD < plan.occurred_at < at + SAME_CONTACT
            and Contact.of(plan).is_by_the_channel_of(said)
        ]
        return min(found)[2] if found else None

    def _told_again(self, place: int, told: Contact) -> Contact:
        """The known contact with what another telling of it says."""
        known = self._known(place)
        if told.is_delivery_of(known):
            return known.with_delivery(told)
        if known.is_delivery_of(told):
            return told.with_delivery(known)
        if not (known.planned or told.planned) and self._is_not_sent(place):
            return replace(known, when=max(known.when, told.when))
        return known.told_again(told)

    def _known(self, place: int) -> Contact:
        """A contact as the next telling finds it: a plan's that was never made waits for a report
        as sent again."""
        known = self.contacts[place]
        again = known.planned and self._is_not_sent(place)
        return replace(known, confirmed=False) if again else known

    def _place_of(self, told: Contact) -> int | None:
        """The place of the contact that this tells of, too."""
        if told.decision_id is not None:
            named = self._named(told.decision_id)
            if named is not None:
                return named
        for place in reversed(range(len(self.contacts))):
            known = self._known(place)
            if told.when - known.when < SAME_CONTACT and known.is_told_of_by(told):
                return place
            if told.is_delivery_of(known) or known.is_delivery_of(told):
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
            by_file = answer.is_imported
            refused = replace(self.contacts[place], answer=answer.kind, refused_by_file=by_file)
            self.contacts[place] = refused


def _is_of(answer: Event, contact: Contact) -> bool:
    """Whether an answer that came before its contact is of this one."""
    if answer.decision is not None and contact.decision_id is not None:
        return answer.decision == contact.decision_id
    near = contact.when - answer.occurred_at < SAME_CONTACT
    return contact.planned and answer.may_be_a_day and near
