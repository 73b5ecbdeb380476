"""A company's rules for contacts, where its contract is named and where it isn't."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from churn_assets.campaign.config import CampaignConfig
from churn_assets.campaign.suppression import suppressed
from churn_assets.customers.contract.model import load_contract
from churn_assets.domain.contact_rules import ContactRules
from churn_assets.release.config import ScoringConfig
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.serving.bulk.scoring import run as run_predictions
from churn_assets.storage.current import asset_pointer
from churn_assets.storage.local import LocalArtifactStore
from tests.api.server import running
from tests.customers.own_company import Company
from tests.customers.test_own_offers import OWN, company, home

__all__ = ["company", "home"]  # fixtures


@pytest.fixture(autouse=True)
def _predicted(company: Company, home: Path, tmp_path: Path) -> None:
    """Predictions by the company's release, to plan from."""
    out, store = tmp_path / "out", LocalArtifactStore(home / "store")
    out.mkdir()
    release = ReleaseRegistry(store).folder()
    inputs = {"release": release, "active_customers": company.root / "active"}
    report = run_predictions(inputs, out, ScoringConfig(batch_rows=100))
    (out / "report.json").write_text(json.dumps(report))
    predictions = store.put("predictions", out).model_dump_json().encode()
    store.write_pointer(asset_pointer("predictions"), predictions)


@contextmanager
def served(home: Path, contract: Path | None) -> Iterator[httpx.Client]:
    """A service for which CHURN_CUSTOMERS names the contract, or none."""
    with (
        running(home, CHURN_CUSTOMERS=str(contract or "")) as process,
        httpx.Client(base_url=process.url, timeout=20, trust_env=False) as client,
    ):
        yield client


def refusal(answer: httpx.Response, status: int) -> str:
    """What the service says."""
    assert answer.status_code == status, answer.text
    said: list[dict[str, Any]] = answer.json()["detail"]
    return str(said[0]["msg"])


def test_nobody_is_contacted_by_a_service_that_lacks_the_contract(
    home: Path, tmp_path: Path
) -> None:
    """Its rules aren't known then: no suppression list, no consent, no blackout dates. What takes
    contacts back is done all the same."""
    contract = tmp_path / "customers.yaml"
    contract.write_text(OWN, encoding="utf-8")
    with served(home, contract) as knows, served(home, None) as lacks:
        lacking = "CHURN_CUSTOMERS names no contract here"
        plan = "/campaign/plan"
        assert lacking in refusal(lacks.post(plan, json={}), 409)
        assert knows.post(plan, json={}).status_code == 200
        assert lacking in refusal(lacks.post("/campaign/replan", json={}), 409)
        assert lacking in refusal(lacks.post(f"{plan}/approve", json={}), 409)
        assert knows.post(f"{plan}/approve", json={}).status_code == 200
        assert lacking in refusal(lacks.get(f"{plan}/list"), 409)
        assert lacking in refusal(lacks.post(f"{plan}/handed-over", json={}), 409)
        assert lacks.get(plan).status_code == 200
        assert lacks.post(f"{plan}/cancel", json={}).status_code == 200


def test_a_suppression_list_lies_beside_the_contract(tmp_path: Path) -> None:
    """As its tables do, wherever a command is started; a whole path stays one."""
    contract = tmp_path / "customers.yaml"
    for told, meant in (
        ("never.csv", tmp_path / "never.csv"),
        ("/srv/no.csv", Path("/srv/no.csv")),
    ):
        contract.write_text(OWN + f"contact: {{rules: {{suppression_list: {told}}}}}\n")
        rules = load_contract(contract).contact.rules
        assert rules is not None
        assert rules.suppression_list == meant


def test_a_suppression_list_that_is_not_here_stops_the_plan(home: Path, tmp_path: Path) -> None:
    """As in a container, which has the contract and no file that it names."""
    contract, file = tmp_path / "customers.yaml", tmp_path / "never.csv"
    rules = f"contact: {{rules: {{suppression_list: {file}}}}}\n"
    contract.write_text(OWN + rules, encoding="utf-8")
    with served(home, contract) as client:
        said = refusal(client.post("/campaign/plan", json={}), 503)
    assert said == "the suppression list can't be read: …: No such file or directory"


def test_a_suppression_list_has_ids_under_the_name_that_the_tables_have(
    home: Path, tmp_path: Path
) -> None:
    """As another system exports it, a date before the id: read by that date, it named nobody."""
    file = tmp_path / "never.csv"
    file.write_text("Date;Account;Why\n2026-03-12;A10007;asked\n", encoding="utf-8")
    config = CampaignConfig(rules=ContactRules(suppression_list=file))
    assert suppressed(LocalArtifactStore(home / "store"), config) == {"A10007"}
    assert suppressed(LocalArtifactStore(home / "store"), CampaignConfig()) == frozenset()
