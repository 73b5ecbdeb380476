"""What is named is on the disk before its name is: a power cut loses neither alone."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.trees import write_atomically


class Disk:
    """The inodes that were flushed, and the renames, in their order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.happened: list[int | str] = []
        fsync, rename = os.fsync, os.rename

        def flushed(descriptor: int) -> None:
            fsync(descriptor)
            self.happened.append(os.fstat(descriptor).st_ino)

        def renamed(source: Path, target: Path) -> None:
            rename(source, target)
            self.happened.append(f"-> {target}")

        monkeypatch.setattr(os, "fsync", flushed)
        monkeypatch.setattr(os, "rename", renamed)
        monkeypatch.setattr(os, "replace", renamed)

    def around(self, target: Path) -> tuple[set[int | str], set[int | str]]:
        """What was flushed before and after the rename to `target`."""
        at = self.happened.index(f"-> {target}")
        return set(self.happened[:at]), set(self.happened[at + 1 :])


def test_an_artifact_is_flushed_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: the pointer to it was flushed, and after a power cut it named empty files."""
    made = tmp_path / "made"
    (made / "plots").mkdir(parents=True)
    for name in ("model.json", "plots/curve.png"):
        (made / name).write_text(name)
    store, disk = LocalArtifactStore(tmp_path / "store"), Disk(monkeypatch)
    folder = tmp_path / "store" / store.put("risk_model", made).path
    before, after = disk.around(folder)
    assert {p.stat().st_ino for p in (folder, *folder.rglob("*"))} <= before
    assert folder.parent.stat().st_ino in after


def test_a_pointers_new_name_is_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file was, its folder's list of files wasn't: the old pointer could come back."""
    disk, file = Disk(monkeypatch), tmp_path / "pointers/latest.json"
    write_atomically(file, b"{}")
    before, after = disk.around(file)
    assert file.stat().st_ino in before
    assert file.parent.stat().st_ino in after


def test_a_folder_that_cannot_be_flushed_fails_no_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: a drop box may be written to and not read, and some file systems flush files alone; the
    file was there, and its writer was told that it wasn't. A file that isn't flushed is none."""
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write_atomically(tmp_path / "a.csv", b"whole")
    assert (tmp_path / "a.csv").read_bytes() == b"whole"

    def never(descriptor: int) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", never)
    with pytest.raises(OSError, match="Invalid argument"):
        write_atomically(tmp_path / "b.csv", b"whole")
    assert not (tmp_path / "b.csv").exists()
