"""Runs that say they are under way though their process is gone: failed at the next start.

A killed process can't say that it ended. Dagster's daemon notices that only in a deployment that
has `run_monitoring`; the embedded instance would count such runs as running for ever, and launch
nothing more once there are ten.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
import psutil

# Private: nothing public says whether an instance keeps its runs on this machine alone.
from dagster._core.storage.runs import SqliteRunStorage

from churn_assets.orchestration.modal import records

UNDER_WAY = [
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
START_LIMIT = timedelta(minutes=10)  # a run that started has named its process long before
CLOCK_SECONDS = 2.0  # by which a process may seem younger than what it wrote down


def fail_dead_runs() -> list[str]:
    """Mark as failed what no living process of this machine works on, in the instance of
    DAGSTER_HOME.

    Does nothing on an instance that several machines may share: those have `run_monitoring`.

    Returns:
        `<job> <run id>` of each.
    """
    with dg.DagsterInstance.get() as instance:
        if instance.run_monitoring_enabled:
            return []
        if not isinstance(instance.run_storage, SqliteRunStorage):
            return []
        found = instance.get_run_records(dg.RunsFilter(statuses=UNDER_WAY))
        dead = [record.dagster_run for record in found if _is_dead(instance, record)]
        for run in dead:
            instance.report_run_failed(run, "its process ended without a word: killed, or a crash")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            records.cancel_calls_of(instance, run.run_id)
        return [f"{run.job_name} {run.run_id}" for run in dead]


def _is_dead(instance: dg.DagsterInstance, record: dg.RunRecord) -> bool:
    events = instance.all_logs(record.dagster_run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
    for entry in events:
        event = entry.dagster_event
        if event is None or event.step_key is not None:
            continue
        if (pid := event.engine_event_data.metadata.get("pid")) is not None:
            return not _lives(int(str(pid.value)), entry.timestamp)
    return datetime.now(UTC) - record.update_timestamp > START_LIMIT


def _lives(pid: int, since: float) -> bool:
    """Whether the process of that time still runs, and not another one with its number."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return process.create_time() <= since + CLOCK_SECONDS
    except psutil.NoSuchProcess:
        return False
