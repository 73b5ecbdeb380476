"""What ended the last run of a job before its work was done, for who looks for its results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC

import dagster as dg

from churn_assets.orchestration.run_follower import LOG_TAG, to_run_event

UNDONE = {dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}


@dataclass(frozen=True)
class Stop:
    """Why a run hasn't done its work.

    Attributes:
        told: in a sentence: at which steps it stopped and why, and where to look; or that it hasn't
            ended.
        todo: what to do before the command that runs it again.
    """

    told: str
    todo: str


def what_stopped(job: str) -> Stop | None:
    """The last run of the job in DAGSTER_HOME's instance; None where it was done, or none ran."""
    with dg.DagsterInstance.get() as instance:
        found = instance.get_run_records(dg.RunsFilter(job_name=job), limit=1)
        if not found or found[0].dagster_run.is_success:
            return None
        [record] = found
        run = record.dagster_run
        asked = record.create_timestamp.astimezone(UTC)
        told = f"the last run of {job} ({asked:%Y-%m-%d %H:%M} UTC)"
        if run.status not in UNDONE:
            return Stop(f"{told} hasn't ended", "wait for it or, if nothing runs any more,")
        log = f"; log: {run.tags[LOG_TAG]}" if LOG_TAG in run.tags else ""
        why = "; ".join(_reasons(instance.all_logs(run.run_id)))
        where = f"more in the Dagster UI (`churn dev`), run {run.run_id}{log}"
        return Stop(f"{told} stopped at {why}; {where}", "mend that, then")


def _reasons(entries: Sequence[dg.EventLogEntry]) -> list[str]:
    """Each check that failed and each step that broke off, with what it said; where no step did,
    what Dagster says of the run."""
    shown: dict[str, str] = {}
    for entry in entries:
        event = to_run_event(entry)
        # A check that blocks fails its own step, too: what it found says more.
        if event is None or (entry.step_key or "") in shown:
            continue
        if event.kind in ("check_failed", "failed"):
            shown[entry.step_key or ""] = f"{event.subject}: {event.text}"
        elif event.kind == "stopped":
            shown[entry.step_key or ""] = f"{event.subject}: somebody stopped it"
    ended = [
        f"no step: {entry.dagster_event.message}"
        for entry in entries
        if entry.dagster_event is not None and entry.dagster_event.is_run_failure
    ]
    return list(shown.values()) or ended or ["no step: somebody stopped it"]
