"""Decisions for one customer."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response

from api.deps import Admitted, serving_of
from api.errors import JsonResponse, documented
from api.parsing import BodyRoute
from churn_assets.serving.engine import RetentionEngine
from churn_assets.serving.hosting import EngineHost
from churn_assets.serving.metrics import MESSAGES, decisions_of
from churn_assets.serving.schemas import PredictRequest, PredictResponse

router = APIRouter(tags=["decisions"], route_class=BodyRoute, dependencies=[Admitted])


@router.post(
    "/predict", response_model=PredictResponse, responses=documented(401, 413, 415, 422, 429, 503)
)
async def predict(customer: PredictRequest, request: Request) -> Response:
    """Decide whether to contact this customer now, with which offer, and what to write."""
    serving = serving_of(request)
    if serving.engine.live_writer is None or serving.baseline_forced or customer.force_baseline:
        answer = await request.app.state.batcher.predict(serving, customer)
    else:  # a language model takes its time: in a thread of its own, so that others needn't wait
        state = request.app.state
        answer = await asyncio.get_running_loop().run_in_executor(
            state.live_thread, _generate, serving.engine, state.host, customer
        )
    count(answer)
    return JsonResponse(answer)


def _generate(
    engine: RetentionEngine, host: EngineHost, customer: PredictRequest
) -> dict[str, Any]:
    """Reads the kill switch now: it may have been thrown while the customer waited for its turn."""
    return engine.predict(customer, force_baseline=host.switched_off)


def count(answer: dict[str, Any]) -> None:
    """Account for an answer in the metrics."""
    decision, metadata = answer["decision"], answer["metadata"]
    decisions_of(decision["contact"], decision["offer_percentage"], metadata["baseline"]).inc()
    if answer["message"] is not None:
        MESSAGES.labels(metadata["message_source"], answer["safety"]["passed"]).inc()
