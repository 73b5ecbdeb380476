"""A process that is killed between two writes: nothing is forgotten, and nothing stays for ever."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from churn_assets.release.registry import ReleaseRegistry
from churn_assets.settings import PROJECT
from churn_assets.storage.local import LocalArtifactStore
from tests.release.test_registry import publish, variant


@pytest.fixture
def registry(tmp_path: Path) -> ReleaseRegistry:
    return ReleaseRegistry(LocalArtifactStore(tmp_path / "store"))


def started(registry: ReleaseRegistry, moment: str, *command: str) -> subprocess.Popen[str]:
    program = [sys.executable, "-m", "tests.release.killed", registry.store.url, moment, *command]
    pipe = subprocess.PIPE
    return subprocess.Popen(program, cwd=PROJECT, text=True, stdin=pipe, stdout=pipe)


def killed(registry: ReleaseRegistry, moment: str, *command: str) -> None:
    """The command is killed at this moment."""
    process = started(registry, moment, *command)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def serving(registry: ReleaseRegistry) -> str:
    latest = registry.latest()
    assert latest is not None
    return latest.release_id


def test_what_serves_has_served(registry: ReleaseRegistry, base: Path, tmp_path: Path) -> None:
    """Why: its promotion was killed before the history said so, and after the next one a roll-back
    called that one the oldest release that has served."""
    publish(registry, base, tmp_path, 0)
    folder, manifest = variant(base, tmp_path, 1)
    registry.publish(folder)
    killed(registry, "noting", "promote", manifest.release_id)
    assert serving(registry) == manifest.release_id
    assert registry.record(manifest.release_id).promoted
    publish(registry, base, tmp_path, 2)
    assert registry.rollback().release_id == manifest.release_id


def test_the_next_command_keeps_what_the_killed_one_did(
    registry: ReleaseRegistry, base: Path, tmp_path: Path
) -> None:
    """Also where it moves the pointer itself, and nothing was published between."""
    ids = [publish(registry, base, tmp_path, n) for n in range(2)]
    folder, manifest = variant(base, tmp_path, 2)
    registry.publish(folder)
    killed(registry, "noting", "promote", manifest.release_id)
    registry.promote(ids[0], "test")
    noted = registry.record(manifest.release_id)
    assert (noted.promoted, noted.set_aside) == (True, True)


def stored(registry: ReleaseRegistry) -> set[str]:
    """Every release of which the store has files, whole or not."""
    objects = Path(registry.store.url) / "objects/releases"
    return {path.relative_to(objects).parts[0] for path in objects.rglob("*") if path.is_file()}


def test_the_next_build_removes_what_a_killed_one_left(
    registry: ReleaseRegistry, base: Path, tmp_path: Path
) -> None:
    """Why: files of a release that was killed before it was listed stayed for ever, and so did the
    rest of one that was half removed."""
    folder, oldest = variant(base, tmp_path, 0)
    started(registry, "waiting", "publish", str(folder)).communicate("go on\n")
    registry.promote(oldest.release_id, "test")
    kept = {publish(registry, base, tmp_path, n) for n in (1, 2)}
    folder, unlisted = variant(base, tmp_path, 3)
    killed(registry, "listing", "publish", str(folder))
    killed(registry, "removing", "retain", "2")
    assert {r.release_id for r in registry.records()} == kept
    assert stored(registry) == {*kept, oldest.release_id, unlisted.release_id}
    assert registry.retain(keep=2) == []
    assert stored(registry) == kept


def test_what_is_being_published_beside_is_not_removed(
    registry: ReleaseRegistry, base: Path, tmp_path: Path
) -> None:
    """Its files are in place before any list has them."""
    folder, manifest = variant(base, tmp_path, 0)
    beside = started(registry, "waiting", "publish", str(folder))
    try:
        assert beside.stdout is not None
        assert beside.stdout.readline() == "in place\n"
        publish(registry, base, tmp_path, 1)
        registry.retain(keep=2)
        assert manifest.release_id in stored(registry)
        beside.communicate("go on\n")
    finally:
        beside.kill()
        beside.wait()
    assert beside.returncode == 0
    assert registry.folder(manifest.release_id).is_dir()
    registry.retain(keep=2)
    assert registry.folder(manifest.release_id).is_dir()


@pytest.mark.parametrize("command", ["rollback", "promote"])
def test_a_persons_decision_is_noted_with_the_pointer(
    registry: ReleaseRegistry, base: Path, tmp_path: Path, command: str
) -> None:
    """Why: a roll-back that was killed between moved the pointer, and the next run would have
    promoted again what was rolled back."""
    ids = [publish(registry, base, tmp_path, n) for n in range(2)]
    killed(registry, "noting", command, ids[0])
    for _ in range(2):
        assert serving(registry) == ids[0]
        unwanted = registry.record(ids[1])
        assert unwanted.is_kept_out(registry.latest())
        assert (unwanted.withdrawn, unwanted.set_aside) == (
            command == "rollback",
            command == "promote",
        )
        registry.note_build(ids[1])  # as the next run of the graph does
