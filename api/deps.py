"""What routes ask for, as annotated types."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from api.engine import RetentionEngine
from api.errors import ApiError
from api.hosting import EngineHost


# `async`, though nothing is awaited: FastAPI runs plain functions in a thread, 50 µs away.
async def engine_host(request: Request) -> EngineHost:
    host: EngineHost = request.app.state.host
    return host


async def ready_engine(request: Request) -> RetentionEngine:
    """The serving engine; answers 503 while there is none."""
    host: EngineHost = request.app.state.host
    if host.engine is None:
        raise ApiError(503, "not_ready", host.problem or "loading the release", headers=RETRY)
    return host.engine


async def baseline_forced(request: Request) -> bool:
    """Whether the kill switch is on for everybody: by setting, by environment, or in the store."""
    return bool(request.app.state.force_baseline or request.app.state.host.switched_off)


RETRY = {"retry-after": "2"}

Host = Annotated[EngineHost, Depends(engine_host)]
ReadyEngine = Annotated[RetentionEngine, Depends(ready_engine)]
BaselineForced = Annotated[bool, Depends(baseline_forced)]
