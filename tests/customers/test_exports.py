"""Tables that a database exported: its words for yes and no, its blanks, and its URL."""

from __future__ import annotations

from pathlib import Path

import pytest

from churn_assets.customers.inspection.inspect import inspect_tables
from churn_assets.customers.reading.sources import Places
from churn_assets.datasets.errors import DataError
from tests.customers.conftest import Checked, Rows, as_csv, made_rows
from tests.customers.test_guesses import decided
from tests.customers.test_inspect import inspected


def exported(yes: str, no: str) -> Rows:
    """The rows of a query, its booleans so; of every twentieth customer nobody knows whether they
    agreed."""
    truth = {"yes": yes, "no": no}
    return [
        row
        | {"Paperless": truth[row["Paperless"]], "Cancelled": truth[row["Cancelled"]]}
        | {"Marketing consent": "" if i % 20 == 0 else truth["yes" if i % 3 else "no"]}
        for i, row in enumerate(made_rows())
    ]


def test_t_and_f_of_an_export_are_true_and_false_of_a_query(
    checked: Checked, tmp_path: Path
) -> None:
    """Why: the contract made of the export refused every row of the query."""
    found = inspected(tmp_path, exported("t", "f"))
    assert "{column: Cancelled, yes: [t, 'true'], no: [f, 'false']}" in found.contract
    assert "  Paperless: {kind: flag, label: paperless, yes: [t, 'true'], " in found.contract
    [file] = tmp_path.glob("*.csv")
    for yes, no in (("t", "f"), ("true", "false")):
        file.write_text(as_csv(exported(yes, no)))
        report = checked(found.contract)
        assert report.problems == []
        assert report.tables[0].used == 400


def test_a_blank_consent_is_none_and_asked_about(checked: Checked, tmp_path: Path) -> None:
    """It was proposed without a word, and the check then ended with it as a problem."""
    found = inspected(tmp_path, exported("yes", "no"))
    assert decided(found)["contact.consent"] == (
        "Marketing consent is blank in 20 rows: that is no consent here; is that so?"
    )
    assert "consent: {column: Marketing consent, yes: 'yes', no: ['no', '']}" in found.contract
    assert checked(found.contract).problems == []


def test_a_blank_opt_out_is_asked_about(tmp_path: Path) -> None:
    """Whether it is one nobody may guess: until somebody says so, it keeps them out."""
    rows = [
        {("Opt-out" if k == "Marketing consent" else k): v for k, v in row.items()}
        for row in exported("yes", "no")
    ]
    found = inspected(tmp_path, rows)
    assert "opt_out: {column: Opt-out, yes: 'yes', no: 'no'}   # DECIDE" in found.contract
    assert decided(found)["contact.opt_out"] == (
        "Opt-out is blank in 20 rows: are they opted out? They count so until yes or no has ''"
    )


def test_a_database_s_url_is_told_what_to_write(tmp_path: Path) -> None:
    """The key and where it is described; not the password."""
    url = "postgresql+psycopg2://me:secret@db.example/shop"
    with pytest.raises(DataError, match=r"sql: \{url: \.\.\., query: SELECT \.\.\.\}") as told:
        inspect_tables([url], Places(tmp_path, tmp_path))
    assert str(told.value).startswith("postgresql+psycopg2://…: a path is a file here, or gs://")
    assert "secret" not in str(told.value)
