"""Servers and releases that the API's tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.engine import RetentionEngine
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.resources.artifact_store import LocalArtifactStore
from tests.api.server import Server, running
from tests.release.small_release import build_release


def publish_small_release(home: Path, workspace: Path, seed: int = 0) -> str:
    """Build a small release and let it serve from `home`'s store; returns its id."""
    manifest = build_release(workspace, seed=seed)
    registry = ReleaseRegistry(LocalArtifactStore(home / "store"))
    registry.publish(workspace / "bundle")
    registry.promote(manifest.release_id, "test")
    return manifest.release_id


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed release's folder."""
    root = tmp_path_factory.mktemp("bundle")
    build_release(root)
    return root / "bundle"


@pytest.fixture(scope="session")
def engine(bundle: Path) -> RetentionEngine:
    return RetentionEngine.load(bundle)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real server on a small release, open to everybody and without a rate limit."""
    home = tmp_path_factory.mktemp("home")
    publish_small_release(home, tmp_path_factory.mktemp("workspace"))
    with running(home, CHURN_API__REQUESTS_PER_SECOND="0") as process:
        yield process


@pytest.fixture(scope="session")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=20) as session:
        yield session
