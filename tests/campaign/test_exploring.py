"""A plan that tries something else: within the limits, and as often as it says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_assets.campaign.config import CampaignConfig, Channel
from churn_assets.campaign.contacts.ledger import Ledger
from churn_assets.campaign.planning.allocation import NONE, Problem, solve
from churn_assets.campaign.planning.exploring import Drawn, explored, set_aside
from churn_assets.campaign.planning.plan import Planner
from churn_assets.campaign.workflow import Campaigns
from churn_assets.domain.experiment import ExperimentConfig, exploration_draw
from churn_assets.serving.decision_log import parts
from churn_assets.storage.local import LocalArtifactStore
from tests.campaign.instances import company, small
from tests.campaign.test_allocation import assert_within_limits

NOW = datetime(2026, 3, 10, 6, tzinfo=UTC)
SHARE = 0.2


def drawn(problem: Problem, seed: int) -> tuple[Any, Drawn]:
    """A plan with what was tried in it."""
    rest, aside = set_aside(problem, SHARE)
    uniform = np.random.default_rng(seed).random(problem.count)
    return explored(problem, aside, solve(rest), SHARE, uniform)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_what_is_tried_is_never_over_a_limit(seed: int) -> None:
    """Whatever the customers, options, ties and limits, and whoever is drawn."""
    problem = small(np.random.default_rng(seed))
    found, draw = drawn(problem, seed)
    assert_within_limits(problem, found)
    assert ((draw.propensity > 0) & (draw.propensity <= 1)).all()
    assert (draw.chance <= SHARE).all()
    assert not draw.taken[draw.chance == 0].any()


def test_it_is_tried_as_often_as_it_says() -> None:
    """Over 400 draws of the same customers everybody's own frequency is the logged probability, and
    what is planned doesn't depend on the draw."""
    problem, count = company(400, contacts=0.04), 400
    rest, aside = set_aside(problem, SHARE)
    planned, rng = solve(rest), np.random.default_rng(5)
    times = np.zeros(problem.count)
    for _ in range(count):
        found, draw = explored(problem, aside, planned, SHARE, rng.random(problem.count))
        times += draw.taken
        assert (found.choice == np.where(draw.taken, draw.runner_up, draw.preferred)).all()
    assert (draw.preferred == planned.choice).all()
    contacted = draw.preferred != NONE
    for group in (contacted, ~contacted):  # changed or left out, and contacted in addition
        chance = draw.chance[group & (draw.chance > 0)]
        seen = times[group & (draw.chance > 0)]
        assert len(chance) > 50
        error = np.sqrt(count * chance * (1 - chance))
        assert np.abs((seen - count * chance) / error).max() < 5
        assert seen.sum() == pytest.approx(count * chance.sum(), rel=0.05)
    assert (times[draw.chance == 0] == 0).all()


def test_nothing_is_set_aside_for_nothing() -> None:
    """Without exploration it is the plan that it was."""
    problem = company(300)
    rest, aside = set_aside(problem, 0.0)
    found, draw = explored(problem, aside, solve(rest), 0.0, np.zeros(problem.count))
    assert (found.choice == solve(problem).choice).all()
    assert (draw.propensity == 1).all()


Desk = Callable[..., Campaigns]


@pytest.fixture
def desk(store: LocalArtifactStore, tmp_path: Path) -> Desk:
    """Makes campaigns with an experiment of one's own on this test's ledger."""
    config = CampaignConfig(
        budget=4_000.0, days=3, channels={"email": Channel(contacts_a_day=20, cost=0.1)}
    )

    def make(experiment: ExperimentConfig | None = None) -> Campaigns:
        return Campaigns(store, Ledger.open("", tmp_path), config, "Europe/Madrid", experiment)

    return make


