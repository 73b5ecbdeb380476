"""A contract with a campaign and no customers: from the log to a model that is judged by itself."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from checks.own_campaign import OWN_ACCEPT_GATES
from churn_assets.customers.campaign import contacts_schema, write_contacts
from churn_assets.customers.campaign_schema import load_campaign
from churn_assets.customers.check import check
from churn_assets.customers.contract.model import ContractError, load_contract
from churn_assets.customers.quality.report import QualityReport
from churn_assets.customers.reading.sources import Places
from churn_assets.datasets.config import DatasetsConfig
from churn_assets.datasets.errors import DataError, SchemaViolationError
from churn_assets.datasets.schemas import validate
from churn_assets.datasets.tables import read_split
from churn_assets.domain.splits import SPLITS
from churn_assets.domain.statistics import wilson_interval
from churn_assets.predictors.config import AcceptConfig
from churn_assets.predictors.training import accept
from churn_assets.predictors.training.own.log import Log
from churn_assets.predictors.training.own.log_design import offers_as_logged
from tests.customers.charity import EXAMPLE, MEANS, charity_rows, rising, write_charity
from tests.customers.conftest import Rows

CONFIG = AcceptConfig(bootstrap=100, search_candidates=2)
GATES = {gate.name: gate for gate in OWN_ACCEPT_GATES}
Written = Callable[..., QualityReport]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Writes a table and reads it by the example's contract, or another, into `tmp_path/log`."""

    def run(rows: Rows, contract: Path = EXAMPLE) -> QualityReport:
        write_charity(tmp_path / "mirror", rows)
        places = Places(
            contract.parent, tmp_path / "raw", DatasetsConfig(mirror=tmp_path / "mirror")
        )
        (tmp_path / "log").mkdir()
        return write_contacts(
            load_contract(contract), places, tmp_path / "refused", tmp_path / "log"
        )

    return run


def trained(folder: Path, config: AcceptConfig = CONFIG) -> dict[str, Any]:
    """The stage's report on `folder/log`."""
    (folder / "model").mkdir()
    report = accept.run({"campaign_contacts": folder / "log"}, folder / "model", config)
    json.dumps(report, allow_nan=False)  # as the stage's runner writes it
    found: dict[str, Any] = report["accept"]
    return found


def missed(report: dict[str, Any]) -> set[str]:
    """The gates that a report misses."""
    results = {name: gate.judge(report) for name, gate in GATES.items()}
    return {name for name, result in results.items() if not result.passed}


def changed(folder: Path, *lines: tuple[str, str]) -> Path:
    """The example's contract with some text replaced."""
    text = EXAMPLE.read_text()
    for old, new in lines:
        assert old in text
        text = text.replace(old, new)
    file = folder / "customers.yaml"
    file.write_text(text)
    return file


def test_the_example_runs_from_the_log_to_a_model_that_holds_its_gates(
    written: Written, tmp_path: Path
) -> None:
    """The whole path that `charitable_mail` takes, on a table of its shape."""
    report = written(charity_rows())
    assert (report.rows, report.refused, report.problems) == (1_000, 0, [])
    means = {leak.column for leak in report.leaks if leak.sign == "group_mean"}
    assert means == {*MEANS}
    assert {leak.role for leak in report.leaks} == {"left_out"}
    schema = load_campaign(tmp_path / "log")
    assert schema.gives == (0, 100, 200, 300)
    assert schema.unit == "% of the gift"
    table = pd.concat([read_split(tmp_path / "log", part) for part in SPLITS])
    assert len(table) == 1_000
    assert table["female"].isna().mean() == pytest.approx(1 / 3, abs=0.06)  # -999 is missing
    found = trained(tmp_path)
    assert missed(found) == set()
    rates = [row["rate"] for row in found["response_by_level"]]
    assert sum(row["contacts"] for row in found["response_by_level"]) == 1_000
    for row, rate in zip(found["response_by_level"], rates, strict=True):
        assert row["interval"][0] < rate < row["interval"][1]
    assert found["response_by_level"][3]["gain"] == pytest.approx(rates[3] - rates[0])
    assert found["source"] == "own"
    assert found["features"][-1] == "offer_level"
    assert (tmp_path / "model" / "plots" / "offer_curves.png").stat().st_size > 1_000


