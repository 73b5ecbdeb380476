"""Generated stand-ins in the sources' own formats, so that the same cleaning reads them."""

import gzip
from pathlib import Path

from churn_assets.datasets.config import DatasetName, DatasetsConfig
from churn_assets.datasets.synthetic import bank, telco, texts
from churn_assets.storage.trees import write_atomically


def generate(name: DatasetName, config: DatasetsConfig, folder: Path) -> Path:
    """Write the stand-in for a data set below `folder`; equal settings give equal bytes."""
    seed = config.synthetic_seed
    if name == "telco_customers":
        file, content = (
            "Telco-Customer-Churn.csv",
            telco.csv_text(config.telco.synthetic_rows, seed),
        )
    elif name == "bank_contacts":
        rows = config.bank.synthetic_rows
        file, content = "bank-additional-full.csv", bank.csv_text(rows, seed)
    elif name == "oasst1_pairs":
        file, content = "trees.jsonl", texts.trees(config.oasst1.synthetic_rows, seed)
    else:
        file, content = "dialogues.jsonl", texts.dialogues(config.preferences.synthetic_rows, seed)
    target = folder / f"{file}.gz"
    write_atomically(target, gzip.compress(content.encode(), mtime=0))
    return target
