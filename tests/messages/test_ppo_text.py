"""PPO-Text's formulas against closed forms, and its loop against what it may not touch."""

from __future__ import annotations

import pytest
import torch

from churn_assets.messages.config import PpoTextConfig
from churn_assets.messages.models.evaluation import distinct_n
from churn_assets.messages.models.ppo_formulas import (
    BetaController,
    advantages,
    entropy_of,
    exact_kl,
    explained_variance,
    log_probs,
    policy_loss,
    rarity,
    tail_mass,
    tail_of,
    token_rewards,
    value_loss,
    whiten,
)

ONES = torch.ones(1, 4)


def test_gae_with_lambda_one_is_return_minus_value() -> None:
    """Why: the closed form, A_t = sum of later rewards - V_t at gamma = lambda = 1."""
    rewards, values = torch.tensor([[1.0, 2.0, 3.0, 4.0]]), torch.tensor([[0.5, 0.1, -1.0, 2.0]])
    advantage, returns = advantages(rewards, values, ONES, 1.0, 1.0)
    torch.testing.assert_close(returns, torch.tensor([[10.0, 9.0, 7.0, 4.0]]))
    torch.testing.assert_close(advantage, returns - values)


def test_gae_with_lambda_zero_is_the_one_step_error() -> None:
    """Why: the other end, A_t = r_t + gamma V_{t+1} - V_t."""
    rewards, values = torch.tensor([[1.0, 0.0, 0.0, 1.0]]), torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    advantage, _ = advantages(rewards, values, ONES, 0.9, 0.0)
    torch.testing.assert_close(advantage, torch.tensor([[1.8, 0.7, 0.6, -3.0]]))


def test_padding_earns_nothing_and_counts_for_nothing() -> None:
    """Why: short messages would otherwise be credited with what padding brings."""
    mask = torch.tensor([[1.0, 1.0, 0.0, 0.0]])
    rewards = token_rewards(torch.tensor([5.0]), torch.full((1, 4), 2.0), mask, beta=0.1)
    torch.testing.assert_close(rewards, torch.tensor([[-0.2, 4.8, 0.0, 0.0]]))
    advantage, returns = advantages(rewards, torch.full((1, 4), 9.0) * mask, mask, 1.0, 0.95)
    assert advantage[0, 2:].abs().sum() == 0
    assert returns[0, 1] == pytest.approx(4.8)
    white = whiten(torch.tensor([[1.0, 3.0, 99.0, -99.0]]), mask)
    torch.testing.assert_close(white, torch.tensor([[-1.0, 1.0, 0.0, 0.0]]))


def test_kl_with_itself_is_zero_and_never_negative() -> None:
    """Why: beta is steered by it."""
    p, q = torch.randn(2, 3, 11), torch.randn(2, 3, 11)
    assert exact_kl(p, p).abs().max() < 1e-6
    assert (exact_kl(p, q) >= 0).all()
    even = torch.zeros(1, 1, 8).log_softmax(-1)
    assert entropy_of(even).item() == pytest.approx(torch.tensor(8.0).log().item())


def test_the_tail_is_what_stands_far_below_the_likeliest() -> None:
    """Why: a rare but right word must not be trained away with the wrong ones."""
    reference = torch.tensor([[[0.9, 0.09, 0.009, 0.001]]]).log()
    tail = tail_of(reference, 0.02)
    assert tail.tolist() == [[[False, False, True, True]]]
    policy = torch.tensor([[[0.5, 0.2, 0.2, 0.1]]]).log().requires_grad_(True)
    mass = tail_mass(policy, tail)
    assert mass.item() == pytest.approx(0.3)
    mass.sum().backward()
    assert (policy.grad[0, 0, 2:] > 0).all()
    assert (policy.grad[0, 0, :2] < 0).all()


def test_rarity_is_the_texts_share_of_distinct_pairs() -> None:
    """Why: the policy is paid for what the check measures."""
    texts = ["a b c", "a b d", "e f g", "x"]
    found = rarity(texts)
    torch.testing.assert_close(found, torch.tensor([0.75, 0.75, 1.0, 0.0]))
    assert found[:3].mean().item() == pytest.approx(distinct_n(texts, 2))


def test_clipping_stops_the_gradient_beyond_the_trust_region() -> None:
    """Why: equation 7 is flat where the ratio has already moved far enough the wanted way."""
    for log_ratio, advantage, flat in [(0.5, 1.0, True), (-0.5, 1.0, False), (-0.5, -1.0, True)]:
        new = torch.full((1, 4), log_ratio, requires_grad=True)
        loss, gauges = policy_loss(new, torch.zeros(1, 4), torch.full((1, 4), advantage), ONES, 0.2)
        loss.backward()
        assert (new.grad.abs().sum() == 0).item() is flat
        assert gauges["clip_fraction"] == 1.0
        assert gauges["approx_kl"] > 0


def test_value_loss_takes_the_worse_of_clipped_and_not() -> None:
    """Why: the value may not leap either."""
    loss = value_loss(
        torch.full((1, 4), 2.0), torch.zeros(1, 4), torch.full((1, 4), 2.0), ONES, 0.5
    )
    assert loss.item() == pytest.approx(0.5 * 1.5**2)
    assert explained_variance(torch.arange(4.0)[None], torch.arange(4.0)[None], ONES) == 1.0


def test_two_token_bandit_reaches_its_known_optimum() -> None:
    """Why: the optimum of E[r] - beta KL is pi_ref exp(r / beta); every sign must be right."""
    torch.manual_seed(0)
    beta, scores = 0.5, torch.tensor([1.0, 0.2])
    reference = torch.tensor([0.0, 0.7])
    logits = reference.clone().requires_grad_(True)
    optimizer = torch.optim.Adam([logits], lr=0.02)
    mask = torch.ones(512, 1)
    for _ in range(150):
        old = logits.detach().expand(512, 1, 2)
        tokens = torch.distributions.Categorical(logits=old).sample()
        old_log_probs = log_probs(old, tokens)
        log_ratio = old_log_probs - log_probs(reference.expand(512, 1, 2), tokens)
        rewards = token_rewards(scores[tokens[:, 0]], log_ratio, mask, beta)
        advantage, _ = advantages(rewards, torch.zeros(512, 1), mask, 1.0, 0.95)
        centred = advantage - advantage.mean()
        for _ in range(4):
            new = log_probs(logits.expand(512, 1, 2), tokens)
            loss, _ = policy_loss(new, old_log_probs, centred, mask, 0.2)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    best = (reference + scores / beta).softmax(-1)
    torch.testing.assert_close(logits.softmax(-1), best, atol=0.03, rtol=0)


def test_beta_follows_the_rule_within_its_limits() -> None:
    """Why: the specification's rule, with a floor so that KL cannot run away meanwhile."""
    config = PpoTextConfig(beta=0.1, kl_target=4.0, beta_limit=2.0)
    control = BetaController(config)
    for kl, expected in [(4.1, 0.15), (3.0, 0.15), (1.9, 0.1), (9.0, 0.15), (9.0, 0.2), (9.0, 0.2)]:
        control.update(kl)
        assert control.beta == pytest.approx(expected)
    for _ in range(10):
        control.update(0.0)
    assert control.beta == pytest.approx(0.025)
