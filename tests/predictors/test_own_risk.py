"""The risk model of a company's own customers: features, method, figures and gates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xgboost

from checks.own_customers import OWN_RISK_GATES
from churn_assets.customers.schema import CustomerField, CustomerSchema
from churn_assets.datasets.splits import stratified_split
from churn_assets.datasets.tables import write_parquet
from churn_assets.domain.splits import SPLITS
from churn_assets.predictors.config import RiskConfig
from churn_assets.predictors.scoring.features import Feature, FeatureError, encode
from churn_assets.predictors.scoring.forest import Forest
from churn_assets.predictors.scoring.held_out import NOBODY
from churn_assets.predictors.scoring.linear import Linear
from churn_assets.predictors.scoring.scorers import RiskScorer
from churn_assets.predictors.training import risk
from churn_assets.predictors.training.baselines import fit_linear, logistic_regression
from churn_assets.predictors.training.frames import rows_of
from churn_assets.predictors.training.metrics import ece, ece_floor
from churn_assets.predictors.training.own.features import features_of
from churn_assets.predictors.training.own.methods import CHECKPOINTS, TreesMethod, folds_of

FAST = RiskConfig(folds=3, calibration_folds=2, bootstrap=100, search_candidates=2)
SCHEMA = CustomerSchema(
    contract="Somebody",
    fields=(
        CustomerField(name="balance", column="Balance", kind="number", direction=1),
        CustomerField(name="town", column="Town", kind="category", required=False),
        CustomerField(name="size", column="Size", kind="ordered", levels=("S", "M", "L")),
        CustomerField(name="active", column="Active", kind="flag"),
    ),
    monthly="Balance",
    tenure=None,
    horizon_months=1,
)


def customers(count: int, seed: int = 0) -> pd.DataFrame:
    """Rows with a rare and a missing word, negative numbers, and a churn that trees alone get:
    it depends on the size in one town, and the other way round elsewhere."""
    rng = np.random.default_rng(seed)
    town = rng.choice(["Lisbon", "Porto", "Évora"], count, p=[0.49, 0.5, 0.01])
    size = rng.choice(["S", "M", "L"], count)
    odd = (town == "Lisbon") == (size == "L")
    return pd.DataFrame(
        {
            "customer_id": [f"C{i}" for i in range(count)],
            "churn": rng.random(count) < np.where(odd, 0.75, 0.1),
            "balance": rng.normal(0, 50, count).round(2),
            "town": np.where(rng.random(count) < 0.05, None, town),
            "size": size,
            "active": rng.random(count) < 0.5,
            "monthly_charges": 10.0,
            "tenure": 5,
        }
    )


def history(folder: Path, frame: pd.DataFrame) -> dict[str, Path]:
    """The frame as the asset `customer_history` leaves it."""
    folder.mkdir()
    split = stratified_split(frame["churn"].to_numpy())
    for part in SPLITS:
        write_parquet(frame[split == part], folder / f"{part}.parquet")
    SCHEMA.save(folder)
    (folder / "dataset.json").write_text(json.dumps({"source": "own"}))
    return {"customer_history": folder}


def trained(
    tmp_path: Path, count: int, config: RiskConfig = FAST, noise: int | None = None
) -> dict[str, Any]:
    """What the stage reports; the model lies in `tmp_path/model`. With `noise`, a
    seed, nothing tells who leaves."""
    out = tmp_path / "model"
    out.mkdir()
    frame = customers(count)
    if noise is not None:
        frame["churn"] = np.random.default_rng(noise).permutation(frame["churn"])
    report: dict[str, Any] = risk.run(history(tmp_path / "in", frame), out, config)
    return dict(report["risk"])


def test_words_have_codes_by_frequency_and_the_others_one_together() -> None:
    """A rare word can't be learnt and a new one can't be known: both are "other", not an error."""
    frame = customers(1000)
    balance, town, size, active = features_of(SCHEMA, frame).features
    frequent = frame["town"].value_counts()
    assert town.categories == tuple(frequent.index[:2])
    codes = encode([{"town": word} for word in (*town.categories, "Évora", "Oslo", None)], [town])
    np.testing.assert_array_equal(codes[:, 0], [0, 1, 2, 2, np.nan])
    assert size.categories == ("S", "M", "L")
    with pytest.raises(FeatureError, match="is not one of"):
        encode([{"size": "XL"}], [size])
    assert encode([{"balance": -3.5, "active": True}], [balance, active]).tolist() == [[-3.5, 1]]
    stored = [Feature.from_json(json.loads(json.dumps(f.to_json()))) for f in (balance, town)]
    assert stored == [balance, town]


def test_numpy_and_xgboost_agree_to_the_last_bit(tmp_path: Path) -> None:
    """Missing values, unseen words and negative numbers among them."""
    trained(tmp_path, 1200)
    model = RiskScorer.load(tmp_path / "model").model
    frame = customers(500, seed=1)
    frame.loc[:20, "town"] = "Oslo"
    matrix = encode(rows_of(frame), model.features)
    booster = xgboost.Booster(model_file=tmp_path / "model" / "model.ubj")
    assert isinstance(model.forest, Forest)
    expected = booster.inplace_predict(matrix, predict_type="margin")
    np.testing.assert_array_equal(model.forest.margins(matrix), expected)
    by_balance = encode(
        [{**rows_of(frame)[0], "balance": b} for b in range(-90, 90)], model.features
    )
    assert (np.diff(model.probabilities(by_balance)) >= 0).all()  # the contract's direction


def test_trees_win_where_they_should_and_hold_the_gates(tmp_path: Path) -> None:
    """From 1,000 rows: settings by search, figures beside the regression on the same folds."""
    report = trained(tmp_path, 1200)
    assert report["method"] == "boosted_trees"
    assert report["chosen"]["trees"] in CHECKPOINTS
    assert len(report["chosen_in_folds"]) == 3
    assert report["auc_oof"] > report["baselines_oof"]["logistic_regression"]["auc"] + 0.1
    assert all(gate.judge(report).passed for gate in OWN_RISK_GATES)
    known = RiskScorer.load(tmp_path / "model").held_out
    assert known is not None
    assert len(known) == 1200
    assert (known.find(f"C{i}" for i in range(1200)) != NOBODY).all()


def test_below_a_thousand_rows_the_regression_ships_and_says_so(tmp_path: Path) -> None:
    """Through the same scoring path: reasons, calibration and short requests as ever."""
    report = trained(tmp_path, 600)
    assert report["method"] == "logistic_regression"
    assert report["why"].startswith("600 rows: below 1,000")
    scorer = RiskScorer.load(tmp_path / "model")
    assert isinstance(scorer.model.forest, Linear)
    assert not (tmp_path / "model" / "model.ubj").exists()
    rows = rows_of(customers(600))
    probabilities, contributions = scorer.explain(rows)
    np.testing.assert_array_equal(probabilities, scorer.predict(rows))
    np.testing.assert_array_equal(probabilities[7:8], scorer.predict(rows[7:8]))
    assert contributions.shape == (600, 4)
    gain = report["baselines_oof"]["logistic_regression"]["auc_gain_interval"]
    assert gain == [0, 0]


@pytest.mark.parametrize(("count", "seed"), [(600, 0), (600, 1), (1200, 2)])
def test_features_that_tell_nothing_fail_the_gate_that_says_so(
    count: int, seed: int, tmp_path: Path
) -> None:
    """Scores that even fall with churn become the base rate, and the model is one that loads; where
    that happens in every fold, the AUC is 0.5 exactly."""
    report = trained(tmp_path, count, noise=seed)
    assert {gate.name for gate in OWN_RISK_GATES if not gate.judge(report).passed} == {
        "risk_ranks_better_than_chance"
    }
    scorer = RiskScorer.load(tmp_path / "model")
    stored = scorer.model.metadata["calibrator"]
    assert stored["slope"] == 0
    rows = rows_of(customers(count, seed=1))
    np.testing.assert_allclose(scorer.predict(rows), report["base_rate"])
    np.testing.assert_array_equal(scorer.explain(rows)[0], scorer.predict(rows))
    matrix = encode(rows, scorer.model.features)
    asked, source = scorer.of_customers(
        [f"C{i}" for i in range(count)], matrix, scorer.predict(rows)
    )
    assert set(source) == {2}
    assert ((asked > 0) & (asked < 1)).all()


def test_the_regression_in_numpy_is_the_regression() -> None:
    """Imputed, flagged, standardised, one-hot: all of it folded into a term for each feature."""
    frame = customers(800)
    frame.loc[::7, "balance"] = None
    optional = SCHEMA.model_copy(
        update={"fields": tuple(f.model_copy(update={"required": False}) for f in SCHEMA.fields)}
    )
    features = features_of(optional, frame).features
    matrix, labels = encode(rows_of(frame), features), frame["churn"].to_numpy(np.float64)
    expected = logistic_regression(matrix[:600], labels[:600], matrix[600:], features)
    linear = fit_linear(matrix[:600], labels[:600], features)
    stored = Linear.from_json(json.loads(json.dumps(linear.to_json())))
    ours = 1 / (1 + np.exp(-stored.margins(matrix[600:]).astype(np.float64)))
    np.testing.assert_allclose(ours, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (
            "risk_is_not_shown_to_rank_worse_than_logistic_regression",
            {"baselines_oof": {"logistic_regression": {"auc_gain_interval": [-0.2, -0.01]}}},
        ),
        ("risk_ranks_better_than_chance", {"auc_oof_lower": 0.49}),
        ("risk_is_calibrated_beyond_chance", {"ece_oof_beyond_floor": 0.06}),
        (
            "risk_is_calibrated_for_short_requests_beyond_chance",
            {"required_only_oof": {"ece_beyond_floor": 0.06}},
        ),
    ],
)
def test_a_gate_stops_what_it_is_for(name: str, change: dict[str, Any]) -> None:
    """A model that is worse than the regression, or whose probabilities are wrong, isn't served."""
    sound = {
        "source": "own",
        "auc_oof": 0.7,
        "auc_oof_interval": [0.65, 0.75],
        "auc_oof_lower": 0.65,
        "ece_oof": 0.08,
        "ece_oof_floor": 0.04,
        "ece_oof_beyond_floor": 0.04,
        "rows": 1000,
        "method": "boosted_trees",
        "chosen": {},
        "required_only_oof": {"ece_beyond_floor": 0.0},
        "baselines_oof": {"logistic_regression": {"auc_gain_interval": [-0.01, 0.0]}},
    }
    [gate] = [gate for gate in OWN_RISK_GATES if gate.name == name]
    assert gate.judge(sound).passed
    assert not gate.judge(sound | change).passed


