"""What happened after a decision."""

from __future__ import annotations

import asyncio
import logging
import re
import sqlite3
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field

from api.deps import RETRY, Admitted
from api.errors import ApiError, JsonResponse, documented
from api.feedback import CONFLICT, DUPLICATE, FeedbackLog
from api.metrics import FEEDBACK
from api.parsing import BodyRoute
from api.schemas import CustomerId, Strict
from churn_assets.resources.artifact_store import ArtifactError

log = logging.getLogger("api.feedback")

router = APIRouter(tags=["feedback"], route_class=BodyRoute, dependencies=[Admitted])

ISO_8601 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?([Zz]|[+-]\d{2}:?\d{2})", re.ASCII
)


def _iso_8601(value: Any) -> Any:
    """Pydantic would also take seconds since 1970, as a number or as text, and a date alone."""
    if not isinstance(value, str) or not ISO_8601.fullmatch(value):
        raise ValueError("write date, time and zone in ISO 8601, as in 2026-01-14T12:00:00+01:00")
    return value


class FeedbackEvent(Strict):
    """One thing that happened to one customer."""

    event_id: CustomerId = Field(
        description="your key for the event; sending it again changes nothing",
        examples=["evt-000017"],
    )
    customer_id: CustomerId = Field(examples=["C12345"])
    kind: Literal["sent", "accepted", "refused", "churned"] = Field(examples=["accepted"])
    occurred_at: Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_iso_8601)] = Field(
        description="ISO 8601: date, time and zone", examples=["2026-01-14T12:00:00+00:00"]
    )
    offer_percentage: Literal[0, 5, 10, 15] | None = Field(None, examples=[10])
    release_id: str | None = Field(
        None,
        max_length=32,
        pattern=r"^[0-9a-f-]+$",
        description="`metadata.release_id` of the decision",
        examples=["20260101-0123456789ab"],
    )


class FeedbackReceipt(BaseModel):
    """The event is on disk."""

    event_id: str = Field(examples=["evt-000017"])
    duplicate: bool = Field(description="the same event was there already", examples=[False])


@router.post(
    "/feedback", response_model=FeedbackReceipt, responses=documented(401, 409, 422, 429, 503)
)
async def feedback(event: FeedbackEvent, request: Request) -> Response:
    """Record an event. Once acknowledged it survives the end of the process; repeat it until then:
    it is counted once."""
    events: FeedbackLog = request.app.state.feedback
    try:  # in a thread: it waits for the disk
        outcome = await asyncio.to_thread(events.record, event.event_id, event.model_dump_json())
    except (ArtifactError, OSError, sqlite3.Error) as error:
        log.exception("an event could not be stored")
        raise ApiError(
            503, "not_recorded", "the event is not stored; send it again", headers=RETRY
        ) from error
    FEEDBACK.labels(event.kind, outcome).inc()
    if outcome == CONFLICT:
        raise ApiError(
            409, "conflict", "another event has this id; it stays", loc=["body", "event_id"]
        )
    return JsonResponse({"event_id": event.event_id, "duplicate": outcome == DUPLICATE})
