"""A simulated company that stops in the middle of something and waits to be killed.

    python -m tests.outcomes.killed_company PHASE BUNDLE FOLDER

Decisions that were answered, and events that were acknowledged, are noted in FOLDER before the next
step, as a caller would have them: `answered` and `acknowledged`, a line each. Says `held` once it
is in the middle of the phase:

| phase | where |
|---|---|
| answer | second batch of the second week: its first is answered, and waits for the flush |
| flush | the second week's decisions are being written |
| feedback | an event is in the database, and not acknowledged yet |
| outcome | the second week's parts are merged, and not removed yet |
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

from churn_assets.domain.experiment import ExperimentConfig
from churn_assets.outcomes import company
from churn_assets.outcomes.config import OutcomesConfig
from churn_assets.serving.decision_log import parts
from churn_assets.serving.decision_log.writer import DecisionWriter
from churn_assets.serving.engine import RetentionEngine
from churn_assets.serving.feedback import SqliteFeedbackLog
from churn_assets.storage.local import LocalArtifactStore

PHASES = ("answer", "flush", "feedback", "outcome")
CUSTOMERS, WEEKS, BATCH = 60, 2, 10


def main(phase: str, bundle: Path, folder: Path) -> None:
    engine = RetentionEngine.load(bundle)
    company.BATCH = BATCH
    _note_answers(folder, hold_at=5 if phase == "answer" else None)
    if phase == "flush":
        _hold_flush()
    elif phase == "feedback":
        _hold_feedback()
    elif phase == "outcome":
        _hold_merging(folder)
    customers = [
        engine.form.model.model_validate({**engine.form.sample, "customer_id": f"C{i}"})
        for i in range(CUSTOMERS)
    ]
    store = LocalArtifactStore(folder / "store")
    with closing(_Noted(folder)) as feedback:
        made = company.Company(
            engine,
            store,
            feedback,
            ExperimentConfig(enabled=True, control_share=0.2),
            OutcomesConfig(plan_customers=1_000),
        )
        company.run(made, customers, "assumed", WEEKS)


class _Noted(SqliteFeedbackLog):
    """Notes what it has acknowledged."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "feedback.sqlite3")
        self._noted = folder / "acknowledged"

    def record(self, event_id: str, content: str) -> str:
        outcome = super().record(event_id, content)
        _note(self._noted, [content])
        return outcome


def _note_answers(folder: Path, hold_at: int | None) -> None:
    """Note each batch's decision ids; stop before answering the batch of this number."""
    answer, batches = RetentionEngine.predict_many, 0

    def noted(self: RetentionEngine, *args: Any, **options: Any) -> list[dict[str, Any]]:
        nonlocal batches
        batches += 1
        if batches == hold_at:
            _held()
        answers = answer(self, *args, **options)
        _note(folder / "answered", [a["metadata"]["decision_id"] for a in answers])
        return answers

    RetentionEngine.predict_many = noted  # type: ignore[method-assign]


def _hold_flush() -> None:
    """While the second week's part is on its way: it has its bytes, and not its name."""
    flush, replace, weeks = DecisionWriter.flush, Path.replace, 0

    def counted(self: DecisionWriter) -> None:
        nonlocal weeks
        weeks += 1
        flush(self)

    def held(self: Path, target: Path) -> Path:
        if weeks == WEEKS and parts.FOLDER in Path(target).parts:
            _held()
        return replace(self, target)

    DecisionWriter.flush = counted  # type: ignore[method-assign]
    Path.replace = held  # type: ignore[assignment,method-assign]


def _hold_feedback() -> None:
    """The third event is in the database; who reported it has no answer."""
    in_place, events = SqliteFeedbackLog._is_in_place, set[int]()

    def held(self: SqliteFeedbackLog) -> bool:
        found = in_place(self)
        if self._db is not None:
            events.add(self._db.total_changes)
        if len(events) == 4:  # none, one, two and three rows
            _held()
        return found

    SqliteFeedbackLog._is_in_place = held  # type: ignore[method-assign]


def _hold_merging(folder: Path) -> None:
    """The second week's whole is written beside its parts."""
    delete = LocalArtifactStore.delete_pointer

    def held(self: LocalArtifactStore, key: str) -> None:
        if key.startswith(parts.FOLDER) and (folder / "acknowledged").exists():
            _held()
        delete(self, key)

    LocalArtifactStore.delete_pointer = held  # type: ignore[method-assign]
    write = parts.append

    def in_two(store: LocalArtifactStore, records: Any) -> list[str]:
        half = len(records) // 2
        return [*write(store, records[:half]), *write(store, records[half:])]

    parts.append = in_two  # type: ignore[assignment]


def _note(file: Path, lines: list[str]) -> None:
    with file.open("a", encoding="utf-8") as out:
        out.writelines(f"{line}\n" for line in lines)
        out.flush()
        os.fsync(out.fileno())


def _held() -> NoReturn:
    print("held", flush=True)
    while True:
        time.sleep(3_600)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
    print("never held")
