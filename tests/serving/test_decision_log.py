"""The decision log: every record once, whatever is written, merged, erased or broken meanwhile."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest

from churn_assets.domain.experiment import ExperimentConfig
from churn_assets.serving.decision_log import parts, waiting
from churn_assets.serving.decision_log.records import COLUMNS, Record, Served, records_of
from churn_assets.serving.decision_log.waiting import LOST
from churn_assets.serving.decision_log.writer import DecisionWriter
from churn_assets.serving.engine import RetentionEngine
from churn_assets.serving.schemas import SAMPLE_REQUEST, PredictRequest
from churn_assets.storage.gcs import GcsArtifactStore
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import ArtifactError, ArtifactStore
from tests.serving.kept import Kept
from tests.storage.emulator import strict_client

MONDAY = datetime(2026, 1, 12, 12, tzinfo=UTC)


def record(identity: str, customer: str | None = "C1", when: datetime = MONDAY) -> Record:
    row = dict.fromkeys(COLUMNS) | {
        "decision_id": identity,
        "time": when,
        "customer_id": customer,
        "observation": [0.5] * 9,
        "contact": True,
    }
    return tuple(row.values())


class OnMonday(datetime):
    """A clock that stands still, also at midnight."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> OnMonday:
        return cls(2026, 1, 12, 13, tzinfo=tz)


class Passing:
    """A sink that keeps what was served, as serving hands it over."""

    source = "api"

    def __init__(self) -> None:
        self.served: list[Served] = []

    def add(self, served: Served) -> None:
        self.served.append(served)


def served(engine: RetentionEngine, *customers: str, now: datetime = MONDAY) -> Served:
    """What an engine hands over after it has answered for these customers."""
    sink = Passing()
    requests = [
        PredictRequest.model_validate(SAMPLE_REQUEST | {"customer_id": each}) for each in customers
    ]
    engine.predict_many(requests, now=now, decisions=sink)
    [found] = sink.served
    return found


def customers_in(store: ArtifactStore) -> list[str]:
    return sorted(parts.read(store)["customer_id"].to_pylist())


def ids(store: ArtifactStore) -> list[str]:
    found: list[str] = parts.read(store)["decision_id"].to_pylist()
    return found


