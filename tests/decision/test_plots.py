"""The pictures show the figures: what is drawn, read back from the axes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.evaluation import plots
from churn_assets.decision.exact.pareto import ParetoCurve
from churn_assets.decision.exact.policy_value import METRICS, Evaluation
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.rules.families import NeverContact, RiskThreshold

RUN = {
    "seed": 3,
    "history": [
        {
            "steps": 1000 * step,
            "captured_uplift": 0.1 * step,
            "budget_multiplier": 2.0 * step,
            "spend": 0.01 * step,
            "fatigue_multiplier": 0.5,
        }
        for step in (1, 4)
    ],
}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that were saved."""
    kept: list[Figure] = []
    save = plots._save

    def keep(figure: Figure, path: Path) -> None:
        save(figure, path)
        kept.append(figure)

    monkeypatch.setattr(plots, "_save", keep)
    return kept


def points(line: Any) -> list[list[float]]:
    return [list(axis) for axis in line.get_data()]


def test_a_learning_curve_in_per_cent(drawn: list[Figure], tmp_path: Path) -> None:
    """Why: PPO over its steps, the optimum at 100, the rules from the best down."""
    plots.learning_curve(tmp_path / "a.png", [RUN], {"low": 0.5, "high": 0.9})
    [axes] = drawn[0].axes
    ppo, oracle, *rules = axes.lines
    assert points(ppo) == [[1, 4], pytest.approx([10, 40])]
    assert list(oracle.get_ydata()) == [100, 100]
    assert [rule.get_ydata()[0] for rule in rules] == pytest.approx([90, 50])
    assert [str(rule.get_label()).split()[0] for rule in rules] == ["high", "low"]


def test_multipliers_beside_the_spend_that_drives_them(drawn: list[Figure], tmp_path: Path) -> None:
    """Why: spend is over the limit, which is drawn at 1."""
    plots.multipliers(tmp_path / "a.png", [RUN], limit=0.02)
    budget, spend, fatigue = drawn[0].axes
    assert points(budget.lines[0]) == [[1, 4], [2, 8]]
    assert points(spend.lines[0]) == [[1, 4], pytest.approx([0.5, 2])]
    assert list(spend.lines[1].get_ydata()) == [1, 1]
    assert points(fatigue.lines[0]) == [[1, 4], [0.5, 0.5]]
    assert budget.get_ylim()[0] == 0
    assert budget.get_ylim()[1] > 8


def test_a_decision_map_is_what_the_policy_decides(
    drawn: list[Figure], tmp_path: Path, customers: Customers, params: EnvironmentParams
) -> None:
    """Why: offer 2 right of the threshold, nobody left of it, whatever the acceptance; beside it an
    optimum that finds contacts too dear at a price out of all reach but for those without offer."""
    rule = RiskThreshold(params=params, threshold=0.5, offer=2)
    plots.decision_map(tmp_path / "a.png", rule, params, 1e6, customers)
    plots.decision_map(tmp_path / "b.png", NeverContact(params=params), params, 0.0, customers)
    ppo, optimum = (axes.collections[0].get_array() for axes in drawn[0].axes[:2])
    risk = np.linspace(0.02, 0.95, 48)
    np.testing.assert_array_equal(ppo, np.tile(np.where(risk > 0.5, 3, 0), (40, 1)))
    assert set(np.unique(optimum)) <= {0, 1}  # a discount is never worth a price like that
    never, free = (axes.collections[0].get_array() for axes in drawn[1].axes[:2])
    assert (np.asarray(never) == 0).all()
    assert set(np.unique(free)) > {0, 1}
    dots = drawn[0].axes[0].lines[0]
    np.testing.assert_array_equal(dots.get_data(), [customers.risk, customers.accept[:, 2]])


def test_spend_against_uplift_in_per_cent(drawn: list[Figure], tmp_path: Path) -> None:
    """Why: the oracle's curve, the limit, and each policy at its own place."""
    weight = np.array([0.25, 0.75])
    spend, uplift = np.array([[0.04, 0.0], [0.0, 0.0]]), np.array([[0.4, 0.0], [0.2, 0.0]])
    curve = ParetoCurve(np.array([0.0, 1.0]), uplift, spend, np.zeros(2), weight)
    plots.pareto(tmp_path / "a.png", curve, 0.02, {"PPO": (0.01, 0.05), "rule": (0.02, 0.03)})
    [axes] = drawn[0].axes
    oracle, limit, *policies = axes.lines
    assert points(oracle) == [pytest.approx([1, 0]), pytest.approx([10, 5])]
    assert limit.get_xdata()[0] == 2
    found = {str(line.get_label()): points(line) for line in policies}
    assert found["PPO"] == [pytest.approx([1]), pytest.approx([5])]
    assert found["rule"] == [pytest.approx([2]), pytest.approx([3])]
    assert len({line.get_marker() for line in policies}) == 2


def test_each_customer_under_the_optimum_and_under_ppo(drawn: list[Figure], tmp_path: Path) -> None:
    """Why: who lies below the line was given less than was best for them."""
    figures = np.zeros((2, len(METRICS)))
    figures[:, METRICS.index("uplift")] = [0.01, 0.03]
    found = Evaluation.of(figures, np.full(2, 0.5))
    plots.oracle_against_policy(tmp_path / "a.png", np.array([0.02, 0.04]), found)
    [axes] = drawn[0].axes
    assert points(axes.lines[1]) == [pytest.approx([2, 4]), pytest.approx([1, 3])]
