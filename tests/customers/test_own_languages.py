"""Languages of a company's own table: in its own words, and those that English stands in for."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from churn_assets.customers.languages import served_language
from churn_assets.customers.people import PEOPLE
from churn_assets.customers.reading.sources import Places
from churn_assets.customers.tables import write_active, write_history
from tests.customers.conftest import CONTRACT, Checked, as_csv, made_rows
from tests.customers.test_contract import problems
from tests.customers.test_typed_tables import contract

CELLS = ("es_MX", " Spanish", "Castellà", "Deutsch", "de-AT", "EN", "n/a", "")
PEOPLE_PART = "people: {language: Speaks}\n"


def write(folder: Path, cells: tuple[str, ...] = CELLS) -> None:
    rows = [r | {"Speaks": cells[i % len(cells)]} for i, r in enumerate(made_rows())]
    (folder / "history.csv").write_text(as_csv(rows), encoding="utf-8")


def test_languages_that_english_stands_in_for_are_named(checked: Checked, tmp_path: Path) -> None:
    """Each cell with its rows, and what to write where the company has a word of its own; nothing
    that is understood, and nobody who said nothing."""
    write(tmp_path)
    report = checked(CONTRACT + PEOPLE_PART)
    assert report.problems == []
    assert report.notes == [
        "history: Speaks: 'Castellà' (50), 'Deutsch' (50), 'de-AT' (50): not understood, or no "
        "message is reviewed in it: 150 rows are written to in English; if it means es, say so: "
        "people.languages: {Castellà: es}"
    ]
    report = checked(
        CONTRACT + "people: {language: Speaks, languages: {CASTELLÀ: es, Deutsch: de}}\n"
    )
    assert report.notes == [
        "history: Speaks: 'de' (50), 'de-AT' (50): not understood, or no message is reviewed in "
        "it: 100 rows are written to in English"
    ]


@pytest.mark.parametrize("cell", CELLS[:6])
def test_what_is_named_is_what_english_stands_in_for(
    checked: Checked, tmp_path: Path, cell: str
) -> None:
    """The check and the messages agree on each cell."""
    write(tmp_path, (cell,))
    assert bool(checked(CONTRACT + PEOPLE_PART).notes) == served_language(cell)[1]


def test_a_word_of_the_company_s_own_is_a_language(tmp_path: Path) -> None:
    """What reaches the contact list is the tag; other cells stay as they are."""
    write(tmp_path, ("castellà", "2", "es-MX", ""))
    people = {"language": "Speaks", "languages": {"Castellà": "es", "2": "es-ES"}}
    agreed, places = contract(people=people), Places(tmp_path, tmp_path / "raw")
    history, active = tmp_path / "h", tmp_path / "a"
    history.mkdir()
    active.mkdir()
    write_history(agreed, places, tmp_path / "refused", history)
    write_active(agreed, places, tmp_path / "refused", history, active)
    told = pd.read_parquet(active / PEOPLE)["language"]
    assert {*told.dropna()} == {"es", "es-ES", "es-MX"}
    assert told.isna().any()


def test_a_language_has_to_be_a_tag(tmp_path: Path) -> None:
    """`Castellano: Spanisch` would be passed on as it is, and be no more understood."""
    part = "people:\n  language: Speaks\n  languages:\n    Castellà: in Spanish\n"
    lines = CONTRACT.count("\n")
    assert problems(tmp_path, CONTRACT + part) == [
        f"{lines + 4}: people.languages.Castellà: 'in Spanish' is no tag of a language; write one "
        "as in es or pt-BR"
    ]
