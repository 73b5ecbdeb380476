"""The gates: each can fail, and only bounds of the real data soften on synthetic data."""

from __future__ import annotations

import math
from typing import Any

import dagster as dg
import pytest

from checks.predictors import ACCEPT_GATES, RISK_GATES, Gate, accept_checks, risk_checks
from churn_assets.predictors.config import OFFER_EFFECTS
from tests.predictors.conftest import Trained

# A report that passes every gate, and for each gate a change that must fail it.
RISK_PASS = {
    **{"auc": 0.78, "ece": 0.05, "auc_oof_lower": 0.83, "ece_oof": 0.025, "source": "mirror"},
    "required_only_oof": {"ece": 0.025},
}
ACCEPT_PASS = {
    **{"auc": 0.75, "source": "mirror", "monotone_violations": 0, "within_zero_and_one": True},
    **{"propensity_p_value": 1e-4, "placebo_p_value": 1e-4, "support_share": 0.99},
}
EXACT = {"auc_offer0_error": 0, "auc_over_offer_only_error": 0, "ece_error": 0}
OOF_PASS = {
    **{"auc": 0.75, "auc_offer0": 0.68, "auc_offer_only": 0.70, "ece": 0.025},
    **{"ece_by_offer": [0.045] * 4, "ece_by_offer_error": [0] * 4, **EXACT},
}
ACCEPT_PASS["oof"] = OOF_PASS
FAILURES: list[tuple[str, dict[str, Any]]] = [
    ("risk_ranks_held_out_customers", {"auc": 0.77}),
    ("risk_is_calibrated_on_held_out_customers", {"ece": 0.051}),
    ("risk_ranks_all_customers_out_of_fold", {"auc_oof_lower": 0.829}),
    ("risk_is_calibrated_out_of_fold", {"ece_oof": 0.026}),
    ("risk_is_calibrated_for_short_requests", {"required_only_oof": {"ece": 0.026}}),
    ("acceptance_is_ranked", {"auc": 0.69}),
    ("acceptance_without_offer_is_ranked", {"oof": {**OOF_PASS, "auc_offer0": 0.67}}),
    ("customers_differ_beyond_the_offer", {"oof": {**OOF_PASS, "auc_offer_only": 0.71}}),
    ("acceptance_is_calibrated", {"oof": {**OOF_PASS, "ece": 0.026}}),
    (
        "acceptance_is_calibrated_at_each_offer",
        {"oof": {**OOF_PASS, "ece_by_offer": [0.0, 0.0, 0.046, 0.0]}},
    ),
    ("acceptance_never_falls_in_the_offer", {"monotone_violations": 1}),
    ("acceptance_is_never_certain", {"within_zero_and_one": False}),
    ("offer_is_unpredictable_from_features", {"propensity_p_value": 0.9e-4}),
    ("shuffled_offers_have_no_uplift", {"placebo_p_value": 0.9e-4}),
    ("customers_are_inside_the_contacts_support", {"support_share": 0.98}),
]
GATES = {gate.name: gate for gate in (*RISK_GATES, *ACCEPT_GATES)}
INVARIANTS = {
    "acceptance_never_falls_in_the_offer",
    "acceptance_is_never_certain",
    "offer_is_unpredictable_from_features",
    "shuffled_offers_have_no_uplift",
}


def judged(gate: Gate, **changes: Any) -> dg.AssetCheckResult:
    report = RISK_PASS if gate in RISK_GATES else ACCEPT_PASS
    shown = dict.fromkeys(gate.beside, 0)  # stands for figures that are only displayed
    return gate.judge({**shown, **report, **changes})


@pytest.mark.parametrize("gate", GATES.values(), ids=GATES.keys())
def test_gate_passes_on_its_bound(gate: Gate) -> None:
    """Bounds are inclusive, as the design states them."""
    assert judged(gate).passed


@pytest.mark.parametrize(("name", "change"), FAILURES)
def test_gate_fails_beyond_its_bound(name: str, change: dict[str, Any]) -> None:
    """A check that can't fail is no check; on real data it blocks the release."""
    result = judged(GATES[name], **change)
    assert not result.passed
    assert result.severity == dg.AssetCheckSeverity.ERROR


def test_every_gate_has_a_failing_case() -> None:
    """A gate added later needs its own proof that it can fail."""
    assert {name for name, _ in FAILURES} == GATES.keys()


@pytest.mark.parametrize(("name", "change"), FAILURES)
def test_synthetic_data_softens_bounds_of_the_real_data_only(
    name: str, change: dict[str, Any]
) -> None:
    """What holds for any data still blocks; nothing that fails is called passed."""
    result = judged(GATES[name], **change, source="synthetic")
    assert not result.passed
    blocks = result.severity == dg.AssetCheckSeverity.ERROR
    assert blocks == (name in INVARIANTS)


@pytest.mark.parametrize(("beyond", "passes"), [(3.9, True), (4.1, False)])
def test_a_figure_of_few_rows_fails_where_the_miss_is_shown(beyond: float, passes: bool) -> None:
    """The bound stays; a sample's noise alone must not stop a release."""
    error = 0.01
    oof = {**OOF_PASS, "auc_offer0": 0.68 - beyond * error, "auc_offer0_error": error}
    result = judged(GATES["acceptance_without_offer_is_ranked"], oof=oof)
    assert result.passed == passes
    assert result.metadata["at_least"].value == 0.68
    assert result.metadata["standard_error"].value == error


def test_undefined_figure_fails() -> None:
    """NaN compares false with everything, so it must not slip through."""
    assert not judged(GATES["acceptance_is_ranked"], auc=math.nan).passed


def test_gates_read_the_stages_reports(trained_risk: Trained, trained_accept: Trained) -> None:
    """Every figure and every value shown beside it is in the report."""
    for gates, trained in ((RISK_GATES, trained_risk), (ACCEPT_GATES, trained_accept)):
        for gate in gates:
            result = gate.judge(trained.report)
            assert set(result.metadata) >= {"value", "figure", "source", *gate.beside}
            if gates is ACCEPT_GATES:  # no gate can see a wrong assumption: a person has to
                assert result.metadata["presets"].value.keys() == OFFER_EFFECTS.keys()


def test_all_gates_are_blocking_checks_of_their_asset() -> None:
    """A release exists only when all of them have passed."""
    for checks, asset, gates in (
        (risk_checks, "risk_model", RISK_GATES),
        (accept_checks, "accept_model", ACCEPT_GATES),
    ):
        specs = [spec for check in checks for spec in check.check_specs]
        assert [spec.name for spec in specs] == [gate.name for gate in gates]
        assert all(spec.blocking and spec.asset_key == dg.AssetKey(asset) for spec in specs)
