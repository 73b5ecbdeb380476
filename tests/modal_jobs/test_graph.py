"""The whole product on its production path: stages on Modal, artifacts on a bucket, the API on top.

Modal is a stand-in and the bucket an emulator; functions, programs, messages, artifacts are real.
Only pauses in which Dagster waits for a cloud are shorter, and policy and language model are
trained for less long than `make demo` does, which has their gates pass: here reviewed templates
are released.
"""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from churn_assets.definitions import definitions
from churn_assets.orchestration.modal import backend as compute_modal
from churn_assets.settings import PROJECT, load_settings
from churn_assets.storage.current import current_artifact
from churn_assets.storage.gcs import GcsArtifactStore
from tests.modal_jobs.standin import StandInModal
from tests.modal_jobs.test_app import STAGES

pytestmark = pytest.mark.graph

SHORT = {
    "DECISION__PPO__UPDATES": 30,
    "MESSAGES__THREADS": 1,  # other tests run on the other core
    "MESSAGES__CORPUS__MESSAGES": 3_000,
    "MESSAGES__CORPUS__PAIRS": 1_000,
    "MESSAGES__BASE__STEPS": 300,
    "MESSAGES__SFT__STEPS": 30,
    "MESSAGES__REWARD__STEPS": 50,
    "MESSAGES__REWARD__COMPARISONS": 20,
    "MESSAGES__PPO__ITERATIONS": 3,
    "MESSAGES__PPO__EVALUATION_SAMPLES": 128,
    "MESSAGES__BANK__CANDIDATES": 3,
    "MESSAGES__BANK__KEEP": 2,
}


@pytest.fixture
def bucket(emulator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URL of an empty store on an emulated bucket; the settings name it and the Modal backend."""
    url = f"gs://churn-artifacts/{uuid.uuid4().hex}"
    containers = tmp_path / "containers"
    containers.mkdir()
    settings = {
        "STORE": url,
        "HOME": str(tmp_path / "home"),
        "COMPUTE__BACKEND": "modal",
        "COMPUTE__MODAL__POLL_SECONDS": "0.5",
        "COMPUTE__MODAL__MESSAGE_SECONDS": "1",
        **{name: str(value) for name, value in SHORT.items()},
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"CHURN_{name}", value)
    StandInModal(containers, "tests.modal_jobs.prompt_stage").install(monkeypatch)
    monkeypatch.setattr("dagster._core.pipes.utils.DEFAULT_SLEEP_INTERVAL", 0.1)
    monkeypatch.setattr(compute_modal, "CHECKPOINTS", str(tmp_path / "checkpoints"))
    load_settings.cache_clear()
    yield url
    load_settings.cache_clear()


def test_the_whole_graph_runs_on_modal_and_the_api_serves_its_release(
    bucket: str, tmp_path: Path
) -> None:
    """One setting away: every asset, every blocking check, a release, and an answer from it."""
    job = definitions().resolve_job_def("everything")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, raise_on_error=False)
        failures = [e.message for e in result.all_events if e.is_failure]
        calls = {
            stage
            for stage in STAGES
            for entry in instance.all_logs(result.run_id)
            if f"{stage} runs on Modal as fc-" in entry.user_message
        }
    assert result.success, failures
    assert calls == set(STAGES)
    assert not list((tmp_path / "checkpoints").glob("*/*"))

    # Whatever the bucket holds is whole: read it all back through an empty cache.
    store = GcsArtifactStore.from_url(bucket, tmp_path / "fresh")
    artifacts = store.artifacts()
    assert set(STAGES) <= {artifact.name for artifact in artifacts}
    for artifact in artifacts:
        store.get(artifact)
    released = current_artifact(store, "release")

    answer = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.modal_jobs.predict_once"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    said = json.loads(answer.stdout.splitlines()[-1])
    assert said["status"] == 200
    assert said["safety"]["passed"] is True
    assert said["ready"]["release_id"] in released.name
