"""One file in a bucket, for somebody else's program."""

from __future__ import annotations

from urllib.parse import urlsplit

from google.cloud import storage

from churn_assets.storage.answers import REFUSALS, checked
from churn_assets.storage.gcs import storage_client
from churn_assets.storage.protocol import ArtifactError


def upload(url: str, name: str, content: bytes, client: storage.Client | None = None) -> str:
    """Write one object below `gs://bucket/prefix`, over one of the same name; returns its URL.

    Raises:
        ArtifactError: it can't be written.
    """
    parts = urlsplit(url)
    path = "/".join(part for part in (parts.path.strip("/"), name) if part)
    try:
        blob = checked(client or storage_client()).bucket(parts.netloc).blob(path)
        blob.upload_from_string(content, "application/octet-stream")
    except REFUSALS as error:
        raise ArtifactError(f"{url}: {error}") from error
    return f"gs://{parts.netloc}/{path}"
