"""The Dagster side of settings and artifact store: thin resources and the artifact IO manager.

No postponed annotations here: Dagster reads the types of a resource's fields.
"""

from typing import Any

import dagster as dg

from churn_assets.resources.artifact_store import (
    Artifact,
    ArtifactStore,
    open_store,
    read_report,
)
from churn_assets.settings import Settings, load_settings


class SettingsResource(dg.ConfigurableResource):
    """The product's settings, read from the environment once per process."""

    def get(self) -> Settings:
        return load_settings()


class StoreResource(dg.ConfigurableResource):
    """The artifact store that the settings name."""

    settings: dg.ResourceDependency[SettingsResource]

    def open(self) -> ArtifactStore:
        settings = self.settings.get()
        return open_store(settings.store_url, cache=settings.home / "cache")

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
        self.store.open().write_pointer(
            pointer_key(context.asset_key), obj.model_dump_json().encode()
        )

    def load_input(self, context: dg.InputContext) -> Artifact:
        key = pointer_key(context.asset_key)
        content = self.store.open().read_pointer(key)
        if content is None:
            name = context.asset_key.to_user_string()
            raise FileNotFoundError(f"{name} was never materialized: run `churn materialize` first")
        return Artifact.model_validate_json(content)


def pointer_key(asset_key: dg.AssetKey) -> str:
    """Where the store keeps the current `Artifact` of an asset."""
    return "assets/" + "/".join(asset_key.path) + ".json"
