"""From served decisions and reported events to the report in the Dagster UI, and from files."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from checks import outcomes as outcome_checks
from churn_assets.customers.built_in import BUILT_IN_SCHEMA
from churn_assets.customers.reading.imports import rows_of
from churn_assets.decision.config import DecisionConfig, EnvironmentParams
from churn_assets.domain.experiment import ExperimentConfig, group_of
from churn_assets.domain.measured import Measured
from churn_assets.messages.config import MessagesConfig
from churn_assets.orchestration.resources import ArtifactIOManager
from churn_assets.orchestration.stores import store_resources
from churn_assets.outcomes import assets
from churn_assets.outcomes.config import OutcomesConfig
from churn_assets.outcomes.importing import record
from churn_assets.outcomes.learning.measuring import EFFECTS, RESPONSES
from churn_assets.outcomes.lift import NOT_BY_THE_SWITCH, STOP_IT
from churn_assets.release.config import AlertsConfig
from churn_assets.release.switches import budget_price, experiment, kill_switch, templates
from churn_assets.release.switches.budget_price import BudgetPrice
from churn_assets.serving.decision_log import parts
from churn_assets.serving.decision_log.records import COLUMNS
from churn_assets.serving.events import FeedbackEvent
from churn_assets.serving.feedback import open_feedback_log
from churn_assets.storage.current import current_artifact, read_report
from churn_assets.storage.local import LocalArtifactStore
from tests.release.small_release import publish

EXPERIMENT = ExperimentConfig(enabled=True, control_share=0.3)
START = datetime.now(UTC) - timedelta(days=90)


def campaign(home: Path, customers: int, moved: float) -> None:
    """Decisions and events of customers whom contacting moves by `moved`, in the store."""
    rng, store = np.random.default_rng(0), LocalArtifactStore(home / "store")
    decided, events = [], []
    for number in range(customers):
        identity, risk = f"C{number}", float(rng.uniform(0.1, 0.5))
        when = START + timedelta(days=float(rng.uniform(0, 30)))
        group = group_of(identity, EXPERIMENT, when)
        treated = group == "treated"
        row: dict[str, Any] = dict.fromkeys(COLUMNS) | {
            "decision_id": f"{number:032x}",
            "time": when,
            "customer_id": identity,
            "group": group,
            "period": "start",
            "control_share": 0.3,
            "observation": [risk, 0.3, 0.3, 0.3, 0.3, 1.0, 7.0, 0.0, 0.0],
            "baseline": False,
            "contact": treated,
            "offer_level": int(treated),
            "delay_days": 0,
            "propensity": 1.0,
            "churn_risk": risk,
            "customer_value": 1_000.0,
        }
        decided.append(tuple(row.values()))
        told = {"customer_id": identity, "occurred_at": (when + timedelta(days=1)).isoformat()}
        if treated and rng.random() < 0.3:
            events.append(told | {"event_id": f"a{number}", "kind": "accepted"})
        if rng.random() < risk + moved * treated:
            events.append(told | {"event_id": f"c{number}", "kind": "churned"})
    today = {"customer_id": "elsewhere", "occurred_at": datetime.now(UTC).isoformat()}
    events.append(today | {"event_id": "today", "kind": "churned"})  # all who left are reported
    parts.append(store, decided)
    with closing(open_feedback_log(store, home)) as log:
        log.check()  # makes the file; thousands of events, each flushed to the disk, take a while
    with closing(sqlite3.connect(home / "feedback.sqlite3")) as db, db:
        rows = [(event["event_id"], json.dumps(event)) for event in events]
        db.executemany("INSERT INTO feedback (event_id, content) VALUES (?, ?)", rows)


def materialized(home: Path, **settings: Any) -> dict[str, Any]:
    """The report after a run of both assets; plots and tables are in the UI."""
    stores = store_resources(str(home / "store"), home / "cache")
    result = dg.materialize(
        [
            assets.campaign_outcomes,
            assets.lift_report,
            assets.off_policy_report,
            assets.drift_report,
            assets.measured_world,
            assets.template_answers,
            outcome_checks.outcomes_have_their_schema,
            *outcome_checks.drift_checks,
        ],
        resources={
            "home": home,
            "outcomes_config": OutcomesConfig(plan_customers=3_000, **settings),
            "decision_config": DecisionConfig(),
            "alerts_config": AlertsConfig(),
            "messages_config": MessagesConfig(),
            "experiment_config": ExperimentConfig(),
            "io_manager": ArtifactIOManager(store=stores["store"]),
            **stores,
        },
        instance=dg.DagsterInstance.ephemeral(),
    )
    assert result.success
    [shown] = [m.metadata for m in result.asset_materializations_for_node("lift_report")]
    checks = result.get_asset_check_evaluations()
    assert len(checks) == 1 + len(outcome_checks.WATCHED)
    assert all(check.passed for check in checks), [c.description for c in checks if not c.passed]
    store = LocalArtifactStore(home / "store")
    report = read_report(store, current_artifact(store, "lift_report"))
    assert shown["sentence"].value == report["sentence"]
    assert ("plot: net gain over time" in shown) is ("effects" in report)
    assert shown["by customer"].value == report["by_customer"]["sentence"]
    assert ("plot: whom contacting helps" in shown) is ("gain" in report["by_customer"])
    return report


def test_help_is_reported_with_pictures(tmp_path: Path) -> None:
    """12 points less churn of 1,000, minus 5 % for those who accept."""
    campaign(tmp_path, 3_000, -0.12)
    report = materialized(tmp_path)
    assert report["verdict"] == "helps"
    assert report["customers"] == 3_000
    net = report["effects"]["net"]
    assert net["adjusted_lower"] < 120 - 0.3 * 50 < net["adjusted_upper"]
    by_customer = report["by_customer"]
    assert set(by_customer["gain"]) == set(by_customer["auuc"]) == {"t", "x", "dr"}
    assert "isn't shown to help" in by_customer["sentence"]  # all gain the same
    table = pd.read_parquet(
        LocalArtifactStore(tmp_path / "store").get(
            current_artifact(LocalArtifactStore(tmp_path / "store"), "campaign_outcomes")
        )
        / "outcomes.parquet"
    )
    assert "customer_id" not in table


def alerts(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What people were told since the last look, of contacting."""
    told = [r.message for r in caplog.records if r.name.endswith("release.alerts")]
    caplog.clear()
    return [text for text in told if "Contacting" in text]


