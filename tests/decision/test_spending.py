"""What a period costs: the whole base's money from clean sheets, and how it varies."""

import numpy as np
import pytest

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.evaluation.simulation import play
from churn_assets.decision.evaluation.spending import period_spend
from churn_assets.decision.exact.policy_value import evaluate
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.rules.families import NeverContact
from churn_assets.decision.rules.lookahead import TwoContacts

PARAMS = EnvironmentParams(budget_limit=0.08)
RULE = TwoContacts(params=PARAMS, price=0.5)


def test_a_periods_cost_is_what_many_periods_cost(customers: Customers) -> None:
    """Why: P(over) is a promise about sums. Hundreds of periods of the same customers, summed."""
    found = period_spend(RULE, customers, PARAMS, 100, episodes=12_000)
    played = play(RULE, customers, PARAMS.clean, 14_400, seed=77)
    share = played.discounts / played.value
    of_each = [share[played.customer == row] for row in range(len(customers))]
    periods = min(len(spent) for spent in of_each)
    assert periods > 400
    totals = np.stack([spent[:periods] for spent in of_each]).T @ customers.weight
    totals /= PARAMS.budget_limit
    assert found["ratio"] == pytest.approx(totals.mean(), abs=3 * totals.std() / np.sqrt(periods))
    assert found["deviation"] == pytest.approx(totals.std(), rel=0.12)
    assert found["p_over"] == pytest.approx((totals > 1).mean(), abs=0.07)
    assert 0.05 < found["p_over"] < 0.95
    assert found["lower"] < found["ratio"] < found["upper"]


def test_clean_sheets_cost_more_than_a_mixture(customers: Customers) -> None:
    """Why: a company's period begins with nobody contacted; what was spent before an episode that
    begins in its middle isn't counted, and a policy priced on such episodes overspends by 15 %."""
    mixed = evaluate(RULE, customers, PARAMS).mean("spend") / PARAMS.budget_limit
    assert period_spend(RULE, customers, PARAMS, 100, 2_000)["ratio"] > 1.05 * mixed


def test_who_contacts_nobody_spends_nothing(customers: Customers) -> None:
    """Why: no spread must not be a division by zero."""
    found = period_spend(NeverContact(params=PARAMS), customers, PARAMS, 100, 500)
    assert (found["ratio"], found["deviation"], found["p_over"]) == (0, 0, 0)
    with pytest.raises(ValueError, match="twice"):
        period_spend(RULE, customers, PARAMS, 100, 1)
