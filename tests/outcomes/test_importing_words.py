"""`churn outcomes import` of a file in the contract's own words: its kinds, and its dates."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from churn_assets.cli import app
from churn_assets.customers.contract.events import Events
from churn_assets.customers.contract.model import Contract, load_contract
from churn_assets.customers.reading.days import Days, date_order_of
from churn_assets.customers.reading.imports import Imported, rows_of
from churn_assets.outcomes.importing import record
from churn_assets.serving.events import FeedbackEvent
from churn_assets.serving.feedback import SqliteFeedbackLog, open_feedback_log
from churn_assets.settings import load_settings
from churn_assets.storage.local import LocalArtifactStore
from tests.customers.conftest import CONTRACT
from tests.outcomes.test_importing import written

FRENCH = Events(kinds={"envoyé": "sent", "accepté": "accepted"})
DAYS = Days("dd/mm/yyyy", ZoneInfo("Europe/Paris"))


def imported(folder: Path, *rows: str, days: Days = DAYS) -> tuple[Imported, dict[str, str]]:
    """What became of the rows, and the time of each event."""
    with closing(SqliteFeedbackLog(folder / "feedback.sqlite3")) as log:
        done = record(rows_of(FeedbackEvent, written(folder, *rows)), log, said=FRENCH, days=days)
        events = [json.loads(event) for event in log.events()]
    return done, {event["event_id"]: event["occurred_at"] for event in events}


@pytest.mark.parametrize("cell", ["2025-12-07", "07/12/2025", "07.12.2025", "07/12/2025 00:00"])
def test_a_day_alone_is_its_midnight(cell: str, tmp_path: Path) -> None:
    """They were refused, though the contract says how its dates are written."""
    done, times = imported(tmp_path, f"e1,C1,envoyé,{cell},,")
    assert done == Imported(1, 0, [])
    assert times == {"e1": "2025-12-07T00:00:00+01:00"}


@pytest.mark.parametrize("cell", ["15", "15 %", "15%", " 15\u00a0% ", "15.0", "15,0", "15,0 %"])
def test_an_offer_as_its_company_writes_it(cell: str, tmp_path: Path) -> None:
    """Contracts map such cells, and events of the same company were refused."""
    file = tmp_path / "events.csv"
    header = "event_id;customer_id;kind;occurred_at;offer_percentage"
    file.write_text(f"{header}\ne1;C1;accepted;2025-12-07T10:00:00Z;{cell}\n", encoding="utf-8")
    with closing(SqliteFeedbackLog(tmp_path / "feedback.sqlite3")) as log:
        assert record(rows_of(FeedbackEvent, file), log) == Imported(1, 0, [])
        [event] = map(json.loads, log.events())
    assert event["offer_percentage"] == 15


@pytest.mark.parametrize("cell", ["% 15", "15 %%", "15,5 %", "%", "17 %", "15 kr"])
def test_what_is_no_offer_is_refused(cell: str, tmp_path: Path) -> None:
    """And named as it was."""
    file = tmp_path / "events.csv"
    header = "event_id;customer_id;kind;occurred_at;offer_percentage"
    file.write_text(f"{header}\ne1;C1;accepted;2025-12-07T10:00:00Z;{cell}\n", encoding="utf-8")
    with closing(SqliteFeedbackLog(tmp_path / "feedback.sqlite3")) as log:
        [(_, why)] = record(rows_of(FeedbackEvent, file), log).refused
    assert why.startswith("offer_percentage: ")


@pytest.mark.parametrize(
    ("cell", "written", "why"),
    [
        ("31/02/2025", "dd/mm/yyyy", "occurred_at: is no date as dd/mm/yyyy"),
        ("07/12/2025", None, "occurred_at: is no date as they are written here: name format: "),
        ("07/12/2025 14:30", "dd/mm/yyyy", "occurred_at: write a day alone, or date, time and"),
        ("2025-02-30", "dd/mm/yyyy", "occurred_at: write date, time and zone in ISO"),
        ("2025-12-07T10:00", "dd/mm/yyyy", "occurred_at: write date, time and zone"),
    ],
)
def test_other_dates_are_refused(cell: str, written: str | None, why: str, tmp_path: Path) -> None:
    days = DAYS if written else Days()
    done, _ = imported(tmp_path, f"e1,C1,accepté,{cell},,", days=days)
    [(_, said)] = done.refused
    assert said.startswith(why)


def test_an_unknown_kind_is_told_in_the_contracts_words(tmp_path: Path) -> None:
    """It listed the product's English ones alone."""
    done, _ = imported(tmp_path, "e1,C1,cliqué,2025-12-07,,", "e2,C2,ENVOYÉ,2025-12-07,,")
    assert done == Imported(
        1, 0,
        [(1, "kind: write 'envoyé', 'accepté' (events.kinds of the contract), or sent, delivered, "
          "not_sent, accepted, refused, unsubscribed, churned")],
    )  # fmt: skip


