"""What contacting brought until now, the spend, and what is watched."""

from __future__ import annotations

import asyncio
import logging
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from api.deps import admitted, services_of
from api.errors import RETRY, ApiError, JsonResponse, documented
from churn_assets.outcomes.watching.results import read_results
from churn_assets.storage.protocol import ArtifactError

log = logging.getLogger("api.results")

router = APIRouter(tags=["results"], dependencies=[admitted("watch")])

DEADLINE_SECONDS = 10.0


class Measure(BaseModel):
    """One measure of the customers who could be contacted against those who were left alone."""

    name: Literal["churn", "retained_value", "spend", "net"] = Field(examples=["net"])
    treated: float = Field(description="mean of the customers treated", examples=[812.5])
    control: float = Field(description="mean of those left alone", examples=[771.2])
    difference: float = Field(examples=[41.3])
    lower: float = Field(description="of the difference's 95 % interval", examples=[22.9])
    upper: float = Field(examples=[59.7])


class Look(BaseModel):
    """What was known at one time; the intervals of all looks hold together."""

    time: str = Field(examples=["2026-03-10T04:00:00"])
    customers: int = Field(description="whose outcome was known", examples=[2400])
    net: float = Field(description="gain per customer, in currency", examples=[41.3])
    lower: float = Field(examples=[12.0])
    upper: float = Field(examples=[70.6])


class Lift(BaseModel):
    """The latest `lift_report`."""

    verdict: Literal["helps", "hurts", "no effect that matters", "not known yet"] = Field(
        examples=["helps"]
    )
    sentence: str = Field(
        examples=["Contacting helps: it brings 41.30, between 12.00 and 70.60 a customer."]
    )
    customers: int = Field(description="whose outcome is known", examples=[2400])
    treated: int = Field(examples=[2160])
    control: int = Field(examples=[240])
    needed: int = Field(description="more customers until the answer is known", examples=[0])
    by_customer: str | None = Field(
        description="whether choosing whom to contact is shown to help; null in older reports",
        examples=["Whether choosing by customer helps isn't known yet: it takes 500 customers."],
    )
    foretold: str | None = Field(
        description="what decisions foretold, held against the gain; null where no contact was "
        "reported as sent, and in older reports",
        examples=["Decisions foretold 52.10 a customer, which what it brought doesn't contradict."],
    )
    counted: str | None = Field(
        description="how leaving counts in the gain; null in older reports",
        examples=["Whoever stays counts 12 monthly charges."],
    )
    leaving: str | None = Field(
        description="up to which day leaving has been reported; null in older reports",
        examples=["Leaving has been reported up to 2026-03-31 00:00 UTC."],
    )
    measures: list[Measure]
    over_time: list[Look]


class Spend(BaseModel):
    """Discounts of the running period, and what its contacts cost."""

    spent: float = Field(description="accepted discounts and contacts made", examples=[12000.0])
    expected: float = Field(description="of contacts not answered yet", examples=[3000.0])
    budget: float = Field(description="of the whole period", examples=[40000.0])
    due: float = Field(description="of the budget by now", examples=[20000.0])


class Watched(BaseModel):
    """One thing that is watched."""

    name: str = Field(description="the fact, as the check's name", examples=["risk_came_true"])
    state: Literal["ok", "warn", "error", "unknown"] = Field(examples=["ok"])
    sentence: str = Field(examples=["The risk came true: 96 of 480 customers have left."])


class Results(BaseModel):
    """What is known; `null` and empty before the job `measure_outcomes` has run."""

    lift: Lift | None = Field(examples=[None])
    spend: Spend | None = Field(description="null: too early to judge", examples=[None])
    watched: list[Watched]
    watched_at: str | None = Field(examples=["2026-03-10T06:00:00+00:00"])
    retrain: list[str] = Field(
        description="reasons to train again", examples=[["the customers have changed"]]
    )


@router.get("/results", response_model=Results, responses=documented(401, 403, 429, 503))
async def results(request: Request) -> Response:
    """The lift with its interval over time, the verdict in words, spend, and what is watched."""
    services = services_of(request)
    store = services.host.store
    try:
        # In a thread of its own: a store that hangs keeps it, and nothing else.
        with services.reports.place():
            async with asyncio.timeout(DEADLINE_SECONDS):
                return JsonResponse(await services.reports.run(lambda: read_results(store)))
    except (ArtifactError, TimeoutError, OSError) as error:
        log.exception("the reports can't be read")
        message = "the reports of what contacting brought can't be read at present"
        raise ApiError(503, "not_ready", message, headers=RETRY) from error
