"""The campaign's plan: made, looked at, approved, taken back and handed over."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from api.campaigns import CampaignDesk
from api.deps import admitted, caller_of, services_of
from api.errors import ApiError, JsonResponse, documented
from api.parsing import BodyRoute
from churn_assets.campaign.config import MOST_CONTACTS, MOST_MONEY, Channel
from churn_assets.serving.schemas import Strict

if TYPE_CHECKING:
    from churn_assets.campaign.workflow import Campaigns

router = APIRouter(tags=["campaign"], dependencies=[admitted("campaign")])
changes = APIRouter(tags=["campaign"], route_class=BodyRoute, dependencies=[admitted("campaign")])

PlanId = Annotated[str | None, Field(max_length=64, pattern=r"^[0-9a-f-]+$")]
SHOWN_PLANS = 20


class NewPlan(Strict):
    """What a plan may use; what isn't given is as the settings have it."""

    budget: float | None = Field(None, ge=0, le=MOST_MONEY, examples=[20000.0])
    contacts_a_day: dict[str, Annotated[int, Field(ge=0, le=MOST_CONTACTS)]] | None = Field(
        None, description="channel -> contacts a day", examples=[{"email": 500}]
    )
    days: int | None = Field(None, ge=1, le=31, examples=[7])


class WhichPlan(Strict):
    """A plan. Where none is named: to be approved, the newest; else the approved one, or the newest
    where none is approved."""

    plan_id: PlanId = Field(None, examples=["20260310-0123456789"])


class WhichDay(WhichPlan):
    """A day of a plan; today where none is named."""

    day: str | None = Field(None, pattern=r"^\d{4}-\d{2}-\d{2}$", examples=["2026-03-10"])


class Sums(BaseModel):
    """What a plan comes to."""

    contacts: int = Field(examples=[3912])
    promised: int = Field(description="of them promised by an approved plan", examples=[0])
    promised_later: int = Field(
        0, description="beside them, promised for days after the plan's", examples=[0]
    )
    paid: float = Field(0.0, description="of the budget: handed over", examples=[0.0])
    expected_value: float = Field(examples=[283975.99])
    expected_cost: float = Field(examples=[27939.56])
    bound: float = Field(description="no plan brings more", examples=[284261.0])
    gap: float = Field(description="at most so far below the best plan", examples=[0.001])
    by_day: list[dict[str, Any]] = Field(examples=[[{"day": "2026-03-10", "email": 500}]])
    value_of_one_more: dict[str, float] = Field(
        description="what one more unit of money, or contact on each of the days, brings at most; "
        "money at its best rate, though a unit alone may buy no contact; "
        "a contact for the money that is there",
        examples=[{"money": 3.35, "email": 35.99}],
    )
    budget: float = Field(examples=[27942.24])
    contacts_a_day: dict[str, int] = Field(examples=[{"email": 500, "call": 60}])


class PlanAnswer(Sums):
    """A plan, and what happened to it."""

    plan_id: str = Field(examples=["20260310-0123456789"])
    status: Literal["draft", "approved", "replaced", "cancelled"] = Field(examples=["draft"])
    created: str = Field(examples=["2026-03-10T06:00:00+01:00"])
    days: list[str] = Field(examples=[["2026-03-10", "2026-03-11"]])
    today: str = Field(description="by the company's clock", examples=["2026-03-10"])
    release_id: str = Field(examples=["20260101-0123456789ab"])
    customers: int = Field(examples=[7032])
    excluded: dict[str, int] = Field(examples=[{"cooldown": 560}])
    budget_price: float | None = Field(
        None,
        description="λ of a currency unit, where a month's budget is followed",
        examples=[1.85],
    )
    warnings: list[str] = Field(
        [],
        description="what somebody has to look at before the plan is approved, in sentences",
        examples=[["The suppression list names none of these customers…"]],
    )
    overspent: float = Field(0.0, description="a month, whatever the price", examples=[0.0])
    exploration: dict[str, float] = Field(
        {},
        description="share of the customers with whom something else is tried, and how many "
        "contacts are made that wouldn't be, otherwise than they would, or not at all",
        examples=[{"share": 0.05, "tried": 155, "otherwise": 120, "left_out": 72}],
    )
    rules: dict[str, str] = Field(
        description="what each rule says of whom it leaves out",
        examples=[{"cooldown": "was contacted too short a time ago"}],
    )
    pareto: dict[str, list[dict[str, float]]] = Field(
        description="what a plan would bring at other limits",
        examples=[{"money": [{"budget": 6985.56, "spent": 6985.1, "value": 180321.5}]}],
    )
    approved: str | None = Field(
        description="the plan that is approved at present", examples=["20260310-0123456789"]
    )
    listed: list[str] = Field(
        description="days of which a list with contacts of it was taken", examples=[["2026-03-10"]]
    )
    steps: list[dict[str, str]] = Field(
        examples=[[{"step": "planned", "who": "ana", "at": "2026-03-10T06:00:00+00:00"}]]
    )


