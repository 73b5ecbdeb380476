"""A ledger restored from an older copy is told again what the feedback log has had since."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from api.retelling import Retelling
from churn_assets.campaign.contacts.feed import LedgerFeed
from churn_assets.campaign.contacts.known import excluded_by
from churn_assets.campaign.contacts.opening import FILE as LEDGER
from churn_assets.campaign.contacts.opening import LateLedger
from churn_assets.campaign.errors import LedgerError
from churn_assets.campaign.opening import retold, tell_again
from churn_assets.serving import feedback
from churn_assets.serving.bucket_feedback import StoreFeedbackLog
from churn_assets.serving.feedback import FILE, SqliteFeedbackLog
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import ArtifactError
from tests.campaign.test_ledger import NOW, event


@pytest.fixture(params=["file", "objects"])
def kept_as(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextmanager
def feed(
    home: Path, kept_as: str, settling: float = 0.0
) -> Iterator[tuple[LedgerFeed, LateLedger]]:
    store = LocalArtifactStore(home / "store")
    log = SqliteFeedbackLog(home / FILE) if kept_as == "file" else StoreFeedbackLog(store)
    with (
        closing(LateLedger("", home)) as ledger,
        closing(LedgerFeed(log, ledger, settling)) as opened,
    ):
        yield opened, ledger


def told(event_id: str, customer: str, kind: str, days: float = 0.0) -> tuple[str, str]:
    """An event of so many days before `NOW`, as `POST /feedback` keeps it."""
    at = (NOW - timedelta(days=days)).isoformat()
    content = {"event_id": event_id, "customer_id": customer, "kind": kind, "occurred_at": at}
    return event_id, json.dumps(content)


def test_an_older_ledger_is_told_what_it_lacks(
    tmp_path: Path, kept_as: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, all of it, and nothing where nothing is missing."""
    monkeypatch.setattr(feedback, "PART", 3)
    with feed(tmp_path, kept_as) as (opened, _):
        opened.record(*told("e1", "A1", "sent", 3))
        shutil.copy(tmp_path / LEDGER, tmp_path / "copy")
        opened.record(*told("e2", "A1", "unsubscribed", 2))
        opened.record(*told("e3", "B2", "delivered", 2))
        opened.record_many([told(f"f{i}", f"C{i}", "sent") for i in range(7)])
        assert opened.retell() == 0
    shutil.move(tmp_path / "copy", tmp_path / LEDGER)
    with feed(tmp_path, kept_as) as (opened, ledger):
        assert set(ledger.opened().histories()) == {"A1"}
        assert opened.retell() == 8
        assert excluded_by(ledger.opened().histories()) == {"A1": "opt_out"}
        assert len(ledger.opened().all_events()) == 9
        assert opened.retell() == 0


def test_a_ledger_that_is_lost_begins_with_what_was_reported(tmp_path: Path, kept_as: str) -> None:
    with feed(tmp_path, kept_as) as (opened, _):
        opened.record(*told("e1", "A1", "unsubscribed"))
    (tmp_path / LEDGER).unlink()
    with feed(tmp_path, kept_as) as (opened, ledger):
        assert opened.retell() == 1
        assert excluded_by(ledger.opened().histories()) == {"A1": "opt_out"}


def test_nothing_is_made_where_nobody_reported_anything(tmp_path: Path) -> None:
    said: list[str] = []
    with closing(LateLedger("", tmp_path)) as ledger:
        tell_again(LocalArtifactStore(tmp_path / "store"), tmp_path, ledger, said.append)
    assert (said, list(tmp_path.rglob("*.sqlite3*"))) == ([], [])


def test_what_a_server_is_just_telling_is_no_restore(tmp_path: Path, kept_as: str) -> None:
    """Why: a list beside a server that took feedback warned of a ledger restored from an older
    copy. Of what nobody tells it is said as before."""
    with feed(tmp_path, kept_as, settling=60.0) as (opened, ledger):
        opened.record(*told("e1", "A1", "sent"))
        event = told("e2", "B2", "unsubscribed")
        opened._log.record(*event)
        server = threading.Timer(0.3, opened.record, event)
        server.start()
        assert opened.retell() == 0
        server.join()
        assert excluded_by(ledger.opened().histories()) == {"B2": "opt_out"}
    with feed(tmp_path, kept_as, settling=0.1) as (opened, ledger):
        opened._log.record(*told("e3", "C3", "unsubscribed"))
        assert opened.retell() == 1
        assert "C3" in excluded_by(ledger.opened().histories())


