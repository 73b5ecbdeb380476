"""Who doesn't want to be contacted: read anew each time, and what can't be read is named."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from churn_assets.customers.contract.model import load_contract
from churn_assets.customers.contract.yaml_lines import Document
from churn_assets.customers.fields import schema_of
from churn_assets.customers.people import PEOPLE, read_addressees
from churn_assets.customers.reading.sources import Places
from churn_assets.customers.tables import write_active, write_history
from churn_assets.datasets.errors import DataError
from tests.customers.conftest import CONTRACT, Checked, as_csv, made_rows
from tests.customers.test_typed_tables import contract

CONTRACT_FEATURES = Document.parse(CONTRACT).value["features"]


def test_an_opt_out_of_today_counts_today(tmp_path: Path) -> None:
    """The history that models learnt from may be weeks old; so may its list of who has left."""
    rows = [row | {"No Mail": "no"} for row in made_rows(320)]
    (tmp_path / "history.csv").write_text(as_csv(rows), encoding="utf-8")
    agreed = contract(contact={"opt_out": {"column": "No Mail", "yes": "yes"}})
    places, history = Places(tmp_path, tmp_path / "raw"), tmp_path / "h"
    history.mkdir()
    write_history(agreed, places, tmp_path / "refused", history)
    stayed = [row["Account"] for row in rows if row["Cancelled"] == "no"]
    refuses, left = stayed[0], stayed[1]
    now = [
        row
        | ({"No Mail": "yes"} if row["Account"] == refuses else {})
        | ({"Cancelled": "yes"} if row["Account"] == left else {})
        for row in rows
    ]
    (tmp_path / "history.csv").write_text(as_csv(now), encoding="utf-8")
    active = tmp_path / "a"
    active.mkdir()
    assert write_active(agreed, places, tmp_path / "refused", history, active) == len(stayed) - 1
    told = pd.read_parquet(active / PEOPLE).set_index("customer_id")["opt_out"]
    assert left not in told.index
    assert told[told].index.tolist() == [refuses]
    known = read_addressees(active / PEOPLE)
    assert (known.rule_against(refuses), known.rule_against(stayed[2])) == ("opt_out", None)
    pd.DataFrame({"customer_id": ["A", "B", "C"], "consent": [True, False, None]}).to_parquet(
        active / PEOPLE
    )
    known = read_addressees(active / PEOPLE)
    assert [known.rule_against(i) for i in "ABC"] == [None, "consent", None]


def test_a_night_after_the_contract_changed_waits_for_training(tmp_path: Path) -> None:
    """What models learnt from isn't read any more: nobody can be scored."""
    (tmp_path / "history.csv").write_text(as_csv(made_rows(320)), encoding="utf-8")
    before, places = contract(), Places(tmp_path, tmp_path / "raw")
    history, active = tmp_path / "h", tmp_path / "a"
    history.mkdir()
    active.mkdir()
    write_history(before, places, tmp_path / "refused", history)
    features = {name: said for name, said in CONTRACT_FEATURES.items() if name != "Calls"}
    with pytest.raises(DataError, match=r"hasn't any more \(Calls\): run the whole graph"):
        write_active(contract(features=features), places, tmp_path / "refused", history, active)


def test_opt_outs_that_cannot_be_read_are_named(checked: Checked, tmp_path: Path) -> None:
    """Each such cell with its count, what it counts as, and what to write; none costs a row."""
    cells = ("ja", "nein", "j", "unbekannt", "")
    rows = [row | {"Werbung nein": cells[i % 5]} for i, row in enumerate(made_rows())]
    (tmp_path / "history.csv").write_text(as_csv(rows))
    said = "{column: Werbung nein, yes: ja}"
    report = checked(CONTRACT + f"contact: {{opt_out: {said}}}\n")
    assert (report.refused, report.notes) == (0, [])
    assert report.problems == [
        "history: Werbung nein: 'j' (80), 'unbekannt' (80) neither yes nor no: "
        "160 rows count as opted out; write in the contract what they mean: "
        "contact.opt_out.yes: [...], no: [...]"
    ]
    said = "{column: Werbung nein, yes: [ja, j, unbekannt], no: [nein, '']}"
    report = checked(CONTRACT + f"contact: {{opt_out: {said}}}\n")
    assert (report.refused, report.notes, report.problems) == (0, [], [])


