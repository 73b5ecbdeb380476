"""Batch, customers, campaign, feedback, release, metrics and the OpenAPI document."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import Request, Response
from fastapi.testclient import TestClient

from api.main import build_app
from api.parsing import BodyRoute
from api.routes.console import FOLDER
from api.routes.health import Readiness
from churn_assets.serving.bucket_feedback import StoreFeedbackLog
from churn_assets.serving.feedback import SqliteFeedbackLog
from churn_assets.serving.problems import Problems
from churn_assets.serving.schemas import SAMPLE_REQUEST, PredictRequest, PredictResponse
from churn_assets.settings import Settings
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import ArtifactError
from tests.api.conftest import publish_predictions, publish_small_release
from tests.api.server import HERE, Server, running, wait_for
from tests.api.test_feedback import EVENT


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A server with a release and materialised predictions."""
    home = tmp_path_factory.mktemp("home")
    publish_small_release(home, tmp_path_factory.mktemp("release"))
    publish_predictions(home, tmp_path_factory.mktemp("predictions"))
    with (
        running(home, CHURN_API__REQUESTS_PER_SECOND="0", CHURN_API__MAX_BATCH_SIZE="50") as server,
        httpx.Client(base_url=server.url, timeout=120) as session,
    ):
        wait_for(server.url + "/campaign", server)
        yield session


def test_batch_answers_like_single_requests(full: httpx.Client) -> None:
    """The same engine, one pass: the same decisions and messages."""
    customers = [{**SAMPLE_REQUEST, "customer_id": f"B{i}", "tenure": 3 * i} for i in range(20)]
    batch = full.post("/predict/batch", json={"customers": customers}).json()
    assert (batch["answered"], batch["refused"]) == (20, 0)
    for row, customer in zip(batch["results"], customers, strict=True):
        single = full.post("/predict", json=customer).json()
        assert row["answer"]["decision"] == pytest.approx(single["decision"], abs=1.01e-4)
        assert row["answer"]["message"] == single["message"]


