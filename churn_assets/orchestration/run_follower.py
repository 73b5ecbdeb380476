"""Run a job in this process and tell of every event, as `churn materialize` shows it."""

from __future__ import annotations

import signal
import threading
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import dagster as dg

from churn_assets.orchestration.executor import was_stopped

DEFINITIONS = "churn_assets.definitions"
"""The module that a fresh worker process imports to find the job again."""
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""The run configuration that keeps Dagster's own lines out of the log."""
OF_DAGSTER = ("[pipes]", "Dependencies for step ")
"""How Dagster begins what it says of a child process that was stopped, and of a step that isn't
made; we say both ourselves."""

LOG_TAG = "churn/log"
"""The tag of a run that names the file with what its libraries and stages printed."""

FIGURES = 3
"""Of what a check found, shown on the screen; the UI has all."""

Kind = Literal[
    "started",
    "log",
    "materialized",
    "succeeded",
    "failed",
    "stopped",
    "check_passed",
    "check_warned",
    "check_failed",
]


@dataclass(frozen=True)
class RunEvent:
    """Something of a run that a person following it would want to see.

    Attributes:
        kind: what happened.
        subject: the step, or `asset: check` for a check.
        text: the last line of a log message, a check's description and figures, an error's root
            cause, or of an asset that it is unchanged and why, or was made ahead and how long that
            took.
        time: seconds since the epoch.
        blocks: whether it is a check that failed and keeps from being made what depends on it.
    """

    kind: Kind
    subject: str
    text: str
    time: float
    blocks: bool = False


def run_job(
    name: str,
    on_event: Callable[[RunEvent], None],
    log: Path,
    *,
    tags: Mapping[str, str] | None = None,
    poll_seconds: float = 1.0,
) -> dg.DagsterRun:
    """Run a job with its own executor on the instance of DAGSTER_HOME and report every event.

    The run has the calling thread, so that an interrupt reaches it and its child processes; another
    thread follows it through the instance's event log, so that what a person sees here is what the
    Dagster UI shows. Each look takes it some milliseconds that stages beside it would use, so that
    `poll_seconds` go by between two. `log` gets this process's output meanwhile; the run's tag
    says so.
    """
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))  # it ends a run as Ctrl-C does
    ticket = {"churn/ticket": uuid.uuid4().hex}  # by which to find the run that we start
    job = dg.build_reconstructable_job(
        DEFINITIONS, "load_job", reconstructable_kwargs={"name": name}
    )
    with dg.DagsterInstance.get() as instance, ThreadPoolExecutor(max_workers=1) as pool:
        done = threading.Event()
        following = pool.submit(_follow, instance, ticket, done, on_event, poll_seconds)
        try:
            told = {**ticket, LOG_TAG: str(log), **(tags or {})}
            dg.execute_job(job, instance, run_config=QUIET, tags=told)
        finally:
            done.set()
        following.result()
        [run] = instance.get_runs(dg.RunsFilter(tags=ticket))
        return run


def _follow(
    instance: dg.DagsterInstance,
    ticket: dict[str, str],
    done: threading.Event,
    on_event: Callable[[RunEvent], None],
    poll_seconds: float,
) -> None:
    """Hand on the run's events as they are stored, once more after it is done."""
    cursor, finished = None, False
    while not finished:
        finished = done.wait(poll_seconds)
        for run in instance.get_runs(dg.RunsFilter(tags=ticket)):
            connection = instance.get_records_for_run(run.run_id, cursor)
            cursor = connection.cursor
            for record in connection.records:
                if (event := to_run_event(record.event_log_entry)) is not None:
                    on_event(event)


def to_run_event(entry: dg.EventLogEntry) -> RunEvent | None:
    """The part of an event-log entry worth showing, or None for Dagster's own book-keeping."""
    step, event = entry.step_key or "", entry.dagster_event
    if event is None:
        lines = entry.user_message.strip().splitlines()
        shown = step and lines and not lines[0].startswith(OF_DAGSTER)
        return RunEvent("log", step, lines[-1], entry.timestamp) if shown else None
    if event.event_type_value == "ASSET_MATERIALIZATION":
        said = event.step_materialization_data.materialization.metadata
        text = f"unchanged: {said['unchanged'].value}" if "unchanged" in said else ""
        if "ahead" in said:
            text = f"made ahead, in {said['seconds'].value:.1f} s"
        return RunEvent("materialized", step, text, entry.timestamp)
    if event.is_step_start:
        return RunEvent("started", step, "", entry.timestamp)
    if event.is_step_success:
        return RunEvent("succeeded", step, "", entry.timestamp)
    if was_stopped(event):
        return RunEvent("stopped", step, "", entry.timestamp)
    if event.is_step_failure:
        error = event.step_failure_data.error
        while error is not None and error.cause is not None:
            error = error.cause
        text = error.message.strip() if error is not None else event.message or ""
        return RunEvent("failed", step, text, entry.timestamp)
    if event.event_type_value == "ASSET_CHECK_EVALUATION":
        check = event.asset_check_evaluation_data
        subject = f"{check.asset_key.to_user_string()}: {check.check_name}"
        warned = check.severity == dg.AssetCheckSeverity.WARN
        kind: Kind = "check_warned" if warned else "check_failed"
        if check.passed:
            kind = "check_passed"
        told = "; ".join(filter(None, (check.description, _figures(check.metadata))))
        blocks = bool(check.blocking) and kind == "check_failed"
        return RunEvent(kind, subject, told, entry.timestamp, blocks)
    return None


def _figures(metadata: Mapping[str, dg.MetadataValue[Any]]) -> str:
    """Numbers of what a check found, its bound the last: "value 0.91, bound 0.95"."""
    numbers = {name: said.value for name, said in metadata.items() if _is_number(said.value)}
    found = sorted(numbers.keys() - {"bound"}, key=lambda name: (name != "value", name))
    shown = [*found[:FIGURES], *(["bound"] if "bound" in numbers else [])]
    return ", ".join(f"{name.replace('_', ' ')} {numbers[name]:.4g}" for name in shown)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
