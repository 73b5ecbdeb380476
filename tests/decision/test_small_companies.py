"""Few customers, customers all alike, customers with nothing to gain: figures and checks hold."""

import json

import numpy as np
import pytest

from checks import decision as checks
from churn_assets.decision.config import EnvironmentParams, WorldSettings
from churn_assets.decision.evaluation.conditions import planned
from churn_assets.decision.evaluation.diagnostics import gap_by_risk
from churn_assets.decision.evaluation.gates import most_spend, spend_is_within_the_budget
from churn_assets.decision.evaluation.selection import Candidate, of_few, served_figures
from churn_assets.decision.exact import pareto
from churn_assets.decision.exact.comparison import Bootstrap, captured_uplift
from churn_assets.decision.exact.oracle import Chain, GridActions, solve
from churn_assets.decision.exact.pareto import (
    BudgetSolution,
    captured_share,
    curve_around,
    pareto_curve,
    solve_budget,
)
from churn_assets.decision.exact.policy_value import evaluate
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.groups import Groups
from churn_assets.decision.rules.families import NeverContact
from churn_assets.decision.rules.lookahead import TwoContacts
from churn_assets.domain.statistics import Estimate, logit, sigmoid
from tests.decision.conftest import synthetic_customers
from tests.decision.test_stages import outcome

ACCEPT = np.array([0.11, 0.40, 0.65, 0.79])
CLEAN = WorldSettings().environment.clean


def company(count: int, seed: int, tail: float = 0.0) -> Customers:
    """So many customers; `tail`: spread of the logarithms of their values."""
    rng = np.random.default_rng(seed)
    risk = sigmoid(rng.normal(-1.3, 1.3, count))
    accept = sigmoid(logit(ACCEPT) + rng.normal(0, 0.5, (count, 1)))
    return Customers(risk, accept, 780 * np.exp(tail * rng.normal(size=count)))


def certified(solution: BudgetSolution) -> bool:
    """Whether the check on the oracle's report passes."""
    row = {"dual_gap": solution.gap, "dual_jump": solution.jump}
    return outcome(checks.oracle_is_certified_by_its_dual, {"oracle": {"moderate": row}})


@pytest.mark.parametrize(("count", "tail"), [(20, 0.0), (20, 1.5), (50, 1.5)])
def test_a_small_company_is_certified(count: int, tail: float) -> None:
    """Why: one customer of twenty jumps by a tenth of all spend at the budget's price; no policy at
    one price comes nearer to the bound, and the whole graph stopped there."""
    found = [solve_budget(company(count, seed, tail), CLEAN) for seed in range(4)]
    assert max(one.gap for one in found) > checks.DUAL_GAP
    for one in found:
        assert 0 <= one.gap <= max(checks.DUAL_GAP, one.jump)
        assert one.spend <= CLEAN.budget_limit
        assert certified(one)


def test_customers_who_are_all_alike_are_certified() -> None:
    """Why: a table of few columns has few kinds of customers, and all of a kind jump at once."""
    alike = Customers(np.full(20, 0.3), np.tile(ACCEPT, (20, 1)), np.linspace(300, 900, 20))
    found = solve_budget(alike, CLEAN)
    assert found.gap > checks.DUAL_GAP
    assert certified(found)


def test_an_optimum_that_is_none_stays_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Why: a check that lets every gap pass certifies nothing. Solved at whole multiples of a price
    only, many customers of different kinds jump at once."""

    def coarse(chain: Chain, price: float) -> list[GridActions]:
        return solve(chain, 3.0 * np.round(price / 3.0))

    sound = solve_budget(company(40, 0), CLEAN)
    monkeypatch.setattr(pareto, "solve", coarse)
    found = solve_budget(company(40, 0), CLEAN)
    assert certified(sound)
    assert not certified(found)


def test_without_anything_to_gain_there_are_figures() -> None:
    """Why: nobody leaves, so nobody is contacted, and every policy is the optimum; what was left
    was the rounding of sums, divided by itself, and NaN is no JSON."""
    customers = Customers(np.full(20, 8e-4), np.tile(ACCEPT, (20, 1)), np.linspace(30, 3000, 20))
    solution = solve_budget(customers, CLEAN)
    assert (solution.price, solution.gap, solution.jump) == (0.0, 0.0, 0.0)
    curve = pareto_curve(customers, CLEAN, curve_around(solution.price))
    for policy in (TwoContacts(params=CLEAN), NeverContact(params=CLEAN)):
        found = evaluate(policy, customers, CLEAN)
        assert found.mean("contacts") == 0
        assert captured_uplift(curve, found) == 1
        assert (Bootstrap(curve, 100, seed=0).captured(found) == 1).all()
        gap = gap_by_risk(found.uplift, curve.uplift[0], customers.risk, customers.weight)
        assert json.dumps(gap, allow_nan=False)
        assert set(gap.values()) == {0.0}


@pytest.mark.parametrize(
    ("gained", "most", "share"),
    [(-1e-17, 0.0, 1.0), (-1e-17, 1e-17, 1.0), (1e-17, -1e-17, 1.0), (-1e-6, 0.0, 0.0)],
)
def test_rounding_is_nothing(gained: float, most: float, share: float) -> None:
    """Why: a sum over customers is off by its last digit, on whichever side."""
    assert captured_share(gained, most) == share


def test_a_gain_is_its_share() -> None:
    """Why: the tolerance must not touch what there is to capture."""
    assert captured_share(0.5e-6, 1e-6) == 0.5


@pytest.mark.parametrize("count", [3, 6, 20])
def test_few_customers_who_keep_the_budget_are_not_refused_by_chance(count: int) -> None:
    """Why: few spread less than all, and a normal interval of 6 is exceeded a hundred times as
    often as it says. Spends that are the limit on average, 20,000 times over."""
    rng = np.random.default_rng(0)
    spends = rng.normal(1.0, 0.3, (20_000, count))
    found = [
        Estimate.normal(float(mean), float(error))
        for mean, error in zip(spends.mean(1), spends.std(1) / np.sqrt(count), strict=True)
    ]
    refused = sum(one.value > most_spend(of_few(one, count).error) for one in found)
    assert refused <= 3
    assert sum(one.value > most_spend(one.error) for one in found) > 3 * refused


def test_a_sound_policy_of_sixty_customers_is_within_the_budget(params: EnvironmentParams) -> None:
    """Six of them are tested on, who spend 1.4 times the limit by chance, and much alike."""
    base = synthetic_customers(60, seed=8)
    groups = Groups(base.take(slice(0, 48)), base.take(slice(48, 54)), base.take(slice(54, 60)))
    policy = planned(groups.calibration(400), params)
    curve = pareto_curve(groups.test, params.clean, curve_around(1.0))
    candidate = Candidate(policy, evaluate(policy, groups.test, params.clean), 0.98)
    serving = served_figures(candidate, groups, Bootstrap(curve, 200, seed=0), params)
    assert serving["test_spend_ratio"]["value"] > 1.4
    assert spend_is_within_the_budget(serving)


def test_one_customer_shows_no_spread() -> None:
    """Nothing is shown by one, so nothing is refused; and the report stays JSON."""
    alone = of_few(Estimate.normal(3.0, 0.0), 1)
    assert alone.value <= most_spend(alone.error) < np.inf


def test_many_customers_are_as_before() -> None:
    """The demonstration's 704 test customers: Student's t is the normal's within a per cent."""
    assert of_few(Estimate.normal(1.0, 0.04), 704).error == pytest.approx(0.04, rel=0.01)
