"""One customer's failure is theirs alone: in a batch, in a batching pass, and under a flood."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from api.batching import MOST_TASKS
from churn_assets.serving.schemas import SAMPLE_REQUEST
from tests.api.conftest import publish_small_release
from tests.api.load import drive, post_request
from tests.api.server import Server, running

# What tests/api/faulty_app.py fails on: while writing, and while assessing all of a pass.
FAULTS = ({"name": "Unlucky"}, {"monthly_charges": 66.6})


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    publish_small_release(home, tmp_path_factory.mktemp("release"))
    with running(home, "tests.api.faulty_app:app", CHURN_API__REQUESTS_PER_SECOND="0") as server:
        yield server


@pytest.mark.parametrize("fault", FAULTS)
def test_a_row_that_fails_says_so_in_its_place(faulty: Server, fault: dict[str, Any]) -> None:
    """The rest of the batch is answered as if it weren't there; the log says where it broke, and
    nothing of the customer."""
    rows = [{**SAMPLE_REQUEST, "customer_id": f"C{i}", "tenure": i} for i in range(20)]
    rows[7] |= fault
    batch = httpx.post(faulty.url + "/predict/batch", json={"customers": rows}, timeout=30).json()
    assert (batch["answered"], batch["refused"]) == (19, 1)
    assert [row["index"] for row in batch["results"]] == list(range(20))
    failed = batch["results"][7]
    assert failed["answer"] is None
    [error] = failed["errors"]
    assert (error["type"], error["loc"]) == ("internal", ["body", "customers", 7])
    assert all(row["answer"]["decision"] for row in batch["results"] if row is not failed)
    log = faulty.log.read_text()
    assert "faulty_app.py" in log
    assert "Unlucky" not in log
    assert "66.6" not in log


@pytest.mark.parametrize("fault", FAULTS)
def test_callers_of_the_same_moment_are_answered(faulty: Server, fault: dict[str, Any]) -> None:
    """Four connections that fail beside twelve honest ones, decided together: 500 for the four."""
    honest = post_request(faulty.url, "/predict", SAMPLE_REQUEST)
    failing = post_request(faulty.url, "/predict", {**SAMPLE_REQUEST, **fault})
    codes: Counter[tuple[bool, int]] = Counter()

    def note(request: bytes, status: int, body: bytes) -> None:
        codes[request is failing, status] += 1
        if status == 500:
            assert json.loads(body)["detail"][0]["type"] == "internal"

    drive(faulty.url, [failing, honest, honest, honest], connections=16, seconds=1, on_answer=note)
    assert set(codes) == {(True, 500), (False, 200)}


def test_a_flood_of_batches_leaves_single_requests_alone(faulty: Server) -> None:
    """More batches than there is room for: some are told to come again, none fails otherwise, and
    single requests are answered meanwhile."""
    rows = [{**SAMPLE_REQUEST, **change} for change in ({"name": "Sloth"}, *FAULTS, {})]
    flood = {"customers": rows}
    with ThreadPoolExecutor(3 * MOST_TASKS) as callers:
        batches = [
            callers.submit(httpx.post, faulty.url + "/predict/batch", json=flood, timeout=120)
            for _ in range(3 * MOST_TASKS)
        ]
        singles = 0
        while not all(batch.done() for batch in batches):
            answer = httpx.post(faulty.url + "/predict", json=SAMPLE_REQUEST, timeout=30)
            assert answer.status_code == 200
            singles += 1
        answers = [batch.result() for batch in batches]
    assert singles
    assert {answer.status_code for answer in answers} == {200, 503}
    for answer in answers:
        if answer.status_code == 200:
            assert (answer.json()["answered"], answer.json()["refused"]) == (2, 2)
        else:
            assert answer.json()["detail"][0]["type"] == "busy"
            assert answer.headers["retry-after"]