def contract_of(folder: Path, history: str, active: str) -> Contract:
    file = folder / "customers.yaml"
    both = f"{{path: history.csv{history}}}\n  active: {{path: active.csv{active}}}\n"
    said = CONTRACT.replace("{path: history.csv}\n", both)
    assert said != CONTRACT
    file.write_text(said)
    return load_contract(file)


@pytest.mark.parametrize(
    ("history", "active", "order"),
    [
        ("", "", None),
        (", format: {date: dd/mm/yyyy}", "", "dd/mm/yyyy"),
        ("", ", format: {date: mm/dd/yyyy}", "mm/dd/yyyy"),
        (", format: {date: dd/mm/yyyy}", ", format: {date: mm/dd/yyyy}", None),
    ],
)
def test_the_tables_tell_how_dates_are_written(
    history: str, active: str, order: str | None, tmp_path: Path
) -> None:
    """Where they differ, nobody knows it of another file."""
    assert date_order_of(contract_of(tmp_path, history, active)) == order


def test_the_command_reads_days_as_the_contract_writes_them(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order of `format.date`, by the clock of `people.default_zone`, in its words of kinds."""
    contract, file = own_home / "customers.yaml", own_home / "events.csv"
    contract.write_text(
        CONTRACT.replace("{path: history.csv}", "{path: history.csv, format: {date: dd/mm/yyyy}}")
        + "\npeople: {default_zone: Europe/Paris}\nevents: {kinds: {envoyé: sent}}\n"
    )
    monkeypatch.setenv("CHURN_CUSTOMERS", str(contract))
    load_settings.cache_clear()
    file.write_text("event_id,customer_id,kind,occurred_at\ne1,C1,Envoyé,07/12/2025\n")
    result = CliRunner().invoke(app, ["outcomes", "import", str(file)])
    assert "1 events added" in result.output
    with closing(open_feedback_log(LocalArtifactStore(own_home / "store"), own_home)) as log:
        [event] = map(json.loads, log.events())
    assert (event["kind"], event["occurred_at"]) == ("sent", "2025-12-07T00:00:00+01:00")


def test_a_list_of_who_left_needs_no_ids_and_no_kinds(own_home: Path) -> None:
    """As a shop exports it; a later export with more of them adds only these."""
    file = own_home / "cancellations.csv"
    names = ("--column", "customer_id=Customer No", "--column", "occurred_at=Cancelled On")
    rows = ["Customer No,Cancelled On,Reason", "C1,2025-12-07,Moved", "C2,2025-12-07,Other"]
    file.write_text("\n".join(rows) + "\n")
    lacking = CliRunner().invoke(app, ["outcomes", "import", str(file), *names])
    assert lacking.exit_code == 1
    assert "no column kind" in lacking.output
    command = ["outcomes", "import", str(file), *names, "--kind", "churned"]
    assert "2 events added, 0 were there already" in CliRunner().invoke(app, command).output
    file.write_text("\n".join([*rows, "C3,2025-12-09,Other", "C3,2025-12-10,Other"]) + "\n")
    assert "2 events added, 2 were there already" in CliRunner().invoke(app, command).output
    with closing(open_feedback_log(LocalArtifactStore(own_home / "store"), own_home)) as log:
        events = [json.loads(event) for event in log.events()]
    assert [(e["customer_id"], e["kind"], e["occurred_at"][:10]) for e in events] == [
        ("C1", "churned", "2025-12-07"), ("C2", "churned", "2025-12-07"),
        ("C3", "churned", "2025-12-09"), ("C3", "churned", "2025-12-10"),
    ]  # fmt: skip
    assert len({e["event_id"] for e in events}) == 4


@pytest.mark.parametrize("heading", ["eventid", "Event ID", "event-id"])
def test_a_misspelt_heading_of_ids_is_no_file_without_them(heading: str, own_home: Path) -> None:
    """Events that are there under these ids would be added again under others."""
    file = own_home / "events.csv"
    file.write_text(f"{heading},customer_id,kind,occurred_at\nE1,C1,sent,2025-12-07\n")
    command = ["outcomes", "import", str(file)]
    refused = CliRunner().invoke(app, command)
    assert refused.exit_code == 1
    assert "--column event_id=NAME" in refused.output
    named = CliRunner().invoke(app, [*command, "--column", f"event_id={heading}"])
    assert "1 events added" in named.output
    with closing(open_feedback_log(LocalArtifactStore(own_home / "store"), own_home)) as log:
        [event] = map(json.loads, log.events())
    assert event["event_id"] == "E1"
