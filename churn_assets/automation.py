"""Jobs, schedules, sensors, and what every asset has in common: owner, freshness, automation.

No postponed annotations here: Dagster reads the types of a sensor's parameters.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster._core.storage.tags import SENSOR_NAME_TAG  # private: the daemon's mark on its runs
from pydantic import BaseModel, ConfigDict

from churn_assets.campaign.assets import deliver_contacts
from churn_assets.orchestration.failed_runs import failure
from churn_assets.orchestration.resources import StoreResource
from churn_assets.outcomes.watching.report import NEW_OUTCOMES, ended_after
from churn_assets.release.alerts import alert
from churn_assets.release.config import AlertsConfig
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.storage.current import asset_pointer, current_artifact, read_report

OWNERS = ["team:retention"]
AGAIN = timedelta(hours=1)  # between two attempts at what failed or was cancelled
TRAIN_AGAIN = timedelta(days=1)  # the same of a training, which costs GPU hours
CAME_TO_NOTHING = {dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}
PREDICTIONS, RELEASE = dg.AssetKey("predictions"), dg.AssetKey("release")
DAILY = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(days=2), warn_window=timedelta(hours=26)
)
WEEKLY = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(days=14), warn_window=timedelta(days=8)
)


BY_RELEASE = dg.AutomationCondition.eager().ignore(dg.AssetSelection.assets("risk_model"))
"""A new risk model alone scores nobody: it serves once a release holds it."""


def with_automation(spec: dg.AssetSpec) -> dg.AssetSpec:
    """An asset's owner, when it is stale, and what makes it by itself.

    The windows are the schedules' periods and some hours for a run; two missed ones are a failure.
    Predictions follow each new release. The models don't follow the data: a training costs GPU
    hours, so it waits for its schedule; and a campaign's draft waits for its own.
    """
    if spec.key == dg.AssetKey("campaign_plan"):
        return spec.replace_attributes(owners=OWNERS, freshness_policy=DAILY)
    if spec.key != PREDICTIONS:
        return spec.replace_attributes(owners=OWNERS, freshness_policy=WEEKLY)
    return spec.replace_attributes(
        owners=OWNERS, freshness_policy=DAILY, automation_condition=BY_RELEASE
    )


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
    selection=dg.AssetSelection.assets("active_customers", "predictions"),
    description="Read the customers of today and score every one with the latest release.",
)
follow_release = dg.define_asset_job(
    "follow_release",
    # Not `release`: building one would promote it over what a person decided.
    selection=dg.AssetSelection.assets("predictions"),
    description="Score everybody with the release that somebody put into service.",
)
measure_outcomes = dg.define_asset_job(
    "measure_outcomes",
    selection=dg.AssetSelection.groups("outcomes"),
    description="What contacting brought until now: decisions joined with events, and the lift.",
)
plan_campaign = dg.define_asset_job(
    "plan_campaign",
    # One after the other: a plan by yesterday's predictions would pass for today's.
    selection=dg.AssetSelection.assets("active_customers", "predictions", "campaign_plan"),
    description="Score the customers of today, then plan the next days' contacts: a draft.",
)


@dg.job(description="Today's list of the approved plan to CHURN_CAMPAIGN__DELIVER_TO.")
def deliver_campaign() -> None:
    deliver_contacts()


jobs = [
    everything,
    *system_jobs,
    score_customers,
    follow_release,
    measure_outcomes,
    plan_campaign,
    deliver_campaign,
]
jobs_of_a_log = [everything, system_jobs[0]]
"""Of a contract that has a campaign and no customers: there is nobody to decide about."""


def schedules(zone: str) -> list[dg.ScheduleDefinition]:
    """The schedules. All are off until somebody switches them on in the UI: a fresh installation
    starts no work by itself.

    Args:
        zone: the company's own. Plans have its days, so they are made and delivered by its clock:
            before the day's contacts may be sent, wherever the company is.
    """
    return [
        _schedule(
            "nightly_predictions",
            score_customers,
            "0 2 * * *",
            "Every night at 02:00 UTC: fresh predictions from the latest release.",
        ),
        _schedule(
            "nightly_campaign",
            plan_campaign,
            "0 4 * * *",
            f"Every night at 04:00 {zone}: predictions, then a draft of the campaign.",
            zone,
        ),
        _schedule(
            "daily_delivery",
            deliver_campaign,
            "0 7 * * *",
            f"Every morning at 07:00 {zone}: the approved plan's contacts of today.",
            zone,
        ),
        _schedule(
            "daily_outcomes",
            measure_outcomes,
            "0 6 * * *",
            "Every morning at 06:00 UTC: what contacting brought until now.",
        ),
        _schedule(
            "weekly_refresh",
            everything,
            "0 3 * * 0",
            "Sundays at 03:00 UTC: new data, new models, a new release if it is better.",
        ),
    ]


def _schedule(
    name: str, job: Any, cron: str, description: str, zone: str = "UTC"
) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(
        name=name,
        job=job,
        cron_schedule=cron,
        execution_timezone=zone,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=description,
    )


@dg.sensor(
    job=follow_release,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="After `churn rollback` or `churn promote`: predictions by the release in service.",
)
def release_moved(
    context: dg.SensorEvaluationContext, store: StoreResource
) -> dg.RunRequest | dg.SkipReason:
    """Ask for a run while the predictions are another release's than the one that serves; again an
    hour after one that failed or was cancelled."""
    opened = store.open()
    registry = ReleaseRegistry(opened)
    latest = registry.latest()
    if latest is None:
        return dg.SkipReason("there is no release yet")
    if opened.read_pointer(asset_pointer("predictions")) is None:
        return dg.SkipReason("there are no predictions yet")
    scored_by = read_report(opened, current_artifact(opened, "predictions"))["release_id"]
    if scored_by == latest.release_id:
        return dg.SkipReason(f"the predictions are by {scored_by}, which serves")
    serving = registry.serving()  # asked only now: it reads every file of the release
    if serving is None or scored_by == serving.release_id:
        return dg.SkipReason(f"the predictions are by {scored_by}, which stands in")
    last = _last_scoring(context.instance)
    if last is not None and _scores_soon(context.instance, last):
        return dg.SkipReason(f"run {last.run_id} is about to score with {serving.release_id}")
    if last is not None and _unmade_since(context.instance, last, latest.since):
        return dg.SkipReason(
            f"run {last.run_id} failed or was cancelled: another is asked for an hour after it"
        )
    # A key starts one run only. The last run's id in it lets the next attempt follow a failed one.
    tried = last.run_id if last else "none"
    return dg.RunRequest(run_key=f"{serving.release_id} {latest.since.isoformat()} after {tried}")


def _last_scoring(instance: dg.DagsterInstance) -> dg.DagsterRun | None:
    """The run that planned predictions last, whatever has become of it."""
    planned = [entry.last_run_id for entry in _entries(instance, PREDICTIONS) if entry.last_run_id]
    return instance.get_run_by_id(planned[0]) if planned else None


def _unmade_since(instance: dg.DagsterInstance, run: dg.DagsterRun, moved: datetime) -> bool:
    """Whether it came to nothing within the last `AGAIN`, and after the release was moved: what
    kept it from scoring is most likely still there, and who cancelled it meant it."""
    record = instance.get_run_record_by_id(run.run_id)
    if run.status not in CAME_TO_NOTHING or record is None or record.end_time is None:
        return False
    ended = datetime.fromtimestamp(record.end_time, UTC)
    return ended > max(moved, datetime.now(UTC) - AGAIN)


def _scores_soon(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether the run has its predictions before it, and no release of its own: that may take hours
    of training."""
    if run.is_finished:
        return False
    made = {
        entry.asset_key: entry.last_materialization
        for entry in _entries(instance, PREDICTIONS, RELEASE)
        if entry.last_run_id == run.run_id
    }
    done = {key for key, event in made.items() if event and event.run_id == run.run_id}
    return PREDICTIONS not in done and (RELEASE not in made or RELEASE in done)


