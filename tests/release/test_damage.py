"""Damaged releases and pointers, on a local folder and on a bucket: the good release serves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Self

import pytest

from churn_assets.messages.writing.bandit import template_id
from churn_assets.messages.writing.bank import MessageBank
from churn_assets.outcomes.learning.releases import accept_models
from churn_assets.outcomes.learning.templates import known_templates
from churn_assets.outcomes.stored import challenger
from churn_assets.release import bundle as bundle_module
from churn_assets.release.bundle import Manifest, ReleaseError, read_manifest, verify
from churn_assets.release.history import Latest
from churn_assets.release.registry import HISTORY, LATEST, ReleaseRegistry
from churn_assets.storage.current import current_artifact
from churn_assets.storage.gcs import GcsArtifactStore
from churn_assets.storage.protocol import Artifact, ArtifactStore, DamagedArtifactError
from tests.release.small_release import reseal
from tests.storage.conftest import store, store_factory

__all__ = ["store", "store_factory"]  # fixtures: both stores


@pytest.fixture
def registry(store: ArtifactStore) -> ReleaseRegistry:
    return ReleaseRegistry(store)


@pytest.fixture
def make(base: Path, tmp_path: Path) -> Callable[[int], tuple[Path, Manifest]]:
    """Makes the base release with one file that differs by number."""

    def variant(number: int) -> tuple[Path, Manifest]:
        folder = Path(shutil.copytree(base, tmp_path / f"variant{number}", dirs_exist_ok=True))
        (folder / "reports/variant.json").write_text(str(number))
        return folder, reseal(folder)

    return variant


@pytest.fixture
def serve(
    registry: ReleaseRegistry, make: Callable[[int], tuple[Path, Manifest]]
) -> Callable[[int], str]:
    """Publishes and promotes a variant; returns its id."""

    def published(number: int) -> str:
        folder, manifest = make(number)
        registry.publish(folder)
        registry.promote(manifest.release_id, "test")
        return manifest.release_id

    return published


def damage(store: ArtifactStore, artifact: Artifact, path: str = "risk/model.json") -> None:
    """Change a file behind the store's back."""
    if isinstance(store, GcsArtifactStore):
        store.bucket.blob(f"{store.prefix}{artifact.path}/{path}").upload_from_string(b"{}")
        shutil.rmtree(store.cache, ignore_errors=True)
    else:
        (Path(store.url) / artifact.path / path).write_bytes(b"{}")


def test_the_last_good_release_stands_in_for_a_damaged_one(
    registry: ReleaseRegistry, serve: Callable[[int], str]
) -> None:
    """What was never promoted or was withdrawn is no choice; neither is another damaged one."""
    ids = [serve(n) for n in range(4)]
    registry.rollback()  # 3 is withdrawn, 2 serves
    assert [r.release_id for r in registry.stand_ins()] == [ids[1], ids[0]]
    damage(registry.store, registry.record(ids[2]).artifact)
    for expected in (ids[1], ids[0]):
        serving = registry.serving()
        assert serving is not None
        assert serving.release_id == expected
        assert read_manifest(registry.folder()).release_id == expected
        damage(registry.store, registry.record(expected).artifact)
    with pytest.raises(ReleaseError, match=r"no release can be used.*damaged"):
        registry.folder()
    assert registry.serving_manifest() is None  # nothing to compare a new one with


