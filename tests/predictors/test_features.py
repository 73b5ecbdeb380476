"""The feature contract: what is refused, and that missing stays missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_assets.predictors.scoring.features import (
    ACCEPT_FEATURES,
    NEVER_CONTACTED,
    RISK_FEATURES,
    Feature,
    FeatureError,
    PricePressure,
    at_start_of_period,
    encode,
    with_contact_history,
)

REQUEST = {
    "tenure": 12,
    "monthly_charges": 89.99,
    "contract": "Month-to-month",
    "payment_method": "Electronic check",
}


def test_absent_none_and_nan_are_all_missing() -> None:
    """API, Parquet and pandas each say "missing" in another way."""
    versions = [REQUEST, {**REQUEST, "partner": None}, {**REQUEST, "partner": float("nan")}]
    matrix = encode(versions, RISK_FEATURES)
    np.testing.assert_array_equal(matrix[0], matrix[1])
    np.testing.assert_array_equal(matrix[0], matrix[2])
    optional = [not feature.required for feature in RISK_FEATURES]
    assert np.isnan(matrix[0, optional]).all()
    assert not np.isnan(matrix[0, ~np.array(optional)]).any()


def test_gender_and_customer_id_are_no_features() -> None:
    """A price must not depend on a customer's sex."""
    assert {"gender", "customer_id"}.isdisjoint(feature.name for feature in RISK_FEATURES)


@pytest.mark.parametrize("name", REQUEST)
def test_required_field_is_named_when_missing(name: str) -> None:
    """The API turns this error into a 422 that names the field."""
    row = {key: value for key, value in REQUEST.items() if key != name}
    with pytest.raises(FeatureError, match=f"{name}: is required") as error:
        encode([REQUEST, row], RISK_FEATURES)
    assert (error.value.field, error.value.row) == (name, 1)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("contract", "Weekly", "'Weekly' is not one of .*'Two year'"),
        ("contract", 1, "not one of"),
        ("payment_method", ["Mailed check"], "not one of"),
        ("internet_service", "no", "not one of"),
        ("partner", "Yes", "not true or false"),
        ("partner", 2, "not true or false"),
        ("tenure", "12", "not a number"),
        ("tenure", True, "not a number"),
        ("tenure", -1, "not between 0"),
        ("monthly_charges", float("inf"), "not between 0"),
        ("monthly_charges", 1e300, "not between 0"),
    ],
)
def test_value_outside_the_contract_is_refused(name: str, value: Any, problem: str) -> None:
    """A wrong value must not silently become a number or a missing value."""
    with pytest.raises(ValueError, match=f"{name}: .*{problem}"):
        encode([{**REQUEST, name: value}], RISK_FEATURES)


@given(st.sampled_from([f for f in RISK_FEATURES if f.kind == "category"]), st.text(max_size=30))
def test_only_listed_categories_have_a_code(feature: Feature, text: str) -> None:
    """No normalisation, no fall-back code: a category is known or refused."""
    if text in feature.categories:
        assert feature.encode(text, 0) == feature.categories.index(text)
    else:
        with pytest.raises(FeatureError, match=feature.name):
            feature.encode(text, 0)


@given(st.integers(0, 1000))
def test_numbers_of_numpy_are_numbers(value: int) -> None:
    """Batch rows come from Arrow and numpy, API rows from JSON."""
    plain = Feature("tenure", "number").encode(value, 0)
    assert plain == Feature("tenure", "number").encode(np.int64(value), 0) == value
    assert Feature("partner", "flag").encode(np.bool_(True), 0) == 1.0


def test_no_history_reads_never_contacted() -> None:
    """As the bank data records it; otherwise the model would see an unknown history."""
    assert with_contact_history({"tenure": 1}) == {"tenure": 1, **NEVER_CONTACTED}
    empty = {"days_since_contact": None, "previous_outcome": None}
    assert with_contact_history(empty) == NEVER_CONTACTED


def test_partial_history_keeps_its_gaps() -> None:
    """Whoever knows of two previous contacts was not never contacted."""
    row = with_contact_history({"previous_contacts": 2})
    assert row == {"previous_contacts": 2}


def test_the_running_periods_contacts_can_be_left_out() -> None:
    """The decision environment asks how the customer stood before them; what was before stays."""
    running = {"tenure": 1, "days_since_contact": 2, "contacts_this_period": 3}
    assert at_start_of_period(running) == {"tenure": 1, **NEVER_CONTACTED}
    earlier = {"previous_contacts": 2, "previous_outcome": None}
    assert at_start_of_period(running | earlier) == {
        "tenure": 1,
        "days_since_contact": None,
        "contacts_this_period": 0,
        **earlier,
    }


@pytest.mark.parametrize("feature", [*RISK_FEATURES, *ACCEPT_FEATURES])
def test_contract_survives_the_model_file(feature: Feature) -> None:
    """A released model is scored with the contract it was trained with."""
    assert Feature.from_json(feature.to_json()) == feature


@given(st.lists(st.floats(0, 500), min_size=2, max_size=50), st.floats(0, 600), st.floats(0, 600))
def test_price_pressure_is_a_monotone_quantile(
    charges: list[float], one: float, other: float
) -> None:
    """The lowest charge is 0, the highest 1, and paying more is never less pressure."""
    pressure = PricePressure.fit(np.array(charges))
    low, high = pressure(np.array(sorted([one, other])))
    assert 0 <= low <= high <= 1
    if min(charges) < max(charges):
        ends = pressure(np.array([min(charges) - 1, max(charges) + 1]))
        np.testing.assert_array_equal(ends, [0, 1])


def test_price_pressure_of_the_data_is_uniform() -> None:
    """A quantile score puts charges on the scale of the bank's debt burden."""
    charges = np.random.default_rng(0).lognormal(4, 0.5, 5000)
    scores = PricePressure.fit(charges)(charges)
    np.testing.assert_allclose(np.quantile(scores, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.01)


def test_a_features_file_says_only_what_is_unusual() -> None:
    """Releases made before a lower bound or other words could be said have neither."""
    plain = {"name": "a", "kind": "number", "required": False, "categories": [], "high": None}
    assert Feature("a", "number").to_json() == plain
    assert Feature("a", "number", low=None).to_json() == plain | {"low": None}
    assert Feature("a", "number", low=1.0).to_json() == plain | {"low": 1.0}
    words = Feature("a", "category", categories=("x", "y"), other=True)
    assert words.to_json() == plain | {
        "kind": "category",
        "categories": ["x", "y"],
        "other": True,
    }
    assert Feature.from_json(words.to_json()) == words
    assert (words.levels, Feature("a", "number").levels) == (3, 0)


def test_bounds_of_a_number_are_allowed_values() -> None:
    """By the short cut for plain numbers and without it."""
    number = Feature("a", "number", low=1.0, high=3.0)
    for low, high in ((1.0, 3.0), (np.float32(1), np.float32(3))):
        np.testing.assert_array_equal(encode([{"a": low}, {"a": high}], [number])[:, 0], [1, 3])
        for beyond in (low - type(low)(0.5), high + type(high)(0.5)):
            with pytest.raises(FeatureError, match="is not between 1 and 3"):
                encode([{"a": beyond}], [number])
