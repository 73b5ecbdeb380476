"""The two stages: what they report, that they repeat to the byte, and the campaign log's switch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from checks.predictors import ACCEPT_GATES
from churn_assets.datasets.sources.files import sha256_of
from churn_assets.datasets.tables import read_split
from churn_assets.domain.splits import SPLITS
from churn_assets.orchestration.compute import scalar_metadata
from churn_assets.predictors.config import AcceptConfig
from churn_assets.predictors.scoring.features import RISK_FEATURES, encode
from churn_assets.predictors.scoring.held_out import RISK_SOURCES
from churn_assets.predictors.scoring.scorers import AcceptScorer, RiskScorer
from churn_assets.predictors.training import accept, risk
from churn_assets.predictors.training.accept_evaluation import summary_or_none
from churn_assets.predictors.training.boosting import mask_optional, required_only
from churn_assets.predictors.training.frames import rows_of
from churn_assets.predictors.training.metrics import summary
from churn_assets.stages.runner import run_stage
from churn_assets.stages.spec import Stage, StageSpec
from churn_assets.storage.opening import open_store
from churn_assets.storage.trees import tree_files
from tests.predictors.conftest import ACCEPT, RISK, Trained
from tests.predictors.test_campaign_log import few, log

RISK_KEYS = {"auc", "ece", "auc_oof", "auc_oof_lower", "ece_oof"}
ACCEPT_KEYS = {
    *("auc", "auc_offer0", "auc_offer_only", "ece", "ece_by_offer", "monotone_violations"),
    *("propensity_auc", "placebo_uplift", "support_share", "auc_chronological"),
    *("ece_chronological", "propensity_p_value", "placebo_p_value", "support_by_level", "era_auc"),
}


def test_reports_have_the_promised_figures(trained_risk: Trained, trained_accept: Trained) -> None:
    """`churn report --json` is a contract with whoever reads it."""
    assert trained_risk.report.keys() >= RISK_KEYS
    assert trained_accept.report.keys() >= ACCEPT_KEYS
    assert len(trained_accept.report["ece_by_offer"]) == 4


def test_report_says_that_responses_are_simulated(trained_accept: Trained) -> None:
    """Nobody should take the offer curve for a measurement."""
    assert trained_accept.report["responses"].startswith("SEMI-SYNTHETIC")
    assert trained_accept.report["source"] == "synthetic"


def test_report_begins_with_what_is_real(
    inputs: dict[str, Path], trained_accept: Trained, tmp_path: Path
) -> None:
    """Simulated discounts hide how a model of earlier contacts errs on later ones.

    In the file, in the asset's metadata and thus in `churn report`, which all keep this order.
    """
    headline = trained_accept.report["headline"]
    assert next(iter(trained_accept.report)) == "headline"
    assert next(iter(scalar_metadata({"accept": trained_accept.report}))) == "accept.headline.what"
    bank = pd.concat([read_split(inputs["bank_contacts"], name) for name in SPLITS])
    later = bank["chronological_split"] == "test"
    assert headline["later_contacts"]["rows"] == later.sum()
    assert headline["later_contacts"]["rate_tested"] == bank.loc[later, "accepted"].mean()
    assert headline["offer0"]["rows"] == len(read_split(inputs["bank_contacts"], "test"))
    assert headline["offer0"]["auc"] == trained_accept.report["auc_offer0"]
    low, high = headline["offer0"]["auc_interval"]
    assert low < headline["offer0"]["auc"] < high


def test_report_file_keeps_the_stages_order(tmp_path: Path) -> None:
    """What a stage puts first is what a reader of `report.json` sees first."""

    def stage(inputs: object, out: Path, config: object, progress: object) -> dict[str, Any]:
        return {"headline": 1, "a_detail": 2}

    store = open_store(str(tmp_path / "store"))
    spec = StageSpec(stage="toy", inputs={}, config={}, store_url=store.url)
    report = run_stage(Stage("toy", stage, AcceptConfig), spec, store)
    text = store.read(report.artifact, "report.json")["report.json"]
    assert list(json.loads(text)) == ["headline", "a_detail"]


def test_both_presets_stand_side_by_side(
    inputs: dict[str, Path], trained_accept: Trained, tmp_path: Path
) -> None:
    """No check can see which assumption is true, so nobody may see the one without the other."""
    shown = trained_accept.report["presets"]
    assert list(shown) == ["illustrative", "conservative"]
    assert shown["illustrative"]["customer_curve"] == trained_accept.report["customer_curve"]
    assert shown["illustrative"]["auc"] == trained_accept.report["auc"]
    last = {name: figures["customer_curve"][-1] for name, figures in shown.items()}
    assert last["illustrative"] > last["conservative"] + 0.2
    config = ACCEPT.model_copy(update={"effect": "conservative"})
    other = accept.run(inputs, tmp_path, config)["accept"]["presets"]
    assert list(other) == ["conservative", "illustrative"]
    for name, figures in shown.items():
        np.testing.assert_allclose(
            other[name]["customer_curve"], figures["customer_curve"], rtol=0, atol=1e-5
        )


def test_model_learned_something(trained_risk: Trained, trained_accept: Trained) -> None:
    """The generator has a law; a model of shuffled labels would stay at one half."""
    assert trained_risk.report["auc_oof_lower"] > 0.7
    assert trained_accept.report["auc"] > trained_accept.report["auc_offer_only"]
    assert trained_accept.report["monotone_violations"] == 0


def test_folders_hold_model_and_pictures(trained_risk: Trained, trained_accept: Trained) -> None:
    """No pickles: XGBoost's format, JSON and PNG."""
    model = {"model.ubj", "model.json", "plots/calibration.png", "plots/importance.png"}
    assert tree_files(trained_risk.folder).keys() == model | {"held_out.safetensors"}
    assert tree_files(trained_accept.folder).keys() == model | {"plots/offer_curves.png"}