def test_a_wrong_row_is_refused_and_the_others_are_read(written: Written, tmp_path: Path) -> None:
    """A ratio that the contract doesn't know, an answer that is none, a share above 1."""
    rows = charity_rows()
    rows[3]["match_ratio"], rows[4]["out_gavedum"], rows[5]["perbush"] = "4", "?", "1.5"
    report = written(rows)
    assert report.refused == 3
    [table] = report.tables
    assert {kind.column for kind in table.refusals} == {"match_ratio", "out_gavedum", "perbush"}
    assert sum(len(read_split(tmp_path / "log", part)) for part in SPLITS) == 997


def test_what_pandera_refuses_is_said(written: Written, tmp_path: Path) -> None:
    """The typed table is held to its schema once more, as the asset's check does it."""
    written(charity_rows())
    schema = contacts_schema(load_campaign(tmp_path / "log"))
    table = pd.concat([read_split(tmp_path / "log", part) for part in SPLITS], ignore_index=True)
    validate(table, schema, "log")
    wrong = (("perbush", 1.5), ("freq", -1.0), ("offer_level", 4), ("hpa", None))
    for column, value in wrong:
        broken = table.copy()
        broken.loc[7, column] = value
        with pytest.raises(SchemaViolationError, match=column):
            validate(broken, schema, "log")


def test_too_few_contacts_say_how_many_are_needed_and_what_they_buy(written: Written) -> None:
    rows = [row for i, row in enumerate(charity_rows()) if row["match_ratio"] != "3" or i < 300]
    with pytest.raises(DataError, match=r"300 % of the gift, 100 are needed \(100 tell .*±0.10"):
        written(rows)


def test_too_few_acceptances_are_said(written: Written) -> None:
    with pytest.raises(DataError, match=r"of 1,000 contacts accepted; at least 30"):
        written(charity_rows(chance=lambda offer, donor: 0.008))


def test_a_feature_that_is_a_mean_of_the_outcome_is_a_problem(
    written: Written, tmp_path: Path
) -> None:
    """Who takes the state's rate for a fact about the donor is told before anything is learnt."""
    contract = changed(
        tmp_path,
        ("  stateresponse: the mean of the outcome in the state\n", ""),
        ("  features:\n", "  features:\n    stateresponse: {kind: number, required: false}\n"),
    )
    report = written(charity_rows(), contract)
    assert any("stateresponse leaks" in problem for problem in report.problems)


def test_offers_made_by_looking_at_the_donor_are_found(written: Written, tmp_path: Path) -> None:
    """The largest match for those who give often anyway: its effect is theirs too."""

    def looked(draw: random.Random, donor: dict[str, float]) -> int:
        return 3 if donor["freq"] > 12 and draw.random() < 0.7 else draw.randrange(4)

    contract = changed(tmp_path, ("  propensity:", "  # propensity:"))
    written(charity_rows(offer=looked), contract)
    assert "offers_were_made_as_the_contract_says" in missed(trained(tmp_path))


def letters_twice(letters: Rows) -> Rows:
    """Donors written to twice, with the same offer and the same answer, which is their nature."""
    rows = []
    for number, row in enumerate(letters):
        rows += [row | {"donor": f"D{number}"}] * 2
    return rows


