"""What an artifact store is: immutable, content-addressed folders and small movable pointers.

Assets exchange `Artifact`s (a name and a digest), never objects. The folder behind an artifact is
written once, under its own digest, by an atomic rename; whoever reads it gets a local copy whose
every byte was verified. A pointer is a small file (which release is the latest?) that is replaced
atomically. The same contract holds on a local folder (`local.py`) and on Google Cloud Storage
(`gcs.py`); `opening.open_store` picks one by URL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

VERSION = re.compile(r"[0-9a-f]{16}")


class ArtifactError(RuntimeError):
    """An artifact or pointer that can't be had."""


class DamagedArtifactError(ArtifactError):
    """An artifact or pointer that is missing or not what it should be: asking again won't help."""


class PointerMovedError(ArtifactError):
    """Somebody else moved a pointer between reading and writing it."""


class Artifact(BaseModel):
    """A folder in the store: `name` says what it is, `sha256` (of the whole tree) which version."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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


class ArtifactStore(Protocol):
    """What the graph, the API and the GPU programs need of a store."""

    url: str

    def is_begun(self) -> bool:
        """Whether anything was ever stored; no of a place that is merely mistyped."""
        ...

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

    def remove_unnamed(self, prefix: str, named: Callable[[], Collection[str]]) -> None:
        """Remove the versions of artifacts below `prefix`, whole or not, whose paths `named`
        doesn't give; none that a living process has put (in a bucket: that was put within a day).
        """
        ...

    def sweep(self) -> None:
        """Remove what writers that were killed left behind, nothing that is being written; and this
        machine's outdated copies (`drop_copies`)."""
        ...

    def drop_copies(self) -> None:
        """Remove this machine's copies of what isn't stored any more; none that a process uses."""
        ...

    def pointers(self, prefix: str = "") -> list[str]:
        """The keys of all pointers that begin with `prefix` (whole folders), sorted."""
        ...

    def read_pointer(self, key: str) -> bytes | None:
        """The pointer's content, or None if it was never written.

        Raises:
            ArtifactError: it can't be read, or the store itself is gone: what it said isn't known.
        """
        ...

    def write_pointer(self, key: str, content: bytes) -> None:
        """Replace the pointer atomically: a reader sees the old content or the new, no mixture."""
        ...

    def delete_pointer(self, key: str) -> None:
        """Remove the pointer; one that is not there is no error."""
        ...

    def swap_pointer(self, key: str, expected: bytes | None, content: bytes) -> None:
        """Replace the pointer if it still holds `expected` (None: if there is none yet).

        Raises:
            PointerMovedError: it holds something else; nothing was written.
        """
        ...
