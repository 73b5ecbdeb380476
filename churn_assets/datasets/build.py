"""From raw files to a data set's folder: clean, split, write, and describe in `dataset.json`."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from churn_assets.datasets.cleaning import bank, oasst1, preferences, telco
from churn_assets.datasets.config import FORMATS, DatasetName, DatasetsConfig
from churn_assets.datasets.errors import CorruptFileError, DataError
from churn_assets.datasets.pull import ADVICE
from churn_assets.datasets.sources.files import RawFile, sha256_of
from churn_assets.datasets.splits import grouped_split, stratified_split, together
from churn_assets.datasets.tables import write_parquet
from churn_assets.datasets.texts import write_jsonl
from churn_assets.domain.splits import SPLITS

Notes = dict[str, Any]
LABELS: dict[DatasetName, str] = {"telco_customers": "churn", "bank_contacts": "accepted"}


def build(name: DatasetName, raw: RawFile, out: Path, config: DatasetsConfig) -> Notes:
    """Write the data set's splits and `dataset.json` into the folder `out`; return the latter.

    The same raw bytes and settings give the same bytes in every file.

    Raises:
        DataError: the raw files are damaged, not in their source's format, or hold too few rows
            for three splits.
    """
    out.mkdir(parents=True, exist_ok=True)
    try:
        if name in LABELS:
            sizes, notes = _build_table(name, raw, out)
        else:
            sizes, notes = _build_text(name, raw, out, config)
    except CorruptFileError as error:
        raise error.advised(ADVICE[raw.source]) from error
    if min(sizes.values()) == 0:
        raise DataError(f"{raw.path} gives too few rows of {name} for three splits: {sizes}")
    written = sorted(out / f"{part}.{FORMATS[name]}" for part in SPLITS)
    summary = {
        "name": name,
        "source": raw.source,
        "sha256": raw.sha256,
        "revision": raw.revision,
        "rows": sum(sizes.values()),
        "splits": sizes,
        **notes,
        "files": {file.name: sha256_of(file) for file in written},
    }
    text = json.dumps(summary, indent=2, sort_keys=True) + "\n"
    (out / "dataset.json").write_text(text, encoding="utf-8")
    return summary


def _build_table(name: DatasetName, raw: RawFile, out: Path) -> tuple[dict[str, int], Notes]:
    """Parquet, split with equal shares of the label; bank contacts that are alike stay together."""
    frame, notes = (telco if name == "telco_customers" else bank).clean(raw.path)
    label = LABELS[name]
    try:
        split = stratified_split(frame[label].to_numpy())
    except ValueError as error:  # a class with fewer than two rows
        raise DataError(f"{raw.path}: the rows of {name} cannot be split: {error}") from error
    if name == "bank_contacts":
        split = together(split, bank.alike(frame))
    parts: dict[str, pd.DataFrame] = {part: frame[split == part] for part in SPLITS}
    for part, rows in parts.items():
        write_parquet(rows, out / f"{part}.parquet")
    rates = {part: float(rows[label].mean()) for part, rows in parts.items()}
    return {part: len(rows) for part, rows in parts.items()}, {**notes, "positive_rate": rates}


def _build_text(
    name: DatasetName, raw: RawFile, out: Path, config: DatasetsConfig
) -> tuple[dict[str, int], Notes]:
    """JSON lines, split by group."""
    if name == "oasst1_pairs":
        pairs, notes = oasst1.clean(raw.files, config.oasst1.language)
    else:
        pairs, notes = preferences.clean(raw.files, config.preferences)
    split = grouped_split([pair["group"] for pair in pairs])
    parts = {
        part: [pair for pair, where in zip(pairs, split, strict=True) if where == part]
        for part in SPLITS
    }
    for part, rows in parts.items():
        write_jsonl(rows, out / f"{part}.jsonl")
    return {part: len(rows) for part, rows in parts.items()}, notes
