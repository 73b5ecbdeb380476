"""Plans' files in the artifact store: each under a name of its own, and kept for as long as anybody
can need them, which the ledger tells.

The approved plan is needed whatever was planned since: its contacts are promises. Others are there
to be looked at, and while a list of theirs may still be out.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import date
from typing import Any

import sqlalchemy as sa

from churn_assets.campaign.contacts.ledger import (
    PLANS,
    STEPS,
    Ledger,
    approved_plans,
    known_keys,
    set_status,
)
from churn_assets.campaign.errors import CampaignError
from churn_assets.campaign.planning.plan import Plan
from churn_assets.campaign.sending import key_of
from churn_assets.storage.protocol import (
    ARTIFACT,
    Artifact,
    ArtifactStore,
    DamagedArtifactError,
)
from churn_assets.storage.scratch import scratch_folder

NAME = "campaign_plans"
KEPT = 20  # of the newest plans, whatever became of them: as many as the console lists
AT_ONCE = 20  # that are removed when one is made: in a bucket each takes a moment


def put_plan(store: ArtifactStore, plan: Plan) -> Artifact:
    """Keep a plan's files."""
    with scratch_folder(NAME) as folder:
        plan.save(folder)
        return store.put(f"{NAME}/{plan.plan_id}", folder)


def artifact_of(content: str) -> Artifact:
    """Where a plan's files are, by what the ledger has of it; plans that were made when all were
    versions of one artifact have that one's name."""
    found: Artifact = ARTIFACT.validate_python(json.loads(content)["artifact"])
    return found


def load_plan(store: ArtifactStore, plan_id: str, content: str) -> Plan:
    """A plan, from what the ledger has of it.

    Raises:
        CampaignError: its files were removed since nobody needs them, or are another plan's.
        DamagedArtifactError: they are lost or damaged; says what to do.
    """
    if json.loads(content).get("removed"):
        raise CampaignError(
            f"the contacts of plan {plan_id} aren't kept any more: there are those of the newest "
            f"{KEPT} plans and of the approved one; make another one with `churn campaign plan`"
        )
    artifact = artifact_of(content)
    try:
        folder = store.get(artifact)
    except DamagedArtifactError as error:
        raise DamagedArtifactError(
            f"the contacts of plan {plan_id} are lost or damaged ({store.url}, {artifact.path}): "
            f"cancel it (`churn campaign cancel {plan_id}`), then plan again"
        ) from error
    plan = Plan.load(folder)
    if plan.plan_id != plan_id:
        raise CampaignError(f"{folder} holds plan {plan.plan_id}, not {plan_id}")
    return plan


def promised(
    connection: sa.Connection, store: ArtifactStore, today: date, percent: Collection[int]
) -> dict[str, list[dict[str, Any]]]:
    """The contacts of each approved plan that are still to come and aren't handed over, by plan.

    Args:
        percent: of the offers of the release in service. What offers another one, from before that
            release, is no promise: no list will have it any more. One that has it already is handed
            over before anybody plans again.
    """
    found = {}
    for plan_id, content in approved_plans(connection):
        rows = load_plan(store, plan_id, content).contacts.to_pylist()
        rows = [row for row in rows if row["day"] >= today and row["offer_percentage"] in percent]
        done = known_keys(connection, [key_of(row) for row in rows])
        found[plan_id] = [row for row in rows if key_of(row) not in done]
    return found


def remove_unneeded(store: ArtifactStore, ledger: Ledger, today: date, who: str) -> None:
    """Remove the files of plans that aren't among the newest, nor approved, and of which no list
    can be out: of drafts, and of those whose days are over.

    A draft is first called replaced, by who has planned since. So nobody approves it while its
    files go, and one that is approved by then stays.
    """
    with ledger.writing() as connection:
        unneeded = _unneeded(connection, today)
        for plan_id, _, status in unneeded:
            if status == "draft":
                set_status(connection, plan_id, "replaced", who)
    if not unneeded:
        return
    for _, content, _ in unneeded:
        artifact = artifact_of(content)
        store.delete(artifact.name, artifact.version)
    with ledger.writing() as connection:  # only now: who is killed before removes them again
        for plan_id, content, _ in unneeded:
            told = json.dumps(json.loads(content) | {"removed": True})
            mine = sa.update(PLANS).where(PLANS.c.plan_id == plan_id)
            connection.execute(mine.values(content=told))


def _unneeded(connection: sa.Connection, today: date) -> list[tuple[str, str, str]]:
    """Id, content and status of plans whose files are to go."""
    older = (
        sa.select(PLANS.c.plan_id, PLANS.c.content, PLANS.c.status)
        .join(STEPS, STEPS.c.plan_id == PLANS.c.plan_id)
        .where(STEPS.c.step == "planned")
        .order_by(STEPS.c.number.desc())
        .offset(KEPT)
    )
    found = []
    for plan_id, content, status in connection.execute(older):
        told = json.loads(content)
        over = status == "draft" or max(told["days"]) < today.isoformat()
        if over and status != "approved" and not told.get("removed"):
            found.append((plan_id, content, status))
    return found[-AT_ONCE:]  # the oldest
