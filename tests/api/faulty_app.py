"""The service with faults built in, for tests of what one fault does to everybody else.

To `UNWRITABLE` no message can be written, a bill of `UNASSESSABLE` fails the pass over all
customers, writing to `SLOW` takes its time, and the feedback log never answers in time where
HANGING_FEEDBACK is set.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from api.main import create_app
from churn_assets.messages.shield.brief import MessageBrief
from churn_assets.messages.writing.writer import Message, MessageWriter
from churn_assets.serving.assessment import Assessments, Assessor
from churn_assets.serving.feedback import SqliteFeedbackLog

UNWRITABLE, UNASSESSABLE, SLOW = "Unlucky", 66.6, "Sloth"

write, assess, record = MessageWriter.write, Assessor.assess, SqliteFeedbackLog.record


def faulty_write(self: MessageWriter, brief: MessageBrief, *args: Any, **given: Any) -> Message:
    if brief.name == UNWRITABLE:
        raise RuntimeError(f"no template passes for {brief.name}")
    if brief.name == SLOW:
        time.sleep(0.2)
    return write(self, brief, *args, **given)


def faulty_assess(
    self: Assessor, rows: Sequence[Mapping[str, Any]], *args: Any, **given: Any
) -> Assessments:
    if any(row.get("monthly_charges") == UNASSESSABLE for row in rows):
        raise ValueError(f"monthly_charges: {UNASSESSABLE} is out of range")
    return assess(self, rows, *args, **given)


def hanging_record(self: SqliteFeedbackLog, event_id: str, content: str) -> str:
    threading.Event().wait(8)  # longer than the deadline of the calls
    return record(self, event_id, content)


MessageWriter.write = faulty_write  # type: ignore[method-assign]
Assessor.assess = faulty_assess  # type: ignore[method-assign]
if os.environ.get("HANGING_FEEDBACK"):
    SqliteFeedbackLog.record = hanging_record  # type: ignore[method-assign]

app = create_app()
