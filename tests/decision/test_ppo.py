"""PPO's parts against closed forms, and one short training that must learn."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from churn_assets.decision.config import PRESETS, EnvironmentParams, PpoConfig
from churn_assets.decision.exact.policy_value import evaluate
from churn_assets.decision.learning.contexts import RANGES, draw_prices, draw_worlds, standardised
from churn_assets.decision.learning.lagrange import LagrangeMultiplier
from churn_assets.decision.learning.ppo import Trainer, action_log_prob
from churn_assets.decision.learning.rollout import Steps, generalised_advantages
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.environment import Multipliers, VectorRetention
from churn_assets.decision.mdp.observation import RISK
from churn_assets.decision.mdp.transitions import Branches, State, branch, observe

QUICK = PpoConfig(
    customers=64,
    worlds=8,
    own_worlds=2,
    horizon=8,
    updates=40,
    minibatch=128,
    dual_every=10,
    dual_customers=8,
    hidden=32,
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
    count, rng = 200_000, np.random.default_rng(1)
    trainer = Trainer(customers, params, QUICK, seed=0)
    price = rng.uniform(0, 3, count)
    envs = VectorRetention(customers, params, count, seed=5, multipliers=Multipliers(0, 0))
    before, value = envs.state, envs.value
    actions = rng.integers(0, [2, 4, 8], size=(count, 3))
    actions[:, 0] = contacted
    outcome = branch(before, actions, params)
    steps = as_steps(params, before, outcome, actions, price)
    views = steps.states
    _, next_values = trainer.expected_values(steps)
    reward = trainer.expected_rewards(steps)
    step = envs.advance(actions)
    alive, after = ~step.terminated, step.final_observation
    shaped = step.reward / value + alive * (1 - after[:, RISK]) - (1 - views[0][:, RISK])
    penalty = price * step.spend / value
    penalty += trainer.fatigue.value * step.fatigue_violation
    with torch.no_grad():
        reached = trainer.network.values(trainer.features(after, price, params)).numpy()
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
    trainer = Trainer(customers, params, QUICK, 0)
    envs = VectorRetention(customers, params, 50)
    actions = np.tile([0, 0, 4], (50, 1))
    outcome = branch(envs.state, actions, params)
    steps = as_steps(params, envs.state, outcome, actions, np.linspace(0, 5, 50))
    reward = trainer.expected_rewards(steps)
    np.testing.assert_allclose(reward, -QUICK.reward_scale * params.decision_cost)
    assert (trainer.over_cap(steps) == 0).all()


def test_the_multiplier_finds_the_price_from_nothing(
    customers: Customers, params: EnvironmentParams
) -> None:
    """Why: the specification's dual update sets the deployed price. It starts at 0, without the
    optimum's help, is held while the policy is unfinished, and then ends near the budget."""
    config = QUICK.model_copy(update={"updates": 60, "dual_from": 0.5, "dual_every": 2})
    seen: list[float] = []
    trainer = Trainer(customers, params, config, seed=0)
    trainer.train(lambda update, network, row: seen.append(row["budget_multiplier"]))
    assert seen[:29] == [0.0] * 29
    assert seen[-1] > 0
    assert trainer.deployed_spend() == pytest.approx(params.budget_limit, rel=0.25)


def test_training_changes_every_parameter_and_learns_every_price(
    customers: Customers, params: EnvironmentParams
) -> None:
    """Why: a head left out of the loss, or an update with the wrong sign, shows here; and one
    network must answer to every price with less spend the dearer money is."""
    config = QUICK.model_copy(update={"updates": 80})  # after 40 it depends on the processor
    trainer = Trainer(customers, params, config, seed=0)
    before = {name: tensor.clone() for name, tensor in trainer.network.state_dict().items()}
    untrained = evaluate(trainer.network.deployed(trainer.spec), customers, params)
    history: list[dict[str, float]] = []
    trainer.train(lambda update, network, statistics: history.append(statistics))
    for name, tensor in trainer.network.state_dict().items():
        assert not torch.equal(tensor, before[name]), name
    found = [
        evaluate(trainer.network.deployed(trainer.spec.at(price)), customers, params)
        for price in (0.0, 1.0, 4.0)
    ]
    assert found[0].mean("uplift") > max(untrained.mean("uplift"), 0) + 0.02
    spends = [evaluation.mean("spend") for evaluation in found]
    assert spends[0] > 1.2 * spends[1] > 1.2 * 1.2 * spends[2]
    assert len(history) == config.updates
    assert history[-1]["entropy"] < history[0]["entropy"]


def test_prices_and_worlds_cover_their_ranges(params: EnvironmentParams) -> None:
    """Why: what was never drawn was never learnt; and the world that is served must be among those
    of every update."""
    rng, config = np.random.default_rng(0), PpoConfig()
    prices = draw_prices(rng, 20_000, config.highest_price)
    assert 0 <= prices.min() < 0.01
    assert prices.max() == pytest.approx(config.highest_price, rel=0.01)
    worlds = [world for _ in range(200) for world in draw_worlds(rng, params, config)]
    assert sum(world == params for world in worlds) >= 200 * config.own_worlds
    assert {world.budget_limit for world in worlds} == {params.budget_limit}
    for name, (low, high) in RANGES.items():
        drawn = np.array([getattr(world, name) for world in worlds if world != params])
        assert low <= drawn.min() < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) < drawn.max() <= high
        for preset in PRESETS.values():
            assert low <= getattr(preset, name) <= high


def test_advantages_are_standardised_among_like_prices() -> None:
    """Why: where money is dear little is at stake, and would be lost in the noise of the rest."""
    rng = np.random.default_rng(0)
    price = rng.uniform(0, 10, 4000)
    found = standardised(rng.normal(3, 1, 4000) * np.exp(-price), price, bins=8)
    dear = found[price > np.quantile(price, 7 / 8)]
    assert dear.mean() == pytest.approx(0, abs=0.01)
    assert dear.std() == pytest.approx(1, abs=0.01)


def as_steps(
    params: EnvironmentParams,
    before: State,
    outcome: Branches,
    actions: np.ndarray,
    price: np.ndarray,
) -> Steps:
    """One step of each environment, as a roll-out keeps it."""
    states = (before, outcome.accepted, outcome.refused)
    views = [observe(one, params) for one in states]
    none = np.zeros((1, len(price)), dtype=bool)
    losses = [one.after_answers(params)[1] for one in states]
    return Steps(params, views, losses, outcome, actions, torch.zeros(len(price)), price, none)


def test_the_same_seed_gives_the_same_network(
    customers: Customers, params: EnvironmentParams
) -> None:
    """Why: a result that can't be repeated can't be checked."""
    short = QUICK.model_copy(update={"updates": 3})
    first, second = (
        Trainer(customers, params, short, seed=4).train(lambda *_: None).state_dict()
        for _ in range(2)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
