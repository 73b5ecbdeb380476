"""Copies of a bucket's artifacts go with what they are copies of, but under nobody's hands."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

import pytest

from churn_assets.storage import scratch
from churn_assets.storage.gcs import GcsArtifactStore
from churn_assets.storage.protocol import Artifact, DamagedArtifactError
from churn_assets.storage.scratch import hold_copy, remove_abandoned
from tests.processes import held_process
from tests.storage.emulator import strict_client


@pytest.fixture
def bucket(emulator: str, tmp_path: Path) -> GcsArtifactStore:
    url = f"gs://churn-artifacts/{uuid.uuid4().hex}"
    return GcsArtifactStore.from_url(url, tmp_path / "cache", strict_client())


def put(store: GcsArtifactStore, tmp_path: Path, name: str, content: str) -> Artifact:
    folder = tmp_path / "tree"
    folder.mkdir(exist_ok=True)
    (folder / "file").write_text(content)
    return store.put(name, folder)


def test_copies_go_with_their_artifacts_unless_somebody_reads_them(
    bucket: GcsArtifactStore, tmp_path: Path
) -> None:
    """Releases and predictions of years: the disk would be full of them in the end."""
    removed = [put(bucket, tmp_path, name, "old") for name in ("predictions", "releases/20260101")]
    elsewhere = put(bucket, tmp_path, "releases/20260102", "removed by another machine")
    stored = put(bucket, tmp_path, "predictions", "new")
    every = [*removed, elsewhere, stored]
    copies = [bucket.cache / artifact.path for artifact in every]
    asked = [artifact.model_dump_json() for artifact in every]
    with held_process("tests.storage.held_copy", bucket.url, str(tmp_path / "cache"), *asked):
        assert all(copy.is_dir() for copy in copies)
        for artifact in removed:
            bucket.delete(artifact.name, artifact.version)
        bucket._manifest(elsewhere.name, elsewhere.version).delete()
        bucket.sweep()
        assert all((copy / "file").is_file() for copy in copies)  # somebody reads there
    bucket.delete(removed[0].name, removed[0].version)
    assert [copy.exists() for copy in copies] == [False, True, True, True]
    bucket.sweep()
    assert [copy.exists() for copy in copies] == [False, False, False, True]
    with pytest.raises(DamagedArtifactError, match="is not in the store"):
        bucket.get(removed[0])
    assert (bucket.get(stored) / "file").read_text() == "new"


@pytest.mark.parametrize("below", ["", "objects", "testing/of/mine"])
def test_stores_of_one_bucket_have_copies_of_their_own(
    bucket: GcsArtifactStore, tmp_path: Path, below: str
) -> None:
    """Production and a test below it: neither clears what the other has fetched."""
    url = f"gs://churn-artifacts/{below}".rstrip("/")
    other = GcsArtifactStore.from_url(url, tmp_path / "cache", strict_client())
    copies = []
    for store, content in ((bucket, "mine"), (other, "theirs")):
        stored = put(store, tmp_path, "model", content)
        told = stored.model_dump_json()
        with held_process("tests.storage.held_copy", store.url, str(tmp_path / "cache"), told):
            copies.append(store.cache / stored.path / "file")
    for store in (bucket, other):
        store.drop_copies()
        store.sweep()
    assert [copy.read_text() for copy in copies] == ["mine", "theirs"]


def test_a_copy_that_was_removed_is_fetched_again(bucket: GcsArtifactStore, tmp_path: Path) -> None:
    """The cache is safe to delete at any time, also for who has read there; and what is fetched
    again is held again."""
    artifact = put(bucket, tmp_path, "predictions", "whole")
    for _ in range(2):
        copy = bucket.get(artifact)
        remove_abandoned(iter([copy]))
        assert (copy / "file").read_text() == "whole"
        shutil.rmtree(copy)


def test_a_process_holds_what_it_got_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that runs for years must not run out of descriptors."""
    monkeypatch.setattr(scratch, "IN_USE", 2)
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
        assert hold_copy(folder)
    assert hold_copy(folders[1])
    assert not hold_copy(tmp_path / "nothing")
    remove_abandoned(iter(folders))
    assert [folder.exists() for folder in folders] == [False, True, True]
