"""Owners, freshness, and what starts by itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._core.definitions.asset_daemon_cursor import AssetDaemonCursor
from dagster._utils.schedules import schedule_execution_time_iterator

from churn_assets import automation
from churn_assets.campaign.config import CampaignConfig
from churn_assets.campaign.workflow import Campaigns
from churn_assets.definitions import bind, definitions
from churn_assets.orchestration.resources import StoreResource
from churn_assets.outcomes.watching.report import NEW_OUTCOMES
from churn_assets.release.history import Latest
from churn_assets.release.registry import LATEST
from churn_assets.settings import PROJECT, Settings, load_settings
from churn_assets.storage.current import asset_pointer
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import Artifact
from tests.api.conftest import publish_predictions, publish_small_release


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def test_every_asset_has_an_owner_and_a_freshness_policy() -> None:
    """Somebody is asked when an asset is red, and red means the same for all of an area."""
    for spec in definitions().resolve_all_asset_specs():
        assert spec.owners == ["team:retention"]
        daily = spec.key.to_user_string() in ("predictions", "campaign_plan")
        assert spec.freshness_policy == (automation.DAILY if daily else automation.WEEKLY)


def test_a_fresh_installation_starts_nothing_by_itself() -> None:
    """GPU hours are spent on somebody's word."""
    repository = definitions().get_repository_def()
    assert {s.default_status for s in repository.sensor_defs} == {dg.DefaultSensorStatus.STOPPED}
    statuses = {s.default_status for s in repository.schedule_defs}
    assert statuses == {dg.DefaultScheduleStatus.STOPPED}


def test_predictions_follow_a_release_and_nothing_follows_the_data(
    instance: dg.DagsterInstance,
) -> None:
    """Once its sensor is on: new data alone trains nothing, a new release scores everybody."""
    defs = definitions()
    keys = [spec.key for spec in defs.resolve_all_asset_specs()]

    def materialized(*names: dg.AssetKey) -> None:
        for key in names:
            instance.report_runless_asset_event(dg.AssetMaterialization(key))

    def asked(cursor: AssetDaemonCursor | None) -> dg.EvaluateAutomationConditionsResult:
        return dg.evaluate_automation_conditions(defs=defs, instance=instance, cursor=cursor)

    materialized(*keys)
    quiet = asked(None)
    assert quiet.total_requested == 0
    materialized(dg.AssetKey("preference_pairs"), dg.AssetKey("risk_model"))
    still_quiet = asked(quiet.cursor)
    assert still_quiet.total_requested == 0
    materialized(dg.AssetKey("release"))
    busy = asked(still_quiet.cursor)
    assert busy.get_num_requested(dg.AssetKey("predictions")) == 1
    assert busy.total_requested == 1


def test_what_follows_a_release_builds_none() -> None:
    """A run that built one would promote it over what a person decided."""
    job = definitions().resolve_job_def("follow_release")
    selected = {key.to_user_string() for key in job.asset_layer.selected_asset_keys}
    assert selected == {"predictions"}


class Watched:
    """A drift report that changes, the release in service, and the sensor that looks at both."""

    def __init__(self, root: Path, instance: dg.DagsterInstance) -> None:
        self.root, self.instance, self.reports = root, instance, 0
        self.cursor: str | None = None
        self.ended = dict[str, int]()
        self.resource = StoreResource(url=str(root / "store"), cache=str(root / "cache"))
        self.store = LocalArtifactStore(root / "store")

    def tick(self) -> dg.RunRequest | dg.SkipReason:
        with dg.build_sensor_context(
            instance=self.instance, resources={"store": self.resource}, cursor=self.cursor
        ) as context:
            answer = automation.retrain(context)
            self.cursor = context.cursor
        assert isinstance(answer, dg.RunRequest | dg.SkipReason)
        return answer

    def report(
        self, release_id: str, *reasons: str, learnable: int = 0, ended: int | None = None
    ) -> None:
        """The next day's, on which so many outcomes have ended; None: an earlier version's, which
        didn't say."""
        folder = self.root / "report"
        folder.mkdir(exist_ok=True)
        self.reports += 1
        content = {
            "release_id": release_id,
            "made": "2027-01-01",
            "time": f"{self.day()}T06:00:00+00:00",
            "retrain": list(reasons),
            "outcomes_known": 50_000,
            "outcomes_learnable": learnable,
            "retrain_outcomes": 5_000,
        }
        if ended is not None:
            self.ended[self.day()] = ended
            content["learnable_by_day"] = self.ended
        (folder / "report.json").write_text(json.dumps(content))
        kept = self.store.put("drift_report", folder)
        self.store.write_pointer(asset_pointer("drift_report"), kept.model_dump_json().encode())

    def day(self) -> str:
        return f"{date(2027, 1, 1) + timedelta(days=self.reports)}"

    def serve(self, release_id: str) -> None:
        artifact = Artifact(name=f"releases/{release_id}", sha256="0" * 64)
        now = datetime.now(UTC)
        latest = Latest(release_id=release_id, artifact=artifact, since=now, reason="test")
        self.store.write_pointer(LATEST, latest.model_dump_json().encode())


