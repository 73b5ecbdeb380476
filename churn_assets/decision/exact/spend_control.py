"""Spend follows the budget: what a period spent too much, the next ones aim lower by.

    aim <- aim / ratio^EXPONENT,     ratio = spent / budget
    price = the price at which the assumed world spends aim x budget

The aim is a share of the budget, and begins at 1. Where customers accept more than is assumed, it
falls until spend is back at the budget, and the price rises with it. The step is taken on spend and
not on the price itself, of which spend is a steep function at small budgets and a flat one at large
ones: price x ratio^0.9 swings for ever at a quarter of the default budget. Nothing is trained.

Within a period the step grows in with it: at share t of the period the aim is aim / ratio^(0.9 t),
with the ratio of the days that are over, so that one dear day in the beginning moves little and the
period's end is the step above. What was spent is held against what was aimed at on those days, so
that a correction on the way isn't taken for the customers' own doing.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

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
    return min(max(aim / max(ratio, 1e-3) ** EXPONENT, LOWEST_AIM), HIGHEST_AIM)


@dataclass(frozen=True)
class Period:
    """A period's days, and what each day that is over has spent, as shares of its budget."""

    days: int
    spent: Sequence[float]


def aim_of(periods: Iterable[Period]) -> float:
    """The aim after these periods, of which the last may still run.

    Raises:
        ValueError: spend below 0, or not finite.
    """
    aim = 1.0
    for period in periods:
        begun, aimed, spent = aim, 0.0, 0.0
        for day, money in enumerate(period.spent, start=1):
            aimed += aim / period.days
            spent += money
            ratio = begun * spent / aimed
            if not 0 <= ratio < np.inf:
                raise ValueError(f"spent: {money} is not a finite number >= 0")
            ratio = min(max(ratio, LOWEST_AIM), HIGHEST_AIM)  # days without answers yet
            aim = next_aim(begun, ratio ** (day / period.days))
    return aim


def price_at(spend: float, prices: Sequence[float], spends: Sequence[float]) -> float:
    """The price at which so much is expected to be spent, between those at which it is known.

    Args:
        prices: rising. spends: expected at each of them, in any unit; jumps up count as level.
    """
    falling = np.minimum.accumulate(np.asarray(spends, dtype=np.float64))
    return float(np.interp(-spend, -falling, np.asarray(prices, dtype=np.float64)))


def still_to_come(
    expected: float, spent: float, unanswered: float, fees: float, aim: float = 1.0
) -> float:
    """What the contacts of one day are still to cost, in any unit of money.

    Where refusals aren't reported, all who don't accept stay unanswered: they can bring no more
    than what the day's acceptances lack of the expected sum.

    Args:
        expected: of all of them, before anybody answered.
        spent: of all of them so far, their fees included.
        unanswered, fees: of those that nobody has answered, what was expected and their fees.
        aim: expectations are wrong by what it makes up for: customers who accept half of what is
            expected are aimed twice as high at.
    """
    return max(0.0, min(unanswered / aim - fees, expected / aim - spent))


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
