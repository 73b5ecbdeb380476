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
from churn_assets.predictors.scoring.held_out import NOBODY, RISK_SOURCES
from churn_assets.predictors.scoring.linear import Linear
from churn_assets.predictors.scoring.scorers import RiskScorer
from churn_assets.predictors.training import risk
from churn_assets.predictors.training.baselines import fit_linear, logistic_regression
from churn_assets.predictors.training.frames import rows_of
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
    id_column="Account",
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
    assert report["auc_tried"]["boosted_trees"] > report["auc_tried"]["logistic_regression"]
    assert report["chosen"]["trees"] in CHECKPOINTS
    assert len(report["chosen_in_folds"]) == 3
    assert report["auc_oof"] > report["baselines_oof"]["logistic_regression"]["auc"] + 0.1
    assert all(gate.judge(report).passed for gate in OWN_RISK_GATES)
    known = RiskScorer.load(tmp_path / "model").held_out
    assert known is not None
    assert len(known) == 1200
    assert (known.find(f"C{i}" for i in range(1200)) != NOBODY).all()


PLAIN = SCHEMA.model_copy(
    update={"fields": tuple(f.model_copy(update={"direction": 0}) for f in SCHEMA.fields)}
)


def test_what_ranks_better_is_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of who leaves by a straight line trees know less: a company like that was refused its release
    for being worse than what could have served it. A direction only trees keep to."""
    chance, made = np.random.default_rng(5), customers

    def plain(count: int, seed: int = 0) -> pd.DataFrame:
        frame = made(count, seed)
        odds = -1.2 + frame["balance"] / 60 + frame["active"] - 0.5 * (frame["size"] == "L")
        return frame.assign(churn=chance.random(count) < 1 / (1 + np.exp(-odds)))

    monkeypatch.setattr(f"{__name__}.customers", plain)
    monkeypatch.setattr(f"{__name__}.SCHEMA", PLAIN)
    report = trained(tmp_path, 2500)
    assert report["method"] == "logistic_regression"
    tried = report["auc_tried"]
    assert tried["logistic_regression"] > tried["boosted_trees"] > 0.6
    assert report["why"] == (
        "2,500 rows: a logistic regression, which ranks better out of fold (AUC "
        f"{tried['logistic_regression']:.3f}) than trees ({tried['boosted_trees']:.3f})"
    )
    assert report["baselines_oof"]["logistic_regression"]["auc_gain_interval"] == [0.0, 0.0]
    assert all(gate.judge(report).passed for gate in OWN_RISK_GATES)
    assert isinstance(RiskScorer.load(tmp_path / "model").model.forest, Linear)
    assert not (tmp_path / "model" / "model.ubj").exists()


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


def off(beyond: float, rate: float = 0.3, error: float = 0.001) -> dict[str, float]:
    """A calibration error beyond chance, as the report has it."""
    return {"beyond_floor": beyond, "rate": rate, "error": error}


def in_time(within: float = 0.7, later: float = 0.7, off: float = 0.0) -> dict[str, Any]:
    """Figures of snapshots, known to 0.01, beside a pooled AUC of 0.7."""
    calibration = {"beyond_floor": off, "rate": 0.3, "error": 0.001}
    figures = {"auc": later, "error": 0.01, "calibration_by_mass": calibration}
    return {"snapshots": {"within": {"auc": within, "error": 0.01}, "later": figures}}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (
            "risk_is_not_shown_to_rank_worse_than_logistic_regression",
            {"baselines_oof": {"logistic_regression": {"auc_gain_interval": [-0.2, -0.01]}}},
        ),
        ("risk_ranks_better_than_chance", {"auc_oof_lower": 0.49}),
        ("risk_is_calibrated_beyond_chance", {"calibration_by_mass": off(0.06)}),
        ("risk_is_calibrated_beyond_chance", {"calibration_by_mass": off(0.02, rate=0.03)}),
        (
            "risk_is_calibrated_for_short_requests_beyond_chance",
            {"required_only_oof": {"calibration_by_mass": off(0.06)}},
        ),
        ("risk_ranks_customers_of_the_same_snapshot", in_time(within=0.55)),
        ("risk_ranks_customers_of_a_later_snapshot", in_time(later=0.55)),
        ("risk_is_calibrated_in_a_later_snapshot", in_time(off=0.11)),
    ],
)
def test_a_gate_stops_what_it_is_for(name: str, change: dict[str, Any]) -> None:
    """A model that is worse than the regression, or whose probabilities are wrong, isn't served."""
    sound = {
        "source": "own",
        "auc_oof": 0.7,
        "auc_oof_interval": [0.65, 0.75],
        "auc_oof_lower": 0.65,
        "calibration_by_mass": off(0.04),
        "snapshots": {},
        "rows": 1000,
        "method": "boosted_trees",
        "chosen": {},
        "required_only_oof": {"calibration_by_mass": off(0.0)},
        "baselines_oof": {"logistic_regression": {"auc_gain_interval": [-0.01, 0.0]}},
    }
    [gate] = [gate for gate in OWN_RISK_GATES if gate.name == name]
    assert gate.judge(sound).passed
    assert gate.judge(sound | in_time()).passed
    assert not gate.judge(sound | change).passed


