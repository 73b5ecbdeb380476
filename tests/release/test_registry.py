"""Publish, promote, roll back, retain: the pointer is always a whole, verified release."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from churn_assets.release.bundle import Comparison, Manifest, ReleaseError, write_manifest
from churn_assets.release.registry import HISTORY, ReleaseRegistry
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import Artifact, ArtifactError, PointerMovedError


@pytest.fixture
def registry(tmp_path: Path) -> ReleaseRegistry:
    return ReleaseRegistry(LocalArtifactStore(tmp_path / "store"))


def variant(base: Path, tmp_path: Path, number: int) -> tuple[Path, Manifest]:
    """The base release with one more file, so that its content differs."""
    folder = Path(shutil.copytree(base, tmp_path / f"variant{number}"))
    (folder / "reports" / "variant.json").write_text(str(number))
    old = Manifest.model_validate_json((folder / "manifest.json").read_bytes())
    facts = {
        name: getattr(old, name)
        for name in ("models", "data", "report", "settings", "code_version", "comparison")
    }
    facts["report"] = {k: v for k, v in facts["report"].items() if k != "release_id"}
    return folder, write_manifest(folder, **facts)


def publish(registry: ReleaseRegistry, base: Path, tmp_path: Path, number: int) -> str:
    folder, manifest = variant(base, tmp_path, number)
    registry.publish(folder)
    registry.promote(manifest.release_id, "test")
    return manifest.release_id


def test_published_release_serves_only_once_promoted(
    registry: ReleaseRegistry, base: Path, tmp_path: Path
) -> None:
    """Storing a release and putting it into service are two decisions."""
    folder, manifest = variant(base, tmp_path, 1)
    registry.publish(folder)
    assert registry.latest() is None
    with pytest.raises(ReleaseError, match="no release yet"):
        registry.folder()
    registry.promote(manifest.release_id, "first")
    latest = registry.latest()
    assert latest is not None
    assert latest.release_id == manifest.release_id
    assert registry.serving_manifest() == manifest


def test_rollback_returns_to_the_previous_one_and_marks_the_bad_one(
    registry: ReleaseRegistry, base: Path, tmp_path: Path
) -> None:
    """One command undoes a bad promotion; a second goes one further back; then it refuses."""
    ids = [publish(registry, base, tmp_path, n) for n in range(3)]
    assert registry.rollback().release_id == ids[1]
    assert registry.record(ids[2]).withdrawn
    assert registry.rollback().release_id == ids[0]
    with pytest.raises(ReleaseError, match="oldest release"):
        registry.rollback()


def test_retention_keeps_the_serving_release_and_its_predecessor(
    registry: ReleaseRegistry, base: Path, tmp_path: Path
) -> None:
    """Old releases go, but never the one that serves nor the one to go back to."""
    ids = [publish(registry, base, tmp_path, n) for n in range(4)]
    registry.promote(ids[0], "an old one serves again")
    gone = registry.retain(keep=2)
    assert gone == sorted(ids[1:3])
    assert [r.release_id for r in registry.records()] == [ids[0], ids[3]]
    assert registry.folder(ids[0]).is_dir()
    assert not (tmp_path / "store/objects/releases" / ids[1]).exists() or not any(
        (tmp_path / "store/objects/releases" / ids[1]).iterdir()
    )


def test_retention_keeps_what_a_rollback_would_choose(
    registry: ReleaseRegistry, base: Path, tmp_path: Path
) -> None:
    """After a rollback that is an older release, not the withdrawn one that was made last."""
    ids = [publish(registry, base, tmp_path, n) for n in range(3)]
    assert registry.rollback().release_id == ids[1]
    assert registry.retain(keep=2) == [ids[2]]
    assert registry.rollback().release_id == ids[0]


def test_a_winner_is_refused_when_another_champion_serves_by_now(
    registry: ReleaseRegistry, base: Path, tmp_path: Path
) -> None:
    """It may be worse than that one; refused, and nothing changed."""
    champion = publish(registry, base, tmp_path, 0)
    folder, challenger = variant(base, tmp_path, 1)
    registry.publish(folder)
    comparison = Comparison(champion=champion, promoted=True, reason="no compared figure is worse")
    other = publish(registry, base, tmp_path, 2)
    latest, records = registry.latest(), registry.records()
    with pytest.raises(PointerMovedError, match=f"compared with {champion}, but {other} serves"):
        registry.promote_winner(challenger.release_id, comparison)
    assert (registry.latest(), registry.records()) == (latest, records)


def test_a_pointer_that_moves_while_files_are_verified_is_not_overwritten(
    registry: ReleaseRegistry, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verifying a release in a bucket takes seconds, in which somebody may roll back."""
    first, second = (publish(registry, base, tmp_path, n) for n in range(2))
    folder, challenger = variant(base, tmp_path, 2)
    registry.publish(folder)
    comparison = Comparison(champion=second, promoted=True, reason="no compared figure is worse")
    get = registry.store.get

    def slow_get(artifact: Artifact) -> Path:
        monkeypatch.undo()
        registry.rollback()
        return get(artifact)

    monkeypatch.setattr(registry.store, "get", slow_get)
    with pytest.raises(PointerMovedError):
        registry.promote_winner(challenger.release_id, comparison)
    latest = registry.latest()
    assert latest is not None
    assert latest.release_id == first
    assert not registry.record(challenger.release_id).promoted