def test_nobody_waits_for_what_the_ledger_keeps_not(
    tmp_path: Path, kept_as: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deliveries, and what was before an erasure: no server will tell them, and a start with them
    took seconds longer."""
    monkeypatch.setattr(LedgerFeed, "_settled", lambda *_: pytest.fail("it waits"))
    with feed(tmp_path, kept_as) as (opened, ledger):
        opened.record(*told("e1", "A1", "sent", 3))
        ledger.opened().erase("A1")
        opened._log.record(*told("e2", "B2", "delivered"))
        assert opened.retell() == 0


@pytest.mark.parametrize(
    ("count", "words"), [(1, ("1 event of", "told it")), (2_000, ("2,000 events of", "told them"))]
)
def test_how_many_is_said_in_words(count: int, words: tuple[str, str]) -> None:
    for each in words:
        assert each in retold(count)


def test_what_is_not_of_the_log_is_no_measure_of_it(tmp_path: Path, kept_as: str) -> None:
    """As many events, but others: a count would find nothing missing."""
    with feed(tmp_path, kept_as) as (opened, ledger):
        opened.record(*told("e1", "A1", "unsubscribed"))
        (tmp_path / LEDGER).unlink()
        ledger.opened().record([event("feedback:gone", customer="X9")])
        assert opened.retell() == 1
        assert excluded_by(ledger.opened().histories()) == {"A1": "opt_out"}


def test_who_was_erased_stays_erased(tmp_path: Path, kept_as: str) -> None:
    """A log restored from before the erasure has their events: a "no" holds, the rest is gone, and
    what they said since is theirs."""
    with feed(tmp_path, kept_as) as (opened, ledger):
        opened.record(*told("e1", "A1", "sent", 3))
        opened.record(*told("e2", "B2", "sent", 3))
        ledger.opened().erase("A1")
        ledger.opened().erase("B2")
        opened._log.record(*told("e3", "B2", "unsubscribed", 2))
        opened._log.record(*told("e4", "A1", "accepted", -100_000))
        assert opened.retell() == 1
        found = ledger.opened().histories(["A1", "B2"])
        assert excluded_by(found) == {"B2": "opt_out"}
        assert [each.event_key for each in ledger.opened().all_events()] == ["feedback:e4"]
        assert opened.retell() == 0


def test_what_says_nothing_to_the_ledger_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: a bucket was asked for each delivery again before every list."""
    read: list[str] = []
    store = LocalArtifactStore(tmp_path / "store")
    pointer = store.read_pointer
    monkeypatch.setattr(store, "read_pointer", lambda key: (read.append(key), pointer(key))[1])
    log = StoreFeedbackLog(store)
    with closing(LateLedger("", tmp_path)) as ledger, closing(LedgerFeed(log, ledger)) as opened:
        opened.record_many([told(f"d{i}", f"C{i}", "delivered") for i in range(5)])
        opened.record(*told("e1", "A1", "sent"))
        del read[:]
        assert opened.retell() == 0
        assert len(read) == 5
        assert opened.retell() == 0
        assert len(read) == 5


@pytest.mark.parametrize("content", ["{", "[]", '{"kind": "sent"}', '{"customer_id": "A1"}'])
def test_a_damaged_event_is_named(tmp_path: Path, kept_as: str, content: str) -> None:
    """Why: it ended with a traceback that named none, and nothing was told ever after."""
    with feed(tmp_path, kept_as) as (opened, _):
        opened.record(*told("e1", "A1", "sent"))
    log = (
        SqliteFeedbackLog(tmp_path / FILE)
        if kept_as == "file"
        else StoreFeedbackLog(LocalArtifactStore(tmp_path / "store"))
    )
    with closing(log):
        log.record("torn", content)
    with (
        feed(tmp_path, kept_as) as (opened, _),
        pytest.raises(
            ArtifactError, match=r"event torn is damaged: .*; restore it, or move it away"
        ),
    ):
        opened.retell()


def test_nobody_is_listed_before_all_is_told() -> None:
    """Why: a list by a ledger that was half told again has those who said no since."""
    allowed = threading.Event()
    retelling = Retelling(lambda: int(allowed.wait()))
    with closing(retelling):
        retelling.begin()
        with pytest.raises(LedgerError, match="isn't told yet all that the feedback log has"):
            retelling.require()
        allowed.set()
        asyncio.run(retelling.tried())
        retelling.require()
