"""Open the artifact store that a URL names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import ArtifactStore

if TYPE_CHECKING:
    from google.cloud import storage


def open_store(
    url: str, cache: Path | None = None, client: storage.Client | None = None
) -> ArtifactStore:
    """The store at `url`: a local folder, or `gs://bucket/prefix` (cached below `cache`).

    `client` is the storage client to use instead of one with application-default credentials.
    """
    if url.startswith("gs://"):
        # Imported here: the client library costs a second that a local folder need not pay.
        from churn_assets.storage.gcs import GcsArtifactStore

        return GcsArtifactStore.from_url(url, cache=cache, client=client)
    if "://" in url:
        raise ValueError(
            f"unknown artifact store {url!r}: use a local folder or gs://bucket/prefix"
        )
    return LocalArtifactStore(Path(url))
