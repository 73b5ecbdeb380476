"""The same service on a bucket: releases, swaps, refusals, the kill switch and feedback."""

from __future__ import annotations

import shutil
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from churn_assets.release.registry import LATEST, ReleaseRegistry
from churn_assets.release.switches import kill_switch
from churn_assets.serving.bucket_feedback import StoreFeedbackLog
from churn_assets.serving.feedback import open_feedback_log
from churn_assets.serving.live.hosting import EngineHost
from churn_assets.serving.schemas import SAMPLE_REQUEST, PredictRequest
from churn_assets.storage.gcs import GcsArtifactStore
from churn_assets.storage.opening import open_store
from churn_assets.storage.protocol import ArtifactStore
from tests.api.conftest import Unreachable
from tests.api.relay import relay_to
from tests.api.server import running
from tests.release.small_release import build_release


@pytest.fixture
def bucket(emulator: str, tmp_path: Path) -> GcsArtifactStore:
    store = open_store(f"gs://churn-artifacts/{uuid.uuid4().hex}", cache=tmp_path / "cache")
    assert isinstance(store, GcsArtifactStore)
    return store


def publish(store: ArtifactStore, workspace: Path, seed: int) -> str:
    manifest = build_release(workspace, seed=seed)
    registry = ReleaseRegistry(store)
    registry.publish(workspace / "bundle")
    registry.promote(manifest.release_id, "test")
    return manifest.release_id


def test_service_follows_a_bucket(bucket: ArtifactStore, tmp_path: Path) -> None:
    """What holds on a local folder holds on Google Cloud Storage, through the same code."""
    host = EngineHost(bucket, "America/New_York")
    host.refresh()
    assert host.engine is None
    first = publish(bucket, tmp_path / "a", seed=0)
    host.refresh()
    assert host.engine is not None
    answer = host.engine.predict(PredictRequest.model_validate(SAMPLE_REQUEST))
    assert answer["metadata"]["release_id"] == first
    second = publish(bucket, tmp_path / "b", seed=1)
    host.refresh()
    assert host.engine.release_id == second
    latest = ReleaseRegistry(bucket).latest()
    assert latest is not None
    gone = latest.artifact.model_copy(update={"sha256": "0" * 64})
    missing = latest.model_copy(update={"artifact": gone})
    bucket.write_pointer(LATEST, missing.model_dump_json().encode())
    host.refresh()
    assert host.engine.release_id == second
    assert f"{second} 0000000000000000 is not in the store" in (host.problem or "")
    kill_switch.set_switch(bucket, on=True)
    host.refresh()
    assert host.switched_off


def test_a_server_keeps_no_copies_of_what_the_bucket_has_not_any_more(
    bucket: GcsArtifactStore, tmp_path: Path
) -> None:
    """It runs for months, and takes new predictions each day: nobody else clears its disk."""
    outdated = bucket.cache / "objects/predictions/0123456789abcdef"
    outdated.mkdir(parents=True)
    publish(bucket, tmp_path / "a", seed=0)
    host = EngineHost(bucket, "UTC")
    host.refresh()
    latest = ReleaseRegistry(bucket).latest()
    assert latest is not None
    assert (bucket.cache / latest.artifact.path).is_dir()
    assert not outdated.exists()


def test_a_container_that_starts_serves_the_last_good_release(
    bucket: GcsArtifactStore, tmp_path: Path
) -> None:
    """A bucket's objects can be damaged or lost as well, and containers start all the time."""
    first = publish(bucket, tmp_path / "a", seed=0)
    second = publish(bucket, tmp_path / "b", seed=1)
    latest = ReleaseRegistry(bucket).latest()
    assert latest is not None
    bucket.bucket.blob(f"{bucket.prefix}{latest.artifact.path}/risk/model.ubj").delete()
    shutil.rmtree(bucket.cache)
    host = EngineHost(bucket, "UTC")
    host.refresh()
    assert host.engine is not None
    assert host.engine.release_id == first
    assert f"release {second} is refused" in (host.problem or "")
    assert (host.problem or "").endswith(f"release {first} stands in")


def test_feedback_is_one_object_an_event(bucket: ArtifactStore, tmp_path: Path) -> None:
    """Containers come and go and share no disk: events go where the artifacts are."""
    log = open_feedback_log(bucket, tmp_path)
    assert isinstance(log, StoreFeedbackLog)
    assert log.record("e1", "content") == "stored"
    assert open_feedback_log(bucket, tmp_path).record("e1", "content") == "duplicate"
    assert log.record("e1", "other") == "conflict"
    assert bucket.read_pointer("feedback/e1.json") == b"content"


def test_unreachable_store_keeps_the_engine(bucket: ArtifactStore, tmp_path: Path) -> None:
    """A bucket that can't be reached is a problem to report, not a reason to stop answering."""
    first = publish(bucket, tmp_path / "a", seed=0)
    host = EngineHost(bucket, "UTC")
    host.refresh()
    host.store = Unreachable()
    host.refresh()
    assert host.engine is not None
    assert host.engine.release_id == first
    assert "can't be read" in (host.problem or "")


def test_a_bucket_that_goes_away_takes_no_decision_with_it(
    bucket: ArtifactStore, emulator: str, tmp_path: Path
) -> None:
    """The client library tries for two minutes. Feedback is told much sooner to come again, nobody
    else waits for it, and it is taken again when the bucket is back."""
    publish(bucket, tmp_path / "a", seed=0)
    batch = {"customers": [SAMPLE_REQUEST] * 3}
    with (
        relay_to(emulator) as relay,
        running(
            tmp_path / "home",
            CHURN_STORE=bucket.url,
            CHURN_API__REQUESTS_PER_SECOND="0",
            STORAGE_EMULATOR_HOST=relay.url,
        ) as server,
        ThreadPoolExecutor(20) as callers,
        httpx.Client(base_url=server.url, timeout=30) as client,
    ):
        assert client.post("/feedback", json=event("before")).status_code == 200
        relay.cut.set()
        waiting = [
            callers.submit(client.post, "/feedback", json=event(f"lost-{i}")) for i in range(20)
        ]
        while not any(call.running() for call in waiting):
            time.sleep(0.01)
        for _ in range(3):
            assert client.post("/predict", json=SAMPLE_REQUEST).status_code == 200
            assert client.post("/predict/batch", json=batch).json()["answered"] == 3
        assert {call.result().status_code for call in waiting} == {503}
        assert client.get("/readyz").json()["feedback_problem"]
        relay.mend()
        deadline = time.monotonic() + 60
        while client.post("/feedback", json=event("after")).status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert bucket.read_pointer("feedback/after.json")
        assert client.get("/readyz").json()["feedback_problem"] is None


def event(event_id: str) -> dict[str, str]:
    when = "2026-01-14T12:00:00+00:00"
    return {"event_id": event_id, "customer_id": "C1", "kind": "sent", "occurred_at": when}
