"""A process that imports a file of events as `churn outcomes import` does.

    python -m tests.outcomes.importing_process FILE FOLDER [hold]

With `hold` it stops in the middle of its second batch, says `held`, and waits to be killed; else it
prints how many events are new, were there, and are refused.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

from churn_assets.campaign.contacts.feed import LedgerFeed
from churn_assets.campaign.contacts.opening import LateLedger
from churn_assets.customers.reading.imports import rows_of
from churn_assets.outcomes.importing import AT_ONCE, record
from churn_assets.serving import feedback
from churn_assets.serving.events import FeedbackEvent
from churn_assets.serving.feedback import SqliteFeedbackLog


def main(file: Path, folder: Path) -> None:
    ledger = LateLedger("", folder)
    with closing(LedgerFeed(SqliteFeedbackLog(folder / "feedback.sqlite3"), ledger)) as log:
        done = record(rows_of(FeedbackEvent, file), log)
    ledger.close()
    print(done.stored, done.known, len(done.refused))


def hold_in_the_second_batch() -> None:
    insert, rows = feedback._insert, 0

    def held(db: sqlite3.Connection, event_id: str, content: str) -> str:
        nonlocal rows
        rows += 1
        if rows == AT_ONCE * 3 // 2:
            print("held", flush=True)
            while True:
                time.sleep(3_600)
        return insert(db, event_id, content)

    feedback._insert = held


if __name__ == "__main__":
    if sys.argv[3:] == ["hold"]:
        hold_in_the_second_batch()
    main(Path(sys.argv[1]), Path(sys.argv[2]))