def test_a_plan_logs_what_it_tried_with_its_true_probability(desk: Desk) -> None:
    """From the experiment's settings to the decision log; asked twice, the same is planned."""
    running = ExperimentConfig(enabled=True, control_share=0.1, exploration=0.2)
    campaigns = desk(running)
    plan = campaigns.plan(NOW, "Ana", curves=False)
    assert campaigns.planner(NOW).plan(curves=False).contacts == plan.contacts
    assert plan.report["exploration"]["share"] == 0.2
    draws = {row["customer_id"]: row for row in plan.draws.to_pylist()}
    loaded = campaigns.show()[0]
    assert (loaded.draws, loaded.contacts) == (plan.draws, plan.contacts)
    campaigns.approve(None, "Ana", NOW)
    log = parts.read(campaigns.store).to_pylist()
    log = [row for row in log if row["decision_id"].startswith(plan.plan_id)]
    assert len(log) > 50
    tried = 0
    for row in log:
        draw = draws.get(row["customer_id"])
        option = row["offer_level"] + 1 if row["contact"] else 0
        if draw is None:
            assert row["propensity"] == 1
            continue
        chosen = exploration_draw(row["customer_id"], running, NOW, row["release_id"]) < 0.2
        if draw["preferred"]:  # of those contacted each is drawn alone
            assert option == (draw["runner_up"] if chosen else draw["preferred"])
            assert row["propensity"] == pytest.approx(0.2 if chosen else 0.8)
        assert option in (draw["preferred"], draw["runner_up"])
        tried += row["propensity"] < 0.5
        assert (row["exploration"], row["preferred"], row["runner_up"]) == (
            draw["chance"],
            draw["preferred"],
            draw["runner_up"],
        )
    counted = plan.report["exploration"]
    assert tried == counted["tried"] + counted["otherwise"] + counted["left_out"] > 0
    control = [row for row in log if row["group"] == "control"]
    assert control
    assert all(row["propensity"] == 1 for row in control)


def test_predictions_that_tried_something_do_not_move_the_plan(desk: Desk) -> None:
    """The plan's own draw has to be the only chance in it: whom last night's predictions tried to
    leave alone is planned for as if they hadn't."""
    planner = desk().planner(NOW)
    table, options = planner.sources.table, planner.options
    changed = table.to_pylist()
    for row in changed[::3]:
        row |= {"contact": not row["contact"], "delay_days": 7, "action_probability": 0.05}
    tried = table.from_pylist(changed, schema=table.schema)
    again = type(options).of(tried, {}, planner.sources.assessor, 3, NOW)
    assert (again.earliest == options.earliest).all()


def test_where_nobody_gains_something_is_tried_all_the_same(desk: Desk) -> None:
    """A policy that contacts nobody waits beyond the plan's days; taken at its word, nothing was
    ever tried and nothing learnt. The least costly contacts are, within the share and the limits,
    on all days."""
    running = ExperimentConfig(enabled=True, control_share=0.1, exploration=0.2)
    planner = desk(running).planner(NOW)
    sources = planner.sources
    waiting = sources.table.to_pylist()
    for row in waiting:
        row |= {"contact": False, "delay_days": 7, "action_probability": 1.0}
    table = sources.table.from_pylist(waiting, schema=sources.table.schema)
    channels = {
        "call": Channel(contacts_a_day=20, cost=9.0, reach=0.001),
        "email": Channel(contacts_a_day=20, cost=5.0, reach=0.001),
    }
    config = planner.config.model_copy(update={"channels": channels})
    plan = Planner(replace(sources, table=table), config, NOW).plan(curves=False)
    rows, report = plan.contacts.to_pylist(), plan.report
    assert len(rows) == report["exploration"]["tried"] > 0
    assert Counter(row["day"] for row in rows) == dict.fromkeys(planner.days, 4)  # 0.2 of 20
    assert {row["channel"] for row in rows} == {"email"}
    assert all(row["expected_value"] < 0 for row in rows)
    assert report["expected_cost"] <= 0.2 * report["budget"]
    chances = {row["customer_id"]: row["chance"] for row in plan.draws.to_pylist()}
    assert sum(chances.values()) == pytest.approx(len(rows))
    assert all(0 < chance <= 0.2 for chance in chances.values())
    assert all(row["propensity"] == chances[row["customer_id"]] for row in rows)
    assert (report["bound"], report["gap"]) == (0.0, 0.0)
