"""Whose customers a kept release is for, and the offers that a decision's level meant in it."""

from __future__ import annotations

import logging

from churn_assets.customers.schema import FILE, CustomerSchema
from churn_assets.domain.offers import Offers
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.storage.protocol import Artifact, ArtifactStore, DamagedArtifactError

log = logging.getLogger(__name__)


def offers_by_release(store: ArtifactStore) -> dict[str, Offers]:
    """Release id -> its contract's own offers; those with the built-in ones are left out, and those
    that are damaged, which the log says."""
    found = {}
    for record in ReleaseRegistry(store).records():
        try:
            customers = _customers_of(store, record.artifact)
        except DamagedArtifactError as error:
            release = record.release_id
            log.warning("decisions of %s count as of the built-in offers: %s", release, error)
            continue
        if customers is not None and customers.offers is not None:
            found[record.release_id] = customers.offers
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
    return _customers_of(store, serving.artifact) if serving else None


def _customers_of(store: ArtifactStore, release: Artifact) -> CustomerSchema | None:
    contract = store.read(release, FILE).get(FILE)
    return None if contract is None else CustomerSchema.model_validate_json(contract)
