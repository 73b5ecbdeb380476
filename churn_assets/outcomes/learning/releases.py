"""Which accept model each release decided with: kept for longer than the releases are."""

from __future__ import annotations

import json
import logging
from typing import Any

from pydantic import TypeAdapter

from churn_assets.release.bundle import ReleaseError
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.storage.current import parse_pointer
from churn_assets.storage.protocol import ArtifactStore, DamagedArtifactError

POINTER = "outcomes/accept_models.json"
LOST = "restore it, or delete it (outcomes of releases that are gone then teach nothing)"
_KNOWN = TypeAdapter(dict[str, dict[str, Any]])
log = logging.getLogger(__name__)


def accept_models(store: ArtifactStore) -> dict[str, dict[str, Any]]:
    """Release id -> `responses`, `offsets`, `slopes` and `steps` of its accept model: of the
    releases that there are, and of those that there were whenever this was asked for before (it
    notes them). Outcomes of one whose files are damaged teach nothing, which the log says.

    Raises:
        ArtifactError: what was noted can't be read, or the store can't.
    """
    noted = store.read_pointer(POINTER)
    known = {} if noted is None else parse_pointer(_KNOWN, store.url, POINTER, noted, LOST)
    registry = ReleaseRegistry(store)
    found = dict(known)
    for record in registry.records():
        if record.release_id in found:
            continue
        try:
            accept = registry.manifest(record.release_id).report.get("accept", {})
        except (DamagedArtifactError, ReleaseError) as error:
            log.warning("outcomes of %s teach nothing: %s", record.release_id, error)
            continue
        found[record.release_id] = {
            "responses": accept.get("responses", ""),
            "offsets": accept.get("offsets", []),
            "slopes": accept.get("slopes", []),
            "steps": accept.get("steps"),
        }
    if found != known:
        store.write_pointer(POINTER, json.dumps(found, sort_keys=True).encode())
    return found
