"""A month's budget over real HTTP: its price reaches every decision, and what a customer was given
this month counts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from churn_assets.campaign.contacts.event import Event
from churn_assets.campaign.contacts.ledger import Ledger
from churn_assets.decision.rules.families import PricedGreedy
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.release.switches import budget_price
from churn_assets.serving.decision_log import parts
from churn_assets.serving.engine import RetentionEngine
from churn_assets.serving.schemas import SAMPLE_REQUEST, PredictRequest
from churn_assets.storage.local import LocalArtifactStore
from tests.api.conftest import publish_predictions, publish_small_release
from tests.api.server import START_SECONDS, Server, running, wait_for

CUSTOMERS = [
    SAMPLE_REQUEST | {"customer_id": f"B{i}", "tenure": 3 * i, "monthly_charges": 20.0 + 4 * i}
    for i in range(20)
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a release that decides by a price, and predictions."""
    home = tmp_path_factory.mktemp("home")
    publish_small_release(home, tmp_path_factory.mktemp("release"), policy=PricedGreedy(price=0.5))
    publish_predictions(home, tmp_path_factory.mktemp("predictions"))
    return home


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Server]:
    """A server of a company with little money a month, which tests may ask again at once."""
    with running(
        home,
        CHURN_CAMPAIGN__MONTH_BUDGET="150",
        CHURN_API__POLL_SECONDS="0.05",
        CHURN_API__REQUESTS_PER_SECOND="0",
    ) as process:
        wait_for(process.url + "/readyz", process)
        yield process


def predicted(client: httpx.Client, **customer: Any) -> dict[str, Any]:
    """The answer to a customer."""
    answer = client.post("/predict", json=SAMPLE_REQUEST | customer)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_plans_price_reaches_every_decision(server: Server, home: Path) -> None:
    """Single requests, batches and the log; the rules of the kill switch, too."""
    store = LocalArtifactStore(home / "store")
    with httpx.Client(base_url=server.url, timeout=30, trust_env=False) as client:
        assert "budget_price" not in predicted(client)["metadata"]
        plan = client.post("/campaign/plan", json={}).json()
        deadline = time.monotonic() + START_SECONDS
        while "budget_price" not in predicted(client)["metadata"]:
            assert time.monotonic() < deadline
        batch = client.post("/predict/batch", json={"customers": CUSTOMERS}).json()["results"]
        alone = [predicted(client, **customer) for customer in CUSTOMERS]
        forced = predicted(client, force_baseline=True)
    said = budget_price.read(store)
    assert said is not None
    assert plan["budget_price"] == said.price > 0.5
    engine = RetentionEngine.load(ReleaseRegistry(store).folder())
    asked = [PredictRequest.model_validate(customer) for customer in CUSTOMERS]
    expected = engine.predict_many(asked, budget_price=said.price)
    unpriced = engine.predict_many(asked)
    for answers in ([row["answer"] for row in batch], alone):
        assert [a["decision"] for a in answers] == [a["decision"] for a in expected]
        assert {a["metadata"]["budget_price"] for a in answers} == {round(said.price, 4)}
    assert [a["decision"] for a in expected] != [a["decision"] for a in unpriced]
    [ruled] = engine.predict_many(
        [PredictRequest.model_validate(SAMPLE_REQUEST | {"force_baseline": True})],
        budget_price=said.price,
    )
    assert forced["decision"] == ruled["decision"]
    assert forced["metadata"]["baseline"] is True
    assert forced["metadata"]["budget_price"] == round(said.price, 4)
    logged: list[float | None] = []
    while len(logged) < 2 * len(CUSTOMERS):
        assert time.monotonic() < deadline
        rows = parts.read(store).to_pylist()
        logged = [r["budget_price"] for r in rows if r["customer_id"].startswith("B")]
    assert set(logged) == {round(said.price, 4)}


def test_the_campaigns_sums_say_which_budget_is_followed(server: Server) -> None:
    """The month's; the limit that the release was made with is told beside it."""
    sums = httpx.get(f"{server.url}/campaign", timeout=30, trust_env=False).json()
    assert sums["month_budget"] == 150
    assert sums["budget"] == pytest.approx(0.02 * sums["customer_value"], abs=0.01)


def test_what_was_given_this_month_counts(server: Server, home: Path) -> None:
    """15 % of an allowance of 20 % are gone: no offer above 5 % any more, unless the caller says
    that more is left; the answer says whose word it was."""
    when = datetime.now(UTC) - timedelta(days=10)
    ledger = Ledger.open("", home)
    events = (("sent", when, 15), ("accepted", when + timedelta(hours=1), None))
    for kind, at, percentage in events:
        told = {"customer_id": "GIVEN", "kind": kind, "occurred_at": at}
        told |= {"event_key": f"crm-{kind}", "offer_percentage": percentage}
        ledger.record([Event.model_validate(told)])
    ledger.close()
    given = {"customer_id": "GIVEN", "monthly_charges": 115.0, "tenure": 1}
    none = {"contacts_this_period": 0}  # the caller's count wins, and only the allowance differs
    with httpx.Client(base_url=server.url, timeout=30, trust_env=False) as client:
        deadline = time.monotonic() + START_SECONDS
        while (answer := predicted(client, **given, **none))["metadata"].get(
            "contact_history"
        ) is None:
            assert time.monotonic() < deadline
        own = predicted(client, **given, **none, budget_remaining=1.0)
        batch = client.post("/predict/batch", json={"customers": [SAMPLE_REQUEST | given | none]})
    history = answer["metadata"]["contact_history"]
    assert "budget_remaining" in history["from_ledger"]
    assert "budget_remaining" in own["metadata"]["contact_history"]["from_caller"]
    assert batch.json()["results"][0]["answer"]["decision"] == answer["decision"]
    assert answer["decision"]["offer_percentage"] <= 5
    store = LocalArtifactStore(home / "store")
    left: list[float] = []
    while left.count(0.25) < 2:  # the answer's and the batch's
        assert time.monotonic() < deadline
        rows = parts.read(store).to_pylist()
        left = [round(r["observation"][5], 9) for r in rows if r["customer_id"] == "GIVEN"]
    assert set(left) == {0.25, 1.0}
