"""The customers that the kept releases learnt from stay in the store as long as those do.

Today's customers are compared with those that the release in service learnt from. While its
challengers are refused, any number of newer histories may come.
"""

from __future__ import annotations

import logging

from pydantic import BaseModel

from churn_assets.release.bundle import MANIFEST
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.storage.protocol import Artifact, DamagedArtifactError
from churn_assets.storage.retention import spare, spared

log = logging.getLogger(__name__)


class _Learnt(BaseModel):
    """What is asked of a release's manifest, of whichever version."""

    customers: Artifact | None = None


def spare_learnt_from(registry: ReleaseRegistry) -> None:
    """Let `storage.retention.prune` spare them, and no longer those of releases that are gone. Of a
    release whose files are damaged nothing is known, which the log says."""
    store, known = registry.store, spared(registry.store)
    needed: dict[str, tuple[Artifact, ...]] = {}
    for record in registry.records():
        if record.release_id in known:
            needed[record.release_id] = known[record.release_id]
            continue
        try:
            manifest = store.read(record.artifact, MANIFEST).get(MANIFEST, b"{}")
        except DamagedArtifactError as error:
            log.warning("the customers of %s may be removed: %s", record.release_id, error)
            continue
        customers = _Learnt.model_validate_json(manifest).customers
        needed[record.release_id] = (customers,) if customers else ()
    if needed != known:
        spare(store, needed)
