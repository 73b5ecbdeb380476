"""From raw files to a data set's folder: clean, split, write, and describe in `dataset.json`."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from churn_assets.datasets import bank, telco
from churn_assets.datasets.config import SPLITS, DatasetName, DatasetsConfig, Pin
from churn_assets.datasets.sources.files import RawFile, sha256_of
from churn_assets.datasets.splits import stratified_split
from churn_assets.datasets.tables import write_parquet

LABELS = {"telco_customers": "churn", "bank_contacts": "accepted"}


def build(name: DatasetName, raw: RawFile, out: Path, config: DatasetsConfig) -> dict[str, Any]:
    """Write the data set's splits and `dataset.json` into the folder `out`; return the latter.

    The same raw bytes and settings give the same bytes in every file.

    Raises:
        DataError: the raw files are damaged or are not what the source is known to hold.
    """
    out.mkdir(parents=True, exist_ok=True)
    frame, notes = (telco if name == "telco_customers" else bank).clean(raw.path)
    label = LABELS[name]
    split = stratified_split(frame[label].to_numpy())
    parts = {part: frame[split == part].reset_index(drop=True) for part in SPLITS}
    for part, rows in parts.items():
        write_parquet(rows, out / f"{part}.parquet")
    notes["positive_rate"] = {part: float(rows[label].mean()) for part, rows in parts.items()}
    return _describe(name, raw, out, parts, notes, config)


def _describe(
    name: DatasetName,
    raw: RawFile,
    out: Path,
    parts: dict[str, pd.DataFrame],
    notes: dict[str, Any],
    config: DatasetsConfig,
) -> dict[str, Any]:
    """Write and return `dataset.json`: source, digests, rows and what cleaning did."""
    pin = pin_of(name, raw, config)
    written = sorted(file for file in out.iterdir() if file.stem in SPLITS)
    summary = {
        "name": name,
        "source": raw.source,
        "sha256": raw.sha256,
        "pinned_sha256": pin.sha256 if pin else None,
        "revision": raw.revision,
        "rows": sum(len(rows) for rows in parts.values()),
        "expected_rows": pin.rows if pin else None,
        "splits": {part: len(rows) for part, rows in parts.items()},
        **notes,
        "files": {file.name: sha256_of(file) for file in written},
    }
    text = json.dumps(summary, indent=2, sort_keys=True) + "\n"
    (out / "dataset.json").write_text(text, encoding="utf-8")
    return summary


def pin_of(name: DatasetName, raw: RawFile, config: DatasetsConfig) -> Pin | None:
    """What the raw file must be, where that is known. Generated data have no pin."""
    if raw.source == "synthetic":
        return None
    pins: dict[str, Pin] = {"telco_customers": config.telco.pin, "bank_contacts": config.bank.pin}
    return pins.get(name)
