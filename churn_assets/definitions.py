"""The one Definitions object of the product."""

from __future__ import annotations

from typing import Any, cast

import dagster as dg

from checks import datasets as dataset_checks
from checks import decision as decision_checks
from checks import messages as message_checks
from checks import outcomes as outcome_checks
from checks import own_customers
from checks import predictors as predictor_checks
from checks import release as release_checks
from churn_assets import automation
from churn_assets.campaign import assets as campaign
from churn_assets.campaign.contacts.ledger import Ledger
from churn_assets.campaign.opening import open_campaigns
from churn_assets.campaign.workflow import Campaigns
from churn_assets.customers.assets import OwnTables, customer_assets
from churn_assets.customers.contract.model import BUILT_IN
from churn_assets.datasets import assets as datasets
from churn_assets.decision import assets as decision
from churn_assets.messages import assets as messages
from churn_assets.orchestration.compute import Compute
from churn_assets.orchestration.executor import choose_executor
from churn_assets.orchestration.resources import ArtifactIOManager
from churn_assets.orchestration.stores import store_resources
from churn_assets.outcomes import assets as outcomes
from churn_assets.predictors import assets as predictors
from churn_assets.release import assets as release
from churn_assets.release.assembly import Terms
from churn_assets.serving.rehearsal import EngineRehearsal
from churn_assets.settings import PROJECT, Settings, load_settings


@dg.definitions
def definitions() -> dg.Definitions:
    """Assets, checks, jobs, schedules, sensors and resources."""
    settings = load_settings()
    own = settings.customers is not None
    modules = [datasets, predictors, decision, messages, release, outcomes, campaign]
    loaded = cast(list[dg.AssetsDefinition], dg.load_assets_from_modules(modules))
    assets = [*loaded, *customer_assets(own)]
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
    if own:  # nothing of IBM's: neither the data set nor bounds that presuppose it
        assets = [asset for asset in assets if asset.key != dg.AssetKey("telco_customers")]
        checks = [check for check in checks if not _of_ibm_telco(check)]
        checks += own_customers.own_checks()
    whole: dg.Definitions = dg.Definitions(
        assets=dg.map_asset_specs(automation.with_automation, assets),
        asset_checks=checks,
        jobs=automation.jobs,
        schedules=automation.schedules,
        sensors=automation.sensors,
        # The release waits for every check above it, also for those that its run didn't select.
        resources=bind(settings) | {"asset_graph": lambda: whole.resolve_asset_graph()},
        executor=choose_executor(settings.compute),
    )
    return whole


def _of_ibm_telco(check: dg.AssetChecksDefinition) -> bool:
    """Whether it judges the built-in customers, or the risk model by what is known of them."""
    return any(
        key.asset_key.to_user_string() in ("telco_customers", "risk_model")
        for key in check.check_keys
    )


def bind(settings: Settings) -> dict[str, Any]:
    """What the assets ask for by name: store, compute, and each area its own settings."""
    stores = store_resources(settings.store_url, settings.home / "cache")
    store = stores["store"]
    config = settings.compute.model_dump(mode="json")

    def campaigns() -> Campaigns:
        ledger = Ledger.open(settings.campaign.ledger.get_secret_value(), settings.home)
        zone = settings.api.default_time_zone
        return open_campaigns(
            store.open(),
            ledger,
            settings.campaign,
            settings.customers,
            zone,
            settings.experiment,
        )

    forced = settings.release.force_baseline or settings.api.force_baseline
    return {
        "home": settings.home,
        "data_config": settings.data,
        "own_tables": OwnTables(
            settings.customers or BUILT_IN,
            refused=settings.home / "customers" / "refused",
            raw=settings.home / "raw",
            data=settings.data,
        ),
        "risk_config": settings.risk,
        "accept_config": settings.accept,
        "decision_config": settings.decision,
        "messages_config": settings.messages,
        "release_config": settings.release.model_copy(update={"force_baseline": forced}),
        "experiment_config": settings.experiment,
        "outcomes_config": settings.outcomes,
        "alerts_config": settings.alerts,
        "campaigns": campaigns,
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
        **stores,
        "compute": Compute(home=str(settings.home), config=config, store=store),
        "io_manager": ArtifactIOManager(store=store),
    }


def load_job(name: str) -> dg.JobDefinition:
    """The job `name` of the definitions; what a fresh worker process calls."""
    return definitions().resolve_job_def(name)