def test_harm_is_told_once_with_what_stops_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not every morning again, as long as nothing else is known."""
    campaign(tmp_path, 3_000, 0.2)
    report = materialized(tmp_path)
    assert report["verdict"] == "hurts"
    assert report["sentence"].endswith(f"a customer. {STOP_IT} {NOT_BY_THE_SWITCH}")
    assert alerts(caplog) == [report["sentence"]]
    assert not kill_switch.is_on(LocalArtifactStore(tmp_path / "store"))
    assert materialized(tmp_path)["verdict"] == "hurts"
    assert alerts(caplog) == []


def test_harm_throws_the_switch_where_it_is_to_and_a_person_lifts_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What is known doesn't change overnight: it mustn't overrule who has lifted the switch."""
    campaign(tmp_path, 3_000, 0.2)
    store = LocalArtifactStore(tmp_path / "store")
    materialized(tmp_path)
    assert len(alerts(caplog)) == 1
    report = materialized(tmp_path, stop_when_it_hurts=True)  # somebody has set it since
    assert kill_switch.is_on(store)
    assert report["sentence"].endswith(
        f"a customer. {STOP_IT} The kill switch was thrown, so the rules decide: they contact "
        "people, too."
    )
    assert alerts(caplog) == [report["sentence"]]
    kill_switch.set_switch(store, on=False)
    report = materialized(tmp_path, stop_when_it_hurts=True)
    assert not kill_switch.is_on(store)
    assert "was thrown, and somebody has lifted it" in report["sentence"]
    assert STOP_IT in report["sentence"]
    assert alerts(caplog) == []


def test_the_first_morning_has_a_report_too(tmp_path: Path) -> None:
    """No decision, no event: not known yet, why, and how many it takes with the set share."""
    report = materialized(tmp_path)
    assert report["verdict"] == "not known yet"
    assert report["needed"] == pytest.approx(138_000, rel=0.01)
    assert "nobody is left alone to compare with; `churn experiment on`" in report["sentence"]
    watched = drift_report(tmp_path)
    assert {finding["state"] for finding in watched["findings"]} == {"unknown"}
    assert all(finding["sentence"] for finding in watched["findings"])
    assert watched["retrain"] == []
    nothing = measured_world(tmp_path)
    assert (nothing.outcomes, nothing.offsets, nothing.acceptance_effect) == (0, (), None)
    assert set(nothing.why_not) == {RESPONSES, EFFECTS}
    chooser = templates.in_force(LocalArtifactStore(tmp_path / "store"), learn=True)
    assert chooser is not None
    assert chooser.bandit.answers == 0


