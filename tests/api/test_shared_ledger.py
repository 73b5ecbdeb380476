"""Several API processes on one ledger in a real PostgreSQL, as containers have it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.api.conftest import publish_predictions, publish_small_release
from tests.api.server import running, wait_for
from tests.postgres import PASSWORD, running_postgres

LATER = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
CHANNELS = '{"email": {"contacts_a_day": 6}, "call": {"contacts_a_day": 2, "cost": 1}}'


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a small release and predictions for 90 customers."""
    home = tmp_path_factory.mktemp("home")
    publish_small_release(home, tmp_path_factory.mktemp("release"))
    publish_predictions(home, tmp_path_factory.mktemp("predictions"))
    return home


@pytest.fixture
def desks(home: Path) -> Iterator[list[httpx.Client]]:
    """Callers of two processes that share a store and a ledger."""
    with ExitStack() as stack:
        url = stack.enter_context(running_postgres())
        given = {
            "CHURN_CAMPAIGN__LEDGER": url.replace("CHURN_TEST_PASSWORD", "LEDGER_PASSWORD"),
            "LEDGER_PASSWORD": PASSWORD,
            "CHURN_CAMPAIGN__BUDGET": "900",
            "CHURN_CAMPAIGN__CHANNELS": CHANNELS,
            "CHURN_API__REQUESTS_PER_SECOND": "0",
        }
        servers = [stack.enter_context(running(home, **given)) for _ in range(2)]
        for server in servers:
            wait_for(server.url + "/readyz", server)
        yield [
            stack.enter_context(httpx.Client(base_url=s.url, timeout=300, trust_env=False))
            for s in servers
        ]


def test_what_one_process_does_the_other_knows(desks: list[httpx.Client], home: Path) -> None:
    """Planned here, approved there, handed over by both at once: everybody is contacted once, and
    each process answers with it."""
    one, other = desks

    def posted(desk: httpx.Client, path: str, status: int = 200, **body: object) -> httpx.Response:
        answer = desk.post(f"/campaign/plan{path}", json=body)
        assert answer.status_code == status, answer.text
        return answer

    with ThreadPoolExecutor(2) as pool:  # two planners at once: one promise holds
        plans = [a.json()["plan_id"] for a in pool.map(lambda desk: posted(desk, ""), desks)]
        answers = list(
            pool.map(
                lambda pair: pair[0].post("/campaign/plan/approve", json={"plan_id": pair[1]}),
                zip((other, one), plans, strict=True),
            )
        )
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        [approved] = [a.json()["plan_id"] for a in answers if a.status_code == 200]
        told = {"plan_id": approved, "day": LATER}
        assert one.get("/campaign/plan/list", params=told).status_code == 200
        done = list(
            pool.map(lambda desk: posted(desk, "/handed-over", **told).json(), [one, other] * 2)
        )
    assert sum(answer["new"] for answer in done) == 8
    rows = one.get("/campaign/plan/contacts", params=told).json()["contacts"]
    for row in rows:
        for desk in desks:
            [contact] = desk.get(f"/customers/{row['customer_id']}/contacts").json()["contacts"]
            assert (contact["channel"], contact["planned"]) == (row["channel"], True)
    [listed] = {desk.get("/campaign/plan/list", params=told).text.count("\r\n") for desk in desks}
    assert listed == 1  # the header
    assert not list(home.glob("ledger.sqlite3*"))
