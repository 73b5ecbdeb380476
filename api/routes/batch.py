"""Decisions for many customers in one vectorised pass."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, ValidationError

from api.batching import BatchThread
from api.deps import Admitted, serving_of
from api.errors import ApiError, JsonResponse, documented, log_unexpected, problem, problems_of
from api.parsing import BodyRoute, validated
from api.routes.predict import count
from churn_assets.serving.engine import RetentionEngine
from churn_assets.serving.hosting import EngineHost
from churn_assets.serving.schemas import (
    SAMPLE_ANSWER,
    SAMPLE_REQUEST,
    PredictRequest,
    PredictResponse,
    Problem,
    Strict,
)


class BatchRoute(BodyRoute):
    """Reads its body where batches are answered: two megabytes of JSON take a while."""

    async def respond(self, request: Request, content: bytes) -> Response:
        batches: BatchThread = request.app.state.batches
        with batches.place():
            body = await batches.run(lambda: self.parse(content))
            response: Response = await self.endpoint(body, request)
            return response


router = APIRouter(tags=["decisions"], route_class=BatchRoute, dependencies=[Admitted])


class BatchRequest(Strict):
    """Customers in the form of `POST /predict`. A bad one gets its own errors."""

    customers: list[Any] = Field(
        min_length=1,
        description="each in the form of `POST /predict`; at most 1,000 unless set otherwise",
        examples=[[SAMPLE_REQUEST]],
    )
    with_messages: bool = Field(
        True, description="false where only the decisions are wanted", examples=[True]
    )
    with_reasons: bool = Field(
        True, description="false leaves `metadata.reasons` empty, and is faster", examples=[True]
    )


class BatchRow(BaseModel):
    """Either an answer or what is wrong with this customer."""

    index: int = Field(description="position in the request", examples=[0])
    answer: PredictResponse | None = Field(
        description="null when there are errors", examples=[SAMPLE_ANSWER]
    )
    errors: list[Problem] = Field(examples=[[]])


class BatchResponse(BaseModel):
    """One row for each customer, in the request's order."""

    results: list[BatchRow]
    answered: int = Field(examples=[1])
    refused: int = Field(examples=[0])


@router.post(
    "/predict/batch",
    response_model=BatchResponse,
    responses=documented(401, 413, 415, 422, 429, 503),
)
async def predict_batch(batch: BatchRequest, request: Request) -> Response:
    """Decide for up to 1,000 customers; a bad row doesn't fail the others.

    Messages come from the bank, even where single requests are written on the spot.
    """
    engine = serving_of(request).engine
    limit = request.app.state.max_batch_size
    if len(batch.customers) > limit:
        raise ApiError(
            422, "too_long", f"at most {limit} customers in one batch", loc=["body", "customers"]
        )
    host: EngineHost = request.app.state.host
    # In a thread: the event loop keeps answering single requests meanwhile. The kill switch is read
    # there: it may be thrown while the batch waits for its turn.
    batches: BatchThread = request.app.state.batches
    answer = await batches.run(lambda: answer_batch(engine, batch, host.switched_off))
    return JsonResponse(answer)


def answer_batch(engine: RetentionEngine, batch: BatchRequest, forced: bool) -> dict[str, Any]:
    """Validate each row, answer the valid ones together, and put everything back in order.

    A row that can't be answered, for whatever reason, says so in its `errors`.
    """
    results: list[dict[str, Any]] = []
    valid: list[tuple[int, PredictRequest]] = []
    for index, customer in enumerate(batch.customers):
        row: dict[str, Any] = {"index": index, "answer": None, "errors": []}
        try:
            valid.append((index, validated(PredictRequest, customer)))
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)
            row["errors"] = problems_of(found, prefix=("body", "customers", index))
        results.append(row)
    answers = engine.try_many(
        [request for _, request in valid],
        force_baseline=forced,
        with_message=batch.with_messages,
        live=False,  # a thousand generations would keep the caller waiting for minutes
        explain=batch.with_reasons,
    )
    answered = 0
    logged: set[str] = set()  # one line for each kind: a thousand rows may fail in one way
    for (index, _), answer in zip(valid, answers, strict=True):
        if isinstance(answer, Exception):
            if type(answer).__name__ not in logged:
                logged.add(type(answer).__name__)
                log_unexpected(answer)
            message = "an unexpected error; see the service's log"
            loc = ("body", "customers", index)
            results[index]["errors"] = [problem("internal", loc, message)]
        else:
            results[index]["answer"] = answer
            count(answer)
            answered += 1
    return {"results": results, "answered": answered, "refused": len(results) - answered}
