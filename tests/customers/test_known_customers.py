"""Whoever the risk model learnt from: one risk in the list and in every answer, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

from churn_assets.domain.contact_rules import RULES
from churn_assets.predictors.scoring.held_out import HeldOut
from churn_assets.predictors.scoring.scorers import RiskScorer
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.serving.engine import RetentionEngine
from churn_assets.storage.local import LocalArtifactStore
from tests.api.conftest import publish_predictions, publish_small_release
from tests.api.server import running, wait_for
from tests.customers.own_company import Company, make_company, make_home

COUNT = 25


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    return make_company(tmp_path_factory.mktemp("company"))


@pytest.fixture(scope="module")
def home(company: Company, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_home(company, tmp_path_factory)


@pytest.fixture(scope="module")
def client(home: Path) -> Iterator[httpx.Client]:
    yield from served(home)


def served(home: Path) -> Iterator[httpx.Client]:
    """Clients of a server of this home, once it has its predictions."""
    with running(home, CHURN_API__REQUESTS_PER_SECOND="0") as process:
        wait_for(process.url + "/campaign", process)
        with httpx.Client(base_url=process.url, timeout=120, trust_env=False) as session:
            yield session


def listed(client: httpx.Client) -> list[dict[str, Any]]:
    """The customers of the console's list."""
    customers: list[dict[str, Any]] = client.get("/customers", params={"count": COUNT}).json()[
        "customers"
    ]
    assert len(customers) == COUNT
    return customers


def body_of(client: httpx.Client, customer: dict[str, Any]) -> dict[str, Any]:
    """What the console asks about a customer of its list."""
    form = client.get("/openapi.json").json()["components"]["schemas"]["PredictRequest"]
    given = {k: v for k, v in customer["features"].items() if k in form["properties"]}
    known = {name: value for name, value in given.items() if value is not None}
    return {"customer_id": customer["customer_id"], "name": "Ana", **known}


def ask(client: httpx.Client, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post("/predict", json=body)
    assert answer.status_code == 200, answer.text
    metadata: dict[str, Any] = answer.json()["metadata"]
    return metadata


def remembered(company: Company) -> HeldOut:
    known = RiskScorer.load(company.root / "risk").held_out
    assert known is not None
    return known


def test_a_decision_has_the_risk_of_the_list(client: httpx.Client, company: Company) -> None:
    """One by one and in a batch: by models that never saw the customer, and the answer says so;
    by the model that learnt them many would have another."""
    customers, known = listed(client), remembered(company)
    bodies = [body_of(client, customer) for customer in customers]
    batch = client.post("/predict/batch", json={"customers": bodies}).json()["results"]
    places = known.find(customer["customer_id"] for customer in customers)
    for customer, body, row in zip(customers, bodies, batch, strict=True):
        told = ask(client, body)
        assert told["churn_risk"] == customer["churn_risk"]
        assert told["risk_source"] == "out_of_fold"
        assert row["answer"]["metadata"]["churn_risk"] == customer["churn_risk"]
        assert row["answer"]["metadata"]["risk_source"] == "out_of_fold"
    assert np.abs(known.seen - known.unseen)[places].max() > 0.02


def test_another_customer_is_answered_by_the_model(client: httpx.Client) -> None:
    """The same features under an id that nobody learnt: the model's own risk, and no word of it."""
    body = body_of(client, listed(client)[0])
    told = ask(client, body | {"customer_id": "new-1"})
    assert "risk_source" not in told


def test_a_changed_customer_isn_t_remembered_either(client: httpx.Client, company: Company) -> None:
    """A month later: as the models that never saw them would move, from the risk of the list."""
    known, moved = remembered(company), []
    for customer in listed(client):
        body = body_of(client, customer)
        before, later = ask(client, body), ask(client, body | {"months": body["months"] + 0.25})
        stranger = body | {"customer_id": "new-1", "months": body["months"] + 0.25}
        assert later["risk_source"] == "adjusted"
        [place] = known.find([customer["customer_id"]])
        by_model = ask(client, stranger)["churn_risk"]
        gap = abs(float(known.seen[place] - known.unseen[place]))
        told = (later["churn_risk"], by_model)
        moved.append((*(abs(risk - before["churn_risk"]) for risk in told), gap))
    adjusted, alone, gaps = map(np.array, zip(*moved, strict=True))
    far = gaps > 0.02
    assert far.any()
    assert adjusted[far].mean() < 0.5 * alone[far].mean()


def test_who_said_no_in_the_company_s_own_table_is_not_to_be_contacted(
    client: httpx.Client,
) -> None:
    """Why: plans read that column, while `POST /predict` advised a contact."""
    out = {"rule": "opt_out", "text": RULES["opt_out"]}
    row = client.get("/customers/A10007").json()
    assert row["excluded"] == out | {"since": None}
    refuses, other = body_of(client, row), body_of(client, client.get("/customers/A10001").json())
    alone = client.post("/predict", json=refuses).json()
    batch = client.post("/predict/batch", json={"customers": [refuses, other]}).json()["results"]
    for answer in (alone, batch[0]["answer"]):
        assert answer["metadata"]["excluded"] == out
        assert (answer["decision"]["contact"], answer["message"]) == (False, None)
    assert "excluded" not in batch[1]["answer"]["metadata"]
    assert batch[1]["answer"]["decision"]["contact"]


def test_what_is_known_of_the_customers_is_part_of_the_release(
    home: Path, company: Company, tmp_path: Path
) -> None:
    """Its digest is in the manifest; whoever has left is known too, should they come back."""
    folder = ReleaseRegistry(LocalArtifactStore(home / "store")).folder()
    engine = RetentionEngine.load(folder)
    assert engine.manifest is not None
    assert "risk/held_out.safetensors" in engine.manifest.files
    known = engine.assessor.risk.held_out
    assert known is not None
    history = pd.concat(map(pd.read_parquet, (company.root / "history").glob("*.parquet")))
    assert len(known) == len(history)
    assert (folder / "risk/held_out.safetensors").stat().st_size < 100 * len(history)


def test_beside_a_model_that_keeps_nobody_they_agree_too(tmp_path: Path) -> None:
    """An older release: by the model in list and decision; nothing is added to the answers."""
    publish_small_release(tmp_path, tmp_path / "release")
    publish_predictions(tmp_path, tmp_path / "predictions")
    for client in served(tmp_path):
        for customer in listed(client):
            told = ask(client, body_of(client, customer))
            assert told["churn_risk"] == customer["churn_risk"]
            assert "risk_source" not in told
