"""The Modal app with the stages: one function each, called by `orchestration.modal.backend`.

`modal deploy -m modal_jobs.app --env dev`. Retries are Dagster's: every function has `retries=0`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import modal

from churn_assets.orchestration.config import CHECKPOINTS, Machine
from churn_assets.stages.child_process import StageError
from modal_jobs.container import google_identity, remove_stale_checkpoints, run_program
from modal_jobs.deployed import tags_of
from modal_jobs.shards import score
from modal_jobs.shared import (
    IDENTITY,
    config,
    google,
    resources,
    scoring_image,
    serving_image,
    settings,
    stage_image,
)

WEIGHTS = "/weights"

app = modal.App(
    config.app,
    image=stage_image,
    # The image holds the sources, chosen by `shared.NOT_SOURCES`; what Modal would add by itself is
    # the whole package, Terraform's state with it.
    include_source=False,
    tags=tags_of(settings),
)
checkpoints = modal.Volume.from_name(config.checkpoints_volume, create_if_missing=True)
weights = modal.Volume.from_name(config.weights_volume, create_if_missing=True)


def stage(machine: Machine) -> dict[str, Any]:
    """Arguments of `app.function` for a stage on such a machine."""
    return {
        **resources(machine),
        "volumes": {CHECKPOINTS: checkpoints, WEIGHTS: weights},
        "secrets": [google],
        "retries": 0,
        # Never two at once: they would write the same checkpoints. A second call waits.
        "max_containers": 1,
        # A stage fills memory and GPU; the next one starts in a clean container.
        "single_use_containers": True,
    }


def run_stage(name: str, bootstrap: dict[str, str]) -> None:
    """Run a stage; its checkpoints are kept however it ends.

    Raises:
        StageError: whatever went wrong. The caller's client makes errors of its own look like the
            function's, a TimeoutError above all, which there means "still running".
    """
    try:
        try:
            run_program(name, bootstrap, IDENTITY)
        finally:
            if not modal.is_local():
                checkpoints.commit()
    except StageError:
        raise
    except Exception as error:
        raise StageError(f"{type(error).__name__} in its container: {error}") from error


@app.function(**stage(config.cpu_stage))
def risk_model(bootstrap: dict[str, str]) -> None:
    """P(churn) of a customer: trees on cores."""
    run_stage("risk_model", bootstrap)


@app.function(**stage(config.cpu_stage))
def accept_model(bootstrap: dict[str, str]) -> None:
    """P(accept | offer) of a customer: trees on cores."""
    run_stage("accept_model", bootstrap)


@app.function(**stage(config.cpu_stage))
def decision_policy(bootstrap: dict[str, str]) -> None:
    """Constrained PPO over the simulated customers: a small network on cores."""
    run_stage("decision_policy", bootstrap)


@app.function(**stage(config.cpu_stage))
def message_base_model(bootstrap: dict[str, str]) -> None:
    """The language model that all adapters ride on: fetched by revision, or pretrained."""
    run_stage("message_base_model", bootstrap)


@app.function(**stage(config.gpu_stage))
def sft_model(bootstrap: dict[str, str]) -> None:
    """Supervised fine-tuning; resumes from its last checkpoint."""
    run_stage("sft_model", bootstrap)


@app.function(**stage(config.gpu_stage))
def reward_model(bootstrap: dict[str, str]) -> None:
    """Reward model and judge, side by side on one GPU; each resumes from its last checkpoint."""
    run_stage("reward_model", bootstrap)


@app.function(**stage(config.gpu_stage))
def ppo_text_model(bootstrap: dict[str, str]) -> None:
    """PPO on texts; resumes from its last checkpoint."""
    run_stage("ppo_text_model", bootstrap)


@app.function(**stage(config.gpu_stage))
def message_bank(bootstrap: dict[str, str]) -> None:
    """Templates for every cell, generated, shielded and scored; resumes behind its last batch."""
    run_stage("message_bank", bootstrap)


@app.function(
    **resources(config.shard),
    image=scoring_image,
    secrets=[google],
    retries=0,
    max_containers=config.max_shards,
)
def score_shard(spec: dict[str, Any]) -> dict[str, Any]:
    """Score one shard of a large table of customers; see `modal_jobs.shards`."""
    os.environ.update(google_identity(IDENTITY))
    return score(spec)


@app.function(
    image=serving_image,  # the small one
    volumes={CHECKPOINTS: checkpoints},
    schedule=modal.Cron("0 4 * * *"),
    max_containers=1,
    retries=0,
    timeout=600,
)
def remove_checkpoints() -> list[str]:
    """Every night: what no run has resumed for `config.checkpoint_days` goes."""
    return remove_stale_checkpoints(Path(CHECKPOINTS), config.checkpoint_days)