def test_a_rollback_beside_a_publishing_run_is_whole(
    registry: ReleaseRegistry, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both changes of the history are kept: else the next roll-back withdrew the good release."""
    ids = [publish(registry, base, tmp_path, n) for n in range(3)]
    folder, made = variant(base, tmp_path, 3)
    swap = registry.store.swap_pointer

    def beaten(key: str, expected: bytes | None, content: bytes) -> None:
        if key == HISTORY:
            monkeypatch.undo()
            registry.publish(folder)
        swap(key, expected, content)

    monkeypatch.setattr(registry.store, "swap_pointer", beaten)
    assert registry.rollback().release_id == ids[1]
    assert [r.release_id for r in registry.records()] == [*ids, made.release_id]
    assert [r.release_id for r in registry.records() if r.withdrawn] == [ids[2]]
    assert [r.release_id for r in registry.stand_ins()] == [ids[0]]


def test_a_history_that_is_always_being_written_ends_with_an_error(
    registry: ReleaseRegistry, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for ever, and what others wrote stays."""
    publish(registry, base, tmp_path, 0)
    before = registry.records()
    folder, _ = variant(base, tmp_path, 1)
    swap, write = registry.store.swap_pointer, registry.store.write_pointer

    def beaten(key: str, expected: bytes | None, content: bytes) -> None:
        write(key, (expected or b"") + b" ")
        swap(key, expected, content)

    monkeypatch.setattr(registry.store, "swap_pointer", beaten)
    with pytest.raises(PointerMovedError, match="being written by somebody else"):
        registry.publish(folder)
    assert registry.records() == before


def test_unknown_release_is_named_with_those_there_are(
    registry: ReleaseRegistry, base: Path, tmp_path: Path
) -> None:
    """The error says what to choose from."""
    known = publish(registry, base, tmp_path, 0)
    with pytest.raises(ReleaseError, match=known):
        registry.record("20200101-000000000000")


def test_damaged_release_is_not_promoted(
    registry: ReleaseRegistry, base: Path, tmp_path: Path
) -> None:
    """The pointer must not move to files that changed in the store."""
    first = publish(registry, base, tmp_path, 0)
    folder, manifest = variant(base, tmp_path, 1)
    record = registry.publish(folder)
    stored = tmp_path / "store" / record.artifact.path / "risk/model.json"
    stored.write_text("{}")
    with pytest.raises(ArtifactError, match="damaged"):
        registry.promote(manifest.release_id, "test")
    latest = registry.latest()
    assert latest is not None
    assert latest.release_id == first
