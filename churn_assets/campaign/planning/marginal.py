"""What the first contact of a slot without places would bring, and money where what is left of it
buys nothing more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from churn_assets.campaign.planning.allocation import Prices, Problem, gains_at


def with_first_units(problem: Problem, prices: Prices) -> Prices:
    """The prices with those of slots without a place, and of money that buys no single option.

    No allocation depends on these, so the search for prices leaves them anywhere: of slots without
    a place, and of money where the dearer options are beyond the budget, as where all of it is
    promised or handed over. A place brings at most what its contact adds to what its customer
    brings as it is, for money that is there. A unit of money is told at the best rate of all
    options beyond the budget, however dear, beside that of the search: what one adds to what its
    customer brings, for its cost. So it is 0 only where no amount of more money brings anything.
    """
    closed = problem.places < 1
    money, places = prices.money, np.where(closed, 0.0, prices.places)
    start = Prices(prices.money, places.copy())
    unlimited = replace(problem, places=problem.places + closed, budget=np.inf)
    for _, values, costs in unlimited.parts(np.arange(problem.count)):
        shut, beyond = closed[problem.slots], costs > problem.budget
        if not (shut.any() or beyond.any()):
            continue  # the search had all of these
        gains = gains_at(problem, start, values, costs)
        now = np.where(shut | beyond, -np.inf, gains).max(axis=1, initial=0.0)
        extra = gains - now[:, None]
        for slot in np.flatnonzero(closed).tolist():
            first = np.where((problem.slots == slot) & ~beyond, extra, -np.inf)
            places[slot] = max(places[slot], float(first.max(initial=0.0)))
        able = beyond & ~shut
        ratio = np.divide(extra, costs, out=np.full(extra.shape, -np.inf), where=able)
        money = max(money, prices.money + float(ratio.max(initial=0.0)))
    return Prices(money, places)
