"""One contract for the artifact store, on a local folder and on a bucket."""

from __future__ import annotations

import itertools
import json
import socket
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from google.cloud import storage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from churn_assets.storage.current import read_report
from churn_assets.storage.gcs import GcsArtifactStore
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.opening import open_store
from churn_assets.storage.protocol import (
    Artifact,
    ArtifactError,
    ArtifactStore,
    DamagedArtifactError,
    PointerMovedError,
)
from churn_assets.storage.retention import copy_store
from churn_assets.storage.trees import tree_files, tree_sha256
from tests.storage.emulator import strict_client

SEGMENT = st.text("abcdefgh-_.1åß 語%#?&+", min_size=1, max_size=8).filter(
    lambda s: s.strip(". ") == s
)
TREES = st.dictionaries(
    st.lists(SEGMENT, min_size=1, max_size=3).map("/".join), st.binary(max_size=300), max_size=4
).filter(lambda tree: not any(a != b and b.startswith(f"{a}/") for a in tree for b in tree))
counter = itertools.count()


def write_tree(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def read_tree(folder: Path) -> dict[str, bytes]:
    return {path: (folder / path).read_bytes() for path in tree_files(folder)}


def objects(store: ArtifactStore) -> list[str]:
    """Every file below the store's root, however the store keeps it."""
    if isinstance(store, GcsArtifactStore):
        prefix = f"{store.prefix}objects/"
        return [blob.name for blob in store.bucket.list_blobs(prefix=prefix)]
    root = Path(store.url) / "objects"
    return [str(p) for p in root.rglob("*") if p.is_file()]


def damage_all(store: ArtifactStore, artifact: Artifact) -> None:
    """Change every file of an artifact behind the store's back."""
    for path in objects(store):
        if artifact.version in path and isinstance(store, GcsArtifactStore):
            store.bucket.blob(path).upload_from_string(b"rotten")
        elif artifact.version in path:
            Path(path).write_bytes(b"rotten")


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(tree=TREES)
def test_what_is_put_comes_back(
    store: ArtifactStore, tmp_path: Path, tree: dict[str, bytes]
) -> None:
    """Any folder survives the way there and back, and its digest depends on nothing else."""
    folder = write_tree(tmp_path / f"tree{next(counter)}", tree)
    artifact = store.put("model", folder)
    assert artifact.sha256 == tree_sha256(tree_files(folder))
    assert read_tree(store.get(artifact)) == tree
    assert store.put("model", folder) == artifact


def test_versions_are_listed_oldest_first_and_deleted_one_by_one(
    store: ArtifactStore, tmp_path: Path
) -> None:
    """Retention removes the oldest versions and everything that belongs to them."""
    artifacts = [
        store.put("model", write_tree(tmp_path / str(i), {"a/b.txt": bytes([i])})) for i in range(3)
    ]
    store.put("other", write_tree(tmp_path / "other", {"c.txt": b"c"}))
    assert store.versions("model") == [artifact.version for artifact in artifacts]
    store.delete("model", artifacts[0].version)
    store.delete("model", artifacts[0].version)
    assert store.versions("model") == [artifact.version for artifact in artifacts[1:]]
    assert not any(artifacts[0].version in path for path in objects(store))
    assert store.versions("nothing") == []


def test_everything_is_listed_and_copied(
    store: ArtifactStore, tmp_path: Path, emulator: str
) -> None:
    """`make data.upload`: a bucket that was filled from a folder serves what the folder served."""
    made = [
        store.put(name, write_tree(tmp_path / name, {"a/0123456789abcdef/f": name.encode()}))
        for name in ("model", "releases/20261122-abc", "data")
    ]
    store.write_pointer("releases/latest.json", b"latest")
    store.write_pointer("assets/model.json", b"model")
    assert store.artifacts() == made
    assert store.pointers() == ["assets/model.json", "releases/latest.json"]

    url = f"gs://churn-artifacts/{uuid.uuid4().hex}"
    for target in (
        LocalArtifactStore(tmp_path / "copy"),
        GcsArtifactStore.from_url(url, tmp_path / "copies", strict_client()),
    ):
        assert copy_store(store, target) == 3
        assert [read_tree(target.get(a)) for a in made] == [read_tree(store.get(a)) for a in made]
        assert target.read_pointer("releases/latest.json") == b"latest"
        assert target.artifacts() == made


def test_a_copy_never_changes_what_a_store_in_use_serves(
    store: ArtifactStore, tmp_path: Path
) -> None:
    """`make data.upload` typed with the production bucket in CHURN_STORE; unless it is meant."""
    made = store.put("model", write_tree(tmp_path / "model", {"a": b"mine"}))
    store.write_pointer("assets/model.json", b"same")
    store.write_pointer("releases/latest.json", b"mine")
    target = LocalArtifactStore(tmp_path / "production")
    target.write_pointer("assets/model.json", b"same")
    target.write_pointer("releases/latest.json", b"theirs")
    with pytest.raises(PointerMovedError, match=r"\(releases/latest.json\).*--force"):
        copy_store(store, target)
    assert target.artifacts() == []
    assert target.read_pointer("releases/latest.json") == b"theirs"
    assert copy_store(store, target, replace=True) == 1
    assert target.read_pointer("releases/latest.json") == b"mine"
    assert target.artifacts() == [made]


def test_some_files_are_read_without_the_others(store: ArtifactStore, tmp_path: Path) -> None:
    """A report of two kilobytes must not cost a model of two gigabytes."""
    files = {"report.json": b"{}", "plots/a.png": b"A", "deep/report.json": b"[]", "model": b"M"}
    artifact = store.put("model", write_tree(tmp_path / "model", files))
    assert store.read(artifact, "report.json") == {"report.json": b"{}"}
    assert store.read(artifact, "plots/*.png") == {"plots/a.png": b"A"}
    assert store.read(artifact, "*.gif") == {}
    assert not (tmp_path / "cache").exists()
    store.delete("model", artifact.version)
    with pytest.raises(ArtifactError, match="not in the store"):
        store.read(artifact, "report.json")


def test_a_deleted_artifact_is_gone_even_where_it_was_cached(
    store: ArtifactStore, tmp_path: Path
) -> None:
    """What retention removed must not be served on one machine and missing on the next."""
    artifact = store.put("model", write_tree(tmp_path / "model", {"a": b"A"}))
    store.get(artifact)
    store.delete("model", artifact.version)
    with pytest.raises(ArtifactError, match="not in the store"):
        store.get(artifact)


@pytest.mark.parametrize("path", ["../outside", "/etc/outside", "a/../../outside"])
def test_a_manifest_may_not_name_files_outside(emulator: str, tmp_path: Path, path: str) -> None:
    """Whoever can write to the bucket must not write to the machines that read it."""
    url = f"gs://churn-artifacts/{uuid.uuid4().hex}"
    store = GcsArtifactStore.from_url(url, tmp_path / "cache", strict_client())
    artifact = store.put("model", write_tree(tmp_path / "model", {"a": b"A"}))
    manifest = store.bucket.blob(f"{store.prefix}manifests/model/{artifact.version}.json")
    manifest.upload_from_string(json.dumps({"sha256": artifact.sha256, "files": {path: "0" * 64}}))
    for ask in (lambda: store.get(artifact), lambda: store.read(artifact, "*")):
        with pytest.raises(ArtifactError, match="outside"):
            ask()
    assert not list(tmp_path.rglob("outside"))


def test_a_missing_artifact_is_an_error_that_says_what_to_do(store: ArtifactStore) -> None:
    """The message is all that somebody with an empty bucket has."""
    with pytest.raises(ArtifactError, match=r"not in the store.*materialize the asset again"):
        store.get(Artifact(name="model", sha256="0" * 64))


def test_a_failed_upload_publishes_nothing(
    store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An artifact is there as a whole or not at all, whenever its writer dies."""

    def dies(*args: object, **kwargs: object) -> None:
        raise OSError("no space left")

    folder = write_tree(tmp_path / "tree", {"a": b"a", "b": b"b"})
    with monkeypatch.context() as patch:
        patch.setattr("shutil.copyfile", dies)
        patch.setattr(storage.Blob, "upload_from_filename", dies)
        with pytest.raises(OSError, match="no space"):
            store.put("model", folder)
    assert store.versions("model") == []
    artifact = store.put("model", folder)
    assert store.versions("model") == [artifact.version]


def test_pointers_are_absent_then_written_then_replaced(store: ArtifactStore) -> None:
    """The whole life of a pointer."""
    assert store.read_pointer("releases/latest.json") is None
    for content in (b"one", b"two", b""):
        store.write_pointer("releases/latest.json", content)
        assert store.read_pointer("releases/latest.json") == content


def test_a_pointer_is_swapped_only_from_what_was_read(store: ArtifactStore) -> None:
    """A promotion that was decided on an outdated release must not win."""
    store.swap_pointer("latest", None, b"one")
    with pytest.raises(PointerMovedError):
        store.swap_pointer("latest", None, b"two")
    with pytest.raises(PointerMovedError):
        store.swap_pointer("latest", b"zero", b"two")
    assert store.read_pointer("latest") == b"one"
    store.swap_pointer("latest", b"one", b"two")
    assert store.read_pointer("latest") == b"two"


def test_concurrent_swaps_lose_no_update(store_factory: Callable[[], ArtifactStore]) -> None:
    """Writers that read, change and swap count correctly, whatever the interleaving."""
    store_factory().write_pointer("count", b"0")

    def add(times: int) -> None:
        store = store_factory()
        while times:
            found = store.read_pointer("count")
            assert found is not None
            try:
                store.swap_pointer("count", found, str(int(found) + 1).encode())
                times -= 1
            except PointerMovedError:
                continue

    with ThreadPoolExecutor() as pool:
        list(pool.map(add, [5] * 4))
    assert store_factory().read_pointer("count") == b"20"


def test_concurrent_writers_of_the_same_folder_agree(
    store_factory: Callable[[], ArtifactStore], tmp_path: Path
) -> None:
    """Two attempts at one stage may end at the same time."""
    folder = write_tree(tmp_path / "tree", {str(i): bytes([i]) * 1000 for i in range(5)})
    with ThreadPoolExecutor() as pool:
        made = list(pool.map(lambda _: store_factory().put("model", folder), range(3)))
    assert len(set(made)) == 1
    assert read_tree(store_factory().get(made[0])) == read_tree(folder)


def test_a_report_is_read_from_its_artifact(store: ArtifactStore, tmp_path: Path) -> None:
    """Checks see the figures that the stage published, not a copy of them."""
    folder = write_tree(tmp_path / "tree", {"report.json": b'{"auc": 0.5}'})
    assert read_report(store, store.put("model", folder)) == {"auc": 0.5}


@pytest.mark.parametrize("name", ["../up", "a/../b", "/root", "a//b", "", ".hidden"])
def test_a_name_cannot_leave_the_store(name: str) -> None:
    """Names become paths."""
    with pytest.raises(ValidationError):
        Artifact(name=name, sha256="0" * 64)


def test_an_artifact_has_no_other_fields() -> None:
    """A misspelt field, or one of another version, would vanish and be missed only later."""
    with pytest.raises(ValidationError):
        Artifact.model_validate({"name": "model", "sha256": "0" * 64, "uri": "nowhere"})


def test_the_url_chooses_the_store(tmp_path: Path, emulator: str) -> None:
    """One setting moves everything to the bucket; a typing error doesn't make a folder `s3:`."""
    assert isinstance(open_store(str(tmp_path)), LocalArtifactStore)
    assert open_store("gs://churn-artifacts/dev/", tmp_path).url == "gs://churn-artifacts/dev"
    for wrong in ("s3://bucket/x", "gs://"):
        with pytest.raises(ValueError, match="gs://bucket/prefix"):
            open_store(wrong)


def test_a_damaged_local_artifact_is_refused_and_then_replaced(tmp_path: Path) -> None:
    """A flipped bit is found on reading; storing the sound folder again mends it."""
    store = LocalArtifactStore(tmp_path / "store")
    folder = write_tree(tmp_path / "tree", {"model": b"sound"})
    artifact = store.put("model", folder)
    (store.get(artifact) / "model").write_bytes(b"rotten")
    with pytest.raises(ArtifactError, match="damaged"):
        store.get(artifact)
    assert read_tree(store.get(store.put("model", folder))) == {"model": b"sound"}


def test_a_damaged_cache_heals_and_a_damaged_bucket_is_refused(
    tmp_path: Path, emulator: str
) -> None:
    """The cache is a copy; the bucket is what has to be right."""
    store = GcsArtifactStore.from_url("gs://churn-artifacts/rot", tmp_path / "c", strict_client())
    folder = write_tree(tmp_path / "tree", {"model": b"sound"})
    artifact = store.put("model", folder)
    (store.get(artifact) / "model").write_bytes(b"rotten")
    assert read_tree(store.get(artifact)) == {"model": b"sound"}

    [name] = objects(store)
    store.bucket.blob(name).upload_from_string(b"rotten")
    fresh = GcsArtifactStore.from_url("gs://churn-artifacts/rot", tmp_path / "d", strict_client())
    with pytest.raises(ArtifactError, match="damaged"):
        fresh.get(artifact)
    assert list((tmp_path / "d").rglob("model")) == [fresh.cache / "objects" / "model"]
    store.bucket.blob(name).delete()
    with pytest.raises(ArtifactError, match="lacks its file model"):
        fresh.get(artifact)
    store.put("model", folder)
    assert read_tree(fresh.get(artifact)) == {"model": b"sound"}


def test_a_damaged_version_holds_up_no_copy(store: ArtifactStore, tmp_path: Path) -> None:
    """An old version that nobody can make again must not keep the others from the bucket."""
    rotten, sound = (
        store.put("model", write_tree(tmp_path / str(i), {"model": bytes([i])})) for i in range(2)
    )
    damage_all(store, rotten)
    target = LocalArtifactStore(tmp_path / "copy")
    assert copy_store(store, target) == 1
    assert target.artifacts() == [sound]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"files": 1}'])
def test_a_damaged_list_of_files_is_damage_and_is_mended(
    emulator: str, tmp_path: Path, content: bytes
) -> None:
    """It says so in one line; storing the same folder again writes it anew."""
    url = f"gs://churn-artifacts/{uuid.uuid4().hex}"
    store = GcsArtifactStore.from_url(url, tmp_path / "cache", strict_client())
    folder = write_tree(tmp_path / "tree", {"model": b"whole"})
    artifact = store.put("model", folder)
    store._manifest("model", artifact.version).upload_from_string(content)
    for ask in (lambda: store.get(artifact), lambda: store.read(artifact, "*")):
        with pytest.raises(DamagedArtifactError, match="list of files of model") as said:
            ask()
        assert "\n" not in str(said.value)
    assert store.artifacts() == []
    assert read_tree(store.get(store.put("model", folder))) == {"model": b"whole"}


def test_what_the_service_refuses_is_an_artifact_error(tmp_path: Path, emulator: str) -> None:
    """A server that follows a release survives an outage only if it knows the error's type."""
    store = GcsArtifactStore.from_url("gs://no-such-bucket/x", tmp_path / "c", strict_client())
    with pytest.raises(ArtifactError, match="gs://no-such-bucket/x: "):
        store.put("model", write_tree(tmp_path / "tree", {"model": b"whole"}))


def test_a_bucket_out_of_reach_is_given_up_by_who_is_in_a_hurry(
    tmp_path: Path, emulator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill switch that can't be read counts as on: within seconds, not in two minutes."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
    client = strict_client()
    store = open_store("gs://churn-artifacts/x", tmp_path / "c", client, patience=0.5)
    with pytest.raises(ArtifactError, match=r"Timeout of 0\.5s exceeded"):
        store.read_pointer("switches/force_baseline")


def test_bytes_that_arrive_damaged_are_an_artifact_error(tmp_path: Path, emulator: str) -> None:
    """The client compares what came with the service's checksum."""
    client = strict_client()
    store = GcsArtifactStore.from_url("gs://churn-artifacts/wire", tmp_path / "c", client)
    store.write_pointer("key", b"whole")

    def garbled(response: requests.Response, **options: object) -> None:
        response.headers["X-Goog-Hash"] = "crc32c=AAAAAA=="

    client._http.hooks["response"].append(garbled)
    with pytest.raises(ArtifactError, match=r"gs://churn-artifacts/wire: [^\0]*AAAAAA=="):
        store.read_pointer("key")


def test_an_unpublished_upload_is_no_artifact(tmp_path: Path, emulator: str) -> None:
    """Objects without a manifest are what a killed upload leaves; nobody takes them for a model."""
    store = GcsArtifactStore.from_url("gs://churn-artifacts/half", tmp_path / "c", strict_client())
    artifact = store.put("model", write_tree(tmp_path / "tree", {"model": b"whole"}))
    store._manifest("model", artifact.version).delete()
    assert store.versions("model") == []
    with pytest.raises(ArtifactError, match="not in the store"):
        store.get(artifact)
