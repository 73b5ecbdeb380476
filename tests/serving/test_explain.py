"""Reasons and warnings as a caller of `POST /predict` reads them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from churn_assets.customers.contract.model import load_contract
from churn_assets.customers.fields import schema_of
from churn_assets.predictors.scoring.features import RISK_FEATURES
from churn_assets.serving.engine import RetentionEngine
from churn_assets.serving.explain import BUILT_IN_WORDS, Wording, top_reasons
from churn_assets.serving.schemas import SAMPLE_REQUEST, PredictRequest, PredictResponse
from churn_assets.settings import PROJECT

[ADD_ONS] = [fact.others for fact in BUILT_IN_WORDS.facts if fact.name == "internet_service"]
NO_INTERNET = {"internet_service": "No", **dict.fromkeys(ADD_ONS, "No internet service")}
COMPLETE = {
    **{"senior_citizen": False, "partner": True, "dependents": False, "phone_service": True},
    **{"multiple_lines": "No", "paperless_billing": True, "total_charges": 1079.88},
    **{"internet_service": "Fiber optic", **dict.fromkeys(ADD_ONS, "No")},
}


def metadata(engine: RetentionEngine, **changes: Any) -> dict[str, Any]:
    answer = engine.predict(PredictRequest.model_validate({**SAMPLE_REQUEST, **changes}))
    PredictResponse.model_validate(answer)
    found: dict[str, Any] = answer["metadata"]
    return found


def explained(given: dict[str, Any]) -> tuple[dict[str, dict[str, Any]], dict[str, float]]:
    """All reasons by feature, and each column's contribution, which is different for every one."""
    names = [feature.name for feature in RISK_FEATURES]
    each = np.linspace(-0.7, 1.0, len(names))
    row = vars(PredictRequest.model_validate({**SAMPLE_REQUEST, **given}))
    [reasons] = top_reasons(names, each[None], [row], count=len(names))
    return {r["feature"]: r for r in reasons}, dict(zip(names, each.tolist(), strict=True))


def test_what_was_not_given_is_no_reason(engine: RetentionEngine) -> None:
    """Nobody leaves because we don't know whether they stream movies."""
    for given in ({}, {"partner": True}, COMPLETE):
        reasons = metadata(engine, **given)["reasons"]
        assert reasons
        assert {r["feature"] for r in reasons} <= SAMPLE_REQUEST.keys() | given.keys()
        assert all(r["value"] is not None and "not given" not in r["text"] for r in reasons)


def test_no_internet_is_said_once() -> None:
    """Seven columns say it; the one reason carries the sum of what they contribute."""
    reasons, every = explained({**COMPLETE, **NO_INTERNET})
    assert not reasons.keys() & set(ADD_ONS)
    together = math.fsum(every[name] for name in ("internet_service", *ADD_ONS))
    assert reasons["internet_service"]["contribution"] == pytest.approx(together, abs=1e-4)
    assert "Internet service: none;" in reasons["internet_service"]["text"]


def test_an_add_on_of_a_customer_with_internet_is_its_own_reason() -> None:
    """Having no online security, with internet, is something an agent can change."""
    reasons, every = explained(COMPLETE)
    for name in (*ADD_ONS, "internet_service"):
        assert reasons[name]["contribution"] == pytest.approx(every[name], abs=1e-4)


def test_tenure_and_bills_so_far_are_one_reason() -> None:
    """Both grow with time: apart, they pull against each other for no reason one could name."""
    reasons, every = explained(COMPLETE)
    assert "total_charges" not in reasons
    together = every["tenure"] + every["total_charges"]
    assert reasons["tenure"]["contribution"] == pytest.approx(together, abs=1e-4)
    alone, every = explained({"tenure": 12})
    assert alone["tenure"]["contribution"] == pytest.approx(every["tenure"], abs=1e-4)


def test_reasons_lose_nothing_but_what_was_not_given() -> None:
    """Contributions are additive: summing groups changes no total."""
    for given in (COMPLETE, {**COMPLETE, **NO_INTERNET}, {"phone_service": False}):
        reasons, every = explained(given)
        known = [v for k, v in every.items() if {**SAMPLE_REQUEST, **given}.get(k) is not None]
        total = math.fsum(reason["contribution"] for reason in reasons.values())
        assert total == pytest.approx(math.fsum(known), abs=1e-3)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"tenure": 72, "total_charges": 20.0}, "total_charges 20.00 doesn't fit 72 months"),
        ({"tenure": 1, "total_charges": 5_000.0}, "total_charges 5000.00 doesn't fit 1 month at"),
        ({**NO_INTERNET, "streaming_tv": "Yes"}, "streaming_tv 'Yes' contradicts internet_service"),
        ({"internet_service": "DSL", "tech_support": "No internet service"}, "tech_support"),
        ({"phone_service": False, "multiple_lines": "Yes"}, "multiple_lines 'Yes'"),
        ({"previous_contacts": 0, "previous_outcome": "success"}, "previous_outcome 'success'"),
        ({"previous_contacts": 2, "previous_outcome": "nonexistent"}, "previous_contacts 2"),
    ],
)
def test_values_that_contradict_each_other_are_named(
    changes: dict[str, Any], named: str, engine: RetentionEngine
) -> None:
    """Allowed one by one; together they are somebody's typing error, and the answer says so."""
    [warning] = metadata(engine, **changes)["warnings"]
    assert named in warning


@pytest.mark.parametrize(
    "changes",
    [
        {},
        COMPLETE,
        {**COMPLETE, **NO_INTERNET},
        {"tenure": 0, "total_charges": 0.0},
        {"tenure": 1, "total_charges": 20.0},  # a first bill of part of the month
        {"tenure": 72, "total_charges": 72 * 60.0},  # the price has risen since
        {"phone_service": False, "multiple_lines": "No phone service"},
        {"previous_contacts": 2, "previous_outcome": "failure"},
    ],
)
def test_plausible_customers_raise_no_warning(
    changes: dict[str, Any], engine: RetentionEngine
) -> None:
    """A warning that everybody gets is read by nobody."""
    assert metadata(engine, **changes)["warnings"] == []


@pytest.mark.parametrize(
    ("value", "said"), [(52, "52"), (52.0, "52"), (1052.0, "1,052"), (52.5, "52.50"), (1.0, "1")]
)
def test_a_whole_number_is_one_however_it_came(value: float, said: str) -> None:
    """A table of predictions has 52.0 where a form has 52: list and console say the same."""
    contract = load_contract(PROJECT / "examples/iranian_telecom/customers.yaml")
    words = Wording(schema_of(contract))
    text = words.text("frequency_of_use", value, raises=True)
    assert text == f"Calls: {said}; raises the churn risk"
    money = words.text("customer_value", value, raises=True)  # always with its cents
    assert money == f"Value of 9 months: {value:,.2f}; raises the churn risk"
    bill = BUILT_IN_WORDS.text("monthly_charges", value, raises=False)
    assert bill == f"Monthly bill: {value:,.2f}; lowers the churn risk"


def test_what_is_not_given_contradicts_nothing() -> None:
    """A row without a single value is no contradiction."""
    assert BUILT_IN_WORDS.warnings_of({}) == []
