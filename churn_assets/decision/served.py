"""The policy that reaches customers: which one, and its own figures for the blocking checks."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from churn_assets.decision.actions import Policy
from churn_assets.decision.comparison import Bootstrap, Estimate, systematic_mean
from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.diagnostics import input_sensitivity, visited_states
from churn_assets.decision.dynamics import Array, spend_levels
from churn_assets.decision.evaluation import Evaluation, evaluate
from churn_assets.decision.groups import Groups
from churn_assets.decision.state import ACCEPT, BUDGET


@dataclass(frozen=True)
class Candidate:
    """A policy that could be served: PPO's seed that was chosen on validation customers, or a rule.

    found: its exact figures on the test customers, with the captured uplift that follows from them.
    """

    policy: Policy
    found: Evaluation
    captured_uplift: float


def choose_served(ppo: Candidate, best_rule: Candidate) -> Candidate:
    """PPO, or the best rule where that captures more."""
    return ppo if ppo.captured_uplift >= best_rule.captured_uplift else best_rule


def served_figures(
    served: Candidate, groups: Groups, bootstrap: Bootstrap, params: EnvironmentParams
) -> dict[str, Any]:
    """What the checks hold against the served policy, whichever it is.

    `spend_ratio`: expected spend over the limit on customers who took no part in the calibration
    (`Groups.checking`), so that it can miss the limit. `test_spend_ratio`: on the test customers.
    """
    limit = params.budget_limit
    checking = groups.checking()
    spend = evaluate(served.policy, checking, params).spend / limit
    on_test = Estimate.of(served.found.mean("spend") / limit, bootstrap.spend(served.found) / limit)
    states = visited_states(served.policy, groups.test, params)
    return {
        "captured_uplift": served.captured_uplift,
        "spend_ratio": asdict(systematic_mean(spend, checking.weight)),
        "test_spend_ratio": asdict(on_test),
        "over_contact_rate": served.found.mean("over_cap"),
        "sensitivity": input_sensitivity(served.policy, states),
        "spend_by_allowance": spend_by_allowance(served.policy, states, params),
    }


def spend_by_allowance(policy: Policy, states: Array, params: EnvironmentParams) -> list[float]:
    """Mean expected discount of the decisions in `states` (N, 9), had every customer 0, 1, ... all
    units of the allowance left: share of value.

    More to spend must never lead to less spending; a network can get it wrong, and untrained ones
    do.
    """
    spends = []
    for left in np.linspace(0, 1, spend_levels(params)):
        given = states.copy()
        given[:, BUDGET] = left
        decided = policy.decide(given)
        accept = given[:, ACCEPT][np.arange(len(given)), decided.offer]
        discount = np.asarray(params.discounts)[decided.offer]
        spends.append(float((decided.contact * accept * discount).mean()))
    return spends
