"""What can happen to a customer after a decision."""

from __future__ import annotations

from typing import Literal, get_args

EventKind = Literal["sent", "delivered", "accepted", "refused", "unsubscribed", "churned"]
EVENT_KINDS: tuple[EventKind, ...] = get_args(EventKind)
