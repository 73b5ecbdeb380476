"""One trained network under other conditions: other budgets and other worlds, each told to it.

Nothing is trained here: the network gets another price, found on calibration customers, and the
world's constants.
"""

from collections.abc import Mapping

import numpy as np

from churn_assets.decision.config import PRESETS, EnvironmentParams, WorldSettings
from churn_assets.decision.exact.calibration import within_limit
from churn_assets.decision.exact.comparison import captured_uplift
from churn_assets.decision.exact.pareto import HIGHEST_PRICE, pareto_curve
from churn_assets.decision.exact.policy_value import evaluate
from churn_assets.decision.learning.calibration import calibrate_policy
from churn_assets.decision.learning.network_numpy import NetworkPolicy
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.dynamics import Array
from churn_assets.decision.rules.planner import Planner

BUDGETS = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0)
"""Of the period's budget, the shares for which the network is told another price."""
NEAR = np.array([0.0, 0.85, 0.95, 1.0, 1.05, 1.15])


def captured_by_budget(
    policy: NetworkPolicy, test: Customers, calibration: Customers
) -> dict[str, float]:
    """Captured uplift on the test customers at each share of the budget (keys "0.25" to "3")."""
    params = policy.spec.params
    return {
        f"{share:g}": captured_when_told(policy, scaled(params, share), test, calibration)
        for share in BUDGETS
    }


def captured_in_worlds(
    policy: NetworkPolicy, settings: WorldSettings, test: Customers, calibration: Customers
) -> dict[str, float]:
    """Captured uplift in each preset, and in two worlds beside them, each with its own budget."""
    return {
        name: captured_when_told(policy, params, test, calibration)
        for name, params in changed_worlds(settings, policy.spec.params).items()
    }


def changed_worlds(
    settings: WorldSettings, served: EnvironmentParams
) -> Mapping[str, EnvironmentParams]:
    """By name: the presets, the served world with six times the annoyance, and the harsh one with
    the cooldown of a week; all with the served world's offers. A preset whose cooldown is shorter
    than the hard one that is assumed has one as long."""
    offers = {name: getattr(served, name) for name in ("discounts", "budget_allowance")}
    presets = {
        name: settings.assumed.with_room(world).model_copy(update=offers)
        for name, world in PRESETS.items()
    }
    harsh = presets["harsh"].model_copy(
        update={"cooldown_days": max(7, presets["harsh"].hard_cooldown_days)}
    )
    annoyed = served.model_copy(update={"annoyance_effect": 0.3})
    return presets | {"annoyance 0.3": annoyed, "harsh, cooldown of 7 days": harsh}


def scaled(params: EnvironmentParams, share: float) -> EnvironmentParams:
    """The world with a share of its budget."""
    return params.model_copy(update={"budget_limit": share * params.budget_limit})


def captured_when_told(
    policy: NetworkPolicy, params: EnvironmentParams, test: Customers, calibration: Customers
) -> float:
    """Captured uplift of the network in a world that it is told, at the price of its budget."""
    priced = calibrate_policy(policy, calibration, params)
    found = evaluate(priced, test, params.clean)
    curve = pareto_curve(test, params.clean, near(priced.spec.price))
    return captured_uplift(curve, found)


def near(price: float) -> Array:
    """Prices around one, by which the bound on uplift at its spend is tight."""
    return np.unique(np.append(NEAR * price, price + np.array([0.1, 0.25])))


def planned(calibration: Customers, params: EnvironmentParams) -> Planner:
    """The exact planner at the price at which it keeps the budget on the calibration customers."""

    def ratio(price: float) -> float:
        found = evaluate(Planner(params=params, price=price), calibration, params.clean)
        return found.mean("spend") / params.budget_limit

    return Planner(params=params, price=within_limit(ratio, HIGHEST_PRICE))
