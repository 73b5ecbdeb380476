"""The artifact store: immutable, content-addressed folders and small movable pointers.

Assets exchange `Artifact`s (a name and a digest), never objects. The folder behind an artifact is
written once, under its own digest, by an atomic rename; whoever reads it gets a local copy whose
every byte was verified. A pointer is a small file (which release is the latest?) that is replaced
atomically.

The same contract holds on a local folder (`LocalArtifactStore`) and on Google Cloud Storage
(`churn_assets.resources.gcs_store.GcsArtifactStore`); `open_store` picks one by URL.
"""

from __future__ import annotations

import errno
import fcntl
import fnmatch
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from churn_assets.resources.scratch import remove_abandoned, staging_folder, staging_folders
from churn_assets.resources.trees import copy_tree, tree_files, tree_sha256, write_atomically

if TYPE_CHECKING:
    from google.cloud import storage


log = logging.getLogger(__name__)
VERSION = re.compile(r"[0-9a-f]{16}")


class ArtifactError(RuntimeError):
    """An artifact or pointer that can't be had."""


class DamagedArtifactError(ArtifactError):
    """An artifact or pointer that is missing or not what it should be: asking again won't help."""


class PointerMovedError(ArtifactError):
    """Somebody else moved a pointer between reading and writing it."""


class Artifact(BaseModel):
    """A folder in the store: `name` says what it is, `sha256` (of the whole tree) which version."""

    model_config = ConfigDict(frozen=True)

    # Both become part of paths, so neither may climb out of the store.
    name: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)*$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    @property
    def version(self) -> str:
        """The folder's name: enough digits of the digest to tell versions apart."""
        return self.sha256[:16]

    @property
    def path(self) -> str:
        """Where the folder lies, relative to the store's root."""
        return f"objects/{self.name}/{self.version}"


ARTIFACT = TypeAdapter(Artifact)
Parsed = TypeVar("Parsed")


class ArtifactStore(Protocol):
    """What the graph, the API and the GPU programs need of a store."""

    url: str

    def put(self, name: str, folder: Path) -> Artifact:
        """Publish a copy of `folder`, immutable from then on; the same bytes, the same artifact."""
        ...

    def get(self, artifact: Artifact) -> Path:
        """A local folder with the artifact's files; raises ArtifactError if missing or damaged."""
        ...

    def read(self, artifact: Artifact, pattern: str) -> dict[str, bytes]:
        """Path -> verified content of the files that match a glob, without fetching the others."""
        ...

    def versions(self, name: str) -> list[str]:
        """Folder names of the stored versions of `name`, oldest first."""
        ...

    def artifacts(self) -> list[Artifact]:
        """Every stored version of every artifact, oldest first; damaged ones are passed over, which
        the log says."""
        ...

    def delete(self, name: str, version: str) -> None:
        """Remove one version (retention); a version that is not there is no error."""
        ...

    def sweep(self) -> None:
        """Remove what writers that were killed left behind; nothing that is being written."""
        ...

    def pointers(self) -> list[str]:
        """The keys of all pointers, sorted."""
        ...

    def read_pointer(self, key: str) -> bytes | None:
        """The pointer's content, or None if it was never written."""
        ...

    def write_pointer(self, key: str, content: bytes) -> None:
        """Replace the pointer atomically: a reader sees the old content or the new, no mixture."""
        ...

    def swap_pointer(self, key: str, expected: bytes | None, content: bytes) -> None:
        """Replace the pointer if it still holds `expected` (None: if there is none yet).

        Raises:
            PointerMovedError: it holds something else; nothing was written.
        """
        ...


def verified(folder: Path, artifact: Artifact) -> Path:
    """`folder`, after checking that it is the artifact byte for byte.

    Raises:
        DamagedArtifactError: the folder is missing or its digest differs; names both digests.
        ArtifactError: it can't be read; that says nothing about its content.
    """
    try:
        found = tree_sha256(tree_files(folder)) if folder.is_dir() else None
    except OSError as error:
        raise ArtifactError(f"{folder} can't be read: {error}") from error
    if found is None:
        raise DamagedArtifactError(
            f"{artifact.name} {artifact.sha256[:16]} is not in the store (looked at {folder}); "
            "materialize the asset again"
        )
    if found != artifact.sha256:
        raise DamagedArtifactError(
            f"{folder} is damaged: expected sha256 {artifact.sha256}, found {found}; "
            "materialize the asset again"
        )
    return folder