def test_a_running_experiment_says_from_when_on_it_knows(tmp_path: Path) -> None:
    """The horizon of the first decision isn't over: it says so by the day."""
    store = LocalArtifactStore(tmp_path / "store")
    experiment.switch(store, on=True)
    assert "no decision is logged yet" in materialized(tmp_path)["sentence"]
    campaign(tmp_path, 20, 0.0)
    first = parts.read(store)["time"].to_pandas().min()
    report = materialized(tmp_path, horizon_days=100)
    assert report["customers"] == 0
    day = first + timedelta(days=100)
    assert (
        f"the first outcome will be on {day:%Y-%m-%d %H:%M} UTC, 100 days after"
        in report["sentence"]
    )


def test_a_companys_experiment_runs_where_no_contract_is_named(tmp_path: Path) -> None:
    """Why: the report said to switch on what was on."""
    publish(LocalArtifactStore(tmp_path / "store"), tmp_path / "published", "Acme")
    assert "no decision is logged yet" in materialized(tmp_path)["sentence"]


def test_leaving_counts_as_in_the_world_of_the_release_in_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: a policy made for a year's bills was judged by those of a month."""
    campaign(tmp_path, 1_500, -0.1)
    plain = materialized(tmp_path)
    assert plain["counted"] == "Whoever stays counts 12 monthly charges."
    publish(LocalArtifactStore(tmp_path / "store"), tmp_path / "published")
    world = EnvironmentParams(persistence=24)
    monkeypatch.setattr("churn_assets.outcomes.assets.load_params", lambda folder: world)
    lasting = materialized(tmp_path)
    assert "expected of them in 24 months" in lasting["counted"]
    assert lasting["effects"]["churn"] == plain["effects"]["churn"]
    kept = [each["effects"]["retained_value"]["effect"] for each in (plain, lasting)]
    assert kept[1] > 1.3 * kept[0] > 0


def test_amounts_are_in_the_currency_of_the_customers_in_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: the console shows the sentences beside its own amounts, which have one."""
    campaign(tmp_path, 1_500, -0.1)
    unknown = materialized(tmp_path)["sentence"]
    publish(LocalArtifactStore(tmp_path / "store"), tmp_path / "published")
    built_in = materialized(tmp_path)
    assert re.sub(r"\d[\d,.]*\d", "#", built_in["sentence"]).count("$#") >= 2
    assert built_in["sentence"].replace("$", "") == unknown
    euros = BUILT_IN_SCHEMA.model_copy(update={"currency": "EUR"})
    monkeypatch.setattr("churn_assets.outcomes.assets.load_schema", lambda folder: euros)
    report = materialized(tmp_path)
    assert report["sentence"] == built_in["sentence"].replace("$", "€")


def test_a_log_that_is_older_than_it_is_kept_still_has_everybody(tmp_path: Path) -> None:
    """Why: after two years the customers who had left were forgotten, of one group more."""
    campaign(tmp_path, 300, -0.1)
    assert materialized(tmp_path, keep_days=75)["customers"] == 300
    assert materialized(tmp_path, keep_days=75)["customers"] == 300
    assert materialized(tmp_path, keep_days=40)["customers"] == 0  # nothing since: the draw is over


def measured_world(home: Path) -> Measured:
    store = LocalArtifactStore(home / "store")
    return Measured.load(store.get(current_artifact(store, "measured_world")))


def drift_report(home: Path) -> dict[str, Any]:
    store = LocalArtifactStore(home / "store")
    return read_report(store, current_artifact(store, "drift_report"))


def test_what_is_watched_after_a_season(tmp_path: Path) -> None:
    """The control group left as their risk said; enough outcomes are a reason to train again."""
    campaign(tmp_path, 3_000, -0.05)
    materialized(tmp_path, retrain_outcomes=2_000)
    report = drift_report(tmp_path)
    found = {finding["name"]: finding for finding in report["findings"]}
    assert set(found) == set(outcome_checks.WATCHED)
    assert found["risk_came_true"]["state"] == "ok"
    assert found["risk_came_true"]["figures"]["customers"] == pytest.approx(900, abs=100)
    assert found["logged_propensities_are_frequencies"]["state"] == "ok"
    assert report["retrain"] == ["2,000 new outcomes"]
    learnt = measured_world(tmp_path)
    assert learnt.outcomes == 3_000
    assert learnt.acceptance_effect is not None
    assert "no release" in learnt.why_not[RESPONSES]


def test_outcomes_that_say_nothing_are_no_reason_to_train_again(tmp_path: Path) -> None:
    """A customer more is needed on either side before an effect is learnt, and of acceptance no
    release is known."""
    campaign(tmp_path, 3_000, -0.05)
    materialized(tmp_path, retrain_outcomes=2_000, learn_from=1_500)
    assert drift_report(tmp_path)["retrain"] == []
    assert measured_world(tmp_path).acceptance_effect is None


def test_spend_is_held_against_the_months_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of whoever plans with one; the predictions' is the policy's own."""
    now = datetime.now(UTC)
    monkeypatch.setattr(f"{__name__}.START", now - timedelta(days=31))
    campaign(tmp_path, 400, 0.0)
    facts = {"release_id": "r", "predictions": "p", "prices": (0.0,), "spends": (1.0,), "at": now}
    month = BudgetPrice(price=1.0, aim=1.0, month="2026-04", budget=60_000.0, spent=1.0, **facts)
    budget_price.write(LocalArtifactStore(tmp_path / "store"), month)
    materialized(tmp_path)
    found = {finding["name"]: finding for finding in drift_report(tmp_path)["findings"]}
    assert found["spend_keeps_pace_with_the_budget"]["figures"]["budget"] == 60_000


