"""The gate: a release needs every blocking check, evaluated, passed, on what is in use."""

from __future__ import annotations

from dataclasses import replace

import pytest

from churn_assets.release.gate import CheckState, PartState, judge, missed_gates, unmatched

GOOD = CheckState("a: holds", blocking=True, evaluated=True, passed=True, current=True)


def test_all_good_lets_through() -> None:
    """Blocking or not, passed checks raise no problem and are counted."""
    states = [GOOD, CheckState("b: nice", blocking=False, evaluated=True, passed=True)]
    assert judge(states) == ({"passed": 2, "failed": 0, "warned": 0}, [])


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        (CheckState("a: x", blocking=True), "never run"),
        (CheckState("a: x", blocking=True, evaluated=True, current=True), "failed"),
        (CheckState("a: x", blocking=True, evaluated=True, passed=True), "another materialization"),
    ],
)
def test_each_way_of_not_holding_is_named(state: CheckState, problem: str) -> None:
    """Whoever reads the failure learns which check to look at, and why."""
    counts, problems = judge([GOOD, state])
    assert len(problems) == 1
    assert "a: x" in problems[0]
    assert problem in problems[0]
    assert sum(counts.values()) == 2


def test_warnings_and_advice_do_not_block() -> None:
    """A blocking check that only warns, and a failed check that doesn't block, let it through."""
    warning = CheckState("a: w", blocking=True, evaluated=True, warning=True, current=True)
    advice = CheckState("b: f", blocking=False, evaluated=True)
    counts, problems = judge([warning, advice])
    assert problems == []
    assert counts == {"passed": 0, "failed": 1, "warned": 1}


GATE = "sft_model: sft_templates_pass_the_shield"


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        (CheckState(GATE, blocking=True), "never run"),
        (CheckState(GATE, blocking=True, evaluated=True, warning=True, current=True), "failed"),
        (CheckState(GATE, blocking=True, evaluated=True, passed=True), "another materialization"),
    ],
)
def test_a_components_gate_decides_on_it_alone(state: CheckState, problem: str) -> None:
    """The rest of the release goes on; what isn't shown to hold is a miss."""
    assert judge([GOOD, state])[1] == []
    [reason] = missed_gates([GOOD, state])["messages"]
    assert problem in reason
    held = CheckState(GATE, blocking=True, evaluated=True, passed=True, current=True)
    assert missed_gates([GOOD, held]) == {}


DATA = PartState("customer_history", "d", "d", {})
MODEL = PartState("risk_model", "m", "m", {"customer_history": "d"})
PPO = PartState("decision_policy", "p", "p", {"risk_model": "m"})


def test_parts_that_were_made_from_one_another_go_into_one_release() -> None:
    """Each of what those above it are now."""
    assert unmatched([DATA, MODEL, PPO], ()) == []


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ([DATA, replace(MODEL, stored="n")], "the checks of risk_model judged another artifact"),
        ([replace(DATA, judged=None)], "the checks of customer_history judged another artifact"),
        ([replace(DATA, judged="e", stored="e"), MODEL], "made from another customer_history"),
        ([DATA, replace(MODEL, made_from={"customer_history": None})], "made from another"),
    ],
    ids=["replaced in the store", "never made here", "older", "made without it"],
)
def test_each_way_of_not_belonging_is_one_line(parts: list[PartState], problem: str) -> None:
    """It names the part and says what to do."""
    [found] = unmatched(parts, ())
    assert problem in found
    assert found.endswith("run `churn materialize`")


def test_what_stays_out_need_not_belong() -> None:
    """A network that missed its gate stops nothing; the rule in its place is made of the rest."""
    older = replace(PPO, made_from={"risk_model": "l"})
    report = PartState("policy_report", "r", "r", {"decision_policy": "o"})
    assert len(unmatched([DATA, MODEL, older, report], ())) == 2
    assert unmatched([DATA, MODEL, older, report], {"policy": ["a gate"]}) == []
