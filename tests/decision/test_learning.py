"""PPO's loss, its schedules and what a roll-out keeps, each by its formula."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from churn_assets.decision.config import PRESETS, EnvironmentParams, PpoConfig
from churn_assets.decision.learning.contexts import (
    CONTEXT,
    RANGES,
    REDRAWN,
    draw_prices,
    draw_worlds,
    feature_spec,
    standardised,
)
from churn_assets.decision.learning.ppo import Batch, Trainer, action_log_prob
from churn_assets.decision.learning.rollout import World, expected_ends, mean_alive
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.observation import COLUMNS
from churn_assets.domain.offers import Offers

QUICK = PpoConfig(customers=16, horizon=4, minibatch=24, dual_customers=4, hidden=8)


@pytest.fixture(scope="module")
def trainer(customers: Customers, params: EnvironmentParams) -> Trainer:
    return Trainer(customers, params, QUICK, seed=0)


def batch_of(trainer: Trainer, ratio: torch.Tensor, advantage: torch.Tensor) -> Batch:
    """Random steps whose actions have become `ratio` times as likely since they were taken."""
    generator = torch.Generator().manual_seed(1)
    count = len(ratio)
    features = torch.randn(count, trainer.spec.inputs, generator=generator)
    actions = torch.stack(
        [torch.randint(n, (count,), generator=generator) for n in (2, 4, 8)], dim=1
    )
    uses_delay = torch.arange(count) % 3 > 0
    with torch.no_grad():
        contact, offer, delay, _ = trainer.network(features)
        now, _ = action_log_prob(contact, offer, delay, actions, uses_delay)
    allowed = torch.ones(count, 2, dtype=torch.bool), torch.ones(count, 4, dtype=torch.bool)
    target = torch.linspace(-1, 3, count)
    then = now - ratio.log()
    return Batch(features, actions, *allowed, uses_delay, then, advantage, target)


def test_the_loss_is_the_papers(trainer: Trainer) -> None:
    """Why: -(L_CLIP - c1 L_VF + c2 H), with the smaller of the clipped and the plain surrogate."""
    ratio = torch.tensor([0.5, 0.5, 1.5, 1.5, 1.0, 1.05])
    advantage = torch.tensor([2.0, -2.0, 2.0, -2.0, 1.0, -1.0])
    batch, clip = batch_of(trainer, ratio, advantage), QUICK.clip
    rows = torch.tensor([5, 0, 1, 2, 3])
    loss, statistics = trainer.loss(batch.take(rows), entropy_weight=0.7)
    figures = statistics()
    surrogate = torch.tensor([-1.05, 2 * 0.5, -2 * (1 - clip), 2 * (1 + clip), -2 * 1.5]).mean()
    with torch.no_grad():
        contact, offer, delay, value = trainer.network(batch.features[rows])
        _, entropy = action_log_prob(
            contact, offer, delay, batch.actions[rows], batch.uses_delay[rows]
        )
    wrong = (value.squeeze(-1) - batch.target[rows]).square().mean()
    expected = -(surrogate - QUICK.value_coefficient * wrong + 0.7 * entropy.mean())
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    some = ratio[rows]
    assert figures["approx_kl"] == pytest.approx((some - 1 - some.log()).mean().item(), rel=1e-4)
    assert figures["clip_fraction"] == pytest.approx(4 / 5)
    assert figures["value_loss"] == pytest.approx(wrong.item(), rel=1e-5)
    assert figures["entropy"] == pytest.approx(entropy.mean().item(), rel=1e-5)
    explained = 1 - (wrong / batch.target[rows].var()).item()
    assert figures["explained_variance"] == pytest.approx(explained, rel=1e-4)


@pytest.mark.parametrize("left", [1.0, 0.25, 0.0])
def test_rates_fall_in_a_line_over_the_training(
    trainer: Trainer, monkeypatch: pytest.MonkeyPatch, left: float
) -> None:
    """Why: each epoch sees every step once, in parts, at the rate and the entropy of its time."""
    seen: list[tuple[float, float, list[int]]] = []

    def loss(some: Batch, weight: float) -> tuple[torch.Tensor, Any]:
        part = len(seen) + 1
        rows = some.target.int().tolist()
        seen.append((trainer.optimizer.param_groups[0]["lr"], weight, rows))
        return 0 * trainer.network.values(some.features).sum(), lambda: {"part": part}

    monkeypatch.setattr(trainer, "loss", loss)
    batch = batch_of(trainer, torch.ones(64), torch.ones(64))
    last = trainer.update(replace(batch, target=torch.arange(64.0)), left)
    parts = 3 * QUICK.epochs  # 24 + 24 + 16 of 64 steps
    assert len(seen) == last["part"] == parts
    start, end = QUICK.learning_rate_start, QUICK.learning_rate_end
    rates = [rate for rate, _, _ in seen]
    assert rates == pytest.approx([left * start + (1 - left) * end] * parts)
    start, end = QUICK.entropy_start, QUICK.entropy_end
    weights = [weight for _, weight, _ in seen]
    assert weights == pytest.approx([left * start + (1 - left) * end] * parts)
    orders = [
        [row for _, _, rows in seen[first : first + 3] for row in rows]
        for first in range(0, parts, 3)
    ]
    assert all(sorted(order) == list(range(64)) for order in orders)
    assert orders[0] != orders[1]


def test_an_episode_keeps_its_price(monkeypatch: pytest.MonkeyPatch) -> None:
    """Why: a step's advantage is of the price that its episode was told, until it ends."""
    ends = iter([np.array([False, True, False]), np.array([True, False, False])])
    envs: Any = SimpleNamespace(state="before", observation=None, play=lambda actions: next(ends))
    world = World(envs, np.array([1.0, 2.0, 3.0]), np.zeros((3, 9)))
    for following in (np.array([4.0, 5.0, 6.0]), np.array([7.0, 8.0, 9.0])):
        world.step(np.zeros((3, 3), int), following)
    np.testing.assert_array_equal(world.price, [7, 5, 3])
    np.testing.assert_array_equal(world._prices, [[1, 2, 3], [1, 5, 3]])
    np.testing.assert_array_equal(world._ended, [[False, True, False], [True, False, False]])


