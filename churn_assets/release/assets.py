"""The release in service, and every customer scored with it."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from api.engine import RetentionEngine
from api.golden import check_golden
from churn_assets.release import kill_switch
from churn_assets.release import predictions as scoring
from churn_assets.release.assembly import assemble, seal
from churn_assets.release.bundle import canonical_json, read_manifest
from churn_assets.release.gate import CheckState, judge
from churn_assets.release.promotion import compare
from churn_assets.release.registry import ReleaseRecord, ReleaseRegistry
from churn_assets.resources.artifact_store import Artifact
from churn_assets.resources.bindings import SettingsResource, StoreResource
from churn_assets.settings import PROJECT, Settings

RELEASE = dg.AssetKey("release")


@dg.asset(group_name="release", kinds={"bundle"}, code_version="1")
def release(
    context: dg.AssetExecutionContext,
    settings: SettingsResource,
    store: StoreResource,
    telco_customers: Artifact,
    bank_contacts: Artifact,
    oasst1_pairs: Artifact,
    preference_pairs: Artifact,
    risk_model: Artifact,
    accept_model: Artifact,
    baseline_policies: Artifact,
    policy_report: Artifact,
    message_bank: Artifact,
) -> dg.MaterializeResult[Artifact]:
    """The release in service: this build, or the champion where this build is worse.

    Exists only when every blocking check above it has passed on the materialization that is used.
    """
    counts = require_checks(context)
    opened, config = store.open(), settings.get()
    registry = ReleaseRegistry(opened)
    models = {
        "risk_model": risk_model,
        "accept_model": accept_model,
        "baseline_policies": baseline_policies,
        "policy_report": policy_report,
        "message_bank": message_bank,
    }
    data = {
        "telco_customers": telco_customers,
        "bank_contacts": bank_contacts,
        "oasst1_pairs": oasst1_pairs,
        "preference_pairs": preference_pairs,
    }
    record = _published(registry, models, data, counts, config)
    if not record.promoted and not record.withdrawn:
        context.log.info(f"{record.release_id}: {_judge(registry, record)}")
    removed = registry.retain(config.release.keep)
    return _in_service(registry, removed)


def _published(
    registry: ReleaseRegistry,
    models: Mapping[str, Artifact],
    data: Mapping[str, Artifact],
    checks: Mapping[str, int],
    config: Settings,
) -> ReleaseRecord:
    """The release with these models, built unless there is one with the same content."""
    store = registry.store
    parts = {name: store.get(artifact) for name, artifact in models.items()}
    datasets = {name: store.get(artifact) for name, artifact in data.items()}
    settings = config.recorded()
    with tempfile.TemporaryDirectory(prefix="release-") as folder:
        out = Path(folder)
        requests = config.release.golden_requests
        content = assemble(parts, datasets["telco_customers"], out, settings, requests)
        known = registry.find_content(content)
        if known is not None:
            return known
        seal(
            out,
            models={name: artifact.sha256 for name, artifact in models.items()},
            datasets=datasets,
            checks=checks,
            settings=settings,
            champion=registry.serving_manifest(),
            sources=PROJECT,
        )
        return registry.publish(out)


def _judge(registry: ReleaseRegistry, record: ReleaseRecord) -> str:
    """Promote a published release if it is no worse than the champion; returns why, or why not.

    Compared again, since a run that broke off after publishing left it to this one to promote.
    """
    folder = registry.folder(record.release_id)
    # As a server will load it, and before one can: the checks come after the pointer has moved.
    check_golden(RetentionEngine.load(folder), folder)
    manifest = read_manifest(folder)
    comparison = compare(registry.serving_manifest(), manifest.report, manifest.data)
    if comparison.promoted:
        registry.promote_winner(record.release_id, comparison)
    return comparison.reason


def _in_service(registry: ReleaseRegistry, removed: list[str]) -> dg.MaterializeResult[Artifact]:
    latest, newest = registry.latest(), registry.records()[-1]
    if latest is None:
        raise dg.Failure(f"{newest.release_id} was built but not promoted: {newest.reason}")
    rows = [
        f"| {'→' if r.release_id == latest.release_id else ''} | {r.release_id} | {r.reason} |"
        for r in reversed(registry.records())
    ]
    metadata: dict[str, Any] = {
        "release_id": latest.release_id,
        "built": newest.release_id,
        "promoted": newest.release_id == latest.release_id,
        "reason": newest.reason,
        "removed": ", ".join(removed) or "none",
        "releases": dg.MetadataValue.md(
            "\n".join(["| serves | release | why |", "|---|---|---|", *rows])
        ),
    }
    return dg.MaterializeResult(
        value=latest.artifact,
        data_version=dg.DataVersion(latest.artifact.sha256),
        metadata=metadata,
    )


@dg.asset(group_name="release", kinds={"parquet"}, code_version="1")
def predictions(
    context: dg.AssetExecutionContext,
    settings: SettingsResource,
    store: StoreResource,
    release: Artifact,
    telco_customers: Artifact,
) -> dg.MaterializeResult[Artifact]:
    """Risk, offer response and decision for every customer, by the release in service."""
    artifacts = store.open()
    forced = kill_switch.baseline_forced(artifacts, settings.get().api.force_baseline)
    config = settings.get().release.model_copy(update={"force_baseline": forced})
    inputs = {
        "release": artifacts.get(release),
        "telco_customers": artifacts.get(telco_customers),
    }

    def progress(step: int, total: int, **metrics: float) -> None:
        context.log.info(f"scored {step:,} of {total:,} ({metrics['rows_per_second']:,.0f} rows/s)")

    with tempfile.TemporaryDirectory(prefix="predictions-") as folder:
        out = Path(folder)
        report = scoring.run(inputs, out, config, progress)
        (out / "report.json").write_bytes(canonical_json(report))
        artifact = artifacts.put("predictions", out)
    figures = {name: value for name, value in report.items() if name != "pareto"}
    return dg.MaterializeResult(
        value=artifact,
        data_version=dg.DataVersion(artifact.sha256),
        metadata={"dagster/row_count": report["customers"], **figures},
    )


def asset_graph() -> Any:
    """The whole graph with all its checks; a job's own context knows only what it selected."""
    # Imported here: definitions.py imports this module.
    from churn_assets.definitions import definitions

    return definitions().resolve_asset_graph()


