"""What a customer's contacts and acceptances cost, and which contact an acceptance is of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from churn_assets.campaign.contacts.event import PERIOD
from churn_assets.campaign.contacts.history import History
from churn_assets.campaign.contacts.tellings import Acceptance, Contact

IN_USE = 3 * PERIOD
"""A way by which answers come is in use until it has told of none for so long, while another one
has: a file of a month comes a month late, or two."""


def heard_until(histories: Iterable[History], now: datetime) -> datetime | None:
    """Up to when answers to plans' contacts are known at least; None: there are none. Of what
    happened since then, they may not have been told yet.

    It is when one was last accepted, or the last that was refused was made, by each of the ways
    that are in use (`IN_USE`): imports of the company's own files, and feedback. The one that is
    behind is waited for: what it will tell isn't refused. One answer speaks for all of its day.
    """
    told = [each for history in histories for each in _answers_of(history) if each[0] <= now]
    last = [
        max(when for when, by_file in told if by_file is way)
        for way in {by_file for _, by_file in told}
    ]
    return min((when for when in last if max(last) - when <= IN_USE), default=None)


def _answers_of(history: History) -> Iterator[tuple[datetime, bool]]:
    """Until when each answer to a plan's contact speaks, and whether a file told it."""
    for each in history.acceptances:
        if contact_of(history.contacts, each) is not None:
            yield each.when, each.by_file
    for contact in history.contacts:
        if contact.expected_cost is not None and contact.answer == "refused":
            yield contact.when, contact.refused_by_file


def money_of(
    history: History, a_percent: float, fees: Mapping[str, float], now: datetime
) -> tuple[list[tuple[float, float]], list[tuple[Acceptance, float]]]:
    """Fee and discount of each of a customer's contacts so far, in their order; and acceptances
    that answer no contact which a plan handed over lately, with their discounts. In currency.

    Args:
        a_percent: what a discount of one percent comes to for this customer, where it is of no
            contact whose plan said so: what was given once stays what it was, whatever the bill is
            today, and also of who has left.
        fees: channel -> cost of a contact.
    """
    discounts, others = [0.0] * len(history.contacts), []
    for each in history.acceptances:
        if each.when <= now:
            i = _answered(history.contacts, each)
            told = None if each.contact is None else history.contacts[each.contact].cost_of_percent
            discount = each.percentage * (a_percent if told is None else told)
            if i is None:
                others.append((each, discount))
            else:
                discounts[i] += discount
    due = [
        fees.get(contact.channel or "", 0.0) if contact.when <= now else 0.0
        for contact in history.contacts
    ]
    return list(zip(due, discounts, strict=True)), others


def contact_of(contacts: Sequence[Contact], acceptance: Acceptance) -> Contact | None:
    """The contact that an acceptance answers, if a plan handed it over."""
    contact = None if acceptance.contact is None else contacts[acceptance.contact]
    return contact if contact is not None and contact.expected_cost is not None else None


def _answered(contacts: Sequence[Contact], acceptance: Acceptance) -> int | None:
    """The place of the contact that an acceptance answers, if a plan handed it over lately."""
    asked = contact_of(contacts, acceptance)
    lately = asked is not None and acceptance.when - asked.when <= PERIOD
    return acceptance.contact if lately else None