CHANGED, WRONG = "the customers have changed", "the risk doesn't come true"


def test_training_again_names_its_reason(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    """Only for the release in service, and once: not again for the next one, be it that the
    training's release serves or was refused, as long as the reason stands."""
    watched = Watched(tmp_path, instance)
    assert "no drift report" in str(watched.tick())
    watched.report("x", CHANGED)
    assert "another release" in str(watched.tick())
    watched.serve("x")
    first = watched.tick()
    assert isinstance(first, dg.RunRequest)
    assert first.tags["reason"] == CHANGED
    assert "asked for already" in str(watched.tick())
    watched.report("x", CHANGED)
    assert isinstance(watched.tick(), dg.SkipReason)
    watched.serve("y")
    watched.report("y", CHANGED)
    assert isinstance(watched.tick(), dg.SkipReason)
    watched.report("y", CHANGED, WRONG)
    another = watched.tick()
    assert isinstance(another, dg.RunRequest)
    assert another.tags["reason"] == f"{CHANGED}; {WRONG}"
    watched.report("y")
    assert "no reason" in str(watched.tick())
    watched.report("y", CHANGED)
    returned = watched.tick()
    assert isinstance(returned, dg.RunRequest)
    assert len({first.run_key, another.run_key, returned.run_key}) == 3


def test_new_outcomes_ask_again_by_their_number(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    """Where the challenger was refused, the release in service hasn't learnt from them either: as
    many as before are needed since the last asking, whatever it was for. Those count that something
    can be learnt from: all of them may have been known long before."""
    watched = Watched(tmp_path, instance)
    watched.serve("x")
    counted = NEW_OUTCOMES.format(5_000)

    def asks(learnable: int, *reasons: str) -> bool:
        watched.report("x", counted, *reasons, learnable=learnable)
        return isinstance(watched.tick(), dg.RunRequest)

    assert asks(5_100)
    assert not asks(9_000)
    assert asks(10_100)
    assert asks(12_000, CHANGED)
    assert not asks(16_000, CHANGED)
    assert asks(17_000, CHANGED)
    assert not asks(1_000)  # most of the log was removed
    assert asks(6_000)


@pytest.mark.parametrize(
    ("cursor", "days"),
    [(None, [1, 6, 11]), ('{"reasons": [], "outcomes": 50000}', [5, 10])],
)
def test_new_outcomes_ask_again_where_as_many_are_removed(
    cursor: str | None, days: list[int], tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    """Once the log is as old as it is kept, there are as many each day, 1,000 of them new ones: it
    asked once, and never again; where an earlier version had asked, whose cursor knows no day, not
    at all. There they count from the day on which the release in service was made."""
    watched = Watched(tmp_path, instance)
    watched.serve("x")
    watched.cursor = cursor
    asked = []
    for day in range(1, 13):
        watched.report("x", NEW_OUTCOMES.format(5_000), learnable=50_000, ended=1_000)
        if isinstance(watched.tick(), dg.RunRequest):
            asked.append(day)
    assert asked == days


def whole_run(fails: bool = False) -> dg.JobDefinition:
    """A job of the whole graph's name."""

    @dg.op
    def train() -> None:
        if fails:
            raise dg.Failure("no GPU could be had")

    @dg.job(name="everything")
    def job() -> None:
        train()

    return job


def whole(instance: dg.DagsterInstance, asked: dg.RunRequest | None, fails: bool = False) -> None:
    """A whole run has ended, as the daemon marks what a sensor asked for; None: by somebody."""
    mark = (
        {"dagster/sensor_name": "retrain", "dagster/run_key": str(asked.run_key)} if asked else {}
    )
    job = whole_run(fails)
    assert (
        job.execute_in_process(instance=instance, tags=mark, raise_on_error=False).success != fails
    )


@pytest.mark.parametrize("cancelled", [False, True])
def test_training_that_came_to_nothing_is_asked_for_again(
    tmp_path: Path,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    cancelled: bool,
) -> None:
    """A day later, not each hour, and under another key. What has trained is not asked for again,
    nor what somebody else's whole run has done since."""
    watched = Watched(tmp_path, instance)
    watched.serve("x")
    watched.report("x", CHANGED)
    first = watched.tick()
    assert isinstance(first, dg.RunRequest)
    if cancelled:
        mark = {"dagster/sensor_name": "retrain"}
        run = instance.create_run_for_job(whole_run(), tags=mark)
        instance.report_run_canceled(run)
    else:
        whole(instance, first, fails=True)
    assert "asked for already" in str(watched.tick())
    monkeypatch.setattr(automation, "TRAIN_AGAIN", timedelta(0))
    again = watched.tick()
    assert isinstance(again, dg.RunRequest)
    assert again.tags["reason"] == CHANGED
    assert again.run_key != first.run_key
    instance.create_run_for_job(whole_run())  # waits to be started
    assert isinstance(watched.tick(), dg.SkipReason)
    whole(instance, again)
    assert isinstance(watched.tick(), dg.SkipReason)


def test_a_whole_run_by_somebody_else_is_training_too(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The week's, or one by hand: what the failed one should have learnt is learnt. Where that one
    failed as well, nothing is."""
    monkeypatch.setattr(automation, "TRAIN_AGAIN", timedelta(0))
    watched = Watched(tmp_path, instance)
    watched.serve("x")
    watched.report("x", CHANGED)
    first = watched.tick()
    assert isinstance(first, dg.RunRequest)
    whole(instance, first, fails=True)
    whole(instance, None, fails=True)
    assert isinstance(watched.tick(), dg.RunRequest)
    whole(instance, None)
    assert isinstance(watched.tick(), dg.SkipReason)
    watched.report("x")
    assert "no reason" in str(watched.tick())


def test_a_plan_comes_after_the_predictions_of_the_same_night() -> None:
    """In one run: where scoring fails, nothing is planned by yesterday's predictions."""
    job = definitions().resolve_job_def("plan_campaign")
    graph = job.asset_layer.asset_graph
    selected = {key.to_user_string() for key in job.asset_layer.selected_asset_keys}
    assert selected == {"active_customers", "predictions", "campaign_plan"}
    plan = graph.get(dg.AssetKey("campaign_plan"))
    assert dg.AssetKey("predictions") in plan.parent_keys


@pytest.mark.parametrize("east", range(-10, 14))
def test_a_day_is_planned_and_delivered_before_it_opens(east: int) -> None:
    """Wherever the company is: by another clock a day's list came when its hours were over."""
    zone = ZoneInfo(f"Etc/GMT{-east:+d}")
    schedules = {schedule.name: schedule for schedule in automation.schedules(zone.key)}
    planned, delivered = (
        next(
            schedule_execution_time_iterator(
                datetime(2026, 3, 10, tzinfo=UTC).timestamp(),
                schedules[name].cron_schedule,
                schedules[name].execution_timezone,
            )
        )
        for name in ("nightly_campaign", "daily_delivery")
    )
    opens = min(channel.hours[0] for channel in CampaignConfig().channels.values())
    assert planned.astimezone(zone).hour < delivered.astimezone(zone).hour < opens


def test_the_companys_clock_is_the_schedules(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the settings, where no contract names one."""
    monkeypatch.setenv("CHURN_API__DEFAULT_TIME_ZONE", "America/Los_Angeles")
    load_settings.cache_clear()
    repository = definitions().get_repository_def()
    zones = {s.name: s.execution_timezone for s in repository.schedule_defs}
    load_settings.cache_clear()
    assert zones["daily_delivery"] == zones["nightly_campaign"] == "America/Los_Angeles"
    assert zones["nightly_predictions"] == "UTC"


def test_the_schedule_delivers_what_is_approved(
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The job as the schedule starts it; without an approval or a place, the run fails and says
    why."""
    home, out = tmp_path / "home", tmp_path / "out"
    publish_small_release(home, tmp_path_factory.mktemp("release"))
    publish_predictions(home, tmp_path_factory.mktemp("predictions"))
    monkeypatch.setenv("CHURN_HOME", str(home))
    monkeypatch.setenv("CHURN_CAMPAIGN__BUDGET", "900")
    monkeypatch.setenv("CHURN_CAMPAIGN__CHANNELS", '{"email": {"contacts_a_day": 6}}')
    monkeypatch.setenv("CHURN_API__DEFAULT_TIME_ZONE", "UTC")

    def it_is(hour: int) -> None:
        monkeypatch.setattr(Campaigns, "now", lambda _: datetime(2026, 3, 10, hour, tzinfo=UTC))

    it_is(7)  # at any hour of a test's day something can still be sent

    def delivered() -> bool:
        resources = {"campaigns": bind(Settings())["campaigns"]}
        done = automation.deliver_campaign.execute_in_process(
            resources=resources, instance=instance, raise_on_error=False
        )
        return done.success

    assert not delivered()  # no place is set
    monkeypatch.setenv("CHURN_CAMPAIGN__DELIVER_TO", str(out))
    assert not delivered()  # nothing is approved
    assert not out.exists()
    campaigns = bind(Settings())["campaigns"]()
    campaigns.plan(campaigns.now(), "Ana", curves=False)
    campaigns.approve(None, "Eva", campaigns.now())
    it_is(23)
    assert not delivered()  # contacts were due, and it is too late for all of them
    assert not out.exists()
    it_is(7)
    assert delivered()
    assert delivered()  # again: nothing is left to send, and nothing is wrong
    [file] = out.iterdir()
    assert len(file.read_text(encoding="utf-8").splitlines()) == 7
    assert len(campaigns.ledger.histories()) == 6
    campaigns.ledger.close()


@pytest.mark.parametrize("command", [("check", "defs"), ("list", "defs", "--json")])
def test_dg_reads_the_project(command: tuple[str, ...]) -> None:
    """Dagster's own command line, with no more than pyproject.toml."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("dg")), *command],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if command[0] == "list":
        assert '"predictions"' in done.stdout
