"""The compute backends under test."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from churn_assets.orchestration.modal import backend as compute_modal
from churn_assets.stages import child_process
from churn_assets.stages.registry import STAGES, Declaration
from tests.modal_jobs.standin import StandInModal
from tests.orchestration.graph import Backend

PROJECT = Path(__file__).resolve().parents[2]
TOYS = "tests.stages.toy"
# A cancelled container gets long enough to end by itself, however busy the machine is.
MODAL = {"poll_seconds": 0.2, "message_seconds": 0, "cancel_seconds": 60, "outage_seconds": 1}


@pytest.fixture(autouse=True)
def toy_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy takes the place of `sft_model`, in the registry and as a program."""
    monkeypatch.setattr(child_process, "STAGE_PROGRAM", TOYS)
    monkeypatch.setitem(
        STAGES,
        "sft_model",
        Declaration(
            "sft_model", f"{TOYS}.stage:run", f"{TOYS}.stage:ToyConfig", "gpu", resumable=True
        ),
    )


@pytest.fixture(params=["local", "modal"])
def backend(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Backend:
    """Settings for a run of the toy stage on the backend `request.param`."""
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    if request.param == "local":
        return Backend(
            home=str(tmp_path / "home"),
            store=str(tmp_path / "store"),
            compute={"backend": "local", "local": {"grace_seconds": 0.5}},
        )
    request.getfixturevalue("emulator")
    containers = tmp_path / "containers"
    containers.mkdir()
    StandInModal(containers, "tests.stages.prompt_toy").install(monkeypatch)
    monkeypatch.setattr(compute_modal, "CHECKPOINTS", str(tmp_path / "checkpoints"))
    # A killed stage sends no last message; Dagster need not wait ten seconds for it in every test.
    monkeypatch.setattr("dagster._core.pipes.utils.WAIT_FOR_LOGS_AFTER_EXECUTION_INTERVAL", 1)
    # Nor a second between two messages that have long been written.
    monkeypatch.setattr("dagster._core.pipes.utils.DEFAULT_SLEEP_INTERVAL", 0.05)
    return Backend(
        home=str(tmp_path / "home"),
        store=f"gs://churn-artifacts/{uuid.uuid4().hex}",
        compute={"backend": "modal", "modal": dict(MODAL)},
    )
