"""What stands behind the headline: which inputs matter, where the gap lies, how stress is borne."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.exact.comparison import captured_uplift
from churn_assets.decision.exact.oracle import GridActions, solve
from churn_assets.decision.exact.pareto import (
    NOTHING,
    ParetoCurve,
    curve_around,
    pareto_curve,
    solve_budget,
)
from churn_assets.decision.exact.policy_value import (
    Evaluation,
    chain_figures,
    chains,
    evaluate,
    policy_actions,
)
from churn_assets.decision.exact.states import Level
from churn_assets.decision.learning.calibration import calibrate_policy
from churn_assets.decision.learning.network_numpy import NetworkPolicy
from churn_assets.decision.mdp.actions import Policy
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.dynamics import Array
from churn_assets.decision.mdp.environment import VectorRetention
from churn_assets.decision.mdp.observation import COLUMNS
from churn_assets.decision.rules.families import Rule
from churn_assets.decision.rules.tuning import retuned

SEEN_SHIFTS: dict[str, dict[str, float]] = {
    "budget -50 %": {"budget": 0.5},
    "churn +20 %": {"risk": 1.2},
    "acceptance -30 %": {"accept": 0.7},
}
"""Other worlds whose numbers the policy is shown (what it isn't shown: `assumptions.MISJUDGED`)."""

Mix = Callable[[Level, GridActions, GridActions], GridActions]
"""Decisions at the states of a level, mixed of the policy's and the optimum's."""


@dataclass(frozen=True)
class Visits:
    """Decision points that a policy meets.

    states: (N, 9). customer: (N,) whose state it is: what they decide is alike, not N draws.
    """

    states: Array
    customer: NDArray[np.int64]

    def mean(self, values: Array) -> dict[str, float]:
        """Mean of `values` (N,), and its standard error over customers (all of one's states vary
        together: Cameron and Miller 2015, the cluster-robust error)."""
        mean = float(values.mean())
        by_customer = np.bincount(self.customer, values - mean)
        return {"value": mean, "error": float(np.sqrt((by_customer**2).sum()) / len(values))}


def visit(
    policy: Policy, customers: Customers, params: EnvironmentParams, count: int = 2048
) -> Visits:
    """The (8 x count) states that a policy meets in eight steps from fresh starts."""
    envs = VectorRetention(customers, params, count, seed=7)
    states, customer = [], []
    for _ in range(8):
        states.append(envs.observation)
        customer.append(envs.customer)
        envs.step(policy.decide(states[-1]).actions)
    return Visits(np.concatenate(states), np.concatenate(customer))


def input_sensitivity(policy: Policy, states: Array) -> dict[str, float]:
    """Share of decisions that change when one input is permuted among the states."""
    rng = np.random.default_rng(0)
    before = policy.decide(states)
    changed = {}
    for column, name in enumerate(COLUMNS):
        permuted = states.copy()
        permuted[:, column] = rng.permutation(permuted[:, column])
        after = policy.decide(permuted)
        differs = (before.contact != after.contact) | (before.offer != after.offer)
        changed[name] = float((differs | (before.delay != after.delay)).mean())
    return changed


def heads_from_best(*heads: str) -> Mix:
    """The optimum's decisions of some heads ("contact", "offer", "delay"), everywhere."""
    return lambda _, own, best: replace(own, **{head: getattr(best, head) for head in heads})


def states_from_best(where: Callable[[int, NDArray[np.bool_]], NDArray[np.bool_] | bool]) -> Mix:
    """All the optimum's decisions in some states.

    `where` is given the contacts made, and for each state (K,) whether the cooldown is over.
    """

    def mix(level: Level, own: GridActions, best: GridActions) -> GridActions:
        rested = level.days == level.place.shape[-1] - 1
        chosen = np.broadcast_to(where(level.contacts, rested), rested.shape)[:, None]
        names = ("contact", "offer", "delay")
        return GridActions(*(np.where(chosen, getattr(best, n), getattr(own, n)) for n in names))

    return mix


BY_HEAD: dict[str, Mix] = {
    "none": heads_from_best(),
    "contact": heads_from_best("contact"),
    "offer": heads_from_best("offer"),
    "delay": heads_from_best("delay"),
    "contact and offer": heads_from_best("contact", "offer"),
}
BY_STATE: dict[str, Mix] = {
    "before a contact": states_from_best(lambda contacts, _: contacts == 0),
    "after one contact": states_from_best(lambda contacts, _: contacts == 1),
    "after two or more": states_from_best(lambda contacts, _: contacts >= 2),
    "in the cooldown": states_from_best(lambda _, rested: ~rested),
    "out of the cooldown": states_from_best(lambda _, rested: rested),
}


def captured_with_help(
    policy: Policy,
    customers: Customers,
    curve: ParetoCurve,
    params: EnvironmentParams,
    price: float,
    mixes: Mapping[str, Mix],
) -> dict[str, float]:
    """Captured uplift with some of the policy's decisions replaced by the optimum's at `price`.

    What a replacement adds is what the policy loses there.
    """
    figures: dict[str, list[Array]] = {name: [] for name in mixes}
    for chain in chains(customers, params):
        own, best = policy_actions(policy, chain), solve(chain, price)
        for name, mix in mixes.items():
            grid = [mix(*level) for level in zip(chain.levels, own, best, strict=False)]
            figures[name].append(chain_figures(chain, grid))
    return {
        name: captured_uplift(curve, Evaluation.of(np.concatenate(found), customers.weight))
        for name, found in figures.items()
    }


def gap_by_risk(
    found: Array, best: Array, risk: Array, weight: Array, bins: int = 5
) -> dict[str, float]:
    """Share of the lost uplift that lies in each fifth of the customers, by churn risk; 0 in each
    where nothing is lost."""
    lost = (best - found) * weight
    whole = lost.sum()
    some = abs(whole) > NOTHING
    edges = np.quantile(risk, np.linspace(0, 1, bins + 1)[1:-1])
    group = np.searchsorted(edges, risk)
    return {
        f"risk fifth {index + 1}": float(lost[group == index].sum() / whole) if some else 0.0
        for index in range(bins)
    }


def stressed_params(params: EnvironmentParams, stress: Mapping[str, float]) -> EnvironmentParams:
    """The world with the stress's share of its budget."""
    limit = params.budget_limit * stress.get("budget", 1.0)
    return EnvironmentParams.model_validate(dict(params) | {"budget_limit": limit})


def stressed_customers(customers: Customers, stress: Mapping[str, float]) -> Customers:
    """The customers with the stress's factors on their probabilities."""
    return customers.stressed(stress.get("risk", 1.0), stress.get("accept", 1.0))


def seen_shifts(
    policy: NetworkPolicy, rule: Rule, test: Customers, calibration: Customers
) -> dict[str, dict[str, Any]]:
    """Each seen shift with policy and rule fixed, and with the price of either re-tuned to the
    limit: what they are shown is right.

    Re-tuning sets the price that the network is told, or the rule's knob, anew on stressed
    customers: nothing is trained.
    """
    table = {}
    for name, stress in SEEN_SHIFTS.items():
        params = stressed_params(policy.spec.params, stress)
        world, base = (stressed_customers(group, stress) for group in (test, calibration))
        price = solve_budget(base, params.clean, 1e-2).price
        curve = pareto_curve(world, params.clean, curve_around(price))
        rows: dict[str, Policy | None] = {
            "PPO, fixed": policy,
            "PPO, price re-tuned": calibrate_policy(policy, base, params),
            "best rule, fixed": rule,
            "best rule, price re-tuned": retuned(rule, base, params),
        }
        table[name] = {
            row: {
                "captured_uplift": captured_uplift(curve, found),
                "uplift": found.mean("uplift"),
                "spend_ratio": found.mean("spend") / params.budget_limit,
            }
            for row, candidate in rows.items()
            if candidate is not None
            for found in [evaluate(candidate, world, params.clean)]
        }
    return table
