"""The drift report as a whole."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from churn_assets.customers.built_in import BUILT_IN_SCHEMA
from churn_assets.decision.policy import save_rule
from churn_assets.decision.rules.families import PricedGreedy
from churn_assets.outcomes.config import OutcomesConfig
from churn_assets.outcomes.watching import conduct
from churn_assets.outcomes.watching.finding import Finding
from churn_assets.outcomes.watching.plots import pictures
from churn_assets.outcomes.watching.report import RETRAINING, Serving, says_the_same, watch
from churn_assets.release.bundle import Manifest
from tests.outcomes.watching.test_conduct import NOW, decisions

REPORT: dict[str, Any] = {
    "release_id": "r-1",
    "time": "2027-03-01T06:00:00+00:00",
    "outcomes_known": 12,
    "findings": [
        {"name": "spend", "state": "ok", "sentence": "As planned.", "figures": {"x": 0.5}}
    ],
    "retrain": [],
}


def test_the_hour_alone_makes_no_new_report() -> None:
    """The same day's report stays where nothing is new; the next day it was looked at again."""
    assert says_the_same(REPORT | {"time": "2027-03-01T23:59:59+00:00"}, REPORT)
    assert not says_the_same(REPORT | {"time": "2027-03-02T00:00:00+00:00"}, REPORT)
    assert not says_the_same(REPORT | {"outcomes_known": 13}, REPORT)
    assert not says_the_same(REPORT | {"retrain": ["2,000 new outcomes"]}, REPORT)
    assert not says_the_same(
        REPORT | {"findings": [REPORT["findings"][0] | {"figures": {"x": 0.6}}]}, REPORT
    )


@pytest.mark.parametrize("serving", ["r-1", "r-2"])
def test_a_wrong_risk_is_a_reason_to_train_again_for_its_own_release(serving: str) -> None:
    """What was found of the release before stays shown; the one that followed on it isn't trained
    again for that."""
    table = decisions().assign(
        time=lambda t: t["time"] - timedelta(days=40),
        release_id="r-1",
        known=True,
        churned=lambda t: t["customer"] % 2 == 0,
        churn_risk=0.1,
    )
    table["observation"] = [[0.0] * 9] * len(table)
    config = OutcomesConfig(retrain_outcomes=10**9)
    report = watch(table, "None yet.", Serving(serving), None, config, NOW)
    [found] = [f for f in report["findings"] if f["name"] == "risk_came_true"]
    assert found["state"] == "error"
    assert report["retrain"] == ([RETRAINING["risk_came_true"]] if serving == "r-1" else [])


def reasons(
    config: OutcomesConfig, learnt: int = 0, known: int = 6_000, speaks: range | None = None
) -> list[str]:
    """Of a log of 6,000 decisions, `known` outcomes among them, that a release with `learnt` made;
    the risk of all of them comes true. Those in `speaks` can be learnt from; None: all."""
    rng = np.random.default_rng(0)
    table = decisions(6_000).assign(release_id="r-1", churn_risk=0.2)
    table["known"] = np.arange(6_000) < known
    table["churned"] = rng.random(6_000) < 0.2
    table["observation"] = [[0.0] * 9] * 6_000
    can = None if speaks is None else (lambda: pd.Series(table.index.isin(speaks), table.index))
    serving = Serving("r-1", outcomes=learnt)
    report = watch(table, "None yet.", serving, None, config, NOW, learnable=can)
    found: list[str] = report["retrain"]
    return found


def test_new_outcomes_are_a_reason_where_something_is_learnt_from_them() -> None:
    """Where learning is switched off, or takes more than there are, the next release would have
    learnt from none either, and the reason would stand for ever."""
    assert reasons(OutcomesConfig()) == ["5,000 new outcomes"]
    assert reasons(OutcomesConfig(), learnt=1_001) == []
    assert reasons(OutcomesConfig(learn_from=None)) == []
    assert reasons(OutcomesConfig(learn_from=6_001)) == []
    assert reasons(OutcomesConfig(retrain_outcomes=100), known=400) == []


