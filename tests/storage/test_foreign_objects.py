"""What other hands put into a bucket: folders that a console makes, files among an artifact's, and
a list of files that isn't the artifact's."""

from __future__ import annotations

import hashlib
import json
import uuid
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from churn_assets.serving.decision_log import parts
from churn_assets.storage import gcs
from churn_assets.storage.gcs import GcsArtifactStore
from churn_assets.storage.protocol import Artifact, ArtifactError, DamagedArtifactError
from tests.outcomes.test_joining import decision
from tests.serving.test_decision_log import COLUMNS
from tests.storage.emulator import strict_client


@pytest.fixture
def bucket(emulator: str, tmp_path: Path) -> GcsArtifactStore:
    url = f"gs://churn-artifacts/{uuid.uuid4().hex}"
    return GcsArtifactStore.from_url(url, tmp_path / "cache", strict_client())


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights").write_text("weights")
    return folder


def put_object(store: GcsArtifactStore, path: str, content: bytes = b"") -> None:
    store.bucket.blob(f"{store.prefix}{path}").upload_from_string(content)


def test_a_consoles_folders_are_no_files(bucket: GcsArtifactStore, model: Path) -> None:
    """Why: one below `objects/` made storing fail for good, with "upload damaged []; try again"."""
    for folder in ("", "objects/", "manifests/", "pointers/"):
        put_object(bucket, folder)
    assert not bucket.is_begun()
    artifact = bucket.put("model", model)
    assert bucket.is_begun()
    for folder in (f"{artifact.path}/", f"{artifact.path}/plots/", "manifests/model/"):
        put_object(bucket, folder)
    assert bucket.put("model", model) == artifact
    assert bucket.versions("model") == [artifact.version]
    assert bucket.artifacts() == [artifact]
    assert (bucket.get(artifact) / "weights").read_text() == "weights"


def test_a_consoles_folder_is_no_abandoned_release(
    bucket: GcsArtifactStore, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: it was removed as one without a version, and with it this machine's copies of all
    versions, under the hands of whoever reads them."""
    monkeypatch.setattr(gcs, "UPLOAD_LIMIT", timedelta())
    artifact = bucket.put("releases/one", model)
    copy = bucket.get(artifact)
    for folder in ("manifests/releases/", "manifests/releases/one/"):
        put_object(bucket, folder)
    bucket.remove_unnamed("releases", lambda: {artifact.path})
    assert (copy / "weights").exists()


def test_a_folder_in_the_decision_log_is_no_day(bucket: GcsArtifactStore) -> None:
    row = decision(1, "C1") | {"time": datetime(2026, 1, 5, tzinfo=UTC)}
    parts.append(bucket, [tuple(row.get(name) for name in COLUMNS)])
    for folder in ("pointers/decisions/", "pointers/decisions/2026-01-04/"):
        put_object(bucket, folder)
    assert parts.days(bucket) == [date(2026, 1, 5)]
    assert len(parts.read(bucket)) == 1


def test_files_among_an_artifacts_are_named(bucket: GcsArtifactStore, model: Path) -> None:
    """Nothing is damaged then, and trying again helps nobody."""
    artifact = bucket.put("model", model)
    put_object(bucket, f"{artifact.path}/notes.txt", b"mine")
    with pytest.raises(
        ArtifactError, match=r"put \['notes.txt'\] into objects/model/.* remove"
    ) as at:
        bucket.put("model", model)
    assert not isinstance(at.value, DamagedArtifactError)
    bucket.bucket.blob(f"{bucket.prefix}{artifact.path}/notes.txt").delete()
    assert bucket.put("model", model) == artifact


def test_another_list_of_files_is_refused(bucket: GcsArtifactStore, model: Path) -> None:
    """Why: reading single files held them against that list, and the list against nothing. Storing
    the artifact again mends it."""
    artifact = bucket.put("model", model)
    put_object(bucket, f"{artifact.path}/weights", b"others")
    told = {"sha256": artifact.sha256, "files": {"weights": _sha256(b"others")}}
    put_object(bucket, f"manifests/model/{artifact.version}.json", json.dumps(told).encode())
    for read in (lambda: bucket.read(artifact, "*"), lambda: bucket.get(artifact)):
        with pytest.raises(DamagedArtifactError, match="isn't that of its digest; materialize"):
            read()
    assert bucket.put("model", model) == artifact
    assert bucket.read(artifact, "*") == {"weights": b"weights"}


def test_another_artifact_of_the_same_folder_is_not_taken_for_it(
    bucket: GcsArtifactStore, model: Path
) -> None:
    """Sixteen digits of a digest say where it lies, all of them what it is."""
    artifact = bucket.put("model", model)
    other = Artifact(name="model", sha256=artifact.version + "0" * 48)
    with pytest.raises(DamagedArtifactError, match="isn't that of its digest"):
        bucket.read(other, "*")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
