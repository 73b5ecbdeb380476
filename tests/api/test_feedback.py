"""Feedback against real servers: never lost once acknowledged, never in the way of a decision."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec, patch

import httpx
import pytest

from api.recording import FeedbackRecorder
from churn_assets.domain.offers import Offers
from churn_assets.serving.feedback import FeedbackLog
from churn_assets.serving.schemas import SAMPLE_REQUEST
from churn_assets.storage.local import LocalArtifactStore
from tests.api.conftest import publish_small_release, small_server
from tests.api.server import Server, free_port, running, wait_for
from tests.release.small_release import publish

EVENT = {
    "event_id": "evt-1",
    "customer_id": "C1",
    "kind": "accepted",
    "occurred_at": "2026-01-14T12:00:00+01:00",
    "offer_percentage": 10,
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    publish_small_release(home, tmp_path_factory.mktemp("release"))
    return home


@pytest.fixture
def service(home: Path) -> Iterator[Server]:
    """A server whose feedback is empty."""
    remove(home)
    with running(home, CHURN_API__REQUESTS_PER_SECOND="0") as server:
        yield server


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for tests whose events are told apart by their identity."""
    with small_server(tmp_path_factory, CHURN_API__REQUESTS_PER_SECOND="0") as server:
        yield server


def remove(home: Path) -> None:
    for file in home.glob("feedback.*"):
        file.unlink()


def send(server: Server, **changes: Any) -> httpx.Response:
    return httpx.post(server.url + "/feedback", json={**EVENT, **changes}, timeout=30)


def stored(home: Path) -> list[str]:
    with closing(sqlite3.connect(home / "feedback.sqlite3")) as database:
        rows = database.execute("SELECT event_id FROM feedback ORDER BY number").fetchall()
    return [event_id for (event_id,) in rows]


def assert_decides(server: Server) -> None:
    """One customer and a batch are answered."""
    for path, body in (
        ("/predict", SAMPLE_REQUEST),
        ("/predict/batch", {"customers": [SAMPLE_REQUEST]}),
    ):
        assert httpx.post(server.url + path, json=body, timeout=30).status_code == 200


@pytest.mark.parametrize(
    ("event", "same"),
    [
        ("same-zone", {"occurred_at": "2026-01-14T11:00:00Z"}),
        ("same-offset", {"occurred_at": "2026-01-14t06:00:00.000-05"}),
        ("same-words", {"occurred_at": "2026-01-14 12:00+0100"}),
        ("same-number", {"offer_percentage": 10.0}),
    ],
)
def test_one_event_written_differently_is_one_event(
    shared: Server, event: str, same: dict[str, Any]
) -> None:
    """An instant is the same in every zone; a caller who sends again may write it otherwise."""
    first = send(shared, event_id=event).json()
    assert (first["event_id"], first["duplicate"]) == (event, False)
    answer = send(shared, event_id=event, **same)
    assert (answer.status_code, answer.json()["duplicate"]) == (200, True)
    later = send(shared, event_id=event, occurred_at="2026-01-14T12:00:00+02:00")
    assert later.status_code == 409
    assert send(shared, event_id=event, offer_percentage=5).status_code == 409


def test_a_kind_and_a_plan_s_decision_are_a_key(shared: Server) -> None:
    """Why: of customers named by UUIDs "accepted-…" had 65 characters, one too many, and
    "refused-…" 64: the acceptances alone were refused."""
    customer = "c0ffee00-0000-4000-8000-00000000000b"
    decision = f"20270103-0123456789:{customer}"
    for kind in ("accepted", "refused", "unsubscribed"):
        told = {"customer_id": customer, "decision_id": decision, "kind": kind}
        told["offer_percentage"] = None if kind == "unsubscribed" else 10  # type: ignore[assignment]
        answer = send(shared, event_id=f"{kind}-{decision}", **told)
        assert (answer.status_code, answer.json()["duplicate"]) == (200, False), answer.text
    assert send(shared, event_id="e" * 129).status_code == 422


def test_a_receipt_says_whether_the_customer_is_known(shared: Server, service: Server) -> None:
    """An opt-out under an id that lost its zeros was acknowledged like any other; where there are
    no predictions, nobody can say."""
    wait_for(shared.url + "/campaign", shared)
    told = {"kind": "unsubscribed", "offer_percentage": None}
    for customer, known in (("T00004", True), ("T4", False), ("t00004", False)):
        for again in (False, True):
            receipt = send(shared, event_id=f"out-{customer}", customer_id=customer, **told).json()
            assert receipt == {"event_id": f"out-{customer}", "duplicate": again, "known": known}
    assert send(service, event_id="out", customer_id="T00004", **told).json()["known"] is None


