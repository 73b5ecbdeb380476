"""The store in a bucket, for Dagster: it asks the bound resource of Google Cloud for its client.

No postponed annotations here: Dagster reads the types of a resource's fields.
"""

import dagster as dg
from dagster_gcp.gcs import GCSResource
from google.cloud import storage

from churn_assets.orchestration.resources import StoreResource


class BucketStoreResource(StoreResource):
    """The artifact store at `gs://bucket/prefix`, reached through the resource `gcs`."""

    gcs: dg.ResourceDependency[GCSResource]

    def client(self) -> storage.Client:
        """The client that `gcs` makes."""
        return self.gcs.get_client()