def test_a_miss_that_few_rows_may_have_by_chance_is_none() -> None:
    """Three standard errors beyond what is allowed aren't shown; five are."""
    [gate] = [g for g in OWN_RISK_GATES if g.name == "risk_is_calibrated_beyond_chance"]
    for errors, passed in ((3, True), (5, False)):
        block = off(0.0075 + errors * 0.004, rate=0.03, error=0.004)
        report = {"source": "own", "rows": 300, "calibration_by_mass": block}
        assert gate.judge(report).passed is passed


SEEN = pd.to_datetime([f"2026-{month:02}-28" for month in range(1, 9)])


def months(folder: Path, rate_as_column: bool) -> dict[str, Path]:
    """2,500 customers in each of eight months, the last one to be tried on. A third of them leave
    in some months and a tenth in others; either the balance is just that rate, for everybody, or it
    tells the customers apart whatever the month."""
    rng = np.random.default_rng(5)
    frames = []
    for number, seen in enumerate(SEEN):
        rate = 0.35 if number % 2 else 0.1
        frame = customers(2500, seed=number).assign(snapshot=seen)
        own = rng.normal(0, 1, 2500)
        odds = np.log(rate / (1 - rate)) + (0 if rate_as_column else 1.5 * own)
        frame["churn"] = rng.random(2500) < 1 / (1 + np.exp(-odds))
        frame["balance"] = rate if rate_as_column else own + np.log(rate)
        frame["customer_id"] = [f"C{i}-{number}" for i in range(2500)]
        part = np.array(["train"] * 2250 + ["valid"] * 250)
        frames.append(frame.assign(split="test" if number == len(SEEN) - 1 else part))
    everyone = pd.concat(frames)
    folder.mkdir()
    for part in SPLITS:
        rows = everyone[everyone["split"] == part].drop(columns="split")
        write_parquet(rows, folder / f"{part}.parquet")
    SCHEMA.save(folder)
    (folder / "dataset.json").write_text(json.dumps({"source": "own"}))
    return {"customer_history": folder}


@pytest.mark.parametrize("rate_as_column", [True, False])
def test_what_tells_the_month_and_no_customer_stops_a_release(
    rate_as_column: bool, tmp_path: Path
) -> None:
    """Its pooled AUC is above chance, and is calibrated: only customers of one month tell that it
    knows none of them. A column that tells customers apart holds those gates."""
    (out := tmp_path / "model").mkdir()
    config = FAST.model_copy(update={"search_candidates": 0, "trees": 40})
    report = risk.run(months(tmp_path / "in", rate_as_column), out, config)["risk"]
    missed = {gate.name for gate in OWN_RISK_GATES if not gate.judge(report).passed}
    assert report["auc_oof_lower"] > 0.6
    assert report["snapshots"]["within"]["snapshots"] == 8
    assert report["snapshots"]["later"]["rows"] == 2500
    useless = {
        "risk_ranks_customers_of_the_same_snapshot",
        "risk_ranks_customers_of_a_later_snapshot",
    }
    if rate_as_column:
        assert missed >= useless
        assert not missed & {"risk_ranks_better_than_chance", "risk_is_calibrated_beyond_chance"}
    else:
        assert not missed & {*useless, "risk_is_calibrated_in_a_later_snapshot"}


def test_customers_without_ids_are_never_taken_for_somebody_else(tmp_path: Path) -> None:
    """R17 is another customer in every file: the same file shuffled is the same people, by what is
    known of them, and whoever is new is answered by the model."""
    frame = customers(300)
    frame["customer_id"] = [f"R{i + 1}" for i in range(300)]
    inputs = history(tmp_path / "in", frame)
    SCHEMA.model_copy(update={"id_column": None}).save(inputs["customer_history"])
    (out := tmp_path / "model").mkdir()
    risk.run(inputs, out, FAST)
    scorer = RiskScorer.load(out)
    matrix = encode(rows_of(frame), scorer.model.features)
    alone = scorer.model.probabilities(matrix)
    ids = list(frame["customer_id"])
    told, source = scorer.of_customers(ids, matrix, alone)
    assert {RISK_SOURCES[number] for number in source} == {"out_of_fold"}
    order = np.random.default_rng(0).permutation(300)
    again, source = scorer.of_customers(ids, matrix[order], alone[order])
    assert "adjusted" not in {RISK_SOURCES[number] for number in source}
    np.testing.assert_array_equal(again, told[order])
    others = encode(rows_of(customers(300, seed=1)), scorer.model.features)
    theirs = scorer.model.probabilities(others)
    told, source = scorer.of_customers(ids, others, theirs)
    assert {RISK_SOURCES[number] for number in source} == {"model"}
    np.testing.assert_array_equal(told, theirs)


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
