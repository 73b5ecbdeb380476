"""Decisions for many customers in one vectorised pass."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from api.deps import admitted, services_of, serving_of, serving_with
from api.errors import ApiError, JsonResponse, documented
from api.parsing import BodyRoute
from churn_assets.campaign.contacts.known import complete_all, ids_among, with_history
from churn_assets.serving.bulk.batch import BatchRequest, BatchResponse, answer_batch


class BatchRoute(BodyRoute):
    """Reads its body where batches are answered: two megabytes of JSON take a while."""

    async def respond(self, request: Request, content: bytes) -> Response:
        batches = services_of(request).batches
        with batches.place():
            body = await batches.run(lambda: self.parse(content))
            response: Response = await self.endpoint(body, request)
            return response


router = APIRouter(tags=["decisions"], route_class=BatchRoute, dependencies=[admitted("decide")])


@router.post(
    "/predict/batch",
    response_model=BatchResponse,
    responses=documented(401, 403, 413, 415, 422, 429, 503),
)
async def predict_batch(batch: BatchRequest, request: Request) -> Response:
    """Decide for up to 1,000 customers; a bad row doesn't fail the others.

    Messages come from the bank, even where single requests are written on the spot.
    """
    engine, services = serving_of(request).engine, services_of(request)
    limit = services.max_batch_size
    if len(batch.customers) > limit:
        raise ApiError(
            422, "too_long", f"at most {limit} customers in one batch", loc=["body", "customers"]
        )

    # In a thread: the event loop keeps answering single requests meanwhile. The kill switch is read
    # there: it may be thrown while the batch waits for its turn.
    def task() -> dict[str, Any]:
        histories_of, of = services.contacts.many, engine.assessor
        customers, told, excluded = complete_all(
            batch.customers, histories_of, of.params, of.months
        )
        asked = batch.model_copy(update={"customers": customers})
        now = serving_with(services, engine)
        options = now.options
        options["excluded"] = services.host.spelt_otherwise(ids_among(customers)) | excluded
        answer = answer_batch(engine, asked, now.baseline_forced, **options)
        for index, said in told.items():
            row = answer["results"][index]
            if row["answer"]:
                row["answer"] = with_history(row["answer"], said)
        return answer

    return JsonResponse(await services.batches.run(task))
