"""`churn outcomes` and `churn experiment` as a person types them."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import pytest
from typer.testing import CliRunner

from churn_assets.campaign.contacts.event import Event
from churn_assets.campaign.contacts.ledger import Ledger
from churn_assets.cli import app
from churn_assets.customers.contract.events import EventField
from churn_assets.customers.contract.model import BUILT_IN
from churn_assets.domain.offers import Offers
from churn_assets.outcomes.importing import AT_ONCE
from churn_assets.serving import feedback
from churn_assets.serving.decision_log import parts
from churn_assets.serving.events import FeedbackEvent
from churn_assets.serving.feedback import open_feedback_log
from churn_assets.settings import load_settings
from churn_assets.storage.local import LocalArtifactStore
from tests.outcomes.test_joining import decision
from tests.release.small_release import publish
from tests.serving.test_decision_log import COLUMNS


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.output


def test_the_experiment_is_switched_and_says_by_whom(own_home: Path) -> None:
    (own_home / "store/pointers").mkdir(parents=True)
    assert "is off (the settings)" in run("experiment")[1]
    assert "is on (" in run("experiment", "on")[1]
    assert "10.0% of the customers" in run("experiment", "status")[1]
    code, said = run("experiment", "off")
    assert code == 0
    assert f"is off ({own_home / 'store'}/pointers/switches/experiment)" in said


def test_a_companys_release_is_experimented_with_in_any_shell(own_home: Path) -> None:
    """Why: it said off where no contract was named, while servers left the control group alone."""
    publish(LocalArtifactStore(own_home / "store"), own_home / "published", "Acme")
    assert "is on (a company's own customers are served)" in run("experiment")[1]
    assert "is off (" in run("experiment", "off")[1]
    assert "is off (" in run("experiment")[1]


@pytest.mark.parametrize("command", [("outcomes", "erase"), ("campaign", "forget")])
def test_one_customers_records_are_erased(own_home: Path, command: tuple[str, str]) -> None:
    """From the decisions, the events and the ledger, by either command; nobody else's, and no byte
    is left in the files."""
    store = LocalArtifactStore(own_home / "store")
    rows = [
        decision(1, "CUSTOMER-AAAA"),
        decision(2, "CUSTOMER-BBBB"),
        decision(3, "CUSTOMER-AAAA"),
    ]
    parts.append(store, [tuple(row.get(name) for name in COLUMNS) for row in rows])
    with closing(open_feedback_log(store, own_home)) as log:
        for identity in ("CUSTOMER-AAAA", "CUSTOMER-BBBB"):
            log.record(f"e-{identity[-4:].lower()}", json.dumps({"customer_id": identity}))
    contact: dict[str, Any] = {"kind": "sent", "occurred_at": datetime(2026, 1, 5, tzinfo=UTC)}
    with closing(Ledger.open("", own_home)) as ledger:
        for identity in ("CUSTOMER-AAAA", "CUSTOMER-BBBB"):
            ledger.record([Event(event_key=identity, customer_id=identity, **contact)])
    told = (
        "2 decisions and 1 events about this customer are erased, and what the contact ledger had"
    )
    assert run(*command, "CUSTOMER-AAAA") == (0, f"{told} of them\n")
    assert parts.read(store)["customer_id"].to_pylist() == ["CUSTOMER-BBBB"]
    left = b"".join(path.read_bytes() for path in own_home.rglob("*") if path.is_file())
    assert b"CUSTOMER-AAAA" not in left
    assert b"CUSTOMER-BBBB" in left


@pytest.mark.parametrize("command", [("outcomes", "erase"), ("campaign", "forget")])
@pytest.mark.parametrize("damaged", ["part", parts.ERASED])
def test_a_damaged_decision_log_keeps_nothing_else_from_being_erased(
    own_home: Path, command: tuple[str, str], damaged: str
) -> None:
    """Why: one torn file of the log, and nobody's events and contacts could be erased either."""
    store = LocalArtifactStore(own_home / "store")
    row = decision(1, "CUSTOMER-AAAA")
    [key] = parts.append(store, [tuple(row.get(name) for name in COLUMNS)])
    store.write_pointer(damaged := key if damaged == "part" else damaged, b"")
    with closing(open_feedback_log(store, own_home)) as log:
        log.record("e-1", json.dumps({"customer_id": "CUSTOMER-AAAA"}))
    with closing(Ledger.open("", own_home)) as ledger:
        when = datetime(2026, 1, 5, tzinfo=UTC)
        sent = Event(event_key="1", customer_id="CUSTOMER-AAAA", kind="sent", occurred_at=when)
        ledger.record([sent])
    code, said = run(*command, "CUSTOMER-AAAA")
    assert code == 1
    done, why = said.strip().splitlines()
    assert done.startswith("1 events about this customer are erased, and what the contact ledger")
    assert why.startswith(f"{own_home / 'store'}/pointers/{damaged} is damaged: ")
    with closing(open_feedback_log(store, own_home)) as log:
        assert log.events() == []
    with closing(Ledger.open("", own_home)) as ledger:
        assert ledger.histories() == {}
    store.delete_pointer(damaged)
    assert run(*command, "CUSTOMER-AAAA")[0] == 0  # again, or what was left of them


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(
    ("group", "forget", "kind"),
    [("outcomes", "erase", "sent"), ("outcomes", "erase", "delivered"),
     ("campaign", "forget", "sent")],
)  # fmt: skip
def test_who_was_erased_does_not_come_back_with_the_same_file(
    own_home: Path, group: str, forget: str, kind: str, *, before: bool
) -> None:
    """Whether the file was read before the erasure or not; rows of other customers come in."""
    publish(LocalArtifactStore(own_home / "store"), own_home / "published", "Acme")
    file = own_home / "events.csv"
    rows = [f"e{i},{customer},{kind}," for i, customer in enumerate(("C1", "C1", "C2"))]
    header = "event_id,customer_id,kind,occurred_at"
    file.write_text("\n".join([header, *(f"{row}2026-01-05T10:00:00Z" for row in rows)]) + "\n")
    if before:
        assert " added, 0 were there already\n" in run(group, "import", str(file))[1]
    assert run(group, forget, "C1")[0] == 0  # nobody can tell whether there is such a customer
    code, said = run(group, "import", str(file))
    assert code == 0
    assert ("0 " if before else "1 ") + ("events" if group == "outcomes" else "contacts") in said
    assert "2 rows are of customers who were erased since: left out\n" in said
    with closing(Ledger.open("", own_home)) as ledger:
        assert "C1" not in ledger.histories()
    with closing(open_feedback_log(LocalArtifactStore(own_home / "store"), own_home)) as log:
        assert not [event for event in log.events() if '"C1"' in event]


