"""The feedback log folds what it has and forgets what is over; nothing is lost, doubled or shown
again meanwhile."""

from __future__ import annotations

import json
import random
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from churn_assets.serving import bucket_feedback
from churn_assets.serving.bucket_feedback import FOLDED, FOLDER, StoreFeedbackLog
from churn_assets.serving.event_text import CONFLICT, DUPLICATE, STORED
from churn_assets.serving.feedback import FILE, OwnFeedbackLog, SqliteFeedbackLog
from churn_assets.storage.local import LocalArtifactStore

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
LONG_AGO = "2020-01-01T00:00:00+00:00"
TODAY = "2026-06-01T00:00:00+00:00"


class Counting(LocalArtifactStore):
    """A store that counts what a bucket would be asked for, and calls `before_write` first."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.reads = 0
        self.before_write: Callable[[str], None] = lambda key: None

    def read_pointer(self, key: str) -> bytes | None:
        self.reads += 1
        return super().read_pointer(key)

    def write_pointer(self, key: str, content: bytes) -> None:
        self.before_write(key)
        super().write_pointer(key, content)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Counting:
    monkeypatch.setattr(bucket_feedback, "FULL", 50)
    monkeypatch.setattr(bucket_feedback, "FEW", 2)
    return Counting(tmp_path / "store")


def told(number: int, customer: str = "", kind: str = "sent", when: str = TODAY) -> tuple[str, str]:
    event = {"customer_id": customer or f"C{number}", "kind": kind, "occurred_at": when}
    return f"e{number:04d}", json.dumps(event)


def test_what_is_folded_is_read_together(store: Counting) -> None:
    """Why: a request an event, each night, of all that was ever reported: hours after a year. A few
    new ones are read singly, and full copies aren't written again for them."""
    log = StoreFeedbackLog(store)
    events = [told(i) for i in range(220)]
    log.record_many(events)
    before = log.events()
    log.tidy(NEVER)
    full = {key for key in store.pointers(FOLDED) if len(json.loads(_content(store, key))) == 50}
    assert len(full) == 4
    store.reads = 0
    assert log.events() == before == [content for _, content in events]
    assert store.reads == 5
    log.record_many([told(i) for i in range(220, 223)])
    store.reads = 0
    assert len(log.events()) == 223
    assert store.reads == 5 + 3
    log.tidy(NEVER)
    assert full < set(store.pointers(FOLDED))
    written = list[str]()
    store.before_write = written.append
    log.tidy(NEVER)
    assert written == []  # nothing new, nothing written


