"""The predictors as assets: both run as stages, wherever the compute resource sends them."""

import shutil
from pathlib import Path

import dagster as dg

from churn_assets.datasets.assets import data_failure
from churn_assets.datasets.errors import DataError
from churn_assets.datasets.formats import table_format
from churn_assets.orchestration.compute import Compute, stage_options
from churn_assets.orchestration.resources import StoreResource, put_input
from churn_assets.predictors.config import AcceptConfig, RiskConfig
from churn_assets.storage.protocol import Artifact, ArtifactStore
from churn_assets.storage.scratch import scratch_folder


@dg.asset(group_name="predictors", kinds={"xgboost"}, **stage_options("risk_model"))
def risk_model(
    context: dg.AssetExecutionContext,
    compute: Compute,
    risk_config: dg.ResourceParam[RiskConfig],
    customer_history: Artifact,
) -> dg.MaterializeResult[Artifact]:
    """P(churn) of a customer: XGBoost, calibrated on out-of-fold scores."""
    inputs = {"customer_history": customer_history}
    return compute.run(context, "risk_model", inputs, risk_config)


@dg.asset(group_name="predictors", kinds={"xgboost"}, **stage_options("accept_model"))
def accept_model(
    context: dg.AssetExecutionContext,
    compute: Compute,
    accept_config: dg.ResourceParam[AcceptConfig],
    store: StoreResource,
    customer_history: Artifact,
    bank_contacts: Artifact,
    measured_world: Artifact,
) -> dg.MaterializeResult[Artifact]:
    """P(accept | offer) of a customer, never falling in the offer.

    The responses to discounts are simulated on real contacts (the metadata say how), unless the
    settings name a campaign log of your own, or your contract has one: then its contacts are in the
    bank's place. Outcomes correct the simulated ones.
    """
    inputs = {"customer_history": customer_history, bank_contacts.name: bank_contacts}
    if accept_config.campaign_log is not None:
        if bank_contacts.name != "bank_contacts":
            raise dg.Failure(TWO_LOGS, allow_retries=False)
        inputs["campaign_log"] = publish_log(store.open(), accept_config.campaign_log)
    elif bank_contacts.name == "bank_contacts":  # a log has answers of its own
        inputs["measured_world"] = measured_world
    return compute.run(context, "accept_model", inputs, accept_config)


TWO_LOGS = (
    "CHURN_ACCEPT__CAMPAIGN_LOG names a log of contacts, and so does the contract's campaign: "
    "unset the one, or leave the other out of the contract"
)


def accept_model_of_a_log() -> dg.AssetsDefinition:
    """`accept_model` where the contract has a campaign and no customers."""

    @dg.asset(
        name="accept_model",
        group_name="predictors",
        kinds={"xgboost"},
        **stage_options("accept_model"),
    )
    def model(
        context: dg.AssetExecutionContext,
        compute: Compute,
        accept_config: dg.ResourceParam[AcceptConfig],
        campaign_contacts: Artifact,
    ) -> dg.MaterializeResult[Artifact]:
        """P(accept | offer) of the people of your campaign, never falling in the offer."""
        if accept_config.campaign_log is not None:
            raise dg.Failure(TWO_LOGS, allow_retries=False)
        inputs = {"campaign_contacts": campaign_contacts}
        return compute.run(context, "accept_model", inputs, accept_config)

    return model


def publish_log(store: ArtifactStore, file: Path) -> Artifact:
    """Put the campaign log into the store, so that the stage finds it wherever it runs.

    Raises:
        dg.Failure: there is no such file, or it is no campaign log; shows the offending rows.
    """
    # Imported here: what trains is slow to load, and most have no campaign log.
    from churn_assets.predictors.training.campaign_log import read_log

    try:
        read_log(file)
        name = f"contacts{table_format(file)}"
    except DataError as error:
        raise data_failure(error, "CHURN_ACCEPT__CAMPAIGN_LOG") from error
    with scratch_folder("campaign-log") as folder:
        shutil.copyfile(file, folder / name)
        return put_input(store, "campaign_log", folder)
