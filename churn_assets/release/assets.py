"""The release in service, and every customer scored with it."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg

# Private: no public call tells a check that ran from one that a run has only planned.
from dagster._core.storage.asset_check_execution_record import (
    COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES,
)

from churn_assets.domain.experiment import ExperimentConfig
from churn_assets.orchestration.compute import Compute
from churn_assets.orchestration.resources import StoreResource
from churn_assets.release.alerts import alert
from churn_assets.release.assembly import Terms
from churn_assets.release.building import Build, published, world_of
from churn_assets.release.bundle import Comparison, canonical_json, read_manifest
from churn_assets.release.config import AlertsConfig, ReleaseConfig, ScoringConfig
from churn_assets.release.gate import (
    RENEWED,
    CheckState,
    PartState,
    judge,
    missed_gates,
    unmatched,
)
from churn_assets.release.history import ReleaseRecord
from churn_assets.release.learnt_from import spare_learnt_from
from churn_assets.release.promotion import OnOutcomes, compare, fields_apart
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.release.rehearsal import Rehearsal
from churn_assets.release.scored import require_sound
from churn_assets.release.switches import budget_price, experiment, kill_switch
from churn_assets.storage.current import current_artifact, read_report
from churn_assets.storage.protocol import Artifact, ArtifactStore

RELEASE = dg.AssetKey("release")
Graph = Callable[[], Any]
"""The whole asset graph with all its checks; a job's own context knows only what it selected."""


@dg.asset(group_name="release", kinds={"bundle"}, code_version="1")
def release(
    context: dg.AssetExecutionContext,
    release_config: dg.ResourceParam[ReleaseConfig],
    alerts_config: dg.ResourceParam[AlertsConfig],
    release_terms: dg.ResourceParam[Terms],
    rehearsal: dg.ResourceParam[Rehearsal],
    on_outcomes: dg.ResourceParam[OnOutcomes],
    asset_graph: dg.ResourceParam[Graph],
    store: StoreResource,
    customer_history: Artifact,
    bank_contacts: Artifact,
    oasst1_pairs: Artifact,
    preference_pairs: Artifact,
    risk_model: Artifact,
    accept_model: Artifact,
    baseline_policies: Artifact,
    policy_report: Artifact,
    message_bank: Artifact,
    retention_environment: Artifact,
    oracle_policy: Artifact,
) -> dg.MaterializeResult[Artifact]:
    """The release in service: this build, or the champion where this build is worse.

    Exists only when every blocking check above it has passed on the materialization that is used,
    which must be what the store has, and its parts were made from one another. Where the policy or
    the messages missed a gate of their own, the champion's or the safe fall-back stands in
    (`components.py`), and an alert goes out.
    """
    opened = store.open()
    counts, missed = require_checks(context.instance, asset_graph(), opened)
    registry = ReleaseRegistry(opened)
    models = {
        "risk_model": risk_model,
        "accept_model": accept_model,
        "baseline_policies": baseline_policies,
        "policy_report": policy_report,
        "message_bank": message_bank,
    }
    data = {
        customer_history.name: customer_history,  # "telco_customers" where that is the source
        bank_contacts.name: bank_contacts,  # "campaign_contacts" where the contract has a log
        "oasst1_pairs": oasst1_pairs,
        "preference_pairs": preference_pairs,
    }

    world = partial(world_of, opened, retention_environment, oracle_policy, release_terms)
    build = Build(models, data, customer_history, world, counts, missed)
    record = published(registry, build, release_terms, rehearsal)
    spare_learnt_from(registry)
    refused = _refusal(registry, record, rehearsal, on_outcomes, context.log)
    if stand_in := registry.stand_in_for_damaged():
        context.log.warning(f"{stand_in.release_id} serves: {stand_in.reason}")
    _tell(registry, record, refused, alerts_config)
    removed = registry.retain(release_config.keep, built=record.release_id)
    opened.sweep()
    return _in_service(registry, registry.record(record.release_id), removed)


def _tell(
    registry: ReleaseRegistry, record: ReleaseRecord, refused: str, config: AlertsConfig
) -> None:
    """Send an alert where something stands in for this build's own, or another release for it.

    Args:
        refused: why this run's comparison refused it; empty where it didn't. Of a release that
            somebody has put another one before nobody needs to be told: the check says it.
    """
    latest = registry.latest()
    serves = latest is not None and latest.release_id == record.release_id
    if refused:
        alert(f"release {record.release_id} was built, but doesn't serve: {refused}", config)
    state = "serves" if serves else "was built, but doesn't serve,"
    for sentence in registry.manifest(record.release_id).stand_ins.values():
        alert(f"release {record.release_id} {state} with {sentence}", config)


def _refusal(
    registry: ReleaseRegistry,
    record: ReleaseRecord,
    rehearsal: Rehearsal,
    on_outcomes: OnOutcomes,
    log: dg.DagsterLogManager,
) -> str:
    """Promote a release that doesn't serve, and log what decided; why it was refused, empty where
    it wasn't, serves already, or a person decided against it.

    One that has served before is no exception: a setting or a table was put back since.
    """
    serving = registry.serving_manifest()
    if serving is not None and serving.release_id == record.release_id:
        return ""
    if record.is_kept_out(registry.latest_if_known()):
        return ""
    comparison = _promote_unless_worse(registry, record, rehearsal, on_outcomes)
    log.info(f"{record.release_id}: {comparison.reason}")
    return "" if comparison.promoted else comparison.reason


