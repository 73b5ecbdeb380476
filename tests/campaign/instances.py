"""Made-up allocation problems: random small ones, and companies of any size."""

from __future__ import annotations

import numpy as np

from churn_assets.campaign.planning.allocation import Floats, Ints, Problem

DISCOUNTS = np.array([0.0, 0.05, 0.10, 0.15])


def small(rng: np.random.Generator) -> Problem:
    """Up to 14 customers, 8 options and 4 slots, with ties, zeros and closed options."""
    count, options, slots = rng.integers(0, 15), rng.integers(1, 9), rng.integers(1, 5)
    value = rng.normal(2.0, 4.0, (count, options))
    money = rng.exponential(2.0, (count, options))
    if rng.random() < 0.5:
        value, money = value.round(), money.round()  # ties
    value[rng.random(value.shape) < 0.2] = -np.inf
    money[rng.random(money.shape) < 0.2] = 0.0
    places = rng.integers(0, 6, slots).astype(float)
    budget = float(rng.choice([0.0, rng.exponential(8.0), 1e6]))
    return Problem.of(value, money, rng.integers(0, slots, options), places, budget)


def company(count: int, *, days: int = 7, seed: int = 0, contacts: float = 0.05) -> Problem:
    """A company whose mails and calls of some days are for a few of its customers.

    Args:
        contacts: mails a day, as a share of the customers; calls are a tenth of that.
    """
    rng = np.random.default_rng(seed)
    risk, bill = rng.beta(1.2, 3, count), 12 * rng.uniform(20, 120, count)
    lift = np.array([0, 0.1, 0.2, 0.28]) * rng.uniform(0.5, 1.5, (count, 1))
    accept = np.clip(rng.beta(2, 8, (count, 1)) + lift, 0, 1)
    value = (accept * (0.8 * risk[:, None] - DISCOUNTS) - 0.001) * bill[:, None]
    cost = accept * DISCOUNTS * bill[:, None]
    reach, fee = np.array([0.6, 0.9]), np.array([0.05, 3.0])
    slots = np.repeat(np.arange(2 * days), 4)
    stay = (1 - risk) ** (1 / 30)
    places = np.tile([round(contacts * count), round(contacts * count / 10)], days).astype(float)

    def chunk(rows: Ints) -> tuple[Floats, Floats]:
        there = (stay[rows, None] ** np.arange(days))[:, :, None, None]
        worth = there * (reach[:, None] * value[rows, None, None, :]) - fee[:, None]
        money = there * (reach[:, None] * cost[rows, None, None, :]) + fee[:, None]
        return worth.reshape(len(rows), len(slots)), money.reshape(len(rows), len(slots))

    budget = 0.1 * float(cost[:, 2].sum())
    return Problem(count, slots, places, budget, chunk)
