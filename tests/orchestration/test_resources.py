"""The store's resource: bound to Google Cloud for a bucket, free of it for a folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from dagster_gcp.gcs import GCSResource
from google.cloud import storage

from churn_assets.definitions import bind
from churn_assets.orchestration.compute import choose_backend
from churn_assets.orchestration.config import ComputeConfig
from churn_assets.orchestration.modal.backend import ModalBackend
from churn_assets.settings import PROJECT, Settings
from churn_assets.storage.gcs import GcsArtifactStore

LOCAL = """
import sys
from churn_assets.definitions import bind, definitions
from churn_assets.settings import load_settings
definitions()
assert "gcs" not in bind(load_settings())
loaded = [name for name in sys.modules if name.startswith(("dagster_gcp", "google.cloud", "modal"))]
raise SystemExit(str(loaded) if loaded else 0)
"""


def test_a_local_run_loads_no_client_of_google_or_modal(tmp_path: Path) -> None:
    """They cost seconds at each start."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOCAL],
        env={**os.environ, "CHURN_HOME": str(tmp_path)},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_bucket_is_reached_through_the_bound_resource(
    emulator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Artifacts and messages travel with the client of one resource, which Dagster shows, and
    which a deployment can replace."""
    made: list[storage.Client] = []

    def get_client(resource: GCSResource) -> storage.Client:
        made.append(storage.Client())
        return made[-1]

    monkeypatch.setattr(GCSResource, "get_client", get_client)
    bound = bind(Settings(store="gs://churn-artifacts/v1", home=tmp_path))
    assert isinstance(bound["gcs"], GCSResource)
    store = bound["store"].open()
    assert isinstance(store, GcsArtifactStore)
    assert len(made) == 1
    backend = choose_backend(ComputeConfig(backend="modal"), tmp_path, bound["store"])
    assert isinstance(backend, ModalBackend)
    assert backend.client is made[1]
