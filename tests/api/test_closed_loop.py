"""The policy that is served is the one that was measured: whole episodes over HTTP, with nothing
but what a caller knows, bring what the exact figures say, for PPO and for the rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import httpx
import numpy as np
import pytest

from benchmarks.decision.closed_loop import Caller, by_engine, by_http, customers_of, served
from churn_assets.decision.config import PRESETS, PpoConfig
from churn_assets.decision.evaluation.closed_loop import (
    Book,
    LoopResult,
    close_the_loop,
)
from churn_assets.decision.exact.policy_value import evaluate
from churn_assets.decision.learning.calibration import calibrate_policy
from churn_assets.decision.learning.network import save_network
from churn_assets.decision.learning.ppo import Trainer
from churn_assets.decision.mdp.actions import Policy
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.groups import Groups
from churn_assets.decision.mdp.observation import Answers
from churn_assets.decision.mdp.transitions import Actions
from churn_assets.serving.assessment import Assessor
from churn_assets.serving.engine import RetentionEngine
from tests.release.small_release import build_release, made_up_rows, write_parts

PARAMS = PRESETS["moderate"]
ROWS = made_up_rows(60, seed=11)
QUICK = PpoConfig(updates=10, customers=64, minibatch=256, dual_customers=8)


@dataclass(frozen=True)
class World:
    """A served release, and what the decision environment makes of its customers."""

    engine: RetentionEngine
    client: httpx.Client
    customers: Customers

    def policy(self, baseline: bool) -> Policy:
        assessor = self.engine.assessor
        return assessor.baseline if baseline else assessor.policy


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A release whose PPO was trained, a little, on the release's own customers."""
    parts = write_parts(tmp_path_factory.mktemp("parts"))
    customers = customers_of(Assessor.load(parts["risk"].parent), ROWS)
    groups = Groups(*(customers.take(slice(first, None, 3)) for first in range(3)))
    trained = tmp_path_factory.mktemp("trained")
    trainer = Trainer(groups.train, PARAMS, QUICK, seed=0)
    network = trainer.train(lambda *_: None).deployed(trainer.spec)
    save_network(calibrate_policy(network, groups.calibration(24), PARAMS), trained)
    root = tmp_path_factory.mktemp("release")
    build_release(root, policy=trained)
    engine = RetentionEngine.load(root / "bundle")
    with served(root / "bundle", tmp_path_factory.mktemp("home")) as client:
        yield World(engine, client, customers)


@pytest.mark.parametrize("baseline", [False, True], ids=["ppo", "rule"])
def test_customers_bring_what_is_reported(world: World, baseline: bool) -> None:
    """Why: with the risk of before the answers, PPO once spent 155 % of its budget in service.
    Every single decision is the one that the policy takes of what the environment shows."""
    policy = world.policy(baseline)
    assert policy.name == ("priced_greedy" if baseline else "ppo")
    caller = Caller(ROWS, by_http(world.client), baseline)
    compared, otherwise = 0, 0

    def decide(book: Book) -> Actions:
        nonlocal compared, otherwise
        over_http, none = caller(book), np.zeros(len(book.customer))
        untold = replace(book, answers=Answers(none, none, none)).states(world.customers)
        otherwise += int((policy.decide(untold).actions != over_http).any(axis=1).sum())
        np.testing.assert_array_equal(
            over_http, policy.decide(book.states(world.customers)).actions
        )
        compared += len(over_http)
        return over_http

    found = evaluate(policy, world.customers, PARAMS)
    loop = close_the_loop(decide, world.customers, found, PARAMS, episodes=300)
    assert compared > 900
    assert otherwise > 50  # whom the answers make another decision for
    assert loop.spend + loop.expected_spend > 0
    assert_reproduced(loop)


def test_the_proof_would_notice_answers_that_are_not_told(world: World) -> None:
    """Why: a test that passes either way proves nothing. The engine in this process, more episodes:
    the rule that is told the answers reproduces the figures, not told them it overspends."""
    policy = world.policy(baseline=True)
    found = evaluate(policy, world.customers, PARAMS)
    told, not_told = (
        close_the_loop(
            Caller(ROWS, by_engine(world.engine), True, tells_answers),
            world.customers,
            found,
            PARAMS,
            episodes=4000,
            seed=3,
        )
        for tells_answers in (True, False)
    )
    assert_reproduced(told)
    assert not_told.figures["z_spend"] > 6


def assert_reproduced(loop: LoopResult) -> None:
    """Within three standard errors, of a seed that is always the same."""
    figures = loop.figures
    assert abs(figures["z_uplift"]) < 3, figures
    assert abs(figures["z_spend"]) < 3, figures
