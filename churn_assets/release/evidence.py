"""What Dagster and the store say of the checks and parts that a release needs, for `gate.py`."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

# Private: no public call tells a check that ran from one that a run has only planned.
from dagster._core.storage.asset_check_execution_record import (
    COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES,
)

from churn_assets.release.gate import (
    RENEWED,
    CheckState,
    PartState,
    judge,
    missed_gates,
    unmatched,
)
from churn_assets.storage.current import current_artifact
from churn_assets.storage.protocol import ArtifactStore

RELEASE = dg.AssetKey("release")


def require_checks(
    instance: dg.DagsterInstance, graph: Any, store: ArtifactStore
) -> tuple[dict[str, int], dict[str, list[str]]]:
    """Count the checks above the release, and say which component missed which gates of its own;
    fail unless every blocking check holds now of what the store has, and the parts belong together.

    Within one run Dagster itself stops at a failed blocking check, and makes what lies below from
    what lies above. Across runs it does not: a check may never have run, or may have judged an
    older materialization than the one in use, or one that another Dagster or an upload has replaced
    in the store; and what the last run didn't select may have been made from an older part.

    Raises:
        dg.Failure: names each blocking check and what is wrong with it, and each part that doesn't
            belong to the others.
    """
    above = graph.get_ancestor_asset_keys(RELEASE)
    keys = [key for key in graph.asset_check_keys if key.asset_key in above]
    states = [_state(instance, key, blocking=graph.get(key).blocking) for key in keys]
    counts, problems = judge(states)
    missed = missed_gates(states)
    problems += unmatched(_parts(instance, graph, store), missed)
    if problems:
        raise dg.Failure(
            "no release: " + "; ".join(problems),
            metadata={
                "blocking_checks": dg.MetadataValue.md("\n".join(f"- {p}" for p in problems))
            },
            allow_retries=False,
        )
    return counts, missed


def _parts(instance: dg.DagsterInstance, graph: Any, store: ArtifactStore) -> list[PartState]:
    """What the release is made of, with what Dagster noted when each was made."""
    above: dict[str, set[str]] = {}
    waiting = [RELEASE]
    while waiting:
        key = waiting.pop()
        parents = [p for p in graph.get(key).parent_keys if p.to_user_string() not in RENEWED]
        above[key.to_user_string()] = {parent.to_user_string() for parent in parents}
        waiting += [parent for parent in parents if parent.to_user_string() not in above]
    del above[RELEASE.to_user_string()]
    return [_part(instance, name, sorted(above[name]), store) for name in sorted(above)]


def _part(
    instance: dg.DagsterInstance, name: str, parents: Sequence[str], store: ArtifactStore
) -> PartState:
    newest = instance.get_latest_materialization_event(dg.AssetKey(name))
    made = newest.asset_materialization if newest else None
    tags = (made.tags if made else None) or {}
    return PartState(
        name=name,
        judged=tags.get("dagster/data_version"),
        stored=current_artifact(store, name).sha256,
        made_from={parent: tags.get(f"dagster/input_data_version/{parent}") for parent in parents},
    )


def _state(instance: dg.DagsterInstance, key: dg.AssetCheckKey, *, blocking: bool) -> CheckState:
    """What the check said last. A run that only plans it (because it still goes on, or was killed
    before it came to it) has said nothing."""
    name = f"{key.asset_key.to_user_string()}: {key.name}"
    newest = instance.fetch_materializations(key.asset_key, limit=1).records
    answers = instance.event_log_storage.get_asset_check_execution_history(
        key, limit=1, status=COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES
    )
    evaluation = answers[0].evaluation if answers else None
    if evaluation is None:
        return CheckState(name=name, blocking=blocking)
    target = evaluation.target_materialization_data
    return CheckState(
        name=name,
        blocking=blocking,
        evaluated=True,
        passed=evaluation.passed,
        warning=evaluation.severity == dg.AssetCheckSeverity.WARN,
        current=bool(newest and target and target.storage_id == newest[0].storage_id),
    )
