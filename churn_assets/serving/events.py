"""One thing that happened to one customer after a decision, as it is reported."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, create_model

from churn_assets.domain.events import ReportedKind
from churn_assets.domain.offers import OFFER_PERCENTAGES
from churn_assets.serving.schemas import CustomerId, EventId, Printable, Strict, whole_number

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

    event_id: EventId = Field(
        description="your key for the event, `<kind>-<decision_id>` for one; sending it again "
        "changes nothing",
        examples=["evt-000017"],
    )
    customer_id: CustomerId = Field(examples=["C12345"])
    kind: ReportedKind = Field(
        description="`not_sent`: the contact of the decision was never made (a wrong address, a "
        "mail that came back, a list thrown away), so it counts for nothing",
        examples=["accepted"],
    )
    occurred_at: Annotated[
        AwareDatetime, BeforeValidator(_iso_8601), AfterValidator(_plausible)
    ] = Field(
        description="ISO 8601: date, time and zone; from the year 2000 until now",
        examples=["2026-01-14T12:00:00+00:00"],
    )
    offer_percentage: Annotated[Literal[0, 5, 10, 15] | None, BeforeValidator(whole_number)] = (
        Field(None, examples=[10])
    )
    channel: Annotated[str, Field(min_length=1, max_length=64), Printable] | None = Field(
        None,
        description="by which way the customer was contacted; without it a contact counts for the "
        "caps of every channel",
        examples=["email"],
    )
    release_id: str | None = Field(
        None,
        max_length=32,
        pattern=r"^[0-9a-f-]+$",
        description="`metadata.release_id` of the decision",
        examples=["20260101-0123456789ab"],
    )
    # A plan's contact has its customer's id in it.
    decision_id: Annotated[str, Field(min_length=1, max_length=128), Printable] | None = Field(
        None,
        description="`metadata.decision_id` of the decision; without it the event counts for the "
        "customer's last contact",
        examples=["5f0c9a7be1d84f0b8f6d3f0e2a9c4b17"],
    )


@cache
def event_model(percent: tuple[int, ...] | None) -> type[FeedbackEvent]:
    """The event where these percentages are offered, or were; None: it isn't known which, and any
    may be."""
    if percent == OFFER_PERCENTAGES:
        return FeedbackEvent
    known: Any = Annotated[int, Field(ge=0, le=100)] if percent is None else Literal[percent]
    offered: Any = Annotated[known | None, BeforeValidator(whole_number)]
    example = OFFER_PERCENTAGES[2] if percent is None else percent[2]
    fields: dict[str, Any] = {"offer_percentage": (offered, Field(None, examples=[example]))}
    return create_model(
        "FeedbackEvent", __base__=FeedbackEvent, __doc__=FeedbackEvent.__doc__, **fields
    )