def require_checks(context: dg.AssetExecutionContext) -> dict[str, int]:
    """Count the checks above the release; fail unless every blocking one holds now.

    Within one run Dagster itself stops at a failed blocking check. Across runs it does not: a check
    may never have run, or may have judged an older materialization than the one in use.

    Raises:
        dg.Failure: names each blocking check and what is wrong with it.
    """
    graph = asset_graph()
    above = graph.get_ancestor_asset_keys(RELEASE)
    keys = [key for key in graph.asset_check_keys if key.asset_key in above]
    storage = context.instance.event_log_storage
    executions = storage.get_latest_asset_check_execution_by_key(keys)
    states = [
        _state(context.instance, key, executions.get(key), blocking=graph.get(key).blocking)
        for key in keys
    ]
    counts, problems = judge(states)
    if problems:
        raise dg.Failure(
            "no release: " + "; ".join(problems),
            metadata={
                "blocking_checks": dg.MetadataValue.md("\n".join(f"- {p}" for p in problems))
            },
            allow_retries=False,
        )
    return counts


def _state(
    instance: dg.DagsterInstance, key: dg.AssetCheckKey, execution: Any, *, blocking: bool
) -> CheckState:
    name = f"{key.asset_key.to_user_string()}: {key.name}"
    newest = instance.fetch_materializations(key.asset_key, limit=1).records
    evaluation = execution.evaluation if execution is not None else None
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
