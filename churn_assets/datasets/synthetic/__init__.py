"""Generated stand-ins in the sources' own formats, so that the same cleaning reads them."""

import gzip
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from churn_assets.datasets.config import DatasetName, DatasetsConfig
from churn_assets.datasets.synthetic import bank, telco, texts
from churn_assets.storage.trees import write_atomically


def generate(name: DatasetName, config: DatasetsConfig, folder: Path) -> Path:
    """Write the stand-in for a data set below `folder`; equal settings give equal bytes."""
    rows = {
        "telco_customers": config.telco.synthetic_rows,
        "bank_contacts": config.bank.synthetic_rows,
        "oasst1_pairs": config.oasst1.synthetic_rows,
        "preference_pairs": config.preferences.synthetic_rows,
    }
    file, draw = _GENERATED[name]
    target = folder / f"{file}.gz"
    write_atomically(target, _packed(draw, rows[name], config.synthetic_seed))
    return target


_GENERATED: dict[DatasetName, tuple[str, Callable[[int, int], str]]] = {
    "telco_customers": ("Telco-Customer-Churn.csv", telco.csv_text),
    "bank_contacts": ("bank-additional-full.csv", bank.csv_text),
    "oasst1_pairs": ("trees.jsonl", texts.trees),
    "preference_pairs": ("dialogues.jsonl", texts.dialogues),
}


@lru_cache(maxsize=len(_GENERATED))
def _packed(draw: Callable[[int, int], str], rows: int, seed: int) -> bytes:
    """Gzipped; a run needs it twice, to build from and to check the origin of what was built."""
    return gzip.compress(draw(rows, seed).encode(), mtime=0)
