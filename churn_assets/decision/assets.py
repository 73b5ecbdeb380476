"""The decision area as assets. PPO runs as a stage; the rest is seconds of numpy, run in place."""

from collections.abc import Callable
from typing import Any

import dagster as dg

from churn_assets.decision import world
from churn_assets.decision.config import DecisionConfig
from churn_assets.decision.evaluation import report
from churn_assets.orchestration.compute import CPU_STAGE, Compute, plot_metadata, scalar_metadata
from churn_assets.orchestration.resources import SettingsResource, StoreResource
from churn_assets.stages.runner import run_stage
from churn_assets.stages.spec import Stage, StageSpec
from churn_assets.storage.protocol import Artifact


def run_here(
    context: dg.AssetExecutionContext,
    store: StoreResource,
    settings: SettingsResource,
    run: Callable[..., dict[str, Any]],
    **inputs: Artifact,
) -> dg.MaterializeResult[Artifact]:
    """Run a stage function in this process and publish its folder."""
    opened, name = store.open(), context.asset_key.path[-1]
    spec = StageSpec(
        stage=name,
        inputs=inputs,
        config=settings.get().decision.model_dump(mode="json"),
        store_url=opened.url,
        code_version=context.assets_def.code_versions_by_key[context.asset_key],
    )

    def progress(step: int, total: int, **metrics: float) -> None:
        context.log.info(f"{name}: {step}/{total} {metrics}")

    done = run_stage(Stage(name, run, DecisionConfig), spec, opened, progress)
    return dg.MaterializeResult(
        value=done.artifact,
        data_version=dg.DataVersion(done.artifact.sha256),
        metadata={
            "sha256": done.artifact.sha256,
            **scalar_metadata(done.metrics),
            **plot_metadata(opened.read(done.artifact, "plots/*.png")),
        },
    )


@dg.asset(group_name="decision", kinds={"numpy"}, code_version="1")
def retention_environment(
    context: dg.AssetExecutionContext,
    store: StoreResource,
    settings: SettingsResource,
    telco_customers: Artifact,
    risk_model: Artifact,
    accept_model: Artifact,
) -> dg.MaterializeResult[Artifact]:
    """The customers that episodes are drawn from, scored by both predictors."""
    return run_here(
        context,
        store,
        settings,
        world.run_environment,
        telco_customers=telco_customers,
        risk_model=risk_model,
        accept_model=accept_model,
    )


@dg.asset(group_name="decision", kinds={"numpy"}, code_version="1")
def oracle_policy(
    context: dg.AssetExecutionContext,
    store: StoreResource,
    settings: SettingsResource,
    retention_environment: Artifact,
) -> dg.MaterializeResult[Artifact]:
    """The exact optimum on held-out customers: Pareto curve, budget price, dual gap."""
    return run_here(
        context, store, settings, world.run_oracle, retention_environment=retention_environment
    )


@dg.asset(group_name="decision", kinds={"numpy"}, code_version="2")
def baseline_policies(
    context: dg.AssetExecutionContext,
    store: StoreResource,
    settings: SettingsResource,
    retention_environment: Artifact,
) -> dg.MaterializeResult[Artifact]:
    """Rules, each tuned and priced to the budget on training and validation customers."""
    return run_here(
        context, store, settings, world.run_baselines, retention_environment=retention_environment
    )


@dg.asset(group_name="decision", kinds={"pytorch"}, code_version="4", **CPU_STAGE)
def decision_policy(
    context: dg.AssetExecutionContext,
    compute: Compute,
    settings: SettingsResource,
    retention_environment: Artifact,
) -> dg.MaterializeResult[Artifact]:
    """Constrained PPO, calibrated to the budget in the mode that is deployed."""
    inputs = {"retention_environment": retention_environment}
    return compute.run(context, "decision_policy", inputs, settings.get().decision)


@dg.asset(group_name="decision", kinds={"numpy"}, code_version="4")
def policy_report(
    context: dg.AssetExecutionContext,
    store: StoreResource,
    settings: SettingsResource,
    retention_environment: Artifact,
    oracle_policy: Artifact,
    baseline_policies: Artifact,
    decision_policy: Artifact,
) -> dg.MaterializeResult[Artifact]:
    """All policies on held-out customers, and the one to serve (`policy/`)."""
    return run_here(
        context,
        store,
        settings,
        report.run,
        retention_environment=retention_environment,
        oracle_policy=oracle_policy,
        baseline_policies=baseline_policies,
        decision_policy=decision_policy,
    )