def test_bad_rows_do_not_fail_the_others(full: httpx.Client) -> None:
    """Each bad row says what is wrong with it, by field; the rest is answered."""
    rows: list[Any] = [SAMPLE_REQUEST, {**SAMPLE_REQUEST, "tenure": -1}, "nonsense", {}, None]
    batch = full.post("/predict/batch", json={"customers": rows}).json()
    assert (batch["answered"], batch["refused"]) == (1, 4)
    assert [row["index"] for row in batch["results"]] == [0, 1, 2, 3, 4]
    assert batch["results"][0]["errors"] == []
    [error] = batch["results"][1]["errors"]
    assert error["loc"] == ["body", "customers", 1, "tenure"]
    assert all(row["answer"] is None and row["errors"] for row in batch["results"][1:])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"customers": []}, "customers"),
        ({"customers": [SAMPLE_REQUEST] * 51}, "customers"),
        ({"customers": "all"}, "customers"),
        ({"customers": [SAMPLE_REQUEST], "with_messages": 1}, "with_messages"),
    ],
)
def test_batches_that_are_none(full: httpx.Client, body: Any, field: str) -> None:
    """Empty, too long, no list: refused as a whole, by field."""
    answer = full.post("/predict/batch", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", field]


def test_batch_without_reasons_and_messages(full: httpx.Client) -> None:
    """Who scores a million customers asks for decisions only; these stay the same."""
    body = {"customers": [SAMPLE_REQUEST], "with_messages": False, "with_reasons": False}
    [row] = full.post("/predict/batch", json=body).json()["results"]
    whole = full.post("/predict", json=SAMPLE_REQUEST).json()
    assert row["answer"]["message"] is None
    assert row["answer"]["metadata"]["reasons"] == []
    assert row["answer"]["decision"] == whole["decision"]


def test_batch_of_bad_rows_only(full: httpx.Client) -> None:
    """Nothing to answer is no error of ours."""
    answer = full.post("/predict/batch", json={"customers": [1, 2]})
    assert answer.status_code == 200
    assert answer.json()["answered"] == 0


def test_customers_come_by_value(full: httpx.Client) -> None:
    """The list is sorted, pages fit together, and one customer's row is the list's."""
    page = full.get("/customers", params={"count": 90}).json()
    assert page["total"] == len(page["customers"]) == 90
    values = [c["expected_value"] for c in page["customers"]]
    assert values == sorted(values, reverse=True)
    third = full.get("/customers", params={"start": 2, "count": 1}).json()["customers"]
    assert third == [page["customers"][2]]
    assert full.get(f"/customers/{third[0]['customer_id']}").json() == third[0]


def test_prediction_equals_a_live_request(full: httpx.Client) -> None:
    """The nightly batch and the API are one path."""
    row = full.get("/customers", params={"count": 1}).json()["customers"][0]
    request = {**row["features"], "customer_id": row["customer_id"], "name": "Sam"}
    live = full.post("/predict", json=request).json()
    assert live["metadata"]["churn_risk"] == pytest.approx(row["churn_risk"], abs=1.01e-4)
    assert live["metadata"]["expected_value"] == pytest.approx(row["expected_value"], abs=0.0101)
    for name, value in row.items():
        if type(value) is float:
            assert value == round(value, 2 if name in ("expected_value", "expected_cost") else 4)
    assert live["decision"]["offer_level"] == row["offer_level"]


def test_customers_are_searched_by_a_part_of_their_id(full: httpx.Client) -> None:
    """Whatever the case, by falling value as the whole list, and in pages."""
    everybody = full.get("/customers", params={"count": 90}).json()["customers"]
    wanted = [c for c in everybody if "t0001" in c["customer_id"].lower()]
    page = full.get("/customers", params={"search": "t0001"}).json()
    assert (page["total"], page["customers"]) == (len(wanted), wanted)
    assert len(wanted) == 10
    second = full.get("/customers", params={"search": "t0001", "start": 1, "count": 1}).json()
    assert (second["total"], second["customers"]) == (10, [wanted[1]])
    assert full.get("/customers", params={"search": "NOBODY"}).json()["total"] == 0


def test_a_question_that_decides_nothing_is_not_counted(full: httpx.Client) -> None:
    """What if? The answer is the same. (`test_decision_log`: no log has it.)"""

    def counted() -> float:
        lines = full.get("/metrics").text.splitlines()
        mine = (line for line in lines if line.startswith("churn_decisions_total"))
        return sum(float(line.rpartition(" ")[2]) for line in mine)

    before = counted()
    asked = {"customers": [SAMPLE_REQUEST | {"customer_id": "WHAT-IF"}], "record": False}
    [row] = full.post("/predict/batch", json=asked).json()["results"]
    assert counted() == before
    asked = {"customers": [SAMPLE_REQUEST | {"customer_id": "FOR-SURE"}]}
    [other] = full.post("/predict/batch", json=asked).json()["results"]
    assert counted() > before
    assert row["answer"]["decision"] == other["answer"]["decision"]


def test_unknown_customer_is_404(full: httpx.Client) -> None:
    """In the usual shape, without repeating the id."""
    answer = full.get("/customers/NOBODY")
    assert answer.status_code == 404
    assert "NOBODY" not in answer.text
    assert full.get("/customers/%00").status_code == 422


def test_campaign_adds_up(full: httpx.Client) -> None:
    """The campaign's sums are those of the single predictions; the frontier dominates today."""
    campaign = full.get("/campaign").json()
    rows = full.get("/customers", params={"count": 500}).json()["customers"]
    assert campaign["customers"] == len(rows)
    assert campaign["contacts"] == sum(r["contact"] for r in rows)
    assert campaign["expected_spend"] == pytest.approx(
        sum(r["expected_cost"] for r in rows), abs=0.005 * (len(rows) + 1)
    )
    value = sum(12 * r["features"]["monthly_charges"] for r in rows)
    assert campaign["budget"] == pytest.approx(0.02 * value, abs=0.01)
    assert campaign["month_budget"] is None
    assert all(v == round(v, 2) for v in campaign.values() if type(v) is float)
    spends = [p["spend"] for p in campaign["pareto"]]
    retained = [p["retained"] for p in campaign["pareto"]]
    assert spends == sorted(spends)
    assert retained == sorted(retained)
    spend, kept = campaign["expected_spend"], campaign["expected_retained_revenue"]
    assert kept <= np.interp(spend, [0, *spends], [0, *retained]) + 0.01
    assert kept - spend == pytest.approx(campaign["expected_value"], abs=0.02)
    assert campaign["expected_value"] == pytest.approx(
        sum(r["expected_value"] for r in rows), abs=0.005 * (len(rows) + 1)
    )


def test_feedback_is_idempotent(full: httpx.Client) -> None:
    """A caller who heard no answer sends again; it counts once. Another event can't take its id."""
    first = full.post("/feedback", json=EVENT)
    assert first.json() == {"event_id": "evt-1", "duplicate": False, "known": False}
    assert full.post("/feedback", json=EVENT).json()["duplicate"] is True
    other = full.post("/feedback", json={**EVENT, "kind": "churned"})
    assert other.status_code == 409
    assert other.json()["detail"][0]["loc"] == ["body", "event_id"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "smiled"),
        ("occurred_at", "2026-01-14T12:00:00"),
        ("occurred_at", "yesterday"),
        ("occurred_at", 1768388400),
        ("occurred_at", "1768388400"),
        ("occurred_at", "1768388400.5"),
        ("occurred_at", "2026-01-14"),
        ("occurred_at", "12:00:00Z"),
        ("occurred_at", "2026-13-14T12:00:00Z"),
        ("occurred_at", "2026-01-14T12:00:00+99:00"),
        ("event_id", "../../etc"),
        ("offer_percentage", 12),
        ("release_id", "<b>"),
        ("note", "hello"),
    ],
)
def test_bad_feedback_is_named(full: httpx.Client, field: str, value: Any) -> None:
    """The same rules as everywhere: 422 and the field."""
    answer = full.post("/feedback", json={**EVENT, "event_id": "evt-2", field: value})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][:2] == ["body", field]


