"""What a killed process leaves behind is collected; what a living one uses is not."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import pytest

from churn_assets.settings import PROJECT
from churn_assets.storage import gcs as gcs_store
from churn_assets.storage import local, verification
from churn_assets.storage.gcs import GcsArtifactStore
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import ArtifactError, DamagedArtifactError
from churn_assets.storage.scratch import SCRATCH, STAGING, held_folder, scratch_folder
from tests.processes import held_process
from tests.storage.emulator import strict_client


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's temporary folder of this process and its children."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def working(store: Path, what: str) -> AbstractContextManager[subprocess.Popen[str]]:
    """A process in the middle of writing."""
    return held_process("tests.storage.held_folders", str(store), what)


def hidden(store: Path) -> list[str]:
    return sorted(p.name for p in store.rglob(".*") if p.name != ".pointers.lock")


def put_another(store: Path, tmp_path: Path) -> LocalArtifactStore:
    """Do what every run does: write an artifact and a pointer."""
    folder = tmp_path / "tree"
    folder.mkdir(exist_ok=True)
    (folder / "file").write_text(uuid.uuid4().hex)
    opened = LocalArtifactStore(store)
    opened.put("other", folder)
    return opened


def test_scratch_folders_of_killed_processes_go(temporary: Path, tmp_path: Path) -> None:
    """The folders in which releases and predictions are put together: gigabytes, in time."""
    stranger = temporary / "release-notes"
    stranger.mkdir()
    with working(tmp_path / "store", "scratch"):
        with scratch_folder("predictions") as mine:
            assert mine.is_dir()
            assert len(list(temporary.glob(f"{SCRATCH}release-*"))) == 1  # in use: spared
        assert not mine.exists()
    assert len(list(temporary.glob(f"{SCRATCH}*"))) == 1
    with scratch_folder("predictions") as mine:
        assert list(temporary.glob(f"{SCRATCH}*")) == [mine]
    assert list(temporary.iterdir()) == [stranger]


@pytest.mark.parametrize("what", ["artifact", "pointer"])
def test_half_written_artifacts_and_pointers_go(temporary: Path, tmp_path: Path, what: str) -> None:
    """Where nobody looks again: beside an artifact of which there is one version only."""
    store = tmp_path / "store"
    with working(store, what):
        assert len(hidden(store)) == 1
        opened = put_another(store, tmp_path)
        assert len(hidden(store)) == 1  # its writer lives
    opened = put_another(store, tmp_path)
    opened.write_pointer("releases/latest.json", b"whole")
    assert hidden(store) == []
    assert opened.read_pointer("releases/latest.json") == b"whole"
    assert opened.versions("model") == []


def test_a_folder_is_not_taken_for_abandoned_while_it_is_made(
    temporary: Path, tmp_path: Path
) -> None:
    """Many processes start at once, and each looks for what dead ones left."""
    command = "from churn_assets.storage.scratch import scratch_folder\n" + (
        "for i in range(150):\n"
        "    with scratch_folder('x') as folder:\n"
        "        (folder / 'file').write_text('mine')\n"
        "        assert (folder / 'file').read_text() == 'mine'\n"
    )
    started = [subprocess.Popen([sys.executable, "-c", command], cwd=PROJECT) for _ in range(3)]
    assert [process.wait() for process in started] == [0, 0, 0]
    assert list(temporary.iterdir()) == []


def test_a_link_is_no_folder_to_remove(temporary: Path, tmp_path: Path) -> None:
    """Somebody else's link in the shared temporary folder must not lead to anything of ours."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis").write_text("years of work")
    (temporary / f"{SCRATCH}link").symlink_to(mine)
    with scratch_folder("x"):
        assert (mine / "thesis").exists()


def test_a_bucket_is_swept_of_uploads_that_never_ended(
    emulator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Objects without a list of files are nobody's, once no upload can still be going on."""
    url = f"gs://churn-artifacts/{uuid.uuid4().hex}"
    store = GcsArtifactStore.from_url(url, tmp_path / "cache", strict_client())
    folder = tmp_path / "tree"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep/file").write_text("content")
    whole = store.put("model", folder)
    (folder / "deep/file").write_text("other content")
    half = store.put("releases/20260101-0", folder)
    store._manifest(half.name, half.version).delete()
    objects = f"{store.prefix}objects/"

    def stored() -> set[str]:
        return {b.name.removeprefix(objects) for b in store.bucket.list_blobs(prefix=objects)}

    both = {f"{a.name}/{a.version}/deep/file" for a in (whole, half)}
    store.sweep()
    assert stored() == both
    monkeypatch.setattr(gcs_store, "UPLOAD_LIMIT", timedelta(0))
    store.sweep()
    assert stored() == {f"model/{whole.version}/deep/file"}
    assert store.get(whole).is_dir()


def test_a_sweep_removes_what_killed_downloads_left(emulator: str, tmp_path: Path) -> None:
    """The cache of a bucket is written like a local store."""
    store = GcsArtifactStore.from_url("gs://churn-artifacts/x", tmp_path / "c", strict_client())
    objects = store.cache / "objects"
    abandoned = objects / "model" / f"{STAGING}abandoned"
    abandoned.mkdir(parents=True)
    with held_folder(objects / "model", STAGING) as held:
        store.sweep()
        assert held.is_dir()
    assert not abandoned.exists()


@pytest.mark.parametrize(
    ("umask", "folder", "file"), [(0o022, 0o755, 0o644), (0o077, 0o700, 0o600)]
)
def test_modes_are_the_umasks(tmp_path: Path, umask: int, folder: int, file: int) -> None:
    """A server under another user reads the store, or doesn't: as its operator set the umask."""
    before = os.umask(umask)
    try:
        store = LocalArtifactStore(tmp_path / "store")
        with scratch_folder("x") as private:
            (private / "deep").mkdir()
            (private / "deep/file").write_text("content")
            (private / "deep/file").chmod(0o600)
            stored = store.get(store.put("model", private))
        store.write_pointer("assets/model.json", b"content")
    finally:
        os.umask(before)

    def mode(path: Path) -> int:
        return path.stat().st_mode & 0o777

    assert {mode(p) for p in (store.root, stored, stored.parent, stored / "deep")} == {folder}
    assert mode(stored / "deep/file") == file
    assert mode(store.root / "pointers/assets/model.json") == file


def test_what_cannot_be_read_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A private folder of another user is whole; it must not be made again over his."""

    store = LocalArtifactStore(tmp_path / "store")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/file").write_text("content")
    artifact = store.put("model", tmp_path / "tree")
    real: Callable[[Path], dict[str, str]] = verification.tree_files

    def denied(folder: Path) -> dict[str, str]:
        if folder.is_relative_to(store.root / "objects/model" / artifact.version):
            raise PermissionError(13, "Permission denied", str(folder))
        return real(folder)

    for module in (local, verification):
        monkeypatch.setattr(module, "tree_files", denied)
    for ask in (lambda: store.get(artifact), lambda: store.put("model", tmp_path / "tree")):
        with pytest.raises(ArtifactError, match="can't be read") as refused:
            ask()
        assert not isinstance(refused.value, DamagedArtifactError)
    monkeypatch.undo()
    assert (store.get(artifact) / "file").read_text() == "content"
