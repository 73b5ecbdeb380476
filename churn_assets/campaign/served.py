"""Whether what is planned and sent is of the customers, and with the offers, of the release in
service."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from churn_assets.campaign.errors import CampaignError
from churn_assets.customers.built_in import BUILT_IN_SCHEMA
from churn_assets.customers.schema import CustomerSchema
from churn_assets.release.offers import customers_in_service
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.storage.protocol import ArtifactStore

if TYPE_CHECKING:
    from churn_assets.campaign.planning.plan import Plan


def customers_of(store: ArtifactStore, contract: str | None) -> CustomerSchema | None:
    """Those of the release in service; None: the built-in contract's, or there is no release.

    Args:
        contract: the name of the customers' contract here; None: none was named.

    Raises:
        CampaignError: they are a company's whose contract wasn't named, so that whom it mustn't
            contact isn't known, or others than those of the contract that was: the built-in ones,
            say, whom nobody may contact by a company's channels.
    """
    customers = customers_in_service(store)
    if contract is None:
        if customers is not None:
            raise CampaignError(
                f"the release in service is {customers.contract}'s, and CHURN_CUSTOMERS names no "
                "contract here: without it that company's rules for contacts aren't known"
            )
        return None
    whose = BUILT_IN_SCHEMA.contract if customers is None else customers.contract
    if whose != contract and ReleaseRegistry(store).serving() is not None:
        built_in = " (the built-in one)" if customers is None else ""
        raise CampaignError(
            f"the release in service is of the customers of {whose}{built_in}, and CHURN_CUSTOMERS "
            f"names the contract of {contract}: make its own release with `churn materialize`, and "
            "see with `churn releases` that it serves; then plan again"
        )
    return customers


def refuse_gone_offers(plan: Plan, today: date, percent: tuple[int, ...]) -> None:
    """Raise CampaignError for a plan that has another offer than these still to come: it was made
    for a release that doesn't serve any more."""
    to_come = plan.contacts.filter(pc.greater_equal(plan.contacts["day"], today))
    if gone := set(to_come["offer_percentage"].to_pylist()) - set(percent):
        raise CampaignError(
            f"plan {plan.plan_id} offers {min(gone)} %, which the release in service doesn't: "
            "hand over what was exported of it, then plan again"
        )
