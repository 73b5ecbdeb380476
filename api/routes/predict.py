"""Decisions for one customer."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from api.batching import Serving
from api.deps import admitted, engine_of, services_of, serving_of
from api.errors import RETRY, ApiError, JsonResponse, documented
from api.parsing import BodyRoute
from churn_assets.campaign.contacts.known import complete, excluded_by, with_history
from churn_assets.serving.live.hosting import EngineHost
from churn_assets.serving.metrics import count_answers
from churn_assets.serving.schemas import CustomerRequest, PredictRequest, PredictResponse


class CustomerRoute(BodyRoute):
    """Reads its body as a customer of the contract whose release serves."""

    def model_for(self, request: Request) -> type[BaseModel]:
        """Raises ApiError 503 while there is none: another contract's would refuse for good what is
        only too early."""
        return engine_of(request).form.model


router = APIRouter(tags=["decisions"], route_class=CustomerRoute, dependencies=[admitted("decide")])


@router.post(
    "/predict",
    response_model=PredictResponse,
    responses=documented(401, 403, 413, 415, 422, 429, 503),
)
async def predict(customer: PredictRequest, request: Request) -> Response:
    """Decide whether to contact this customer now, with which offer, and what to write."""
    serving, services = serving_of(request), services_of(request)
    if not isinstance(customer, serving.engine.form.model):
        raise ApiError(
            503, "not_ready", "the release has just changed; send it again", headers=RETRY
        )
    told: dict[str, Any] | None = None
    excluded = services.host.spelt_otherwise([customer.customer_id])
    history = await services.contacts.of(customer.customer_id)
    if history is not None:
        of, now = serving.engine.assessor, datetime.now(UTC)
        added, told = complete(vars(customer), history, now, of.params, of.months)
        excluded |= excluded_by({customer.customer_id: history})
        customer = customer.model_copy(update=added)
    writer = serving.engine.live_writer
    forced = serving.baseline_forced or customer.force_baseline
    if forced or writer is None or writer.problem is not None:
        answer = await services.batcher.predict(serving, customer, excluded)
    else:  # a language model takes its time: in a thread of its own, so that others needn't wait
        until = time.monotonic() + writer.seconds
        answer = await asyncio.get_running_loop().run_in_executor(
            services.live_thread, _generate, serving, services.host, customer, excluded, until
        )
    count_answers([answer])
    if told is not None:
        answer = with_history(answer, told)
    return JsonResponse(answer)


def _generate(
    serving: Serving,
    host: EngineHost,
    customer: CustomerRequest,
    excluded: dict[str, str],
    until: float,
) -> dict[str, Any]:
    """Reads the kill switch now: it may have been thrown while the customer waited for its turn."""
    options = serving.options
    options["force_baseline"], options["until"] = host.switched_off, until
    options["excluded"] = excluded
    return serving.engine.predict(customer, **options)
