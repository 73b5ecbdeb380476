"""Merging the decision log beside serving: what fails there costs no decision, and is said."""

from __future__ import annotations

import errno
import logging
import os
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from churn_assets.serving.decision_log import parts
from churn_assets.serving.decision_log import writer as writing
from churn_assets.serving.decision_log.writer import DecisionWriter
from churn_assets.serving.engine import RetentionEngine
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import ArtifactError, ArtifactStore
from tests.processes import wait_until
from tests.serving.test_decision_log import (
    MONDAY,
    OnMonday,
    customers_in,
    ids,
    record,
    served,
    store,
)

__all__ = ["store"]  # a fixture: both stores


def test_what_is_served_while_parts_are_written_waits_for_the_next_time(
    engine: RetentionEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: under load there was always something new, so that a bucket got a part for each write
    that it took, and none was merged until the load was over: then all of them at once."""
    monkeypatch.setattr(writing, "datetime", OnMonday)
    store = LocalArtifactStore(tmp_path)
    writer = DecisionWriter(store, flush_seconds=3_600)
    append, sizes = parts.append, list[int]()

    def busy(store: ArtifactStore, records: Any) -> list[str]:
        sizes.append(len(records))
        if len(sizes) < 5:
            writer.add(served(engine, f"C{len(sizes)}"))
            writer._make_records()
        return append(store, records)

    with monkeypatch.context() as patch:
        patch.setattr(parts, "append", busy)
        writer.add(served(engine, "A", "B"))
        writer.flush()
    assert (sizes, len(writer._records)) == ([2], 1)
    assert [*map(len, writer._parts.values())] == [1]  # which is to be merged
    writer.close()
    assert customers_in(store) == ["A", "B", "C1"]


def test_records_are_made_often_while_there_is_something_to_make(
    engine: RetentionEngine, tmp_path: Path
) -> None:
    """Why: unless something came in the very moment after, those of a whole second were made at
    once, which holds up whoever is answered just then."""
    writer = DecisionWriter(LocalArtifactStore(tmp_path), flush_seconds=3_600)
    waited: list[float] = []

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        if len(waited) in (1, 2):
            writer._served.append(served(engine, "A"))
        return len(waited) == 5

    writer._closed = SimpleNamespace(wait=wait)  # type: ignore[assignment]
    writer._make()
    rest, pace = writing.REST_SECONDS, writing.PACE_SECONDS
    assert waited == [rest, pace, pace, rest, rest]


@pytest.mark.parametrize("largest", [writing.MERGED_ROWS, 4])
def test_the_writer_merges_its_own_parts(
    engine: RetentionEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, largest: int
) -> None:
    """A part a second would be 86,400 files a day. What was merged is merged with its like only: a
    part as old as the day would be rewritten every minute; and never once it is large."""
    monkeypatch.setattr(writing, "MERGE_AT", 4)
    monkeypatch.setattr(writing, "MERGED_ROWS", largest)
    monkeypatch.setattr(writing, "datetime", OnMonday)
    store = LocalArtifactStore(tmp_path)
    writer = DecisionWriter(store, flush_seconds=3_600)
    merged: list[int] = []
    merge = parts.merge

    def counted(store: ArtifactStore, day: date, keys: Any) -> parts.Merged | None:
        found = merge(store, day, keys)
        assert found is not None
        merged.append(found.rows)
        return found

    monkeypatch.setattr(parts, "merge", counted)
    for number in range(17):
        writer.add(served(engine, f"C{number:02d}"))
        writer.flush()
    writer.close()
    assert customers_in(store) == [f"C{number:02d}" for number in range(17)]
    assert merged == ([4, 4, 4, 4, 16] if largest > 4 else [4, 4, 4, 4])
    assert len(store.pointers(parts.FOLDER)) == (2 if largest > 4 else 5)


def test_nothing_in_a_merging_ends_the_thread(
    engine: RetentionEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A damaged list of erasures, say: writing goes on, and merging once it is mended."""
    monkeypatch.setattr(writing, "MERGE_AT", 2)
    monkeypatch.setattr(writing, "datetime", OnMonday)
    store = LocalArtifactStore(tmp_path)
    writer = DecisionWriter(store, flush_seconds=0.01)
    written = 0

    def write(customer: str) -> None:
        nonlocal written
        written += 1
        writer.add(served(engine, customer))
        wait_until(lambda: len(store.pointers(parts.FOLDER)) >= written and not writer._records)

    store.write_pointer(parts.ERASED, b'{"x": ')
    for customer in "ABCD":
        write(customer)
    wait_until(lambda: writer.problem is not None)
    said = f"parts of the decision log were not merged: {tmp_path}/pointers/{parts.ERASED} is damag"
    assert str(writer.problem).startswith(said)
    write("E")
    store.write_pointer(parts.ERASED, b"{}")
    writer.add(served(engine, "F"))
    wait_until(lambda: writer.problem is None)
    writer.close()
    assert customers_in(store) == list("ABCDEF")
    assert [message[:40] for message in caplog.messages] == [said[:40]]


def test_a_merging_that_fails_in_any_way_is_said(
    engine: RetentionEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also a fault of the program; what was written stays, and nothing waits in memory."""
    monkeypatch.setattr(writing, "MERGE_AT", 1)
    store = LocalArtifactStore(tmp_path)
    writer = DecisionWriter(store, flush_seconds=3_600)

    def broken(store: ArtifactStore, day: date, keys: Any) -> parts.Merged | None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(parts, "merge", broken)
        writer.add(served(engine, "A"))
        writer.flush()
    assert writer.problem == "parts of the decision log were not merged: ZeroDivisionError"
    assert (customers_in(store), len(writer._records), writer._parts) == (["A"], 0, {})
    writer.add(served(engine, "B"))
    writer.flush()
    assert writer.problem is None
    writer.close()


def test_parts_that_somebody_else_merged_leave_no_empty_one(
    engine: RetentionEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The nightly run makes one part of a day while a server still means to merge its own of it."""
    monkeypatch.setattr(writing, "MERGE_AT", 3)
    monkeypatch.setattr(writing, "datetime", OnMonday)
    store = LocalArtifactStore(tmp_path)
    writer = DecisionWriter(store, flush_seconds=3_600)
    for customer in "AB":
        writer.add(served(engine, customer))
        writer.flush()
    mine = store.pointers(parts.FOLDER)
    parts.compact(store, MONDAY.date())
    whole = store.pointers(parts.FOLDER)
    assert parts.merge(store, MONDAY.date(), mine) is None
    assert store.pointers(parts.FOLDER) == whole
    writer.add(served(engine, "C"))
    writer.flush()  # which merges what it wrote, as far as it is still there
    assert (writer.problem, len(store.pointers(parts.FOLDER))) == (None, 2)
    writer.close()
    assert customers_in(store) == list("ABC")


def test_a_day_that_servers_go_on_merging_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: whenever a part was gone all were read again, in which time busy servers merged others:
    the nightly run ended with "is being rewritten again and again"."""
    store = LocalArtifactStore(tmp_path)
    for number in range(20):
        parts.append(store, [record(f"{number:02d}")])
    read, reads = parts._read, 0

    def merging(store: ArtifactStore, key: str) -> Any:
        nonlocal reads
        reads += 1
        if reads % 6 == 0:
            with monkeypatch.context() as patch:
                patch.setattr(parts, "_read", read)
                parts.merge(store, MONDAY.date(), store.pointers(parts.FOLDER)[-2:])
        return read(store, key)

    with monkeypatch.context() as patch:
        patch.setattr(parts, "_read", merging)
        assert ids(store) == [f"{number:02d}" for number in range(20)]
    assert reads < 30


def test_a_damaged_list_of_erasures_is_named(store: ArtifactStore) -> None:
    """Whoever reads, merges or erases hears which file it is; nothing is written over it."""
    parts.append(store, [record("a")])
    for damaged in (b'{"x": ', b"[]", b'{"x": "yesterday"}'):
        store.write_pointer(parts.ERASED, damaged)
        for use in (
            lambda: parts.read(store),
            lambda: parts.compact(store, MONDAY.date()),
            lambda: parts.erase(store, ["C1"], MONDAY),
        ):
            with pytest.raises(ArtifactError, match=f"{parts.ERASED} is damaged"):
                use()
        assert store.read_pointer(parts.ERASED) == damaged


def test_a_day_that_is_over_is_merged_and_forgotten(
    engine: RetentionEngine, tmp_path: Path
) -> None:
    store = LocalArtifactStore(tmp_path)
    writer = DecisionWriter(store, flush_seconds=3_600)
    for customer in ("A", "B"):
        writer.add(served(engine, customer, now=MONDAY))
        writer.flush()
    assert writer._parts == {}
    writer.close()
    assert customers_in(store) == ["A", "B"]


def test_a_full_disk_is_logged_once(
    engine: RetentionEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Why: each attempt's file has another name, which made it another problem, each second."""
    writer = DecisionWriter(LocalArtifactStore(tmp_path), flush_seconds=3_600)
    tried: list[Path] = []

    def full(path: Path, content: bytes) -> None:
        tried.append(path)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr("churn_assets.storage.local.write_atomically", full)
        writer.add(served(engine, "A"))
        for _ in range(3):
            writer.flush()
    assert len({*tried}) == 3
    [said] = [message for message in caplog.messages if "can't be logged" in message]
    assert str(tried[0]) in said
    assert writer.problem == os.strerror(errno.ENOSPC)  # for /readyz, which is public
    writer.close()
    assert writer.problem is None
