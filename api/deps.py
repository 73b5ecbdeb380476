"""What routes ask for, as annotated types.

All are `async`, though nothing is awaited: FastAPI runs plain functions in a thread, 50 µs away.
"""

from __future__ import annotations

import math
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader

from api.engine import RetentionEngine
from api.errors import ApiError
from api.feedback import FeedbackLog
from api.hosting import EngineHost
from api.metrics import BASELINE_FORCED
from api.predictions import PredictionBook
from api.security import ANONYMOUS, Keyring, RateLimiter

RETRY = {"retry-after": "2"}
CHALLENGE = {"www-authenticate": "Bearer"}
KEY_HEADER = APIKeyHeader(
    name="X-API-Key",
    auto_error=False,
    description="An API key; `Authorization: Bearer <key>` works too. Not asked for where the "
    "service has no keys configured.",
)


async def admitted(
    request: Request, key: Annotated[str | None, Security(KEY_HEADER)] = None
) -> str:
    """The caller's name; answers 401 without a valid key and 429 to one who calls too often."""
    keyring: Keyring = request.app.state.keyring
    limiter: RateLimiter = request.app.state.limiter
    if keyring.is_open:
        caller, bucket = ANONYMOUS, request.client.host if request.client else ANONYMOUS
    else:
        known = keyring.name_of(key or _bearer(request))
        if known is None:
            raise ApiError(
                401, "unauthorized", "no valid API key", headers={"www-authenticate": "Bearer"}
            )
        caller = bucket = known
    if wait := limiter.wait_of(bucket):
        raise ApiError(
            429, "rate_limited", "too many requests", headers={"retry-after": str(math.ceil(wait))}
        )
    return caller


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


async def engine_host(request: Request) -> EngineHost:
    """What follows the store."""
    host: EngineHost = request.app.state.host
    return host


async def ready_engine(request: Request) -> RetentionEngine:
    """The serving engine; answers 503 while there is none."""
    host: EngineHost = request.app.state.host
    if host.engine is None:
        raise ApiError(503, "not_ready", host.problem or "loading the release", headers=RETRY)
    return host.engine


async def prediction_book(request: Request) -> PredictionBook:
    """The latest predictions; answers 503 before the first materialization."""
    host: EngineHost = request.app.state.host
    if host.book is None:
        raise ApiError(503, "not_ready", "no predictions are materialized yet", headers=RETRY)
    return host.book


async def baseline_forced(request: Request) -> bool:
    """Whether the kill switch is on for everybody: by setting, by environment, or in the store."""
    forced = bool(request.app.state.force_baseline or request.app.state.host.switched_off)
    BASELINE_FORCED.set(forced)
    return forced


async def feedback_log(request: Request) -> FeedbackLog:
    """Where events are kept."""
    log: FeedbackLog = request.app.state.feedback
    return log


Admitted = Depends(admitted)
Host = Annotated[EngineHost, Depends(engine_host)]
ReadyEngine = Annotated[RetentionEngine, Depends(ready_engine)]
Book = Annotated[PredictionBook, Depends(prediction_book)]
BaselineForced = Annotated[bool, Depends(baseline_forced)]
Feedback = Annotated[FeedbackLog, Depends(feedback_log)]
