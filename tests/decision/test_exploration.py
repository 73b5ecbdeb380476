"""Now and then the runner-up: within the limits, as often as it says, and worth what it is for."""

from __future__ import annotations

import numpy as np
import pytest

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.evaluation.report import exploration_cost
from churn_assets.decision.evaluation.selection import Candidate
from churn_assets.decision.evaluation.simulation import play
from churn_assets.decision.exact.comparison import captured_uplift
from churn_assets.decision.exact.exploring import evaluate_exploring
from churn_assets.decision.exact.pareto import curve_around, pareto_curve
from churn_assets.decision.exact.policy_value import evaluate
from churn_assets.decision.learning.network_numpy import (
    CONTACT,
    OFFER,
    SHAPES,
    NetworkPolicy,
    NetworkSpec,
)
from churn_assets.decision.mdp.actions import Decisions, Policy, Ranking
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.exploration import NONE, explore, possible, runners_up
from churn_assets.decision.mdp.observation import (
    ACCEPT,
    BUDGET,
    COOLDOWN,
    DAYS,
    FATIGUE,
    RISK,
    build_states,
)
from churn_assets.decision.rules.families import (
    AlwaysOffer,
    NeverContact,
    PricedGreedy,
    RiskThreshold,
)
from churn_assets.decision.rules.lookahead import RetryGreedy, TwoContacts

PARAMS = EnvironmentParams()


def network() -> NetworkPolicy:
    """An untrained network: it prefers whatever chance has given it."""
    spec = NetworkSpec(params=PARAMS, mean=(0.0,) * 10, scale=(1.0,) * 10, context=("price",))
    rng = np.random.default_rng(0)
    shapes = {"trunk.0": (16, spec.inputs), "trunk.2": (16, 16)}
    shapes |= {head: (size, 16) for head, size in SHAPES.items()}
    weights = {f"{name}.weight": rng.normal(0, 0.5, shape) for name, shape in shapes.items()}
    weights |= {f"{name}.bias": rng.normal(0, 0.5, shape[0]) for name, shape in shapes.items()}
    return NetworkPolicy({k: w.astype(np.float32) for k, w in weights.items()}, spec)


POLICIES: list[Policy] = [
    PricedGreedy(price=1.0),
    RiskThreshold(threshold=0.4),
    RetryGreedy(),
    TwoContacts(price=0.5),
    AlwaysOffer(),
    RiskThreshold(
        params=PARAMS.model_copy(update={"hard_cooldown_days": 3}),
        threshold=0.3,
        delay_after_contact=0,  # no look while nothing could be done
        contact_in_cooldown=True,
    ),
    network(),
]


def states_of(count: int, seed: int) -> np.ndarray:
    """Customers in all circumstances: cooldowns, contacts made, allowances half spent."""
    rng = np.random.default_rng(seed)
    accept = np.sort(rng.uniform(0.05, 0.95, (count, 4)), axis=1)
    contacts = rng.integers(0, 5, count)
    days = np.where(contacts > 0, rng.integers(0, 15, count), np.nan)
    budget = rng.choice([0.0, 0.25, 0.5, 1.0], count)
    return build_states(rng.uniform(0.01, 0.99, count), accept, budget, days, contacts, PARAMS)


def test_by_hand() -> None:
    """Four customers: drawn, not drawn, nothing else possible, and what the policy never does."""
    preferred = Decisions(
        np.array([True, True, False, False]),
        np.array([2, 2, 0, 0]),
        np.array([6, 6, 7, 7]),
        np.ones(4),
    )
    preference = np.array([[0.0, 1, 3, 9, 2]] * 3 + [[0.0] + [-np.inf] * 4])
    delay = np.tile([7, 1, 2, 3, 4], (4, 1))
    allowed = np.ones((4, 5), dtype=bool)
    allowed[2, 1:] = False
    uniform = np.array([0.0499, 0.05, 0.0, 0.0])
    done, drawn = explore(preferred, Ranking(preference, delay), allowed, 0.05, uniform)
    assert drawn.preferred.tolist() == [3, 3, 0, 0]
    assert drawn.runner_up.tolist() == [2, 2, NONE, NONE]
    assert done.contact.tolist() == [True, True, False, False]
    assert done.offer.tolist() == [1, 2, 0, 0]
    assert done.delay.tolist() == [2, 6, 7, 7]
    assert done.probability.tolist() == [0.05, 0.95, 1.0, 1.0]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_nothing_beyond_a_limit_is_tried(policy: Policy) -> None:
    """Why: an exploration is a real contact with a real customer."""
    states = states_of(3_000, seed=1)
    everybody = np.zeros(len(states))
    preferred = policy.decide(states)
    done, drawn = explore(
        preferred, policy.ranking(states), possible(states, PARAMS), 0.05, everybody
    )
    tried = drawn.runner_up != NONE
    assert tried.mean() > 0.2
    new = states[tried & done.contact]
    assert (new[:, COOLDOWN] == 0).all()
    assert (new[:, FATIGUE] < PARAMS.contact_cap).all()
    cost = np.array(PARAMS.discounts)[done.offer[tried & done.contact]]
    assert (cost <= new[:, BUDGET] * PARAMS.budget_allowance + 1e-9).all()
    assert (done.option[tried] != preferred.option[tried]).all()
    assert (done.actions[~tried] == preferred.actions[~tried]).all()
    assert (done.probability == np.where(tried, 0.05, 1.0)).all()


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_the_ranking_is_the_policys_own(policy: Policy) -> None:
    """Why: a runner-up that isn't the second best would cost more than it has to. Where no limit
    holds, what a rule decides is what it ranks first; a network's heads rank its offers."""
    states = states_of(2_000, seed=2)
    free = (states[:, COOLDOWN] == 0) & (states[:, FATIGUE] < 2) & (states[:, BUDGET] == 1)
    states = states[free]
    ranking, preferred = policy.ranking(states), policy.decide(states)
    if isinstance(policy, NetworkPolicy):
        outputs = policy.outputs(states)
        contact, offer = (np.exp(outputs[:, head]) for head in (CONTACT, OFFER))
        contact /= contact.sum(axis=1, keepdims=True)
        offer /= offer.sum(axis=1, keepdims=True)
        joint = np.column_stack([contact[:, 0], contact[:, 1:] * offer])
        assert np.exp(ranking.preference) == pytest.approx(joint)
    else:
        assert (ranking.preference.argmax(axis=1) == preferred.option).all()
        assert (ranking.delay[np.arange(len(states)), preferred.option] == preferred.delay).all()
    others = runners_up(preferred.option, ranking, np.ones((len(states), 5), dtype=bool))
    assert (others != preferred.option).all()