@pytest.mark.parametrize("missing", ["", ", missing: [onbekend, n.v.t.]"])
def test_a_missing_word_is_no_consent(missing: str, checked: Checked, tmp_path: Path) -> None:
    """What is said of all columns loosens no consent: only a blank says nothing of it."""
    cells = ("ja", "onbekend", "n.v.t.", "")
    rows = [row | {"Mail": cells[i % 4]} for i, row in enumerate(made_rows())]
    (tmp_path / "history.csv").write_text(as_csv(rows))
    words = CONTRACT.replace("history.csv", f"history.csv{missing}")
    calls = "{call: {opt_out: {column: Mail, yes: nee, no: ja}}}"
    words += f"contact: {{consent: {{column: Mail, yes: ja}}, channels: {calls}}}\n"
    said = "'n.v.t.' (100), 'onbekend' (100)"
    of_all, of_calls = (one for one in checked(words).problems if "Mail" in one)
    assert f"{said} neither yes nor no: 200 rows count as without consent" in of_all
    assert "neither yes nor no: 300 rows count as opted out" in of_calls
    [consent, opt_out] = schema_of(load_contract(tmp_path / "customers.yaml")).permissions
    assert [consent.says(cell) for cell in cells] == [True, False, False, None]
    assert [opt_out.says(cell) for cell in cells] == [False, True, True, True]


@pytest.mark.parametrize(
    ("cells", "said", "write"),
    [
        (("ja", "nee"), "'ja' (200), 'nee' (200)", 'yes: "ja", no: "nee"'),
        (("Non", "Oui"), "'Non' (200), 'Oui' (200)", 'yes: "Oui", no: "Non"'),
        (("nee", "weet niet"), "'nee' (200), 'weet niet' (200)", "yes: [...], no: [...]"),
        (("A", "B"), "'A' (200), 'B' (200)", "yes: [...], no: [...]"),
        (("ja", "nee", "?", ""), "'?' (100), 'ja' (100), 'nee' (100)", "yes: [...], no: [...]"),
        (("J", "N"), "'J' (200)", 'yes: "J", no: "N"'),
        (("ja", "yes", "no"), "", ""),  # some are understood: each of the others is refused
    ],
)
def test_a_flag_in_other_words_says_what_to_write(
    cells: tuple[str, ...], said: str, write: str, checked: Checked, tmp_path: Path
) -> None:
    """All rows were refused, and asked about was the opt-out, which was as it should be."""
    rows = [
        row | {"Paperless": cells[i % len(cells)], "No Mail": "ja" if i % 9 else ""}
        for i, row in enumerate(made_rows())
    ]
    (tmp_path / "history.csv").write_text(as_csv(rows))
    report = checked(CONTRACT + "contact: {opt_out: {column: No Mail, yes: ja}}\n")
    problems = [problem for problem in report.problems if "history: Paperless:" in problem]
    told = f"history: Paperless: {said} neither yes nor no: write in the contract what they mean: "
    assert problems == ([f"{told}features.Paperless: {{kind: flag, {write}}}"] if said else [])
    assert not any("same outcome" in problem for problem in report.problems)
    assert report.notes == []
    if "[" not in write and said:  # what it says, typed in
        flag = f"Paperless: {{kind: flag, {write}}}"
        mended = CONTRACT.replace("Paperless: {kind: flag, label: paperless}", flag)
        assert checked(mended + "left_out: {No Mail: another one}\n").problems == []


def test_a_yes_that_no_row_has_is_told(checked: Checked, tmp_path: Path) -> None:
    """It may be misspelt; or nobody has opted out yet, which needs no mending."""
    rows = [row | {"No Mail": "no"} for row in made_rows()]
    (tmp_path / "history.csv").write_text(as_csv(rows))
    report = checked(CONTRACT + "contact: {opt_out: {column: No Mail, yes: JA!}}\n")
    assert report.problems == []
    assert report.notes == ["history: No Mail: no row says JA!: is contact.opt_out.yes right?"]
