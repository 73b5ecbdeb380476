"""The suppression list that the settings or the contract name: whom no plan contacts."""

from __future__ import annotations

from churn_assets.campaign.config import CampaignConfig
from churn_assets.campaign.people import read_ids
from churn_assets.release.offers import customers_in_service
from churn_assets.storage.protocol import ArtifactStore


def suppressed(store: ArtifactStore, config: CampaignConfig) -> frozenset[str]:
    """Their ids, of the column that the company's own tables have them in where the list has that;
    nobody's where there is no list. Raises as `people.read_ids`."""
    if config.rules.suppression_list is None:
        return frozenset()
    customers = customers_in_service(store)
    column = None if customers is None else customers.id_column
    return read_ids(config.rules.suppression_list, column)
