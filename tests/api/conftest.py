"""Servers and releases that the API's tests share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from churn_assets.decision.rules.families import Rule
from churn_assets.release.bundle import Manifest
from churn_assets.release.config import ScoringConfig
from churn_assets.release.history import Latest
from churn_assets.release.registry import LATEST, ReleaseRegistry
from churn_assets.serving.bulk.scoring import run as run_predictions
from churn_assets.serving.live.hosting import EngineHost
from churn_assets.storage.current import asset_pointer
from churn_assets.storage.local import LocalArtifactStore
from tests.api.server import Server, running, wait_for
from tests.release.small_release import build_release, write_dataset


def publish_small_release(
    home: Path,
    workspace: Path,
    seed: int = 0,
    damage: bool = False,
    live: Path | None = None,
    change: Callable[[Path], Manifest] | None = None,
    policy: Rule | None = None,
) -> str:
    """Build a small release and let it serve from `home`'s store; returns its id.

    `damage` flips a byte of its risk model in the store just before the pointer moves; `change`
    does something to the bundle and seals it again before it is published.
    """
    manifest = build_release(workspace, seed=seed, live=live, policy=policy)
    if change is not None:
        manifest = change(workspace / "bundle")
    store = LocalArtifactStore(home / "store")
    registry = ReleaseRegistry(store)
    record = registry.publish(workspace / "bundle")
    if damage:
        latest = Latest(
            release_id=record.release_id,
            artifact=record.artifact,
            since=record.created,
            reason="damaged on purpose",
        )
        with (home / "store" / record.artifact.path / "risk/model.ubj").open("ab") as model:
            model.write(b"x")
        store.write_pointer(LATEST, latest.model_dump_json().encode())
    else:
        registry.promote(manifest.release_id, "test")
    return manifest.release_id


def publish_predictions(home: Path, workspace: Path) -> None:
    """Score the small data set with the serving release and let the pointer name the result."""
    store = LocalArtifactStore(home / "store")
    workspace.mkdir(exist_ok=True)
    write_dataset(workspace / "telco_customers", "telco_customers")
    out = workspace / "out"
    out.mkdir()
    inputs = {
        "release": ReleaseRegistry(store).folder(),
        "active_customers": workspace / "telco_customers",
    }
    report = run_predictions(inputs, out, ScoringConfig(batch_rows=7))
    (out / "report.json").write_text(json.dumps(report))
    artifact = store.put("predictions", out)
    store.write_pointer(asset_pointer("predictions"), artifact.model_dump_json().encode())


class Unreachable:
    """A store whose network is down."""

    url = "gs://nowhere"

    def __getattr__(self, name: str) -> object:
        raise ConnectionError(f"{name}: no route to host")


@contextmanager
def small_server(tmp_path_factory: pytest.TempPathFactory, **environment: str) -> Iterator[Server]:
    """A real server with a small release and predictions, set by the variables."""
    home = tmp_path_factory.mktemp("home")
    publish_small_release(home, tmp_path_factory.mktemp("release"))
    publish_predictions(home, tmp_path_factory.mktemp("predictions"))
    with running(home, app=None, status=200, arguments=(), forked=True, **environment) as process:
        yield process


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all tests that change nothing of it: open to all, without a rate limit."""
    with small_server(tmp_path_factory, CHURN_API__REQUESTS_PER_SECOND="0") as process:
        wait_for(process.url + "/campaign", process)
        yield process


@pytest.fixture(scope="session")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=120) as session:
        yield session


@pytest.fixture
def host(tmp_path: Path) -> EngineHost:
    return EngineHost(LocalArtifactStore(tmp_path / "store"), "UTC")
