"""PPO's parts against closed forms, and one short training that must learn."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from churn_assets.decision.config import EnvironmentParams, PpoConfig
from churn_assets.decision.exact.policy_value import evaluate
from churn_assets.decision.learning.lagrange import LagrangeMultiplier
from churn_assets.decision.learning.ppo import Trainer, action_log_prob, generalised_advantages
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.environment import Multipliers, VectorRetention, branch, observe
from churn_assets.decision.mdp.state import RISK

QUICK = PpoConfig(
    customers=64, horizon=8, updates=40, minibatch=128, dual_every=10, dual_customers=8, hidden=32
)


def test_advantages_in_closed_form() -> None:
    """Why: A_t = sum of (lambda)^k delta_{t+k}, cut where the episode ends."""
    delta = np.array([[1.0], [2.0], [4.0], [8.0]])
    ended = np.array([[False], [True], [False], [False]])
    found = generalised_advantages(delta, ended, 0.5)
    np.testing.assert_allclose(found[:, 0], [1 + 0.5 * 2, 2, 4 + 0.5 * 8, 8])


def test_with_lambda_one_advantages_are_returns() -> None:
    """Why: GAE's other limit, the Monte Carlo return minus the baseline."""
    delta = np.random.default_rng(0).normal(size=(6, 3))
    found = generalised_advantages(delta, np.zeros((6, 3), bool), 1.0)
    np.testing.assert_allclose(found, delta[::-1].cumsum(axis=0)[::-1])


@given(st.floats(0, 5), st.floats(0, 1), st.floats(0, 1), st.floats(0, 10))
def test_a_multiplier_follows_the_sign_and_stays_positive(
    value: float, limit: float, used: float, rate: float
) -> None:
    """Why: it must fall when use is below the limit, and a price can't be negative."""
    after = LagrangeMultiplier(value, limit, rate).update(used)
    assert after >= 0
    if used > limit:
        assert after >= value
    else:
        assert after <= value


def test_offer_and_delay_count_only_where_they_do_something() -> None:
    """Why: masked choices must leave probability, entropy and gradients alone."""
    contact = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    offer, delay = torch.randn(2, 4, requires_grad=True), torch.randn(2, 8, requires_grad=True)
    actions = torch.tensor([[0, 2, 3], [1, 2, 3]])
    uses_delay = torch.tensor([True, False])
    log_prob, entropy = action_log_prob(contact, offer, delay, actions, uses_delay)
    logs = [torch.log_softmax(logits, 1).detach() for logits in (contact, offer, delay)]
    assert log_prob[0].item() == pytest.approx(float(logs[0][0, 0] + logs[2][0, 3]))
    assert log_prob[1].item() == pytest.approx(float(logs[0][1, 1] + logs[1][1, 2]))
    of_contact, of_offer, of_delay = (-(log.exp() * log).sum(dim=1) for log in logs)
    share = logs[0][:, 1].exp()  # the offer counts as often as a contact is made
    assert entropy[0].item() == pytest.approx(float((of_contact + share * of_offer + of_delay)[0]))
    assert entropy[1].item() == pytest.approx(float((of_contact + share * of_offer)[1]))
    (log_prob + entropy).sum().backward()
    assert offer.grad is not None
    assert delay.grad is not None
    assert (delay.grad[0] != 0).all()
    assert (delay.grad[1] == 0).all()
    only_log_prob, _ = action_log_prob(contact, offer, delay, actions, uses_delay)
    (through_offer,) = torch.autograd.grad(only_log_prob.sum(), offer)
    assert (through_offer[0] == 0).all()
    assert (through_offer[1] != 0).all()