def test_answers_to_an_earlier_releases_offers_are_taken(tmp_path: Path) -> None:
    """They come for a month and more after a release that offers others; the document says so."""
    home, earlier = tmp_path / "home", Offers(percent=(0, 10, 20, 30))
    publish(LocalArtifactStore(home / "store"), tmp_path / "earlier", "Earlier", earlier)
    publish_small_release(home, tmp_path / "release")
    with running(home) as server:
        for percent in (0, 5, 15, 20, 30):
            answer = send(server, event_id=f"e{percent}", offer_percentage=percent)
            assert answer.status_code == 200, answer.text
        refused = send(server, event_id="e12", offer_percentage=12)
        assert refused.status_code == 422
        assert "0, 5, 10, 15, 20 or 30" in refused.text
        document = httpx.get(server.url + "/openapi.json", timeout=30).json()
    told = document["components"]["schemas"]["FeedbackEvent"]["properties"]["offer_percentage"]
    assert told["anyOf"][0]["enum"] == [0, 5, 10, 15, 20, 30]
    assert told["examples"] == [10]


@pytest.mark.parametrize("year", ["0001", "1970", "1999", "9999"])
def test_times_that_say_nothing_are_refused_with_the_reason(shared: Server, year: str) -> None:
    """Placeholders of other systems would become 739,616 days since the last contact."""
    answer = send(shared, event_id=f"in-{year}", occurred_at=f"{year}-01-01T00:00:00Z")
    assert answer.status_code == 422
    [entry] = answer.json()["detail"]
    assert entry["loc"] == ["body", "occurred_at"]
    assert "between 2000-01-01 and a day from now" in entry["msg"]


@pytest.mark.parametrize("channel", ["", "e\x00mail", "email\n", "\x1b[2J"])
def test_a_channel_has_nothing_that_can_t_be_seen(shared: Server, channel: str) -> None:
    """PostgreSQL refuses a NUL, and with it the whole event."""
    answer = send(shared, event_id="channel", channel=channel)
    assert answer.status_code == 422
    assert [entry["loc"] for entry in answer.json()["detail"]] == [["body", "channel"]]
    assert send(shared, event_id="channel-of-words", channel="e-mail, Büro").status_code == 200


def test_clocks_may_differ_by_hours_but_not_by_days(shared: Server) -> None:
    """Not every clock is right to the second; next week nothing has happened yet."""
    now = datetime.now(UTC)
    soon, late = ((now + timedelta(hours=hours)).isoformat() for hours in (12, 72))
    assert send(shared, event_id="soon", occurred_at=soon).status_code == 200
    assert send(shared, event_id="late", occurred_at=late).status_code == 422


@pytest.mark.parametrize("lost", ["feedback.sqlite3", "feedback.sqlite3-wal", "everything"])
def test_nothing_is_acknowledged_into_a_deleted_file(
    service: Server, home: Path, lost: str
) -> None:
    """Somebody cleans up under a running server: what is acknowledged afterwards is on disk."""
    assert send(service, event_id="before").status_code == 200
    doomed = home.glob("feedback.*") if lost == "everything" else [home / lost]
    for file in list(doomed):
        file.unlink()
    answers = {f"after-{i}": send(service, event_id=f"after-{i}").status_code for i in range(3)}
    assert set(answers.values()) <= {200, 503}
    assert {name for name, status in answers.items() if status == 200} <= set(stored(home))
    assert send(service, event_id="last").status_code == 200
    assert "last" in stored(home)


def test_another_database_in_its_place_is_noticed(service: Server, home: Path) -> None:
    """A backup is put back under a running server: events go into it."""
    send(service, event_id="before")
    replaced = home / "restored"
    with closing(sqlite3.connect(replaced)) as database:
        database.execute(
            "CREATE TABLE feedback (number INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT "
            "NULL UNIQUE, content TEXT NOT NULL, received TEXT NOT NULL DEFAULT '')"
        )
    for file in home.glob("feedback.sqlite3-*"):
        file.unlink()
    replaced.replace(home / "feedback.sqlite3")
    assert send(service, event_id="after").status_code == 200
    assert stored(home) == ["after"]


