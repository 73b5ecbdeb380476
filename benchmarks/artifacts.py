"""Where the benchmarks find what the graph made last."""

from __future__ import annotations

from pathlib import Path

from churn_assets.settings import load_settings
from churn_assets.storage.current import current_artifact
from churn_assets.storage.opening import open_store


def current_folder(asset: str) -> Path:
    """The verified folder of an asset's newest materialization.

    Raises:
        ArtifactError: the asset was never materialized; the message says what to run.
    """
    settings = load_settings()
    store = open_store(settings.store_url, cache=settings.home / "cache")
    return store.get(current_artifact(store, asset))
