"""What is left of the uplift where the world is otherwise than the policy was told.

Each policy decides on what the service would show of the world that it was made for; what that
brings is counted, exactly, in another one.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.evaluation.conditions import near, planned
from churn_assets.decision.exact.comparison import captured_uplift
from churn_assets.decision.exact.oracle import GridActions, build_chain
from churn_assets.decision.exact.pareto import ParetoCurve, pareto_curve, without_rounding
from churn_assets.decision.exact.policy_value import (
    Evaluation,
    chain_figures,
    chains,
    followed_actions,
)
from churn_assets.decision.learning.calibration import calibrate_policy
from churn_assets.decision.learning.network_numpy import NetworkPolicy
from churn_assets.decision.mdp.actions import Policy
from churn_assets.decision.mdp.customers import Customers

SHARES = (0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0)
MONTHS = (1, 2, 3, 6, 12, 24, None)
"""Persistence of the effect; None: twelve bills for sure."""
PESSIMISTIC = 0.15
"""Annoyance that a cautious planner assumes, in logits."""
MISJUDGED: dict[str, dict[str, float]] = {
    "risk 20 % higher": {"risk": 1.2},
    "risk 20 % lower": {"risk": 0.8},
    "acceptance 30 % lower": {"accept": 0.7},
    "acceptance 30 % higher": {"accept": 1.3},
    "annoyance 0.15": {"annoyance": 0.15},
    "annoyance 0.3": {"annoyance": 0.3},
}
"""How the world is, and the policy isn't told."""


def decisions_of(
    policy: Policy, customers: Customers, params: EnvironmentParams
) -> list[list[GridActions]]:
    """What a policy decides along the customers' chains, in the world it is shown."""
    return [followed_actions(policy, chain) for chain in chains(customers, params)]


def evaluate_decided(
    decided: list[list[GridActions]], customers: Customers, params: EnvironmentParams
) -> Evaluation:
    """Exact figures of decisions that were made already, in the world as it is."""
    worlds = zip(chains(customers, params), decided, strict=True)
    figures = [chain_figures(chain, grid) for chain, grid in worlds]
    return Evaluation.of(np.concatenate(figures), customers.weight)


def break_even(policy: Policy, customers: Customers, params: EnvironmentParams) -> dict[str, Any]:
    """Net uplift over leaving everybody alone, if the effect works for other shares of those who
    accept, and lasts for other numbers of months.

    Returns:
        `effect_share` (S,), `persistence` (P,), `net_uplift` (S, P) in shares of the yearly value,
        and `least_share` (P,): the effect share at which contacting nobody is as good; None where
        it is better even if the effect works for all.
    """
    decided = decisions_of(policy, customers, params.clean)
    never = build_chain(customers, params.clean).rest[0, 0, 0] @ customers.weight
    net = np.empty((len(SHARES), len(MONTHS)))
    for row, share in enumerate(SHARES):
        for column, months in enumerate(MONTHS):
            world = params.clean.model_copy(update={"effect_share": share, "persistence": months})
            found = evaluate_decided(decided, customers, world)
            net[row, column] = without_rounding(found.mean("uplift") - float(never))
    return {
        "effect_share": list(SHARES),
        "persistence": list(MONTHS),
        "net_uplift": net.tolist(),
        "least_share": [least_share(column) for column in net.T],
    }


def least_share(net: np.ndarray) -> float | None:
    """Where net uplift (S,) crosses 0 over `SHARES`, in a line between neighbours (and from 0,
    where contacts only cost, by the slope of the first two)."""
    if net[-1] <= 0:
        return None
    above = int(np.argmax(net > 0))
    low, high = max(above - 1, 0), max(above, 1)
    slope = (net[high] - net[low]) / (SHARES[high] - SHARES[low])
    return float(max(SHARES[high] - net[high] / slope, 0.0))


def unseen_misestimation(
    policies: Mapping[str, Policy], customers: Customers, params: EnvironmentParams, price: float
) -> dict[str, dict[str, dict[str, float]]]:
    """By name of `MISJUDGED` and policy: captured uplift, uplift and spend over the limit, where
    risk, acceptance or annoyance are misjudged and nothing of it is seen."""
    table = {}
    decided = {name: decisions_of(one, customers, params.clean) for name, one in policies.items()}
    for name, wrong in MISJUDGED.items():
        people = customers.stressed(wrong.get("risk", 1.0), wrong.get("accept", 1.0))
        annoyance = wrong.get("annoyance", params.annoyance_effect)
        world = params.clean.model_copy(update={"annoyance_effect": annoyance})
        curve = pareto_curve(people, world, near(price))
        found = {
            policy: evaluate_decided(decisions, people, world)
            for policy, decisions in decided.items()
        }
        table[name] = {policy: _figures(one, curve, params) for policy, one in found.items()}
    return table


def pessimism(
    policy: NetworkPolicy, customers: Customers, calibration: Customers
) -> dict[str, dict[str, float]]:
    """What it costs to assume more annoyance than there is, and what it saves where there is.

    By policy and assumed annoyance, captured uplift by the true annoyance: the policy's own,
    `PESSIMISTIC`, 0.3. The price is set anew for each assumed world.
    """
    own = policy.spec.params
    worlds = {
        f"{annoyance:g}": own.clean.model_copy(update={"annoyance_effect": annoyance})
        for annoyance in sorted({own.annoyance_effect, PESSIMISTIC, 0.3})
    }
    curves = {
        name: pareto_curve(customers, w, near(policy.spec.price)) for name, w in worlds.items()
    }
    table = {}
    for annoyance in sorted({own.annoyance_effect, PESSIMISTIC}):
        assumed = own.clean.model_copy(update={"annoyance_effect": annoyance})
        told = calibrate_policy(policy, calibration, assumed)
        for decides in (told, planned(calibration, assumed)):
            decided = decisions_of(decides, customers, assumed)
            found = {
                name: evaluate_decided(decided, customers, world) for name, world in worlds.items()
            }
            table[f"{decides.name}, assuming {annoyance:g}"] = {
                name: captured_uplift(curves[name], one) for name, one in found.items()
            }
    return table


def _figures(found: Evaluation, curve: ParetoCurve, params: EnvironmentParams) -> dict[str, float]:
    return {
        "captured_uplift": captured_uplift(curve, found),
        "uplift": found.mean("uplift"),
        "spend_ratio": found.mean("spend") / params.budget_limit,
    }
