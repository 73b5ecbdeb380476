"""What the effect of a contact is assumed to be: closed forms, and who may be contacted when."""

from math import comb

import numpy as np
import pytest
from pydantic import ValidationError

from churn_assets.decision.config import EnvironmentParams, PpoConfig
from churn_assets.decision.exact.oracle import build_chain, solve
from churn_assets.decision.exact.policy_value import evaluate
from churn_assets.decision.learning.contexts import draw_worlds
from churn_assets.decision.learning.network import PolicyNetwork
from churn_assets.decision.learning.network_numpy import NetworkSpec
from churn_assets.decision.mdp.actions import Policy
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.dynamics import after_answers, loss_at, risk_after_answers
from churn_assets.decision.mdp.observation import DAYS, Answers, build_states
from churn_assets.decision.mdp.outcomes import decision_outcomes
from churn_assets.decision.mdp.transitions import branch, fresh_start
from churn_assets.decision.rules.families import AlwaysOffer, NeverContact, PricedGreedy
from churn_assets.decision.rules.lookahead import RetryGreedy, TwoContacts
from churn_assets.domain.statistics import logit, sigmoid

HARD = EnvironmentParams(hard_cooldown_days=3)


def test_the_bills_of_a_retained_customer_are_a_geometric_sum() -> None:
    """Why: a customer of 27 % risk a month doesn't pay twelve bills."""
    params = EnvironmentParams(persistence=12, discount_rate=0.01)
    risk = np.array([0.02, 0.27, 0.9])
    there = sum((1 - risk) ** (month + 1) / 1.01**month for month in range(12)) / 12
    np.testing.assert_allclose(1 - loss_at(risk, params), there, rtol=1e-12)
    assert there[1] < 0.25 < 1 - risk[1]
    assert (loss_at(risk, EnvironmentParams()) == risk).all()


def test_an_effect_that_works_for_some_is_a_mean_over_all_who_accepted() -> None:
    """Why: a binomial number of the acceptances worked, and nobody sees which."""
    params = EnvironmentParams(effect_share=0.3, effect_without_discount=1.0, persistence=6)
    score, annoyed = logit(np.array([0.2, 0.6])), np.array([1.0, 0.0])
    risk, loss = after_answers(score, np.array([3, 1]), annoyed, params, np.array([1, 0]))
    for row, (paid, bare) in enumerate([(2, 1), (1, 0)]):
        cases = [
            (comb(paid, k) * comb(bare, j) * 0.3 ** (k + j) * 0.7 ** (paid + bare - k - j), k, j)
            for k in range(paid + 1)
            for j in range(bare + 1)
        ]
        risks = [
            float(sigmoid(score[row] + 0.05 * annoyed[row] - 2.5 * k - 1.0 * j))
            for _, k, j in cases
        ]
        chances = np.array([chance for chance, _, _ in cases])
        assert chances.sum() == pytest.approx(1)
        assert risk[row] == pytest.approx(chances @ risks)
        assert loss[row] == pytest.approx(chances @ loss_at(np.array(risks), params))


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_the_risk_alone_is_the_risk_beside_the_loss(share: float) -> None:
    """Why: steps and observations leave the loss out, and must not see another world for it."""
    params = EnvironmentParams(effect_share=share, effect_without_discount=1.0, persistence=6)
    given = logit(np.array([0.2, 0.6])), np.array([3, 1]), np.array([1.0, 0.0]), params
    risk, _ = after_answers(*given, bare=np.array([1, 0]))
    np.testing.assert_array_equal(risk_after_answers(*given, bare=np.array([1, 0])), risk)


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_a_share_of_the_effect_is_that_share_of_the_uplift(share: float) -> None:
    """Why: that is what the share means, for one contact that annoys nobody."""
    plain = {"annoyance_effect": 0.0, "contact_cost": 0.0, "discounts": (0.0, 0.05, 0.10, 0.15)}
    states = build_states([0.5], [[0.2, 0.4, 0.6, 0.8]], [1.0], [np.nan], [0])
    whole, part = (
        decision_outcomes(states, np.ones(1), EnvironmentParams(effect_share=each, **plain))
        for each in (1.0, share)
    )
    gained = [found.retention[:, 1:] - found.retention[:, :1] for found in (whole, part)]
    np.testing.assert_allclose(gained[1], share * gained[0], atol=1e-12)
    assert (gained[0] > 0).all()


