"""What both compute backends need of a Dagster Pipes session."""

from __future__ import annotations

import warnings

import dagster as dg

from churn_assets.stages.child_process import StageError
from churn_assets.stages.spec import StageReport

# Dagster's session asks its own reader for it; a run's log is no place to say so at each stage.
warnings.filterwarnings("ignore", ".*expected_writer_count", dg.PreviewWarning)

CANCELED = {dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED}


def received_report(session: dg.PipesSession) -> StageReport:
    """The report that the stage sent before it ended; raises StageError if there is none."""
    messages = [m["report"] for m in session.get_custom_messages() if "report" in m]
    if len(messages) != 1:
        raise StageError(f"ended without error but sent {len(messages)} reports, not one")
    return StageReport.model_validate(messages[0])


def stop_if_canceled(context: dg.AssetExecutionContext) -> None:
    """Raise Dagster's interruption if somebody asked for the run's end.

    Not every cancellation comes as a signal: a run that the command line started has no launcher
    that could send one, so that the UI can only mark it as canceled.
    """
    run = context.instance.get_run_by_id(context.run.run_id)
    if run is not None and run.status in CANCELED:
        raise dg.DagsterExecutionInterruptedError
