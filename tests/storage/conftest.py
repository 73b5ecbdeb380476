"""The artifact stores under test."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from churn_assets.storage.gcs import GcsArtifactStore
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import ArtifactStore
from tests.storage.emulator import strict_client


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
