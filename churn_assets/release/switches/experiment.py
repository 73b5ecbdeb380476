"""Whether the experiment runs: the settings say so, unless `churn experiment on|off` was called.

The command writes the pointer `switches/experiment` of the artifact store, so that the API, the
nightly predictions and the campaign change together and without a restart.
"""

from __future__ import annotations

from churn_assets.domain.experiment import ExperimentConfig
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.storage.protocol import ArtifactError, ArtifactStore

POINTER = "switches/experiment"
STATES = {b"on": True, b"off": False}


def switched(store: ArtifactStore) -> bool | None:
    """What `churn experiment on|off` said last; None where nobody has called it.

    Raises:
        ArtifactError: the store can't be read, or the pointer says neither.
    """
    content = store.read_pointer(POINTER)
    if content is None:
        return None
    try:
        return STATES[content.strip().lower()]
    except KeyError:
        raise ArtifactError(
            f"{store.url}: the pointer {POINTER} says neither on nor off: run `churn experiment on`"
            " or `churn experiment off`"
        ) from None


def switch(store: ArtifactStore, *, on: bool) -> None:
    """Start or end the experiment for whoever uses this store."""
    store.write_pointer(POINTER, b"on" if on else b"off")


def in_force(
    store: ArtifactStore, settings: ExperimentConfig, *, own_customers: bool
) -> ExperimentConfig:
    """The settings with `enabled` as it holds now; raises what `switched` raises.

    Args:
        own_customers: whether a company's own are decided on. Where neither the command nor the
            settings say anything they are experimented with, also by a shell that doesn't name
            their contract.
    """
    said = switched(store)
    if said is None:
        said = own_customers if settings.enabled is None else settings.enabled
    return settings.model_copy(update={"enabled": said})


def own_customers_are_served(store: ArtifactStore) -> bool:
    """Whether the release in service is of a company's own customers; no where none can be used."""
    manifest = ReleaseRegistry(store).serving_manifest()
    return manifest is not None and bool(manifest.contract)
