"""A store that is there no more holds no pointers, which is no word on what they said."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from google.api_core.exceptions import NotFound
from google.cloud import storage

from churn_assets.customers.people import people_file
from churn_assets.release.switches import budget_price, experiment, kill_switch
from churn_assets.storage.gcs import GcsArtifactStore
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import Artifact, ArtifactError, ArtifactStore
from tests.storage.emulator import strict_client

NOTHING = Artifact(name="a", sha256="0" * 64)
CALLS: dict[str, Callable[[ArtifactStore, Path], object]] = {
    "read_pointer": lambda store, _: store.read_pointer("k"),
    "write_pointer": lambda store, _: store.write_pointer("k", b"new"),
    "swap_pointer": lambda store, _: store.swap_pointer("k", b"old", b"new"),
    "swap of none": lambda store, _: store.swap_pointer("k", None, b"new"),
    "delete_pointer": lambda store, _: store.delete_pointer("k"),
    "pointers": lambda store, _: store.pointers(),
    "put": lambda store, folder: store.put("a", folder),
    "get": lambda store, _: store.get(NOTHING),
    "read": lambda store, _: store.read(NOTHING, "*"),
    "versions": lambda store, _: store.versions("a"),
    "artifacts": lambda store, _: store.artifacts(),
    "the kill switch": lambda store, _: kill_switch.is_on(store),
    "the experiment": lambda store, _: experiment.switched(store),
    "the price": lambda store, _: budget_price.read(store),
    "who said no": lambda store, _: people_file(store),
}


def own_bucket(folder: Path) -> tuple[GcsArtifactStore, storage.Client]:
    client = strict_client()
    name = f"vanishing-{uuid.uuid4().hex}"
    client.create_bucket(name)
    return GcsArtifactStore.from_url(f"gs://{name}/x", folder / "cache", client), client


@pytest.mark.parametrize("gone", ["pointers", "."])
@pytest.mark.parametrize("call", CALLS)
def test_a_folder_that_was_read_and_is_gone_is_an_error(
    call: str, gone: str, tmp_path: Path
) -> None:
    """A disk that isn't mounted any more leaves nothing, or an empty folder; and what is written
    there would be hidden by the mount when it comes back."""
    root = tmp_path / "disk/store"
    store = LocalArtifactStore(root)
    kill_switch.set_switch(store, on=True)
    again = LocalArtifactStore(root)  # as another process opens it
    assert again.read_pointer("never written") is None
    away = (root / gone).resolve()
    away.rename(tmp_path / "away")
    for each in (store, again):
        with pytest.raises(ArtifactError, match=f"^{root} isn't there any more: ") as caught:
            CALLS[call](each, tmp_path / "away")
        assert "\n" not in str(caught.value)
        assert not away.exists()
    (tmp_path / "away").rename(away)
    assert kill_switch.is_on(store)


@pytest.mark.parametrize("call", CALLS)
def test_a_bucket_that_is_gone_is_an_error(call: str, emulator: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    store, client = own_bucket(tmp_path)
    assert store.read_pointer("never written") is None
    client.bucket(store.bucket.name).delete()
    with pytest.raises(ArtifactError, match=f"^{store.url}: no such bucket: ") as caught:
        CALLS[call](store, tmp_path / "folder")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "asked"), [("No such object: churn-artifacts/k", 0), ("Not Found", 1)]
)
def test_a_missing_object_costs_no_second_request_where_the_service_names_it(
    said: str, asked: int, emulator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server asks each second for pointers that nobody has written."""

    def missing(self: storage.Blob, **_: object) -> bytes:
        raise NotFound(said)

    client = strict_client()
    listed: list[object] = []
    list_blobs = client.list_blobs

    def listing(bucket: storage.Bucket, **options: object) -> object:
        listed.append(bucket)
        return list_blobs(bucket, **options)

    monkeypatch.setattr(client, "list_blobs", listing)
    monkeypatch.setattr(storage.Blob, "download_as_bytes", missing)
    store = GcsArtifactStore.from_url("gs://churn-artifacts/x", tmp_path, client)
    assert store.read_pointer("k") is None
    assert len(listed) == asked


def test_a_first_installation_has_nothing_and_no_error(
    store: ArtifactStore, tmp_path: Path
) -> None:
    """What is asked before anything was made, and then makes it."""
    (tmp_path / "made").mkdir()
    assert store.read_pointer("k") is None
    assert (store.pointers(), store.versions("a"), store.artifacts()) == ([], [], [])
    assert not kill_switch.is_on(store)
    assert people_file(store) is None
    assert store.put("a", tmp_path / "made") in store.artifacts()
    kill_switch.set_switch(store, on=True)
    assert kill_switch.is_on(store)
    store.delete_pointer(kill_switch.POINTER)
    assert not kill_switch.is_on(store)


def test_a_store_is_begun_by_the_first_that_is_stored(store: ArtifactStore, tmp_path: Path) -> None:
    assert not store.is_begun()
    (tmp_path / "made").mkdir()
    (tmp_path / "made/f").write_bytes(b"x")
    store.put("a", tmp_path / "made")
    assert store.is_begun()
