"""Whose customers the release in service is for, and the offers that a decision's level means."""

from __future__ import annotations

from pydantic import TypeAdapter

from churn_assets.customers.schema import FILE, CustomerSchema
from churn_assets.domain.offers import Offers, percent_of
from churn_assets.release.noted_offers import note_offers, noted_offers
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.storage.current import parse_json
from churn_assets.storage.protocol import ArtifactStore

ANEW = "build the release anew with `churn materialize`"
_SCHEMA = TypeAdapter(CustomerSchema)


def offers_by_release(store: ArtifactStore) -> dict[str, Offers]:
    """Release id -> its contract's own offers, of all releases that there ever were; those with the
    built-in ones are left out, and those that are damaged and weren't noted, which the log says."""
    kept = {record.release_id: record.artifact for record in ReleaseRegistry(store).records()}
    note_offers(store, kept)  # those from before offers were noted
    noted = noted_offers(store)
    return {release_id: offers for release_id, offers in noted.items() if offers is not None}


def percent_offered(store: ArtifactStore) -> frozenset[int]:
    """Every percentage of every release that was noted, gone or not. An answer may come after
    the next release, which offers others, but it speaks of what was offered to that customer."""
    return frozenset(each for offers in noted_offers(store).values() for each in percent_of(offers))


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
        DamagedArtifactError: its contract is none, as another version of the product reads it.
    """
    serving = ReleaseRegistry(store).serving()
    if serving is None:
        return None
    contract = store.read(serving.artifact, FILE).get(FILE)
    where = f"{FILE} of release {serving.release_id}"
    return None if contract is None else parse_json(_SCHEMA, where, contract, ANEW)
