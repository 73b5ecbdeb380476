"""The customers as assets: those to learn from, and those to decide about.

The built-in contract's are the data set `telco_customers`, handed on as it is. A company's own are
read from its tables on every run; the asset check on `customer_history` refuses what the contract
refuses, before anything learns from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from churn_assets.customers import counted
from churn_assets.customers.campaign import write_contacts
from churn_assets.customers.campaign_schema import CampaignSchema, load_campaign
from churn_assets.customers.contract.model import Contract, load_contract
from churn_assets.customers.quality.said import recorded_line
from churn_assets.customers.reading.sources import Places
from churn_assets.customers.schema import CustomerSchema, load_schema
from churn_assets.customers.tables import write_active, write_history
from churn_assets.datasets.assets import data_failure
from churn_assets.datasets.config import DatasetsConfig
from churn_assets.datasets.errors import DataError, SourceUnavailableError
from churn_assets.orchestration.resources import StoreResource
from churn_assets.storage.protocol import Artifact, ArtifactError
from churn_assets.storage.scratch import scratch_folder

SETTING = "CHURN_CUSTOMERS"
GROUP = "customers"
_TO_DATA = (DataError, SourceUnavailableError, ArtifactError)


@dataclass(frozen=True)
class OwnTables:
    """Where a company's tables are from.

    Attributes:
        file: the contract.
        refused: folder for the files of refused rows.
        raw: folder for downloads.
        data: the public sources' settings, with the mirror folder.
    """

    file: Path
    refused: Path
    raw: Path
    data: DatasetsConfig

    def contract(self) -> Contract:
        """As the file says it now; raises ContractError."""
        return load_contract(self.file)

    @property
    def places(self) -> Places:
        """Where the contract's paths begin (its own folder), and where downloads go."""
        return Places(self.file.absolute().parent, self.raw, self.data)


def campaign_contacts_asset() -> dg.AssetsDefinition:
    """`campaign_contacts`: the log of a contract's own campaign, which the accept model learns from
    instead of the public bank contacts."""

    @dg.asset(group_name=GROUP, kinds={"parquet"}, code_version="1")
    def campaign_contacts(
        own_tables: dg.ResourceParam[OwnTables], store: StoreResource
    ) -> dg.MaterializeResult[Artifact]:
        """Contacts of your own campaign: who was offered what, and who accepted."""
        with scratch_folder("campaign_contacts") as out:
            try:
                contract = own_tables.contract()
                report = write_contacts(contract, own_tables.places, own_tables.refused, out)
            except _TO_DATA as error:
                raise data_failure(error, SETTING) from error
            artifact = store.open().put("campaign_contacts", out)
            schema = load_campaign(out)
        [table] = report.tables
        figures = {
            "contract": contract.name,
            "dagster/row_count": table.used,
            "refused": table.refused,
            "accepted": table.positives or 0,
            "problems": recorded_line(report.problems),
            "outcome_means": ", ".join(
                leak.column for leak in report.leaks if leak.sign == "group_mean"
            )
            or "none",
            **_columns(schema),
        }
        return _made(artifact, figures)

    return campaign_contacts


def customer_assets(own: bool) -> list[dg.AssetsDefinition]:
    """`customer_history` and `active_customers`: of a company's own tables, or the built-in ones.

    A company's graph doesn't depend on `telco_customers`.
    """
    return _own() if own else _built_in()


def _built_in() -> list[dg.AssetsDefinition]:
    @dg.asset(group_name=GROUP, kinds={"parquet"}, code_version="1")
    def customer_history(telco_customers: Artifact) -> dg.MaterializeResult[Artifact]:
        """Labelled customers, to learn from: IBM Telco's, as CHURN_CUSTOMERS names no others."""
        return _handed_on(telco_customers)

    @dg.asset(group_name=GROUP, kinds={"parquet"}, code_version="1")
    def active_customers(customer_history: Artifact) -> dg.MaterializeResult[Artifact]:
        """Customers to decide about: all of IBM Telco's, whose file knows no others."""
        return _handed_on(customer_history)

    return [customer_history, active_customers]


def _handed_on(artifact: Artifact) -> dg.MaterializeResult[Artifact]:
    return dg.MaterializeResult(value=artifact, data_version=dg.DataVersion(artifact.sha256))


def _own() -> list[dg.AssetsDefinition]:
    @dg.asset(group_name=GROUP, kinds={"parquet"}, code_version="5")
    def customer_history(
        own_tables: dg.ResourceParam[OwnTables], store: StoreResource
    ) -> dg.MaterializeResult[Artifact]:
        """Labelled customers of your own tables, to learn from."""
        with scratch_folder("customer_history") as out:
            try:
                contract = own_tables.contract()
                report = write_history(contract, own_tables.places, own_tables.refused, out)
            except _TO_DATA as error:
                raise data_failure(error, SETTING) from error
            artifacts = store.open()
            artifact = artifacts.put("customer_history", out)
            schema = load_schema(out)
        [table] = [table for table in report.tables if table.name == "history"]
        now = datetime.now(UTC)
        counted.note(artifacts, counted.HISTORY, contract.name, table.used, now)
        figures = {
            "contract": contract.name,
            "dagster/row_count": table.used,
            "refused": table.refused,
            "problems": recorded_line(report.problems),
            "notes": recorded_line(report.notes),
            **_columns(schema),
        }
        return _made(artifact, figures)

    @dg.asset(group_name=GROUP, kinds={"parquet"}, code_version="6")
    def active_customers(
        own_tables: dg.ResourceParam[OwnTables], store: StoreResource, customer_history: Artifact
    ) -> dg.MaterializeResult[Artifact]:
        """Your customers of today, as your tables are now, to decide about: nobody who has left."""
        artifacts = store.open()
        with scratch_folder("active_customers") as out:
            try:
                contract = own_tables.contract()
                rows = write_active(
                    contract,
                    own_tables.places,
                    own_tables.refused,
                    artifacts.get(customer_history),
                    out,
                )
            except _TO_DATA as error:
                raise data_failure(error, SETTING) from error
            artifact = artifacts.put("active_customers", out)
        counted.note(artifacts, counted.ACTIVE, contract.name, rows, datetime.now(UTC))
        return _made(artifact, {"dagster/row_count": rows})

    return [customer_history, active_customers]


def _made(artifact: Artifact, figures: Mapping[str, Any]) -> dg.MaterializeResult[Artifact]:
    return dg.MaterializeResult(
        value=artifact,
        data_version=dg.DataVersion(artifact.sha256),
        metadata={"sha256": artifact.sha256, **figures},
    )


def _columns(schema: CustomerSchema | CampaignSchema | None) -> dict[str, Any]:
    """The typed table's columns, for the Dagster UI."""
    if schema is None:
        return {}
    columns = [
        dg.TableColumn(field.name, field.kind, description=f"{field.words} ({field.column})")
        for field in schema.fields
    ]
    return {"dagster/column_schema": dg.TableSchema(columns)}
