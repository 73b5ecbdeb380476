"""Is the process alive, and can it answer?"""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from api.campaigns import LEDGER_UNREAD
from api.deps import services_of
from api.errors import JsonResponse, without_addresses
from churn_assets.serving.live.hosting import PEOPLE_UNREAD

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The process answers."""

    status: str = Field(examples=["ok"])


class Readiness(BaseModel):
    """Whether requests are answered, from which release, and what is amiss."""

    ready: bool = Field(
        description="a release is loaded, and it is known who may not be contacted", examples=[True]
    )
    release_id: str | None = Field(examples=["20260101-0123456789ab"])
    problem: str | None = Field(
        description="why the latest release is not the serving one, if it is not",
        examples=["release 20260102-0123456789ab is refused: risk/model.ubj is damaged"],
    )
    predictions_problem: str | None = Field(
        description="why the latest predictions are not the ones shown, if they are not, or that "
        "those are by a release that doesn't serve any more",
        examples=["predictions 0123456789abcdef is refused: predictions.parquet is damaged"],
    )
    switch_problem: str | None = Field(
        description="why the kill switch can't be read, if it can't; it then counts as on",
        examples=["the kill switch can't be read and counts as on: the store: no route to host"],
    )
    stand_ins: dict[str, str] = Field(
        description="what serves in place of the release's own policy or messages where those "
        "missed a gate, and in place of its language model where that can't write here; and why",
        examples=[{"policy": "the best rule: policy_report: decisions_depend_on_the_state failed"}],
    )
    generated_data: list[str] = Field(
        description="the data sets that the release learnt from and that were generated, not real: "
        "a demonstration",
        examples=[["telco_customers", "bank_contacts"]],
    )
    messages: str | None = Field(
        description="who writes the messages of the release, and how PPO-Text stands against them; "
        "null: the release is older than that is kept",
        examples=["Served: PPO-Text (naturalness 4.41 of 5, fit 0.95)."],
    )
    feedback_problem: str | None = Field(
        description="why feedback can't be stored, if it can't; decisions don't need it",
        examples=["feedback can't be stored: database or disk is full"],
    )
    decisions_problem: str | None = Field(
        description="why decisions can't be logged, if they can't: they wait in memory, and the "
        "oldest are given up where that says so; or why what was logged wasn't merged into fewer "
        "files the last time",
        examples=["the store: 503 Service Unavailable"],
    )
    contacts_problem: str | None = Field(
        description="why customers' contact histories can't be read, if they couldn't be at the "
        "start or by the last request that needed one: decisions about customers are answered 503",
        examples=[LEDGER_UNREAD],
    )
    people_problem: str | None = Field(
        description="why the current customers' table, with their opt-outs, isn't in force: an "
        "earlier one is, or (not ready) none, and decisions about customers are answered 503",
        examples=[PEOPLE_UNREAD],
    )
    baseline_forced: bool = Field(description="the kill switch is on", examples=[False])


NOT_READY = Readiness(
    ready=False,
    release_id=None,
    problem="there is no release yet: run `churn materialize`",
    predictions_problem="predictions was never materialized: run `churn materialize` first",
    switch_problem=None,
    stand_ins={},
    generated_data=[],
    messages=None,
    feedback_problem=None,
    decisions_problem=None,
    contacts_problem=None,
    people_problem=None,
    baseline_forced=False,
)


@router.get("/healthz")
async def healthz() -> Health:
    """The process runs. Restart it when this fails."""
    return Health(status="ok")


@router.get(
    "/readyz",
    response_model=Readiness,
    responses={
        503: {
            "model": Readiness,
            "description": "no release is loaded yet, or the customers' opt-outs can't be read",
            "content": {"application/json": {}},  # api/document.py adds NOT_READY
        }
    },
)
async def readyz(request: Request) -> Response:
    """A release is loaded and checked, and who may not be contacted is known. Send no traffic while
    this says 503."""
    services = services_of(request)
    host = services.host
    release = host.releases.held  # read once: a swap may come while this runs
    engine = release.loaded
    ready = engine is not None and host.people is not None
    manifest = engine.manifest if engine else None
    tell = partial(_told, store=host.store.url)
    answer = Readiness(
        ready=ready,
        release_id=engine.release_id if engine else None,
        problem=tell(release.problem),
        predictions_problem=tell(host.predictions_problem),
        switch_problem=tell(host.switch_problem),
        stand_ins=engine.stand_ins if engine else {},
        generated_data=manifest.generated if manifest else [],
        messages=manifest.report.get("messages", {}).get("served_because") if manifest else None,
        feedback_problem=tell(services.feedback.problem),
        decisions_problem=tell(services.decisions.problem if services.decisions else None),
        contacts_problem=services.contacts.problem,
        people_problem=tell(host.people_problem),
        baseline_forced=host.switched_off,
    )
    return JsonResponse(answer.model_dump(), status_code=200 if ready else 503)


def _told(problem: str | None, store: str) -> str | None:
    """As everybody may read it, for this route asks for no key."""
    return None if problem is None else without_addresses(problem, store)
