"""Which release serves, and what was measured on it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from api.deps import admitted, serving_of
from api.errors import ApiError, JsonResponse, documented
from churn_assets.messages.shield.verdict import CHECKS

router = APIRouter(tags=["release"], dependencies=[admitted("watch")])


class ShieldSummary(BaseModel):
    """What every message is checked for."""

    checks: list[str] = Field(
        description="the names that `safety.violations` uses",
        examples=[["banned_phrase", "invalid_length", "quiet_hours"]],
    )
    length: tuple[int, int] = Field(description="fewest and most characters", examples=[[50, 200]])
    quiet_hours: tuple[int, int] = Field(
        description="first hour of the night and of the day, local time", examples=[[22, 8]]
    )


class ReleaseSummary(BaseModel):
    """The serving release's manifest, without the list of files."""

    release_id: str = Field(examples=["20260101-0123456789ab"])
    created: datetime = Field(examples=["2026-01-01T00:00:00Z"])
    policy: str = Field(examples=["ppo"])
    baseline: str = Field(examples=["priced_greedy"])
    models: dict[str, str] = Field(examples=[{"risk_model": "0123456789abcdef"}])
    data: dict[str, Any] = Field(examples=[{"telco_customers": {"source": "mirror"}}])
    report: dict[str, Any] = Field(examples=[{"risk": {"auc": 0.85}}])
    comparison: dict[str, Any] = Field(
        description="why it replaced its predecessor",
        examples=[{"promoted": True, "reason": "no compared figure is worse"}],
    )
    components: dict[str, Any] = Field(
        description="where policy and messages come from: this build, the champion or a fall-back",
        examples=[{"policy": {"source": "built"}}],
    )
    code_version: dict[str, str] = Field(examples=[{"package": "0.1.0"}])
    shield: ShieldSummary


@router.get("/release", response_model=ReleaseSummary, responses=documented(401, 403, 429, 503))
async def serving_release(request: Request) -> Response:
    """The release that answers right now: data, models, figures, and why it serves."""
    engine = serving_of(request).engine
    manifest = engine.manifest
    if manifest is None:
        raise ApiError(503, "not_ready", "the serving engine was not loaded from a release")
    answer = manifest.model_dump(mode="json", include=set(ReleaseSummary.model_fields))
    rules = engine.writer.shield.rules
    hours = rules.quiet_hours
    shield = ShieldSummary(
        checks=list(CHECKS), length=rules.length, quiet_hours=(hours.start, hours.end)
    )
    answer |= {
        "policy": engine.assessor.policy.name,
        "baseline": engine.assessor.baseline.name,
        "shield": shield.model_dump(mode="json"),
    }
    return JsonResponse(answer)
