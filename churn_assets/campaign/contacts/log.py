"""From what callers reported to `POST /feedback` to a campaign log that `accept_model` learns from.

A contact is a `sent` event; its answer is the customer's next event, `accepted` or `refused`. Each
answered contact is a row of a campaign log (`predictors.campaign_log`), in order of time. Contacts
without an answer are no rows, since what they will bring is not known, but count as history, unless
they were never made: a `not_sent` event takes back what was reported of the decision that it names
until then, and an answer that names it brings it back, as in the ledger. Events of impossible times
are left out altogether: as history they would be centuries ago.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from churn_assets.campaign.contacts.event import ANSWERS, KNOWN_CHANNELS, PERIOD, SAME_INSTANT
from churn_assets.campaign.contacts.history import outcome_of
from churn_assets.domain.offers import OFFER_PERCENTAGES
from churn_assets.serving.events import CLOCKS_DIFFER, EARLIEST

FEATURES = ("partner", "monthly_charges")


@dataclass(eq=False)
class _Contact:
    """One, and what was known before it."""

    when: datetime
    offer_percentage: int | None
    history: Mapping[str, Any]
    decision: str | None
    answer: str | None = None


class _Customer:
    """What happened to one customer so far."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.contacts: list[_Contact] = []
        self.never: list[_Contact] = []  # that were never made
        self.waiting: _Contact | None = None  # for its answer

    def sent(
        self,
        when: datetime,
        offer_percentage: int | None,
        channel: str | None,
        decision: str | None,
    ) -> None:
        recent = sum(when - contact.when < PERIOD for contact in self.contacts)
        before = len(self.contacts) - recent
        history = {
            "contact_channel": channel if channel in KNOWN_CHANNELS else None,
            "contacts_this_period": recent,
            "days_since_contact": (when - self.contacts[-1].when).days if self.contacts else None,
            "previous_contacts": before,
            "previous_outcome": outcome_of([each.answer for each in self.contacts[:before]]),
        }
        self.waiting = _Contact(when, offer_percentage, history, decision)
        self.contacts.append(self.waiting)

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
        self, kind: str, offer_percentage: int | None, percent: Sequence[int]
    ) -> dict[str, Any] | int | None:
        """The row of the contact that this answers; the percentage of one that isn't offered any
        more; None without a contact, or if nobody said which offer it made."""
        contact, self.waiting = self.waiting, None
        if contact is None:
            if kind == "accepted" and self.contacts:
                self.contacts[-1].answer = kind  # it takes a refusal back, as in `History`
            return None
        contact.answer = kind
        offer = offer_percentage if contact.offer_percentage is None else contact.offer_percentage
        if offer not in percent:
            return offer
        level = percent.index(offer)
        whom = {"customer": str(self.number)}  # tells contacts of one customer, but not whose
        return whom | {**contact.history, "offer_level": level, "accepted": kind == "accepted"}


def _of(seen: dict[str, _Customer], customer: str) -> _Customer:
    return seen.setdefault(customer, _Customer(len(seen)))


class CampaignRows(NamedTuple):
    """What a log's events came to.

    Attributes:
        rows: of the campaign log, in order of the answers' time.
        misdated: ids of the events that were left out because of their time.
        unoffered: the percentages of the answered contacts that are no rows, since none of the
            levels means them: an earlier release offered them. They count as history.
        strangers: how many answered contacts are no rows, since their customer isn't known.
    """

    rows: list[dict[str, Any]]
    misdated: list[str]
    unoffered: list[int]
    strangers: int = 0


def campaign_rows(
    events: Iterable[Mapping[str, Any]],
    customers: Mapping[str, Mapping[str, Any]],
    now: datetime,
    percent: Sequence[int] = OFFER_PERCENTAGES,
) -> CampaignRows:
    """The rows of a campaign log.

    Args:
        events: in the form of `POST /feedback`, in any order.
        customers: customer id -> at least `FEATURES`; events of others are left out.
        now: events later than a day from now, or before `EARLIEST`, are left out.
        percent: of the offers, by level.
    """
    seen: dict[str, _Customer] = {}
    result, strangers = CampaignRows([], [], []), 0
    timed = [(datetime.fromisoformat(event["occurred_at"]), event) for event in events]
    place = {kind: i for i, kind in enumerate(SAME_INSTANT)}
    last = len(place)  # of kinds that the ledger lacks (`delivered`), which are passed over
    for when, event in sorted(timed, key=lambda pair: (pair[0], place.get(pair[1]["kind"], last))):
        customer, kind = event["customer_id"], event["kind"]
        if not EARLIEST <= when <= now + CLOCKS_DIFFER:
            result.misdated.append(event["event_id"])
        elif kind == "sent":
            offer, channel = event["offer_percentage"], event.get("channel")
            _of(seen, customer).sent(when, offer, channel, event.get("decision_id"))
        elif kind == "not_sent":
            _of(seen, customer).not_sent(event.get("decision_id"))
        elif kind in ANSWERS:
            _of(seen, customer).bring_back(event.get("decision_id"))
            row = _of(seen, customer).answered(kind, event["offer_percentage"], percent)
            if row is None:
                continue
            if customer not in customers:
                strangers += 1
            elif isinstance(row, int):
                result.unoffered.append(row)
            else:
                known = {name: customers[customer].get(name) for name in FEATURES}
                result.rows.append(known | row)
    return result._replace(strangers=strangers)
