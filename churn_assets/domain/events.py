"""What can happen to a customer after a decision; or, as `not_sent` says, what didn't."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BeforeValidator

EventKind = Literal[
    "sent", "delivered", "not_sent", "accepted", "refused", "unsubscribed", "churned"
]
EVENT_KINDS: tuple[EventKind, ...] = get_args(EventKind)
OPTED_OUT: Final = "opted_out"
UNSUBSCRIBED: Final = "unsubscribed"
"""One thing: as the contact ledger calls it, and as it is reported."""


def as_reported(kind: Any) -> Any:
    """A kind under the name that reports have for it."""
    return UNSUBSCRIBED if kind == OPTED_OUT else kind


ReportedKind = Annotated[EventKind, BeforeValidator(as_reported)]
"""A kind of event as somebody writes it, who may know the ledger's name of an opt-out."""

OF_A_REQUEST = re.compile(r"[0-9a-f]{32}", re.ASCII)
OF_A_PLAN = re.compile(r"\d{8}-[0-9a-f]{10}:(?P<customer>.+)", re.ASCII | re.DOTALL)
"""Forms that the ids of decisions have: an answer's, and a plan's, with its customer's id in it.
Callers have ids of their own, `20260105-1:letter` say."""


def is_decisions(decision_id: str) -> bool:
    """Whether a decision may have this id, by its form."""
    return bool(OF_A_REQUEST.fullmatch(decision_id) or OF_A_PLAN.fullmatch(decision_id))


def refuse_anothers(decision_id: str | None, customer_id: str) -> None:
    """Raise ValueError for a plan's decision about another customer: one of the two is misspelt."""
    plans = OF_A_PLAN.fullmatch(decision_id or "")
    if plans is not None and plans["customer"] != customer_id:
        raise ValueError(
            "decision_id: it is a decision about another customer than customer_id; is the id "
            "written as in the customers' own table, zeros and capitals included, and the file "
            "whole?"
        )
