"""The latest materialised predictions: one customer, the most valuable ones, the campaign."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.convertors import PathConvertor, register_url_convertor

from api.deps import Services, admitted, book_of, people_of, services_of
from api.errors import ApiError, JsonResponse, documented
from churn_assets.campaign.contacts.history import History
from churn_assets.campaign.contacts.known import excluded_by
from churn_assets.domain.contact_rules import RULES
from churn_assets.serving.schemas import CustomerId, Excluded


class _IdInPath(PathConvertor):
    """An id as it was given, to be refused in words; a slash in it is one, however it was written.

    Of two paths that begin with an id, the longer one has to be declared first.
    """

    regex = r"[\s\S]+"


register_url_convertor("id", _IdInPath())
router = APIRouter(tags=["predictions"], dependencies=[admitted("customers")])


class Prediction(BaseModel):
    """One customer's row of the asset `predictions`."""

    customer_id: str = Field(examples=["7590-VHVEG"])
    features: dict[str, Any] = Field(
        description="what it was made from, in the form of `POST /predict`; null: not known",
        examples=[{"tenure": 12, "monthly_charges": 89.99, "contract": "Month-to-month"}],
    )
    churn_risk: float = Field(examples=[0.68])
    accept_prob_0: float = Field(examples=[0.12])
    accept_prob_1: float = Field(examples=[0.45])
    accept_prob_2: float = Field(examples=[0.73])
    accept_prob_3: float = Field(examples=[0.89])
    contact: bool = Field(examples=[True])
    offer_level: int = Field(examples=[2])
    offer_percentage: int = Field(examples=[10])
    delay_days: int = Field(examples=[0])
    action_probability: float = Field(examples=[1.0])
    expected_value: float = Field(examples=[45.23])
    expected_cost: float = Field(examples=[12.5])
    estimated_retention_prob: float = Field(examples=[0.73])
    release_id: str = Field(examples=["20260101-0123456789ab"])


class ExcludedSince(Excluded):
    """Why a customer is not to be contacted, and since when."""

    since: str | None = Field(
        description="null: known only of a customer who was erased since, or by the table",
        examples=["2026-02-01T09:00:00+00:00"],
    )


class KnownPrediction(Prediction):
    """One customer's row, and whether the contact ledger forbids to contact them."""

    excluded: ExcludedSince | None = Field(
        None,
        description="present only for customers who opted out or have left by the contact ledger, "
        "or opted out or gave no consent by the contract's table, whatever `contact` says",
    )


class PredictionPage(BaseModel):
    """Predictions by falling expected value."""

    total: int = Field(examples=[7032])
    customers: list[KnownPrediction]


class PastContact(BaseModel):
    """One contact, as the ledger has it."""

    when: str = Field(examples=["2026-03-10T08:00:00+00:00"])
    channel: str | None = Field(description="null: not known", examples=["email"])
    offer_percentage: int | None = Field(description="null: not known", examples=[10])
    planned: bool = Field(description="a campaign of this service handed it over", examples=[True])
    answer: str | None = Field(
        description="`accepted`, `refused`, or null while there is none", examples=["accepted"]
    )


class ContactHistory(BaseModel):
    """What the contact ledger knows of one customer; nothing of who was never contacted."""

    customer_id: str = Field(examples=["7590-VHVEG"])
    opted_out: bool = Field(examples=[False])
    opted_out_since: str | None = Field(
        description="null: not opted out, or known only of a customer who was erased since",
        examples=["2026-02-01T09:00:00+00:00"],
    )
    churned: str | None = Field(
        description="when they left, as was reported", examples=["2026-02-01T09:00:00+00:00"]
    )
    complained: str | None = Field(description="when last", examples=["2026-02-01T09:00:00+00:00"])
    excluded: ExcludedSince | None = Field(
        None, description="as in `GET /customers/{customer_id}`; absent where nothing forbids it"
    )
    contacts: list[PastContact] = Field(description="newest first")


class Point(BaseModel):
    """One allocation of the Pareto curve: what the best use of this spend would retain."""

    spend: float = Field(description="expected discounts, in currency", examples=[12000.0])
    retained: float = Field(
        description="what contacts keep, before the discounts are paid", examples=[90000.0]
    )


