"""The decision log: every record once, whatever is written, merged, erased or broken meanwhile."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from churn_assets.domain.experiment import ExperimentConfig
from churn_assets.serving.decision_log import parts
from churn_assets.serving.decision_log.records import COLUMNS, Record
from churn_assets.serving.decision_log.writer import MERGE_AT, DecisionWriter
from churn_assets.serving.engine import RetentionEngine
from churn_assets.serving.schemas import SAMPLE_REQUEST, PredictRequest
from churn_assets.storage.gcs import GcsArtifactStore
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import ArtifactError, ArtifactStore
from tests.serving.kept import Kept
from tests.storage.emulator import strict_client

MONDAY = datetime(2026, 1, 12, 12, tzinfo=UTC)


def record(identity: str, customer: str = "C1", when: datetime = MONDAY) -> Record:
    row = dict.fromkeys(COLUMNS) | {
        "decision_id": identity,
        "time": when,
        "customer_id": customer,
        "observation": [0.5] * 9,
        "contact": True,
    }
    return tuple(row.values())


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
    assert parts.erase(store, "CUSTOMER-22222", tuesday + timedelta(hours=1)) == 2
    assert sorted(ids(store)) == ["a", "c"]
    assert not any(
        b"CUSTOMER-22222" in (store.read_pointer(key) or b"") for key in store.pointers()
    )
    assert parts.prune(store, date(2026, 1, 13)) == 1
    assert ids(store) == ["c"]


def test_what_was_erased_does_not_come_back(tmp_path: Path) -> None:
    """A part that was in the writer's hands during the erasure; later decisions count again."""
    store = LocalArtifactStore(tmp_path)
    parts.erase(store, "C1", MONDAY + timedelta(hours=1))
    parts.append(store, [record("late"), record("new", when=MONDAY + timedelta(hours=2))])
    assert ids(store) == ["new"]
    parts.append(store, [record("other", "C9")])
    parts.compact(store, MONDAY.date())
    [key] = store.pointers(parts.FOLDER)
    assert sorted(parts._read(store, key)["decision_id"].to_pylist()) == ["new", "other"]


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


def test_the_writer_merges_its_own_parts(tmp_path: Path) -> None:
    """A part a second would be 86,400 files a day."""
    store = LocalArtifactStore(tmp_path)
    writer = DecisionWriter(store, flush_seconds=3_600)
    now = datetime.now(UTC)
    for number in range(MERGE_AT + 1):
        writer.add([record(f"{number:03d}", when=now)])
        writer.flush()
    writer.close()
    assert len(ids(store)) == MERGE_AT + 1
    assert len(store.pointers(parts.FOLDER)) < 5


def test_records_wait_for_a_store_that_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost while the process lives, and nothing fails for it."""
    store = LocalArtifactStore(tmp_path)
    writer = DecisionWriter(store, flush_seconds=3_600)

    def away(self: LocalArtifactStore, key: str, content: bytes) -> None:
        raise ArtifactError("no route to host")

    with monkeypatch.context() as patch:
        patch.setattr(LocalArtifactStore, "write_pointer", away)
        writer.add([record("a")])
        writer.flush()
        assert writer.problem == "no route to host"
    writer.add([record("b")])
    writer.close()
    assert writer.problem is None
    assert sorted(ids(store)) == ["a", "b"]


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


def test_without_a_log_the_answer_has_no_key(engine: RetentionEngine) -> None:
    """It would lead nowhere."""
    answer = engine.predict(PredictRequest.model_validate(SAMPLE_REQUEST), now=MONDAY)
    assert "decision_id" not in answer["metadata"]
