"""Which events `campaign_outcomes` lets go: those that can answer no decision that is kept."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg

from churn_assets.orchestration.resources import ArtifactIOManager
from churn_assets.orchestration.stores import store_resources
from churn_assets.outcomes import assets
from churn_assets.outcomes.config import OutcomesConfig
from churn_assets.outcomes.matching import answering_from
from churn_assets.serving.decision_log import parts
from churn_assets.serving.feedback import SqliteFeedbackLog, open_feedback_log
from churn_assets.storage.local import LocalArtifactStore
from tests.outcomes.test_joining import decision
from tests.serving.test_decision_log import COLUMNS


def test_events_that_answer_no_kept_decision_go_and_a_no_stays(tmp_path: Path) -> None:
    """Why: nothing ever removed one, so that every night read all that there had ever been."""
    store, now = LocalArtifactStore(tmp_path / "store"), datetime.now(UTC)
    made = now - timedelta(days=60)
    row = decision(1, "C1") | {"time": made}
    parts.append(store, [tuple(row.get(name) for name in COLUMNS)])
    events = {
        "answer": ("C1", "accepted", made + timedelta(hours=2)),
        "clocks": ("C1", "sent", made - timedelta(days=1)),
        "over": ("C2", "sent", made - timedelta(days=40)),
        "no": ("C2", "unsubscribed", made - timedelta(days=4_000)),
        "left": ("C3", "churned", made - timedelta(days=4_000)),
    }
    with closing(open_feedback_log(store, tmp_path)) as log:
        for event_id, (customer, kind, when) in events.items():
            told = {"event_id": event_id, "customer_id": customer, "kind": kind}
            log.record(event_id, json.dumps(told | {"occurred_at": when.isoformat()}))
    stores = store_resources(store.url, tmp_path / "cache")
    io_manager = ArtifactIOManager(store=stores["store"])

    def removed(keep_days: int) -> int:
        result = dg.materialize(
            [assets.campaign_outcomes],
            resources={
                "home": tmp_path,
                "outcomes_config": OutcomesConfig(keep_days=keep_days),
                "io_manager": io_manager,
                **stores,
            },
            instance=dg.DagsterInstance.ephemeral(),
        )
        [made] = result.asset_materializations_for_node("campaign_outcomes")
        return int(str(made.metadata["events removed"].value))

    assert removed(keep_days=730) == 0
    assert removed(keep_days=70) == 1
    with closing(open_feedback_log(store, tmp_path)) as log:
        left = {json.loads(content)["event_id"] for content in log.events()}
    assert left == events.keys() - {"over"}


def test_events_are_kept_as_long_as_the_oldest_decision() -> None:
    """However old a decision is that something else still needs."""
    now, config = datetime(2026, 6, 1, 15, tzinfo=UTC), OutcomesConfig(keep_days=100)
    assert answering_from([], now, config) == datetime(2026, 2, 19, tzinfo=UTC)
    old = [date(2024, 1, 5), date(2026, 5, 30)]
    assert answering_from(old, now, config) == datetime(2024, 1, 3, tzinfo=UTC)


def test_letting_many_events_go_keeps_nobody_waiting(tmp_path: Path) -> None:
    """Why: each was flushed to disk by itself, and meanwhile opt-outs were refused."""
    when = datetime(2020, 1, 1, tzinfo=UTC)
    with closing(SqliteFeedbackLog(tmp_path / "feedback.sqlite3")) as log:
        for i in range(50):
            told = {"event_id": f"e{i}", "customer_id": "C1", "kind": "sent"}
            log.record(f"e{i}", json.dumps(told | {"occurred_at": when.isoformat()}))
        said: list[str] = []
        with log._connected() as db:
            db.set_trace_callback(said.append)
        assert log.tidy(when + timedelta(days=1)) == 50
        assert log.events() == []
    asked = [line.split()[0] for line in said if not line.startswith("SELECT")]
    assert asked == ["BEGIN", *["DELETE"] * 50, "COMMIT"]
