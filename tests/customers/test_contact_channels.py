"""Consents and opt-outs by channel, and a table of today that holds what the history needn't."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from churn_assets.campaign.people import read_people
from churn_assets.customers.people import PEOPLE, read_addressees
from churn_assets.customers.reading.dates import DAYS_OF_A_MONTH
from tests.customers.conftest import CONTRACT, Checked, as_csv, made_rows
from tests.customers.test_snapshots import IDENTITY, snapshots
from tests.customers.test_typed_tables import contract, whole, written

BOTH, EMAIL, SMS, NONE = "both", "email", "sms", "none"
REACH = (BOTH, EMAIL, SMS, NONE)
TABLES = {"history": {"path": "history.csv"}, "active": {"path": "active.csv"}}
CHANNELS: dict[str, Any] = {
    "email": {"consent": {"column": "Reach", "yes": [BOTH, EMAIL], "no": [SMS, NONE]}},
    "sms": {
        "consent": {"column": "Reach", "yes": [BOTH, SMS], "no": [EMAIL, NONE]},
        "opt_out": {"column": "No SMS", "yes": "yes"},
    },
}


def test_one_column_may_speak_of_several_channels(tmp_path: Path) -> None:
    """Each is read by its own words; who said no to all of them said no."""
    rows = [
        row | {"Reach": REACH[i % 4], "No SMS": "yes" if i % 8 < 4 else "no"}
        for i, row in enumerate(made_rows(320))
    ]
    written(tmp_path, contract(contact={"channels": CHANNELS}), rows)
    told = pd.read_parquet(tmp_path / "active" / PEOPLE).set_index("customer_id")
    known = read_addressees(tmp_path / "active" / PEOPLE, ("email", "sms"))
    with_calls = read_addressees(tmp_path / "active" / PEOPLE, ("email", "sms", "call"))
    planned = read_people(tmp_path / "active" / PEOPLE, ("email", "sms", "call"))
    for row in rows:
        if (customer := row["Account"]) not in told.index:
            continue
        reach, no_sms = row["Reach"], row["No SMS"] == "yes"
        said = told.loc[customer]
        assert said["consent_email"] == (reach in (BOTH, EMAIL))
        assert said["consent_sms"] == (reach in (BOTH, SMS))
        assert said["opt_out_sms"] == no_sms
        nobody = reach == NONE or (reach == SMS and no_sms)
        assert known.rule_against(customer) == ("consent" if nobody else None)
        assert with_calls.rule_against(customer) is None
        person = planned[customer]
        left = tuple(
            channel
            for channel in ("email", "sms", "call")
            if not person.opted_out_of(channel) and person.consents_to(channel) is not False
        )
        assert with_calls.channels_of(customer) == left
        assert known.channels_of(customer) == tuple(each for each in left if each != "call")
    assert known.channels_of("nobody") is None
    assert known.without_channels().channels_of(told.index[0]) is None


def test_cells_that_cannot_be_read_name_their_channel(checked: Checked, tmp_path: Path) -> None:
    cells = ("1", "0", "maybe")
    rows = [row | {"Sms": cells[i % 3]} for i, row in enumerate(made_rows(300))]
    (tmp_path / "history.csv").write_text(as_csv(rows))
    report = checked(
        CONTRACT + 'contact: {channels: {sms: {consent: {column: Sms, yes: "1", no: "0"}}}}\n'
    )
    assert report.problems == [
        "history: Sms: 'maybe' (100) neither yes nor no: 100 rows count as without consent; write "
        "in the contract what they mean: contact.channels.sms.consent.yes: [...], no: [...]"
    ]


def test_the_history_needs_no_names_where_a_table_of_today_has_them(tmp_path: Path) -> None:
    """Nor has that one a snapshot's date: companies don't keep consents of years."""
    rows = snapshots(("2026-01-31", "2026-02-28", "2026-03-31"))
    last = {row["Account"]: row for row in reversed(rows) if row["Cancelled"] == "no"}
    now = [
        {k: v for k, v in row.items() if k not in ("Seen", "Cancelled")}
        | {"Reach": EMAIL, "No SMS": "no", "First": "Ana"}
        for row in last.values()
    ]
    agreed = contract(
        identity=IDENTITY,
        tables=TABLES,
        contact={"channels": CHANNELS},
        people={"first_name": "First"},
    )
    written(tmp_path, agreed, rows, now)
    assert set(whole(tmp_path / "active")["customer_id"]) == set(last)
    told = pd.read_parquet(tmp_path / "active" / PEOPLE)
    assert set(told["first_name"]) == {"Ana"}
    assert len(told) == len(last)


def test_in_a_table_of_today_months_are_counted_to_today(tmp_path: Path) -> None:
    """Nobody need have joined lately for it; the history's are counted to each snapshot."""
    rows = snapshots(("2026-01-31", "2026-02-28", "2026-03-31"))
    rows = [row | {"Joined": "2024-01-31"} for row in rows]
    last = {row["Account"]: row for row in reversed(rows) if row["Cancelled"] == "no"}
    now = [
        {k: v for k, v in row.items() if k not in ("Seen", "Cancelled")} for row in last.values()
    ]
    agreed = contract(identity=IDENTITY, tables=TABLES, tenure={"since": "Joined"})
    frame = written(tmp_path, agreed, rows, now)
    assert set(frame["tenure"]) <= {24, 25}
    day = pd.Timestamp.now(tz="UTC").tz_localize(None).normalize()
    months = int((day - pd.Timestamp("2024-01-31")).days / DAYS_OF_A_MONTH)
    assert set(whole(tmp_path / "active")["tenure"]) <= {months - 1, months, months + 1}


@pytest.mark.parametrize("name", ["", "day", "money", 'a"b', "-"])
def test_a_channel_is_called_as_campaigns_may_call_it(name: str) -> None:
    """An empty name would overwrite what is said of all channels."""
    channels = {name: {"opt_out": {"column": "No Mail", "yes": "yes"}}}
    with pytest.raises(ValidationError, match="no channel can be called"):
        contract(contact={"channels": channels})


def test_a_column_that_came_later_is_missing_before(checked: Checked, tmp_path: Path) -> None:
    """Where its cells may be missing. Under another name it isn't missing, and an answer to the
    question who left is never."""
    rows = [row | {"Opened": str(i % 7)} for i, row in enumerate(made_rows(300))]
    folder = tmp_path / "history"
    folder.mkdir()
    for number, part in enumerate((rows[:100], rows[100:])):
        kept = [{k: v for k, v in row.items() if number or k != "Opened"} for row in part]
        (folder / f"2026-0{number + 1}.csv").write_text(as_csv(kept))
    said = CONTRACT.replace("path: history.csv", "path: history").replace(
        "features:\n", "features:\n  Opened: {kind: number, required: false}\n"
    )
    report = checked(said)
    assert report.problems == []
    assert report.notes == [
        "history: 1 of 2 files have no column 'Opened' (the first is 2026-01.csv): it is missing "
        "in their rows"
    ]
    lacking = "history: 2026-01.csv has no column 'Opened'"
    assert lacking in checked(said.replace(", required: false", "")).problems
    old = (folder / "2026-01.csv").read_text().replace("Calls", "opened_")
    (folder / "2026-01.csv").write_text(old)
    assert f"{lacking}; is it 'opened_' now?" in checked(said).problems
