"""Is the process alive, and can it answer?"""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from api.deps import Host
from api.errors import JsonResponse

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The process answers."""

    status: str = Field(examples=["ok"])


class Readiness(BaseModel):
    """Whether requests are answered, from which release, and what is amiss."""

    ready: bool = Field(examples=[True])
    release_id: str | None = Field(examples=["20260101-0123456789ab"])
    problem: str | None = Field(
        description="why the latest release is not the serving one, if it is not",
        examples=["release 20260102-0123456789ab is refused: risk/model.ubj is damaged"],
    )
    baseline_forced: bool = Field(description="the kill switch is on", examples=[False])
    following: bool = Field(description="new releases are looked for", examples=[True])


@router.get("/healthz")
async def healthz() -> Health:
    """The process runs. Restart it when this fails."""
    return Health(status="ok")


@router.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness}})
async def readyz(host: Host) -> Response:
    """A release is loaded and checked. Send no traffic while this says 503."""
    engine = host.engine
    answer = Readiness(
        ready=engine is not None,
        release_id=engine.release_id if engine else None,
        problem=host.problem,
        baseline_forced=host.switched_off,
        following=not host.follower_died,
    )
    return JsonResponse(answer.model_dump(), status_code=200 if engine else 503)
