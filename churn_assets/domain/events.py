"""What can happen to a customer after a decision; or, as `not_sent` says, what didn't."""

from __future__ import annotations

import re
from typing import Literal, get_args

EventKind = Literal[
    "sent", "delivered", "not_sent", "accepted", "refused", "unsubscribed", "churned"
]
EVENT_KINDS: tuple[EventKind, ...] = get_args(EventKind)

OF_A_REQUEST = re.compile(r"[0-9a-f]{32}", re.ASCII)
OF_A_PLAN = re.compile(r"\d{8}-[0-9a-f]+:(?P<customer>.+)", re.ASCII | re.DOTALL)
"""Forms that the ids of decisions have: an answer's, and a plan's, with its customer's id in it."""


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
