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

The aim is an integral of surprises, and winds up on days on which nobody could accept anything,
whatever the price: after a paused month the next one would cost twice its budget. So such a day
counts only as far as it brings spend that was ahead back to what was aimed at; beyond that the aim
is held (anti-windup by conditional integration: Åström and Hägglund, "PID Controllers: Theory,
Design, and Tuning", 2nd ed., 1995, section 3.5). A long pause makes it forget, bit by bit.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

EXPONENT = 0.9
"""Share of a period's surprise that is answered at once; below 2 it is stable, at 1 it would answer
all of it, chance included."""
LOWEST_AIM, HIGHEST_AIM = 0.25, 4.0
"""A budget that can't be spent, or not be kept, must not take the aim out of sight."""
LONG_PAUSE, HALF_LIFE = 30, 60
"""Days in a row on which nobody could accept anything: for how many the aim is held, and in how
many more it goes half of the way (of its logarithm) back to 1."""


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
    """A period's days, and what each day that is over has spent, as shares of its budget.

    Attributes:
        quiet: days, counted from 0, on which nobody could accept anything.
    """

    days: int
    spent: Sequence[float]
    quiet: Collection[int] = ()


@dataclass
class _Course:
    """The aim, and what counts of the running period.

    Attributes:
        begun: the period's first aim.
        days: of it that count.
        aimed, spent: on them, as shares of the period's budget.
        waited: quiet days in a row up to now, over the ends of periods.
    """

    aim: float = 1.0
    begun: float = 1.0
    days: int = 0
    aimed: float = 0.0
    spent: float = 0.0
    waited: int = 0

    def begin(self) -> None:
        """A period, at the aim as it is."""
        self.begun, self.days, self.aimed, self.spent = self.aim, 0, 0.0, 0.0

    def follow(self, money: float, period: int) -> None:
        """A day of a period of so many."""
        self.waited = 0
        self.spent += money
        self._count(self.aim / period, period)

    def wait(self, period: int) -> None:
        """A quiet day: spend that is ahead is waited for, spend that is behind is not."""
        self.waited += 1
        if (ahead := self.begun * self.spent - self.aimed) > 0:
            self._count(min(self.aim / period, ahead), period)
        elif self.waited > LONG_PAUSE:
            self.aim **= 0.5 ** (1 / HALF_LIFE)
            self.begin()

    def _count(self, aimed: float, period: int) -> None:
        self.days += 1
        self.aimed += aimed
        ratio = self.begun * self.spent / self.aimed
        ratio = min(max(ratio, LOWEST_AIM), HIGHEST_AIM)  # days without answers yet
        self.aim = next_aim(self.begun, ratio ** (self.days / period))


def aim_of(periods: Iterable[Period]) -> float:
    """The aim after these periods, of which the last may still run.

    Raises:
        ValueError: spend below 0, or not finite.
    """
    course = _Course()
    for period in periods:
        course.begin()
        for day, money in enumerate(period.spent):
            if not 0 <= money < np.inf:
                raise ValueError(f"spent: {money} is not a finite number >= 0")
            if day in period.quiet and money == 0:
                course.wait(period.days)
            else:
                course.follow(money, period.days)
    return course.aim


def price_at(spend: float, prices: Sequence[float], spends: Sequence[float]) -> float:
    """The price at which so much is expected to be spent, between those at which it is known.

    Args:
        prices: rising. spends: expected at each of them, in any unit; jumps up count as level.
    """
    falling = np.minimum.accumulate(np.asarray(spends, dtype=np.float64))
    return float(np.interp(-spend, -falling, np.asarray(prices, dtype=np.float64)))


def still_to_come(
    expected: float, spent: float, unanswered: float, fees: float, comes_true: float = 1.0
) -> float:
    """What the contacts of one day are still to cost, in any unit of money.

    Where refusals aren't reported, all who don't accept stay unanswered: they can bring no more
    than what the day's acceptances lack of the expected sum.

    Args:
        expected: of all of them, before anybody answered.
        spent: of all of them so far, their fees included.
        unanswered, fees: of those that nobody has answered, what was expected and their fees.
        comes_true: share of expected money that is spent in the end (`share_that_comes_true`).
    """
    return max(0.0, min(unanswered * comes_true - fees, expected * comes_true - spent))


def share_that_comes_true(expected: float, cost: float, prior: float) -> float:
    """What contacts whose outcome is known cost, over what was expected of them; from a quarter to
    four times.

    It isn't the inverse of the aim: that also makes up for plans that spend less than is aimed at.
    Were it taken for customers who accept less, open contacts would count for less, the aim would
    rise further, and the fault grow up to tenfold: by 1 / (1 - EXPONENT t) at share t of a period.

    Args:
        expected, cost: of the same contacts, in any unit of money; >= 0.
        prior: so much money is taken to have come as expected, so that a few contacts say little.
    """
    share = (cost + prior) / (expected + prior)
    return min(max(share, LOWEST_AIM), HIGHEST_AIM)