def test_refused_rows_are_named_and_the_others_kept(own_home: Path) -> None:
    file = own_home / "events.csv"
    file.write_text(
        "id,customer_id,kind,occurred_at\n"
        "e1,C1,delivered,2026-01-05T10:00:00+00:00\n"
        "e2,C2,delivered,9999-01-05T10:00:00+00:00\n"
    )
    code, said = run("outcomes", "import", str(file), "--column", "event_id=id")
    assert code == 1
    assert "1 events added" in said
    assert "row 2: occurred_at:" in said


def test_answers_to_an_earlier_releases_offers_are_taken(own_home: Path) -> None:
    """Why: they come for a month and more after a contract has got other offers; each was dropped
    ("Input should be 0, 10, 20 or 30"). What nobody ever offered is refused still."""
    store = LocalArtifactStore(own_home / "store")
    for contract, percent in (("Acme", (0, 5, 15, 25)), ("Acme later", (0, 10, 20, 30))):
        publish(store, own_home / contract, contract, Offers(percent=percent))
    file = own_home / "events.csv"
    file.write_text(
        "event_id,customer_id,kind,occurred_at,offer_percentage\n"
        + "".join(f"e{p},C{p},accepted,2026-01-05T10:00:00Z,{p}\n" for p in (5, 10, 12))
    )
    code, said = run("outcomes", "import", str(file))
    assert code == 1
    assert "2 events added" in said
    assert "row 3: offer_percentage: Input should be 0, 5, 10, 15, 20, 25 or 30" in said


