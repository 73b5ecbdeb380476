"""Whose customers a kept release is for, and the offers that a decision's level meant in it."""

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
    return offers_to(customers_in_service(store))


def offers_to(customers: CustomerSchema | None) -> Offers:
    """What a contract's customers are offered; the built-in offers where it names none."""
    return (customers and customers.offers) or Offers()


def customers_in_service(store: ArtifactStore) -> CustomerSchema | None:
    """Whose contract the release in service was made for; None: the built-in one, or no release.

    Raises:
        ReleaseError: releases have served, but none of them can be used any more.
    """
    serving = ReleaseRegistry(store).serving()
    for content in store.read(serving.artifact, FILE).values() if serving else ():
        return CustomerSchema.model_validate_json(content)
    return None
