"""Many customers in one vectorised pass: what `POST /predict/batch` and `churn predict` answer."""

from __future__ import annotations

import logging
from typing import Any, Unpack

from pydantic import BaseModel, Field, ValidationError

from churn_assets.serving.engine import Options, RetentionEngine
from churn_assets.serving.metrics import count_answers
from churn_assets.serving.problems import Problem, log_unexpected, problem, problems_of, validated
from churn_assets.serving.schemas import (
    SAMPLE_ANSWER,
    SAMPLE_REQUEST,
    CustomerRequest,
    PredictResponse,
    Strict,
)

log = logging.getLogger(__name__)


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
    record: bool = Field(
        True,
        description="false for questions that decide nothing (what if?): the decision log doesn't "
        "keep them",
        examples=[True],
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


def answer_batch(
    engine: RetentionEngine,
    batch: BatchRequest,
    forced: bool,
    **options: Unpack[Options],
) -> dict[str, Any]:
    """Validate each row, answer the valid ones together, and put everything back in order.

    A row that can't be answered, for whatever reason, says so in its `errors`.

    Args:
        options: `decisions` is where the answers are recorded, unless the batch says not to.
    """
    results: list[dict[str, Any]] = []
    valid: list[tuple[int, CustomerRequest]] = []
    for index, customer in enumerate(batch.customers):
        row: dict[str, Any] = {"index": index, "answer": None, "errors": []}
        try:
            valid.append((index, validated(engine.form.model, customer)))
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)
            row["errors"] = problems_of(found, prefix=("body", "customers", index))
        results.append(row)
    options["force_baseline"] = forced
    options["with_message"], options["explain"] = batch.with_messages, batch.with_reasons
    options["live"] = False  # a thousand generations would keep the caller waiting for minutes
    if not batch.record:
        options["decisions"] = None
    answers = engine.try_many([request for _, request in valid], **options)
    answered = 0
    logged: set[str] = set()  # one line for each kind: a thousand rows may fail in one way
    for (index, _), answer in zip(valid, answers, strict=True):
        if isinstance(answer, Exception):
            if type(answer).__name__ not in logged:
                logged.add(type(answer).__name__)
                log_unexpected(log, answer)
            message = "an unexpected error; see the service's log"
            loc = ("body", "customers", index)
            results[index]["errors"] = [problem("internal", loc, message)]
        else:
            results[index]["answer"] = answer
            answered += 1
    if batch.record:
        count_answers(answer for answer in answers if not isinstance(answer, Exception))
    return {"results": results, "answered": answered, "refused": len(results) - answered}
