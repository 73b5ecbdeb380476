"""Which resources a store needs: a folder none beside its own, a bucket Google Cloud's client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from churn_assets.orchestration.resources import StoreResource


def store_resources(url: str, cache: Path) -> dict[str, Any]:
    """What is bound for the store at `url`: `store`, and for a bucket the resource `gcs`, too."""
    if not url.startswith("gs://"):
        return {"store": StoreResource(url=url, cache=str(cache))}
    # Imported here: a local run need not pay for Google's clients.
    from dagster_gcp.gcs import GCSResource

    from churn_assets.orchestration.bucket import BucketStoreResource

    gcs = GCSResource()
    return {"store": BucketStoreResource(url=url, cache=str(cache), gcs=gcs), "gcs": gcs}
