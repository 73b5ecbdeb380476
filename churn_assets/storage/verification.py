"""An artifact as it lies on disk: verified byte for byte, published by one rename."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from churn_assets.storage.protocol import (
    VERSION,
    Artifact,
    ArtifactError,
    DamagedArtifactError,
)
from churn_assets.storage.trees import flush, tree_files, tree_sha256


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


def version_folders(objects: Path) -> Iterator[Path]:
    """The folders `<name>/<version>` below `objects`."""
    for place, folders, _ in os.walk(objects):
        yield from (Path(place) / name for name in folders if VERSION.fullmatch(name))
        folders[:] = [name for name in folders if name[0] != "." and not VERSION.fullmatch(name)]


def ages_of(parent: Path) -> dict[str, int]:
    """Name -> time of publication (ns) of the versions in `parent`."""
    found = {}
    for path in parent.iterdir() if parent.is_dir() else ():
        with suppress(FileNotFoundError):  # removed meanwhile
            if path.is_dir() and not path.name.startswith("."):
                found[path.name] = path.stat().st_mtime_ns
    return found


def publish_folder(tree: Path, target: Path, artifact: Artifact) -> Path:
    """Verify a complete folder and rename it to its place; another writer of the same may win."""
    verified(tree, artifact)
    # Its age is the time of publication; where a clock was set back, still younger than the others.
    age = max(time.time_ns(), 1 + max(ages_of(target.parent).values(), default=0))
    os.utime(tree, ns=(age, age))
    try:
        published = tree.rename(target)
    except OSError as error:
        if error.errno not in {errno.EEXIST, errno.ENOTEMPTY}:
            raise
        return verified(target, artifact)
    flush(target.parent)
    return published
