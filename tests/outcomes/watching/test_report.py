"""The drift report as a whole."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from churn_assets.outcomes.watching.plots import pictures
from churn_assets.outcomes.watching.report import RETRAINING, Serving, says_the_same, watch
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
    report = watch(table, None, Serving(serving), None, 10**9, NOW)
    [found] = [f for f in report["findings"] if f["name"] == "risk_came_true"]
    assert found["state"] == "error"
    assert report["retrain"] == ([RETRAINING["risk_came_true"]] if serving == "r-1" else [])


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
