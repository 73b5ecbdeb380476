"""One customer's contacts and answers, and what `POST /predict` would be told of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, Self

from churn_assets.campaign.contacts.event import (
    ANSWERS,
    KNOWN_CHANNELS,
    MONTH,
    PERIOD,
    Event,
)
from churn_assets.campaign.contacts.tellings import Acceptance, Contact, Tellings
from churn_assets.domain.value import MONTHS_OF_VALUE


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
class History:
    """What is known of one customer.

    Attributes:
        contacts: that were made or are to be, in the order in which they were first told of.
        complained: when last.
        churned: when they left, as far as is known; None: they haven't, or came back (they accepted
            something since, or opted in again).
        opted_out: whether they don't want to be contacted.
        opted_out_since: when they first said so of the times that they did in a row; None: they
            haven't, or it is known of an erasure only.
        acceptances: a contact's once, oldest first.
        not_sent: contacts that were never made, as was reported. They count for nothing.
    """

    contacts: tuple[Contact, ...] = ()
    complained: datetime | None = None
    opted_out: bool = False
    churned: datetime | None = None
    acceptances: tuple[Acceptance, ...] = ()
    opted_out_since: datetime | None = None
    not_sent: tuple[Contact, ...] = ()

    @classmethod
    def of(cls, events: Iterable[Event]) -> Self:
        """From one customer's events, oldest first; those of one instant as in `SAME_INSTANT`."""
        events = list(events)
        told = Tellings(event for event in events if event.is_plans)
        complained: datetime | None = None
        churned: datetime | None = None
        opted_out_since: datetime | None = None
        for event in events:
            if event.kind == "sent":
                told.add(event)
            elif event.kind == "not_sent":
                told.deny(event)
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
        contacts, not_sent, acceptances = told.all()
        return cls(
            contacts,
            complained,
            opted_out_since is not None,
            churned,
            acceptances,
            opted_out_since,
            not_sent,
        )

    def after(self, erasure: Erasure) -> Self:
        """With what the customer had said before they were erased, as far as it holds still."""
        complaints = [when for when in (self.complained, erasure.complained) if when is not None]
        return replace(
            self,
            opted_out=self.opted_out or erasure.opted_out,
            complained=max(complaints, default=None),
        )

    def accepting(self, place: int, acceptance: Acceptance) -> Self:
        """With this acceptance as the answer to the contact at a place; the same where that one is
        accepted already, which is paid once."""
        contact = self.contacts[place]
        if contact.answer == "accepted":
            return self
        told, offered = acceptance.reported, contact.offer_percentage
        percentage = (told if told is not None else offered) or 0
        taken = Acceptance(acceptance.when, percentage, place, by_file=acceptance.by_file)
        contacts = list(self.contacts)
        contacts[place] = replace(contact, answer="accepted")
        acceptances = sorted((*self.acceptances, taken), key=lambda one: one.when)
        return replace(self, contacts=tuple(contacts), acceptances=tuple(acceptances))

    def without(self, acceptance: Acceptance) -> Self:
        """Where it was somebody else's."""
        rest = (each for each in self.acceptances if each is not acceptance)
        return replace(self, acceptances=tuple(rest))

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
        """Share of the customer's allowance that is left by this period's acceptances and by older
        ones whose discount still runs: who accepted one for a year isn't given all of it again a
        month later.

        Args:
            allowance: the most that one customer is given in a period, share of yearly value.
            months: that an accepted discount lasts.
        """
        since = now - max(PERIOD, months * MONTH)
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