class Changed(BaseModel):
    """The plan that was changed."""

    plan_id: str = Field(examples=["20260310-0123456789"])
    status: str = Field(examples=["approved"])


class Approved(Changed):
    """The plan that is in force now."""

    lapses: str | None = Field(
        description="until when its lists can be taken, if it has later days", examples=[None]
    )


class Cancelled(Changed):
    """The plan that was taken back."""

    status: str = Field(examples=["cancelled"])
    still_there: list[Changed] = Field(
        description="beside it: the approved plan, and the newest one where that is a draft"
    )


class HandedOver(BaseModel):
    """What is in the ledger now."""

    new: int = Field(examples=[560])
    already: int = Field(examples=[0])
    dropped: dict[str, int] = Field(examples=[{"opt_out": 1}])
    cancelled: str | None = Field(description="the plan, if it is cancelled", examples=[None])
    not_in_newest_list: int = Field(description="only in an earlier list", examples=[0])


class ContactPage(BaseModel):
    """Contacts of a plan, in the order that was asked for."""

    total: int = Field(examples=[3912])
    contacts: list[dict[str, Any]] = Field(
        examples=[[{"customer_id": "C12345", "channel": "email", "offer_percentage": 5}]]
    )
    expected_value: float = Field(description="of all that match", examples=[283975.99])
    expected_cost: float = Field(examples=[27939.56])


class ExcludedPage(BaseModel):
    """Customers whom a plan leaves out."""

    total: int = Field(examples=[560])
    customers: list[dict[str, str]] = Field(
        examples=[[{"customer_id": "C12345", "rule": "cooldown"}]]
    )


class PlanInBrief(BaseModel):
    """One of the plans that there are."""

    plan_id: str = Field(examples=["20260310-0123456789"])
    status: Literal["draft", "approved", "replaced", "cancelled"] = Field(examples=["draft"])
    created: str = Field(examples=["2026-03-10T06:00:00+01:00"])
    days: list[str] = Field(examples=[["2026-03-10", "2026-03-11"]])


class Plans(BaseModel):
    """The newest plans."""

    plans: list[PlanInBrief]


def desk_of(request: Request) -> CampaignDesk:
    """The campaign's desk of the app that is asked."""
    return services_of(request).desk


@router.get(
    "/campaign/plan", response_model=PlanAnswer, responses=documented(401, 403, 409, 422, 429, 503)
)
async def plan(request: Request, plan_id: Annotated[PlanId, Query()] = None) -> Response:
    """A plan with its sums, exclusions by rule, Pareto curves and history."""
    desk = desk_of(request)
    return JsonResponse(await desk.soon(lambda campaigns: desk.told(campaigns, plan_id)))


