"""The API as Modal hosts it, on a release in a bucket."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from churn_assets.release.registry import ReleaseRegistry
from churn_assets.settings import PROJECT
from churn_assets.storage.gcs import GcsArtifactStore
from tests.release.small_release import build_release


def test_the_api_serves_the_release_of_the_bucket(emulator: str, tmp_path: Path) -> None:
    """`CHURN_STORE=gs://...` is all that the hosted API is told."""
    url = "gs://churn-artifacts/serving"
    release = tmp_path / "release"
    release.mkdir()
    manifest = build_release(release)
    registry = ReleaseRegistry(GcsArtifactStore.from_url(url, tmp_path / "cache"))
    registry.publish(release / "bundle")
    registry.promote(manifest.release_id, "the first release")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.modal_jobs.predict_once"],
        cwd=PROJECT,
        env={**os.environ, "CHURN_STORE": url, "CHURN_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["status"] == 200
    assert said["ready"]["release_id"] == manifest.release_id
    assert said["safety"]["passed"] is True
    assert list((tmp_path / "home" / "cache").rglob("manifest.json"))
