"""A campaign is of the customers of the contract that is named: nobody else is planned or sent."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from churn_assets.campaign.config import CampaignConfig
from churn_assets.campaign.contacts.ledger import Ledger
from churn_assets.campaign.errors import CampaignError
from churn_assets.campaign.opening import open_campaigns
from churn_assets.campaign.workflow import Campaigns
from churn_assets.customers.contract.model import BUILT_IN, Contract, load_contract
from churn_assets.domain.experiment import ExperimentConfig
from churn_assets.domain.offers import Offers
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import ArtifactError
from tests.campaign.test_workflow import NOW, SETTINGS, TODAY, Desk, desk
from tests.release.small_release import publish

__all__ = ["desk"]  # a fixture


def opened(store: LocalArtifactStore, ledger: Ledger, contract: Contract | None) -> Campaigns:
    config = CampaignConfig.model_validate(SETTINGS)
    zone = "Europe/Madrid"
    experiment = ExperimentConfig()
    return open_campaigns(
        store, ledger, config, contract, zone, experiment, learn_from_answers=False
    )


def named(name: str, **changes: Any) -> Contract:
    return load_contract(BUILT_IN).model_copy(update={"name": name} | changes)


def test_the_demos_customers_are_nobody_of_a_companys(desk: Desk) -> None:
    """Why: with one's contract named and the demo's release serving, as before the first build of
    one's own, the list had the demo's ids with one's own channels and money, and nothing said so.
    What was approved before isn't sent either; it can be taken back."""
    demo = desk()
    other = opened(demo.store, demo.ledger, named("Fjordlys"))  # type: ignore[arg-type]
    said = r"of the customers of IBM Telco.* \(the built-in one\), and CHURN_CUSTOMERS names"
    with pytest.raises(CampaignError, match=said):
        other.plan(NOW, "Ana")
    draft = demo.plan(NOW, "Ana", curves=False).plan_id
    with pytest.raises(CampaignError, match="the contract of Fjordlys: make its own release"):
        other.approve(draft, "Eva", NOW)
    demo.approve(draft, "Eva", NOW)
    for step in (
        lambda: other.export(None, TODAY, NOW),
        lambda: other.hand_over(draft, TODAY, NOW, "Eva"),
        lambda: other.plan(NOW + timedelta(hours=1), "Ana"),
    ):
        with pytest.raises(CampaignError, match=said):
            step()
    assert other.cancel(None, "Eva") == draft


def test_the_built_in_contract_itself_and_one_of_a_campaign_alone_plan(desk: Desk) -> None:
    """The first is whose release serves; the second names no customers of its own."""
    demo, alone = desk(), named("A log", identity=None)
    for contract in (None, load_contract(BUILT_IN), alone):
        campaigns = opened(demo.store, demo.ledger, contract)  # type: ignore[arg-type]
        assert campaigns.plan(NOW, "Ana", curves=False).contacts.num_rows


def test_another_companys_customers_are_not_contacted(tmp_path: Path) -> None:
    """Nor where the contract was given another name since; before the first release there is none
    to be of anybody."""
    store, ledger = LocalArtifactStore(tmp_path / "store"), Ledger.open("", tmp_path)
    with pytest.raises(ArtifactError):
        opened(store, ledger, named("Acme")).plan(NOW, "Ana")
    publish(store, tmp_path / "published", "Acme", Offers())
    with pytest.raises(CampaignError, match="customers of Acme, and CHURN_CUSTOMERS names the con"):
        opened(store, ledger, named("Fjordlys")).plan(NOW, "Ana")
    with pytest.raises(CampaignError, match="CHURN_CUSTOMERS names no contract here"):
        opened(store, ledger, None).plan(NOW, "Ana")
    with pytest.raises(ArtifactError):  # there are no predictions: the release is its own
        opened(store, ledger, named("Acme")).plan(NOW, "Ana")
    ledger.close()
