"""A contact ledger that can't be used: `/readyz` says so before a customer is answered 503."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from unittest.mock import create_autospec, patch

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api import main
from api.campaigns import LEDGER_UNREAD, ContactLookup
from api.errors import ApiError
from churn_assets.campaign.contacts.feed import LedgerFeed
from churn_assets.campaign.contacts.ledger import Ledger
from churn_assets.campaign.contacts.opening import FILE, LateLedger
from churn_assets.campaign.errors import LedgerError
from churn_assets.serving.feedback import FeedbackLog, SqliteFeedbackLog
from churn_assets.settings import Settings, load_settings
from tests.api.server import HERE
from tests.campaign.test_ledger import event


def test_it_is_said_before_anybody_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Why: on a home of which nothing could be read, traffic came first, and a 503 to each. When it
    is mended, nobody need ask either."""
    monkeypatch.setattr(main, "WATCH_SECONDS", 0.01)
    (tmp_path / FILE).touch()
    app = main.build_app(Settings(home=tmp_path))
    with TestClient(app, base_url="http://localhost", client=HERE) as client:
        assert client.get("/readyz").json()["contacts_problem"] == LEDGER_UNREAD
        (tmp_path / FILE).unlink()
        deadline = time.monotonic() + 60
        while client.get("/readyz").json()["contacts_problem"] is not None:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_the_log_says_why_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is looked at every few seconds."""
    (tmp_path / FILE).touch()
    with closing(ContactLookup(LateLedger("", tmp_path))) as lookup:
        for _ in range(3):
            asyncio.run(lookup.look())
        assert lookup.problem == LEDGER_UNREAD
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "contact histories can't be read"
    ]


def test_a_folder_that_is_closed_is_a_503_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: only the ledger's own errors were; this one was a 500."""
    with closing(ContactLookup(LateLedger("", tmp_path))) as lookup:

        def closed(_: Path) -> bool:
            raise PermissionError(13, "Permission denied", str(tmp_path / FILE))

        monkeypatch.setattr(Path, "exists", closed)
        with pytest.raises(ApiError, match="send it again later") as caught:
            lookup.many(["A1"])
        assert caught.value.status_code == 503
        assert lookup.problem == LEDGER_UNREAD


def test_feedback_is_not_taken_for_storable_on_a_ledger_that_can_only_be_read(
    tmp_path: Path,
) -> None:
    """Why: SQLite begins to write to such a file without a word, so that `/readyz` was content and
    every event refused."""
    with closing(Ledger.open("", tmp_path)) as ledger:
        ledger.record([event("e1")])
    with closing(LateLedger("", tmp_path)) as late:
        address = f"file:{tmp_path / FILE}?mode=ro"
        connect = partial(sqlite3.connect, address, uri=True)
        sa.event.listen(late.opened()._engine, "do_connect", lambda *_: connect())
        assert late.opened().histories(["A1"]).keys() == {"A1"}
        feed = LedgerFeed(SqliteFeedbackLog(tmp_path / "feedback.sqlite3"), late)
        with closing(feed), pytest.raises(LedgerError, match="readonly database"):
            feed.check()
    with closing(LateLedger("", tmp_path)) as late:
        with closing(LedgerFeed(SqliteFeedbackLog(tmp_path / "feedback.sqlite3"), late)) as feed:
            feed.check()
        assert late.opened().histories(["A1"]).keys() == {"A1"}


def test_a_watch_that_is_cancelled_as_its_answer_arrives_ends() -> None:
    """Why: a server that was stopped as the ledger answered waited for its watch for ever, since
    the answer and the stop came in one round of the loop."""

    async def stop_as_it_is_answered() -> bool:
        loop, asked = asyncio.get_running_loop(), asyncio.Event()
        answer: asyncio.Future[dict[str, object]] = loop.create_future()

        def run_in_executor(*_: object) -> asyncio.Future[dict[str, object]]:
            asked.set()
            return answer

        ledger = create_autospec(LateLedger, instance=True)
        ledger.is_absent.return_value = False
        with (
            closing(ContactLookup(ledger)) as lookup,
            patch.object(loop, "run_in_executor", run_in_executor),
        ):
            lookup.problem = LEDGER_UNREAD
            watch = asyncio.create_task(lookup.watch(0))
            await asked.wait()
            answer.set_result({})
            watch.cancel()
            for _ in range(10):  # rounds of the loop: a watch that goes on asks again in each
                await asyncio.sleep(0)
            stopped = watch.cancelled()
            watch.cancel()
        return stopped

    assert asyncio.run(stop_as_it_is_answered())


def test_a_ledger_on_a_server_is_only_read_to_see_whether_feedback_can_be_kept() -> None:
    """Why: it took the lock that all writers wait for, and wrote nothing."""
    ledger, late = create_autospec(Ledger, instance=True), create_autospec(LateLedger)
    ledger.file, late.is_absent.return_value, late.opened.return_value = None, False, ledger
    LedgerFeed(create_autospec(FeedbackLog), late).check()
    ledger.is_empty.assert_called_once_with()
    ledger.writing.assert_not_called()


@pytest.mark.parametrize("address", ["ledger", "nosuch://host/db", "sqlite:///${NOT_SET}/x"])
def test_a_ledger_that_is_no_database_ends_the_start_in_a_line(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: the server showed a traceback."""
    monkeypatch.setenv("CHURN_HOME", str(tmp_path))
    monkeypatch.setenv("CHURN_CAMPAIGN__LEDGER", address)
    load_settings.cache_clear()
    with pytest.raises(SystemExit, match=r"^CHURN_CAMPAIGN__LEDGER ") as caught:
        main.create_app()
    assert "\n" not in str(caught.value)
    load_settings.cache_clear()
