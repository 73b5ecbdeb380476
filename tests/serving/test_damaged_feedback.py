"""An event of the feedback log that is half-written, or none: it is named, and stops no erasure of
other customers' events."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from churn_assets.serving.bucket_feedback import StoreFeedbackLog
from churn_assets.serving.feedback import FILE, FeedbackLog, SqliteFeedbackLog, read_events
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import DamagedArtifactError

TORN = {
    "half": ('{"customer_id": "C1", "ki', "Invalid JSON: EOF while parsing a string at line 1"),
    "list": ("[]", "Input should be an object"),
    "bare": ('{"customer_id": null}', "it has no customer_id"),
}


@pytest.fixture(params=["file", "objects"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> FeedbackLog:
    if request.param == "file":
        return SqliteFeedbackLog(tmp_path / FILE)
    return StoreFeedbackLog(LocalArtifactStore(tmp_path))


def told(event_id: str, customer: str) -> tuple[str, str]:
    event = {"customer_id": customer, "kind": "sent", "occurred_at": "2026-01-05T10:00:00Z"}
    return event_id, json.dumps(event)


@pytest.mark.parametrize("torn", TORN)
def test_a_torn_event_is_named(log: FeedbackLog, torn: str) -> None:
    """Why: `churn feedback`, a simulated company and the outcomes ended in a traceback that named
    neither the event nor what to do."""
    content, why = TORN[torn]
    with closing(log):
        log.record_many([told("e1", "C1"), ("torn", content), told("e2", "C2")])
        with pytest.raises(DamagedArtifactError) as raised:
            read_events(log)
    said = str(raised.value)
    assert said.startswith(f"the feedback log's event torn is damaged: {why}")
    assert said.endswith("; restore it, or move it away")
    assert "\n" not in said
    assert "C1" not in said


@pytest.mark.parametrize("torn", TORN)
def test_a_torn_event_stops_no_erasure(log: FeedbackLog, torn: str) -> None:
    """Why: nobody's events could be erased any more. That one may be theirs is said."""
    content, why = TORN[torn]
    with closing(log):
        log.record_many([("t1", content), told("e1", "C1"), told("e2", "C2"), ("t2", content)])
        with pytest.raises(DamagedArtifactError) as raised:
            log.erase("C1")
        assert sorted(log.events()) == sorted([content, told("e2", "C2")[1], content])
    said = str(raised.value)
    assert said.startswith(f"the feedback log's event t1 is damaged: {why}")
    assert "; then erase again (so are t2). 1 events of the others are erased" in said


def test_an_event_of_other_bytes_than_text_is_named(tmp_path: Path) -> None:
    store = LocalArtifactStore(tmp_path)
    store.write_pointer("feedback/e1.json", b'{"customer_id": "C\xff')
    log = StoreFeedbackLog(store)
    with pytest.raises(DamagedArtifactError, match="event e1 is damaged"):
        read_events(log)
    with pytest.raises(DamagedArtifactError, match="event e1 is damaged"):
        log.erase("C1")
