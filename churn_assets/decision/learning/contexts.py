"""What a training episode is told beside its state: a price of the budget, and a world.

Each episode draws its own price, each group of environments its own world, so that one network
learns the best policy for every price and world of the ranges (as BCORLE(lambda), Zhang et al.
2021, does for the price): a new budget or a re-estimated world is another number in its input.
"""

from typing import Any

import numpy as np

from churn_assets.decision.config import PRESETS, EnvironmentParams, PpoConfig
from churn_assets.decision.learning.network_numpy import (
    PRICE_OFFSET,
    ContextName,
    NetworkSpec,
    context_features,
    raw_features,
)
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.dynamics import Array
from churn_assets.decision.mdp.environment import VectorRetention

RANGES: dict[ContextName, tuple[float, float]] = {
    "cooldown_days": (4, 10),
    "acceptance_effect": (2.0, 3.5),
    "annoyance_effect": (0.0, 0.35),
    "cooldown_reluctance": (0.4, 1.6),
    "fatigue_reluctance": (0.03, 0.7),
    "contact_cost": (0.0003, 0.005),
}
"""Of each constant of the world, from where to where it is drawn: beyond all of `PRESETS`."""
CONTEXT: tuple[ContextName, ...] = ("price", *RANGES)
REDRAWN = (1.0, 0.0, 0.3)
"""Chance that a constant of a preset is drawn anew, by turns: all of them, none,
or some. Whoever re-estimates a constant is near a preset, where even draws of all are thin."""


def draw_prices(rng: np.random.Generator, count: int, highest: float) -> Array:
    """(N,) prices from 0 to `highest`, even in log(price + `PRICE_OFFSET`)."""
    low, high = np.log(PRICE_OFFSET), np.log(highest + PRICE_OFFSET)
    prices: Array = np.exp(rng.uniform(low, high, count)) - PRICE_OFFSET
    return np.maximum(prices, 0.0)


def draw_worlds(
    rng: np.random.Generator, params: EnvironmentParams, config: PpoConfig
) -> list[EnvironmentParams]:
    """`config.worlds` worlds: the given one `config.own_worlds` times; the others with constants
    drawn evenly from `RANGES`, with a preset's, and with a preset's of which some are drawn
    (`REDRAWN`)."""
    presets = list(PRESETS.values())
    drawn = [params] * config.own_worlds
    for place in range(config.worlds - config.own_worlds):
        preset = presets[rng.integers(len(presets))]
        anew = rng.random(len(RANGES)) < REDRAWN[place % len(REDRAWN)]
        constants: dict[str, Any] = {
            name: rng.uniform(*bounds) if redrawn else getattr(preset, name)
            for (name, bounds), redrawn in zip(RANGES.items(), anew, strict=True)
        }
        cooldown = max(round(constants["cooldown_days"]), params.hard_cooldown_days)
        bare = params.effect_without_discount
        if bare is not None:
            constants["effect_without_discount"] = min(bare, constants["acceptance_effect"])
        drawn.append(
            EnvironmentParams.model_validate(dict(params) | constants | {"cooldown_days": cooldown})
        )
    return drawn


def feature_spec(customers: Customers, params: EnvironmentParams, config: PpoConfig) -> NetworkSpec:
    """Fixed normalisation: mean and spread of the features over customers, start histories, prices
    and worlds."""
    rng, count = np.random.default_rng(0), 512
    rows = []
    for world in draw_worlds(rng, params, config):
        envs = VectorRetention(customers, world, count, seed=0, draw="value")
        prices = draw_prices(rng, count, config.highest_price * params.price_reach)
        told = context_features(CONTEXT, prices, world)
        rows.append(np.concatenate([raw_features(envs.observation), told], axis=1))
    features = np.concatenate(rows)
    mean, scale = features.mean(axis=0), features.std(axis=0)
    scale[: -len(RANGES)] = np.maximum(scale[: -len(RANGES)], 0.1)
    for place, (low, high) in enumerate(RANGES.values(), start=len(scale) - len(RANGES)):
        mean[place], scale[place] = (low + high) / 2, (high - low) / np.sqrt(12)
    return NetworkSpec(params=params, mean=tuple(mean), scale=tuple(scale), context=CONTEXT)


def standardised(advantage: Array, price: Array, bins: int) -> Array:
    """(B,) advantages with mean 0 and deviation 1 among steps of like prices (B,): where money is
    dear less is at stake, and the dear end would hardly be learnt."""
    result = np.empty_like(advantage)
    for rows in np.array_split(np.argsort(price), bins):
        part = advantage[rows]
        result[rows] = (part - part.mean()) / (part.std() + 1e-8)
    return result