def test_letters_to_one_donor_stay_on_one_side(written: Written, tmp_path: Path) -> None:
    """Who saw a donor's first letter would know the answer to the second one. No model does, no
    test takes two letters for two people, and the typed log holds numbers instead of ids."""
    contract = changed(
        tmp_path,
        ("  offer:\n", "  customer: donor\n  offer:\n"),
        ("left_out:\n", "left_out:\n  unused: nothing\n"),
    )
    letters = charity_rows(600, chance=lambda offer, donor: 0.3)
    report = written(letters_twice(letters), contract)
    assert (report.rows, report.refused) == (1_200, 0)
    parts = [read_split(tmp_path / "log", part) for part in SPLITS]
    donors = [set(part["contacted"]) for part in parts]
    assert sum(map(len, donors)) == len(set.union(*donors)) == 600
    assert [len(part) for part in parts] == [2 * len(those) for those in donors]
    assert not any("donor" in part for part in parts)
    found = trained(tmp_path)
    assert missed(found) == set()
    assert found["tests"]["told_from_features"] > 1e-4
    assert found["auc_interval"][0] < 0.55
    for row in found["response_by_level"]:
        assert row["contacts"] == 2 * row["people"]
        low, high = wilson_interval(row["rate"], row["people"])
        assert row["interval"] == pytest.approx([low, high])
    log = Log.load(tmp_path / "log", None)
    every = replace(log, customer=None)
    assert (
        offers_as_logged(every, CONFIG)["tests"]["told_from_features"] < 1e-4
    )  # were they strangers


def test_a_donors_second_letter_makes_no_figure_surer(written: Written, tmp_path: Path) -> None:
    """Counted as two people, the same answer twice made intervals and floors 0.71 times as wide."""
    contract = changed(
        tmp_path,
        ("  offer:\n", "  customer: donor\n  offer:\n"),
        ("left_out:\n", "left_out:\n  unused: nothing\n"),
    )
    letters = letters_twice(charity_rows(600))
    fixed, found = CONFIG.model_copy(update={"search_candidates": 0}), []
    for name, rows in (("once", letters[::2]), ("twice", letters)):
        written(rows, contract)
        found.append(trained(tmp_path, fixed))
        for made in ("log", "model"):
            (tmp_path / made).rename(tmp_path / f"{made}_{name}")
    once, twice = found
    for report in found:
        bounds = np.array(
            [report["auc_interval"], *report["oof"]["offer_curve"]["observed_interval"]]
        )
        report["widths"] = np.diff(bounds)[:, 0]
    np.testing.assert_allclose(twice["widths"], once["widths"], rtol=0.2)
    floors = [report["oof"]["calibration_by_mass"]["floor"] for report in found]
    assert floors[1] == pytest.approx(floors[0], rel=0.2)


def test_shares_that_are_not_what_the_contract_says_are_found(
    written: Written, tmp_path: Path
) -> None:
    """By chance, but not by these: letters were lost, or the columns mean something else."""
    written(charity_rows(offer=lambda draw, donor: draw.randrange(4)))
    report = trained(tmp_path)
    assert missed(report) == {"offers_were_made_as_the_contract_says"}
    assert report["tests"]["told_from_features"] > 1e-4


def test_chances_by_row_are_held_against_the_offers(written: Written, tmp_path: Path) -> None:
    """A log of a policy that looks at the customer is sound where each row has its true chance."""

    def chance_of(level: int, freq: float) -> float:
        likely = 0.6 if freq > 10 else 0.2
        return likely if level == 3 else (1 - likely) / 3

    def looked(draw: random.Random, donor: dict[str, float]) -> int:
        return draw.choices(range(4), [chance_of(k, donor["freq"]) for k in range(4)])[0]

    rows = charity_rows(offer=looked)
    for row in rows:
        row["chance"] = f"{chance_of(int(row['match_ratio']), float(row['freq'])):.6f}"
    text = EXAMPLE.read_text()
    given = next(line for line in text.splitlines() if line.startswith("  propensity:"))
    contract = changed(tmp_path, (given, "  propensity: chance"))
    written(rows, contract)
    assert missed(trained(tmp_path)) == set()
    for row in rows:
        row["chance"] = "0.25"
    for name in ("log", "model"):
        (tmp_path / name).rename(tmp_path / f"true-{name}")
    written(rows, contract)
    assert "offers_were_made_as_the_contract_says" in missed(trained(tmp_path))


