"""What can happen to a customer after a decision; or, as `not_sent` says, what didn't."""

from __future__ import annotations

from typing import Literal, get_args

EventKind = Literal[
    "sent", "delivered", "not_sent", "accepted", "refused", "unsubscribed", "churned"
]
EVENT_KINDS: tuple[EventKind, ...] = get_args(EventKind)
