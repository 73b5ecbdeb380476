"""From what callers reported to `POST /feedback` to a campaign log that `accept_model` learns from.

A contact is a `sent` event, however often its decision is reported; its answer is what names that
decision, or else the customer's next event, `accepted` or `refused`. What was said up to a day
before the contact that it names is its answer all the same. Each answered contact is a row of a
campaign log (`predictors.campaign_log`), in order of time, and so is each that nobody has answered
when its time is over: who says nothing doesn't accept, and a log of those who spoke would make
every offer look welcome. Contacts that may still be answered are no rows, but count as history,
unless they were never made: a `not_sent` event takes back what was reported of the decision that it
names until then, and an answer that names it brings it back, as in the ledger. Events of impossible
times are left out altogether: as history they would be centuries ago.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Any, NamedTuple

from churn_assets.campaign.contacts.event import (
    ANSWERS,
    KNOWN_CHANNELS,
    PERIOD,
    SAME_CONTACT,
    SAME_INSTANT,
)
from churn_assets.campaign.contacts.history import outcome_of
from churn_assets.domain.offers import OFFER_PERCENTAGES
from churn_assets.serving.events import CLOCKS_DIFFER, EARLIEST

FEATURES = ("partner", "monthly_charges")


@dataclass(eq=False)
class _Contact:
    """One, and what was known before it; the offer as its report says it."""

    when: datetime
    offer_percentage: int | None
    history: Mapping[str, Any]
    decision: str | None
    answer: str | None = None


class _Answer(NamedTuple):
    """Said of a contact that wasn't reported by then."""

    when: datetime
    kind: str
    offer_percentage: int | None
    decision: str | None

    def is_of(self, when: datetime, decision: str | None, *, days: bool) -> bool:
        """Whether it is of a contact that was made then: of the decision that it names; of any,
        where it names none and is a day alone (midnight), as many systems report them (`days`)."""
        named = self.decision is not None and self.decision == decision
        a_day = days and self.decision is None and self.when.time() == time()
        return when - self.when < SAME_CONTACT and (named or a_day)


class _Over(NamedTuple):
    """A contact of which no more is heard, and since when; as it was then: what is said later isn't
    its answer."""

    since: datetime
    customer: str
    contact: _Contact