@router.get(
    "/campaign/plan/contacts",
    response_model=ContactPage,
    responses=documented(401, 403, 409, 422, 429, 503),
)
async def contacts(
    request: Request,
    plan_id: Annotated[PlanId, Query()] = None,
    search: Annotated[str, Query(max_length=64)] = "",
    channel: Annotated[str, Query(max_length=64)] = "",
    day: Annotated[date | None, Query()] = None,
    sort: Annotated[
        Literal["day", "customer_id", "expected_value", "expected_cost", "churn_risk"], Query()
    ] = "day",
    descending: bool = False,
    start: Annotated[int, Query(ge=0, le=100_000_000)] = 0,
    count: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Response:
    """Contacts of a plan: searched by id, filtered, sorted, with the sums of all that match."""

    desk = desk_of(request)
    wanted: dict[str, Any] = {"search": search, "channel": channel, "day": day}

    def task(campaigns: Campaigns) -> dict[str, Any]:
        from churn_assets.campaign.planning.pages import contacts_page

        rows = desk.show(campaigns, plan_id)[0].contacts
        page = contacts_page(rows, start, count, **wanted, sort=sort, descending=descending)
        return {
            "total": page.total,
            "contacts": [_plain(row) for row in page.rows],
            "expected_value": round(page.expected_value, 2),
            "expected_cost": round(page.expected_cost, 2),
        }

    return JsonResponse(await desk.soon(task))


@router.get("/campaign/plans", response_model=Plans, responses=documented(401, 403, 409, 429, 503))
async def plans(request: Request) -> Response:
    """The newest plans, the newest first."""

    def task(campaigns: Campaigns) -> dict[str, Any]:
        return {"plans": campaigns.newest(SHOWN_PLANS)}

    return JsonResponse(await desk_of(request).soon(task))


@router.get(
    "/campaign/plan/excluded",
    response_model=ExcludedPage,
    responses=documented(401, 403, 409, 422, 429, 503),
)
async def excluded(
    request: Request,
    plan_id: Annotated[PlanId, Query()] = None,
    search: Annotated[str, Query(max_length=64)] = "",
    rule: Annotated[str, Query(max_length=64)] = "",
    start: Annotated[int, Query(ge=0, le=100_000_000)] = 0,
    count: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Response:
    """Whom a plan leaves out, each with the rule that does it: searched by id, filtered by rule."""

    desk = desk_of(request)

    def task(campaigns: Campaigns) -> dict[str, Any]:
        from churn_assets.campaign.planning.pages import excluded_page

        rows = desk.show(campaigns, plan_id)[0].excluded
        page = excluded_page(rows, start, count, search=search, rule=rule)
        return {"total": page.total, "customers": page.rows}

    return JsonResponse(await desk.soon(task))


@changes.post(
    "/campaign/plan",
    response_model=PlanAnswer,
    responses=documented(401, 403, 409, 413, 415, 422, 429, 503),
)
async def make_plan(wanted: NewPlan, request: Request) -> Response:
    """Make a draft from the latest predictions; nobody is contacted until it is approved."""
    desk, who = desk_of(request), caller_of(request)
    changed: dict[str, Any] = {"channels": _channels(desk, wanted.contacts_a_day)}
    changed |= {n: v for n in ("budget", "days") if (v := getattr(wanted, n)) is not None}

    def task(campaigns: Campaigns) -> dict[str, Any]:
        made = campaigns.changed(**changed).plan(campaigns.now(), who)
        return desk.told(campaigns, made.plan_id)

    return JsonResponse(await desk.change(task, within=None))


@changes.post(
    "/campaign/replan",
    response_model=Sums,
    responses=documented(401, 403, 409, 413, 415, 422, 429, 503),
)
async def replan(limits: NewPlan, request: Request) -> Response:
    """What a plan would come to under other limits; nothing is kept."""
    desk = desk_of(request)
    channels = _channels(desk, limits.contacts_a_day)
    return JsonResponse(await desk.replan(limits.budget, channels, limits.days))


@changes.post(
    "/campaign/plan/approve",
    response_model=Approved,
    responses=documented(401, 403, 409, 413, 415, 422, 429, 503),
)
async def approve(which: WhichPlan, request: Request) -> Response:
    """Approve a draft, by the owner of the API key, which is kept."""
    desk, who = desk_of(request), caller_of(request)
    return JsonResponse(await desk.change(lambda c: desk.approve(c, which.plan_id, who)))


@changes.post(
    "/campaign/plan/cancel",
    response_model=Cancelled,
    responses=documented(401, 403, 409, 413, 415, 422, 429, 503),
)
async def cancel(which: WhichPlan, request: Request) -> Response:
    """Take a plan back, and say which are still there; what was handed over stays."""
    desk, who = desk_of(request), caller_of(request)

    def task(campaigns: Campaigns) -> dict[str, Any]:
        found = campaigns.cancel(which.plan_id, who)
        others = [{"plan_id": i, "status": status} for i, status in campaigns.open_plans()]
        return {"plan_id": found, "status": "cancelled", "still_there": others}

    return JsonResponse(await desk.change(task))


@changes.post(
    "/campaign/plan/handed-over",
    response_model=HandedOver,
    responses=documented(401, 403, 409, 413, 415, 422, 429, 503),
)
async def handed_over(which: WhichDay, request: Request) -> Response:
    """Record that a day's contacts, or who was in its list, went out; again, it changes nothing."""
    desk, who = desk_of(request), caller_of(request)
    try:
        day = None if which.day is None else date.fromisoformat(which.day)
    except ValueError as error:
        raise ApiError(422, "date", "there is no such day", loc=["body", "day"]) from error

    def task(campaigns: Campaigns) -> dict[str, Any]:
        now = campaigns.now()
        return vars(campaigns.hand_over(which.plan_id, day or now.date(), now, who))

    return JsonResponse(await desk.change(task, within=None))


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {n: round(v, 4) if type(v) is float else v for n, v in row.items()} | {
        "day": row["day"].isoformat()
    }


def _channels(desk: CampaignDesk, a_day: dict[str, int] | None) -> dict[str, Channel]:
    """The settings' channels with other contacts a day; raises ApiError 422 for a stranger."""
    channels = dict(desk.config.channels)
    for name, contacts_a_day in (a_day or {}).items():
        if name not in channels:
            said = f"the channels are: {', '.join(channels)}"
            raise ApiError(422, "channel", said, loc=["body", "contacts_a_day"])
        channels[name] = channels[name].model_copy(update={"contacts_a_day": contacts_a_day})
    return channels
