"""The stand-ins: the sources' formats, the same for a seed, and with the signal they promise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from churn_assets.datasets.build import build
from churn_assets.datasets.config import FORMATS, DatasetName, DatasetsConfig
from churn_assets.datasets.pull import pull
from churn_assets.datasets.quality import WrittenDataset
from churn_assets.datasets.synthetic import bank, telco
from churn_assets.resources.trees import tree_files

NAMES = tuple(FORMATS)


def made(name: DatasetName, config: DatasetsConfig, folder: Path) -> WrittenDataset:
    out = folder / "out"
    build(name, pull(name, config, folder / "raw"), out, config)
    return WrittenDataset.load(name, out)


@pytest.mark.parametrize("name", NAMES)
def test_a_stand_in_passes_the_same_cleaning_and_schema(
    name: DatasetName, synthetic: DatasetsConfig, tmp_path: Path
) -> None:
    """Everything downstream must be able to run on it, with the number of rows asked for."""
    dataset = made(name, synthetic, tmp_path)
    dataset.validate()
    asked = {
        "telco_customers": synthetic.telco.synthetic_rows,
        "bank_contacts": synthetic.bank.synthetic_rows,
        "oasst1_pairs": synthetic.oasst1.synthetic_rows,
        "preference_pairs": synthetic.preferences.synthetic_rows,
    }
    assert dataset.rows == asked[name]
    assert not any(dataset.shared_between_splits().values())


@pytest.mark.parametrize("name", NAMES)
def test_equal_seeds_give_equal_bytes_and_others_do_not(
    name: DatasetName, synthetic: DatasetsConfig, tmp_path: Path
) -> None:
    """The artifact's digest must change with the data and with nothing else."""
    other = synthetic.model_copy(update={"synthetic_seed": 43})
    digests = []
    for number, config in enumerate((synthetic, synthetic, other)):
        made(name, config, tmp_path / str(number))
        digests.append(tree_files(tmp_path / str(number) / "out"))
    assert digests[0] == digests[1]
    assert all(digests[0][file] != digests[2][file] for file in digests[0])


def test_a_fitted_model_finds_the_churn_truth(tmp_path: Path) -> None:
    """The known coefficients are what the labels were drawn with."""
    config = DatasetsConfig.model_validate(
        {"source": "synthetic", "telco": {"synthetic_rows": 15_000}}
    )
    frame = pd.concat(made("telco_customers", config, tmp_path).splits.values())
    features = pd.DataFrame(
        {
            "month_to_month": frame["contract"] == "Month-to-month",
            "two_year": frame["contract"] == "Two year",
            "fiber": frame["internet_service"] == "Fiber optic",
            "no_internet": frame["internet_service"] == "No",
            "security": frame["online_security"] == "Yes",
            "support": frame["tech_support"] == "Yes",
            "electronic": frame["payment_method"] == "Electronic check",
            "paperless": frame["paperless_billing"],
            "dependents": frame["dependents"],
            "tenure": frame["tenure"] / 72,
        }
    ).astype(float)
    model = LogisticRegression(C=1e6, max_iter=1_000).fit(features, frame["churn"])
    found = dict(zip(features.columns, model.coef_[0], strict=True))
    effects = telco.EFFECTS
    truth = {
        "month_to_month": effects["Contract"]["Month-to-month"],
        "two_year": effects["Contract"]["Two year"],
        "fiber": effects["InternetService"]["Fiber optic"],
        "tenure": telco.TENURE_EFFECT,
        "electronic": effects["PaymentMethod"]["Electronic check"],
    }
    for name, effect in truth.items():
        assert found[name] == pytest.approx(effect, abs=0.25), name
    assert frame["churn"].mean() == pytest.approx(telco.CHURN_RATE, abs=0.01)
    assert roc_auc_score(frame["churn"], model.predict_proba(features)[:, 1]) > 0.84


def test_acceptance_depends_on_contact_history_and_not_on_the_era(tmp_path: Path) -> None:
    """The accept model sees history only; month and economy must carry nothing here."""
    frame = pd.concat(
        made(
            "bank_contacts",
            DatasetsConfig.model_validate({"source": "synthetic"}),
            tmp_path,
        ).splits.values()
    )
    rates = frame.groupby("poutcome")["accepted"].mean()
    assert rates["success"] > rates["failure"] > rates["nonexistent"]
    assert frame["accepted"].mean() == pytest.approx(bank.ACCEPT_RATE, abs=0.01)
    by_month = frame.groupby("month")["accepted"].agg(["mean", "size"])
    noise = np.sqrt(bank.ACCEPT_RATE * (1 - bank.ACCEPT_RATE) / by_month["size"])
    assert (np.abs(by_month["mean"] - frame["accepted"].mean()) < 4 * noise).all()