def test_a_response_that_falls_in_the_offer_is_found(written: Written, tmp_path: Path) -> None:
    """The model may find rising effects only: where the log shows the contrary, it is no model."""
    written(charity_rows(chance=lambda offer, donor: 0.4 - 0.12 * offer))
    assert "acceptance_curve_lies_in_the_interval_of_the_observed_one" in missed(trained(tmp_path))


def test_features_that_tell_nothing_leave_the_offer_alone(written: Written, tmp_path: Path) -> None:
    """A model that knew more than there is would be worse than each offer's rate."""
    written(charity_rows(chance=lambda offer, donor: 0.1 + 0.05 * offer))
    report = trained(tmp_path)
    assert missed(report) == set()
    assert np.ptp(report["customer_curve"]) > 0.05


def test_a_model_that_is_worse_than_its_baselines_is_stopped(
    written: Written, tmp_path: Path
) -> None:
    written(charity_rows())
    report = trained(tmp_path)
    for baseline in ("offer_alone", "logistic_regression"):
        worse = {"value": -0.05, "error": 0.01}
        found = missed(report | {"gain_over": report["gain_over"] | {baseline: worse}})
        [name] = found
        assert baseline.split("_")[0] in name


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('levels: {"0": 0, "1": 100', 'levels: {"0": 0, "1": 0', None),
        ('{"0": 0, "1": 100, "2": 200, "3": 300}', '{"0": 5, "1": 5}', "nothing to compare"),
        ("    hpa: {", "    match_ratio: {kind: number}\n    hpa: {", "is the offer"),
    ],
)
def test_levels_of_the_offer(tmp_path: Path, old: str, new: str, said: str | None) -> None:
    """Two cells may give the same; one level alone, or the offer as a feature, can't be."""
    text = EXAMPLE.read_text()
    given = next(line for line in text.splitlines() if line.startswith("  propensity:"))
    contract = changed(tmp_path, (old, new), (given, "  # unknown"))
    if said is None:
        campaign = load_contract(contract).campaign
        assert campaign is not None
        assert campaign.offer.gives == (0, 200, 300)
        return
    with pytest.raises(ContractError, match=said):
        load_contract(contract)


def test_the_real_log(tmp_path: Path, real_data: Path) -> None:
    """50,083 letters: the answers of Karlan and List's table 2, to the donor."""
    places = Places(EXAMPLE.parent, tmp_path / "raw", DatasetsConfig(mirror=real_data))
    (tmp_path / "log").mkdir()
    write_contacts(load_contract(EXAMPLE), places, tmp_path / "refused", tmp_path / "log")
    table = pd.concat([read_split(tmp_path / "log", part) for part in SPLITS])
    answers = table.groupby("offer_level")["accepted"].agg(["size", "sum"])
    assert answers["size"].tolist() == [16_687, 11_133, 11_134, 11_129]
    assert answers["sum"].tolist() == [298, 231, 252, 253]


def test_check_says_what_leaks_among_what_is_left_out(tmp_path: Path) -> None:
    """`churn customers check` of the example: the reasons to leave columns out are shown true."""
    write_charity(tmp_path / "mirror", charity_rows(chance=rising))
    places = Places(EXAMPLE.parent, tmp_path, DatasetsConfig(mirror=tmp_path / "mirror"))
    report = check(load_contract(EXAMPLE), places, tmp_path / "refused").as_json()
    assert {"rows", "refused", "leaks", "problems"} <= report.keys()
    assert {leak["column"] for leak in report["leaks"]} >= {*MEANS, "out_amountgive"}
    said = " ".join(leak["why"] for leak in report["leaks"])
    assert "alone it ranks who accepts with AUC" in said
    assert "leaves" not in said  # nobody does in a campaign
    assert report["problems"] == []