def publish_folder(tree: Path, target: Path, artifact: Artifact) -> Path:
    """Verify a complete folder and rename it to its place; another writer of the same may win."""
    verified(tree, artifact)
    # Its age is the time of publication; where a clock was set back, still younger than the others.
    age = max(time.time_ns(), 1 + max(_ages(target.parent).values(), default=0))
    os.utime(tree, ns=(age, age))
    try:
        return tree.rename(target)
    except OSError as error:
        if error.errno not in {errno.EEXIST, errno.ENOTEMPTY}:
            raise
        return verified(target, artifact)


def _ages(parent: Path) -> dict[str, int]:
    """Name -> time of publication (ns) of the versions in `parent`."""
    found = {}
    for path in parent.iterdir() if parent.is_dir() else ():
        with suppress(FileNotFoundError):  # removed meanwhile
            if path.is_dir() and not path.name.startswith("."):
                found[path.name] = path.stat().st_mtime_ns
    return found


class LocalArtifactStore:
    """Artifacts in a folder of this machine.

    Attributes:
        url: the root folder's absolute path.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.url = str(self.root)

    def put(self, name: str, folder: Path) -> Artifact:
        artifact = Artifact(name=name, sha256=tree_sha256(tree_files(folder)))
        target = self.root / artifact.path
        if target.exists():
            try:
                verified(target, artifact)
                return artifact
            except DamagedArtifactError:
                shutil.rmtree(target)  # a damaged copy is replaced by the sound one at hand
        with staging_folder(self.root / "objects", target) as staging:
            publish_folder(copy_tree(folder, staging / "tree"), target, artifact)
        return artifact

    def get(self, artifact: Artifact) -> Path:
        return verified(self.root / artifact.path, artifact)

    def read(self, artifact: Artifact, pattern: str) -> dict[str, bytes]:
        folder = self.get(artifact)
        files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
        return {name: files[name].read_bytes() for name in fnmatch.filter(sorted(files), pattern)}

    def versions(self, name: str) -> list[str]:
        ages = _ages(self.root / "objects" / name)
        return sorted(ages, key=lambda version: (ages[version], version))

    def artifacts(self) -> list[Artifact]:
        root = self.root / "objects"
        found = []
        for place, folders, _ in os.walk(root):
            versions = [Path(place) / name for name in folders if VERSION.fullmatch(name)]
            folders[:] = [
                name for name in folders if name[0] != "." and not VERSION.fullmatch(name)
            ]
            found += versions
        stored = []
        for path in sorted(found, key=lambda p: (p.stat().st_mtime_ns, p)):
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

    def sweep(self) -> None:
        remove_abandoned(staging_folders(self.root / "objects"))

    def pointers(self) -> list[str]:
        root = self.root / "pointers"
        found = [p for p in root.rglob("*") if p.is_file() and not p.name.startswith(".")]
        return sorted(p.relative_to(root).as_posix() for p in found)

    def read_pointer(self, key: str) -> bytes | None:
        try:
            return (self.root / "pointers" / key).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ArtifactError(f"{self.url}: pointer {key} can't be read: {error}") from error

    def write_pointer(self, key: str, content: bytes) -> None:
        with self._pointer_lock():
            self._replace_pointer(key, content)

    def swap_pointer(self, key: str, expected: bytes | None, content: bytes) -> None:
        with self._pointer_lock():
            if self.read_pointer(key) != expected:
                raise PointerMovedError(f"{self.url}: pointer {key} was moved meanwhile")
            self._replace_pointer(key, content)

    def _replace_pointer(self, key: str, content: bytes) -> None:
        """Called by the one process that holds the lock, so that no other is writing a file."""
        path = self.root / "pointers" / key
        for left_by_a_killed_process in path.parent.glob(".*"):
            left_by_a_killed_process.unlink(missing_ok=True)
        write_atomically(path, content)

    @contextmanager
    def _pointer_lock(self) -> Iterator[None]:
        """Only one process at a time moves a pointer; readers need no lock."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".pointers.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def open_store(
    url: str, cache: Path | None = None, client: storage.Client | None = None
) -> ArtifactStore:
    """The store at `url`: a local folder, or `gs://bucket/prefix` (cached below `cache`).

    `client` is the storage client to use instead of one with application-default credentials.
    """
    if url.startswith("gs://"):
        # Imported here: the client library costs a second that a local folder need not pay.
        from churn_assets.resources.gcs_store import GcsArtifactStore

        return GcsArtifactStore.from_url(url, cache=cache, client=client)
    if "://" in url:
        raise ValueError(
            f"unknown artifact store {url!r}: use a local folder or gs://bucket/prefix"
        )
    return LocalArtifactStore(Path(url))


