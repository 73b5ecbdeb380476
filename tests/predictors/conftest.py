"""Small synthetic data sets and one trained model of each kind, shared by the area's tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from churn_assets.datasets.build import build
from churn_assets.datasets.config import BankConfig, DatasetName, DatasetsConfig, TelcoConfig
from churn_assets.datasets.pull import pull
from churn_assets.predictors.config import AcceptConfig, RiskConfig
from churn_assets.predictors.training import accept, risk

RISK = RiskConfig(trees=40, learning_rate=0.2, folds=3, calibration_folds=2, bootstrap=100)
ACCEPT = AcceptConfig(trees=40, calibration_folds=2, bootstrap=100)


@dataclass(frozen=True)
class Trained:
    folder: Path
    report: dict[str, Any]


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of 1,000 customers and 2,000 contacts from the project's own generator."""
    home = tmp_path_factory.mktemp("data")
    config = DatasetsConfig(
        source="synthetic",
        telco=TelcoConfig(synthetic_rows=1000),
        bank=BankConfig(synthetic_rows=2000),
    )
    names: tuple[DatasetName, ...] = ("telco_customers", "bank_contacts")
    for name in names:
        build(name, pull(name, config, home / "raw"), home / name, config)
    return {
        "customer_history": home / "telco_customers",
        "bank_contacts": home / "bank_contacts",
    }


@pytest.fixture(scope="session")
def trained_risk(inputs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Trained:
    out = tmp_path_factory.mktemp("risk_model")
    only = {"customer_history": inputs["customer_history"]}
    return Trained(out, risk.run(only, out, RISK)["risk"])


@pytest.fixture(scope="session")
def trained_accept(inputs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Trained:
    out = tmp_path_factory.mktemp("accept_model")
    return Trained(out, accept.run(inputs, out, ACCEPT)["accept"])
