"""Is the process alive, and can it answer?"""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel

from api.deps import BaselineForced, Host
from api.errors import JsonResponse

router = APIRouter(tags=["health"])


class Health(BaseModel):
    status: str


class Readiness(BaseModel):
    """Attributes: problem: why the latest release is not the serving one, if it is not."""

    ready: bool
    release_id: str | None
    problem: str | None
    baseline_forced: bool
    following: bool


@router.get("/healthz")
async def healthz() -> Health:
    """The process runs. Restart it when this fails."""
    return Health(status="ok")


@router.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness}})
async def readyz(host: Host, forced: BaselineForced) -> Response:
    """A release is loaded and checked. Send no traffic while this says 503."""
    engine = host.engine
    answer = Readiness(
        ready=engine is not None,
        release_id=engine.release_id if engine else None,
        problem=host.problem,
        baseline_forced=forced,
        following=not host.follower_died,
    )
    return JsonResponse(answer.model_dump(), status_code=200 if engine else 503)
