"""The oracle's Pareto curve (spend against uplift), the price of the budget, captured uplift."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.exact.oracle import build_chain, solve
from churn_assets.decision.exact.policy_value import (
    Evaluation,
    chain_figures,
    chains,
    evaluate_actions,
)
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.dynamics import Array

HIGHEST_PRICE = 64.0
RELATIVE_PRICES = np.array(
    [0.0, 0.1, 0.25, 0.5, 0.7, 0.85, 0.95, 1, 1.05, 1.15, 1.3, 1.6, 2, 4, 10]
)
"""Prices of a Pareto curve, as multiples of the budget's price: dense where it is read."""
NOTHING = 1e-12
"""Share of the yearly value that is as good as none: sums over customers are rounded by less."""


def without_rounding(share: float) -> float:
    """A share of the value; one that is as good as none is 0, not what rounding left of it."""
    return 0.0 if abs(share) <= NOTHING else share


@dataclass(frozen=True)
class ParetoCurve:
    """Uplift and spend of the oracle's policy for each customer at each price.

    prices: (P,). uplift, spend: (P, C) shares of the customer's value. never: (C,) uplift of never
    contacting (below 0 by the cost of looking). weight: (C,) shares of all value.
    """

    prices: Array
    uplift: Array
    spend: Array
    never: Array
    weight: Array

    def bound(self, spend: float) -> float:
        """Least upper bound on the mean uplift of any policy that spends `spend` (weak duality)."""
        dual = (self.uplift - self.prices[:, None] * self.spend) @ self.weight
        return float(np.min(dual + self.prices * spend))

    def captured(self, uplift: float, spend: float) -> float:
        """Captured uplift: (V - V(never)) / (V(oracle at the same spend) - V(never))."""
        never = float(self.never @ self.weight)
        return float(captured_share(uplift - never, self.bound(spend) - never))


def captured_share(gained: ArrayLike, most: ArrayLike) -> Array:
    """`gained` of `most`, both over never contacting; where there is nothing to capture, 1 for
    whoever loses nothing, else 0."""
    gained, most = np.asarray(gained), np.asarray(most)
    some = most > NOTHING
    found: Array = np.where(some, gained / np.where(some, most, 1.0), gained >= -NOTHING)
    return found


@dataclass(frozen=True)
class BudgetSolution:
    """The oracle at the budget limit: its price and the certificate.

    gap: (dual bound - value of the feasible policy found) / (bound - V(never)), >= 0.
    jump: the most of it that one kind of customers, alike in risk and acceptance, can be the cause
        of: what they spend at a price just below the budget's and no more at it, times the price,
        in the same unit. All of a kind jump at once, since one price is for all of them.
    """

    price: float
    uplift: float
    spend: float
    bound: float
    gap: float
    jump: float


def curve_around(price: float) -> Array:
    """(15,) prices for a Pareto curve that is read near the budget's price."""
    return RELATIVE_PRICES * max(price, 0.1)


def pareto_curve(customers: Customers, params: EnvironmentParams, prices: Array) -> ParetoCurve:
    """Solve the oracle for every customer at every price (chunked over customers)."""
    uplift, spend, never = [], [], []
    for chain in chains(customers, params):
        figures = np.stack([chain_figures(chain, solve(chain, price)) for price in prices])
        uplift.append(figures[..., 0])
        spend.append(figures[..., 1])
        never.append(chain.rest[0, 0, 0])
    return ParetoCurve(
        np.asarray(prices, dtype=np.float64),
        np.concatenate(uplift, axis=1),
        np.concatenate(spend, axis=1),
        np.concatenate(never),
        customers.weight,
    )


def solve_budget(
    customers: Customers, params: EnvironmentParams, tolerance: float = 1e-4
) -> BudgetSolution:
    """Bisect the price until expected spend meets the limit; the feasible side is kept.

    The price is 0 when the limit doesn't bind. `tolerance` is relative, on the price.
    """

    def at(price: float) -> Evaluation:
        return evaluate_actions(lambda chain: solve(chain, price), customers, params)

    low, high = 0.0, HIGHEST_PRICE
    below = kept = at(0.0)
    bound = kept.mean("uplift")
    if kept.mean("spend") <= params.budget_limit:
        high = 0.0
    else:
        kept, bound = at(high), np.inf
        while high - low > tolerance * high:
            middle = float(np.sqrt((low + 0.1) * (high + 0.1)) - 0.1)
            found = at(middle)
            spend = found.mean("spend")
            bound = min(bound, found.mean("uplift") + middle * (params.budget_limit - spend))
            if spend > params.budget_limit:
                low, below = middle, found
            else:
                high, kept = middle, found
    uplift, spend = kept.mean("uplift"), kept.mean("spend")
    never = float(build_chain(customers, params).rest[0, 0, 0] @ customers.weight)
    most = bound - never
    if most <= NOTHING:
        return BudgetSolution(high, uplift, spend, bound, 0.0, 0.0)
    jump = high * _largest_jump(customers, below.spend, kept.spend) / most
    return BudgetSolution(high, uplift, spend, bound, (bound - uplift) / most, jump)


def _largest_jump(customers: Customers, before: Array, after: Array) -> float:
    """The largest change of the mean spend that one kind of customers makes, from spends (C,)."""
    known = np.column_stack([customers.risk, customers.accept])
    _, kind = np.unique(known, axis=0, return_inverse=True)
    return float(np.abs(np.bincount(kind.ravel(), customers.weight * (after - before))).max())
