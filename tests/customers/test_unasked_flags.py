"""Columns that seem to say who may be contacted, where the contract doesn't ask them: nobody is
contacted by mistake, and what is said of it can't be overlooked."""

from __future__ import annotations

from pathlib import Path

import pytest

from churn_assets.customers.contract.model import load_contract
from churn_assets.customers.fields import schema_of
from churn_assets.customers.inspection.inspect import inspect_tables
from churn_assets.customers.quality.contact import UNDECIDED
from churn_assets.customers.reading.sources import Places
from tests.customers.conftest import CONTRACT, Checked, as_csv, made_rows

ODD, NAME = 17, "No contactar"
KEEPS_NOBODY_OUT = (
    f"history: {NAME} seems to say who may be contacted, and keeps nobody out: write "
)


def table(folder: Path, name: str, *cells: str) -> None:
    """The small company's, with a column of these cells in turn."""
    rows = [row | {name: cells[i % len(cells)]} for i, row in enumerate(made_rows())]
    (folder / "history.csv").write_text(as_csv(rows), encoding="utf-8")


def test_one_odd_cell_lets_nobody_through(checked: Checked, tmp_path: Path) -> None:
    """Why: with one cell in 400 that is neither, the opt-out was left out of the first contract,
    and everybody would have been contacted. Now who said yes is out, and who said something odd."""
    rows = [row | {NAME: ("sí", "no")[i % 3 > 0]} for i, row in enumerate(made_rows())]
    rows[ODD][NAME] = "?"
    (tmp_path / "history.csv").write_text(as_csv(rows), encoding="utf-8")
    found = inspect_tables(["history.csv"], Places(tmp_path, tmp_path))
    assert found.guesses[NAME] == "opt-out"
    asked = f"{NAME} has other cells than yes and no, which count as opted out: what do they mean?"
    line = f"  opt_out: {{column: No contactar, yes: sí, no: 'no'}}   # DECIDE: {asked}\n"
    assert line in found.contract
    [problem] = [said for said in checked(found.contract).problems if NAME in said]
    assert problem == (
        f"history: {NAME}: '?' (1) neither yes nor no: 1 rows count as opted out; write in the "
        "contract what they mean: contact.opt_out.yes: [...], no: [...]"
    )
    [flag] = schema_of(load_contract(tmp_path / "customers.yaml")).permissions
    assert [flag.says(cell) for cell in ("sí", "no", "?")] == [True, False, True]


def test_a_consent_with_an_odd_cell_is_asked_too(tmp_path: Path) -> None:
    """Who said something odd gave none."""
    table(tmp_path, "Consentement", *["oui", "non"] * 9, "à voir")
    found = inspect_tables(["history.csv"], Places(tmp_path, tmp_path))
    assert found.guesses["Consentement"] == "consent"
    assert "consent: {column: Consentement, yes: oui, no: non}   # DECIDE: Cons" in found.contract
    assert "which count as no consent: what do they mean?" in found.contract


def test_a_column_that_nobody_has_decided_about_is_a_problem(
    checked: Checked, tmp_path: Path
) -> None:
    """Left out by the first contract: it stays one until it is asked, or said to be another."""
    table(tmp_path, NAME, "a", "b", "c")
    found = inspect_tables(["history.csv"], Places(tmp_path, tmp_path))
    assert f"  {NAME}: '{UNDECIDED}'   # DECIDE: " in found.contract
    [problem] = [said for said in checked(found.contract).problems if NAME in said]
    assert problem.startswith(f"{KEEPS_NOBODY_OUT}contact: {{opt_out: {{column: {NAME}, yes: [")
    assert problem.endswith("write under left_out what it is, in words of your own")
    decided = found.contract.replace(UNDECIDED, "whom the branch calls first")
    assert not [said for said in checked(decided).problems if NAME in said]
    asked = f"contact: {{opt_out: {{column: {NAME}, yes: a, no: [b, c]}}}}\n"
    assert checked(CONTRACT + asked).problems == []


@pytest.mark.parametrize("name", [NAME, "Consent email", "Not opted out", "Accepts marketing"])
def test_a_column_that_the_contract_is_silent_about_is_told(
    name: str, checked: Checked, tmp_path: Path
) -> None:
    table(tmp_path, name, "yes", "no")
    [note] = checked().notes
    assert note.startswith(f"history: {name} seems to say who may be contacted, and keeps nobody")
    assert checked(CONTRACT + f"left_out: {{{name}: of another system}}\n").notes == []


@pytest.mark.parametrize("asked", [True, False])
def test_a_consent_that_is_learnt_from_is_told(
    asked: bool, checked: Checked, tmp_path: Path
) -> None:
    """It was a feature, and nothing was said of it."""
    table(tmp_path, "Consent", "yes", "no", "no")
    learnt = CONTRACT + "  Consent: {kind: flag, label: consent}\n"
    contact = "contact: {consent: {column: Consent, yes: yes, no: no}}\n" if asked else ""
    [note] = checked(learnt + contact).notes
    assert note.startswith("history: the feature Consent seems to say who may be contacted: that")
    assert "may not be processed to tell whether they will. Take it out of features" in note
    assert ("keeps nobody out" in note) != asked


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("Consent date", tuple(f"2024-01-{day:02d}" for day in range(1, 29))),
        ("Accepts cards", ("yes", "no")),
        ("Accepte paiement", ("oui", "non")),
        ("Opt-out", ("",)),
    ],
)
def test_what_is_none_is_not_told(
    name: str, cells: tuple[str, ...], checked: Checked, tmp_path: Path
) -> None:
    table(tmp_path, name, *cells)
    assert checked().notes == []
