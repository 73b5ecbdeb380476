"""The one Definitions object of the product."""

from __future__ import annotations

from typing import cast

import dagster as dg

from checks import datasets as dataset_checks
from checks import decision as decision_checks
from checks import messages as message_checks
from checks import predictors as predictor_checks
from checks import release as release_checks
from churn_assets import automation
from churn_assets.datasets import assets as datasets
from churn_assets.decision import assets as decision
from churn_assets.messages import assets as messages
from churn_assets.orchestration.compute import Compute
from churn_assets.orchestration.executor import choose_executor
from churn_assets.orchestration.resources import ArtifactIOManager, SettingsResource, StoreResource
from churn_assets.predictors import assets as predictors
from churn_assets.release import assets as release
from churn_assets.settings import load_settings


@dg.definitions
def definitions() -> dg.Definitions:
    """Assets, checks, jobs, schedules, sensors and resources."""
    settings = SettingsResource()
    store = StoreResource(settings=settings)
    assets = dg.load_assets_from_modules([datasets, predictors, decision, messages, release])
    return dg.Definitions(
        assets=dg.map_asset_specs(
            automation.with_automation, cast(list[dg.AssetsDefinition], assets)
        ),
        asset_checks=dg.load_asset_checks_from_modules(
            [dataset_checks, predictor_checks, decision_checks, message_checks, release_checks]
        ),
        jobs=automation.jobs,
        schedules=automation.schedules,
        sensors=automation.sensors,
        resources={
            "settings": settings,
            "store": store,
            "compute": Compute(settings=settings, store=store),
            "io_manager": ArtifactIOManager(store=store),
        },
        executor=choose_executor(load_settings().compute),
    )
