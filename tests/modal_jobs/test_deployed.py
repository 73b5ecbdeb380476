"""What of the settings and of the customers' contract reaches Modal's containers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from churn_assets.campaign.opening import contract_named, under_contract
from churn_assets.settings import PROJECT, Settings
from modal_jobs import deployed
from tests.customers.conftest import CONTRACT
from tests.modal_jobs.control_plane import running_control_plane
from tests.modal_jobs.test_app import DEPLOY


def test_deployed_settings_are_those_of_the_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers see the settings that `make deploy` saw, but no key of that machine, nor where its
    data lie."""
    monkeypatch.setenv("CHURN_STORE", "gs://bucket/prod")
    kept_back = {
        "CHURN_DATA_MIRROR": "/home/me/data",
        "CHURN_API_KEY": "secret",
        "CHURN_DATA__MIRROR": "/home/me/data",
        "CHURN_ACCEPT__CAMPAIGN_LOG": "/home/me/contacts.csv",
        "CHURN_API__KEY_FILE": "/home/me/keys",
        "CHURN_API__KEY_HASHES": '["shop:secret"]',
        "churn_api__key_hashes": '["shop:secret"]',
        "churn_customers": "/home/me/customers.yaml",
    }
    sections = {
        "CHURN_API": '{"key_hashes": ["shop:secret"], "max_batch_size": 7}',
        "CHURN_CAMPAIGN": '{"ledger": "postgresql://a:secret@b", "budget": 9}',
    }
    for name, value in {"CHURN_HOME": "/home/me/churn", **kept_back, **sections}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FORCE_BASELINE", "1")
    found = deployed.deployed_settings(Path("/home/me/customers.yaml"))
    assert not kept_back.keys() & found.keys()
    assert found["FORCE_BASELINE"] == "1"
    assert found["CHURN_STORE"] == "gs://bucket/prod"
    assert found["CHURN_HOME"] == "/churn"
    assert found["CHURN_CUSTOMERS"] == deployed.CONTRACT
    assert json.loads(found["CHURN_API"]) == {"max_batch_size": 7}
    assert json.loads(found["CHURN_CAMPAIGN"]) == {"budget": 9}
    assert not any("/home/me" in value or "secret" in value for value in found.values())


def test_every_path_and_secret_among_the_settings_is_kept_back() -> None:
    """A new setting that names a file of this machine must not reach the containers unnoticed, nor
    a secret the variables of an image."""

    def paths(model: type[BaseModel], prefix: str) -> Iterator[str]:
        for name, field in model.model_fields.items():
            key = f"{prefix}{name.upper()}"
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                yield from paths(field.annotation, f"{key}__")
            elif "Path" in str(field.annotation) or "Secret" in str(field.annotation):
                yield key

    found = set(paths(Settings, "CHURN_"))
    assert {"CHURN_API__KEY_FILE", "CHURN_ALERTS__WEBHOOK"} <= found
    # Files of rules: without their names a container would plan as if there was no such rule.
    rules = {"CHURN_CAMPAIGN__PEOPLE", "CHURN_CAMPAIGN__RULES__SUPPRESSION_LIST"}
    assert found - deployed.NOT_DEPLOYED == rules


RULES = """
people: {default_zone: Asia/Tehran}
contact:
  rules:
    consent_needed: true
    suppression_list: /home/me/never.csv
    blackout_dates: [2026-12-25]
    cooldown_days: 30
"""


def test_a_container_contacts_by_the_rules_of_who_deployed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is on the suppression list, or mustn't be mailed on a day, is so on Modal, too; and
    the experiment and what learns from answers are on, as they are with a contract."""

    def in_force() -> tuple[Any, ...]:
        settings = Settings()
        contract = contract_named(settings.customers)
        planned, zone = under_contract(settings.campaign, contract, "America/New_York")
        learnt = settings.messages.learn_from_answers
        return settings.experiment.enabled, learnt, planned.rules, planned.budget, zone

    file = tmp_path / "customers.yaml"
    file.write_text(CONTRACT + RULES)
    for name in [name for name in os.environ if name.startswith("CHURN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CHURN_CUSTOMERS", str(file))
    monkeypatch.setenv("CHURN_CAMPAIGN", '{"budget": 500}')
    here = in_force()
    for name, value in deployed.deployed_settings(file).items():
        monkeypatch.setenv(name, value.replace(deployed.CONTRACT, str(file)))
    assert in_force() == here
    assert here[:2] == (True, True)
    assert here[2].consent_needed
    assert here[3:] == (500.0, "Asia/Tehran")


def test_the_contract_lies_in_the_images(tmp_path: Path) -> None:
    """Where the variable of the containers says, and only where there is one."""
    (tmp_path / "customers.yaml").write_text(CONTRACT)
    with running_control_plane() as plane:
        env = {"CHURN_CUSTOMERS": str(tmp_path / "customers.yaml"), "CHURN_HOME": str(tmp_path)}
        done = plane.run("-c", DEPLOY, cwd=PROJECT, env=env)
        assert done.returncode == 0, done.stderr
        requests = dict(plane.requests)
    mounted = [f.filename for r in requests["MountGetOrCreate"] for f in r.files]
    assert mounted.count(deployed.CONTRACT) >= 1
    for request in requests["FunctionCreate"]:
        assert len(request.function.mount_ids) == 3  # Modal's client, the sources, the contract
    lines = [line for r in requests["ImageGetOrCreate"] for line in r.image.dockerfile_commands]
    assert any(f"CHURN_CUSTOMERS={deployed.CONTRACT}" in line for line in lines)


def test_what_a_deployment_carries_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which rules hold on Modal shouldn't have to be found out there."""
    for name in [name for name in os.environ if name.startswith("CHURN_")]:
        monkeypatch.delenv(name)
    first = next(deployed.carried(Settings()))
    assert first == "carried  contract: none, CHURN_CUSTOMERS is not set"
    first = next(deployed.carried(Settings(), "would carry"))
    assert first == "would carry  contract: none, CHURN_CUSTOMERS is not set"
    file = tmp_path / "customers.yaml"
    file.write_text(CONTRACT + "contact: {rules: {suppression_list: /srv/never.csv}}\n")
    monkeypatch.setenv("CHURN_CUSTOMERS", str(file))
    monkeypatch.setenv("CHURN_CAMPAIGN__LEDGER", "postgresql://a@b/c")
    assert list(deployed.carried(Settings())) == [
        f"carried  contract: {file}",
        "carried  settings: CHURN_CUSTOMERS, CHURN_HOME",
        "stays    secrets and paths: CHURN_CAMPAIGN__LEDGER",
        "stays    /srv/never.csv: the API will refuse to plan and to list without it; "
        "`churn campaign` does both on this machine",
    ]
