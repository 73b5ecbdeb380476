"""Contacts of which no answer is known though there was time for one: `missing_answers`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from churn_assets.campaign.contacts.event import PERIOD
from churn_assets.campaign.contacts.history import History
from churn_assets.campaign.discounts import heard_until
from churn_assets.campaign.spending import with_answers_of_strangers

FEW = 20
"""Contacts that may all stay unanswered: of fewer, silence says nothing."""
MISSING = (
    "Answers are missing since {since}: of {contacts:,} contacts that were handed over since then, "
    "each more than {days} days ago, no answer is known. Until one is, a month's budget counts "
    "them at their expected cost, and nothing is learnt from them. Report what customers accepted "
    "and refused by `POST /feedback` or `churn campaign import FILE`; where nobody accepted, "
    "report `refused`"
)


def missing_answers(
    histories: Mapping[str, History], known: Collection[str], now: datetime
) -> str | None:
    """A sentence about plans' contacts that nobody has answered, nor any that was made after them,
    for longer than answers are waited for (`PERIOD`); None where they are few, or where there is
    nothing to expect yet.

    Args:
        histories: by customer id, all that the ledger has.
        known: ids of customers; an answer under another id is of the decision that it names.
        now: by the company's own clock, whose day the sentence names.
    """
    told = with_answers_of_strangers(histories, known)
    heard = heard_until(told.values(), now)
    late = [
        contact.when
        for history in told.values()
        for contact in history.contacts
        if contact.expected_cost is not None
        and contact.answer is None
        and contact.when <= now - PERIOD
        and (heard is None or contact.when > heard)
    ]
    if len(late) < FEW:
        return None
    since = (heard or min(late)).astimezone(now.tzinfo).date()
    return MISSING.format(since=since, contacts=len(late), days=PERIOD.days)
