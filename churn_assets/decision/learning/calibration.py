"""Calibration of the deployed (argmax) network to the budget: the price that it is told."""

from dataclasses import replace

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.exact.calibration import within_limit
from churn_assets.decision.exact.pareto import HIGHEST_PRICE
from churn_assets.decision.exact.policy_value import evaluate
from churn_assets.decision.learning.network_numpy import NetworkPolicy
from churn_assets.decision.mdp.customers import Customers


def told(policy: NetworkPolicy, price: float, params: EnvironmentParams) -> NetworkPolicy:
    """The same network, told another price and world."""
    return replace(policy, spec=policy.spec.within(params).at(price))


def calibrate_policy(
    policy: NetworkPolicy, customers: Customers, params: EnvironmentParams
) -> NetworkPolicy:
    """Tell the network the price at which its expected spend in a world meets the world's limit,
    for a period from clean sheets. Nothing is trained: a new budget is a new number."""

    def ratio(price: float) -> float:
        found = evaluate(told(policy, price, params), customers, params.clean)
        return found.mean("spend") / params.budget_limit

    return told(policy, within_limit(ratio, HIGHEST_PRICE), params)
