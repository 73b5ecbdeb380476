"""The generated tables have what their summaries say: shares, links, drift, an interaction."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.two_samples import told_apart
from churn_assets.datasets.build import build
from churn_assets.datasets.cleaning.telco import clean
from churn_assets.datasets.config import DatasetName, DatasetsConfig
from churn_assets.datasets.pull import pull
from churn_assets.datasets.sources.files import content
from churn_assets.datasets.synthetic import bank, fit, summaries, telco
from churn_assets.datasets.synthetic.draw import summary
from churn_assets.datasets.synthetic.layout import BANK, TELCO, Layout
from churn_assets.domain.statistics import interval
from churn_assets.predictors.config import AcceptConfig, RiskConfig
from churn_assets.predictors.scoring.features import RISK_FEATURES, encode
from churn_assets.predictors.training import accept
from churn_assets.predictors.training.baselines import logistic_regression
from churn_assets.predictors.training.boosting import Learner, stratified_folds
from churn_assets.predictors.training.frames import rows_of
from churn_assets.predictors.training.metrics import auc, bootstrap_auc

SEED = 42
ERRORS = 5  # standard errors: of some 700 figures one is beyond by chance in 2,500 seeds
LARGEST_FILE = 45_000  # bytes


@dataclass(frozen=True)
class Generated:
    """A generated table of the public one's size, as drawn, and what its summary says."""

    name: str
    layout: Layout
    columns: tuple[str, ...]
    table: pd.DataFrame
    summary: dict[str, Any]


def read(text: str, separator: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text), sep=separator, dtype=str, keep_default_na=False)


@pytest.fixture(scope="module")
def customers() -> Generated:
    rows = DatasetsConfig().telco.synthetic_rows
    table = telco.columns_of(read(telco.csv_text(rows, SEED), ","))
    return Generated("telco", TELCO, fit.TELCO_COLUMNS, table, summary("telco"))


@pytest.fixture(scope="module")
def contacts() -> Generated:
    rows = DatasetsConfig().bank.synthetic_rows
    table = bank.columns_of(read(bank.csv_text(rows, SEED), ";"))
    return Generated("bank", BANK, fit.BANK_COLUMNS, table, summary("bank"))


@pytest.fixture(scope="module", params=["customers", "contacts"])
def generated(request: pytest.FixtureRequest) -> Generated:
    found: Generated = request.getfixturevalue(request.param)
    return found


def test_shares_are_the_summary_s(generated: Generated) -> None:
    """Each level of each column is as frequent as in the public table, within sampling error."""
    found = summaries.described(generated.table, generated.columns, generated.layout.edges)
    rows = len(generated.table)
    for name, shares in generated.summary["marginals"].items():
        assert found["marginals"][name].keys() <= shares.keys(), name
        for level, share in shares.items():
            error = np.sqrt(share * (1 - share) / rows) + 1e-4  # and the summary's rounding
            drawn = found["marginals"][name].get(level, 0.0)
            assert drawn == pytest.approx(share, abs=ERRORS * error), (name, level)


def test_links_are_the_summary_s(generated: Generated) -> None:
    """Each pair of columns goes together as much as in the public table."""
    found = summaries.described(generated.table, generated.columns, generated.layout.edges)
    error = 1 / np.sqrt(len(generated.table))  # of Cramér's V, whatever its size
    pairs = [
        (first, second, strength)
        for first, others in generated.summary["links"].items()
        for second, strength in others.items()
    ]
    assert len(pairs) == len(generated.columns) * (len(generated.columns) - 1) / 2
    for first, second, strength in pairs:
        drawn = found["links"][first][second]
        assert drawn == pytest.approx(strength, abs=ERRORS * error), (first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("tenure", "Partner"),
        ("Contract", "PaymentMethod"),
        ("InternetService", "PaperlessBilling"),
    ],
)
def test_links_that_an_earlier_generator_lacked(
    customers: Generated, first: str, second: str
) -> None:
    """Customers of long standing have partners, contracts go with ways of paying."""
    bands = [
        summaries.bands_of(customers.table[name], TELCO.edges.get(name)) for name in (first, second)
    ]
    assert summaries.cramers_v(*bands) > 0.2


def test_the_bill_follows_from_the_services(customers: Generated) -> None:
    """Monthly charges are the price list's, and the first bill is one month."""
    table = customers.table
    listed = telco.list_price(table, customers.summary["prices"])
    assert np.corrcoef(listed, table["MonthlyCharges"])[0, 1] > 0.999
    newest = table[table["tenure"] == 1]
    assert (newest["TotalCharges"] == newest["MonthlyCharges"]).all()
    months = table["TotalCharges"] / table["MonthlyCharges"]
    assert (months - table["tenure"]).abs().max() < 15


def test_churn_is_more_than_a_sum_of_effects(customers: Generated, tmp_path: Path) -> None:
    """The risk model's booster ranks better than logistic regression, as on the public table."""
    source = tmp_path / "telco.csv"
    source.write_text(telco.csv_text(7_032, SEED))
    frame = clean(source)[0]
    matrix, labels = encode(rows_of(frame), RISK_FEATURES), frame["churn"].to_numpy(np.float64)
    folds = stratified_folds(labels, 5, SEED)
    boosted = Learner(RISK_FEATURES, RiskConfig()).cross_fit(matrix, labels, folds)
    logistic = np.empty(len(labels))
    for fold in range(5):
        held = folds == fold
        logistic[held] = logistic_regression(
            matrix[~held], labels[~held], matrix[held], RISK_FEATURES
        )
    scores = boosted.probabilities("sigmoid")
    resampled = bootstrap_auc(labels, [scores, logistic], 300, seed=SEED)
    assert 0.84 < auc(labels, scores) < 0.86
    assert interval(resampled[:, 0] - resampled[:, 1])[0] > 0