def test_an_outage_is_no_damage(
    registry: ReleaseRegistry, serve: Callable[[int], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A champion that can't be reached for a minute must not be replaced by a worse release."""
    from churn_assets.storage.protocol import ArtifactError

    serve(0)

    def unreachable(artifact: Artifact) -> Path:
        raise ArtifactError(f"{artifact.name}: no route to host")

    monkeypatch.setattr(registry.store, "get", unreachable)
    with pytest.raises(ArtifactError, match="no route to host"):
        registry.serving_manifest()


def test_rollback_passes_over_damaged_releases(
    registry: ReleaseRegistry, serve: Callable[[int], str]
) -> None:
    """The way back must not end at the first broken file, nor hide that there was one."""
    ids = [serve(n) for n in range(3)]
    damage(registry.store, registry.record(ids[1]).artifact)
    moved = registry.rollback()
    assert moved.release_id == ids[0]
    assert ids[1] in moved.reason
    assert "damaged" in moved.reason
    assert registry.record(ids[2]).withdrawn
    assert read_manifest(registry.folder()).release_id == ids[0]


def test_rollback_leaves_a_damaged_release_that_serves(
    registry: ReleaseRegistry, serve: Callable[[int], str]
) -> None:
    """What a person does first when the serving release is broken."""
    ids = [serve(n) for n in range(2)]
    damage(registry.store, registry.record(ids[1]).artifact)
    assert registry.rollback().release_id == ids[0]


def test_publishing_damaged_content_again_mends_it(
    registry: ReleaseRegistry,
    serve: Callable[[int], str],
    make: Callable[[int], tuple[Path, Manifest]],
) -> None:
    """The advice for a damaged release, to materialize it again, must work; withdrawn stays so."""
    ids = [serve(n) for n in range(3)]
    registry.rollback()
    for number in (1, 2):
        damaged = registry.record(ids[number])
        assert registry.find_content(damaged.content) == damaged
        damage(registry.store, damaged.artifact)
        assert registry.find_content(damaged.content) is None
        record = registry.publish(make(number)[0])
        assert record.content == damaged.content
        assert registry.find_content(damaged.content) == record
        assert record.withdrawn is damaged.withdrawn
        verify(registry.folder(record.release_id))
    assert len(registry.records()) == 3


def test_the_pointer_moves_to_what_stands_in(
    registry: ReleaseRegistry, serve: Callable[[int], str]
) -> None:
    """After a build that could not mend it, everybody is to agree on what serves."""
    ids = [serve(n) for n in range(2)]
    assert registry.stand_in_for_damaged() is None
    damage(registry.store, registry.record(ids[1]).artifact)
    moved = registry.stand_in_for_damaged()
    assert moved is not None
    assert registry.latest() == moved
    assert moved.release_id == ids[0]
    registry.store.write_pointer(LATEST, b"{")
    mended = registry.stand_in_for_damaged()
    assert mended is not None
    assert registry.latest() == mended


@pytest.mark.parametrize("content", [b"", b'["x"]', b"\xff\xfe"])
def test_damaged_pointers_are_one_line_with_a_way_out(
    registry: ReleaseRegistry, serve: Callable[[int], str], content: bytes
) -> None:
    """The line says which pointer and what to do; and that works."""
    first, second = serve(0), serve(1)
    registry.store.write_pointer(LATEST, content)
    for ask in (registry.latest, registry.rollback):
        with pytest.raises(ReleaseError, match=r"latest.json is damaged.*churn promote ID") as said:
            ask()
        assert "\n" not in str(said.value)
    assert read_manifest(registry.folder()).release_id == second
    assert registry.promote(first, "by hand").release_id == first

    registry.store.write_pointer(HISTORY, content)
    for ask in (registry.records, registry.rollback, lambda: registry.record(first)):
        with pytest.raises(
            ReleaseError, match=r"history.json is damaged.*churn materialize"
        ) as said:
            ask()
        assert "\n" not in str(said.value)
    assert read_manifest(registry.folder()).release_id == first  # what serves needs no history

    registry.store.write_pointer("assets/model.json", content)
    with pytest.raises(DamagedArtifactError, match="materialize model again") as damaged:
        current_artifact(registry.store, "model")
    assert "\n" not in str(damaged.value)


def test_a_pointer_to_another_releases_files_is_refused(
    registry: ReleaseRegistry,
    serve: Callable[[int], str],
    make: Callable[[int], tuple[Path, Manifest]],
) -> None:
    """Whatever id the pointer, the files' name and the manifest give, they must give the same."""
    first, second = serve(0), serve(1)
    latest = registry.latest()
    assert latest is not None
    said = json.loads(latest.model_dump_json())
    registry.store.write_pointer(LATEST, json.dumps({**said, "release_id": first}).encode())
    with pytest.raises(ReleaseError, match=f"names release {first} but files of releases/{second}"):
        registry.latest()

    swapped = registry.store.put(f"releases/{first}", make(1)[0])
    pointer = Latest(release_id=first, artifact=swapped, since=latest.since, reason="swapped")
    registry.store.write_pointer(LATEST, pointer.model_dump_json().encode())
    with pytest.raises(ReleaseError, match=f"files of release {first} .* are those of {second}"):
        registry.open(pointer)
    assert read_manifest(registry.folder()).release_id == second


@pytest.mark.parametrize(
    ("field", "said"), [("content", "content digest"), ("release_id", "other content")]
)
def test_a_manifest_must_agree_with_itself(
    make: Callable[[int], tuple[Path, Manifest]], field: str, said: str
) -> None:
    """An id and a digest in a manifest are claims until they are computed again."""
    folder, manifest = make(0)
    other = {"content": "0" * 64, "release_id": "20260101-000000000000"}
    changed = manifest.model_copy(update={field: other[field]})
    (folder / "manifest.json").write_text(changed.model_dump_json())
    with pytest.raises(ReleaseError, match=said):
        verify(folder)


class TwoDaysAgo(datetime):
    """The clock of a machine that lost its time."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls.fromtimestamp((datetime.now(UTC) - timedelta(days=2)).timestamp(), tz)


def test_the_order_is_that_of_publication(
    registry: ReleaseRegistry, serve: Callable[[int], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the clock set back, the new release is still the newest: it can be rolled back, and
    retention removes the oldest."""
    first, second = serve(0), serve(1)
    monkeypatch.setattr(bundle_module, "datetime", TwoDaysAgo)
    third = serve(2)
    assert [r.release_id for r in registry.records()] == [first, second, third]
    assert registry.record(third).created < registry.record(first).created
    assert registry.rollback().release_id == second
    fourth = serve(3)
    assert registry.retain(keep=2) == sorted([first, third])
    assert [r.release_id for r in registry.records()] == [second, fourth]


def test_versions_too_are_in_the_order_of_publication(
    store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retention of artifacts goes by the age of their folders."""
    made = []
    folder = tmp_path / "tree"
    folder.mkdir()
    for number in range(3):
        (folder / "file").write_text(str(number))
        if number == 2:
            monkeypatch.setattr("time.time_ns", lambda: 1)
        made.append(store.put("model", folder).version)
    assert store.versions("model") == made


def test_what_is_learnt_of_releases_passes_over_a_damaged_one(
    registry: ReleaseRegistry, serve: Callable[[int], str], base: Path
) -> None:
    """One old release that nobody serves made every night's outcomes fail, and all training."""
    ids, store = [serve(number) for number in range(3)], registry.store
    own = {
        template_id(t.text)
        for cell in MessageBank.load(base / "messages/bank.json").cells().values()
        for t in cell
    }
    damage(store, registry.record(ids[1]).artifact, "messages/bank.json")
    assert own <= known_templates(store).keys()
    assert accept_models(store).keys() == {ids[0], ids[2]}
    assert challenger(registry, ids[2]) == registry.open(registry.record(ids[0]))
    for each in (ids[0], ids[2]):
        damage(store, registry.record(each).artifact, "messages/bank.json")
    assert own.isdisjoint(known_templates(store))
    assert accept_models(store).keys() == {ids[0], ids[2]}  # noted before
    assert challenger(registry, ids[2]) is None
