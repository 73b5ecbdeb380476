"""What the first contact of a slot without places would bring, and the first unit of money."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from churn_assets.campaign.planning.allocation import Prices, Problem, gains_at


def with_first_units(problem: Problem, prices: Prices) -> Prices:
    """The prices with those of slots without a place, and of money where there is none.

    No allocation depends on these, so the search for prices leaves them anywhere. What one more
    unit would bring at most is what it adds to what its customer brings as it is.
    """
    closed, broke = problem.places < 1, problem.budget == 0
    if not (broke or closed.any()):
        return prices
    money, places = 0.0 if broke else prices.money, np.where(closed, 0.0, prices.places)
    start = Prices(money, places.copy())
    more = replace(problem, places=problem.places + closed, budget=problem.budget + broke)
    for _, values, costs in more.parts(np.arange(problem.count)):
        gains = gains_at(problem, start, values, costs)
        shut, paid = closed[problem.slots], costs > problem.budget
        now = np.where(shut | paid, -np.inf, gains).max(axis=1, initial=0.0)
        extra = gains - now[:, None]
        for slot in np.flatnonzero(closed).tolist():
            first = np.where((problem.slots == slot) & ~paid, extra, -np.inf)
            places[slot] = max(places[slot], float(first.max(initial=0.0)))
        if broke:
            able = paid & ~shut
            ratio = np.divide(extra, costs, out=np.full(extra.shape, -np.inf), where=able)
            money = max(money, float(ratio.max(initial=0.0)))
    return Prices(money, places)
