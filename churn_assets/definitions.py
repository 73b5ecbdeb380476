"""The one Definitions object of the product."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import dagster as dg

from checks import datasets as dataset_checks
from checks import decision as decision_checks
from checks import messages as message_checks
from checks import outcomes as outcome_checks
from checks import predictors as predictor_checks
from checks import release as release_checks
from churn_assets import automation
from churn_assets.campaign import assets as campaign
from churn_assets.campaign.contacts.opening import LateLedger
from churn_assets.campaign.opening import (
    contract_named,
    open_campaigns,
    tell_again,
    under_contract,
)
from churn_assets.campaign.workflow import Campaigns
from churn_assets.customers.assets import OwnTables, campaign_contacts_asset, customer_assets
from churn_assets.customers.contract.model import BUILT_IN, Contract
from churn_assets.datasets import assets as datasets
from churn_assets.datasets.errors import DataError
from churn_assets.decision import assets as decision
from churn_assets.domain.plain_errors import WrongSettingError
from churn_assets.domain.value import MONTHS_OF_VALUE
from churn_assets.messages import assets as messages
from churn_assets.orchestration.compute import Compute
from churn_assets.orchestration.executor import choose_executor
from churn_assets.orchestration.resources import ArtifactIOManager, StoreResource
from churn_assets.orchestration.stores import store_resources
from churn_assets.outcomes import assets as outcomes
from churn_assets.outcomes.learning.challenger import compare_releases
from churn_assets.predictors import assets as predictors
from churn_assets.predictors.assets import accept_model_of_a_log
from churn_assets.release import assets as release
from churn_assets.release.assembly import Terms
from churn_assets.serving.rehearsal import EngineRehearsal
from churn_assets.settings import PROJECT, Settings, load_settings

log = logging.getLogger(__name__)


@dg.definitions
def definitions() -> dg.Definitions:
    """Assets, checks, jobs, schedules, sensors and resources."""
    settings = load_settings()
    contract = _readable(settings.customers)
    parts = _parts_of(settings.customers, contract)
    _hold_to_what_is_paid(settings, contract)
    _, zone = under_contract(settings.campaign, contract, settings.api.default_time_zone)
    modules = [datasets, predictors, decision, messages, release, outcomes, campaign]
    loaded = cast(list[dg.AssetsDefinition], dg.load_assets_from_modules(modules))
    assets = [*loaded, *customer_assets(settings.customers is not None)]
    checks = dg.load_asset_checks_from_modules(
        [
            dataset_checks,
            predictor_checks,
            decision_checks,
            message_checks,
            release_checks,
            outcome_checks,
        ]
    )
    jobs: Sequence[Any] = automation.jobs
    schedules, sensors = automation.schedules(zone), automation.sensors
    # What only own tables need is imported where there are any: much of it is slow to load.
    if settings.customers:  # nothing of IBM's: neither the data set nor bounds that presuppose it
        assets = [asset for asset in assets if asset.key != dg.AssetKey("telco_customers")]
        checks = [check for check in checks if not _is_on(check, "telco_customers", "risk_model")]
        from checks import own_customers

        checks += own_customers.own_checks()
    if "campaign" in parts:  # nothing of the bank's
        assets = [a for a in assets if a.key != BANK] + [campaign_contacts_asset()]
        assets = [_learning_from_the_log(asset) for asset in assets]
        checks = [check for check in checks if not _is_on(check, "bank_contacts", "accept_model")]
        from checks import own_campaign

        checks += own_campaign.own_campaign_checks()
    if parts == {"campaign"}:
        assets = [campaign_contacts_asset(), accept_model_of_a_log()]
        checks = own_campaign.own_campaign_checks()
        jobs, schedules = automation.jobs_of_a_log, []
        sensors = automation.sensors_of_a_log
    whole: dg.Definitions = dg.Definitions(
        assets=dg.map_asset_specs(automation.with_automation, assets),
        asset_checks=checks,
        jobs=jobs,
        schedules=schedules,
        sensors=sensors,
        # The release waits for every check above it, also for those that its run didn't select.
        resources=bind(settings) | {"asset_graph": lambda: whole.resolve_asset_graph()},
        executor=choose_executor(settings.compute),
    )
    return whole


BANK = dg.AssetKey("bank_contacts")


def _readable(file: Path | None) -> Contract | None:
    """The contract that CHURN_CUSTOMERS names, if it can be read; else the asset of the customers
    says what is wrong with it."""
    try:
        return contract_named(file)
    except (DataError, OSError):
        return None


def _hold_to_what_is_paid(settings: Settings, contract: Contract | None) -> None:
    """Raise WrongSettingError where messages would promise a discount for other months than
    environment, plans and budgets count; of a contract that can't be read nobody knows."""
    unread = settings.customers is not None and contract is None
    named, months = bool(contract and contract.offers), settings.messages.offer_months
    if months != MONTHS_OF_VALUE and not named and not unread:
        raise WrongSettingError(
            f"CHURN_MESSAGES__OFFER_MONTHS is {months}, but a discount is counted for "
            f"{MONTHS_OF_VALUE} months where no contract says otherwise: write offers: {{percent: "
            f"[0, 5, 10, 15], months: {months}}} into the contract that CHURN_CUSTOMERS names"
        )


