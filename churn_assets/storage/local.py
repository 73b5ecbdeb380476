"""The artifact store in a folder of this machine."""

from __future__ import annotations

import fcntl
import fnmatch
import logging
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from churn_assets.storage.protocol import (
    Artifact,
    ArtifactError,
    DamagedArtifactError,
    PointerMovedError,
)
from churn_assets.storage.scratch import (
    hold_copy,
    remove_abandoned,
    staging_folder,
    staging_folders,
)
from churn_assets.storage.trees import copy_tree, tree_files, tree_sha256, write_atomically
from churn_assets.storage.verification import (
    ages_of,
    publish_folder,
    verified,
    version_folders,
)

log = logging.getLogger(__name__)


class LocalArtifactStore:
    """Artifacts in a folder of this machine, which the first who writes makes.

    A folder that was there and isn't any more (an unmounted disk) is an error to whoever has found
    it: what it said isn't known, and what is written in its place would be hidden once it is back.

    Attributes:
        url: the root folder's absolute path.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.url = str(self.root)
        self._found = False

    def is_begun(self) -> bool:
        self._require()
        return any((self.root / part).is_dir() for part in ("objects", "pointers"))

    def put(self, name: str, folder: Path) -> Artifact:
        self._require()
        artifact = Artifact(name=name, sha256=tree_sha256(tree_files(folder)))
        target = self.root / artifact.path
        if hold_copy(target):
            try:
                verified(target, artifact)
                return artifact
            except DamagedArtifactError:
                shutil.rmtree(target)  # a damaged copy is replaced by the sound one at hand
        while True:
            with staging_folder(self.root / "objects", target) as staging:
                publish_folder(copy_tree(folder, staging / "tree"), target, artifact)
            if hold_copy(target):  # else `remove_unnamed` came between: nothing names it yet
                return artifact

    def get(self, artifact: Artifact) -> Path:
        self._require()
        return verified(self.root / artifact.path, artifact)

    def read(self, artifact: Artifact, pattern: str) -> dict[str, bytes]:
        folder = self.get(artifact)
        files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
        return {name: files[name].read_bytes() for name in fnmatch.filter(sorted(files), pattern)}

    def versions(self, name: str) -> list[str]:
        self._require()
        ages = ages_of(self.root / "objects" / name)
        return sorted(ages, key=lambda version: (ages[version], version))

    def artifacts(self) -> list[Artifact]:
        self._require()
        root = self.root / "objects"
        stored = []
        for path in sorted(version_folders(root), key=lambda p: (p.stat().st_mtime_ns, p)):
            name = path.parent.relative_to(root).as_posix()
            artifact = Artifact(name=name, sha256=tree_sha256(tree_files(path)))
            if artifact.version == path.name:
                stored.append(artifact)
            else:
                log.warning("%s is damaged: passed over", path)
        return stored

    def delete(self, name: str, version: str) -> None:
        folder = self.root / "objects" / name / version
        if folder.is_dir():
            shutil.rmtree(folder)

    def remove_unnamed(self, prefix: str, named: Callable[[], Collection[str]]) -> None:
        # Asked once a folder is locked: who put it holds it until its end, and names it before.
        remove_abandoned(
            version_folders(self.root / "objects" / prefix),
            unless=lambda folder: folder.relative_to(self.root).as_posix() in named(),
        )

    def sweep(self) -> None:
        remove_abandoned(staging_folders(self.root / "objects"))

    def drop_copies(self) -> None:
        """There are none: what is got is the artifact itself."""

    def pointers(self, prefix: str = "") -> list[str]:
        self._require()
        root = self.root / "pointers"
        below = (root / prefix).rglob("*")
        found = [p for p in below if p.is_file() and not p.name.startswith(".")]
        return sorted(p.relative_to(root).as_posix() for p in found)

    def read_pointer(self, key: str) -> bytes | None:
        try:
            content = (self.root / "pointers" / key).read_bytes()
        except FileNotFoundError:
            self._require()
            return None
        except OSError as error:
            raise ArtifactError(f"{self.url}: pointer {key} can't be read: {error}") from error
        self._found = True
        return content

    def write_pointer(self, key: str, content: bytes) -> None:
        with self._pointer_lock():
            self._replace_pointer(key, content)

    def delete_pointer(self, key: str) -> None:
        with self._pointer_lock():
            (self.root / "pointers" / key).unlink(missing_ok=True)

    def swap_pointer(self, key: str, expected: bytes | None, content: bytes) -> None:
        with self._pointer_lock():
            if self.read_pointer(key) != expected:
                raise PointerMovedError(f"{self.url}: pointer {key} was moved meanwhile")
            self._replace_pointer(key, content)

    def _require(self) -> None:
        """Raises ArtifactError where the store was there and isn't any more. Its `pointers` say so:
        of a disk that isn't mounted the empty folder stays."""
        found = self._found  # asked first: another thread may write the first pointer meanwhile
        if (self.root / "pointers").is_dir():
            self._found = True
        elif found:
            raise ArtifactError(
                f"{self.url} isn't there any more: mount its disk, or put the folder back"
            )

    def _replace_pointer(self, key: str, content: bytes) -> None:
        """Called by the one process that holds the lock, so that no other is writing a file."""
        path = self.root / "pointers" / key
        for left_by_a_killed_process in path.parent.glob(".*"):
            left_by_a_killed_process.unlink(missing_ok=True)
        write_atomically(path, content)
        self._found = True

    @contextmanager
    def _pointer_lock(self) -> Iterator[None]:
        """Only one process at a time moves a pointer; readers need no lock."""
        self._require()
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".pointers.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
