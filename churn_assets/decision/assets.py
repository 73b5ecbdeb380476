"""The decision area as assets. PPO runs as a program; the rest is seconds of numpy, in place."""

import dagster as dg

from churn_assets.decision.config import DecisionConfig
from churn_assets.orchestration.compute import Compute, stage_options
from churn_assets.storage.protocol import Artifact


@dg.asset(group_name="decision", kinds={"numpy"}, **stage_options("retention_environment"))
def retention_environment(
    context: dg.AssetExecutionContext,
    compute: Compute,
    decision_config: dg.ResourceParam[DecisionConfig],
    active_customers: Artifact,
    risk_model: Artifact,
    accept_model: Artifact,
    measured_world: Artifact,
) -> dg.MaterializeResult[Artifact]:
    """The customers that episodes are drawn from, scored by both predictors, and their world."""
    inputs = {
        "active_customers": active_customers,
        "risk_model": risk_model,
        "accept_model": accept_model,
        "measured_world": measured_world,
    }
    return compute.run(context, "retention_environment", inputs, decision_config)


@dg.asset(group_name="decision", kinds={"numpy"}, **stage_options("oracle_policy"))
def oracle_policy(
    context: dg.AssetExecutionContext,
    compute: Compute,
    decision_config: dg.ResourceParam[DecisionConfig],
    retention_environment: Artifact,
) -> dg.MaterializeResult[Artifact]:
    """The exact optimum on held-out customers: Pareto curve, budget price, dual gap."""
    inputs = {
        "retention_environment": retention_environment,
    }
    return compute.run(context, "oracle_policy", inputs, decision_config)


@dg.asset(group_name="decision", kinds={"numpy"}, **stage_options("baseline_policies"))
def baseline_policies(
    context: dg.AssetExecutionContext,
    compute: Compute,
    decision_config: dg.ResourceParam[DecisionConfig],
    retention_environment: Artifact,
) -> dg.MaterializeResult[Artifact]:
    """Rules, each tuned and priced to the budget on training and validation customers."""
    inputs = {
        "retention_environment": retention_environment,
    }
    return compute.run(context, "baseline_policies", inputs, decision_config)


@dg.asset(group_name="decision", kinds={"pytorch"}, **stage_options("decision_policy"))
def decision_policy(
    context: dg.AssetExecutionContext,
    compute: Compute,
    decision_config: dg.ResourceParam[DecisionConfig],
    retention_environment: Artifact,
) -> dg.MaterializeResult[Artifact]:
    """Constrained PPO, calibrated to the budget in the mode that is deployed."""
    inputs = {"retention_environment": retention_environment}
    return compute.run(context, "decision_policy", inputs, decision_config)


@dg.asset(group_name="decision", kinds={"numpy"}, **stage_options("policy_report"))
def policy_report(
    context: dg.AssetExecutionContext,
    compute: Compute,
    decision_config: dg.ResourceParam[DecisionConfig],
    retention_environment: Artifact,
    oracle_policy: Artifact,
    baseline_policies: Artifact,
    decision_policy: Artifact,
) -> dg.MaterializeResult[Artifact]:
    """All policies on held-out customers, and the one to serve (`policy/`)."""
    inputs = {
        "retention_environment": retention_environment,
        "oracle_policy": oracle_policy,
        "baseline_policies": baseline_policies,
        "decision_policy": decision_policy,
    }
    return compute.run(context, "policy_report", inputs, decision_config)