def test_who_contacts_nobody_tries_nobody() -> None:
    """Why: the rule that is served when everything else failed must not write to one in twenty."""
    policy, states = NeverContact(), states_of(500, seed=3)
    done, _ = explore(
        policy.decide(states), policy.ranking(states), possible(states, PARAMS), 0.05, np.zeros(500)
    )
    assert not done.contact.any()
    assert (done.probability == 1).all()


class Exploring:
    """A policy that explores by a generator of its own, for simulations."""

    def __init__(self, policy: Policy, params: EnvironmentParams, share: float) -> None:
        self.policy, self.params, self.share = policy, params, share
        self.name = f"exploring {policy.name}"
        self.rng = np.random.default_rng(11)

    def decide(self, states: np.ndarray) -> Decisions:
        allowed, uniform = possible(states, self.params), self.rng.random(len(states))
        decided, ranking = self.policy.decide(states), self.policy.ranking(states)
        return explore(decided, ranking, allowed, self.share, uniform)[0]

    def ranking(self, states: np.ndarray) -> Ranking:
        return self.policy.ranking(states)


def test_its_cost_is_exact(customers: Customers, params: EnvironmentParams) -> None:
    """Why: the report says what exploring costs. Without any it is the policy's own value, to the
    last bit; with it, what simulated periods bring."""
    policy = PricedGreedy(params=params, price=0.5)
    plain = evaluate(policy, customers, params)
    assert (evaluate_exploring(policy, customers, params, 0.0).uplift == plain.uplift).all()
    found = evaluate_exploring(policy, customers, params, 0.25)
    played = play(Exploring(policy, params, 0.25), customers, params, 15_000, seed=5)
    paid = played.discounts / played.value
    gained = (played.revenue - played.left_alone - played.attention) / played.value - paid
    for share, exact in ((paid, found.spend), (gained, found.uplift)):
        more = share - exact[played.customer]
        assert abs(more.mean()) < 4 * more.std() / np.sqrt(len(more))
    assert found.mean("uplift") < plain.mean("uplift")
    assert found.mean("spend") != pytest.approx(plain.mean("spend"), rel=1e-3)


def test_states_are_what_the_columns_say() -> None:
    """The tests above would show nothing of states that are all alike."""
    states = states_of(3_000, seed=1)
    for column in (RISK, BUDGET, DAYS, COOLDOWN, FATIGUE):
        assert len(np.unique(states[:, column])) > 1
    assert states[:, ACCEPT].std() > 0.1


def test_the_report_says_what_it_costs(customers: Customers, params: EnvironmentParams) -> None:
    """Why: nobody should have to guess. Captured uplift is of what the optimum brings at the same
    spend, so that spending more doesn't hide the cost."""
    policy, clean = TwoContacts(params=params, price=1.0), params.clean
    curve = pareto_curve(customers, clean, curve_around(1.0))
    found = evaluate(policy, customers, clean)
    candidate = Candidate(policy, found, captured_uplift(curve, found))
    cost = exploration_cost(candidate, customers, curve, clean)
    assert 0.001 < cost["cost"] < 0.1
    assert cost["cost"] == candidate.captured_uplift - cost["captured_uplift"]
    assert cost["uplift_without"] == found.mean("uplift")
    assert cost["spend_ratio_without"] == found.mean("spend") / params.budget_limit
    assert cost["share"] == 0.05
