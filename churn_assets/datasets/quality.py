"""What a written data set must satisfy. The asset checks and tests read these findings."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pandera.pandas as pa

from churn_assets.datasets.build import LABELS
from churn_assets.datasets.cleaning.bank import alike
from churn_assets.datasets.config import FORMATS, DatasetName, DatasetsConfig, Pin
from churn_assets.datasets.schemas import BANK, OASST1, PREFERENCES, TELCO, validate
from churn_assets.datasets.sources.files import sha256_of
from churn_assets.datasets.synthetic import generate
from churn_assets.datasets.tables import read_parquet
from churn_assets.datasets.texts import read_jsonl
from churn_assets.domain.splits import SPLITS
from churn_assets.storage.scratch import scratch_folder

SCHEMAS: dict[DatasetName, pa.DataFrameSchema] = {
    "telco_customers": TELCO,
    "bank_contacts": BANK,
    "oasst1_pairs": OASST1,
    "preference_pairs": PREFERENCES,
}
# What names a row, of which no value may be on two sides of a split. A contact's id is its row's
# number; who was contacted is told by the "features", all of them together (`bank.alike`).
IDENTITIES: dict[DatasetName, tuple[str, ...]] = {
    "telco_customers": ("customer_id",),
    "bank_contacts": ("contact_id", "features"),
    "oasst1_pairs": ("group",),
    "preference_pairs": ("group", "prompt"),
}
# The number in the specification, published beside what was found.
SPECIFIED_ROWS: dict[DatasetName, int] = {
    "telco_customers": 7_032,
    "bank_contacts": 41_188,
    "oasst1_pairs": 16_440,
    "preference_pairs": 100_000,
}
BALANCE_TOLERANCE = 0.005  # of the label's share, absolute
SMALLEST_TEXT_SET = 100


@dataclass(frozen=True)
class WrittenDataset:
    """A data set's folder, read back: its splits as tables, and its `dataset.json`."""

    name: DatasetName
    splits: Mapping[str, pd.DataFrame]
    summary: Mapping[str, Any]

    @classmethod
    def load(cls, name: DatasetName, folder: Path) -> "WrittenDataset":
        """Raises CorruptFileError if a file cannot be read."""
        splits: dict[str, pd.DataFrame] = {
            part: _read(name, folder / f"{part}.{FORMATS[name]}") for part in SPLITS
        }
        return cls(name, splits, json.loads((folder / "dataset.json").read_text("utf-8")))

    @property
    def rows(self) -> int:
        """Rows in all splits together."""
        return sum(len(rows) for rows in self.splits.values())

    def validate(self) -> None:
        """Raise `SchemaViolationError` with the failing rows, counted over all splits in order.

        Values of texts are not shown: they can be long or offensive.
        """
        together = pd.concat(self.splits.values(), ignore_index=True)
        tabular = FORMATS[self.name] == "parquet"
        validate(together, SCHEMAS[self.name], self.name, show_values=tabular)

    def shared_between_splits(self) -> dict[str, int]:
        """How many identities (ids, groups, prompts) are in more than one split."""
        together = pd.concat(self.splits, names=["split"]).reset_index("split")
        if "features" in IDENTITIES[self.name]:
            together["features"] = alike(together.drop(columns="split"))
        return {
            column: int((together.groupby(column)["split"].nunique() > 1).sum())
            for column in IDENTITIES[self.name]
        }

    def label_shares(self) -> dict[str, float]:
        """Share of the positive label in each split, and in all rows; tables only."""
        label = LABELS[self.name]
        together = pd.concat(self.splits.values())
        parts = {part: float(rows[label].mean()) for part, rows in self.splits.items()}
        return {**parts, "all": float(together[label].mean())}


def _read(name: DatasetName, path: Path) -> pd.DataFrame:
    if FORMATS[name] == "parquet":
        return read_parquet(path)
    return pd.DataFrame([row for _, row in read_jsonl(path)])


def pins_of(name: DatasetName, config: DatasetsConfig) -> tuple[Pin, ...]:
    """The files whose digest and row count are known."""
    known: dict[DatasetName, tuple[Pin, ...]] = {
        "telco_customers": (config.telco.pin,),
        "bank_contacts": (config.bank.pin,),
        "oasst1_pairs": config.oasst1.sample_pins,
        "preference_pairs": config.preferences.sample_pins,
    }
    return known[name]


def expected_rows(
    name: DatasetName, summary: Mapping[str, Any], config: DatasetsConfig
) -> tuple[int, int | None]:
    """Least and most rows the data set must have, given its source and digest (None: no limit)."""
    if summary["source"] == "synthetic":
        rows = _synthetic_rows(name, config)
        return rows, rows
    for pin in pins_of(name, config):
        if pin.sha256 == summary["sha256"]:
            return pin.rows, pin.rows
    if summary["source"] == "mirror":
        return SMALLEST_TEXT_SET, None
    if name == "oasst1_pairs":
        return config.oasst1.minimum_rows, None
    limits = (config.preferences.shp.limit, config.preferences.hh.limit)
    most = None if None in limits else sum(limit or 0 for limit in limits)
    return config.preferences.minimum_rows, most


def _synthetic_rows(name: DatasetName, config: DatasetsConfig) -> int:
    rows = {
        "telco_customers": config.telco.synthetic_rows,
        "bank_contacts": config.bank.synthetic_rows,
        "oasst1_pairs": config.oasst1.synthetic_rows,
        "preference_pairs": config.preferences.synthetic_rows,
    }
    return rows[name]


def expected_origin(
    name: DatasetName, summary: Mapping[str, Any], config: DatasetsConfig
) -> tuple[str, tuple[str, ...]]:
    """What identifies the raw data, and the values it may have: none where nothing is pinned.

    A hub's data are pinned by commit, files by digest; synthetic data by generating them again.
    """
    if summary["source"] == "synthetic":
        with scratch_folder("generated") as folder:
            return summary["sha256"], (sha256_of(generate(name, config, folder)),)
    if summary["source"] == "download" and name == "oasst1_pairs":
        return summary["revision"], (config.oasst1.hub.revision,)
    if summary["source"] == "download" and name == "preference_pairs":
        hubs = (config.preferences.hh, config.preferences.shp)
        return summary["revision"], (",".join(hub.revision for hub in hubs),)
    pinned = tuple(pin.sha256 for pin in pins_of(name, config))
    known = FORMATS[name] == "parquet" or summary["sha256"] in pinned
    return summary["sha256"], pinned if known else ()
