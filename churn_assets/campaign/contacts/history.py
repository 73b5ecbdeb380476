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
"""A report of a contact so near to one that the campaign handed over is that one's."""
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
    """

    when: datetime
    channel: str | None
    offer_percentage: int | None
    planned: bool
    answer: str | None = None
    expected_cost: float | None = None
    confirmed: bool = False

    def is_told_of_by(self, other: Contact) -> bool:
        """Whether another telling may be of this contact: one is a plan's hand-over, one the
        sending system's report, by the same channel as far as that is known, and there was no
        other such telling."""
        channels = {(each.channel or "").strip().casefold() for each in (self, other)} - {""}
        return self.planned != other.planned and not self.confirmed and len(channels) < 2

    def day(self, zone: str) -> date:
        """The date on which it was made by the clocks of an IANA time zone."""
        return self.when.astimezone(zone_info(zone)).date()


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
        acceptances: when which percentage was accepted, a contact's once, oldest first.
    """

    contacts: tuple[Contact, ...] = ()
    complained: datetime | None = None
    opted_out: bool = False
    churned: datetime | None = None
    acceptances: tuple[tuple[datetime, int], ...] = ()
    opted_out_since: datetime | None = None

    @classmethod
    def of(cls, events: Iterable[Event]) -> Self:
        """From one customer's events, oldest first; those of one instant as in `SAME_INSTANT`."""
        contacts: list[Contact] = []
        acceptances: list[tuple[datetime, int]] = []
        complained: datetime | None = None
        churned: datetime | None = None
        opted_out_since: datetime | None = None
        for event in events:
            if event.kind == "sent":
                _add(contacts, event)
            elif event.kind in ANSWERS:
                if event.kind == "accepted":
                    churned = None
                    _add_acceptance(acceptances, contacts, event)
                if contacts and contacts[-1].answer is None:
                    contacts[-1] = replace(contacts[-1], answer=event.kind)
            elif event.kind == "complained":
                complained = event.occurred_at
            elif event.kind == "churned":
                churned = event.occurred_at
            elif event.kind in ("opted_out", "opted_in"):
                if event.kind == "opted_in":
                    opted_out_since = churned = None
                else:
                    opted_out_since = opted_out_since or event.occurred_at
        return cls(
            tuple(contacts),
            complained,
            opted_out_since is not None,
            churned,
            tuple(acceptances),
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
        given = sum(percentage for when, percentage in self.acceptances if when > since)
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


def _add_acceptance(
    acceptances: list[tuple[datetime, int]], contacts: list[Contact], event: Event
) -> None:
    """Another acceptance, unless the contact that it answers was accepted before; of the percentage
    that it reports, else of the contact's."""
    last = contacts[-1] if contacts else None
    if last and last.answer == "accepted":
        return
    percentage = event.offer_percentage
    if percentage is None and last is not None:
        percentage = last.offer_percentage
    acceptances.append((event.occurred_at, percentage or 0))


def _add(contacts: list[Contact], event: Event) -> None:
    """Another contact, unless it tells of one that is known, of less than a day ago: the later time
    stays then, and what the plan says beside."""
    planned = event.event_key.startswith(PLANNED)
    told = Contact(
        event.occurred_at,
        event.channel,
        event.offer_percentage,
        planned,
        expected_cost=event.expected_cost,
    )
    lately = [i for i, known in enumerate(contacts) if told.when - known.when < SAME_CONTACT]
    same = next((i for i in reversed(lately) if contacts[i].is_told_of_by(told)), None)
    if same is None:
        contacts.append(told)
        return
    plans = contacts[same] if contacts[same].planned else told
    contacts[same] = replace(
        contacts[same],
        when=told.when,
        channel=plans.channel,
        planned=True,
        expected_cost=plans.expected_cost,
        confirmed=True,
    )