@pytest.mark.parametrize("broken", ["corrupt", "a folder"])
def test_decisions_need_no_feedback_database(home: Path, broken: str) -> None:
    """It can't be opened: the server starts and decides, feedback is 503, /readyz says why; and
    once it is mended, feedback is taken without a restart."""
    remove(home)
    database = home / "feedback.sqlite3"
    if broken == "corrupt":
        database.write_bytes(b"no database at all, " * 400)
    else:
        database.mkdir()
    with running(home) as server:
        assert_decides(server)
        answer = send(server)
        assert answer.status_code == 503
        assert answer.json()["detail"][0]["type"] == "not_recorded"
        assert int(answer.headers["retry-after"]) >= 1
        ready = httpx.get(server.url + "/readyz")
        assert (ready.status_code, ready.json()["ready"]) == (200, True)
        assert "feedback can't be stored" in ready.json()["feedback_problem"]
        if broken == "corrupt":
            database.unlink()
        else:
            database.rmdir()
        assert send(server).status_code == 200
        assert httpx.get(server.url + "/readyz").json()["feedback_problem"] is None
    assert stored(home) == ["evt-1"]
    remove(home)


def test_readyz_tells_of_a_broken_database_before_the_first_event(home: Path) -> None:
    """An operator learns of it from the first look, not from the first lost event."""
    remove(home)
    (home / "feedback.sqlite3").write_bytes(b"no database at all, " * 400)
    with running(home) as server:
        deadline = time.monotonic() + 60
        while httpx.get(server.url + "/readyz").json()["feedback_problem"] is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    remove(home)


def test_readyz_tells_nobody_where_the_ledger_is(home: Path) -> None:
    """It needs no key; the log has the error, and no password either."""
    remove(home)
    ledger = f"postgresql+psycopg2://u:s3cret@127.0.0.1:{free_port()}/crm?password=s3cret"
    with running(home, CHURN_CAMPAIGN__LEDGER=ledger) as server:
        assert send(server).status_code == 503
        problem = httpx.get(server.url + "/readyz").json()["feedback_problem"]
        said = server.log.read_text()
    assert problem == "feedback can't be stored: the contact ledger can't be used; the log says why"
    assert "feedback can't be stored: the contact ledger postgresql+psycopg2://u:***@127" in said
    assert "Connection refused" in said
    assert "s3cret" not in said
    remove(home)


def test_feedback_that_hangs_leaves_decisions_alone(home: Path) -> None:
    """The store doesn't answer: forty waiting calls keep neither a decision nor a batch, and each
    is told to come again before the store gives up."""
    remove(home)
    with (
        running(home, "tests.api.faulty_app:app", HANGING_FEEDBACK="1") as server,
        httpx.Client(base_url=server.url, timeout=60) as client,  # one: each takes long to make
        ThreadPoolExecutor(40) as callers,
    ):
        events = [{**EVENT, "event_id": f"e{i}"} for i in range(40)]
        assert_decides(server)  # what a first decision loads is loaded
        waiting = [callers.submit(client.post, "/feedback", json=event) for event in events]
        while not any(call.running() for call in waiting):
            time.sleep(0.01)
        assert_decides(server)
        assert not any(call.done() for call in waiting), "the decisions waited for the feedback"
        for call in waiting:
            answer = call.result(60)
            assert answer.status_code == 503
            assert answer.json()["detail"][0]["type"] == "not_recorded"
        assert "no answer" in httpx.get(server.url + "/readyz").json()["feedback_problem"]
    remove(home)


def test_events_are_private_whatever_the_umask(home: Path) -> None:
    """They tell who churned: nobody else on the machine may read them, in old files neither."""
    remove(home)
    old = home / "feedback.sqlite3"
    old.touch()
    old.chmod(0o644)
    umask = os.umask(0o022)
    try:
        with running(home) as server:
            assert send(server).status_code == 200
            found = {file.name: file.stat().st_mode & 0o777 for file in home.glob("feedback.*")}
    finally:
        os.umask(umask)
    assert found == {
        f"feedback.{name}": 0o600 for name in ("sqlite3", "sqlite3-wal", "sqlite3-shm", "lock")
    }
    assert stored(home) == ["evt-1"]


def test_a_watch_that_is_cancelled_as_its_answer_arrives_ends() -> None:
    """Why: a server that was stopped just as it started waited for its watch for ever, since the
    answer and the stop came in one round of the loop."""

    async def stop_as_it_is_answered() -> bool:
        loop, asked = asyncio.get_running_loop(), asyncio.Event()
        answer: asyncio.Future[None] = loop.create_future()

        def run_in_executor(*_: object) -> asyncio.Future[None]:
            asked.set()
            return answer

        recorder = FeedbackRecorder(create_autospec(FeedbackLog))
        with patch.object(loop, "run_in_executor", run_in_executor):
            watch = asyncio.create_task(recorder.watch(1_000))
            await asked.wait()
            answer.set_result(None)
            watch.cancel()
            await asyncio.wait([watch], timeout=60)
        return watch.cancelled()

    assert asyncio.run(stop_as_it_is_answered())
