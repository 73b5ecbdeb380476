"""Which versions of an artifact leave a store."""

from __future__ import annotations

from pathlib import Path

import pytest

from churn_assets.storage.protocol import ArtifactStore, DamagedArtifactError
from churn_assets.storage.retention import SPARED, prune, spare
from tests.storage.test_artifact_store import write_tree


def test_pruning_keeps_the_newest_and_the_current(store: ArtifactStore, tmp_path: Path) -> None:
    """A model made again after a roll-back may be the oldest version and yet the one in use."""
    made = [
        store.put("model", write_tree(tmp_path / str(i), {"a": bytes([i])})).version
        for i in range(5)
    ]
    assert prune(store, "model", keep=3, current=made[0]) == [made[1]]
    assert store.versions("model") == [made[0], *made[2:]]
    assert prune(store, "model", keep=5, current=made[4]) == []
    assert prune(store, "model", keep=9, current=made[4]) == []


def test_pruning_spares_what_somebody_needs(store: ArtifactStore, tmp_path: Path) -> None:
    """What a release still names is kept, of this name and no other; a note that can't be read
    removes nothing."""
    made = [
        store.put(name, write_tree(tmp_path / f"{name}{i}", {"a": bytes([i])}))
        for i in range(4)
        for name in ("model", "table")
    ]
    models, tables = made[::2], made[1::2]
    spare(store, {"a release": (models[0], tables[1]), "another": ()})
    assert prune(store, "model", keep=1, current=models[3].version) == [
        artifact.version for artifact in models[1:3]
    ]
    store.write_pointer(SPARED, b"[")
    with pytest.raises(DamagedArtifactError, match=r"spared\.json is damaged: .*delete it"):
        prune(store, "table", keep=1, current=tables[3].version)
    assert len(store.versions("table")) == 4
    store.delete_pointer(SPARED)
    assert len(prune(store, "table", keep=1, current=tables[3].version)) == 3