def test_what_is_over_is_in_few_copies(store: Counting) -> None:
    """Why: copies were in the order of ids, which callers draw at random: each night something of
    every copy was over, so that all were written again."""
    log, begin = StoreFeedbackLog(store), datetime.fromisoformat(LONG_AGO)
    days = [(begin + timedelta(days=day)).isoformat() for day in range(60)]
    drawn = random.Random(1).sample(range(10_000), 300)
    log.record_many([told(i, when=days[place // 5]) for place, i in enumerate(drawn)])
    log.tidy(NEVER)
    written = list[str]()
    store.before_write = written.append
    for day in (1, 2, 3):
        assert log.tidy(begin + timedelta(days=day)) == 5
    assert len(written) <= 2 * 3
    assert len(log.events()) == 285


def _content(store: Counting, key: str) -> bytes:
    content = store.read_pointer(key)
    assert content is not None
    return content


def test_an_event_keeps_its_id_when_it_is_folded(store: Counting) -> None:
    """Sent again it is a duplicate, another of its id a conflict, as before."""
    log = StoreFeedbackLog(store)
    assert log.record(*told(1)) == STORED
    log.tidy(NEVER)
    assert log.record(*told(1)) == DUPLICATE
    assert log.record(told(1)[0], told(2)[1]) == CONFLICT
    assert log.events() == [told(1)[1]]


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_a_kill_loses_and_doubles_nothing(store: Counting, writes: int) -> None:
    """After any number of copies written, before any is removed."""
    log = StoreFeedbackLog(store)
    log.record_many([told(i) for i in range(120)])
    log.tidy(NEVER)
    log.record_many([told(i) for i in range(120, 240)])
    left = writes

    def die(key: str) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt

    store.before_write = die
    with pytest.raises(KeyboardInterrupt):
        log.tidy(NEVER)
    everything = [told(i)[1] for i in range(240)]
    store.before_write = lambda key: None
    assert log.events() == everything
    log.tidy(NEVER)
    assert log.events() == everything
    copies = [json.loads(_content(store, key)) for key in store.pointers(FOLDED)]
    assert sorted(i for copy in copies for i in copy) == [told(i)[0] for i in range(240)]


def test_a_kill_brings_no_event_back_in_anothers_place(store: Counting) -> None:
    """Why: what was over went before its copy, so that another event of its id, taken after a kill
    between the two, was read as the old one for ever."""
    log, old, new = StoreFeedbackLog(store), told(1, when=LONG_AGO), told(1, "ANOTHER")
    others = [told(i) for i in range(2, 6)]  # more than are read singly
    log.record_many([old, *others])
    log.tidy(NEVER)

    def die(key: str) -> None:
        raise KeyboardInterrupt

    store.before_write = die
    with pytest.raises(KeyboardInterrupt):
        log.tidy(datetime.fromisoformat(TODAY))
    taken = log.record(*new) == STORED
    assert log.events()[0] == (new if taken else old)[1]


def test_several_fold_while_others_write(store: Counting) -> None:
    """Two nights' runs at once, and servers that take events: all is there, once."""
    log = StoreFeedbackLog(store)
    log.record_many([told(i) for i in range(100)])
    with ThreadPoolExecutor(4) as pool:
        folding = [pool.submit(StoreFeedbackLog(store).tidy, NEVER) for _ in range(3)]
        for i in range(100, 140):
            StoreFeedbackLog(store).record(*told(i))
        for each in folding:
            each.result()
    assert log.events() == [told(i)[1] for i in range(140)]
    log.tidy(NEVER)
    copies = [json.loads(_content(store, key)) for key in store.pointers(FOLDED)]
    assert sorted(i for copy in copies for i in copy) == [told(i)[0] for i in range(140)]


def test_an_erased_customer_is_in_no_copy(store: Counting) -> None:
    log = StoreFeedbackLog(store)
    log.record_many([told(i, "GONE" if i % 3 == 0 else "") for i in range(120)])
    log.tidy(NEVER)
    assert log.erase("GONE") == 40
    assert not any("GONE" in content for content in log.events())
    assert not any(b"GONE" in path.read_bytes() for path in store.root.rglob("*.json"))
    assert len(log.events()) == 80


@pytest.mark.parametrize("many", [1, 20])
def test_events_are_read_once_however_many_are_erased(store: Counting, many: int) -> None:
    """Why: a bucket was asked for all events once for each."""
    log, gone = StoreFeedbackLog(store), [f"GONE{i}" for i in range(many)]
    log.record_many([told(i, gone[i % many] if i < 40 else "") for i in range(60)])
    store.reads = 0
    assert log.erase_each([*gone, "NOBODY"]) == dict.fromkeys(gone, 40 // many) | {"NOBODY": 0}
    assert store.reads == 60
    assert log.events() == [told(i)[1] for i in range(40, 60)]


def test_an_erasure_leaves_no_damaged_copy(store: Counting) -> None:
    """Why: nobody could read whose events it had, so it stayed, with theirs."""
    log = StoreFeedbackLog(store)
    log.record_many([told(1, "GONE"), told(2)])
    log.tidy(NEVER)
    [key] = store.pointers(FOLDED)
    store.write_pointer(key, _content(store, key)[:-1])
    assert log.erase("GONE") == 1
    assert not any(b"GONE" in path.read_bytes() for path in store.root.rglob("*.json"))
    assert log.events() == [told(2)[1]]


def test_what_went_before_an_erasure_is_nowhere_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: SQLite leaves what is deleted where it was, unless it was built or asked to do else; the
    erasure alone asked."""
    connect = sqlite3.connect

    def plain(*given: Any, **options: Any) -> sqlite3.Connection:
        db = connect(*given, **options)
        db.execute("PRAGMA secure_delete=OFF")
        return db

    monkeypatch.setattr(sqlite3, "connect", plain)
    log = SqliteFeedbackLog(tmp_path / FILE)
    log.record_many([told(i, "GONE", when=LONG_AGO) for i in range(100)])
    assert log.tidy(datetime.fromisoformat(TODAY)) == 100
    assert log.erase("GONE") == 0
    log.close()
    assert not any(b"GONE" in path.read_bytes() for path in tmp_path.iterdir())


def test_an_erasure_while_copies_are_written_holds(store: Counting) -> None:
    """The copy was read before, and is written after: nothing of it stays."""
    log, erased = StoreFeedbackLog(store), threading.Event()
    log.record_many([told(i, "GONE" if i == 7 else "") for i in range(20)])

    def erase_first(key: str) -> None:
        if not erased.is_set():
            erased.set()
            assert StoreFeedbackLog(store).erase("GONE") == 1

    store.before_write = erase_first
    log.tidy(NEVER)
    assert erased.is_set()
    assert not any(b"GONE" in path.read_bytes() for path in store.root.rglob("*.json"))
    assert len(log.events()) == 19


def test_a_torn_event_is_folded_once_it_is_mended(store: Counting) -> None:
    """Whoever restores its object is heard: no copy has what was torn."""
    log = StoreFeedbackLog(store)
    log.record_many([told(i) for i in range(5)])
    key = f"{FOLDER}/{told(3)[0]}.json"
    store.write_pointer(key, b'{"customer_id": "C3", "ki')
    log.tidy(NEVER)
    store.write_pointer(key, told(3)[1].encode())
    assert log.events() == [told(i)[1] for i in range(5)]


def test_a_damaged_copy_is_made_again(store: Counting) -> None:
    log = StoreFeedbackLog(store)
    log.record_many([told(i) for i in range(5)])
    log.tidy(NEVER)
    [key] = store.pointers(FOLDED)
    store.write_pointer(key, b"{")
    assert len(log.events()) == 5
    log.tidy(NEVER)
    [key] = store.pointers(FOLDED)
    assert len(json.loads(_content(store, key))) == 5


@pytest.mark.parametrize("kept_as", ["file", "objects"])
def test_what_is_over_goes_and_what_holds_stays(
    store: Counting, tmp_path: Path, kept_as: str
) -> None:
    """However long ago somebody said no, or left: it is still so. So is what nobody understands,
    which somebody has to look at."""
    log: OwnFeedbackLog = (
        SqliteFeedbackLog(tmp_path / FILE) if kept_as == "file" else StoreFeedbackLog(store)
    )
    kinds = ("sent", "delivered", "not_sent", "accepted", "refused", "unsubscribed", "churned")
    late = (datetime.fromisoformat(LONG_AGO) + timedelta(hours=1)).isoformat()
    events = [told(i, kind=kind, when=LONG_AGO) for i, kind in enumerate(kinds)]
    events += [told(10, when=late), told(11, when="never"), ("e0012", "{")]
    with closing(log):
        log.record_many(events)
        for before, removed in ((LONG_AGO, 0), (late, 5), (late, 0)):
            assert log.tidy(datetime.fromisoformat(before)) == removed
        left = [content for part in log.unknown(lambda ids: ()) for _, content in part]
    assert left == [content for _, content in events[5:]]
    if kept_as == "objects":
        assert len(store.pointers(FOLDER)) == 5
        assert not any('"accepted"' in p.read_text() for p in store.root.rglob("*.json"))
