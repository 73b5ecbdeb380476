"""Open the artifact store that a URL names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import ArtifactStore
from churn_assets.storage.trees import write_atomically

if TYPE_CHECKING:
    from google.cloud import storage


def open_store(
    url: str,
    cache: Path | None = None,
    client: storage.Client | None = None,
    patience: float | None = None,
) -> ArtifactStore:
    """The store at `url`: a local folder, or `gs://bucket/prefix` (cached below `cache`).

    Args:
        client: the storage client to use instead of one with application-default credentials.
        patience: seconds after which a bucket's pointer counts as not to be read; None: as long as
            the client tries by itself, two minutes.
    """
    if url.startswith("gs://"):
        # Imported here: the client library costs a second that a local folder need not pay.
        from churn_assets.storage.gcs import GcsArtifactStore

        return GcsArtifactStore.from_url(url, cache=cache, client=client, patience=patience)
    if "://" in url:
        raise ValueError(
            f"unknown artifact store {url!r}: use a local folder or gs://bucket/prefix"
        )
    return LocalArtifactStore(Path(url))


def write_file(url: str, name: str, content: bytes, client: storage.Client | None = None) -> str:
    """Write a file for somebody else's program: whole or not at all, over one of the same name.

    Args:
        url: a local folder, which is made where it is missing, or `gs://bucket/prefix`.
        client: as for `open_store`.

    Returns:
        Where it is now.

    Raises:
        OSError, ArtifactError: it can't be written.
    """
    if url.startswith("gs://"):
        from churn_assets.storage.uploading import upload

        return upload(url, name, content, client)
    write_atomically(Path(url) / name, content)
    return str(Path(url) / name)