@pytest.mark.parametrize("command", ["outcomes", "campaign"])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_without_rows_is_said_to_have_none(
    own_home: Path, command: str, suffix: str
) -> None:
    """An export that went wrong in another system is no quiet day: "0 added" alone hid it."""
    file = own_home / f"events{suffix}"
    header = pd.DataFrame(columns=["event_id", "customer_id", "kind", "occurred_at"], dtype=str)
    header.to_csv(file, index=False) if suffix == ".csv" else header.to_parquet(file)
    publish(LocalArtifactStore(own_home / "store"), own_home / "published", "Acme")
    code, said = run(command, "import", str(file))
    assert code == 0
    assert " added, 0 were there already\n" in said
    assert f"{file} has no rows, a header alone: is it the right file?\n" in said


@pytest.mark.parametrize("command", ["outcomes", "campaign"])
def test_channels_that_no_campaign_has_are_named(own_home: Path, command: str) -> None:
    """And kept: it may be a letter, but a "phone" that means a call passes the cap on calls."""
    publish(LocalArtifactStore(own_home / "store"), own_home / "published", "Acme")
    named = ("email", "call", "Phone", "", "Phone", "letter")
    rows = [f"e{i},C{i},sent,2026-01-05T10:00:00Z,{channel}" for i, channel in enumerate(named)]
    file = own_home / "events.csv"
    file.write_text("\n".join(["event_id,customer_id,kind,occurred_at,channel", *rows]) + "\n")
    code, said = run(command, "import", str(file))
    assert code == 0
    assert re.search(r"^6 \w+ added", said, re.MULTILINE)
    assert (
        "3 rows are of channels that campaigns don't have, as 'Phone', 'letter': no cap on a "
        "channel counts them; campaigns have email, call\n"
    ) in said
    file.write_text("\n".join(["event_id,customer_id,kind,occurred_at,channel", *rows[:2]]) + "\n")
    assert "channel" not in run(command, "import", str(file))[1]


def test_rows_with_the_same_fault_are_one_line(own_home: Path) -> None:
    """Ten thousand of them would bury what else is wrong."""
    rows = [f"e{i},C{i},left,2026-01-05T10:00:00+00:00\n" for i in range(1, 3_001)]
    rows[1_000] = "e1001,C1001,sent,2026-01-05T10:00:00+00:00\n"
    file = own_home / "events.csv"
    file.write_text("event_id,customer_id,kind,occurred_at\n" + "".join(rows))
    code, said = run("outcomes", "import", str(file))
    assert code == 1
    told, added, refused = said.strip().splitlines()
    assert told.startswith("rows 1, 2, 3 and 2,996 more: kind: Input should be 'sent'")
    assert added == "1 events added, 0 were there already"
    assert refused == f"2,999 rows of {file} are refused"