def _entries(instance: dg.DagsterInstance, *keys: dg.AssetKey) -> list[Any]:
    """What Dagster notes of each: its last materialization, and the run that planned it last."""
    return [record.asset_entry for record in instance.get_asset_records(keys)]


automation_conditions = dg.AutomationConditionSensorDefinition(
    "automation_conditions",
    target=dg.AssetSelection.all(),
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Makes the assets whose automation condition holds: predictions by a new release.",
)


class Asked(BaseModel):
    """What the sensor `retrain` keeps from one look to the next.

    Attributes:
        reasons: those that it asked for and that have stood ever since.
        outcomes: how many something could be learnt from when it last asked.
        day: of the report (UTC) for which it did; None: it didn't, or an earlier version did, and
            the day counts on which the release in service was made.
    """

    model_config = ConfigDict(frozen=True)

    reasons: tuple[str, ...] = ()
    outcomes: int = 0
    day: str | None = None

    def since(self, report: Mapping[str, Any]) -> "Asked":
        """Without the reasons that the report hasn't any more: those ask anew if they return."""
        standing = tuple(reason for reason in self.reasons if reason in report["retrain"])
        outcomes = min(self.outcomes, report["outcomes_learnable"])
        return Asked(reasons=standing, outcomes=outcomes, day=self.day)

    def new(self, report: Mapping[str, Any]) -> list[str]:
        """The report's reasons that weren't asked for. New outcomes are counted from the last
        asking, as whatever it asked for has learnt from those before; where old ones are removed,
        there may be no more of them than then."""
        step = report["retrain_outcomes"]
        day = self.day or report.get("made")
        later = ended_after(report.get("learnable_by_day", {}), day) if day else 0
        enough = max(later, report["outcomes_learnable"] - self.outcomes) >= step
        counted = NEW_OUTCOMES.format(step)
        return [
            reason
            for reason in report["retrain"]
            if (enough if reason == counted else reason not in self.reasons)
        ]


