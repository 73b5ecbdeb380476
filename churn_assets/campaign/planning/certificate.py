"""The linear program's bound on every plan: what an allocation's gap is measured against."""

from __future__ import annotations

import numpy as np

from churn_assets.campaign.planning.allocation import (
    Floats,
    Ints,
    Prices,
    Problem,
    dual_bound,
    gains_at,
)

CERTIFIED = 50_000  # customers up to whom HiGHS gives the bound
WIDTHS = (0.02, 0.2, np.inf)  # shares of a place's mean value: which options HiGHS is given
NEAR = 1e-4
"""How far, relatively, the bound at a program's prices may lie above its value: a hundredth of a
percent. With 9,000 customers the last width takes half a minute to come nearer by a thousandth."""


def linear_bound(problem: Problem, prices: Prices) -> float:
    """The linear program's value (HiGHS): contacts may be split, so no plan brings more.

    By column generation: solved with the options that are near the best at `prices`, then priced
    with all of them, wider until no option that was left out could add more than `NEAR`. For up to
    some 50,000 customers; takes seconds, a minute where nearly everybody is worth contacting.

    Raises:
        RuntimeError: the solver found no optimum.
    """
    scale = dual_bound(problem, prices) / max(1.0, float(problem.places.sum()))
    for width in WIDTHS:
        value, at_optimum = _restricted_program(problem, prices, width * scale)
        bound = dual_bound(problem, at_optimum)
        if bound <= value * (1 + NEAR):
            break
    return min(bound, dual_bound(problem, prices))


def _restricted_program(problem: Problem, prices: Prices, width: float) -> tuple[float, Prices]:
    """The linear program's value and prices with the options that fall short of the customer's best
    by less than `width` at `prices`."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_array, vstack

    found: list[tuple[Ints, Ints, Floats, Floats]] = []
    for place, value, cost in problem.parts(np.arange(problem.count)):
        gains = gains_at(problem, prices, value, cost)
        best = gains.max(axis=1, initial=0.0).clip(0.0)
        row, option = np.nonzero((value > 0) & (gains >= best[:, None] - width))
        found.append((row + place.start, option, value[row, option], cost[row, option]))
    row, option, values, money = (np.concatenate(part) for part in zip(*found, strict=True))
    if not len(row):
        return 0.0, Prices(0.0, np.zeros(len(problem.places)))
    names, ones = np.arange(len(row)), np.ones(len(row))
    customers = csr_array((ones, (row, names)), shape=(problem.count, len(row)))
    slots = csr_array((ones, (problem.slots[option], names)), shape=(len(problem.places), len(row)))
    limits = np.concatenate([np.ones(problem.count), problem.places, [problem.budget]])
    matrix = vstack([customers, slots, csr_array(money[None, :])])
    answer = linprog(-values, A_ub=matrix, b_ub=limits, bounds=(0, None), method="highs")
    if answer.status != 0:
        raise RuntimeError(f"the linear program has no bound: {answer.message}")
    duals = np.maximum(-answer.ineqlin.marginals[problem.count :], 0.0)
    return -float(answer.fun), Prices(float(duals[-1]), duals[:-1])
