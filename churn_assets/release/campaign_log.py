"""From what callers reported to `POST /feedback` to a campaign log that `accept_model` learns from.

A contact is a `sent` event; its answer is the customer's next event, `accepted` or `refused`. Each
answered contact is a row with the columns of `offer_response.CONTACTS`, in order of time. Contacts
without an answer are no rows, since what they will bring is not known, but count as history.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from churn_assets.predictors.features import OFFER_PERCENTAGES

PERIOD = timedelta(days=30)  # the mean of the decision environment's periods
FEATURES = ("partner", "monthly_charges")
OUTCOMES = {"accepted": "success", "refused": "failure"}


@dataclass(frozen=True)
class _Contact:
    """One that waits for its answer."""

    offer_percentage: int | None
    history: Mapping[str, Any]


class _Customer:
    """What happened to one customer so far."""

    def __init__(self) -> None:
        self.times: list[datetime] = []
        self.outcome = "nonexistent"
        self.waiting: _Contact | None = None

    def sent(self, when: datetime, offer_percentage: int | None) -> None:
        recent = sum(when - time < PERIOD for time in self.times)
        history = {
            "contact_channel": None,  # events do not say
            "contacts_this_period": recent,
            "days_since_contact": (when - self.times[-1]).days if self.times else None,
            "previous_contacts": len(self.times) - recent,
            "previous_outcome": self.outcome,
        }
        self.waiting = _Contact(offer_percentage, history)
        self.times.append(when)

    def answered(self, kind: str, offer_percentage: int | None) -> dict[str, Any] | None:
        """The row of the contact that this answers; None without one, or if nobody said which
        offer it made."""
        contact, self.waiting = self.waiting, None
        self.outcome = OUTCOMES[kind]
        if contact is None:
            return None
        offer = offer_percentage if contact.offer_percentage is None else contact.offer_percentage
        if offer is None:
            return None
        level = OFFER_PERCENTAGES.index(offer)
        return {**contact.history, "offer_level": level, "accepted": kind == "accepted"}


def campaign_rows(
    events: Iterable[Mapping[str, Any]], customers: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The rows of a campaign log, in order of the answers' time.

    Args:
        events: in the form of `POST /feedback`, in any order.
        customers: customer id -> at least `FEATURES`; events of others are left out.
    """
    seen: dict[str, _Customer] = defaultdict(_Customer)
    rows = []
    timed = [(datetime.fromisoformat(event["occurred_at"]), event) for event in events]
    for when, event in sorted(timed, key=lambda pair: pair[0]):
        customer, kind = event["customer_id"], event["kind"]
        if kind == "sent":
            seen[customer].sent(when, event["offer_percentage"])
        elif kind in OUTCOMES:
            row = seen[customer].answered(kind, event["offer_percentage"])
            if row is not None and customer in customers:
                rows.append({name: customers[customer][name] for name in FEATURES} | row)
    return rows