def test_new_outcomes_count_where_they_can_be_learnt_from() -> None:
    """Why: of customers who aren't drawn for the experiment and of releases that nobody knows any
    more nothing is learnt, and everything was trained again for the same."""
    assert reasons(OutcomesConfig(), speaks=range(0)) == []
    assert reasons(OutcomesConfig(), speaks=range(4_999)) == []
    assert reasons(OutcomesConfig(), speaks=range(5_000)) == ["5,000 new outcomes"]
    some = OutcomesConfig(retrain_outcomes=1_000)
    assert reasons(some, learnt=4_000, speaks=range(5_001)) == ["1,000 new outcomes"]
    assert reasons(some, learnt=4_000, speaks=range(4_999)) == []


def test_new_outcomes_count_where_as_many_old_ones_were_removed() -> None:
    """The release learnt from 6,000 whose decisions are older than they are kept by now: of as many
    others none was new, for ever."""
    table = decisions(6_000).assign(release_id="r-1", known=True, churned=False, churn_risk=0.2)
    table["observation"] = [[0.0] * 9] * 6_000
    ended = table["known_at"].dt.strftime("%Y-%m-%d")
    for day, new in (("2026-06-01", 5_000), ("2027-01-01", None), (None, None)):
        serving = Serving("r-1", outcomes=6_000, learnt=6_000, made=day)
        report = watch(table, "None yet.", serving, None, OutcomesConfig(), NOW)
        assert report["retrain"] == ([f"{new:,} new outcomes"] if new else [])
        assert report["learnable_by_day"] == ended.value_counts().to_dict()
        assert report["made"] == day


def test_new_outcomes_of_a_broken_log_are_no_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is learnt from a log that contradicts its own probabilities."""
    broken = Finding("logged_propensities_are_frequencies", "error", "They aren't.")
    monkeypatch.setattr(conduct, "propensities_hold", lambda outcomes: broken)
    assert reasons(OutcomesConfig()) == []


def test_days_of_the_label_are_those_of_the_contract(tmp_path: Path) -> None:
    """None, as in the built-in contract: a period's."""
    assert Serving("r-1").horizons(90) == (30, 90, 30)
    save_rule(PricedGreedy(), tmp_path / "policy")
    manifest = Manifest.model_construct(
        release_id="r-1", report={}, components={}, created=NOW - timedelta(days=1)
    )
    assert Serving.of(manifest, tmp_path).label_days is None
    assert Serving.of(manifest, tmp_path).learnt is None
    assert Serving.of(manifest, tmp_path).made == "2026-05-31"
    told = manifest.model_copy(update={"report": {"measured": {"outcomes": 9, "learnt": 4}}})
    assert (Serving.of(told, tmp_path).outcomes, Serving.of(told, tmp_path).learnt) == (9, 4)
    BUILT_IN_SCHEMA.model_copy(update={"format": 2, "horizon_months": 12}).save(tmp_path)
    assert Serving.of(manifest, tmp_path).horizons(90).label == pytest.approx(365, abs=6)


def test_the_risk_is_judged_by_the_days_of_outcomes() -> None:
    """19 % leave in 30 days, as the risk says, and 47 % in 90."""
    table = decisions(2_000, control=1.0).assign(
        release_id="r-1",
        known=True,
        churned=lambda t: t["customer"] % 100 < 47,
        churn_risk=0.19,
    )
    table["observation"] = [[0.0] * 9] * len(table)

    def judged(days: int) -> str:
        config = OutcomesConfig(horizon_days=days)
        report = watch(table, "None yet.", Serving("r-1"), None, config, NOW)
        return str(next(f["state"] for f in report["findings"] if f["name"] == "risk_came_true"))

    assert (judged(90), judged(30)) == ("ok", "error")


def test_contacts_are_drawn_from_two_days_on() -> None:
    """One bar shows nothing that the sentence doesn't say."""

    def drawn(days: dict[str, int]) -> list[str]:
        figures: dict[str, dict[str, Any]] = {
            "customers_are_like_those_learnt_from": {},
            "scores_are_as_before": {},
            "risk_came_true": {},
            "contacts_keep_to_control_group_and_cap": {"contacts_a_day": days},
        }
        findings = [{"name": name, "figures": found} for name, found in figures.items()]
        return list(pictures({"findings": findings}))

    assert drawn({"2027-03-01": 4}) == []
    assert drawn({"2027-03-01": 4, "2027-03-02": 5}) == ["contacts a day"]
