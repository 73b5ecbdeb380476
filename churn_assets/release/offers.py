"""Which offers each kept release makes: what a decision's level meant when it was made."""

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
            offers = _own_offers(store, record.artifact)
        except DamagedArtifactError as error:
            release = record.release_id
            log.warning("decisions of %s count as of the built-in offers: %s", release, error)
            continue
        if offers is not None:
            found[record.release_id] = offers
    return found


def offers_in_service(store: ArtifactStore) -> Offers:
    """Those of the release in service; the built-in ones where there is none, or it names none."""
    serving = ReleaseRegistry(store).serving()
    return (_own_offers(store, serving.artifact) if serving else None) or Offers()


def _own_offers(store: ArtifactStore, release: Artifact) -> Offers | None:
    contract = store.read(release, FILE).get(FILE)
    return None if contract is None else CustomerSchema.model_validate_json(contract).offers
