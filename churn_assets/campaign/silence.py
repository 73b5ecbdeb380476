"""Contacts of which no answer is known though there was time for one: `missing_answers`."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from churn_assets.campaign.contacts.event import PERIOD
from churn_assets.campaign.contacts.history import History
from churn_assets.campaign.contacts.tellings import Contact
from churn_assets.campaign.discounts import IN_USE, last_heard
from churn_assets.campaign.spending import with_answers_of_strangers

FEW = 20
"""Contacts that may still be answered by a way that is behind: of fewer there is nothing to say."""
CHANCE = 0.01
"""Probability of so long a silence, by what is expected of each contact, above which it may well be
chance: of 25 contacts that 3 % accept, 47 % of campaigns hear nothing."""
LEAST_SAID = 0.001
MOST = 0.7
"""Probability that one contact is answered, whatever was until now: of a hundred that were all
answered it came to 1, and a single one that stayed silent was called missing for good. So it takes
four."""
PRIOR = 5.0
"""Answers that are taken to have come as expected, beside those that are known."""
WAYS = {True: "`churn campaign import FILE`", False: "`POST /feedback`"}
MISSING = (
    "Answers are missing since {since}: of {contacts:,} contacts that were handed over since then, "
    "each more than {days} days ago, no answer is known, though {expected:,.1f} were to be "
    "expected: chance alone would be so silent in {chance} of cases. Until an answer is known, a "
    "month's budget counts them at their expected cost, and nothing is learnt from them. Report "
    "what customers accepted and refused by `POST /feedback` or `churn outcomes import FILE`; "
    "where nobody accepted, report `refused`"
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
    the one that is behind. None where such a silence may be chance (`CHANCE`): the product of each
    contact's probability to stay unanswered.

    Args:
        histories: by customer id, all that the ledger has.
        known: ids of customers; an answer under another id is of the decision that it names.
        now: by the company's own clock, whose day the sentence names.
    """
    told = with_answers_of_strangers(histories, known).values()
    last = last_heard(told, now)
    heard = max(last.values(), default=None)
    late = _unanswered(told, heard, now)
    expected = _expected(told, heard, late)
    chance = math.prod(1 - each for each in expected)
    if chance <= CHANCE:
        since = heard or min(contact.when for contact in late)
        return MISSING.format(
            since=since.astimezone(now.tzinfo).date(),
            contacts=len(late),
            days=PERIOD.days,
            expected=sum(expected),
            chance=f"{chance:.1%}" if chance >= LEAST_SAID else f"less than {LEAST_SAID:.1%}",
        )
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
) -> list[Contact]:
    """Plans' contacts that were made later than that, and that there was time to answer by now."""
    return [
        contact
        for history in histories
        for contact in history.contacts
        if contact.expected_cost is not None
        and contact.answer is None
        and contact.when <= now - PERIOD
        and (after is None or contact.when > after)
    ]


def _expected(
    histories: Iterable[History], until: datetime | None, late: Iterable[Contact]
) -> list[float]:
    """Probability that each late contact is answered: what its decision expected, times how many
    answers there were of plans' contacts up to then for each that was expected of them. Refusals
    that are reported are answers, so this may be more than is accepted; it is `MOST` at most.

    Of a contact that was handed over by an earlier version, which noted no probability, it is the
    share of those that were answered; while none was, nothing is expected of it.
    """
    made = [
        contact
        for history in histories
        for contact in history.contacts
        if contact.expected_cost is not None and until is not None and contact.when <= until
    ]
    noted = [contact for contact in made if contact.accept_prob is not None]
    expected = sum(contact.accept_prob or 0.0 for contact in noted)
    times = (_answered(noted) + PRIOR) / (expected + PRIOR)
    share = _answered(made) / len(made) if made else 0.0
    return [
        min(MOST, share if contact.accept_prob is None else times * contact.accept_prob)
        for contact in late
    ]


def _answered(contacts: Iterable[Contact]) -> int:
    return sum(contact.answer is not None for contact in contacts)
