"""How well the generated tables are told from the real ones (`watching.two_samples`)."""

from __future__ import annotations

import tempfile
from pathlib import Path

from churn_assets.datasets.cleaning import bank, telco
from churn_assets.datasets.config import DatasetName, DatasetsConfig
from churn_assets.datasets.pull import pull
from churn_assets.outcomes.watching.two_samples import telling_apart

CLEAN = {"telco_customers": telco.clean, "bank_contacts": bank.clean}
NOT_COMPARED = (
    "customer_id",
    "contact_id",
    "chronological_split",
)  # ids, and what follows from them


def told_apart(mirror: Path, seed: int) -> dict[str, dict[str, float]]:
    """For each table: how well the generated one, cleaned, is told from the mirror's."""
    names: tuple[DatasetName, ...] = ("telco_customers", "bank_contacts")
    found: dict[str, dict[str, float]] = {}
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            real, made = (
                CLEAN[name](pull(name, config, Path(folder)).path)[0]
                for config in (
                    DatasetsConfig(source="mirror", mirror=mirror),
                    DatasetsConfig(source="synthetic", synthetic_seed=seed),
                )
            )
        ids = [column for column in NOT_COMPARED if column in real]
        found[name] = telling_apart(real.drop(columns=ids), made.drop(columns=ids))
    return found
