"""What a training episode is told beside its state: a price of the budget, and a world.

Each episode draws its own price, each group of environments its own world, so that one network
learns the best policy for every price and world of the ranges (as BCORLE(lambda), Zhang et al.
2021, does for the price): a new budget or a re-estimated world is another number in its input.
"""

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


def draw_prices(rng: np.random.Generator, count: int, highest: float) -> Array:
    """(N,) prices from 0 to `highest`, even in log(price + `PRICE_OFFSET`)."""
    low, high = np.log(PRICE_OFFSET), np.log(highest + PRICE_OFFSET)
    prices: Array = np.exp(rng.uniform(low, high, count)) - PRICE_OFFSET
    return np.maximum(prices, 0.0)


def draw_worlds(
    rng: np.random.Generator, params: EnvironmentParams, config: PpoConfig
) -> list[EnvironmentParams]:
    """`config.worlds` worlds: the given one `config.own_worlds` times; of the others half are
    drawn evenly from `RANGES`, and half have the constants of a preset."""
    presets = list(PRESETS.values())
    drawn = [params] * config.own_worlds
    for place in range(config.worlds - config.own_worlds):
        if place % 2:
            preset = presets[rng.integers(len(presets))]
            constants = {name: getattr(preset, name) for name in RANGES}
        else:
            constants = {name: rng.uniform(*bounds) for name, bounds in RANGES.items()}
            constants["cooldown_days"] = round(constants["cooldown_days"])
        constants["cooldown_days"] = max(constants["cooldown_days"], params.hard_cooldown_days)
        drawn.append(EnvironmentParams.model_validate(dict(params) | constants))
    return drawn


def feature_spec(customers: Customers, params: EnvironmentParams, config: PpoConfig) -> NetworkSpec:
    """Fixed normalisation: mean and spread of the features over customers, start histories, prices
    and worlds."""
    rng, count = np.random.default_rng(0), 512
    rows = []
    for world in draw_worlds(rng, params, config):
        envs = VectorRetention(customers, world, count, seed=0, draw="value")
        told = context_features(CONTEXT, draw_prices(rng, count, config.highest_price), world)
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
