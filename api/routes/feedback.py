"""What happened after a decision."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from api.deps import admitted, services_of
from api.errors import RETRY, ApiError, JsonResponse, documented
from api.parsing import BodyRoute
from api.recording import NotRecordedError
from churn_assets.serving.event_text import CONFLICT, DUPLICATE
from churn_assets.serving.events import FeedbackEvent, event_model
from churn_assets.serving.metrics import FEEDBACK

UNKNOWN_OFFER = "it isn't known yet which offers there are; send it again"


class EventRoute(BodyRoute):
    """Reads its body as an event about what the release that serves, or an earlier one, offers."""

    def model_for(self, request: Request) -> type[BaseModel]:
        """While not all offers are known, an event may name any: it isn't refused for good."""
        host = services_of(request).host
        return event_model(host.percent if host.offers_known else None)


router = APIRouter(tags=["feedback"], route_class=EventRoute, dependencies=[admitted("feedback")])


class FeedbackReceipt(BaseModel):
    """The event is on disk."""

    event_id: str = Field(examples=["evt-000017"])
    duplicate: bool = Field(description="the same event was there already", examples=[False])
    known: bool | None = Field(
        description="whether the latest predictions have a customer of this id, written so; false: "
        "of somebody who left or is new, or of nobody, whom the event then reaches (`8308` is not "
        "`0008308`). It is recorded all the same. null: there are no predictions to look in",
        examples=[True],
    )


@router.post(
    "/feedback",
    response_model=FeedbackReceipt,
    responses=documented(401, 403, 409, 413, 415, 422, 429, 503),
)
async def feedback(event: FeedbackEvent, request: Request) -> Response:
    """Record an event. Once acknowledged it survives the end of the process; repeat it until then:
    it is counted once. While it isn't known which offers there are, one that names an offer is
    answered 503."""
    services, given = services_of(request), event.offer_percentage
    if given is not None and given not in services.host.percent:
        raise ApiError(503, "not_ready", UNKNOWN_OFFER, ("body", "offer_percentage"), RETRY)
    try:
        outcome = await services.feedback.record(event.event_id, event.model_dump_json())
    except NotRecordedError as error:
        raise ApiError(
            503, "not_recorded", "the event is not stored; send it again", headers=RETRY
        ) from error
    FEEDBACK.labels(event.kind, outcome).inc()
    if outcome == CONFLICT:
        raise ApiError(
            409, "conflict", "another event has this id; it stays", loc=["body", "event_id"]
        )
    book = services_of(request).host.book
    known = None if book is None else event.customer_id in book.row_of
    return JsonResponse(
        {"event_id": event.event_id, "duplicate": outcome == DUPLICATE, "known": known}
    )