def test_customers_are_answered_by_models_that_never_saw_them(
    inputs: dict[str, Path], trained_risk: Trained
) -> None:
    """What is kept of the built-in customers is the pooled risk that the report is about."""
    everyone = pd.concat([read_split(inputs["customer_history"], name) for name in SPLITS])
    scorer = RiskScorer.load(trained_risk.folder)
    matrix = encode(rows_of(everyone), scorer.model.features)
    own = scorer.model.probabilities(matrix)
    told, source = scorer.of_customers(everyone["customer_id"].tolist(), matrix, own)
    labels = everyone["churn"].to_numpy(float)
    assert {RISK_SOURCES[place] for place in source} == {"out_of_fold"}
    assert summary(labels, told)["auc"] == pytest.approx(trained_risk.report["auc_oof"], abs=1e-12)
    assert summary(labels, own)["auc"] > trained_risk.report["auc_oof"] + 0.01


def test_same_input_gives_the_same_bytes(
    inputs: dict[str, Path], trained_risk: Trained, trained_accept: Trained, tmp_path: Path
) -> None:
    """A release that can't be reproduced can't be audited."""
    again = {"risk": tmp_path / "risk", "accept": tmp_path / "accept"}
    for folder in again.values():
        folder.mkdir()
    assert risk.run(inputs, again["risk"], RISK)["risk"] == trained_risk.report
    assert accept.run(inputs, again["accept"], ACCEPT)["accept"] == trained_accept.report
    assert tree_files(again["risk"]) == tree_files(trained_risk.folder)
    assert tree_files(again["accept"]) == tree_files(trained_accept.folder)


def test_campaign_log_replaces_the_simulation(inputs: dict[str, Path], tmp_path: Path) -> None:
    """One setting, and what is learned is the company's own response."""
    folder, out = tmp_path / "log", tmp_path / "out"
    folder.mkdir()
    out.mkdir()
    log(3000).to_csv(folder / "contacts.csv", index=False)
    config = ACCEPT.model_copy(update={"campaign_log": Path("contacts.csv")})
    report = accept.run({**inputs, "campaign_log": folder}, out, config)["accept"]
    assert report["source"] == "campaign_log"
    assert report["headline"]["what"] == "real responses only"
    assert list(report["presets"]) == ["campaign_log"]
    assert "SEMI-SYNTHETIC" not in report["responses"]
    np.testing.assert_allclose(report["customer_curve"], [0.1, 0.3, 0.5, 0.7], atol=0.1)


def test_the_smallest_log_that_is_read_is_learnt_from(
    inputs: dict[str, Path], tmp_path: Path
) -> None:
    """Ten acceptances at each offer, and none among the last: what can't be told is null, whatever
    a gate looks at is there, and the gates say what the log is worth."""
    folder, out = tmp_path / "log", tmp_path / "out"
    folder.mkdir()
    out.mkdir()
    few().to_csv(folder / "contacts.csv", index=False)
    config = ACCEPT.model_copy(update={"campaign_log": Path("contacts.csv")})
    report = accept.run({**inputs, "campaign_log": folder}, out, config)["accept"]
    later = report["headline"]["later_contacts"]
    assert (later["auc"], later["ece"], later["rate_tested"]) == (None, None, 0)
    assert report["auc_chronological"] is None
    assert None not in report["auc_by_offer"]
    assert report["log_sha256"] == sha256_of(folder / "contacts.csv")
    json.dumps(report, allow_nan=False)
    assert all(isinstance(gate.judge(report).passed, bool) for gate in ACCEPT_GATES)
    assert (
        AcceptScorer.load(out)
        .predict(rows_of(read_split(inputs["customer_history"], "test")))
        .shape[1]
        == 4
    )


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_what_has_one_answer_alone_is_null(share: float) -> None:
    """An AUC of acceptances alone is none; with both there is one."""
    accepted = (np.arange(10) < 10 * share).astype(np.float64)
    found = summary_or_none(accepted, np.linspace(0.1, 0.9, 10))
    assert (None in found.values()) is (share != 0.5)
    assert found.keys() == {"auc", "ece", "brier"}


def test_log_and_settings_have_to_agree(inputs: dict[str, Path], tmp_path: Path) -> None:
    """A log that got lost on the way must not fall back to the simulation."""
    config = ACCEPT.model_copy(update={"campaign_log": Path("contacts.csv")})
    with pytest.raises(ValueError, match=r"campaign log contacts\.csv"):
        accept.run(inputs, tmp_path, config)
    with pytest.raises(ValueError, match="campaign_log"):
        accept.run({**inputs, "campaign_log": tmp_path}, tmp_path, ACCEPT)


def test_masking_hides_optional_values_only() -> None:
    """Every degree of missingness occurs, up to the shortest request; required values stay."""
    matrix = np.ones((4000, len(RISK_FEATURES)), np.float32)
    masked = mask_optional(matrix, RISK_FEATURES, np.random.default_rng(0))
    required = np.array([feature.required for feature in RISK_FEATURES])
    assert (masked[:, required] == 1).all()
    hidden = np.isnan(masked[:, ~required]).mean(axis=1)
    assert (hidden == 1).mean() == pytest.approx(0.35, abs=0.03)
    assert (hidden == 0).any()
    np.testing.assert_allclose(np.isnan(masked[:, ~required]).mean(), 0.65, atol=0.02)
    assert np.isnan(required_only(matrix, RISK_FEATURES)).sum(axis=0).max() == 4000
