"""The artifact store on Google Cloud Storage: the local folder's contract. Below the URL's prefix:

    objects/<name>/<first 16 digits>/<path>       the files, never overwritten by other content
    manifests/<name>/<first 16 digits>.json       digests of these files; written last
    pointers/<key>                                small movable objects

A bucket can't rename a folder, so the manifest is what publishes: an artifact exists once its
manifest does, and that is written after every uploaded file was verified. Pointers move under a
generation precondition. The client is google-cloud-storage, not gcsfs: generations and checksums
are part of its interface, and it needs no event loop.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import logging
import os
import re
import shutil
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from google.api_core.exceptions import NotFound, PreconditionFailed
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage
from google.cloud.storage.retry import DEFAULT_RETRY

from churn_assets.storage.answers import checked, explained
from churn_assets.storage.crc32c import file_crc32c
from churn_assets.storage.manifests import listed_files, parse_manifest
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
from churn_assets.storage.trees import tree_files, tree_sha256
from churn_assets.storage.verification import publish_folder, verified, version_folders

log = logging.getLogger(__name__)
TRANSFERS = 8  # files moved at once
CHUNK = 16 * 2**20  # bytes per request of a large upload, so that none outlives its time-out
POINTER_ATTEMPTS = 5
WRITE = "write"  # what a pointer's metadata call the write that made it
UPLOAD_LIMIT = timedelta(days=1)  # what is not published so long after its last file never will be
NO_OBJECT = "No such object"  # the service's words for an object that its bucket doesn't have
VERSION_FOLDER = re.compile(r"(.+?/[0-9a-f]{16})/")


def storage_client() -> storage.Client:
    """A client with application-default credentials (no key files).

    The project is only needed to create buckets, which this product never does, and credentials
    from workload identity federation name none: so it may be missing.
    """
    return checked(storage.Client(project=os.environ.get("GOOGLE_CLOUD_PROJECT")))


class GcsArtifactStore:
    """Artifacts in a bucket, downloaded to and verified in a local cache.

    Attributes:
        url: `gs://bucket/prefix`.
        cache: folder of the local copies; safe to delete at any time.
    """

    def __init__(
        self, bucket: storage.Bucket, prefix: str, cache: Path, patience: float | None = None
    ) -> None:
        self.bucket = bucket
        hurried = {"timeout": patience, "retry": DEFAULT_RETRY.with_timeout(patience)}
        self._hurry: dict[str, Any] = {} if patience is None else hurried
        self.cache, self.prefix = cache, f"{prefix}/" if prefix else ""
        self.url = f"gs://{bucket.name}/{prefix}".rstrip("/")

    @classmethod
    def from_url(
        cls,
        url: str,
        cache: Path | None = None,
        client: storage.Client | None = None,
        patience: float | None = None,
    ) -> GcsArtifactStore:
        """The store at `gs://bucket/prefix`, as `open_store` has it; copies lie in `~/.cache/churn`
        or `cache`, in a folder of this URL alone: what one store has deleted, another may have.

        Raises:
            ArtifactError: nobody is logged in to Google Cloud here.
        """
        parts = urlsplit(url)
        if parts.scheme != "gs" or not parts.netloc:
            raise ValueError(f"{url!r} is no bucket URL: use gs://bucket/prefix")
        try:
            bucket = checked(client or storage_client()).bucket(parts.netloc)
        except GoogleAuthError as error:
            raise ArtifactError(
                f"{url}: {error} Log in with `gcloud auth application-default login`"
            ) from error
        root, prefix = cache or Path.home() / ".cache" / "churn", parts.path.strip("/")
        copies = root / quote(f"{parts.netloc}/{prefix}".rstrip("/"), safe="")
        return cls(bucket, prefix, copies, patience)

    @explained
    def is_begun(self) -> bool:
        return any(self._listed(self.prefix, page_size=20))

    @explained
    def put(self, name: str, folder: Path) -> Artifact:
        files = tree_files(folder)
        artifact = Artifact(name=name, sha256=tree_sha256(files))
        manifest = self._manifest(name, artifact.version)
        expected = {path: file_crc32c(folder / path) for path in files}
        if self._is_published(artifact, files) and self._stored(artifact) == expected:
            return artifact
        in_parallel(lambda path: self._upload(artifact, folder, path), files)
        found = self._stored(artifact)
        if wrong := sorted(path for path in expected if found.get(path) != expected[path]):
            raise ArtifactError(f"{self.url}: upload of {name} damaged {wrong}; try again")
        if others := sorted(found.keys() - expected.keys()):
            raise ArtifactError(
                f"{self.url}: somebody put {others} into {artifact.path}: remove them there, and "
                "try again"
            )
        content = {"sha256": artifact.sha256, "files": files}
        manifest.upload_from_string(json.dumps(content, indent=1), "application/json")
        return artifact

    @explained
    def get(self, artifact: Artifact) -> Path:
        files = self._files(artifact)  # first: what was deleted is gone, cached or not
        target = self.cache / artifact.path
        if hold_copy(target):
            try:
                return verified(target, artifact)
            except DamagedArtifactError:
                shutil.rmtree(target)  # a damaged cache heals itself
        self._fetch(artifact, files, target)
        while not hold_copy(target):  # somebody removed the artifact meanwhile, which is said then
            self._fetch(artifact, files, target)
        return target

    @explained
    def read(self, artifact: Artifact, pattern: str) -> dict[str, bytes]:
        files = self._files(artifact)
        found: dict[str, bytes] = {}
        for path in fnmatch.filter(sorted(files), pattern):
            blob = self.bucket.blob(f"{self.prefix}{artifact.path}/{path}")
            found[path] = blob.download_as_bytes()
            if hashlib.sha256(found[path]).hexdigest() != files[path]:
                raise DamagedArtifactError(f"{self.url}: {path} of {artifact.name} is damaged")
        return found

    @explained
    def versions(self, name: str) -> list[str]:
        prefix = f"{self.prefix}manifests/{name}/"
        blobs = self._listed(prefix, delimiter="/")
        found = sorted((blob.time_created, blob.name) for blob in blobs)
        return [path.removeprefix(prefix).removesuffix(".json") for _, path in found]

    @explained
    def artifacts(self) -> list[Artifact]:
        root = f"{self.prefix}manifests/"
        found = []
        for blob in sorted(self._listed(root), key=lambda blob: (blob.time_created, blob.name)):
            name = blob.name.removeprefix(root).rpartition("/")[0]
            try:
                sha256 = parse_manifest(blob.download_as_bytes(), blob.name, self.url).sha256
                found.append(Artifact(name=name, sha256=sha256))
            except DamagedArtifactError as error:
                log.warning("passed over: %s", error)
        return found

    @explained
    def delete(self, name: str, version: str) -> None:
        # The manifest goes first: a half-deleted artifact is already none.
        prefix = f"{self.prefix}objects/{name}/{version}/"
        doomed = [blob.name for blob in self._listed(prefix)]
        self.bucket.delete_blobs([self._manifest(name, version)], on_error=_already_gone)
        self.bucket.delete_blobs(doomed, on_error=_already_gone)
        remove_abandoned(iter([self.cache / "objects" / name / version]))

    @explained
    def drop_copies(self) -> None:
        root = f"{self.prefix}manifests/"
        names = [blob.name for blob in self._listed(root)]
        stored = {name.removeprefix(root).removesuffix(".json") for name in names}
        objects = self.cache / "objects"
        copies = version_folders(objects)
        remove_abandoned(c for c in copies if c.relative_to(objects).as_posix() not in stored)

    @explained
    def remove_unnamed(self, prefix: str, named: Callable[[], Collection[str]]) -> None:
        root, oldest = f"{self.prefix}manifests/", datetime.now(UTC) - UPLOAD_LIMIT
        found = list(self._listed(f"{root}{prefix}/"))
        kept = named()
        for blob in found:
            name, _, version = blob.name[len(root) :].removesuffix(".json").rpartition("/")
            if blob.time_created < oldest and f"objects/{name}/{version}" not in kept:
                self.delete(name, version)

    @explained
    def sweep(self) -> None:
        remove_abandoned(staging_folders(self.cache / "objects"))
        self.drop_copies()
        newest: dict[str, datetime] = {}
        uploads: dict[str, list[str]] = {}
        root = f"{self.prefix}objects/"
        for blob in self._listed(root):
            if found := VERSION_FOLDER.match(blob.name, len(root)):
                newest[found[1]] = max(newest.get(found[1], blob.updated), blob.updated)
                uploads.setdefault(found[1], []).append(blob.name)
        for name, age in newest.items():
            abandoned = age < datetime.now(UTC) - UPLOAD_LIMIT
            if abandoned and not self.bucket.blob(f"{self.prefix}manifests/{name}.json").exists():
                self.bucket.delete_blobs(uploads[name], on_error=_already_gone)

    @explained
    def pointers(self, prefix: str = "") -> list[str]:
        root = f"{self.prefix}pointers/"
        below = f"{root}{prefix}/" if prefix else root
        return sorted(blob.name.removeprefix(root) for blob in self._listed(below))

    @explained
    def read_pointer(self, key: str) -> bytes | None:
        blob = self.bucket.blob(f"{self.prefix}pointers/{key}")
        try:
            content: bytes = blob.download_as_bytes(**self._hurry)
        except NotFound as error:
            self._require_bucket(error)
            return None
        return content

    @explained
    def write_pointer(self, key: str, content: bytes) -> None:
        for _ in range(POINTER_ATTEMPTS):
            try:
                return self._write_generation(key, content, self._read_generation(key)[1])
            except PointerMovedError:
                continue  # somebody wrote between the two calls; this content is to come last
        raise PointerMovedError(f"{self.url}: pointer {key} is being written by somebody else")

    @explained
    def delete_pointer(self, key: str) -> None:
        try:
            self.bucket.delete_blob(f"{self.prefix}pointers/{key}")
        except NotFound as error:
            self._require_bucket(error)

    @explained
    def swap_pointer(self, key: str, expected: bytes | None, content: bytes) -> None:
        found, generation = self._read_generation(key)
        if found != expected:
            raise PointerMovedError(f"{self.url}: pointer {key} was moved meanwhile; read it again")
        self._write_generation(key, content, generation)

    def _read_generation(self, key: str) -> tuple[bytes | None, int]:
        """A pointer's content and the generation it was read from (0: there is none)."""
        for _ in range(POINTER_ATTEMPTS):
            blob = self.bucket.blob(f"{self.prefix}pointers/{key}")
            try:
                blob.reload()
            except NotFound as error:
                self._require_bucket(error)
                return None, 0
            generation: int = blob.generation  # kept: a download overwrites the blob's properties
            try:
                return blob.download_as_bytes(if_generation_match=generation), generation
            except (NotFound, PreconditionFailed):
                continue  # replaced between the two calls
        raise PointerMovedError(f"{self.url}: pointer {key} is being written by somebody else")

    def _write_generation(self, key: str, content: bytes, generation: int) -> None:
        """Replace the pointer if it is still of this generation.

        The client asks again where the answer was lost. A write that had taken effect is refused
        then, by itself: so each has a mark of its own, which tells it from somebody else's of the
        same content.
        """
        blob = self.bucket.blob(f"{self.prefix}pointers/{key}")
        blob.cache_control, blob.metadata = "no-store", {WRITE: uuid.uuid4().hex}
        try:
            blob.upload_from_string(
                content, "application/octet-stream", if_generation_match=generation
            )
        except PreconditionFailed as error:
            there = self.bucket.get_blob(blob.name)
            if there is not None and there.metadata == blob.metadata:
                return
            message = f"{self.url}: pointer {key} was moved meanwhile; read it again"
            raise PointerMovedError(message) from error

    def _listed(self, prefix: str, **options: Any) -> Iterator[storage.Blob]:
        """What the bucket has below a prefix, but for the empty objects that stand for folders in
        consoles."""
        try:
            for blob in self.bucket.client.list_blobs(self.bucket, prefix=prefix, **options):
                if blob.size or not blob.name.endswith("/"):
                    yield blob
        except NotFound as error:
            raise ArtifactError(
                f"{self.url}: no such bucket: correct CHURN_STORE, or bring the bucket back"
            ) from error

    def _require_bucket(self, missing: NotFound) -> None:
        """Raises ArtifactError where it isn't an object that is missing, but the bucket. Only who
        isn't told which (as by an emulator) asks."""
        if NO_OBJECT not in str(missing):
            next(self._listed(self.prefix, max_results=1, **self._hurry), None)

    def _manifest(self, name: str, version: str) -> storage.Blob:
        return self.bucket.blob(f"{self.prefix}manifests/{name}/{version}.json")

    def _files(self, artifact: Artifact) -> dict[str, str]:
        """Path -> SHA-256 of an artifact's files, as its manifest lists them."""
        try:
            content = self._manifest(artifact.name, artifact.version).download_as_bytes()
        except NotFound as error:
            self._require_bucket(error)
            raise DamagedArtifactError(
                f"{artifact.name} {artifact.version} is not in the store {self.url}; "
                "materialize the asset again"
            ) from error
        return listed_files(content, artifact, self.url)

    def _is_published(self, artifact: Artifact, files: dict[str, str]) -> bool:
        try:
            return self._files(artifact) == files
        except DamagedArtifactError:
            return False

    def _stored(self, artifact: Artifact) -> dict[str, str]:
        """Path -> CRC32C (base64) of the objects of an artifact that are in the bucket."""
        prefix = f"{self.prefix}{artifact.path}/"
        return {blob.name.removeprefix(prefix): blob.crc32c for blob in self._listed(prefix)}

    def _upload(self, artifact: Artifact, folder: Path, path: str) -> None:
        blob = self.bucket.blob(f"{self.prefix}{artifact.path}/{path}", chunk_size=CHUNK)
        blob.upload_from_filename(str(folder / path))

    def _fetch(self, artifact: Artifact, files: Iterable[str], target: Path) -> None:
        """Make the local copy of an artifact."""
        with staging_folder(self.cache / "objects", target) as staging:
            tree = staging / "tree"
            tree.mkdir()
            in_parallel(lambda path: self._download(artifact, tree, path), files)
            publish_folder(tree, target, artifact)

    def _download(self, artifact: Artifact, folder: Path, path: str) -> None:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.bucket.blob(f"{self.prefix}{artifact.path}/{path}").download_to_filename(
                str(target)
            )
        except NotFound as error:
            self._require_bucket(error)
            raise DamagedArtifactError(
                f"{self.url}: {artifact.name} {artifact.version} lacks its file {path}; "
                "materialize the asset again"
            ) from error


def in_parallel(task: Callable[[str], Any], items: Iterable[str]) -> None:
    """Run `task` on each item in a few threads; raises the first error."""
    with ThreadPoolExecutor(max_workers=TRANSFERS) as pool:
        for _ in pool.map(task, items):
            pass


def _already_gone(blob: object) -> None:
    """Deleting what is not there is no error."""
