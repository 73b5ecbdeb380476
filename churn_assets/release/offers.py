"""Which offers each kept release makes: what a decision's level meant when it was made."""

from __future__ import annotations

from churn_assets.customers.schema import FILE, CustomerSchema
from churn_assets.domain.offers import Offers
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.storage.protocol import ArtifactStore


def offers_by_release(store: ArtifactStore) -> dict[str, Offers]:
    """Release id -> its contract's own offers; those with the built-in ones are left out."""
    found = {}
    for record in ReleaseRegistry(store).records():
        for content in store.read(record.artifact, FILE).values():
            offers = CustomerSchema.model_validate_json(content).offers
            if offers is not None:
                found[record.release_id] = offers
    return found


def offers_in_service(store: ArtifactStore) -> Offers:
    """Those of the release in service; the built-in ones where there is none, or it names none."""
    serving = ReleaseRegistry(store).serving()
    return offers_by_release(store).get(serving.release_id, Offers()) if serving else Offers()
