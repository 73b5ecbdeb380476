"""What the store has that the reports are made of, beside the outcomes themselves."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from churn_assets.release.bundle import Manifest, ReleaseError
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.storage.current import asset_pointer, current_artifact, read_report
from churn_assets.storage.protocol import Artifact, ArtifactStore, DamagedArtifactError

log = logging.getLogger(__name__)


def learnt_from_and_today(
    artifacts: ArtifactStore, manifest: Manifest | None
) -> tuple[Path, Path] | str:
    """Folders of the customers that the release in service learnt from, and of those of today; or
    why there aren't both. A newer `customer_history` than the release's says nothing of it."""
    active = latest(artifacts, "active_customers")
    if active is None or manifest is None:
        what = "customers are materialized" if active is None else "release serves"
        return f"No {what} yet, so there are none to compare."
    if manifest.customers is None:
        return (
            f"Release {manifest.release_id} doesn't say which customers it learnt from: those of "
            "the next release will be compared with today's."
        )
    if manifest.customers.version not in artifacts.versions(manifest.customers.name):
        return (
            f"The customers that release {manifest.release_id} learnt from are no longer in the "
            "store, so today's can't be compared with them."
        )
    return artifacts.get(manifest.customers), artifacts.get(active)


def latest(artifacts: ArtifactStore, asset: str) -> Artifact | None:
    """The asset's current artifact; None before it was ever materialized."""
    if artifacts.read_pointer(asset_pointer(asset)) is None:
        return None
    return current_artifact(artifacts, asset)


def latest_report(artifacts: ArtifactStore, asset: str) -> dict[str, Any]:
    """What the asset's current artifact reports; empty before there is any."""
    artifact = latest(artifacts, asset)
    return read_report(artifacts, artifact) if artifact else {}


def challenger(registry: ReleaseRegistry, serving: str) -> Path | None:
    """Folder of the newest kept release that doesn't serve and wasn't withdrawn; damaged ones are
    passed over, which the log says."""
    for record in reversed(registry.records()):
        if record.release_id == serving or record.withdrawn:
            continue
        try:
            return registry.open(record)
        except (DamagedArtifactError, ReleaseError) as error:
            log.warning("%s isn't judged: %s", record.release_id, error)
    return None