@pytest.fixture(params=["local", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    if request.param == "local":
        return LocalArtifactStore(tmp_path / "store")
    request.getfixturevalue("emulator")
    url = f"gs://churn-artifacts/{tmp_path.name}"
    return GcsArtifactStore.from_url(url, tmp_path / "cache", strict_client())


def test_whom_a_rule_excludes_has_no_record(engine: RetentionEngine) -> None:
    """In either group of an experiment, as in a plan: nothing was decided about them."""
    sink, split = Passing(), ExperimentConfig(enabled=True, control_share=0.5)
    requests = [
        PredictRequest.model_validate(SAMPLE_REQUEST | {"customer_id": f"C{i}"}) for i in range(40)
    ]
    excluded = {f"C{i}": "opt_out" for i in range(20)}
    answers = engine.predict_many(
        requests, now=MONDAY, decisions=sink, experiment=split, excluded=excluded
    )
    out = [answer["metadata"] for answer in answers[:20]]
    assert {metadata["group"] for metadata in out} == {"treated", "control"}
    assert not any(answer["decision"]["contact"] for answer in answers[:20])
    kept = [dict(zip(COLUMNS, row, strict=True)) for row in records_of(sink.served, "api")]
    assert [row["customer_id"] for row in kept] == [f"C{i}" for i in range(20, 40)]
    assert [row["group"] for row in kept] == [a["metadata"]["group"] for a in answers[20:]]


def test_a_decision_of_two_days_counts_once(store: ArtifactStore) -> None:
    """A plan whose approval was logged at 23:59 (UTC), and whose process was killed before the
    ledger had it, is approved again after midnight: all its customers were there twice, in the lift
    report as in what is learnt. Merging changes nothing of it."""
    late, early = MONDAY + timedelta(hours=11, minutes=59), MONDAY + timedelta(hours=12, minutes=2)
    parts.append(store, [record(f"P:C{i}", f"C{i}", late) for i in range(3)])
    parts.append(store, [record(f"P:C{i}", f"C{i}", early) for i in (*range(3), 9)])
    parts.append(store, [record("P:C9", "C9", early + timedelta(days=1)), record("other")])

    def found() -> list[tuple[str, datetime]]:
        log = parts.read(store)
        return list(zip(log["decision_id"].to_pylist(), log["time"].to_pylist(), strict=True))

    once = [("other", MONDAY), *((f"P:C{i}", late) for i in range(3)), ("P:C9", early)]
    assert found() == once
    for day in parts.days(store):
        parts.compact(store, day)
    assert found() == once
    assert parts.read(store, since=early.date())["decision_id"].to_pylist()[-1] == "P:C9"
    assert parts.erase(store, ["C9"], early + timedelta(days=2)) == {"C9": 1}
    assert found() == once[:-1]


def test_days_are_read_merged_pruned_and_erased(store: ArtifactStore) -> None:
    """The same on a folder and in a bucket."""
    tuesday = MONDAY + timedelta(days=1)
    parts.append(store, [record("a"), record("b", "CUSTOMER-22222"), record("c", when=tuesday)])
    parts.append(
        store, [record("d", "CUSTOMER-22222", tuesday), record("a")]
    )  # a was sent a second time
    assert parts.days(store) == [date(2026, 1, 12), date(2026, 1, 13)]
    assert sorted(ids(store)) == ["a", "b", "c", "d"]
    assert parts.read(store, date(2026, 1, 13))["decision_id"].to_pylist() == ["c", "d"]
    for day in parts.days(store):
        parts.compact(store, day)
    assert len(store.pointers(parts.FOLDER)) == 2
    assert sorted(ids(store)) == ["a", "b", "c", "d"]
    assert parts.erase(store, ["CUSTOMER-22222"], tuesday + timedelta(hours=1)) == {
        "CUSTOMER-22222": 2
    }
    assert sorted(ids(store)) == ["a", "c"]
    assert not any(
        b"CUSTOMER-22222" in (store.read_pointer(key) or b"") for key in store.pointers()
    )
    parts.append(store, [record("e"), record("f")])
    assert parts.prune(store, date(2026, 1, 13), {"a", "f"}) == 1
    assert sorted(ids(store)) == ["a", "c", "f"]
    assert len(store.pointers(f"{parts.FOLDER}/2026-01-12")) == 1
    assert parts.prune(store, date(2026, 1, 13), {"a", "f"}) == 0
    assert parts.prune(store, date(2026, 1, 13)) == 1
    assert ids(store) == ["c"]


def test_many_are_erased_in_one_pass(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Why: for a hundred customers the whole log was read a hundred times. Each has a count of
    their own, who has none as well, and what comes after the erasure stays."""
    names = [f"CUSTOMER-{i:05d}" for i in range(6)]
    for i in range(12):
        mine = [record(f"{i}-{name}", name) for name in names[: 1 + i % 3]]
        parts.append(store, [*mine, record(f"{i}", "other")])
    parts.append(store, [record("after", names[0], MONDAY + timedelta(hours=2))])
    read, reads = parts._read, list[str]()

    def counted(store: ArtifactStore, key: str) -> Any:
        reads.append(key)
        return read(store, key)

    with monkeypatch.context() as patch:
        patch.setattr(parts, "_read", counted)
        found = parts.erase(store, names[1:] + names[:1], MONDAY + timedelta(hours=1))
    assert found == dict(zip(names, (12, 8, 4, 0, 0, 0), strict=True))
    assert len(reads) == len(set(reads)) == 13
    assert sorted(ids(store)) == sorted([*map(str, range(12)), "after"])


def test_what_was_erased_does_not_come_back(tmp_path: Path) -> None:
    """A part that was in the writer's hands during the erasure; later decisions count again."""
    store = LocalArtifactStore(tmp_path)
    parts.erase(store, ["C1"], MONDAY + timedelta(hours=1))
    parts.append(store, [record("late"), record("new", when=MONDAY + timedelta(hours=2))])
    assert ids(store) == ["new"]
    parts.append(store, [record("other", "C9"), record("nobody", None)])
    parts.compact(store, MONDAY.date())
    [key] = store.pointers(parts.FOLDER)
    assert sorted(parts._read(store, key)["decision_id"].to_pylist()) == ["new", "nobody", "other"]


def test_a_day_of_one_part_forgets_too(store: ArtifactStore) -> None:
    """What a server still had in memory when the customer was erased came as the day's only part:
    once the day is over, no byte of the customer is left."""
    parts.erase(store, ["CUSTOMER-22222"], MONDAY + timedelta(hours=1))
    parts.append(store, [record("late", "CUSTOMER-22222"), record("other")])
    assert ids(store) == ["other"]
    parts.compact(store, MONDAY.date())
    [key] = store.pointers(parts.FOLDER)
    assert b"CUSTOMER-22222" not in (store.read_pointer(key) or b"")
    parts.compact(store, MONDAY.date())
    assert store.pointers(parts.FOLDER) == [key]  # nothing left to do
    assert ids(store) == ["other"]


def test_what_is_merged_while_it_is_erased_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server's merge that had read its parts before the erasure writes them back in the middle of
    it; decisions after the erasure stay and aren't counted."""
    store = LocalArtifactStore(tmp_path)
    later = MONDAY + timedelta(hours=2)
    keys = parts.append(store, [record("a", "CUSTOMER-22222"), record("b")])
    parts.append(store, [record("c", "CUSTOMER-22222", later)])
    before = [parts._read(store, key) for key in keys]
    read, merged = parts._read, False

    def merging(store: ArtifactStore, key: str) -> Any:
        nonlocal merged
        if not merged:
            merged = True
            parts._replace(store, MONDAY.date(), before[0], keys)
        return read(store, key)

    with monkeypatch.context() as patch:
        patch.setattr(parts, "_read", merging)
        assert parts.erase(store, ["CUSTOMER-22222"], MONDAY + timedelta(hours=1)) == {
            "CUSTOMER-22222": 1
        }
    assert sorted(ids(store)) == ["b", "c"]
    written = [parts._read(store, key) for key in store.pointers(parts.FOLDER)]
    assert sorted(i for t in written for i in t["decision_id"].to_pylist()) == ["b", "c"]


def test_a_crash_between_merging_and_removing_counts_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both the whole and its parts are there then."""
    store = LocalArtifactStore(tmp_path)
    for name in "ab":
        parts.append(store, [record(name)])

    def killed(self: LocalArtifactStore, key: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(LocalArtifactStore, "delete_pointer", killed)
        with pytest.raises(KeyboardInterrupt):
            parts.compact(store, MONDAY.date())
    assert len(store.pointers(parts.FOLDER)) == 3
    assert sorted(ids(store)) == ["a", "b"]
    parts.compact(store, MONDAY.date())
    assert len(store.pointers(parts.FOLDER)) == 1
    assert sorted(ids(store)) == ["a", "b"]


def test_records_wait_for_a_store_that_is_away(
    engine: RetentionEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost while the process lives, and nothing fails for it."""
    store = LocalArtifactStore(tmp_path)
    writer = DecisionWriter(store, flush_seconds=3_600)

    def away(self: LocalArtifactStore, key: str, content: bytes) -> None:
        raise ArtifactError("no route to host")

    with monkeypatch.context() as patch:
        patch.setattr(LocalArtifactStore, "write_pointer", away)
        writer.add(served(engine, "A"))
        writer.flush()
        writer.flush()
        assert writer.problem == "no route to host"
    writer.add(served(engine, "B"))
    writer.close()
    assert writer.problem is None
    assert customers_in(store) == ["A", "B"]


def test_what_there_is_no_room_for_is_counted(
    engine: RetentionEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest are given up while the store is away for too long."""
    store = LocalArtifactStore(tmp_path)
    writer = DecisionWriter(store, flush_seconds=3_600)
    before = LOST._value.get()

    def away(self: LocalArtifactStore, key: str, content: bytes) -> None:
        raise ArtifactError("no route to host")

    with monkeypatch.context() as patch:
        patch.setattr(LocalArtifactStore, "write_pointer", away)
        patch.setattr(waiting, "CAPACITY", 2)
        writer.add(served(engine, "A", "B", "C"))
        writer.flush()
    writer.close()
    assert customers_in(store) == ["B", "C"]
    assert LOST._value.get() - before == 1


def test_an_answer_that_no_record_can_be_made_of_costs_the_others_nothing(
    engine: RetentionEngine, tmp_path: Path
) -> None:
    store = LocalArtifactStore(tmp_path)
    writer = DecisionWriter(store, flush_seconds=3_600)
    before, odd = LOST._value.get(), served(engine, "B")
    for one in (served(engine, "A"), odd._replace(rows=[{}]), served(engine, "C")):
        writer.add(one)
    writer.close()
    assert customers_in(store) == ["A", "C"]
    assert LOST._value.get() - before == 1


def test_many_records_at_once_are_those_of_each(engine: RetentionEngine) -> None:
    """Made together, in order, without what could not be answered, which gets no id either."""
    several = [served(engine, "A"), served(engine, "B", "C", "D"), served(engine, "E", "F")]
    failed = [ValueError("no answer"), *several[1].answers[1:]]
    several[1] = several[1]._replace(answers=failed)
    together = records_of(several, "api")
    assert together == [each for one in several for each in records_of([one], "api")]
    assert [dict(zip(COLUMNS, r, strict=True))["customer_id"] for r in together] == list("ACDEF")
    assert records_of([], "api") == []


def test_a_record_says_what_was_answered(engine: RetentionEngine) -> None:
    """With the true group and propensity, and without name and text."""
    sink = Kept()
    half = ExperimentConfig(enabled=True, control_share=0.5)
    requests = [
        PredictRequest.model_validate(SAMPLE_REQUEST | {"customer_id": f"C{i}", "name": "Zebulon"})
        for i in range(20)
    ]
    answers = engine.predict_many(requests, now=MONDAY, experiment=half, decisions=sink)
    rows: list[dict[str, Any]] = [dict(zip(COLUMNS, r, strict=True)) for r in sink.records]
    assert {row["group"] for row in rows} == {"treated", "control"}
    for request, answer, row in zip(requests, answers, rows, strict=True):
        metadata, decision = answer["metadata"], answer["decision"]
        assert row["decision_id"] == metadata["decision_id"]
        assert row["customer_id"] == request.customer_id
        assert (row["group"], row["policy"]) == (metadata["group"], metadata["policy"])
        assert row["contact"] == decision["contact"]
        assert row["offer_level"] == decision["offer_level"]
        assert row["propensity"] == metadata["action_probability"]
        assert len(row["observation"]) == 9
        assert round(row["churn_risk"], 4) == metadata["churn_risk"]
        assert round(row["expected_value"], 2) == metadata["expected_value"]
        assert row["customer_value"] == pytest.approx(12 * request.monthly_charges)
        assert (row["period"], row["control_share"]) == ("start", 0.5)
        assert "Zebulon" not in str(row)
    assert len({row["decision_id"] for row in rows}) == len(rows)


def test_a_message_asked_for_at_night_isnt_refused(engine: RetentionEngine) -> None:
    """It waits for the morning, as the answer says; the log doesn't count it as a bad one, of which
    one in a hundred would call somebody."""
    sink, night = Kept(), MONDAY.replace(hour=3)
    requests = [
        PredictRequest.model_validate(SAMPLE_REQUEST | {"customer_id": f"C{i}", "time_zone": "UTC"})
        for i in range(20)
    ]
    answers = engine.predict_many(requests, now=night, decisions=sink)
    written = [answer for answer in answers if answer["message"]]
    assert written
    assert {tuple(answer["safety"]["violations"]) for answer in written} == {("quiet_hours",)}
    column = COLUMNS.index("shield_passed")
    assert [r[column] for r in sink.records if r[column] is not None] == [True] * len(written)


def test_without_a_log_the_answer_has_no_key(engine: RetentionEngine) -> None:
    """It would lead nowhere."""
    answer = engine.predict(PredictRequest.model_validate(SAMPLE_REQUEST), now=MONDAY)
    assert "decision_id" not in answer["metadata"]
