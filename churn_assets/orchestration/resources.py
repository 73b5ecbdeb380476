"""The Dagster side of the artifact store: a thin resource and the artifact IO manager.

No postponed annotations here: Dagster reads the types of a resource's fields.
"""

from pathlib import Path
from typing import Any

import dagster as dg

from churn_assets.storage.current import asset_pointer, current_artifact, read_report
from churn_assets.storage.opening import open_store
from churn_assets.storage.protocol import Artifact, ArtifactStore
from churn_assets.storage.retention import prune
from churn_assets.storage.trees import write_atomically

SAME = "looked at again, and the same to the byte"
"""Of what isn't a stage: its source, or the time, may have changed, which is known only then."""
KEPT_VERSIONS = 5  # of each artifact; a run that is under way may still read the one before


class StoreResource(dg.ConfigurableResource):
    """The artifact store at `url`: a folder, or `gs://bucket/prefix` with its copies in `cache`."""

    url: str
    cache: str

    def client(self) -> Any:
        """The Google Cloud Storage client of a store in a bucket; None for a folder."""
        return None

    def open(self) -> ArtifactStore:
        """The store, ready to be read and written; of a bucket, copies of what is read are kept in
        `cache`."""
        return open_store(self.url, cache=Path(self.cache), client=self.client())

    def report(self, artifact: Artifact) -> dict[str, Any]:
        """The `report.json` of a stage's artifact."""
        return read_report(self.open(), artifact)


def put_input(store: ArtifactStore, name: str, folder: Path) -> Artifact:
    """Store a stage's input that is no asset, and let its old versions go: nobody else does."""
    kept = store.put(name, folder)
    prune(store, name, KEPT_VERSIONS, current=kept.version)
    return kept


class ArtifactIOManager(dg.ConfigurableIOManager):
    """Hands an asset's `Artifact` (name and digest, never the object) to the assets below it.

    Attributes:
        ahead: the folder in which a process that makes stages ahead of a run names what it made: in
            the store that is the run's to do. Empty: the store.
    """

    store: dg.ResourceDependency[StoreResource]
    ahead: str = ""

    def handle_output(self, context: dg.OutputContext, obj: Artifact | None) -> None:
        """Point the asset's name at its artifact, and let old versions go.

        The same artifact as before changes nothing, and the materialization says so. Raises
        TypeError for an asset that returns anything else.
        """
        if obj is None:  # an asset that makes no artifact of its own
            return
        if not isinstance(obj, Artifact):
            raise TypeError(
                f"{context.asset_key.to_user_string()} must return an Artifact, got {type(obj)}"
            )
        if self.ahead:
            write_atomically(self._ahead(context), obj.model_dump_json().encode())
            return
        store = self.store.open()
        key, content = asset_pointer(context.asset_key.to_user_string()), obj.model_dump_json()
        if store.read_pointer(key) == content.encode():
            if context.output_metadata.keys().isdisjoint(("seconds", "unchanged")):
                context.add_output_metadata({"unchanged": SAME})
            return
        store.write_pointer(key, content.encode())
        prune(store, obj.name, KEPT_VERSIONS, current=obj.version)

    def load_input(self, context: dg.InputContext) -> Artifact:
        """The artifact that the asset above points at now; raises ArtifactError where there is
        none."""
        if self.ahead and (named := self._ahead(context)).exists():
            return Artifact.model_validate_json(named.read_bytes())
        return current_artifact(self.store.open(), context.asset_key.to_user_string())

    def _ahead(self, context: dg.OutputContext | dg.InputContext) -> Path:
        return Path(self.ahead) / f"{context.asset_key.to_user_string()}.pointer"
