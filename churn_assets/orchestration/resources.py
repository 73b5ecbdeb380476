"""The Dagster side of settings and artifact store: thin resources and the artifact IO manager.

No postponed annotations here: Dagster reads the types of a resource's fields.
"""

from typing import Any

import dagster as dg

from churn_assets.settings import Settings, load_settings
from churn_assets.storage.current import asset_pointer, current_artifact, read_report
from churn_assets.storage.opening import open_store
from churn_assets.storage.protocol import Artifact, ArtifactStore
from churn_assets.storage.retention import prune

KEPT_VERSIONS = 5  # of each artifact; a run that is under way may still read the one before


class SettingsResource(dg.ConfigurableResource):
    """The product's settings, read from the environment once per process."""

    def get(self) -> Settings:
        return load_settings()


class StoreResource(dg.ConfigurableResource):
    """The artifact store that the settings name."""

    settings: dg.ResourceDependency[SettingsResource]

    def open(self) -> ArtifactStore:
        settings = self.settings.get()
        client = None
        if settings.store_url.startswith("gs://"):
            # Imported here: a local run need not pay for Google's clients.
            from dagster_gcp.gcs import GCSResource

            client = GCSResource().get_client()
        return open_store(settings.store_url, cache=settings.home / "cache", client=client)

    def report(self, artifact: Artifact) -> dict[str, Any]:
        """The `report.json` of a stage's artifact."""
        return read_report(self.open(), artifact)


class ArtifactIOManager(dg.ConfigurableIOManager):
    """Hands an asset's `Artifact` (name and digest, never the object) to the assets below it."""

    store: dg.ResourceDependency[StoreResource]

    def handle_output(self, context: dg.OutputContext, obj: Artifact | None) -> None:
        if obj is None:  # an asset that makes no artifact of its own
            return
        if not isinstance(obj, Artifact):
            raise TypeError(
                f"{context.asset_key.to_user_string()} must return an Artifact, got {type(obj)}"
            )
        store = self.store.open()
        key = asset_pointer(context.asset_key.to_user_string())
        store.write_pointer(key, obj.model_dump_json().encode())
        prune(store, obj.name, KEPT_VERSIONS, current=obj.version)

    def load_input(self, context: dg.InputContext) -> Artifact:
        return current_artifact(self.store.open(), context.asset_key.to_user_string())
