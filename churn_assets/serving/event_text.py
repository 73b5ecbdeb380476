"""What an event of the feedback log says: read, compared with another of its id, refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

from churn_assets.storage.current import parse_json
from churn_assets.storage.protocol import DamagedArtifactError

PART = 2_000  # events compared together
STORED, DUPLICATE, CONFLICT = "stored", "duplicate", "conflict"
HOLDS_ON = frozenset({"unsubscribed", "churned"})
"""Kinds of what is true for good, however long ago it was said: who said no, and who left."""
Known = Callable[[Sequence[str]], Collection[str]]
"""Which of these ids of events somebody has."""
_EVENT = TypeAdapter(dict[str, Any])
_NEEDED = ("customer_id", "kind", "occurred_at")
_TODO = "restore it, or move it away"


def read_event(event_id: str, content: str) -> dict[str, Any]:
    """What an event of the log says, by the fields of `POST /feedback`.

    Raises:
        DamagedArtifactError: it is none; names it, and says what to do.
    """
    event = parse_json(_EVENT, f"the feedback log's event {event_id}", content, _TODO)
    lacking = next((name for name in _NEEDED if event.get(name) is None), None)
    if lacking is not None:
        why = f"it has no {lacking}"
        raise DamagedArtifactError(
            f"the feedback log's event {event_id} is damaged: {why}; {_TODO}"
        )
    return event


def is_sound(event_id: str, content: str) -> bool:
    """Whether it is an event, as `read_event` wants it."""
    try:
        read_event(event_id, content)
    except DamagedArtifactError:
        return False
    return True


def is_over(content: str, before: datetime) -> bool:
    """Whether an event of before `before` says nothing of any time after it. What isn't understood
    isn't over: somebody has to look at it."""
    try:
        event = json.loads(content)
        kind, when = event["kind"], datetime.fromisoformat(event["occurred_at"])
    except (ValueError, KeyError, TypeError):
        return False
    known = isinstance(kind, str) and kind not in HOLDS_ON
    return known and (when if when.tzinfo else when.replace(tzinfo=UTC)) < before


def when_as_written(content: str) -> str:
    """When a sound event was, in its own zone: near enough to put the oldest first."""
    return str(json.loads(content)["occurred_at"])


def customer_of(content: str) -> Any:
    """Whose event it is; None where it doesn't say, as nothing that is cut short does."""
    try:
        event = json.loads(content)
    except ValueError:
        return None
    return event.get("customer_id") if isinstance(event, dict) else None


def refuse_nobodys(torn: Sequence[tuple[str, str]], deleted: int) -> None:
    """Raise for events that may be the erased customer's, after all others are gone."""
    if not torn:
        return
    (first, content), *others = torn
    try:
        read_event(first, content)
        why = f"the feedback log's event {first} is damaged; {_TODO}"
    except DamagedArtifactError as error:
        why = str(error)
    also = f" (so are {', '.join(event_id for event_id, _ in others)})" if others else ""
    raise DamagedArtifactError(
        f"{why}; then erase again{also}. {deleted:,} events of the others are erased"
    )


def compared(kept: str, content: str) -> str:
    """Whether two events of one id are the same one: equal but for how an instant is written."""
    return DUPLICATE if kept == content or _facts(kept) == _facts(content) else CONFLICT


def _facts(content: str) -> dict[str, Any] | str:
    """What an event says, with its time as an instant (null says nothing, like a field that an
    older version didn't have); the text as it is where it is no event."""
    try:
        event = {key: value for key, value in json.loads(content).items() if value is not None}
        return event | {"occurred_at": datetime.fromisoformat(event["occurred_at"])}
    except (ValueError, KeyError, TypeError):
        return content
