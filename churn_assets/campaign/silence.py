"""Contacts of which no answer is known though there was time for one: `missing_answers`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from churn_assets.campaign.contacts.event import PERIOD
from churn_assets.campaign.contacts.history import History
from churn_assets.campaign.discounts import IN_USE, last_heard
from churn_assets.campaign.spending import with_answers_of_strangers

FEW = 20
"""Contacts that may all stay unanswered: of fewer, silence says nothing."""
EXPECTED = 3.0
"""Answers that as many earlier contacts had: that none of so many comes is chance once in 20 times
(exp(-3), the rule of three). Where few accept and nobody reports refusals, weeks may be silent."""
WAYS = {True: "`churn campaign import FILE`", False: "`POST /feedback`"}
MISSING = (
    "Answers are missing since {since}: of {contacts:,} contacts that were handed over since then, "
    "each more than {days} days ago, no answer is known. Until one is, a month's budget counts "
    "them at their expected cost, and nothing is learnt from them. Report what customers accepted "
    "and refused by `POST /feedback` or `churn campaign import FILE`; where nobody accepted, "
    "report `refused`"
)
BEHIND = (
    "What is told by {way} is known until {since} only, and other answers come by {other}: "
    "{contacts:,} contacts that were handed over since then, each more than {days} days ago, may "
    "still be answered so. Until they are, or it is {longest} days behind, a month's budget counts "
    "them at their expected cost. Bring it up to date; where nothing comes that way any more, "
    "there is nothing to do"
)


def missing_answers(
    histories: Mapping[str, History], known: Collection[str], now: datetime
) -> str | None:
    """A sentence about plans' contacts that nobody has answered, nor any that was made after them,
    for longer than answers are waited for (`PERIOD`): by any of the ways that answers come, else by
    the one that is behind. None where they are few, or where there is nothing to expect yet.

    Args:
        histories: by customer id, all that the ledger has.
        known: ids of customers; an answer under another id is of the decision that it names.
        now: by the company's own clock, whose day the sentence names.
    """
    told = with_answers_of_strangers(histories, known).values()
    last = last_heard(told, now)
    heard = max(last.values(), default=None)
    late = _unanswered(told, heard, now)
    if len(late) >= FEW and (heard is None or len(late) * _answered(told, heard) >= EXPECTED):
        since = (heard or min(late)).astimezone(now.tzinfo).date()
        return MISSING.format(since=since, contacts=len(late), days=PERIOD.days)
    if len(last) < len(WAYS):
        return None
    behind = min(last, key=lambda way: last[way])
    if len(late := _unanswered(told, last[behind], now)) < FEW:
        return None
    return BEHIND.format(
        way=WAYS[behind],
        other=WAYS[not behind],
        since=last[behind].astimezone(now.tzinfo).date(),
        contacts=len(late),
        days=PERIOD.days,
        longest=IN_USE.days,
    )


def _unanswered(
    histories: Iterable[History], after: datetime | None, now: datetime
) -> list[datetime]:
    """When plans' contacts were made, later than that, that there was time to answer by now."""
    return [
        contact.when
        for history in histories
        for contact in history.contacts
        if contact.expected_cost is not None
        and contact.answer is None
        and contact.when <= now - PERIOD
        and (after is None or contact.when > after)
    ]


def _answered(histories: Iterable[History], until: datetime) -> float:
    """Share of plans' contacts up to then that were answered; 1 where there are none."""
    answers = [
        contact.answer is not None
        for history in histories
        for contact in history.contacts
        if contact.expected_cost is not None and contact.when <= until
    ]
    return sum(answers) / len(answers) if answers else 1.0
