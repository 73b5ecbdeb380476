"""Checks of the data sets, on the files as they were written.

All are blocking but `source_is_real`, which only warns: synthetic data are allowed where the
settings allow them, and must never go unnoticed.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

import dagster as dg

from churn_assets.datasets.config import FORMATS, DatasetName, DatasetsConfig
from churn_assets.datasets.errors import SchemaViolationError
from churn_assets.datasets.quality import (
    BALANCE_TOLERANCE,
    SPECIFIED_ROWS,
    WrittenDataset,
    expected_origin,
    expected_rows,
)
from churn_assets.orchestration.resources import StoreResource
from churn_assets.storage.protocol import Artifact

Finding = Callable[[WrittenDataset, DatasetsConfig], dg.AssetCheckResult]

ALL: tuple[DatasetName, ...] = tuple(FORMATS)
TABLES: tuple[DatasetName, ...] = tuple(name for name in ALL if FORMATS[name] == "parquet")


def _checks(
    finding: Finding, names: Iterable[DatasetName], blocking: bool = True
) -> list[dg.AssetChecksDefinition]:
    """One asset check with the function's name and docstring for each data set."""

    def on(name: DatasetName) -> dg.AssetChecksDefinition:
        @dg.asset_check(
            asset=dg.AssetKey(name),
            name=finding.__name__,
            description=finding.__doc__,
            blocking=blocking,
        )
        def check(
            artifact: Artifact, store: StoreResource, data_config: dg.ResourceParam[DatasetsConfig]
        ) -> dg.AssetCheckResult:
            return finding(_written(name, store.open().get(artifact)), data_config)

        return check

    return [on(name) for name in names]


@lru_cache(maxsize=1)
def _written(name: DatasetName, folder: Path) -> WrittenDataset:
    """The data set in an artifact's folder, which has that content for ever: its checks come one
    after the other, and need not each read it."""
    return WrittenDataset.load(name, folder)


def schema_is_valid(dataset: WrittenDataset, config: DatasetsConfig) -> dg.AssetCheckResult:
    """Every row of every split has the data set's columns, types, ranges and categories."""
    try:
        dataset.validate()
    except SchemaViolationError as violation:
        cases = dg.MetadataValue.md(violation.failure_cases)
        return dg.AssetCheckResult(
            passed=False, metadata={"failures": violation.count, "failure_cases": cases}
        )
    return dg.AssetCheckResult(passed=True, metadata={"failures": 0, "rows": dataset.rows})


def row_count_is_expected(dataset: WrittenDataset, config: DatasetsConfig) -> dg.AssetCheckResult:
    """As many rows as this source is known to give."""
    least, most = expected_rows(dataset.name, dataset.summary, config)
    enough = dataset.rows >= least and (most is None or dataset.rows <= most)
    consistent = dataset.rows == dataset.summary["rows"]
    return dg.AssetCheckResult(
        passed=enough and consistent,
        metadata={
            "rows": dataset.rows,
            "rows_recorded": dataset.summary["rows"],
            "least": least,
            "most": "no limit" if most is None else most,
            "specified": SPECIFIED_ROWS[dataset.name],
        },
    )


def splits_do_not_overlap(dataset: WrittenDataset, config: DatasetsConfig) -> dg.AssetCheckResult:
    """No row, and no group of related rows, is in two splits; and no split is empty."""
    shared = dataset.shared_between_splits()
    sizes = {f"rows_{part}": len(rows) for part, rows in dataset.splits.items()}
    return dg.AssetCheckResult(
        passed=not any(shared.values()) and all(sizes.values()),
        metadata={**{f"shared_{column}": count for column, count in shared.items()}, **sizes},
    )


def class_balance_is_kept(dataset: WrittenDataset, config: DatasetsConfig) -> dg.AssetCheckResult:
    """The label's share in each split is that of all rows."""
    shares = dataset.label_shares()
    gap = max(abs(share - shares["all"]) for share in shares.values())
    # A whole row is the least that a split can be off by.
    bound = max(BALANCE_TOLERANCE, 1 / min(len(rows) for rows in dataset.splits.values()))
    return dg.AssetCheckResult(
        passed=0 < shares["all"] < 1 and gap <= bound,
        metadata={**shares, "largest_gap": gap, "bound": bound},
    )


def origin_is_pinned(dataset: WrittenDataset, config: DatasetsConfig) -> dg.AssetCheckResult:
    """The raw data are the pinned file or commit; only a warning where a mirror has others."""
    found, pinned = expected_origin(dataset.name, dataset.summary, config)
    return dg.AssetCheckResult(
        passed=found in pinned,
        severity=dg.AssetCheckSeverity.ERROR if pinned else dg.AssetCheckSeverity.WARN,
        metadata={"found": found, "pinned": ", ".join(pinned) or "nothing is pinned for this file"},
    )


def source_is_real(dataset: WrittenDataset, config: DatasetsConfig) -> dg.AssetCheckResult:
    """The data come from the public source or a mirror of it, not from the generator."""
    source = dataset.summary["source"]
    return dg.AssetCheckResult(
        passed=source != "synthetic",
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"source": source},
    )


schema_checks = _checks(schema_is_valid, ALL)
row_count_checks = _checks(row_count_is_expected, ALL)
overlap_checks = _checks(splits_do_not_overlap, ALL)
balance_checks = _checks(class_balance_is_kept, TABLES)
origin_checks = _checks(origin_is_pinned, ALL)
source_checks = _checks(source_is_real, ALL, blocking=False)
