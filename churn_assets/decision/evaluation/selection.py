"""The policy that reaches customers: which one may, which one does, and its figures for the gates
(`gates.py`)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from scipy.special import stdtrit

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.evaluation.diagnostics import Visits, input_sensitivity, visit
from churn_assets.decision.evaluation.gates import NEAR_THE_BEST
from churn_assets.decision.exact.comparison import Bootstrap, systematic_mean
from churn_assets.decision.exact.policy_value import Evaluation, evaluate
from churn_assets.decision.mdp.actions import Policy
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.dynamics import Array, spend_levels
from churn_assets.decision.mdp.groups import Groups
from churn_assets.decision.mdp.observation import ACCEPT, BUDGET
from churn_assets.domain.evidence import SHOWN, chance_of_a_false_miss
from churn_assets.domain.statistics import Estimate


@dataclass(frozen=True)
class Candidate:
    """A policy that could be served: PPO's seed that was chosen on validation customers, or a rule.

    found: its exact figures on the test customers, with the captured uplift that follows from them.
    """

    policy: Policy
    found: Evaluation
    captured_uplift: float


def choose_served(
    ppo: Candidate, others: Sequence[Candidate], failed_gates: Sequence[str], wanted: str = "best"
) -> Candidate:
    """PPO where it passes its gates and is within `NEAR_THE_BEST` of the best; else the best.

    Args:
        others: rules, and the planner.
        wanted: "best", or the name of a policy that is to be served whatever it captures; PPO only
            where it passes its gates.

    Raises:
        ValueError: a policy is wanted that isn't among them.
    """
    known = {candidate.policy.name: candidate for candidate in others}
    best = max(others, key=lambda candidate: candidate.captured_uplift)
    if wanted not in ("best", ppo.policy.name):
        if wanted not in known:
            raise ValueError(f"serve: {wanted!r} is none of {['best', 'ppo', *sorted(known)]}")
        return known[wanted]
    near = ppo.captured_uplift >= best.captured_uplift - NEAR_THE_BEST
    fit = not failed_gates and (near or wanted != "best")
    return ppo if fit else best


def served_figures(
    served: Candidate, groups: Groups, bootstrap: Bootstrap, params: EnvironmentParams
) -> dict[str, Any]:
    """What the checks hold against the served policy, whichever it is.

    `spend_ratio`: expected spend over the limit on customers who took no part in the calibration
    (`Groups.checking`), so that it can miss the limit. `test_spend_ratio`: on the test customers.
    The error of both is `of_few`.
    """
    limit = params.budget_limit
    checking = groups.checking()
    spend = evaluate(served.policy, checking, params.clean).spend / limit
    on_test = Estimate.of(served.found.mean("spend") / limit, bootstrap.spend(served.found) / limit)
    return {
        "captured_uplift": served.captured_uplift,
        "spend_ratio": asdict(of_few(systematic_mean(spend, checking.weight), len(checking))),
        "test_spend_ratio": asdict(of_few(on_test, len(groups.test))),
        "over_contact_rate": served.found.mean("over_cap"),
        "sensitivity": input_sensitivity(
            served.policy, visit(served.policy, groups.test, params).states
        ),
    }


def of_few(found: Estimate, count: int) -> Estimate:
    """The estimate with the standard error that gates have to reckon with where so few customers
    tell both the figure and its spread: `SHOWN` of it are exceeded as rarely as of a normal one.

    By Student's t with `count` - 1 degrees of freedom (Student, 1908), and without the bias by
    which so few spread less than all: 3.4 times the error of 6 customers, 1.007 of 700. One
    customer has no spread, and shows nothing: its error is the figure itself.
    """
    if count < 2:
        return replace(found, error=abs(found.value))
    beyond = float(stdtrit(count - 1, 1 - chance_of_a_false_miss())) / SHOWN
    return replace(found, error=found.error * beyond * float(np.sqrt(count / (count - 1))))


def learned_figures(
    ppo: Candidate, improvement: list[dict[str, float]], test: Customers, params: EnvironmentParams
) -> dict[str, Any]:
    """What the gates of the learned policy read (`gates.GATES`).

    Args:
        improvement: of each training run, captured uplift at its end less that at its first point.
    """
    visits = visit(ppo.policy, test, params)
    spends = spend_by_allowance(ppo.policy, visits, params)
    return {
        "captured_uplift": ppo.captured_uplift,
        "improvement": improvement,
        "sensitivity": input_sensitivity(ppo.policy, visits.states),
        "spend_by_allowance": spends.mean(axis=1).tolist(),
        "spend_steps": [visits.mean(step) for step in np.diff(spends, axis=0)],
    }


def spend_by_allowance(policy: Policy, visits: Visits, params: EnvironmentParams) -> Array:
    """(L, N) expected discount of the decision in each visited state, had every customer 0, 1, ...
    all units of the allowance left: share of value.

    More to spend must never lead to less spending; a network can get it wrong, and untrained ones
    do.
    """
    spends = []
    for left in np.linspace(0, 1, spend_levels(params)):
        given = visits.states.copy()
        given[:, BUDGET] = left
        decided = policy.decide(given)
        accept = given[:, ACCEPT][np.arange(len(given)), decided.offer]
        discount = np.asarray(params.discounts)[decided.offer]
        spends.append(decided.contact * accept * discount)
    return np.stack(spends)