def _parts_of(file: Path | None, contract: Contract | None) -> set[str]:
    """Which parts the contract has that CHURN_CUSTOMERS names; one that can't be read is taken for
    customers, whose asset then says what is wrong with it."""
    if contract is None:
        return set() if file is None else {"customers"}
    parts = {"customers": contract.customers, "campaign": contract.campaign}
    return {name for name, part in parts.items() if part is not None}


def _learning_from_the_log(asset: dg.AssetsDefinition) -> dg.AssetsDefinition:
    """The asset with the contract's own contacts where the public ones were."""
    if BANK not in asset.dependency_keys:
        return asset
    return asset.with_attributes(asset_key_replacements={BANK: dg.AssetKey("campaign_contacts")})


def _is_on(check: dg.AssetChecksDefinition, *assets: str) -> bool:
    """Whether it judges one of these assets."""
    return any(key.asset_key.to_user_string() in assets for key in check.check_keys)


def bind(settings: Settings) -> dict[str, Any]:
    """What the assets ask for by name: store, compute, and each area its own settings."""
    stores = store_resources(settings.store_url, settings.home / "cache")
    store = stores["store"]
    config = settings.compute.model_dump(mode="json")

    forced = settings.release.force_baseline or settings.api.force_baseline
    return {
        "home": settings.home,
        "data_config": settings.data,
        "own_tables": OwnTables(
            settings.customers or BUILT_IN,
            refused=settings.home / "customers" / "refused",
            raw=settings.home / "raw",
            data=settings.data,
            zone=settings.api.default_time_zone,
        ),
        "risk_config": settings.risk,
        "accept_config": settings.accept,
        "decision_config": settings.decision,
        "messages_config": settings.messages,
        "release_config": settings.release.model_copy(update={"force_baseline": forced}),
        "experiment_config": settings.experiment,
        "outcomes_config": settings.outcomes,
        "alerts_config": settings.alerts,
        "campaigns": partial(_open_campaigns, settings, store),
        "release_terms": Terms(
            preset=settings.decision.preset,
            world=settings.decision.environment,
            samples=settings.decision.bootstrap,
            messages=settings.messages,
            golden_requests=settings.release.golden_requests,
            recorded=settings.recorded(),
            sources=PROJECT,
        ),
        "rehearsal": EngineRehearsal(settings.api.default_time_zone),
        "on_outcomes": compare_releases,
        **stores,
        "compute": Compute(home=str(settings.home), config=config, store=store),
        "io_manager": ArtifactIOManager(store=store),
    }


def _open_campaigns(settings: Settings, store: StoreResource) -> Campaigns:
    """The campaigns on the store and the ledger, which was told what it had missed."""
    ledger = LateLedger(settings.campaign.ledger.get_secret_value(), settings.home)
    opened = store.open()
    tell_again(opened, settings.home, ledger, log.warning)
    return open_campaigns(
        opened,
        ledger.opened(),
        settings.campaign,
        contract_named(settings.customers),
        settings.api.default_time_zone,
        settings.experiment,
        learn_from_answers=bool(settings.messages.learn_from_answers),
    )


def job_names() -> list[str]:
    """The jobs of the definitions."""
    return [job.name for job in definitions().jobs or ()]


def load_job(name: str) -> dg.JobDefinition:
    """The job `name` of the definitions; what a fresh worker process calls."""
    return definitions().resolve_job_def(name)