def test_a_policy_sees_where_the_customers_stand(
    customers: Customers, params: EnvironmentParams
) -> None:
    """Why: a step's observation is kept for the next decision, after new episodes began too."""
    world = World.begin(customers, params, np.ones(16), seed=3)
    ended = 0
    for _ in range(12):
        np.testing.assert_array_equal(world.seen, world.envs.observation)
        world.step(np.tile([1, 2, 7], (16, 1)), np.ones(16))
        ended += int(world._ended[-1].sum())
    np.testing.assert_array_equal(world.seen, world.envs.observation)
    assert ended > 0


def test_what_ends_is_expected_over_answer_and_survival() -> None:
    """Why: the fatigue multiplier follows contacts above the cap per episode."""
    outcome: Any = SimpleNamespace(
        probability=np.array([0.25, 1.0]),
        alive_accepted=np.array([0.9, 0.5]),
        alive_refused=np.array([0.6, 0.0]),
    )
    found = mean_alive(np.array([10.0, 4.0]), np.array([20.0, 8.0]), outcome)
    np.testing.assert_allclose(found, [0.25 * 0.9 * 10 + 0.75 * 0.6 * 20, 0.5 * 4])
    assert expected_ends(outcome) == pytest.approx((1 - 0.225 - 0.45) + (1 - 0.5))


def test_worlds_are_drawn_by_turns(params: EnvironmentParams) -> None:
    """Why: the served world first, then by turns one from the ranges, one with a preset's
    constants, and one near a preset, with some of its constants and some from the ranges."""
    config = PpoConfig(customers=302, worlds=302, own_worlds=2)
    drawn = draw_worlds(np.random.default_rng(0), params, config)
    assert len(drawn) == 302
    assert drawn[:2] == [params] * 2
    known = {name: {getattr(preset, name) for preset in PRESETS.values()} for name in RANGES}
    kept = np.array(
        [[getattr(world, name) in known[name] for name in RANGES] for world in drawn[2:]]
    )
    no_day = [name != "cooldown_days" for name in RANGES]  # a day drawn may be a preset's too
    even, preset, near = (kept[turn::3][:, no_day] for turn in range(3))
    assert not even.any()
    assert preset.all()
    assert near.mean() == pytest.approx(1 - REDRAWN[2], abs=0.08)  # four standard errors
    assert all(float(world.cooldown_days).is_integer() for world in drawn)


def test_a_contact_without_a_discount_never_does_more_than_one_with_it(
    params: EnvironmentParams,
) -> None:
    """Why: an effect drawn below it isn't a world, and the training stopped there."""
    assumed = params.model_copy(update={"effect_without_discount": 2.4})
    drawn = draw_worlds(np.random.default_rng(0), assumed, PpoConfig(customers=64, worlds=64))
    assert {world.bare_effect for world in drawn if world.acceptance_effect >= 2.4} == {2.4}
    less = [world for world in drawn if world.acceptance_effect < 2.4]
    assert less
    assert all(world.bare_effect == world.acceptance_effect for world in less)


def test_prices_are_even_in_their_logarithm() -> None:
    """Why: at small prices a little makes the difference, at large ones a ratio."""
    prices = draw_prices(np.random.default_rng(0), 40_000, 9.0)
    shares = np.log1p(prices) / np.log(10.0)
    np.testing.assert_allclose(np.quantile(shares, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.01)


def test_features_are_normalised_by_what_is_drawn(
    customers: Customers, params: EnvironmentParams
) -> None:
    """Why: the world's constants by their ranges, whatever a few draws were; nothing by a spread
    that is too small to divide by."""
    spec = feature_spec(customers, params, PpoConfig())
    assert spec.params == params
    assert spec.context == CONTEXT
    assert len(spec.mean) == len(COLUMNS) + 1 + len(RANGES)
    for place, (low, high) in enumerate(RANGES.values(), start=len(COLUMNS) + 1):
        assert spec.mean[place] == pytest.approx((low + high) / 2)
        assert spec.scale[place] == pytest.approx((high - low) / 12**0.5)
    assert min(spec.scale[: len(COLUMNS) + 1]) >= 0.1
    assert spec.mean[len(COLUMNS)] == pytest.approx(np.log(PpoConfig().highest_price + 1) / 2, 0.05)
    assert params.price_reach == 1.0
    cheap = params.offering(Offers(months=1))  # a twelfth of the money, at twelve times its price
    far = feature_spec(customers, cheap, PpoConfig()).mean[len(COLUMNS)]
    assert far == pytest.approx(np.log(12 * PpoConfig().highest_price + 1) / 2, 0.05)


def test_an_advantage_is_standardised_in_its_bin() -> None:
    """Why: by hand, two bins of prices; equal ones are nothing and no division by zero."""
    price = np.array([5.0, 1.0, 6.0, 2.0])
    found = standardised(np.array([10.0, 1.0, 30.0, 3.0]), price, bins=2)
    np.testing.assert_allclose(found, [-1, -1, 1, 1], atol=1e-6)
    assert (standardised(np.full(4, 7.0), price, bins=2) == 0).all()