def copy_store(source: ArtifactStore, target: ArtifactStore, *, replace: bool = False) -> int:
    """Copy every artifact, then every pointer, so that no pointer comes before what it names.

    Args:
        replace: move pointers of `target` that say something else; what serves there then changes.

    Returns:
        The number of artifacts copied or found there already; damaged ones are left out, which the
        log says.

    Raises:
        PointerMovedError: without `replace`, pointers of `target` say something else (names them),
            and nothing was copied; or somebody moved one meanwhile.
    """
    wanted = {key: source.read_pointer(key) for key in source.pointers()}
    there = {key: target.read_pointer(key) for key in wanted}
    differing = [key for key in wanted if there[key] not in (None, wanted[key])]
    if differing and not replace:
        raise PointerMovedError(
            f"{target.url} is in use with other content ({', '.join(differing)}): nothing was "
            "copied; `churn data upload --force` replaces what it has"
        )
    copied = 0
    for artifact in source.artifacts():
        try:
            target.put(artifact.name, source.get(artifact))
        except DamagedArtifactError as error:  # an old version must not hold up all the others
            log.warning("not copied: %s", error)
            continue
        copied += 1
    for key, content in wanted.items():
        if content is not None:
            target.swap_pointer(key, there[key], content)
    return copied


def prune(store: ArtifactStore, name: str, keep: int, current: str) -> list[str]:
    """Delete the oldest versions of `name` beyond `keep`, but never `current`.

    Returns:
        The versions deleted.
    """
    versions = store.versions(name)
    doomed = [version for version in versions[: max(0, len(versions) - keep)] if version != current]
    for version in doomed:
        store.delete(name, version)
    return doomed


def parse_pointer(model: TypeAdapter[Parsed], url: str, key: str, content: bytes) -> Parsed:
    """What a pointer says.

    Raises:
        DamagedArtifactError: it is not what such a pointer holds; one line.
    """
    try:
        return model.validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise DamagedArtifactError(
            f"{url}/pointers/{key} is damaged: {where + ': ' if where else ''}{first['msg']}"
        ) from error


def asset_pointer(asset: str) -> str:
    """Where the store keeps the current `Artifact` of an asset."""
    return f"assets/{asset}.json"


def current_artifact(store: ArtifactStore, asset: str) -> Artifact:
    """What the asset's newest materialization made.

    Raises:
        ArtifactError: the asset was never materialized with this store.
    """
    content = store.read_pointer(asset_pointer(asset))
    if content is None:
        raise ArtifactError(
            f"{asset} was never materialized with {store.url}: run `churn materialize` first"
        )
    try:
        return parse_pointer(ARTIFACT, store.url, asset_pointer(asset), content)
    except DamagedArtifactError as error:
        raise DamagedArtifactError(f"{error}; materialize {asset} again") from error


def read_report(store: ArtifactStore, artifact: Artifact) -> dict[str, Any]:
    """The `report.json` that a stage left in its artifact."""
    [content] = store.read(artifact, "report.json").values()
    report: dict[str, Any] = json.loads(content)
    return report
