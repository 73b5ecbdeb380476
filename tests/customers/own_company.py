"""A small company from its table to a release in service, by the stages that the graph runs."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from churn_assets.customers.campaign import write_contacts
from churn_assets.customers.contract.model import Contract, load_contract
from churn_assets.customers.people import PEOPLE
from churn_assets.customers.reading.sources import Places
from churn_assets.customers.schema import FILE
from churn_assets.customers.tables import write_active, write_history
from churn_assets.datasets.build import build
from churn_assets.datasets.config import BankConfig, DatasetsConfig
from churn_assets.datasets.pull import pull
from churn_assets.decision.config import PRESETS, DecisionConfig
from churn_assets.decision.mdp.worlds import served_world
from churn_assets.decision.policy import save_rule
from churn_assets.decision.rules.families import PricedGreedy, RiskThreshold
from churn_assets.decision.world import run_environment
from churn_assets.messages.config import MessagesConfig
from churn_assets.predictors.config import AcceptConfig, RiskConfig
from churn_assets.predictors.training import accept, risk
from churn_assets.release.bundle import Comparison, Manifest, collect, write_manifest
from churn_assets.release.config import ScoringConfig
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.serving.bulk.scoring import run as run_predictions
from churn_assets.serving.rehearsal import EngineRehearsal
from churn_assets.stages.registry import STAGES
from churn_assets.stages.spec import narrowed
from churn_assets.storage.current import asset_pointer
from churn_assets.storage.local import LocalArtifactStore
from tests.customers.conftest import CONTRACT, as_csv, made_rows
from tests.release.small_release import write_messages

RISK = RiskConfig(
    folds=3, calibration_folds=2, bootstrap=100, search_candidates=2, trees_from_rows=1000
)
ACCEPT = AcceptConfig(trees=20, calibration_folds=2, bootstrap=100, search_candidates=2)


@dataclass(frozen=True)
class Company:
    """Folders of a company's customers, models and world.

    Attributes:
        contract: its contract.
        root: `history`, `active`, `risk`, `accept`, `world` and `table.csv` below it.
        reports: stage -> what it reported.
    """

    contract: Contract
    root: Path
    reports: dict[str, Any]

    def release(self, out: Path) -> Manifest:
        """A sealed release of this company in the empty folder `out`, decided by a rule."""
        parts = {part: self.root / part for part in ("risk", "accept")}
        for part in ("policy", "baseline", "messages"):
            parts[part] = self.root / part
        if not parts["policy"].exists():
            params = served_world(self.root / "world", PRESETS["moderate"])
            save_rule(RiskThreshold(threshold=0.0, offer=2, params=params), parts["policy"])
            save_rule(PricedGreedy(params=params), parts["baseline"])
            write_messages(parts["messages"])
        collect(parts, {"risk_model": self.root / "risk"}, out)
        shutil.copyfile(self.root / "history" / FILE, out / FILE)
        messages = MessagesConfig().model_dump(mode="json")
        EngineRehearsal("America/New_York").write_golden(out, self.root / "history", 12, messages)
        facts = json.loads((self.root / "history" / "dataset.json").read_text())
        return write_manifest(
            out,
            models={"risk_model": "1" * 64},
            data={"customer_history": facts},
            report={"risk": {"auc_oof": 0.8}, "checks": {"passed": 1, "failed": 0, "warned": 0}},
            settings={"messages": messages},
            code_version={"package": "0.1.0", "sources": "2" * 64},
            comparison=Comparison(champion=None, promoted=True, reason="the first release"),
        )


def make_company(root: Path, contract: str = CONTRACT, rows: int = 1200) -> Company:
    """Write a company's table, read it by its contract, and train on it."""
    (root / "history.csv").write_text(as_csv(made_rows(rows)), encoding="utf-8")
    file = root / "customers.yaml"
    file.write_text(contract, encoding="utf-8")
    return company_of(file, root)


def _contacts(contract: Contract, places: Places, root: Path) -> dict[str, Path]:
    """The contract's own log, or else a generated bank: what the accept model learns from."""
    if contract.campaign:
        (root / "log").mkdir()
        write_contacts(contract, places, root / "refused", root / "log")
        return {"campaign_contacts": root / "log"}
    bank = DatasetsConfig(source="synthetic", bank=BankConfig(synthetic_rows=2000))
    build("bank_contacts", pull("bank_contacts", bank, root / "raw"), root / "bank", bank)
    return {"bank_contacts": root / "bank"}


def company_of(file: Path, root: Path) -> Company:
    """Read the tables of a contract and train on them, in folders below `root`."""
    agreed, places = load_contract(file), Places(file.parent, root / "raw", DatasetsConfig())
    folder = {name: root / name for name in ("history", "active", "risk", "accept", "world")}
    for path in folder.values():
        path.mkdir()
    write_history(agreed, places, root / "refused", folder["history"])
    write_active(agreed, places, root / "refused", folder["history"], folder["active"])
    history = {"customer_history": folder["history"]}
    contacts = _contacts(agreed, places, root)
    reports = {
        "risk": risk.run(history, folder["risk"], RISK)["risk"],
        "accept": accept.run(history | contacts, folder["accept"], ACCEPT)["accept"],
    }
    for name in ("risk", "accept"):
        (folder[name] / "report.json").write_text(json.dumps({name: reports[name]}))
    reports["world"] = run_environment(
        {
            "active_customers": folder["active"],
            "risk_model": folder["risk"],
            "accept_model": folder["accept"],
        },
        folder["world"],
        narrowed(STAGES["retention_environment"].settings_type(), DecisionConfig()),
    )
    return Company(agreed, root, reports)


def make_home(company: Company, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the company's release serves, with predictions of its active customers."""
    home, bundle = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("bundle")
    manifest = company.release(bundle)
    store = LocalArtifactStore(home / "store")
    registry = ReleaseRegistry(store)
    registry.publish(bundle)
    registry.promote(manifest.release_id, "test")
    out = tmp_path_factory.mktemp("predictions")
    inputs = {"release": bundle, "active_customers": company.root / "active"}
    report = run_predictions(inputs, out, ScoringConfig(batch_rows=100))
    (out / "report.json").write_text(json.dumps(report))
    active = tmp_path_factory.mktemp("active") / "active"
    shutil.copytree(company.root / "active", active)
    (active / PEOPLE).parent.mkdir(exist_ok=True)
    known = {
        "customer_id": ["A10001", "A10002", "A10003", "A10007"],
        "zone": ["Asia/Tokyo", None, None, None],
        "language": [None, "es-MX", "German", None],
        "opt_out": [None, False, None, True],
    }
    pd.DataFrame(known).to_parquet(active / PEOPLE)
    for name, folder in (("predictions", out), ("active_customers", active)):
        artifact = store.put(name, folder)
        store.write_pointer(asset_pointer(name), artifact.model_dump_json().encode())
    return home