@pytest.mark.parametrize("contacted", [True, False])
def test_expected_rewards_and_next_values_are_the_simulations_means(
    customers: Customers, params: EnvironmentParams, contacted: bool
) -> None:
    """Why: identities 2 and 3 of `ppo.py`: what replaces a sample must have the sample's mean, in
    the environment that is sampled from, or the gradients are biased."""
    count = 200_000
    trainer = Trainer(customers, params, QUICK, price=0.7, seed=0)
    envs = VectorRetention(customers, params, count, seed=5, multipliers=Multipliers(0, 0))
    before, value = envs.situation, envs.value
    rng = np.random.default_rng(1)
    actions = rng.integers(0, [2, 4, 8], size=(count, 3))
    actions[:, 0] = contacted
    outcome = branch(before, actions, params)
    views = [observe(one, params) for one in (before, outcome.accepted, outcome.refused)]
    _, next_values = trainer.expected_values(views, outcome)
    reward, _ = trainer.expected_rewards(views, outcome)
    step = envs.step(actions)
    alive, after = ~step.terminated, step.final_observation
    shaped = step.reward / value + alive * (1 - after[:, RISK]) - (1 - views[0][:, RISK])
    penalty = trainer.budget.value * step.spend / value
    penalty += trainer.fatigue.value * step.fatigue_violation
    with torch.no_grad():
        reached = trainer.network.values(trainer.features(after)).numpy()
    for sampled, expected in (
        (QUICK.reward_scale * (shaped - penalty), reward),
        (alive * reached, next_values),
    ):
        difference = sampled - expected
        error = difference.std() / np.sqrt(count)
        assert abs(difference.mean()) < 4 * error
        assert error < 0.02  # the mean reward of a contact is about 1: a few per cent would show


def test_leaving_a_customer_alone_has_no_shaped_reward(
    customers: Customers, params: EnvironmentParams
) -> None:
    """Why: 1 - risk is a martingale of the uncontacted customer; shaping must leave only the cost
    of looking."""
    trainer = Trainer(customers, params, QUICK, 1.0, 0)
    envs = VectorRetention(customers, params, 50)
    outcome = branch(envs.situation, np.tile([0, 0, 4], (50, 1)), params)
    views = [observe(one, params) for one in (envs.situation, outcome.accepted, outcome.refused)]
    reward, excess = trainer.expected_rewards(views, outcome)
    np.testing.assert_allclose(reward, -QUICK.reward_scale * params.decision_cost)
    assert (excess == 0).all()


def test_multipliers_start_warm_and_are_held_first(
    customers: Customers, params: EnvironmentParams
) -> None:
    """Why: an unfinished policy underspends; a multiplier that followed it from the start would
    leave the optimum's price, which it starts at."""
    config = QUICK.model_copy(update={"updates": 10, "dual_from": 0.5, "dual_every": 2})
    seen: list[float] = []
    trainer = Trainer(customers, params, config, price=0.5, seed=0)
    trainer.train(lambda update, network, row: seen.append(row["budget_multiplier"]))
    assert seen[:5] == [0.5] * 5
    assert seen[-1] != 0.5


def test_training_changes_every_parameter_and_learns(
    customers: Customers, params: EnvironmentParams
) -> None:
    """Why: a head left out of the loss, or an update with the wrong sign, shows here."""
    trainer = Trainer(customers, params, QUICK, price=0.5, seed=0)
    before = {name: tensor.clone() for name, tensor in trainer.network.state_dict().items()}
    untrained = evaluate(trainer.network.deployed(trainer.spec), customers, params)
    history: list[dict[str, float]] = []
    trainer.train(lambda update, network, statistics: history.append(statistics))
    for name, tensor in trainer.network.state_dict().items():
        assert not torch.equal(tensor, before[name]), name
    found = evaluate(trainer.network.deployed(trainer.spec), customers, params)
    assert found.mean("uplift") > max(untrained.mean("uplift"), 0) + 0.02
    assert len(history) == QUICK.updates
    assert history[-1]["entropy"] < history[0]["entropy"]


def test_the_same_seed_gives_the_same_network(
    customers: Customers, params: EnvironmentParams
) -> None:
    """Why: a result that can't be repeated can't be checked."""
    short = QUICK.model_copy(update={"updates": 3})
    first, second = (
        Trainer(customers, params, short, 0.5, seed=4).train(lambda *_: None).state_dict()
        for _ in range(2)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