@pytest.mark.parametrize("error", [sqlite3.OperationalError("disk full"), ArtifactError("gone")])
def test_feedback_that_could_not_be_stored_is_to_be_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A full disk or a lost bucket is not the caller's fault; nothing is acknowledged."""

    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(SqliteFeedbackLog, "record", fail)
    with TestClient(
        build_app(Settings(home=tmp_path)), base_url="http://localhost", client=HERE
    ) as client:
        answer = client.post("/feedback", json=EVENT | {"offer_percentage": None})
    assert answer.status_code == 503
    assert answer.json()["detail"][0]["type"] == "not_recorded"
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize("kind", ["sqlite", "store"])
def test_feedback_log_keeps_each_event_once(tmp_path: Path, kind: str) -> None:
    """Many threads, the same hundred events each: every one is stored exactly once."""
    log = (
        SqliteFeedbackLog(tmp_path / "feedback.sqlite3")
        if kind == "sqlite"
        else StoreFeedbackLog(LocalArtifactStore(tmp_path))
    )
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda i: log.record(f"e{i % 25}", f"c{i % 25}"), range(100)))
    assert outcomes.count("stored") == 25
    assert outcomes.count("duplicate") == 75
    assert log.record("e1", "something else") == "conflict"
    assert sorted(log.events()) == sorted(f"c{i}" for i in range(25))
    log.close()


OPEN_MANY = """
import sys
from pathlib import Path
from churn_assets.serving.feedback import SqliteFeedbackLog
print("here", flush=True)
for line in sys.stdin:  # both processes open the same new file at the same moment, over and over
    log = SqliteFeedbackLog(Path(line.strip()))
    log.record("e1", "content")
    log.close()
    print("opened", flush=True)
"""


