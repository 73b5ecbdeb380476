"""Jobs, schedules and automation of the asset graph."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import dagster as dg

TICKET = "churn/ticket"  # a run tag by which `run_job` finds the run that it started

everything = dg.define_asset_job(
    "everything",
    selection=dg.AssetSelection.all(),
    description="The whole graph: data, models, policy, messages, release, predictions.",
)
system_jobs = [
    dg.define_asset_job(
        "predictors",
        selection=dg.AssetSelection.groups("predictors").upstream(),
        description="System 1: the churn and offer models, from the data up.",
    ),
    dg.define_asset_job(
        "decision",
        selection=dg.AssetSelection.groups("decision").upstream(),
        description="System 2: the decision policy and what it depends on.",
    ),
    dg.define_asset_job(
        "messages",
        selection=dg.AssetSelection.groups("messages").upstream(),
        description="System 3: the message writer and what it depends on.",
    ),
]
score_customers = dg.define_asset_job(
    "score_customers",
    selection=dg.AssetSelection.assets("predictions"),
    description="Score every customer with the latest release.",
)
jobs = [everything, *system_jobs, score_customers]

# Off until somebody switches them on in the UI: a fresh installation starts no work by itself.
schedules = [
    dg.ScheduleDefinition(
        name="nightly_predictions",
        job=score_customers,
        cron_schedule="0 2 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="Every night at 02:00 UTC: fresh predictions from the latest release.",
    ),
    dg.ScheduleDefinition(
        name="weekly_refresh",
        job=everything,
        cron_schedule="0 3 * * 0",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="Sundays at 03:00 UTC: new data, new models, a new release if it is better.",
    ),
]


def load_job(name: str) -> dg.JobDefinition:
    """The job `name` of the definitions (what a fresh worker process imports)."""
    # Imported here: definitions.py imports this module.
    from churn_assets.definitions import definitions

    return definitions().resolve_job_def(name)  # type: ignore[no-any-return]


def run_job(
    name: str,
    instance: dg.DagsterInstance,
    on_event: Callable[[dg.EventLogEntry], None],
    poll_seconds: float = 0.2,
) -> dg.DagsterRun:
    """Run a job with its own executor and hand every event to `on_event` as it is stored.

    The run happens in a thread of its own and is followed through the instance's event log, so that
    what a person sees here is what the Dagster UI shows.
    """
    ticket = uuid.uuid4().hex
    job = dg.build_reconstructable_job(
        "churn_assets.automation", "load_job", reconstructable_kwargs={"name": name}
    )
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    with ThreadPoolExecutor(max_workers=1) as pool:
        done = pool.submit(dg.execute_job, job, instance, run_config=quiet, tags={TICKET: ticket})
        cursor = None
        while True:
            finished = done.done()
            for run in instance.get_runs(dg.RunsFilter(tags={TICKET: ticket})):
                connection = instance.get_records_for_run(run.run_id, cursor)
                cursor = connection.cursor
                for record in connection.records:
                    on_event(record.event_log_entry)
            if finished:
                done.result()
                [run] = instance.get_runs(dg.RunsFilter(tags={TICKET: ticket}))
                return run
            time.sleep(poll_seconds)
