"""What a failed run is told by, in a line that may leave the company: an alert's."""

from __future__ import annotations

import re
from collections.abc import Sequence

import dagster as dg

LONGEST = 200
MODULE = re.compile(r"^(\w+\.)+(?=\w+: )")  # of an error's class
HIDDEN = re.compile(
    r"\S+://\S+"  # may hold a password
    r"|\S+@\S+"
    r"|(?<!\w)'.*?'(?!\w)|\"[^\"]*\"|`[^`]*`"  # cells and values of settings are quoted
    r"|\b(?=[\w-]*\d{3})[\w-]{5,}\b"  # ids, numbers of telephones and accounts, keys
    r"|\+?\d[\d ()/.-]{5,}\d"
)
"""What an error's line may say of a person, or of a secret. More is hidden than has to be."""


def failure(run: dg.DagsterRun, entries: Sequence[dg.EventLogEntry]) -> str:
    """Which job failed, at which step or blocking check, how its error begins, and what to do.

    Args:
        entries: the run's event log.
    """
    found = _reasons(entries)
    where, why = next(iter(found.values()), ("no step", ""))
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    told = without_values(why)
    return (
        f"a run of {run.job_name} failed at {where}{': ' if told else ''}{told}{more}; "
        f"see `churn report`, and run {run.run_id} in the Dagster UI (`churn dev`)"
    )


def without_values(text: str) -> str:
    """The first line, without what may be personal or secret."""
    lines = text.strip().splitlines()
    hidden = HIDDEN.sub("…", lines[0]) if lines else ""
    return hidden if len(hidden) <= LONGEST else f"{hidden[:LONGEST]}…"


def _said(message: str) -> str:
    """An error's message after its class; after nothing where that is Dagster's for any failure."""
    return MODULE.sub("", message.strip()).removeprefix("Failure: ")


def _reasons(entries: Sequence[dg.EventLogEntry]) -> dict[str, tuple[str, str]]:
    """Step -> what failed there, and its error. A check that blocks fails its own step, too: what
    it found says more."""
    found: dict[str, tuple[str, str]] = {}
    for entry in entries:
        event, step = entry.dagster_event, entry.step_key or ""
        if event is None:
            continue
        if event.event_type_value == "ASSET_CHECK_EVALUATION":
            check = event.asset_check_evaluation_data
            stops = check.blocking and check.severity == dg.AssetCheckSeverity.ERROR
            if stops and not check.passed:
                name = f"the check {check.asset_key.to_user_string()}: {check.check_name}"
                found.setdefault(step, (name, check.description or ""))
        elif event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            found.setdefault(step, (f"the step {step}", _said(error.message if error else "")))
    return found
