"""What happened after a decision."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, Field

from api.deps import Admitted, services_of
from api.errors import RETRY, ApiError, JsonResponse, documented
from api.parsing import BodyRoute
from api.recording import NotRecordedError
from churn_assets.serving.feedback import CONFLICT, DUPLICATE
from churn_assets.serving.metrics import FEEDBACK
from churn_assets.serving.schemas import CustomerId, Strict, whole_number

router = APIRouter(tags=["feedback"], route_class=BodyRoute, dependencies=[Admitted])

ISO_8601 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?([Zz]|[+-]\d{2}(:?\d{2})?)", re.ASCII
)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
CLOCKS_DIFFER = timedelta(days=1)


def _iso_8601(value: Any) -> datetime:
    """Pydantic would also take seconds since 1970, as a number or as text, and a date alone; but no
    offset in whole hours (+01)."""
    if not isinstance(value, str) or not ISO_8601.fullmatch(value):
        raise ValueError("write date, time and zone in ISO 8601, as in 2026-01-14T12:00:00+01:00")
    return datetime.fromisoformat(value.upper())


def _plausible(when: datetime) -> datetime:
    """A year 0001 or 9999 is a placeholder: a model would learn from 700,000 days since contact."""
    now = datetime.now(UTC)
    if not EARLIEST <= when <= now + CLOCKS_DIFFER:
        raise ValueError(
            f"must lie between {EARLIEST:%Y-%m-%d} and a day from now (here it is "
            f"{now:%Y-%m-%dT%H:%MZ}): a placeholder says nothing about the customer"
        )
    return when


class FeedbackEvent(Strict):
    """One thing that happened to one customer."""

    event_id: CustomerId = Field(
        description="your key for the event; sending it again changes nothing",
        examples=["evt-000017"],
    )
    customer_id: CustomerId = Field(examples=["C12345"])
    kind: Literal["sent", "accepted", "refused", "churned"] = Field(examples=["accepted"])
    occurred_at: Annotated[
        AwareDatetime, BeforeValidator(_iso_8601), AfterValidator(_plausible)
    ] = Field(
        description="ISO 8601: date, time and zone; from the year 2000 until now",
        examples=["2026-01-14T12:00:00+00:00"],
    )
    offer_percentage: Annotated[Literal[0, 5, 10, 15] | None, BeforeValidator(whole_number)] = (
        Field(None, examples=[10])
    )
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
    "/feedback",
    response_model=FeedbackReceipt,
    responses=documented(401, 409, 413, 415, 422, 429, 503),
)
async def feedback(event: FeedbackEvent, request: Request) -> Response:
    """Record an event. Once acknowledged it survives the end of the process; repeat it until then:
    it is counted once."""
    try:
        outcome = await services_of(request).feedback.record(
            event.event_id, event.model_dump_json()
        )
    except NotRecordedError as error:
        raise ApiError(
            503, "not_recorded", "the event is not stored; send it again", headers=RETRY
        ) from error
    FEEDBACK.labels(event.kind, outcome).inc()
    if outcome == CONFLICT:
        raise ApiError(
            409, "conflict", "another event has this id; it stays", loc=["body", "event_id"]
        )
    return JsonResponse({"event_id": event.event_id, "duplicate": outcome == DUPLICATE})