def _promote_unless_worse(
    registry: ReleaseRegistry,
    record: ReleaseRecord,
    rehearsal: Rehearsal,
    on_outcomes: OnOutcomes,
) -> Comparison:
    """Promote a published release if it is no worse than the champion, else note why not.

    Compared again, since a run that broke off after publishing left it to this one to promote; and
    now also on the outcomes that are known.
    """
    folder = registry.folder(record.release_id)
    # As a server will load it, and before one can: the checks come after the pointer has moved.
    rehearsal.check_golden(folder)
    manifest = read_manifest(folder)
    champion, outcomes, others = registry.serving_manifest(), None, list[str]()
    if champion is not None:
        theirs = registry.folder(champion.release_id)
        outcomes = on_outcomes(registry.store, theirs, folder)
        others = fields_apart(theirs, folder)
    figures = manifest.report, manifest.data, manifest.components
    comparison = compare(champion, *figures, outcomes, others)
    if comparison.promoted:
        registry.promote_winner(record.release_id, comparison)
    else:
        registry.refuse(record.release_id, comparison.reason)
    return comparison


def _in_service(
    registry: ReleaseRegistry, newest: ReleaseRecord, removed: list[str]
) -> dg.MaterializeResult[Artifact]:
    """What serves, beside the newest build."""
    latest = registry.latest()
    if latest is None:
        raise dg.Failure(f"{newest.release_id} was built but not promoted: {newest.reason}")
    rows = [
        f"| {'→' if r.release_id == latest.release_id else ''} | {r.release_id} | {r.reason} |"
        for r in reversed(registry.records())
    ]
    # Of a release that a person decided against, its own reason is why it once won.
    serves, kept_out = newest.release_id == latest.release_id, newest.is_kept_out(latest)
    reason = latest.reason if serves or kept_out else newest.reason
    metadata: dict[str, Any] = {
        "release_id": latest.release_id,
        "built": newest.release_id,
        "promoted": serves,
        "reason": reason,
        "stand_ins": "; ".join(registry.manifest(latest.release_id).stand_ins.values()) or "none",
        "removed": ", ".join(removed) or "none",
        "releases": dg.MetadataValue.md(
            "\n".join(["| serves | release | why |", "|---|---|---|", *rows])
        ),
    }
    if not serves:
        metadata["unchanged"] = (
            f"{latest.release_id} serves, not {newest.release_id}: {reason}"
            if kept_out
            else f"{newest.release_id} was built, but doesn't serve: {reason}"
        )
    return dg.MaterializeResult(
        value=latest.artifact,
        data_version=dg.DataVersion(latest.artifact.sha256),
        metadata=metadata,
    )


@dg.asset(group_name="release", kinds={"parquet"}, code_version="1", deps=[RELEASE])
def predictions(
    context: dg.AssetExecutionContext,
    release_config: dg.ResourceParam[ReleaseConfig],
    experiment_config: dg.ResourceParam[ExperimentConfig],
    rehearsal: dg.ResourceParam[Rehearsal],
    compute: Compute,
    active_customers: Artifact,
) -> dg.MaterializeResult[Artifact]:
    """Risk, offer response and decision for every customer, by the release in service.

    Which one that is, the registry says, as it does to servers: after a roll-back Dagster's newest
    release is the withdrawn one. Predictions that would fail a blocking check are never named:
    servers and plans read what is, whatever a check says later.
    """
    artifacts = compute.store.open()
    serving = ReleaseRegistry(artifacts).serving()
    if serving is None:
        raise dg.Failure("no release serves: materialize `release` first", allow_retries=False)
    forced = kill_switch.baseline_forced(artifacts, release_config.force_baseline)
    folder, customers = artifacts.get(serving.artifact), artifacts.get(active_customers)
    own = bool(read_manifest(folder).contract)
    config = ScoringConfig.of(
        release_config,
        force_baseline=forced,
        experiment=experiment.in_force(artifacts, experiment_config, own_customers=own),
        budget_price=budget_price.in_force(artifacts, serving.release_id),
    )

    def progress(step: int, total: int, **metrics: float) -> None:
        context.log.info(f"scored {step:,} of {total:,} ({metrics['rows_per_second']:,.0f} rows/s)")

    def score(out: Path) -> None:
        report = rehearsal.score(folder, customers, out, config, progress)
        require_sound(out, customers)
        (out / "report.json").write_bytes(canonical_json(report))

    artifact, unchanged = compute.once(
        "predictions",
        f"{type(rehearsal).__module__}:{type(rehearsal).__name__}",
        {
            "release": serving.artifact.sha256,
            "active_customers": active_customers.sha256,
            "settings": config.model_dump(mode="json"),
        },
        score,
        again=bool(config.experiment.enabled),  # who is in which group may be another with the day
    )
    if unchanged:
        require_sound(artifacts.get(artifact), customers)
    report = read_report(artifacts, artifact)
    figures = {name: value for name, value in report.items() if name != "pareto"}
    return dg.MaterializeResult(
        value=artifact,
        data_version=dg.DataVersion(artifact.sha256),
        metadata={"dagster/row_count": report["customers"], **unchanged, **figures},
    )


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
