"""The service before a bucket in whose place something answers 200 and says nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import httpx
import pytest

from churn_assets.storage.gcs import GcsArtifactStore
from churn_assets.storage.opening import open_store
from tests.api.hollow import hollow_proxy
from tests.api.server import running
from tests.api.test_bucket import event, publish


@pytest.fixture
def bucket(emulator: str, tmp_path: Path) -> GcsArtifactStore:
    store = open_store(f"gs://churn-artifacts/{uuid.uuid4().hex}", cache=tmp_path / "cache")
    assert isinstance(store, GcsArtifactStore)
    return store


def test_feedback_to_nobody_is_not_acknowledged(
    bucket: GcsArtifactStore, emulator: str, tmp_path: Path
) -> None:
    """Why: it was an AttributeError of the client library, a 500 that says nothing to a caller."""
    publish(bucket, tmp_path / "a", seed=0)
    with (
        hollow_proxy(emulator) as proxy,
        running(
            tmp_path / "home", CHURN_STORE=bucket.url, STORAGE_EMULATOR_HOST=proxy.url
        ) as server,
        httpx.Client(base_url=server.url, timeout=30) as client,
    ):
        proxy.hollow.set()
        refused = client.post("/feedback", json=event("e1"))
        assert refused.status_code == 503
        assert refused.json()["detail"][0]["type"] == "not_recorded"
        assert client.get("/readyz").json()["feedback_problem"] == (
            "feedback can't be stored: the store: … answered 200 and no more "
            "where JSON was expected, as no bucket does: is a proxy in between, or "
            "STORAGE_EMULATOR_HOST set? Mend that, and try again"
        )
        proxy.hollow.clear()
        deadline = time.monotonic() + 60
        while client.post("/feedback", json=event("e1")).status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert bucket.read_pointer("feedback/e1.json")
        assert "unexpected" not in server.log.read_text()


def test_a_switch_that_nobody_took_is_said_in_a_line(
    bucket: GcsArtifactStore, emulator: str, tmp_path: Path
) -> None:
    """Whoever throws it in an emergency must not take it for thrown."""
    with hollow_proxy(emulator) as proxy:
        proxy.hollow.set()
        done = subprocess.run(
            [sys.executable, "-c", "from churn_assets.cli import app; app()", "baseline", "on"],
            env=os.environ
            | {"CHURN_HOME": str(tmp_path), "CHURN_STORE": bucket.url}
            | {"STORAGE_EMULATOR_HOST": proxy.url},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith(f"{bucket.url}: http://127.0.0.1 answered 200 and no more")
    assert done.stderr.count("\n") == 1
    assert bucket.read_pointer("switches/force_baseline") is None
