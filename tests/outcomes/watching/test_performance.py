"""Risk that came true, and what is expected before it does, where the truth is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from churn_assets.outcomes.watching import performance


def outcomes(
    seed: int, count: int, known: bool = True, odds: float = 1.0, control: float = 0.5
) -> pd.DataFrame:
    """Customers who leave with `odds` times the odds that the risk says; contacts double them."""
    rng = np.random.default_rng(seed)
    risk = rng.beta(1.2, 3.0, count)
    group = np.where(rng.random(count) < control, "control", "treated")
    contact = group == "treated"
    true = risk / (1 - risk) * odds * np.where(contact, 2.0, 1.0)
    return pd.DataFrame(
        {
            "customer": np.arange(count),
            "group": group,
            "contact": contact,
            "churn_risk": risk,
            "churned": rng.random(count) < true / (1 + true),
            "known": known,
        }
    )


def test_risk_that_comes_true_is_found_to() -> None:
    """Judged on those left alone: contacts, which double the odds here, don't count."""
    found = performance.came_true(outcomes(1, 6_000))
    assert found.state == "ok"
    assert found.figures["ratio_lower"] < 1 < found.figures["ratio_upper"]
    assert found.figures["customers"] == pytest.approx(3_000, rel=0.1)
    assert found.figures["ece"] < 0.03


@pytest.mark.parametrize(("odds", "state"), [(2.0, "warn"), (0.3, "error")])
def test_risk_that_does_not_come_true(odds: float, state: str) -> None:
    """Too low, or much too high."""
    found = performance.came_true(outcomes(2, 6_000, odds=odds))
    assert found.state == state
    assert "did not come true" in found.sentence


def test_nothing_is_said_of_few() -> None:
    assert performance.came_true(outcomes(3, 100)).state == "unknown"
    assert performance.came_true(outcomes(3, 6_000, known=False)).state == "unknown"
    assert performance.expected_to_hold(outcomes(3, 6_000), 0.8).state == "unknown"


def test_the_estimate_is_what_comes_true() -> None:
    """Over 200 worlds: unbiased, and as often within the interval of what came true as that holds
    its own truth."""
    rng, gaps, held = np.random.default_rng(0), [], 0
    for _ in range(200):
        risk = rng.beta(1.2, 3.0, 800)
        left = (rng.random(800) < risk).astype(float)
        estimate = performance.expected_auc(risk)
        gaps.append(estimate - roc_auc_score(left, risk))
        table = pd.DataFrame(
            {"churn_risk": risk, "churned": left == 1, "known": True, "group": "control"}
        )
        checked = performance._checked(table)
        assert checked is not None
        held += checked["held"]
    assert abs(np.mean(gaps)) < 3 * np.std(gaps) / np.sqrt(200)
    assert held >= 180


def test_expected_auc_counts_pairs() -> None:
    """By hand: three customers, two alike."""
    risk = np.array([0.2, 0.2, 0.6])
    pairs = [(i, j) for i in range(3) for j in range(3) if i != j]
    weight = {(i, j): risk[i] * (1 - risk[j]) for i, j in pairs}
    right = sum(
        w * (risk[i] > risk[j]) + w * 0.5 * (risk[i] == risk[j]) for (i, j), w in weight.items()
    )
    assert performance.expected_auc(risk) == pytest.approx(right / sum(weight.values()))


def test_a_ranking_that_is_expected_to_be_worse_is_told() -> None:
    waiting = outcomes(4, 4_000, known=False).assign(
        churn_risk=lambda t: 0.2 + t["churn_risk"] / 10
    )
    found = performance.expected_to_hold(waiting, 0.84)
    assert found.state == "warn"
    assert found.figures["expected_auc"] < 0.6
    fine = performance.expected_to_hold(outcomes(4, 4_000, known=False), None)
    assert fine.state == "ok"


def test_what_was_estimated_stands_beside_what_came_true() -> None:
    both = pd.concat(
        [
            outcomes(5, 3_000),
            outcomes(6, 3_000, known=False).assign(customer=lambda t: t["customer"] + 9_000),
        ]
    )
    checked = performance.expected_to_hold(both, 0.8).figures["checked"]
    assert checked["held"]
    assert checked["estimated_share_leaving"] == pytest.approx(checked["share_left"], abs=0.04)
