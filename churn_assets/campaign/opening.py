"""The campaigns that the settings and the customers' contract describe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from churn_assets.campaign.config import CampaignConfig
from churn_assets.customers.contract.model import load_contract
from churn_assets.domain.experiment import ExperimentConfig
from churn_assets.storage.protocol import ArtifactStore

if TYPE_CHECKING:
    from churn_assets.campaign.contacts.ledger import Ledger
    from churn_assets.campaign.workflow import Campaigns


def open_campaigns(
    store: ArtifactStore,
    ledger: Ledger,
    config: CampaignConfig,
    contract: Path | None,
    default_zone: str,
    experiment: ExperimentConfig,
    *,
    learn_from_answers: bool,
) -> Campaigns:
    """Campaigns under the rules of the contract where it has some, else under the settings'.

    Args:
        contract: file of the customers' contract; None: the built-in one.
        default_zone: of customers without a zone, where the contract names none.
        learn_from_answers: whether templates are drawn by what answers said of them.
        experiment: the settings of who is left alone; the store's switch overrules them.

    Raises:
        ContractError: the file is no contract.
    """
    # Imported here: a service that plans nothing need not have what plans.
    from churn_assets.campaign.workflow import Campaigns

    config, default_zone = under_contract(config, contract, default_zone)
    return Campaigns(
        store, ledger, config, default_zone, experiment, learn_from_answers=learn_from_answers
    )


def under_contract(
    config: CampaignConfig, contract: Path | None, default_zone: str
) -> tuple[CampaignConfig, str]:
    """The settings and the default zone, with what the contract says in their place.

    Raises:
        ContractError: the file is no contract.
    """
    if contract is None:
        return config, default_zone
    customers = load_contract(contract)
    if customers.contact.rules is not None:
        config = config.model_copy(update={"rules": customers.contact.rules})
    if "default_zone" in customers.people.model_fields_set:
        default_zone = customers.people.default_zone
    return config, default_zone