def test_a_broken_table_stops_what_is_concluded_from_it(tmp_path: Path) -> None:
    """An impossible probability in the log: the blocking check names it, no lift is reported."""
    campaign(tmp_path, 300, 0.0)
    store = LocalArtifactStore(tmp_path / "store")
    [row] = parts.read(store).slice(0, 1).to_pylist()
    row |= {"decision_id": "f" * 32, "propensity": 0.0, "customer_id": "X"}
    parts.append(store, [tuple(row[name] for name in COLUMNS)])
    stores = store_resources(str(tmp_path / "store"), tmp_path / "cache")
    result = dg.materialize(
        [
            assets.campaign_outcomes,
            assets.lift_report,
            outcome_checks.outcomes_have_their_schema,
        ],
        resources={
            "home": tmp_path,
            "outcomes_config": OutcomesConfig(),
            "alerts_config": AlertsConfig(),
            "messages_config": MessagesConfig(),
            "experiment_config": ExperimentConfig(),
            "io_manager": ArtifactIOManager(store=stores["store"]),
            **stores,
        },
        instance=dg.DagsterInstance.ephemeral(),
        raise_on_error=False,
    )
    [check] = result.get_asset_check_evaluations()
    assert not check.passed
    assert "propensity" in str(check.metadata["failures"].value)
    assert result.asset_materializations_for_node("lift_report") == []


def imported(home: Path, file: Path, **columns: str) -> Sequence[Any]:
    with closing(open_feedback_log(LocalArtifactStore(home / "store"), home)) as log:
        return record(rows_of(FeedbackEvent, file, columns), log)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_file_is_read_once_however_often(tmp_path: Path, form: str) -> None:
    """And a row that says nothing about the present is refused with its reason."""
    table = pd.DataFrame(
        {
            "event_id": ["e1", "e2", "e3"],
            "customer_id": ["C1", "C2", "C3"],
            "what": ["accepted", "unsubscribed", "churned"],
            "occurred_at": ["2026-01-05T10:00:00+00:00"] * 2 + ["1970-01-01T00:00:00+00:00"],
            "offer_percentage": [10.0, None, None],
        }
    )
    file = tmp_path / f"events.{form}"
    if form == "csv":
        table.to_csv(file, index=False)
    else:
        table.to_parquet(file)
    for stored, known in ((2, 0), (0, 2)):
        result = imported(tmp_path, file, kind="what")
        assert result[:2] == (stored, known)
        [(number, why)] = result[2]
        assert number == 3
        assert "2000-01-01" in why
