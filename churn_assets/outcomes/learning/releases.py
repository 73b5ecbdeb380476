"""Which accept model each release decided with: kept for longer than the releases are."""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter

from churn_assets.release.registry import ReleaseRegistry
from churn_assets.storage.current import parse_pointer
from churn_assets.storage.protocol import ArtifactStore

POINTER = "outcomes/accept_models.json"
LOST = "restore it, or delete it (outcomes of releases that are gone then teach nothing)"
_KNOWN = TypeAdapter(dict[str, dict[str, Any]])


def accept_models(store: ArtifactStore) -> dict[str, dict[str, Any]]:
    """Release id -> `responses`, `offsets`, `slopes` and `steps` of its accept model: of the
    releases that there are, and of those that there were whenever this was asked for before (it
    notes them).

    Raises:
        ArtifactError: a release's manifest can't be had, or what was noted can't be read.
    """
    noted = store.read_pointer(POINTER)
    known = {} if noted is None else parse_pointer(_KNOWN, store.url, POINTER, noted, LOST)
    registry = ReleaseRegistry(store)
    found = dict(known)
    for record in registry.records():
        if record.release_id not in found:
            accept = registry.manifest(record.release_id).report.get("accept", {})
            found[record.release_id] = {
                "responses": accept.get("responses", ""),
                "offsets": accept.get("offsets", []),
                "slopes": accept.get("slopes", []),
                "steps": accept.get("steps"),
            }
    if found != known:
        store.write_pointer(POINTER, json.dumps(found, sort_keys=True).encode())
    return found
