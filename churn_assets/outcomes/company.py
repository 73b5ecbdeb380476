"""A simulated company: real decisions of a real release, customers who react as a scenario says.

Each week a part of the customers is decided on by the serving engine, with a control group, into a
decision log; what they do then is drawn (`simulation.react`) and reported as events to a feedback
log; and every week the lift report is read. Only the customers' reactions and the clock are made
up: their true risk and acceptance are what the release's models say of them, so nothing here shows
that the models are right. It shows that the proof works: that help is found, that harm is found
and stopped, and that nothing is found where nothing is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from churn_assets.domain.experiment import ExperimentConfig
from churn_assets.outcomes.config import OutcomesConfig
from churn_assets.outcomes.drawn import customers_of
from churn_assets.outcomes.joining import join, without_ids
from churn_assets.outcomes.lift import Customers, lift_report
from churn_assets.outcomes.simulation import Customers as Simulated
from churn_assets.outcomes.simulation import Scenario, expected_net, react
from churn_assets.release.switches import kill_switch
from churn_assets.serving.decision_log import parts
from churn_assets.serving.decision_log.writer import DecisionWriter
from churn_assets.serving.engine import RetentionEngine
from churn_assets.serving.feedback import FeedbackLog, read_events
from churn_assets.serving.schemas import CustomerRequest
from churn_assets.storage.protocol import ArtifactStore

FIRST_DAY = datetime(2026, 1, 5, tzinfo=UTC)
BATCH = 500


@dataclass(frozen=True)
class Week:
    """What the report said at the end of a week.

    Attributes:
        number: from 1.
        contacted: customers who were contacted in it.
        report: the lift report of all outcomes known by then.
        stopped: the kill switch is on since this week.
    """

    number: int
    contacted: int
    report: dict[str, Any]
    stopped: bool


@dataclass(frozen=True)
class Company:
    """Where a simulated company keeps what it does."""

    engine: RetentionEngine
    store: ArtifactStore
    feedback: FeedbackLog
    experiment: ExperimentConfig
    config: OutcomesConfig


def run(
    company: Company,
    customers: Sequence[CustomerRequest],
    scenario: Scenario,
    weeks: int,
    seed: int = 42,
) -> list[Week]:
    """The weeks until all outcomes are known, or until the company was stopped for harm.

    A week's customers are decided on at its beginning; the weeks after the last decisions wait for
    the horizon to be over.
    """
    rng = np.random.default_rng(seed)
    waiting = -(-company.config.horizon_days // 7)
    cohorts = np.array_split(np.arange(len(customers)), weeks)
    found: list[Week] = []
    for number in range(1, weeks + waiting + 1):
        now = FIRST_DAY + timedelta(weeks=number - 1)
        contacted = 0
        if number <= weeks:
            cohort = [customers[i] for i in cohorts[number - 1]]
            contacted = _decide_and_react(company, cohort, scenario, now, rng)
        report = read_report(company, now + timedelta(days=7))
        stopped = report["verdict"] == "hurts"
        if stopped:
            kill_switch.set_switch(company.store, on=True)
        found.append(Week(number, contacted, report, stopped))
        if stopped:
            break
    return found


def read_report(company: Company, now: datetime) -> dict[str, Any]:
    """The lift report of all outcomes known at a time: who leaves here is reported at once."""
    elsewhere = {"event_id": "up to now", "customer_id": "elsewhere", "kind": "churned"}
    events = [*read_events(company.feedback), elsewhere | {"occurred_at": now.isoformat()}]
    config = company.config.model_copy(update={"reported_in_order": True})
    table = join(parts.read(company.store).to_pandas(), events, config, now).table
    customers = Customers.of(customers_of(without_ids(table)))
    return lift_report(customers, company.config)


def true_gain(company: Company, scenario: Scenario) -> float:
    """The expected net gain per customer of the decisions that the treated were given: what the
    report's interval is to hold."""
    log = parts.read(company.store).to_pandas()
    log = log[log["group"] == "treated"]
    net = expected_net(_simulated(log), scenario)
    options = np.where(log["contact"], log["offer_level"].to_numpy(np.int64) + 1, 0)
    return float((net[np.arange(len(log)), options] - net[:, 0]).mean())


def _decide_and_react(
    company: Company,
    cohort: Sequence[CustomerRequest],
    scenario: Scenario,
    now: datetime,
    rng: np.random.Generator,
) -> int:
    """Decide on the customers, and report what they do; returns how many were contacted."""
    before = {*parts.read(company.store)["decision_id"].to_pylist()}
    writer = DecisionWriter(company.store, flush_seconds=3_600)
    for start in range(0, len(cohort), BATCH):
        company.engine.predict_many(
            cohort[start : start + BATCH],
            now=now,
            with_message=False,
            explain=False,
            experiment=company.experiment,
            decisions=writer,
        )
    writer.close()
    log = parts.read(company.store).to_pandas()
    # By customer: decision ids are drawn anew each time, and a seed is to say who does what.
    log = log[~log["decision_id"].isin(before)].sort_values("customer_id", ignore_index=True)
    options = np.where(log["contact"], log["offer_level"].to_numpy(np.int64) + 1, 0)
    reactions = react(rng, _simulated(log), options, scenario)
    for row, accepted, churned, delay in zip(
        log.to_dict("records"),
        reactions.accepted.tolist(),
        reactions.churned.tolist(),
        rng.uniform(1, company.config.horizon_days - 1, len(log)).tolist(),
        strict=True,
    ):
        if accepted:
            given = company.engine.assessor.percent[row["offer_level"]]
            _report(company.feedback, row, "accepted", now + timedelta(hours=12), given)
        if churned:
            _report(company.feedback, row, "churned", now + timedelta(days=delay), None)
    return int(log["contact"].sum())


def _report(
    feedback: FeedbackLog, row: dict[str, Any], kind: str, when: datetime, given: int | None
) -> None:
    event = {
        "event_id": f"{kind}-{row['decision_id']}",
        "customer_id": row["customer_id"],
        "kind": kind,
        "occurred_at": when.isoformat(),
        "decision_id": row["decision_id"],
        "offer_percentage": given,
    }
    feedback.record(event["event_id"], json.dumps(event))


def _simulated(log: Any) -> Simulated:
    states = np.array(log["observation"].tolist(), np.float64)
    return Simulated(states, log["customer_value"].to_numpy(np.float64))