def test_workers_that_start_together_all_get_the_log(tmp_path: Path) -> None:
    """Two workers on a fresh home must not find the database locked by each other."""
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN_MANY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        for _ in range(2)
    ]

    def say(worker: subprocess.Popen[str], line: str) -> None:
        assert worker.stdin is not None
        worker.stdin.write(line)

    def hear(worker: subprocess.Popen[str]) -> str:
        assert worker.stdout is not None
        return worker.stdout.readline().strip()

    assert [hear(worker) for worker in workers] == ["here", "here"]
    for number in range(200):
        for worker in workers:
            say(worker, f"{tmp_path / str(number)}/feedback.sqlite3\n")
        assert [hear(worker) for worker in workers] == ["opened", "opened"], number
    for worker in workers:
        worker.communicate(timeout=30)
        assert worker.returncode == 0


def test_sqlite_is_flushed_at_every_commit(tmp_path: Path) -> None:
    """An acknowledged event must be on disk: WAL with synchronous=FULL, and readable by others."""
    log = SqliteFeedbackLog(tmp_path / "feedback.sqlite3")
    log.record("e1", "content")
    assert log._db is not None
    assert log._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert log._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    with sqlite3.connect(tmp_path / "feedback.sqlite3") as other:
        assert other.execute("SELECT content FROM feedback").fetchall() == [("content",)]


def test_release_tells_what_serves_and_why(full: httpx.Client) -> None:
    """Every answer can be traced: release, models, data, figures, promotion."""
    release = full.get("/release").json()
    answer = full.post("/predict", json=SAMPLE_REQUEST).json()
    assert release["release_id"] == answer["metadata"]["release_id"]
    assert release["policy"] == answer["metadata"]["policy"]
    assert release["report"]["risk"]["auc_oof"] == 0.8
    assert release["comparison"]["promoted"] is True


def test_metrics_count_what_happened(full: httpx.Client) -> None:
    """Requests by route template (never by raw path), decisions, messages, the serving release."""

    def value(name: str) -> float:
        lines = full.get("/metrics").text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    before = value('churn_requests_total{method="POST",route="/predict",status="200"}')
    full.post("/predict", json=SAMPLE_REQUEST)
    after = value('churn_requests_total{method="POST",route="/predict",status="200"}')
    assert after == before + 1
    full.get("/customers/SOMEBODY")
    text = full.get("/metrics").text
    assert "SOMEBODY" not in text
    assert 'route="/customers/{customer_id}"' in text
    assert value("churn_serving_release{") == 1
    assert value("churn_decisions_total") > 0


def has_example(field: dict[str, Any]) -> bool:
    """An example of its own, or those of the schema that it refers to."""
    kinds = [field, field.get("items", {}), *field.get("anyOf", [])]
    return bool(field.get("examples")) or any("$ref" in kind for kind in kinds)


def test_openapi_has_an_example_for_every_field_and_error(full: httpx.Client) -> None:
    """Whoever integrates reads the document, not the code; what it shows must be true."""
    document = full.get("/openapi.json").json()
    models = {"PredictRequest": PredictRequest, "PredictResponse": PredictResponse}
    for name, schema in document["components"]["schemas"].items():
        bare = [f for f, field in schema.get("properties", {}).items() if not has_example(field)]
        assert bare == [], f"{name} has fields without an example"
        for example in schema.get("examples", []):
            models[name].model_validate(example, strict=True)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if int(status) < 400:
                    continue
                example = response["content"]["application/json"].get("example")
                assert example, f"{path} {status} has no example"
                (Readiness if path == "/readyz" else Problems).model_validate(example)


def test_console_is_served_whole(full: httpx.Client, server: Server) -> None:
    """Page, style and scripts come from here and name no other host."""
    page = full.get("/")
    assert page.headers["content-type"].startswith("text/html")
    for path in ("/", *(f"/{file.name}" for file in FOLDER.iterdir() if file.suffix != ".html")):
        answer = full.get(path)
        assert answer.status_code == 200, path
        text = answer.text
        assert "http://" not in text.replace("http://www.w3.org/", "")
        assert "https://" not in text


def test_body_route_takes_a_body_and_the_request_only() -> None:
    """Another parameter would be documented, but nobody would fill it in."""

    async def endpoint(customer: PredictRequest, request: Request, verbose: bool) -> Response:
        raise NotImplementedError

    with pytest.raises(TypeError, match=r"endpoint must take \(body: Model, request: Request\)"):
        BodyRoute("/x", endpoint)
