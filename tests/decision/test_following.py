"""A policy is asked where its own decisions lead, and nowhere else."""

import numpy as np
import pytest

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.exact.exploring import evaluate_exploring
from churn_assets.decision.exact.following import follow_grid
from churn_assets.decision.exact.oracle import build_chain, solve
from churn_assets.decision.exact.policy_value import (
    METRICS,
    chain_figures,
    decide_on_grid,
    evaluate,
    followed_actions,
    grid_states,
    states_at,
)
from churn_assets.decision.mdp.actions import Decisions, Policy
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.rules.families import AlwaysOffer, NeverContact, PricedGreedy
from churn_assets.decision.rules.lookahead import TwoContacts

WORLDS = [
    EnvironmentParams(),
    EnvironmentParams(history_share=0.0),
    EnvironmentParams(hard_cooldown_days=3, effect_without_discount=1.0, cooldown_days=10),
]


@pytest.fixture
def customers() -> Customers:
    rng = np.random.default_rng(5)
    accept = np.sort(rng.uniform(0.05, 0.9, (12, 4)), axis=1)
    return Customers(rng.uniform(0.05, 0.9, 12), accept, rng.uniform(100, 1000, 12))


def policies(params: EnvironmentParams) -> list[Policy]:
    return [
        NeverContact(params=params),
        AlwaysOffer(params=params, contact_in_cooldown=True, delay_after_contact=0),
        PricedGreedy(params=params, price=1.0, contact_in_cooldown=True, delay_after_contact=2),
        TwoContacts(params=params, price=1.0),
    ]


@pytest.mark.parametrize("params", WORLDS)
def test_what_is_decided_on_the_way_is_what_is_decided_everywhere(
    params: EnvironmentParams, customers: Customers
) -> None:
    chain = build_chain(customers, params)
    for policy in policies(params):
        everywhere = decide_on_grid(policy, chain)
        for known, asked in zip(everywhere, followed_actions(policy, chain), strict=True):
            where = asked.reached
            assert where is not None
            for part in ("contact", "offer", "delay"):
                found = getattr(asked, part)
                np.testing.assert_array_equal(found[where], getattr(known, part)[where])
                assert not found[~where].any()
        np.testing.assert_array_equal(
            chain_figures(chain, everywhere), chain_figures(chain, followed_actions(policy, chain))
        )


@pytest.mark.parametrize("params", WORLDS)
def test_no_state_that_is_left_out_counts(params: EnvironmentParams, customers: Customers) -> None:
    """Exploring by a share of nothing goes through every state, and comes to the same figures."""
    for policy in policies(params):
        some = evaluate(policy, customers, params)
        every = evaluate_exploring(policy, customers, params, 0.0)
        for metric in METRICS:
            np.testing.assert_allclose(getattr(some, metric), getattr(every, metric), atol=1e-12)


def test_few_states_are_asked_about(customers: Customers) -> None:
    """From a clean sheet, of a policy that contacts: a tenth of all at most."""
    params = EnvironmentParams().clean
    asked = 0

    class Counting(PricedGreedy):
        def decide(self, states: np.ndarray) -> Decisions:
            nonlocal asked
            asked += len(states)
            return super().decide(states)

    evaluate(Counting(params=params, price=0.0), customers, params)
    chain = build_chain(customers, params)
    assert len(customers) < asked < sum(map(len, chain.levels)) * len(customers) / 10


def test_the_optimum_reaches_what_it_leads_to(customers: Customers) -> None:
    """Every start, and from there both answers to each contact: nobody comes to a state in which
    nothing is decided."""
    chain = build_chain(customers, EnvironmentParams())
    grid = follow_grid(chain, solve(chain, 0.5))
    assert all(actions.reached is not None and actions.reached.any() for actions in grid)
    assert np.isfinite(chain_figures(chain, grid)).all()


def test_an_observation_is_the_grid_s(customers: Customers) -> None:
    chain = build_chain(customers, EnvironmentParams())
    k, c = np.nonzero(np.ones((len(chain.levels[1]), len(customers)), dtype=bool))
    np.testing.assert_array_equal(states_at(chain, 1, k, c), grid_states(chain, 1))
