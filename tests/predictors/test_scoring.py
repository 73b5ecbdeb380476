"""Scoring equals the pipeline that was trained and evaluated, and keeps its promises on any row."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost as xgb
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_assets.predictors.scoring.calibration import calibrator_from_json
from churn_assets.predictors.scoring.features import RISK_FEATURES, Feature, FeatureError, encode
from churn_assets.predictors.scoring.scorers import MANY, AcceptScorer, RiskScorer
from churn_assets.predictors.training.frames import read_training_and_test, rows_of
from tests.predictors.conftest import Trained

REQUIRED = [feature for feature in RISK_FEATURES if feature.required]
OPTIONAL = [feature for feature in RISK_FEATURES if not feature.required]

HISTORY: dict[str, st.SearchStrategy[Any]] = {
    "days_since_contact": st.none() | st.integers(0, 400),
    "contacts_this_period": st.none() | st.integers(0, 20),
    "previous_contacts": st.none() | st.integers(0, 20),
    "previous_outcome": st.sampled_from([None, "failure", "success", "nonexistent"]),
    "contact_channel": st.sampled_from([None, "cellular", "telephone"]),
}


def values_of(feature: Feature) -> st.SearchStrategy[Any]:
    if feature.kind == "category":
        return st.sampled_from(feature.categories)
    return st.booleans() if feature.kind == "flag" else st.floats(0, 9000)


ROWS = st.fixed_dictionaries(
    {feature.name: values_of(feature) for feature in REQUIRED},
    optional={feature.name: st.none() | values_of(feature) for feature in OPTIONAL} | HISTORY,
)


def reference(folder: Path, matrix: np.ndarray) -> np.ndarray:
    """The training-time pipeline: XGBoost's own booster, then the calibrator."""
    booster = xgb.Booster(model_file=folder / "model.ubj")
    calibrator = calibrator_from_json(json.loads((folder / "model.json").read_text())["calibrator"])
    return calibrator(booster.inplace_predict(matrix, predict_type="margin"))


def test_risk_equals_the_training_pipeline(inputs: dict[str, Path], trained_risk: Trained) -> None:
    """The figures in the report are of XGBoost; they have to hold for what is served."""
    _, test = read_training_and_test(inputs["customer_history"])
    rows = rows_of(test)
    expected = reference(trained_risk.folder, encode(rows, RISK_FEATURES))
    found = RiskScorer.load(trained_risk.folder).predict(rows)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_accept_equals_the_training_pipeline(
    inputs: dict[str, Path], trained_accept: Trained
) -> None:
    """Each of the four columns is the booster at that offer level."""
    scorer = AcceptScorer.load(trained_accept.folder)
    rows = rows_of(read_training_and_test(inputs["customer_history"])[1])
    found = scorer.predict(rows)
    assert found.shape == (len(rows), 4)
    for level in range(4):
        matrix = scorer.contact_matrix(rows)
        matrix[:, -1] = level
        expected = reference(trained_accept.folder, matrix)
        np.testing.assert_allclose(found[:, level], expected, rtol=0, atol=1e-6)


@settings(max_examples=50)
@given(st.lists(ROWS, min_size=1, max_size=8))
def test_batch_equals_single_rows(
    trained_risk: Trained, trained_accept: Trained, rows: list[dict[str, Any]]
) -> None:
    """A customer's decision must not depend on who else is in the request."""
    for scorer in (RiskScorer.load(trained_risk.folder), AcceptScorer.load(trained_accept.folder)):
        together = scorer.predict(rows)
        alone = np.concatenate([scorer.predict([row]) for row in rows])
        np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("count", [MANY - 1, MANY, MANY + 1])
def test_customers_who_are_alike_are_scored_as_each_alone(
    inputs: dict[str, Path], trained_accept: Trained, count: int
) -> None:
    """From some number on only one customer of each kind is scored: nobody must notice."""
    rows = rows_of(read_training_and_test(inputs["customer_history"])[1])[:count]
    assert len(rows) == count
    for tables in (False, True):
        scorer = AcceptScorer.load(trained_accept.folder, tables=tables)
        alone = np.concatenate([scorer.predict([row]) for row in rows])
        np.testing.assert_array_equal(scorer.predict(rows), alone)


