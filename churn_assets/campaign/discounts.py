"""What a customer's contacts and acceptances cost, and which contact an acceptance is of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from churn_assets.campaign.contacts.event import PERIOD
from churn_assets.campaign.contacts.history import History
from churn_assets.campaign.contacts.tellings import Acceptance, Contact

IN_USE, SHARE = 3 * PERIOD, 0.1
"""A way by which answers come is in use until it has told of none for so long, while another one
has: a file of a month comes a month late, or two. And only if so much of what was accepted in as
long before its last answer came by it: of a correction, or a trial, there is nothing to wait for,
and what is missed of such a way is no more than that share of the money."""


def heard_until(histories: Iterable[History], now: datetime) -> datetime | None:
    """Up to when answers to plans' contacts are known at least; None: there are none. Of what
    happened since then, they may not have been told yet: of the ways that are in use the one that
    is behind is waited for (`last_heard`), since what it will tell isn't refused."""
    return min(last_heard(histories, now).values(), default=None)


def last_heard(histories: Iterable[History], now: datetime) -> dict[bool, datetime]:
    """Each way that is in use (`IN_USE`), True: imports of the company's own files, False: feedback
    -> when one last accepted by it, or the last that was refused was made, of plans' contacts. One
    answer speaks for all of its day."""
    accepted: list[tuple[datetime, bool]] = []
    last: dict[bool, datetime] = {}
    for history in histories:
        for when, by_file, taken in _answers_of(history):
            if when <= now:
                last[by_file] = max(when, last.get(by_file, when))
                accepted += [(when, by_file)] if taken else []
    newest = max(last.values(), default=now)

    def in_use(way: bool) -> bool:
        until = last[way]
        if until == newest:
            return True
        lately = [by_file is way for when, by_file in accepted if until - IN_USE < when <= until]
        return newest - until <= IN_USE and sum(lately) > SHARE * len(lately)

    return {way: when for way, when in last.items() if in_use(way)}


def _answers_of(history: History) -> Iterator[tuple[datetime, bool, bool]]:
    """Until when each answer to a plan's contact speaks, whether a file told it, and whether it is
    an acceptance."""
    for each in history.acceptances:
        if contact_of(history.contacts, each) is not None:
            yield each.when, each.by_file, True
    for contact in history.contacts:
        if contact.expected_cost is not None and contact.answer == "refused":
            yield contact.when, contact.refused_by_file, False


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
