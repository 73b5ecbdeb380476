"""A full disk: what is said names the file on it, whichever call the system refused."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from churn_assets.domain.plain_errors import describe
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.scratch import scratch_folder
from churn_assets.storage.trees import copy_tree, write_atomically

FULL = [errno.ENOSPC, errno.EDQUOT]


def refused(number: int, *names: Path) -> OSError:
    """What the system says, with the names that the call had."""
    first, second = (*map(str, names), None, None)[:2]
    return OSError(number, os.strerror(number), first, None, second)


@pytest.mark.parametrize("number", FULL)
def test_of_a_copy_the_target_is_named(number: int) -> None:
    """Why: it named the file in /tmp, which had room."""
    source, target = Path("/tmp/source"), Path("/full/target")  # noqa: S108 - names only
    assert describe(refused(number, source, target)) == f"{target}: {os.strerror(number)}"
    assert describe(refused(number, source)) == f"{source}: {os.strerror(number)}"
    assert describe(refused(errno.EACCES, source, target)).startswith(f"{source}: ")


@pytest.mark.parametrize("number", FULL)
def test_a_file_that_is_written_whole_or_not_is_named(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write and a flush know no name; the pointers, lists and logs of the product are such."""

    def full(_: Any) -> None:
        raise refused(number)

    monkeypatch.setattr(os, "fsync", full)
    store = LocalArtifactStore(tmp_path)
    for file, write in (
        (tmp_path / "x.csv", lambda: write_atomically(tmp_path / "x.csv", b"x")),
        (tmp_path / "pointers" / "a" / "b", lambda: store.write_pointer("a/b", b"x")),
    ):
        with pytest.raises(OSError, match=os.strerror(number)) as caught:
            write()
        assert describe(caught.value) == f"{file}: {os.strerror(number)}"
        assert list(file.parent.glob("*x*")) == []


def test_a_copied_folders_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the system copied by a call that knows no names."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "f").write_bytes(b"x")

    def full(*_: Any, **__: Any) -> None:
        raise refused(errno.ENOSPC)

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space") as caught:
        copy_tree(tmp_path / "a", tmp_path / "b")
    assert describe(caught.value) == f"{tmp_path / 'b' / 'f'}: No space left on device"


def test_a_scratch_folder_is_named() -> None:
    """Libraries that write tables there say no name."""
    with pytest.raises(OSError, match="No space") as caught, scratch_folder("x") as folder:
        raise refused(errno.ENOSPC)
    assert describe(caught.value) == f"{folder}: No space left on device"


def test_other_errors_stay_as_they_are() -> None:
    with pytest.raises(OSError, match="Input/output") as caught, scratch_folder("x"):
        raise refused(errno.EIO)
    assert caught.value.filename is None