def test_acceptance_drifts_as_in_the_public_table(contacts: Generated) -> None:
    """Few say yes in the first tenth, nearly half in the last: tenth by tenth the summary's."""
    found, expected = summaries.drift(contacts.table), contacts.summary["drift"]
    tenth = len(contacts.table) / 10
    for part, (drawn, rate) in enumerate(zip(found["all"], expected["all"], strict=True)):
        error = np.sqrt(rate * (1 - rate) / tenth)
        assert drawn == pytest.approx(rate, abs=ERRORS * error), part
    assert found["all"][0] < 0.04
    assert found["all"][-1] > 0.4
    assert found["seniors"][-1] == pytest.approx(expected["seniors"][-1], abs=0.1)


def test_seniors_start_where_the_summary_s_start(contacts: Generated) -> None:
    """At 65 in the summary and the drawn ages: nobody of 60 counts as one."""
    assert summaries.SENIOR_AGE in BANK.edges["age"]
    assert summaries.SENIOR_AGE in BANK.bands["age"]
    senior = contacts.table["age"] >= summaries.SENIOR_AGE
    yes = contacts.table["y"] == "yes"
    assert senior.mean() == pytest.approx(0.0161, abs=0.003)
    assert yes[senior].mean() > 3 * yes[~senior].mean()


def test_order_of_time_is_the_public_table_s(contacts: Generated) -> None:
    """Months come in order, from May 2008 on, and the economy's columns with them."""
    era = contacts.table["era"]
    assert era.is_monotonic_increasing
    assert list(era.unique()) == list(contacts.summary["eras"])
    assert contacts.table.groupby("era")["nr.employed"].nunique().max() == 1


def test_a_stage_s_draws_with_the_same_seed_are_not_the_table_s(contacts: Generated) -> None:
    """Stages draw with 42 too, a number for each row: it must say nothing about the row."""
    other = np.random.default_rng(SEED).random(len(contacts.table))
    bound = ERRORS / np.sqrt(len(other))
    for name in ("age", "campaign", "previous"):
        assert abs(np.corrcoef(other, contacts.table[name])[0, 1]) < bound, name


@pytest.mark.parametrize("name", ["telco", "bank"])
def test_the_summary_is_small_and_holds_aggregates_only(name: str) -> None:
    """A file that one can read, in which nothing stands for fewer rows than `SMALLEST_CELL`."""
    file = Path(fit.__file__).with_name(f"{name}.json")
    assert file.stat().st_size < LARGEST_FILE
    rows = {"telco": 7_032, "bank": 41_188}[name]
    smallest = summaries.SMALLEST_CELL / rows - 5e-5
    for shares in json.loads(file.read_text())["marginals"].values():
        assert min(shares.values()) >= smallest


def test_no_classifier_tells_the_tables_from_the_public_ones(mirror: Path) -> None:
    """XGBoost and logistic regression, cross-validated, on all columns but ids."""
    bounds = {"telco_customers": 0.70, "bank_contacts": 0.55}
    found = told_apart(mirror, SEED)
    assert found.keys() == bounds.keys()
    for name, scores in found.items():
        assert max(scores.values()) <= bounds[name], name
        # Well below 0.5 would mean that the folds differ, not that the tables agree.
        assert min(scores.values()) >= 0.45, name


def test_the_summaries_are_those_of_the_public_tables(mirror: Path) -> None:
    """Anyone with the files gets the same shares, links, drift and prices."""
    raw = {
        name: pull(name, DatasetsConfig(source="mirror", mirror=mirror), mirror).path
        for name in ("telco_customers", "bank_contacts")
    }
    fitted = fit.fit_telco(read(content(raw["telco_customers"]).decode(), ","))
    for name in ("marginals", "links", "prices", "price_scatter", "total_scatter", "knots"):
        assert fitted[name] == summary("telco")[name], name
    table = fit.kept_contacts(read(content(raw["bank_contacts"]).decode(), ";"))
    found = summaries.described(table, fit.BANK_COLUMNS, BANK.edges)
    assert found == {name: summary("bank")[name] for name in found}
    assert summaries.drift(table) == summary("bank")["drift"]


@pytest.mark.parametrize("real", ["telco_customers", "bank_contacts"])
def test_one_public_and_one_generated_table_support_each_other(
    mirror: Path, tmp_path: Path, real: DatasetName
) -> None:
    """Customers of either source resemble contacts of the other: nothing blocks a mixed graph."""
    names: tuple[DatasetName, ...] = ("telco_customers", "bank_contacts")
    for name in names:
        source = "mirror" if name == real else "synthetic"
        config = DatasetsConfig.model_validate({"source": source, "mirror": mirror})
        build(name, pull(name, config, tmp_path / "raw"), tmp_path / name, config)
    quick, out = AcceptConfig(trees=20, bootstrap=100), tmp_path / "out"
    out.mkdir()
    inputs = {
        "customer_history": tmp_path / "telco_customers",
        "bank_contacts": tmp_path / "bank_contacts",
    }
    report = accept.run(inputs, out, quick)
    assert report["accept"]["support_share"] >= 0.99