@dg.sensor(
    job=everything,
    minimum_interval_seconds=3_600,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Train again where the drift report names a reason, which the run's tag says.",
)
def retrain(
    context: dg.SensorEvaluationContext, store: StoreResource
) -> dg.RunRequest | dg.SkipReason:
    """Ask for a whole run where there is a reason to train again that wasn't there when it last
    asked: what one training didn't mend, be its release served or refused, another won't. Again a
    day after a run that failed or was cancelled, as nothing may have been trained then: tables may
    be others by then, and of what is unchanged nothing is trained again."""
    opened = store.open()
    if opened.read_pointer(asset_pointer("drift_report")) is None:
        return dg.SkipReason("there is no drift report yet")
    artifact = current_artifact(opened, "drift_report")
    report = read_report(opened, artifact)
    if "outcomes_learnable" not in report:
        return dg.SkipReason("the drift report is of an earlier version: make it anew")
    latest = ReleaseRegistry(opened).latest()
    if latest is None or report["release_id"] != latest.release_id:
        return dg.SkipReason("the drift report is of another release than the one in service")
    asked = (Asked.model_validate_json(context.cursor) if context.cursor else Asked()).since(report)
    reasons, new = "; ".join(report["retrain"]), asked.new(report)
    key = artifact.sha256
    unmade = _unmade(context.instance) if asked.reasons and not new else None
    if unmade is not None:
        key = f"{key} after {unmade.run_id}"
    elif not new:
        context.update_cursor(asked.model_dump_json())
        told = f"asked for already: {reasons}" if reasons else "no reason to train again"
        return dg.SkipReason(told)
    asked = Asked(
        reasons=report["retrain"],
        outcomes=report["outcomes_learnable"],
        day=report["time"][:10],
    )
    context.update_cursor(asked.model_dump_json())
    # The key lets each report start one run, should the cursor be lost on the way.
    return dg.RunRequest(run_key=key, tags={"reason": reasons})


def _unmade(instance: dg.DagsterInstance) -> dg.DagsterRun | None:
    """The last run that `retrain` asked for, where it came to nothing more than a day ago and no
    whole run, whoever asked for it, has done its work since or is about to."""
    tags = {SENSOR_NAME_TAG: "retrain"}
    found = instance.get_run_records(dg.RunsFilter(job_name=everything.name, tags=tags), limit=1)
    if not found or found[0].dagster_run.status not in CAME_TO_NOTHING:
        return None
    last = found[0]
    ended = datetime.fromtimestamp(last.end_time or last.create_timestamp.timestamp(), UTC)
    if ended > datetime.now(UTC) - TRAIN_AGAIN:
        return None
    others = [status for status in dg.DagsterRunStatus if status not in CAME_TO_NOTHING]
    since = dg.RunsFilter(
        job_name=everything.name, statuses=others, created_after=last.create_timestamp
    )
    return None if instance.get_run_records(since, limit=1) else last.dagster_run


@dg.run_failure_sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="An alert for each run of a schedule, a sensor or the UI that fails.",
)
def run_failed(
    context: dg.RunFailureSensorContext, alerts_config: dg.ResourceParam[AlertsConfig]
) -> None:
    """Tell people. Not of runs of `churn materialize`, which say it themselves, by their exit code:
    Dagster knows no repository of theirs, and hands over those of its own only."""
    run = context.dagster_run
    alert(failure(run, context.instance.all_logs(run.run_id)), alerts_config)


sensors = [release_moved, retrain, run_failed, automation_conditions]
sensors_of_a_log = [run_failed]