def test_a_file_is_read_as_the_contract_says(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A company's own columns and kinds, once and for all; `--column` is stronger."""
    contract = own_home / "customers.yaml"
    events = {
        "columns": {"event_id": "id", "customer_id": "account", "kind": "what"},
        "kinds": {"bought": "accepted", "no": "refused"},
    }
    contract.write_text(f"{BUILT_IN.read_text()}\nevents: {json.dumps(events)}\n")
    monkeypatch.setenv("CHURN_CUSTOMERS", str(contract))
    load_settings.cache_clear()
    file = own_home / "events.csv"
    rows = ("1,A,Bought,2026-01-05T10:00:00Z,X", "2,B,no,2026-01-05T10:00:00Z,Y", "3,C,sent,,Z")
    file.write_text("\n".join(("id,account,what,occurred_at,other", *rows)) + "\n")
    code, said = run("outcomes", "import", str(file))
    assert code == 1
    assert "row 3: occurred_at: Field required" in said
    assert "2 events added" in said
    code, said = run("outcomes", "import", str(file), "--column", "customer_id=other")
    assert "another event has the id 1" in said
    with closing(open_feedback_log(LocalArtifactStore(own_home / "store"), own_home)) as log:
        found = [json.loads(event) for event in log.events()]
    assert [(e["customer_id"], e["kind"]) for e in found] == [("A", "accepted"), ("B", "refused")]


def test_a_file_need_not_have_all_columns_that_the_contract_names(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mailing tool knows no discount and no decision; with the contract's names for them its file
    was refused whole. Fields that every row has to say stay needed, and so is what is asked for."""
    contract = own_home / "customers.yaml"
    names = {"customer_id": "Klant", "channel": "Kanaal", "offer_percentage": "Korting"}
    contract.write_text(f"{BUILT_IN.read_text()}\nevents: {json.dumps({'columns': names})}\n")
    monkeypatch.setenv("CHURN_CUSTOMERS", str(contract))
    load_settings.cache_clear()
    publish(LocalArtifactStore(own_home / "store"), own_home / "published", "Acme")
    file, row = own_home / "events.csv", "e1,A,sent,2026-01-05T10:00:00Z"
    file.write_text(f"event_id,Klant,kind,occurred_at,Kanaal\n{row},call\n")
    code, said = run("outcomes", "import", str(file))
    assert code == 0
    assert "no column Korting: no row says its offer_percentage" in said
    assert "1 events added, 0 were there already" in said
    with closing(open_feedback_log(LocalArtifactStore(own_home / "store"), own_home)) as log:
        [event] = [json.loads(event) for event in log.events()]
    assert (event["customer_id"], event["channel"]) == ("A", "call")
    assert event["offer_percentage"] is None
    code, said = run("outcomes", "import", str(file), "--column", "offer_percentage=Korting")
    assert code == 1
    assert "has no column Korting" in said
    # Kept without its discount, an event could never get it: its id is taken.
    file.write_text(f"event_id,Klant,kind,occurred_at,Kanaal,Korting %\n{row},call,10\n")
    code, said = run("outcomes", "import", str(file))
    assert code == 1
    assert "has no column Korting; it has" in said
    file.write_text(f"event_id,klant,kind,occurred_at\n{row}\n")
    code, said = run("outcomes", "import", str(file))
    assert code == 1
    assert "has no column Klant; it has event_id, klant, kind, occurred_at" in said


def test_the_fields_of_a_contracts_events_are_those_of_feedback() -> None:
    assert set(get_args(EventField)) == set(FeedbackEvent.model_fields)


def test_a_stopped_import_says_how_to_go_on(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the middle of the second batch: the first one stays, nothing is counted twice."""
    rows = [f"e{i},C{i},sent,2026-01-05T10:00:00+00:00\n" for i in range(AT_ONCE * 2)]
    file = own_home / "events.csv"
    file.write_text("event_id,customer_id,kind,occurred_at\n" + "".join(rows))
    insert, done = feedback._insert, 0

    def stopped(db: sqlite3.Connection, event_id: str, content: str) -> str:
        nonlocal done
        done += 1
        if done > AT_ONCE * 3 // 2:
            raise KeyboardInterrupt
        return insert(db, event_id, content)

    with monkeypatch.context() as patch:
        patch.setattr(feedback, "_insert", stopped)
        code, said = run("outcomes", "import", str(file))
    assert code == 1
    assert said.strip() == (f"stopped: what was added stays; import {file} again for the rest")
    assert run("outcomes", "import", str(file)) == (
        0,
        f"{AT_ONCE:,} events added, {AT_ONCE:,} were there already\n",
    )


def test_a_database_that_cant_be_used_is_one_line(own_home: Path) -> None:
    """With its name."""
    file = own_home / "events.csv"
    file.write_text("event_id,customer_id,kind,occurred_at\ne1,C1,sent,2026-01-05T10:00:00+00:00\n")
    (own_home / "feedback.sqlite3").write_text(
        "no database, but a text that somebody put here\n" * 99
    )
    code, said = run("outcomes", "import", str(file))
    assert code == 1
    assert said.strip() == f"{own_home / 'feedback.sqlite3'}: file is not a database"


def test_a_file_without_the_column_says_so(own_home: Path) -> None:
    file = own_home / "events.csv"
    file.write_text("id\ne1\n")
    code, said = run("outcomes", "import", str(file), "--column", "event_id=key")
    assert code == 1
    assert f"{file} has no column key" in said.replace("\n", "")
