"""kill -9 in every phase of a simulated company: what was acknowledged is there, and once."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from churn_assets.outcomes.company import FIRST_DAY
from churn_assets.outcomes.config import OutcomesConfig
from churn_assets.outcomes.joining import Joined, join
from churn_assets.serving.decision_log import parts
from churn_assets.serving.event_text import DUPLICATE
from churn_assets.serving.feedback import SqliteFeedbackLog
from churn_assets.storage.local import LocalArtifactStore
from tests.outcomes.killed_company import BATCH, CUSTOMERS, PHASES, WEEKS
from tests.processes import held_process

A_WEEK = CUSTOMERS // WEEKS
LOST = {"answer": BATCH, "flush": A_WEEK, "feedback": 0, "outcome": 0}
"""Decisions answered since the last flush was over: no more may be missing."""


def lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def outcomes(store: LocalArtifactStore, folder: Path) -> Joined:
    with closing(SqliteFeedbackLog(folder / "feedback.sqlite3")) as log:
        events = [json.loads(event) for event in log.events()]
    assert len({event["event_id"] for event in events}) == len(events)
    return join(parts.read(store).to_pandas(), events, OutcomesConfig(), FIRST_DAY)


@pytest.mark.parametrize("phase", PHASES)
def test_a_killed_company_loses_and_doubles_nothing(
    phase: str, bundle: Path, tmp_path: Path
) -> None:
    """Answers, the log's flush, feedback and the merging of outcomes; then all is told again."""
    with held_process("tests.outcomes.killed_company", phase, str(bundle), str(tmp_path)) as killed:
        killed.kill()
        killed.wait()
    answered, acknowledged = (lines(tmp_path / name) for name in ("answered", "acknowledged"))
    store = LocalArtifactStore(tmp_path / "store")
    first = outcomes(store, tmp_path)
    logged = first.table["decision_id"].tolist()
    assert len(set(logged)) == len(logged)
    assert set(logged) <= set(answered)
    assert len(answered) - len(logged) == LOST[phase]
    assert logged  # the phase comes late enough to leave something behind

    with closing(SqliteFeedbackLog(tmp_path / "feedback.sqlite3")) as log:
        kept = {json.loads(event)["event_id"] for event in log.events()}
        told = {json.loads(event)["event_id"]: event for event in acknowledged}
        assert kept >= told.keys()
        assert len(kept - told.keys()) == (1 if phase == "feedback" else 0)
        assert {log.record(name, event) for name, event in told.items()} <= {DUPLICATE}
    for day in parts.days(store):  # and the night's merging goes on where it stopped
        parts.compact(store, day)
    second = outcomes(store, tmp_path)
    for column in ("decision_id", "accepted", "churned", "spend"):
        assert second.table[column].tolist() == first.table[column].tolist()
    assert second.table["accepted"].sum() == sum(name.startswith("accepted") for name in kept)
