"""A small synthetic customer base: heterogeneous risk, acceptance and value."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from churn_assets.decision import world
from churn_assets.decision.config import (
    PLAIN,
    PRESETS,
    DecisionConfig,
    EnvironmentParams,
    PpoConfig,
)
from churn_assets.decision.evaluation import report
from churn_assets.decision.learning import training
from churn_assets.decision.mdp.customers import Customers

HEADLINE = {
    "captured_uplift",
    "captured_uplift_by_preset",
    "best_baseline",
    "best_baseline_uplift",
    "strongest_rule",
    "strongest_rule_uplift",
    "lead_over_strongest",
    "planner_uplift",
    "captured_uplift_by_budget",
    "changed_worlds",
    "break_even",
    "closed_loop",
    "spend_clean_sheet",
    "p_over_budget",
    "lead_by_preset",
    "lead_lower_by_preset",
    "spend_ratio",
    "over_contact_rate",
    "train_seconds",
    "oracle_gap",
    "optimum_uplift",
    "seeds",
    "served",
    "served_uplift",
    "failed_gates",
}
"""The figures below `policy` in `churn report --json`: the promised ones, what is served, and which
gates PPO missed."""


def synthetic_customers(count: int, seed: int) -> Customers:
    """Risk from 0.02 to 0.9, acceptance rising with the offer, values like the telco data's."""
    rng = np.random.default_rng(seed)
    level = rng.normal(0, 0.7, size=(count, 1))
    accept = 1 / (1 + np.exp(-(np.array([-2.0, -0.2, 0.7, 1.2]) + level)))
    return Customers(rng.uniform(0.02, 0.9, count), accept, rng.uniform(240, 1400, count))


@pytest.fixture(scope="session")
def customers() -> Customers:
    return synthetic_customers(24, seed=1)


@pytest.fixture(scope="session")
def params() -> EnvironmentParams:
    """A short cooldown and a low cap: every mechanism at work, few states."""
    return EnvironmentParams(cooldown_days=3, contact_cap=2, budget_limit=0.03)


@pytest.fixture(scope="session")
def environment_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the asset `retention_environment` writes."""
    folder = tmp_path_factory.mktemp("retention_environment")
    for seed, split in enumerate(("train", "valid", "test")):
        synthetic_customers(12, seed).save(folder / f"{split}.safetensors")
    return folder


@pytest.fixture(scope="session")
def tiny_config() -> DecisionConfig:
    """The whole area in seconds; far too little training to be good."""
    return DecisionConfig(
        seeds=(0, 1),
        ppo=PpoConfig(
            updates=6, customers=32, worlds=2, own_worlds=1, minibatch=128, dual_customers=6
        ),
        price_customers=6,
        tuning_customers=6,
        calibration_customers=8,
        watched_customers=6,
        curve_points=3,
        bootstrap=100,
        loop_episodes=400,
        assumed=PLAIN,  # the world of `params`
    )


@pytest.fixture(scope="session")
def folders(
    environment_folder: Path,
    tiny_config: DecisionConfig,
    params: EnvironmentParams,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Path]:
    """All stages' folders, each with the report.json that the stage runner would write.

    Made with `params` as the preset "moderate": far fewer states than the real one has.
    """
    made = {"retention_environment": environment_folder}
    stages = {
        "oracle_policy": world.run_oracle,
        "baseline_policies": world.run_baselines,
        "decision_policy": training.run,
        "policy_report": report.run,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "moderate", params)
        for name, run in stages.items():
            out = tmp_path_factory.mktemp(name)
            (out / "report.json").write_text(json.dumps(run(dict(made), out, tiny_config)))
            made[name] = out
    return made


@pytest.fixture(scope="session")
def reported(folders: dict[str, Path]) -> dict[str, Any]:
    """The policy report's figures."""
    found: dict[str, Any] = json.loads((folders["policy_report"] / "report.json").read_text())
    return found