@settings(max_examples=100)
@given(ROWS)
def test_any_valid_row_gets_probabilities_that_rise_with_the_offer(
    trained_risk: Trained, trained_accept: Trained, row: dict[str, Any]
) -> None:
    """Strictly within (0, 1), never less for a larger discount, whatever is missing."""
    risk = RiskScorer.load(trained_risk.folder).predict([row])
    accept = AcceptScorer.load(trained_accept.folder).predict([row])[0]
    assert 0 < risk[0] < 1
    assert accept[0] > 0
    assert accept[-1] < 1
    assert (np.diff(accept) >= 0).all()


def test_required_only_request_is_scored_with_missing_values(trained_risk: Trained) -> None:
    """The shortest request is scored, and saying more can change the answer."""
    scorer = RiskScorer.load(trained_risk.folder)
    short = {
        "tenure": 12,
        "monthly_charges": 89.99,
        "contract": "Month-to-month",
        "payment_method": "Electronic check",
    }
    told = {**short, "internet_service": "Fiber optic", "online_security": "No"}
    before, after = scorer.predict([short, told])
    assert before != after


def test_acceptance_needs_to_know_the_bill(trained_accept: Trained) -> None:
    """Price pressure is made of it; a guess would be an offer to nobody in particular."""
    scorer = AcceptScorer.load(trained_accept.folder)
    with pytest.raises(FeatureError, match="monthly_charges: is required"):
        scorer.predict([{"partner": True}])


def test_unknown_history_and_no_history_differ(trained_accept: Trained) -> None:
    """Never contacted is a fact about a customer; a gap in a known history is not."""
    scorer = AcceptScorer.load(trained_accept.folder)
    charges = {"monthly_charges": 70.0}
    never, gap = scorer.contact_matrix([charges, {**charges, "previous_contacts": 2}])
    names = [feature.name for feature in scorer.model.features]
    column = names.index("contacts_this_period")
    assert never[column] == 0
    assert np.isnan(gap[column])
    assert never[-1] == gap[-1] == 0  # asked about without a discount


def test_contributions_sum_to_the_score(inputs: dict[str, Path], trained_risk: Trained) -> None:
    """Reasons account for all of a customer's distance from the average."""
    scorer = RiskScorer.load(trained_risk.folder)
    rows = rows_of(read_training_and_test(inputs["customer_history"])[1])
    probabilities, values = scorer.explain(rows)
    np.testing.assert_array_equal(probabilities, scorer.predict(rows))
    assert scorer.feature_names == tuple(feature.name for feature in RISK_FEATURES)
    margins = scorer.model.forest.margins(encode(rows, RISK_FEATURES))
    average = margins - values.sum(axis=1)
    np.testing.assert_allclose(average, average[0], atol=1e-4)


def test_no_rows_give_no_scores(trained_risk: Trained, trained_accept: Trained) -> None:
    """An empty shard is no error."""
    assert RiskScorer.load(trained_risk.folder).predict([]).shape == (0,)
    assert AcceptScorer.load(trained_accept.folder).predict([]).shape == (0, 4)


def test_wrong_folders_are_refused(
    trained_risk: Trained, trained_accept: Trained, tmp_path: Path
) -> None:
    """A mixed-up or inconsistent release must not answer at all."""
    with pytest.raises(ValueError, match=r"\('accept', 1\), expected \('risk', 1\)"):
        RiskScorer.load(trained_accept.folder)
    shutil.copy(trained_risk.folder / "model.ubj", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"model\.json"):
        RiskScorer.load(tmp_path)
    document = json.loads((trained_risk.folder / "model.json").read_text())
    document["features"].pop()
    (tmp_path / "model.json").write_text(json.dumps(document))
    with pytest.raises(ValueError, match=r"18 features, model\.json 17"):
        RiskScorer.load(tmp_path)


def test_scoring_imports_numpy_only() -> None:
    """The API starts in the time that its imports take."""
    heavy = ["xgboost", "sklearn", "scipy", "pandas", "pyarrow", "torch", "dagster", "matplotlib"]
    code = (
        "import sys, churn_assets.predictors.scoring.scorers, churn_assets.predictors.config;"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
