"""The data sets as assets: each fetches its raw files, cleans, splits and publishes a folder."""

from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd

from churn_assets.datasets.build import LABELS, build
from churn_assets.datasets.config import FORMATS, DatasetName, DatasetsConfig
from churn_assets.datasets.errors import DataError, SchemaViolationError, SourceUnavailableError
from churn_assets.datasets.pull import pull
from churn_assets.datasets.quality import SPECIFIED_ROWS, WrittenDataset
from churn_assets.domain.splits import SPLITS
from churn_assets.orchestration.compute import Compute
from churn_assets.storage.protocol import Artifact

PREVIEW_ROWS = 5


@dg.asset(group_name="datasets", kinds={"parquet"}, code_version="1")
def telco_customers(
    data_config: dg.ResourceParam[DatasetsConfig],
    home: dg.ResourceParam[Path],
    compute: Compute,
) -> dg.MaterializeResult[Artifact]:
    """Customers of the IBM Telco data set with their services, charges and whether they left."""
    return _materialize("telco_customers", data_config, home, compute)


@dg.asset(group_name="datasets", kinds={"parquet"}, code_version="1")
def bank_contacts(
    data_config: dg.ResourceParam[DatasetsConfig],
    home: dg.ResourceParam[Path],
    compute: Compute,
) -> dg.MaterializeResult[Artifact]:
    """Contacts of the UCI Bank Marketing campaign and whether the offer was accepted."""
    return _materialize("bank_contacts", data_config, home, compute)


@dg.asset(group_name="datasets", kinds={"json"}, code_version="1")
def oasst1_pairs(
    data_config: dg.ResourceParam[DatasetsConfig],
    home: dg.ResourceParam[Path],
    compute: Compute,
) -> dg.MaterializeResult[Artifact]:
    """English prompts of OASST1, each with its best-ranked reply."""
    return _materialize("oasst1_pairs", data_config, home, compute)


@dg.asset(group_name="datasets", kinds={"json"}, code_version="1")
def preference_pairs(
    data_config: dg.ResourceParam[DatasetsConfig],
    home: dg.ResourceParam[Path],
    compute: Compute,
) -> dg.MaterializeResult[Artifact]:
    """Pairs of replies to one prompt, of which people preferred one: SHP-2 and HH-RLHF."""
    return _materialize("preference_pairs", data_config, home, compute)


def data_failure(error: Exception, setting: str = "") -> dg.Failure:
    """What a data error makes of an asset: a failure that shows the offending rows and isn't tried
    again. `setting` names the one that the data are from."""
    cases = error.failure_cases if isinstance(error, SchemaViolationError) else "none"
    return dg.Failure(
        f"{error} ({setting})" if setting else str(error),
        metadata={"failure_cases": dg.MetadataValue.md(cases)},
        allow_retries=False,
    )


def _materialize(
    name: DatasetName, config: DatasetsConfig, home: Path, compute: Compute
) -> dg.MaterializeResult[Artifact]:
    """Fetch, build and publish; a data error fails the asset and shows the offending rows.

    Whether a source has changed is known once its raw files are here; where they haven't, nor
    settings or code, what was built from them before is still the data set.
    """
    try:
        raw = pull(name, config, home / "raw")
        artifact, unchanged = compute.once(
            name,
            f"{build.__module__}:build",
            {
                "raw": [raw.source, raw.sha256, raw.revision],
                "settings": config.model_dump(mode="json"),
            },
            lambda out: build(name, raw, out, config),
        )
    except (DataError, SourceUnavailableError) as error:
        raise data_failure(error) from error
    metadata = _metadata(WrittenDataset.load(name, compute.store.open().get(artifact)))
    return dg.MaterializeResult(
        value=artifact,
        data_version=dg.DataVersion(artifact.sha256),
        metadata={
            "sha256": artifact.sha256,
            **unchanged,
            "passed_over": "; ".join(raw.passed_over) or "no source",
            **metadata,
        },
    )


def _metadata(dataset: WrittenDataset) -> dict[str, Any]:
    summary = dataset.summary
    counts = {key: value for key, value in summary.items() if isinstance(value, int)}
    return {
        **counts,
        "dagster/row_count": dataset.rows,
        "specified_rows": SPECIFIED_ROWS[dataset.name],
        "source": summary["source"],
        "source_sha256": summary["sha256"],
        "source_revision": summary["revision"] or "none",
        "splits": dg.MetadataValue.md(_split_table(dataset)),
        **_preview(dataset),
    }


def _split_table(dataset: WrittenDataset) -> str:
    """Rows of each split, and for tables the share of the positive label."""
    table = pd.DataFrame({"split": SPLITS, "rows": [len(dataset.splits[part]) for part in SPLITS]})
    if dataset.name in LABELS:
        shares = dataset.label_shares()
        table[f"share of {LABELS[dataset.name]}"] = [shares[part] for part in SPLITS]
    return table.to_markdown(index=False, floatfmt=".4f")


def _preview(dataset: WrittenDataset) -> dict[str, dg.MarkdownMetadataValue]:
    """The first rows; never of the preference texts, of which some are offensive."""
    if dataset.name == "preference_pairs":
        return {}
    head = dataset.splits["train"].head(PREVIEW_ROWS)
    if FORMATS[dataset.name] == "jsonl":
        one_line = head.map(lambda text: " ".join(text.split()).replace("|", r"\|"))
        head = one_line.map(lambda text: text if len(text) <= 80 else f"{text[:79]}…")
    return {"preview": dg.MetadataValue.md(head.to_markdown(index=False))}
