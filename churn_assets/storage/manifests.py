"""The manifest that publishes an artifact in a bucket, as it is read, whoever wrote it."""

from __future__ import annotations

from pathlib import PurePosixPath

from pydantic import BaseModel, ValidationError

from churn_assets.storage.protocol import Artifact, DamagedArtifactError
from churn_assets.storage.trees import tree_sha256


class FilesManifest(BaseModel):
    """What publishes an artifact: the digest of its tree and of each of its files."""

    sha256: str
    files: dict[str, str]


def parse_manifest(content: bytes, what: str, url: str) -> FilesManifest:
    """What a manifest says; raises DamagedArtifactError, which names `what` and the store."""
    try:
        return FilesManifest.model_validate_json(content)
    except ValidationError as error:
        raise DamagedArtifactError(
            f"{url}: the list of files of {what} is damaged; materialize the asset again"
        ) from error


def listed_files(content: bytes, artifact: Artifact, url: str) -> dict[str, str]:
    """Path -> SHA-256 of an artifact's files, as its manifest at the store `url` lists them.

    Raises:
        DamagedArtifactError: it can't be read, names files outside of the artifact, or others than
            the artifact's digest is of.
    """
    name = f"{artifact.name} {artifact.version}"
    files = parse_manifest(content, name, url).files
    if outside := [p for p in files if p.startswith("/") or ".." in PurePosixPath(p).parts]:
        raise DamagedArtifactError(
            f"{url}: the manifest of {name} names files outside of it: {outside}"
        )
    if tree_sha256(files) != artifact.sha256:
        raise DamagedArtifactError(
            f"{url}: the list of files of {name} isn't that of its digest; materialize the asset "
            "again"
        )
    return files
