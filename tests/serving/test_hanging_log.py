"""The decision log of a store that doesn't answer: memory is bounded, and what is lost is said."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from churn_assets.serving.decision_log import parts, waiting
from churn_assets.serving.decision_log import writer as writing
from churn_assets.serving.decision_log.waiting import FULL, LOST, WaitingRecords
from churn_assets.serving.decision_log.writer import HANGS, DecisionWriter
from churn_assets.serving.engine import RetentionEngine
from churn_assets.storage.local import LocalArtifactStore
from tests.processes import wait_until
from tests.serving.test_decision_log import MONDAY, customers_in, record, served


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """No store answers to a write until this is set."""
    event, write = threading.Event(), LocalArtifactStore.write_pointer

    def hangs(self: LocalArtifactStore, key: str, content: bytes) -> None:
        event.wait()
        write(self, key, content)

    monkeypatch.setattr(LocalArtifactStore, "write_pointer", hangs)
    yield event
    event.set()


@pytest.fixture
def lost() -> Callable[[], int]:
    before = LOST._value.get()
    return lambda: int(LOST._value.get() - before)


def test_decisions_of_a_store_that_hangs_are_bounded_and_counted(
    engine: RetentionEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    answers: threading.Event,
    lost: Callable[[], int],
) -> None:
    """Why: whoever wrote was stuck in its write, and all that was served meanwhile stayed as it
    was, six times as large as its records: 237,376 decisions took 1.5 GB, and nothing said so."""
    monkeypatch.setattr(waiting, "CAPACITY", 4)
    monkeypatch.setattr(writing, "HANGS_SECONDS", 0.2)
    store = LocalArtifactStore(tmp_path)
    writer = DecisionWriter(store, flush_seconds=0.01)
    writer.add(served(engine, "A"))
    wait_until(lambda: writer.problem == HANGS)
    assert lost() == 0
    for number in range(10):
        writer.add(served(engine, f"B{number}"))
    wait_until(lambda: not writer._served and len(writer._records) == 4)
    assert lost() == 7  # of 11: A is being written, and the last three are kept
    assert writer.problem == f"{HANGS}; {FULL}"
    wait_until(lambda: {HANGS, FULL} <= {*caplog.messages})
    answers.set()
    wait_until(lambda: writer.problem is None)
    writer.close()
    assert customers_in(store) == ["A", "B7", "B8", "B9"]
    assert lost() == 7
    assert len([m for m in caplog.messages if m in (HANGS, FULL)]) == 2  # each once


def test_a_stop_says_all_that_is_lost(
    engine: RetentionEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    answers: threading.Event,
    lost: Callable[[], int],
) -> None:
    """A bucket's client tries for minutes: who stops a server hears soon what isn't logged, also
    what was served after the write began."""
    monkeypatch.setattr(writing, "CLOSE_SECONDS", 0.1)
    store = LocalArtifactStore(tmp_path)
    writer = DecisionWriter(store, flush_seconds=0.01)
    writer.add(served(engine, "A"))
    wait_until(lambda: writer._asked_since is not None)
    for customer in "BCD":
        writer.add(served(engine, customer))
    writer.close()
    assert "4 decisions end with this process, not logged: the store hasn't" in caplog.text
    assert lost() == 4
    answers.set()
    wait_until(lambda: customers_in(store) == list("ABCD"))  # here the process lives on


def test_a_merging_that_hangs_is_said(
    engine: RetentionEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps what comes from being written, as a write does."""
    monkeypatch.setattr(writing, "HANGS_SECONDS", 0.1)
    monkeypatch.setattr(writing, "MERGE_AT", 1)
    goes_on, merge = threading.Event(), parts.merge

    def hangs(*given: object) -> object:
        goes_on.wait()
        return merge(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(parts, "merge", hangs)
    writer = DecisionWriter(LocalArtifactStore(tmp_path), flush_seconds=0.01)
    writer.add(served(engine, "A"))
    wait_until(lambda: writer.problem == HANGS)
    goes_on.set()
    wait_until(lambda: writer.problem is None)
    writer.close()


def test_after_an_outage_a_few_are_written_at_a_time(
    engine: RetentionEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All at once, those of a long outage would hold up whoever answers; all are there, in order,
    and one that fails is tried again with the rest."""
    monkeypatch.setattr(writing, "MERGED_ROWS", 3)
    store = LocalArtifactStore(tmp_path)
    writer = DecisionWriter(store, flush_seconds=3_600)
    sizes: list[int] = []
    append = parts.append

    def counted(store: LocalArtifactStore, records: list[tuple[object, ...]]) -> list[str]:
        sizes.append(len(records))
        if len(sizes) == 2:
            raise OSError("no route to host")
        return append(store, records)

    monkeypatch.setattr(parts, "append", counted)
    for number in range(8):
        writer.add(served(engine, f"C{number}"))
    writer.flush()
    assert (sizes, len(writer._records), writer.problem) == ([3, 3], 5, "no route to host")
    writer.close()
    assert sizes == [3, 3, 3, 2]
    assert customers_in(store) == [f"C{number}" for number in range(8)]


def test_the_oldest_that_nobody_writes_are_given_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, lost: Callable[[], int]
) -> None:
    monkeypatch.setattr(waiting, "CAPACITY", 3)
    records, named = WaitingRecords(), {name: record(name, when=MONDAY) for name in "ABCDEFG"}
    with caplog.at_level(logging.ERROR):
        records.add([named["A"], named["B"]])
        assert records.take(1) == [named["A"]]
        records.add([named["C"], named["D"]])
        assert (len(records), lost(), records.full) == (3, 1, True)  # B is gone, A in hand
        records.put_back()
        records.add([named["E"]])
        assert records.take(9) == [named["C"], named["D"], named["E"]]
        records.add([named["F"]])  # there is no room beside those in hand
        assert (len(records), lost()) == (3, 3)
        records.written()
        assert (len(records), records.full) == (0, False)
        records.add([named["G"]])
    assert records.take(9) == [named["G"]]
    assert caplog.messages == [FULL]
