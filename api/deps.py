"""Dependencies that FastAPI hands to routes: the caller, let in by key and rate, and the release in
service with its engine and predictions.

Dependencies are `async`, though nothing is awaited: FastAPI runs plain functions in a thread.
"""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader
from starlette.requests import HTTPConnection

from api.errors import ApiError
from api.security import ANONYMOUS, Keyring, RateLimiter
from churn_assets.serving.engine import RetentionEngine
from churn_assets.serving.hosting import EngineHost
from churn_assets.serving.prediction_table import PredictionBook

RETRY = {"retry-after": "2"}
CHALLENGE = {"www-authenticate": "Bearer"}


class Gate(APIKeyHeader):
    """Lets callers in: 401 without a valid key, 429 to one who calls too often.

    One object is both the check and its entry in the OpenAPI document.
    """

    async def __call__(self, request: HTTPConnection) -> None:
        """Returns for whoever may pass.

        Raises:
            ApiError: 401 or 429.
        """
        keyring: Keyring = request.app.state.keyring
        limiter: RateLimiter = request.app.state.limiter
        if keyring.is_open:
            caller = request.client.host if request.client else ANONYMOUS
        else:
            known = keyring.name_of(request.headers.get("x-api-key") or _bearer(request))
            if known is None:
                raise ApiError(401, "unauthorized", "no valid API key", headers=CHALLENGE)
            caller = known
        if wait := limiter.wait_of(caller):
            headers = {"retry-after": str(math.ceil(wait))}
            raise ApiError(429, "rate_limited", "too many requests", headers=headers)


def _bearer(request: HTTPConnection) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


gate = Gate(
    name="X-API-Key",
    description="An API key; `Authorization: Bearer <key>` works too. Not asked for where the "
    "service has no keys configured.",
)


class Serving(NamedTuple):
    """What answers a request.

    Attributes:
        baseline_forced: the kill switch is on for everybody.
    """

    engine: RetentionEngine
    baseline_forced: bool


def serving_of(request: Request) -> Serving:
    """The serving engine; answers 503 while there is none."""
    host: EngineHost = request.app.state.host
    if host.engine is None:
        raise ApiError(503, "not_ready", host.problem or "loading the release", headers=RETRY)
    return Serving(host.engine, host.switched_off)


async def engine_host(request: Request) -> EngineHost:
    """What follows the store."""
    host: EngineHost = request.app.state.host
    return host


async def prediction_book(request: Request) -> PredictionBook:
    """The latest predictions; answers 503 before the first materialization."""
    host: EngineHost = request.app.state.host
    if host.book is None:
        raise ApiError(503, "not_ready", "no predictions are materialized yet", headers=RETRY)
    return host.book


Admitted = Security(gate)
Host = Annotated[EngineHost, Depends(engine_host)]
Book = Annotated[PredictionBook, Depends(prediction_book)]
