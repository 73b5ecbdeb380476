"""Spend follows the budget: what a period spent too much, the next ones aim lower by.

    aim <- aim / ratio^EXPONENT,     ratio = spent / budget
    price = the price at which the assumed world spends aim x budget

The aim is a share of the budget, and begins at 1. Where customers accept more than is assumed, it
falls until spend is back at the budget, and the price rises with it. The step is taken on spend and
not on the price itself, of which spend is a steep function at small budgets and a flat one at large
ones: price x ratio^0.9 swings for ever at a quarter of the default budget. Nothing is trained.
"""

from collections.abc import Callable, Iterator

import numpy as np

EXPONENT = 0.9
"""Share of a period's surprise that is answered at once; below 2 it is stable, at 1 it would answer
all of it, chance included."""
LOWEST_AIM, HIGHEST_AIM = 0.25, 4.0
"""A budget that can't be spent, or not be kept, must not take the aim out of sight."""


def next_aim(aim: float, ratio: float) -> float:
    """The next period's aim after one that spent `ratio` times its budget.

    Raises:
        ValueError: an aim or a ratio below 0, or not finite.
    """
    for name, number in (("aim", aim), ("ratio", ratio)):
        if not 0 <= number < np.inf:
            raise ValueError(f"{name}: {number} is not a finite number >= 0")
    return float(np.clip(aim / max(ratio, 1e-3) ** EXPONENT, LOWEST_AIM, HIGHEST_AIM))


def controlled(
    price_of: Callable[[float], float], spent: Callable[[int, float], float], periods: int
) -> Iterator[float]:
    """Each period's spend over its budget.

    Args:
        price_of: the price at which the assumed world spends this share of the budget.
        spent: what a period, by its number, spends over its budget at a price.
    """
    aim = 1.0
    for period in range(periods):
        ratio = spent(period, price_of(aim))
        yield ratio
        aim = next_aim(aim, ratio)
