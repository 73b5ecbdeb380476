"""The artifact stores and compute backends under test."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import modal
import pytest

from churn_assets.orchestration import modal_backend as compute_modal
from churn_assets.stages import child_process
from churn_assets.storage.gcs import GcsArtifactStore
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import ArtifactStore
from tests.modal_jobs.standin import StandInModal
from tests.orchestration.graph import FixedSettings
from tests.storage.emulator import strict_client

PROJECT = Path(__file__).resolve().parents[2]
TOYS = "tests.stages.toy"


@pytest.fixture(params=["local", "bucket"])
def store_factory(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], ArtifactStore]:
    """Makes stores with the same content: as another process would open them."""
    if request.param == "local":
        return lambda: LocalArtifactStore(tmp_path / "store")
    request.getfixturevalue("emulator")
    url = f"gs://churn-artifacts/{uuid.uuid4().hex}"
    return lambda: GcsArtifactStore.from_url(url, tmp_path / "cache", strict_client())


@pytest.fixture
def store(store_factory: Callable[[], ArtifactStore]) -> ArtifactStore:
    """An empty artifact store."""
    return store_factory()


@pytest.fixture(params=["local", "modal"])
def backend(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> FixedSettings:
    """Settings for a run of the toy stage on the backend `request.param`."""
    monkeypatch.setattr(child_process, "STAGE_PACKAGE", TOYS)
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    if request.param == "local":
        return FixedSettings(
            home=str(tmp_path / "home"),
            store=str(tmp_path / "store"),
            compute={"backend": "local", "local": {"grace_seconds": 0.5}},
        )
    request.getfixturevalue("emulator")
    containers = tmp_path / "containers"
    containers.mkdir()
    monkeypatch.setattr(modal, "Function", StandInModal(containers, TOYS))
    monkeypatch.setattr(compute_modal, "CHECKPOINTS", str(tmp_path / "checkpoints"))
    # A killed stage sends no last message; Dagster need not wait ten seconds for it in every test.
    monkeypatch.setattr("dagster._core.pipes.utils.WAIT_FOR_LOGS_AFTER_EXECUTION_INTERVAL", 1)
    return FixedSettings(
        home=str(tmp_path / "home"),
        store=f"gs://churn-artifacts/{uuid.uuid4().hex}",
        compute={"backend": "modal", "modal": {"poll_seconds": 0.2, "message_seconds": 0}},
    )
