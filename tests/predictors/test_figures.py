"""What the reports say is what the published models give, computed here anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from churn_assets.datasets.tables import read_split
from churn_assets.predictors.scoring.features import ACCEPT_FEATURES, RISK_FEATURES, encode
from churn_assets.predictors.scoring.scorers import AcceptScorer, RiskScorer
from churn_assets.predictors.training.frames import rows_of
from churn_assets.predictors.training.offer_response import bank_contacts
from tests.predictors.conftest import ACCEPT, RISK, Trained


def figures(labels: np.ndarray, told: np.ndarray) -> dict[str, float]:
    """AUC, Brier score and calibration error in ten bins, by their definitions."""
    bins = [(told >= low / 10) & (told < (low + 1) / 10) for low in range(9)] + [told >= 0.9]
    gaps = [abs(labels[b].sum() - told[b].sum()) for b in bins]
    return {
        "auc": float(roc_auc_score(labels, told)),
        "brier": float(brier_score_loss(labels, told)),
        "ece": float(sum(gaps) / len(labels)),
    }


@pytest.fixture(scope="module")
def contacts(inputs: dict[str, Path]) -> pd.DataFrame:
    return bank_contacts(inputs["bank_contacts"], ACCEPT)["illustrative"]


def test_risk_figures_are_of_the_held_out_customers(
    inputs: dict[str, Path], trained_risk: Trained
) -> None:
    """The published model on rows that it never saw, whole and with what a request must have."""
    report, scorer = trained_risk.report, RiskScorer.load(trained_risk.folder)
    learn = pd.concat([read_split(inputs["customer_history"], part) for part in ("train", "valid")])
    test = read_split(inputs["customer_history"], "test")
    labels, rows = test["churn"].to_numpy(float), rows_of(test)
    needed = [feature.name for feature in RISK_FEATURES if feature.required]
    short = [{name: row[name] for name in needed} for row in rows]
    assert report["test_rows"] == len(test)
    assert report["rows"] == len(test) + len(learn)
    assert report["base_rate"] == pytest.approx(learn["churn"].mean())
    whole = figures(labels, scorer.predict(rows))
    assert {name: report[name] for name in whole} == pytest.approx(whole)
    assert report["calibration"][RISK.calibration] == pytest.approx(whole)
    assert report["required_only"] == pytest.approx(figures(labels, scorer.predict(short)))
    assert set(report["calibration"]) == set(report["calibration_oof"]) == {"isotonic", "sigmoid"}


def test_pooled_risk_figures_agree_with_each_other(trained_risk: Trained) -> None:
    """Bounds on either side of their figure; a lead is the model's over the baseline."""
    report = trained_risk.report
    low, high = report["auc_oof_interval"]
    assert report["auc_oof_lower"] == low < report["auc_oof"] < high
    pooled = {name: report[f"{name}_oof"] for name in ("auc", "ece", "brier")}
    assert report["calibration_oof"][RISK.calibration] == pooled
    others = report["baselines_oof"]
    assert set(others) == {"logistic_regression", "specification", "trained_without_masking"}
    for other in others.values():
        low, high = other["auc_gain_interval"]
        assert low < report["auc_oof"] - other["auc"] < high
        assert high - low < 0.1  # of differences on the same rows
    assert report["auc_oof"] == pytest.approx(others["trained_without_masking"]["auc"], abs=0.03)
    assert report["required_only_oof"]["auc"] < report["auc_oof"]


def test_acceptance_figures_are_of_the_held_out_contacts(
    contacts: pd.DataFrame, trained_accept: Trained
) -> None:
    """Each held-out contact at each offer, with its answer to that offer."""
    report, model = trained_accept.report, AcceptScorer.load(trained_accept.folder).model
    test, learn = (contacts[(contacts["split"] == "test") == held] for held in (True, False))
    labels, told, offers = [], [], []
    for level in range(4):
        rows = [{**row, "offer_level": level} for row in rows_of(test)]
        told.append(model.probabilities(encode(rows, ACCEPT_FEATURES)))
        labels.append(test[f"response_{level}"].to_numpy(float))
        offers.append(np.full(len(test), level))
    by_offer = [figures(*pair) for pair in zip(labels, told, strict=True)]
    every, all_told, offer = (np.concatenate(parts) for parts in (labels, told, offers))
    whole = figures(every, all_told)
    assert {name: report[name] for name in whole} == pytest.approx(whole)
    assert report["calibration"][ACCEPT.calibration] == pytest.approx(whole)
    assert report["rows"] == len(every)
    assert report["auc_by_offer"] == pytest.approx([found["auc"] for found in by_offer])
    assert report["ece_by_offer"] == pytest.approx([found["ece"] for found in by_offer])
    assert report["auc_offer0"] == report["auc_by_offer"][0]
    assert report["auc_offer_only"] == pytest.approx(roc_auc_score(every, offer))
    gained = report["auc"] - report["auc_offer_only"]
    low, high = report["auc_over_offer_only_interval"]
    assert low < gained < high
    assert (high - low) / 4 == pytest.approx(report["auc_over_offer_only_error"], rel=0.4)
    curve = report["offer_curve"]
    assert curve["predicted"] == pytest.approx([part.mean() for part in told])
    assert curve["observed"] == pytest.approx([part.mean() for part in labels])
    bounds = zip(curve["observed"], curve["observed_interval"], strict=True)
    assert all(low < rate < high for rate, (low, high) in bounds)
    fresh = (test["previous_contacts"] == 0) & (test["contacts_this_period"] == 0)
    first = np.tile(fresh.to_numpy(), 4)
    assert report["first_contacts"] == pytest.approx(figures(every[first], all_told[first]))
    rates = learn.groupby("offer_level")["accepted"].mean().to_numpy()
    assert report["baselines"]["offer_only"] == pytest.approx(figures(every, rates[offer]))
    assert set(report["baselines"]) == {"offer_only", "logistic_regression", "specification"}


def test_rates_of_then_and_now_are_the_contacts(
    contacts: pd.DataFrame, trained_accept: Trained
) -> None:
    """Learned from the first nine tenths, tested on the last: the drift that is published."""
    report, later = trained_accept.report, contacts["chronological_split"] == "test"
    real = report["headline"]["later_contacts"]
    for answer, learned, tested in (
        ("response_0", real["rate_learned"], real["rate_tested"]),
        ("accepted", report["chronological_rate_learned"], report["chronological_rate_tested"]),
    ):
        assert learned == pytest.approx(contacts.loc[~later, answer].mean())
        assert tested == pytest.approx(contacts.loc[later, answer].mean())
    assert real["auc"] != report["auc_chronological"]


def test_customers_curves_are_the_scorers(inputs: dict[str, Path], trained_accept: Trained) -> None:
    """Of all customers, learned from or not."""
    everyone = pd.concat(
        [read_split(inputs["customer_history"], part) for part in ("train", "valid", "test")]
    )
    curves = AcceptScorer.load(trained_accept.folder).predict(rows_of(everyone))
    report = trained_accept.report
    assert report["customers"] == len(everyone)
    assert report["customer_curve"] == pytest.approx(curves.mean(axis=0))
    rising = (np.diff(curves, axis=1) > 0).all(axis=1).mean()
    assert report["strictly_increasing_share"] == pytest.approx(rising)
    assert report["within_zero_and_one"] is True