class _Customer:
    """What happened to one customer so far."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.contacts: list[_Contact] = []
        self.never: list[_Contact] = []  # that were never made
        self.waiting: _Contact | None = None  # for its answer
        self.early: list[_Answer] = []

    def sent(
        self,
        when: datetime,
        offer_percentage: int | None,
        channel: str | None,
        decision: str | None,
        *,
        days: bool,
    ) -> _Contact | None:
        """Returns the contact, where it is answered already; by days alone, too, with `days`."""
        again = self._of_decision(decision)
        if again is not None:  # another try, or another report of it
            if again.offer_percentage is None:
                again.offer_percentage = offer_percentage
            return None
        recent = sum(when - contact.when < PERIOD for contact in self.contacts)
        before = len(self.contacts) - recent
        history = {
            "contact_channel": channel if channel in KNOWN_CHANNELS else None,
            "contacts_this_period": recent,
            "days_since_contact": (when - self.contacts[-1].when).days if self.contacts else None,
            "previous_contacts": before,
            "previous_outcome": outcome_of([each.answer for each in self.contacts[:before]]),
        }
        contact = self.waiting = _Contact(when, offer_percentage, history, decision)
        self.contacts.append(contact)
        theirs = [each for each in self.early if each.is_of(when, decision, days=days)]
        self.early = [each for each in self.early if each not in theirs]
        for each in theirs:
            self.answered(each.when, each.kind, each.offer_percentage, each.decision)
        return contact if contact.answer is not None else None

    def _of_decision(self, decision: str | None) -> _Contact | None:
        named = [each for each in self.contacts if decision and each.decision == decision]
        return named[-1] if named else None

    def not_sent(self, decision: str | None) -> None:
        """Who answered was contacted, and one that names no decision is of a contact that nobody
        reported as sent."""
        never = [
            each
            for each in self.contacts
            if each.answer is None and decision is not None and each.decision == decision
        ]
        self.never += never
        self.contacts = [each for each in self.contacts if each not in never]
        if self.waiting in never:
            self.waiting = None

    def bring_back(self, decision: str | None) -> None:
        """An answer names this decision: its contact was made, if no other try was."""
        again = [each for each in self.never if each.decision == decision]
        if again and all(each.decision != decision for each in self.contacts):
            self.never = [each for each in self.never if each not in again]
            self.contacts = sorted([*self.contacts, again[-1]], key=lambda each: each.when)
            self.waiting = again[-1]

    def answered(
        self, when: datetime, kind: str, offer_percentage: int | None, decision: str | None
    ) -> _Contact | None:
        """The contact that this answers, of which nothing was heard before; None without one."""
        contact = self._of_decision(decision)
        if contact is None and self.waiting is not None:
            # Who reports contacts without their decision may name it in the answer.
            open_ = decision is None or self.waiting.decision is None
            contact = self.waiting if open_ else None
        if contact is None or contact.answer is not None:
            told = contact or (self.contacts[-1] if self.contacts and decision is None else None)
            if told is None or told.answer is None:
                self.early.append(_Answer(when, kind, offer_percentage, decision))
            elif kind == "accepted":
                told.answer = kind  # it takes a refusal back, as in `History`
            return None
        if contact is self.waiting:
            self.waiting = None
        contact.answer = kind
        contact.decision = contact.decision or decision
        if contact.offer_percentage is None:
            contact.offer_percentage = offer_percentage
        return contact

    def row(self, contact: _Contact, level: int) -> dict[str, Any]:
        """A contact as the log has it, without what is known of the customer."""
        whom = {"customer": str(self.number)}  # tells contacts of one customer, but not whose
        accepted = contact.answer == "accepted"
        return whom | {**contact.history, "offer_level": level, "accepted": accepted}


def _of(seen: dict[str, _Customer], customer: str) -> _Customer:
    return seen.setdefault(customer, _Customer(len(seen)))


class CampaignRows(NamedTuple):
    """What a log's events came to.

    Attributes:
        rows: of the campaign log, in order of the answers' time, or of when none could come
            any more.
        misdated: ids of the events that were left out because of their time.
        unoffered: the percentages of the contacts that are no rows, since none of the levels means
            them: an earlier release offered them. They count as history.
        strangers: how many contacts are no rows, since their customer isn't known.
        untold: how many are none, since nobody said which offer they made.
        unanswered: how many rows are of contacts that nobody answered.
        early: how many contacts are none yet, answered or not: they can still be answered. Taken
            before, those who have answered would stand for those who will.
    """

    rows: list[dict[str, Any]]
    misdated: list[str]
    unoffered: list[int]
    strangers: int = 0
    untold: int = 0
    unanswered: int = 0
    early: int = 0


def campaign_rows(
    events: Iterable[Mapping[str, Any]],
    customers: Mapping[str, Mapping[str, Any]],
    now: datetime,
    percent: Sequence[int] = OFFER_PERCENTAGES,
    offered: Mapping[str, int] | None = None,
    answer_days: int | None = None,
) -> CampaignRows:
    """The rows of a campaign log.

    Args:
        events: in the form of `POST /feedback`, in any order.
        customers: customer id -> at least `FEATURES`; events of others are left out.
        now: events later than a day from now, or before `EARLIEST`, are left out.
        percent: of the offers, by level.
        offered: decision id -> the percentage that it offered; what reports say goes before it.
        answer_days: after which a contact isn't answered any more; those that are younger are no
            rows. None: those that are answered are, and no others.
    """
    # Only where silence is an answer must none be missed for want of its hour.
    days = answer_days is not None
    seen: dict[str, _Customer] = {}
    misdated: list[str] = []
    over: list[_Over] = []
    timed = [(datetime.fromisoformat(event["occurred_at"]), event) for event in events]
    place = {kind: i for i, kind in enumerate(SAME_INSTANT)}
    last = len(place)  # of kinds that the ledger lacks (`delivered`), which are passed over
    for when, event in sorted(timed, key=lambda pair: (pair[0], place.get(pair[1]["kind"], last))):
        customer, kind = event["customer_id"], event["kind"]
        if not EARLIEST <= when <= now + CLOCKS_DIFFER:
            misdated.append(event["event_id"])
        elif kind == "sent":
            offer, channel = event["offer_percentage"], event.get("channel")
            decision = event.get("decision_id")
            contact = _of(seen, customer).sent(when, offer, channel, decision, days=days)
            if contact is not None:
                over.append(_Over(when, customer, replace(contact)))
        elif kind == "not_sent":
            _of(seen, customer).not_sent(event.get("decision_id"))
        elif kind in ANSWERS:
            decision = event.get("decision_id")
            _of(seen, customer).bring_back(decision)
            contact = _of(seen, customer).answered(when, kind, event["offer_percentage"], decision)
            if contact is not None:
                over.append(_Over(when, customer, replace(contact)))
    early = 0
    if answer_days is not None:
        over, early = _in_their_time(over, seen, timedelta(days=answer_days), now)
    found = _rows(over, seen, customers, percent, offered or {})
    return found._replace(misdated=misdated, early=early)


def _in_their_time(
    answered: Iterable[_Over], seen: Mapping[str, _Customer], longest: timedelta, now: datetime
) -> tuple[list[_Over], int]:
    """Every contact given the same time to be answered: what came later is too late, and of whom
    nothing came by then nothing will. With how many there are whose time isn't over."""
    over = []
    for one in answered:
        end = one.contact.when + longest
        late = one.since > end
        over.append(_Over(end, one.customer, replace(one.contact, answer=None)) if late else one)
    for customer, known in seen.items():
        silent = (each for each in known.contacts if each.answer is None)
        over += [_Over(each.when + longest, customer, each) for each in silent]
    ripe = [one for one in over if one.contact.when + longest <= now]
    return sorted(ripe, key=lambda one: one.since), len(over) - len(ripe)


def _rows(
    over: Iterable[_Over],
    seen: Mapping[str, _Customer],
    customers: Mapping[str, Mapping[str, Any]],
    percent: Sequence[int],
    offered: Mapping[str, int],
) -> CampaignRows:
    rows: list[dict[str, Any]] = []
    unoffered: list[int] = []
    strangers = untold = unanswered = 0
    for _, customer, contact in over:
        offer = contact.offer_percentage
        if offer is None and contact.decision is not None:
            offer = offered.get(contact.decision)
        if customer not in customers:
            strangers += 1
        elif offer is None:
            untold += 1
        elif offer not in percent:
            unoffered.append(offer)
        else:
            known = {name: customers[customer].get(name) for name in FEATURES}
            rows.append(known | seen[customer].row(contact, percent.index(offer)))
            unanswered += contact.answer is None
    return CampaignRows(rows, [], unoffered, strangers, untold, unanswered)