def test_a_contact_without_a_discount_does_less() -> None:
    """Why: whoever renews for nothing was asked for nothing: 56 % of contacts must not be credited
    with the effect of a discount."""
    params = EnvironmentParams(effect_without_discount=0.5)
    states = build_states([0.5], [[0.4] * 4], [1.0], [np.nan], [0])
    retention = decision_outcomes(states, np.ones(1), params).retention[0]
    assert retention[1] < retention[2] == retention[3]
    none = np.zeros(1)
    risks = [
        float(build_states([0.5], [[0.4] * 4], [1.0], [1], [1], params, answers)[0, 0])
        for answers in (
            Answers(none + 1, none, none),
            Answers(none + 1, none, none, none + 1),
        )
    ]
    np.testing.assert_allclose(logit(np.array(risks)), [-2.5, -0.5], atol=1e-9)


def test_within_the_hard_cooldown_nobody_is_contacted(customers: Customers) -> None:
    """Why: a limit that one of policy, environment and optimum doesn't keep is none."""
    spec = NetworkSpec(params=HARD, mean=(0,) * 10, scale=(1,) * 10, context=("price",))
    network = PolicyNetwork(8, 10).deployed(spec)
    network.weights["contact.bias"] += np.array([-50, 50], dtype=np.float32)
    at_once = {"delay_after_contact": 0, "contact_in_cooldown": True, "params": HARD}
    policies: list[Policy] = [
        network,
        AlwaysOffer(**at_once),
        PricedGreedy(**at_once),
        RetryGreedy(**at_once),
        TwoContacts(params=HARD),
    ]
    count = len(customers)
    for day in range(8):
        states = build_states(
            customers.risk, customers.accept, [1.0] * count, [day] * count, [1] * count, HARD
        )
        for policy in policies:
            decided = policy.decide(states)
            assert decided.contact.any() == (day >= 3), (policy.name, day)
            if day < 3 and isinstance(policy, AlwaysOffer):
                assert (decided.delay == 2 - day).all()
    chain = build_chain(customers, HARD)
    for level, actions in zip(chain.levels, solve(chain, 0.0), strict=False):
        assert not actions.contact[level.days < 3].any()
    envs = fresh_start(customers, HARD)
    for day, possible in ((2, False), (3, True)):
        waited = type(envs)(
            **{**vars(envs), "days": np.full(count, day), "contacts": np.ones(count, int)}
        )
        found = branch(waited, np.tile([1, 0, 0], (count, 1)), HARD)
        assert (found.probability > 0).all() == possible
        assert (found.accepted.contacts == 1 + possible).all()


def test_the_first_contact_of_a_period_keeps_the_hard_cooldown_too(customers: Customers) -> None:
    """Why: the last contact may have been yesterday, in the period before."""
    states = build_states(customers.risk, customers.accept, [1.0] * 24, [1.0] * 24, [0] * 24, HARD)
    assert (states[:, DAYS] == 1).all()
    assert not TwoContacts(params=HARD).decide(states).contact.any()


def test_leaving_alone_is_worth_nothing_in_every_world(customers: Customers) -> None:
    """Why: uplift is counted from there; what the customer is worth cancels."""
    params = EnvironmentParams(persistence=3, effect_share=0.5, decision_cost=0.0).clean
    found = evaluate(NeverContact(params=params), customers, params)
    np.testing.assert_allclose(found.uplift, 0, atol=1e-15)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"hard_cooldown_days": 8}, "hard_cooldown_days"),
        ({"effect_without_discount": 2.6}, "effect_without_discount"),
        ({"effect_share": 1.2}, "effect_share"),
        ({"persistence": 0}, "persistence"),
        ({"discount_rate": 0.0}, "discount_rate"),
    ],
)
def test_impossible_worlds_are_named(wrong: dict[str, float], named: str) -> None:
    """Why: a stronger effect for nothing would be no cautious assumption."""
    with pytest.raises(ValidationError, match=named):
        EnvironmentParams(**wrong)


def test_worlds_of_the_training_keep_the_hard_cooldown() -> None:
    """Why: beyond its cooldown a world can't tell days apart; a longer hard one never ended."""
    params = EnvironmentParams(cooldown_days=10, hard_cooldown_days=9)
    for world in draw_worlds(np.random.default_rng(0), params, PpoConfig(worlds=64)):
        assert world.cooldown_days >= world.hard_cooldown_days == 9