def test_few_rows_have_a_calibration_error_by_chance() -> None:
    """The floor is what exact probabilities show; a wrong model shows more."""
    rng = np.random.default_rng(0)
    p = rng.uniform(0.05, 0.6, 300)
    exact = [ece((rng.random(300) < p).astype(float), p) for _ in range(50)]
    assert ece_floor(p, seed=1) == pytest.approx(np.mean(exact), abs=0.01)
    assert ece_floor(np.repeat(p, 30), seed=1) < ece_floor(p, seed=1) / 2


def test_the_search_is_the_same_everywhere_and_keeps_groups_together() -> None:
    """Counts bound it, no clock; a customer's rows are never on both sides."""
    frame = customers(400)
    own = features_of(SCHEMA, frame)
    matrix, labels = encode(rows_of(frame), own.features), frame["churn"].to_numpy(np.float64)
    groups = np.array([f"G{i // 2}" for i in range(400)])
    method = TreesMethod(own, FAST.model_copy(update={"search_rows": 300}))
    first, again = (method.search(matrix, labels, groups) for _ in range(2))
    assert first == again
    folds = folds_of(labels, 3, 0, groups)
    assert all(len(set(folds[groups == group])) == 1 for group in np.unique(groups))
    fixed = TreesMethod(own, FAST.model_copy(update={"search_candidates": 0}))
    assert fixed.search(matrix, labels, None).trees == FAST.trees
