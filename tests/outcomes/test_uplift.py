"""Uplift: who is helped is found where it can be, and isn't claimed where it can't."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churn_assets.domain.statistics import Floats
from churn_assets.outcomes import uplift
from churn_assets.outcomes.uplift import (
    LEARNERS,
    Effects,
    Experiment,
    fit,
    policy_gain,
    whom_to_contact,
)

SHARES = np.array([0.5, 0.3, 0.2])


def experiment(seed: int, moved: float, count: int = 6_000) -> tuple[Experiment, Floats]:
    """Level 1 helps those with a positive first feature by `moved` and harms the others as much;
    level 2 helps everybody a little. With it the true effects (N, 3)."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, 4))
    levels = rng.choice(3, count, p=SHARES)
    effects = np.zeros((count, 3))
    effects[:, 1] = moved * np.sign(features[:, 0])
    effects[:, 2] = 0.2
    outcomes = features[:, 1] + effects[np.arange(count), levels] + rng.normal(size=count)
    features[rng.random(count) < 0.05, 3] = np.nan
    return Experiment(features, levels, outcomes, np.tile(SHARES, (count, 1))), effects


@pytest.fixture(scope="module")
def helped() -> tuple[Effects, Experiment, Floats]:
    made, truth = experiment(0, 1.0)
    return fit(made, rounds=40), made, truth


@pytest.mark.parametrize("learner", LEARNERS)
def test_every_learner_finds_whom_it_helps(
    helped: tuple[Effects, Experiment, Floats], learner: uplift.Learner
) -> None:
    """And what choosing brings is what it truly brings: half get 1.0 in place of 0.2."""
    effects, _, truth = helped
    found = effects.effects[learner]
    assert np.corrcoef(found[:, 1], truth[:, 1])[0, 1] > 0.7
    gain = policy_gain(effects, learner)
    assert gain["sentence"] == "choosing by customer helps"
    assert sum(gain["shares"]) == pytest.approx(1)
    chosen = truth[np.arange(len(truth)), found.argmax(1)].mean()
    assert gain["gain_lower"] - 0.02 < chosen - 0.2 < gain["gain_upper"] + 0.02


def test_scores_are_unbiased(helped: tuple[Effects, Experiment, Floats]) -> None:
    """Their means are the levels' true means."""
    effects, _, truth = helped
    difference = effects.scores - effects.scores[:, :1]
    error = difference.std(0) / np.sqrt(len(difference))
    assert (np.abs(difference.mean(0) - truth.mean(0))[1:] < 4 * error[1:]).all()


def test_nothing_is_claimed_where_everybody_is_alike() -> None:
    """Only level 2 does anything, and to everybody the same."""
    shown = 0
    for seed in range(6):
        effects = fit(experiment(10 + seed, 0.0, count=3_000)[0], rounds=20)
        gain = policy_gain(effects, "dr")
        shown += gain["sentence"] == "choosing by customer helps"
        assert gain["uniform_upper"] > 0.1
    assert shown <= 1


def test_the_best_uniform_level_is_found(helped: tuple[Effects, Experiment, Floats]) -> None:
    """By the other folds, so that its value isn't flattered by having been chosen."""
    assert (helped[0].uniform == 2).all()


def company(seed: int, count: int, differ: bool) -> pd.DataFrame:
    """Treated and control customers: contacting keeps 20 points of them, or harms as many of those
    with a low risk."""
    rng = np.random.default_rng(seed)
    risk, treated = rng.uniform(0, 1, count), rng.random(count) < 0.7
    moved = np.where(differ & (risk < 0.5), 0.2, -0.2)
    churned = rng.random(count) < np.clip(0.2 + 0.6 * risk + moved * treated, 0, 1)
    return pd.DataFrame(
        {
            "group": np.where(treated, "treated", "control"),
            "control_share": 0.3,
            "observation": [[each, 0.1, 0.2, 0.3, 0.4] for each in risk],
            "churn_risk": risk,
            "customer_value": rng.uniform(500, 1_500, count),
            "churned": churned,
            "spend": 0.0,
        }
    )


def test_a_company_is_told_whether_choosing_whom_helps() -> None:
    """Where contacts harm half of them, leaving those alone brings a tenth of their value; where
    they help everybody alike, nothing is claimed; and too few say nothing."""
    differ = whom_to_contact(company(0, 8_000, True))
    assert "choosing by customer helps" in differ["sentence"]
    gain = differ["gain"]["dr"]
    assert gain["gain_lower"] < 0.2 * 1_000 / 2 < gain["gain_upper"]
    assert all(each["auuc_lower"] > 0 for each in differ["auuc"].values())
    alike = whom_to_contact(company(1, 8_000, False))
    assert "isn't shown to help" in alike["sentence"]
    assert "what the policy does" in alike["sentence"]
    assert "leaving everybody alone" in differ["sentence"]
    assert "gain" not in whom_to_contact(company(2, 1_000, True))
    assert "gain" not in whom_to_contact(company(2, 10, True).iloc[:0])


def test_of_very_many_customers_a_sample_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uplift, "MOST", 2_500)
    found = whom_to_contact(company(3, 5_000, True))
    assert found["customers"] == 2_500
    assert found == whom_to_contact(company(3, 5_000, True))
    euros = whom_to_contact(company(3, 5_000, True), currency="€")["sentence"]
    assert euros.count("+€") + euros.count("−€") == 3  # the gain and both ends of its interval


def test_a_qini_curve_by_hand() -> None:
    """Four customers, half treated: the two that are helped come first."""
    effect = np.array([0.9, 0.8, 0.1, 0.0] * 250)
    outcomes = np.array([1.0, 0.0, 1.0, 1.0] * 250)
    treated = np.array([True, False, True, False] * 250)
    curve = uplift.qini(effect, treated, outcomes, 0.5)
    # In order: 1/.5, 0, 1/.5, -1/.5, over 4: 0.5, 0.5, 1.0, 0.5 at each quarter.
    assert curve[0] == 0
    assert curve[12] == pytest.approx(0.48, abs=0.03)
    assert curve[37] == pytest.approx(0.98, abs=0.03)
    assert curve[-1] == pytest.approx(0.5)
    assert uplift.auuc(np.linspace(0, 1, 51)) == pytest.approx(0)


def test_the_area_tells_a_good_order_from_a_useless_one(
    helped: tuple[Effects, Experiment, Floats],
) -> None:
    """Level 1 against none."""
    effects, made, _ = helped
    rows = made.levels < 2
    treated, share = made.levels[rows] == 1, 0.3 / 0.8
    good = uplift.auuc_interval(
        effects.effects["dr"][rows, 1], treated, made.outcomes[rows], share, draws=100
    )
    useless = uplift.auuc_interval(
        np.random.default_rng(1).random(int(rows.sum())),
        treated,
        made.outcomes[rows],
        share,
        draws=100,
    )
    assert good.lower > 0.05
    assert useless.lower < 0 < useless.upper