class CampaignSummary(BaseModel):
    """Today's decisions summed over all customers, and what other spends could bring."""

    release_id: str = Field(examples=["20260101-0123456789ab"])
    baseline: bool = Field(
        False, description="the kill switch was on: rules decided", examples=[False]
    )
    customers: int = Field(examples=[7032])
    contacts: int = Field(examples=[1200])
    customer_value: float = Field(description="12 monthly bills, summed", examples=[5.5e6])
    expected_spend: float = Field(examples=[80000.0])
    budget: float = Field(
        description="limit on the spend of a period that the release was made with; where there is "
        "a `month_budget`, that one is followed instead",
        examples=[110000.0],
    )
    month_budget: float | None = Field(
        None,
        description="money for a calendar month, as `CHURN_CAMPAIGN__MONTH_BUDGET` has it",
        examples=[20000.0],
    )
    expected_retained_revenue: float = Field(
        description="what contacts keep of the customers' worth by the reward that decides: "
        "`expected_value` and `expected_spend` together",
        examples=[240000.0],
    )
    expected_value: float = Field(description="the same less the discounts", examples=[160000.0])
    pareto: list[Point]


@router.get(
    "/customers", response_model=PredictionPage, responses=documented(401, 403, 422, 429, 503)
)
async def most_valuable(
    request: Request,
    search: Annotated[str, Query(max_length=64, description="a part of the id")] = "",
    start: Annotated[int, Query(ge=0, le=100_000_000)] = 0,
    count: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Response:
    """Customers by the expected value of today's decision, highest first: all, or those whose id
    holds what is searched for."""
    book, services = book_of(request), services_of(request)
    if search:  # beside single requests: among two million ids it takes a fifth of a second
        with services.searches.place():
            total, customers = await services.searches.run(
                lambda: book.search(search, start, count)
            )
    else:
        total, customers = len(book.row_of), book.page(start, count)
    histories = await services.contacts.of_all([row["customer_id"] for row in customers])
    told = [row | _excluded(row["customer_id"], histories, services) for row in customers]
    return JsonResponse({"total": total, "customers": told})


@router.get(
    "/customers/{customer_id:id}/contacts",
    response_model=ContactHistory,
    responses=documented(401, 403, 422, 429, 503),
)
async def contacts_of(customer_id: Annotated[CustomerId, Path()], request: Request) -> Response:
    """What the contact ledger knows of a customer: contacts, answers, a complaint, a no."""
    services = services_of(request)
    histories = await services.contacts.of_all([customer_id])
    history = histories.get(customer_id, History())
    contacts = [
        {
            "when": contact.when.isoformat(),
            "channel": contact.channel,
            "offer_percentage": contact.offer_percentage,
            "planned": contact.planned,
            "answer": contact.answer,
        }
        for contact in reversed(history.contacts)
    ]
    return JsonResponse(
        {
            "customer_id": customer_id,
            "opted_out": history.opted_out,
            "opted_out_since": _text(history.opted_out_since),
            "churned": _text(history.churned),
            "complained": _text(history.complained),
            **_excluded(customer_id, histories, services),
            "contacts": contacts,
        }
    )


@router.get(
    "/customers/{customer_id:id}",
    response_model=KnownPrediction,
    responses=documented(401, 403, 404, 422, 429, 503),
)
async def one_customer(customer_id: Annotated[CustomerId, Path()], request: Request) -> Response:
    """The latest materialised prediction for one customer, and whether they opted out or left."""
    prediction: dict[str, Any] | None = book_of(request).get(customer_id)
    if prediction is None:
        raise ApiError(
            404, "not_found", "no prediction for this customer", loc=["path", "customer_id"]
        )
    services = services_of(request)
    histories = await services.contacts.of_all([customer_id])
    return JsonResponse(prediction | _excluded(customer_id, histories, services))


def _excluded(
    customer_id: str, histories: Mapping[str, History], services: Services
) -> dict[str, Any]:
    """What an answer has beside, for a customer whom ledger or table forbid to contact."""
    history = histories.get(customer_id, History())
    rule = excluded_by({customer_id: history}).get(customer_id)
    rule = rule or people_of(services).rule_against(customer_id)
    if rule is None:
        return {}
    since = history.churned if rule == "churned" else history.opted_out_since
    return {"excluded": {"rule": rule, "text": RULES[rule], "since": _text(since)}}


def _text(when: datetime | None) -> str | None:
    return when.isoformat() if when else None


@router.get("/campaign", response_model=CampaignSummary, responses=documented(401, 403, 429, 503))
async def campaign(request: Request) -> Response:
    """Contacts, spend against budget, expected retained revenue, and the Pareto curve."""
    month_budget = services_of(request).desk.config.month_budget
    return JsonResponse(book_of(request).campaign | {"month_budget": month_budget})
