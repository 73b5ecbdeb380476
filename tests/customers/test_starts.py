"""Since when somebody is a customer: no last visit is that day, whatever its column is called."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from churn_assets.customers.headings import is_of_the_last, says
from tests.customers.conftest import Checked, Rows, as_csv
from tests.customers.test_guesses import decided, monthly
from tests.customers.test_inspect import inspected
from tests.customers.test_leaving import ending, spread, told


@pytest.mark.parametrize(
    "heading",
    [
        "letzte_anmeldung", "Letzter Eintritt", "Letztes Vertragsdatum", "Anmeldung (zuletzt)",
        "Last registration", "Latest subscription date", "Dernière inscription",
        "Dernière date de souscription", "Último registro", "Fecha de alta (última)",
        "Laatste inschrijving", "Ultima iscrizione", "Última adesão", "Siste innmelding",
        "Sidst registreret", "Seneste indmeldelse", "Senaste registrerad",
    ],
)  # fmt: skip
def test_the_last_of_several_is_no_start(heading: str) -> None:
    assert is_of_the_last(heading)
    assert not says(heading, "since")


@pytest.mark.parametrize(
    "heading",
    ["Anmeldung", "kunde_seit", "Inscription", "Fecha de alta", "Lastschrift seit", "Registrert"],
)
def test_the_first_is(heading: str) -> None:
    """Direct debit is no last one."""
    assert says(heading, "since")


def visits(rows: Rows, day: str, name: str) -> Rows:
    """The rows with since when they're customers, and before it when they were here last."""
    return [
        {name: str(date.fromisoformat(row[day]) - timedelta(1 + i % 9)), **row}
        | {"kunde_seit": f"20{10 + i % 3}-05-17"}
        for i, row in enumerate(rows)
    ]


@pytest.mark.parametrize("name", ["letzte_anmeldung", "Registration"])
def test_inspect_takes_the_date_that_stays(name: str, tmp_path: Path) -> None:
    """By the heading, and by the cells where it doesn't say so."""
    rows = visits(monthly(), "snapshot_date", name)
    for row in rows:
        row["kunde_seit"] = f"20{10 + int(row['customer_no'][1:]) % 12}-05-17"
        del row["Months"]
    found = inspected(tmp_path, rows)
    assert "\ntenure: {since: kunde_seit}\n" in found.contract
    assert found.guesses[name] == "left out"
    found = inspected(tmp_path, [{k: v for k, v in r.items() if k != "kunde_seit"} for r in rows])
    assert "tenure.months" in decided(found)
    assert "since: Registration" not in found.contract


def test_a_check_says_where_it_moves(checked: Checked, tmp_path: Path) -> None:
    """A last visit is to be mended; who left and came back is worth knowing."""
    rows = ending(spread())
    since = told(1).replace("{months: Months}", "{since: Since}")
    for row in rows:
        row["Since"] = f"20{10 + int(row['Account'][1:]) % 12}-05-17"
    (tmp_path / "history.csv").write_text(as_csv(rows))
    assert not any("Since" in said for said in [*checked(since).problems, *checked(since).notes])
    for row in rows:
        if row["Account"] == "A10001" and row["Seen"] > "2026-01-01":
            row["Since"] = "2026-01-05"
    (tmp_path / "history.csv").write_text(as_csv(rows))
    steps = len(rows) - len({row["Account"] for row in rows})
    said = "history: Since is another day than in the snapshot before in {} rows, of {} customers: "
    report = checked(since)
    assert report.problems == []
    assert said.format(f"1 of {steps:,}", 1) + "each row's tenure is since its own" in report.notes
    for row in rows:
        row["Since"] = row["Seen"]
    (tmp_path / "history.csv").write_text(as_csv(rows))
    several = len({row["Account"] for row in rows if row["Seen"] > "2025-11-01"})
    assert (
        said.format(f"{steps:,} of {steps:,}", several)
        + ("tenure.since is the day on which they became customers")
        in checked(since).problems
    )
