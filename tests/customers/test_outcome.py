"""Whose outcome is known: rows whose horizon isn't over are neither learnt from nor tried on."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from churn_assets.customers.contract.model import ContractError
from churn_assets.customers.contract.yaml_lines import Document
from churn_assets.datasets.errors import DataError
from tests.customers.conftest import CONTRACT, Checked, Rows, as_csv, made_rows
from tests.customers.test_leaving import DAYS, ending, spread, told
from tests.customers.test_typed_tables import contract, whole, written

IDENTITY = Document.parse(told(1)).value["identity"]
NEXT = dict(pairwise(DAYS))
UNKNOWN = "neither learnt from nor tried on"


def early(last: str, count: int = 400) -> Rows:
    """The company's snapshots in a table that was made on the day `last`."""
    return ending([end if end <= last else "" for end in spread(count)])


def days_of(table: pd.DataFrame) -> set[str]:
    return set(table["snapshot"].astype(str).str[:10])


@pytest.mark.parametrize(
    ("horizon", "last", "known"),
    [
        (1, "2026-04-30", 6),
        (1, "2026-04-27", 6),  # three days are let be
        (1, "2026-04-26", 5),
        (1, "2026-03-31", 5),  # made with the newest snapshot
        (0.5, "2026-04-14", 6),  # a day of half a month
        (0.5, "2026-04-13", 5),
        (2, "2026-04-30", 5),
        (2, "2026-04-24", 5),  # six of two
        (2, "2026-04-22", 4),
        (3, "2026-04-14", 3),
    ],
)
def test_snapshots_whose_horizon_is_over_are_used(
    horizon: float, last: str, known: int, checked: Checked, tmp_path: Path
) -> None:
    """All rows of the others are left out, of leavers as well; by check and tables alike."""
    rows = early(last)
    (tmp_path / "history.csv").write_text(as_csv(rows))
    report = checked(told(horizon))
    used = [row for row in rows if row["Seen"] in DAYS[:known]]
    table = report.tables[0]
    assert (table.used, table.rows) == (len(used), len(rows))
    assert report.problems == []
    notes = [note for note in report.notes if UNKNOWN in note]
    assert len(notes) == (known < len(DAYS))
    if notes:
        assert notes[0] == (
            f"history: {len(rows) - len(used):,} of {len(rows):,} rows, those of snapshots from "
            f"{DAYS[known]} on, are neither learnt from nor tried on: their horizon of "
            f"{horizon:g} months isn't over by {last}, the last day that the table tells of; who "
            "is active doesn't change by that"
        )
        assert table.left_out == {
            f"horizon of {horizon:g} months not over by {last}": len(rows) - len(used)
        }
    frame = written(tmp_path, contract(identity=IDENTITY | {"horizon_months": horizon}), rows)
    assert days_of(frame) <= set(DAYS[:known])
    assert max(days_of(frame[frame["split"] == "test"])) == DAYS[known - 1]


def test_the_newest_snapshot_s_rate_is_that_of_a_whole_horizon(
    checked: Checked, tmp_path: Path
) -> None:
    """An export of two weeks after it taught that half as many leave, and was what the model was
    tried on. The rate that is told and the held-out rows are as if that export had come later."""
    (tmp_path / "early").mkdir()
    rows = early("2026-04-14", 1_200)
    table = written(tmp_path / "early", contract(identity=IDENTITY), rows)
    tried = table[table["split"] == "test"].set_index("customer_id")["churn"]
    assert days_of(table[table["split"] == "test"]) == {"2026-02-28"}
    ends = {row["Account"]: row["End"] for row in ending(spread(1_200))}
    assert tried.sum() >= 3
    for who, left in tried.items():
        assert left == ("2026-02-28" < ends[who] <= "2026-03-31")
    (tmp_path / "history.csv").write_text(as_csv(rows))
    found = checked(told(1)).tables[0]
    later = [row for row in ending(spread(1_200)) if row["Seen"] < DAYS[-1]]
    left = sum("" < row["End"] <= NEXT[row["Seen"]] for row in later)
    assert (found.used, found.positives) == (len(later), left)


def test_who_is_active_is_so_as_before(tmp_path: Path) -> None:
    """As of the newest snapshot, though nothing is learnt from it."""
    rows = early("2026-04-14")
    written(tmp_path, contract(identity=IDENTITY), rows)
    active = whole(tmp_path / "active")
    stays = {row["Account"] for row in rows if row["Seen"] == DAYS[-1] and not row["End"]}
    assert set(active["customer_id"]) == stays
    assert days_of(active) == {DAYS[-1]}


def test_leavings_that_are_announced_don_t_tell_of_their_day(
    checked: Checked, tmp_path: Path
) -> None:
    """One who is to leave next year, or left beyond their row's horizon: the others' is open."""
    rows = early("2026-03-31")
    for row in rows[-6:]:
        row["End"] = "2099-04-01"
    (tmp_path / "history.csv").write_text(as_csv(rows))
    assert any("isn't over by 2026-03-31" in note for note in checked(told(1)).notes)


@pytest.mark.parametrize(
    ("days", "horizon", "lacking"),
    [
        (DAYS[-1:], 1, "nothing is left"),
        (DAYS[-2:], 1, "one snapshot is left, and none to try the model on later"),
        (DAYS, 4, "less than half is left"),
        (DAYS, 12, "nothing is left"),
    ],
)
def test_too_few_that_are_known_are_a_problem(
    days: tuple[str, ...], horizon: int, lacking: str, checked: Checked, tmp_path: Path
) -> None:
    """Rather than a model of whoever is left; with what to do, and until when to wait."""
    rows = [row for row in early("2026-03-31") if row["Seen"] in days]
    (tmp_path / "history.csv").write_text(as_csv(rows))
    report = checked(told(horizon))
    [problem] = [said for said in report.problems if UNKNOWN in said]
    day = {1: "2026-04-30", 4: "2026-07-31", 12: "2027-03-31"}[horizon]
    to_say = (
        f"say until: {day} beside end_date in the contract if the table tells of all leavings up "
        "to then; or else "
    )
    to_say = to_say if day <= str(date.today()) else ""  # the contract allows no later one
    assert problem.endswith(
        f"; {lacking}: {to_say}add earlier snapshots, set horizon_months to less, or take a table "
        f"that tells of all leavings up to {day}"
    )
    assert not any(UNKNOWN in note for note in report.notes)
    if lacking == "nothing is left":
        with pytest.raises(DataError, match=rf"\({len(rows):,} rows' horizon isn't over\)"):
            written(tmp_path, contract(identity=IDENTITY | {"horizon_months": horizon}), rows)


def of_month_ends() -> Rows:
    """One snapshot of the 15th, where contracts end with a month: no leaving is of the day that its
    horizon ends, 15 April, and those of June are beyond it."""
    ends = ("2026-03-31", "2026-04-30", "2026-05-31", "2026-06-30")
    return ending([ends[i // 3 % 4] if i % 3 == 0 else "" for i in range(400)], ["2026-03-15"])


def up_to(day: str) -> str:
    return told(1).replace("{end_date: End}", f"{{end_date: End, until: {day}}}")


@pytest.mark.parametrize("day", ["2026-04-12", "2026-04-15", "2026-06-30"])
def test_the_contract_says_up_to_when_the_table_tells(
    day: str, checked: Checked, tmp_path: Path
) -> None:
    """Where no date in it does: all rows are used, by check and tables alike."""
    rows = of_month_ends()
    (tmp_path / "history.csv").write_text(as_csv(rows))
    [problem] = checked(told(1)).problems
    assert "nothing is left: say until: 2026-04-15 beside end_date in the contract" in problem
    report = checked(up_to(day))
    left = sum(row["End"] == "2026-03-31" for row in rows)
    table = report.tables[0]
    assert (table.used, table.positives) == (len(rows), left)
    assert report.problems == []
    assert not any(UNKNOWN in note for note in report.notes)
    frame = written(tmp_path, contract(identity=Document.parse(up_to(day)).value["identity"]), rows)
    assert (len(frame), frame["churn"].sum()) == (len(rows), left)


@pytest.mark.parametrize("day", ["2026-02-01", "2026-03-31", "2026-04-13"])
def test_a_day_before_what_the_table_s_dates_tell_changes_nothing(
    day: str, checked: Checked, tmp_path: Path
) -> None:
    """Before its newest snapshot, or its latest leaving."""
    (tmp_path / "history.csv").write_text(as_csv(early("2026-04-14")))
    assert checked(up_to(day)) == checked(told(1))


def test_a_day_that_can_t_be_told_of_is_refused(checked: Checked) -> None:
    """In one line, at its key."""
    coming = str(date.today() + timedelta(days=2))
    labelled = CONTRACT.replace("no: no}", "no: no, until: 2026-06-30}", 1)
    for text, problem in (
        (up_to(coming), f"{coming} is still to come: no table tells of it"),
        (labelled, "is of an end_date: a column's outcomes are all known"),
        (
            up_to("2026-06-30").replace("\n  snapshot: Seen", ""),
            "needs a snapshot: without one no row's horizon is still running",
        ),
    ):
        with pytest.raises(ContractError) as refused:
            checked(text)
        [said] = refused.value.problems
        assert said.endswith(f"customers.yaml:6: identity.churned.until: {problem}")


def test_what_is_left_having_one_outcome_is_no_second_problem(
    checked: Checked, tmp_path: Path
) -> None:
    """All left after the newest of two snapshots, which isn't used."""
    ends = ["2026-04-10" if i % 3 == 0 else "" for i in range(400)]
    (tmp_path / "history.csv").write_text(as_csv(ending(ends, DAYS[-2:])))
    report = checked(told(1))
    assert report.tables[0].positives == 0
    [problem] = report.problems
    assert "one snapshot is left" in problem


def test_nothing_is_unknown_without_dates_of_snapshots(checked: Checked, tmp_path: Path) -> None:
    """The company's own label says what it says, and a table without snapshots is of one day."""
    ends = [str(day)[:10] for day in pd.date_range("2026-03-20", "2026-04-14", periods=400)]
    dated = [
        {k: v for k, v in row.items() if k not in ("Seen", "Cancelled")}
        | {"End": end if label["Cancelled"] == "yes" else ""}
        for row, label, end in zip(ending([""] * 400, [DAYS[0]]), made_rows(), ends, strict=True)
    ]
    labelled = [row | {"Seen": day} for day in DAYS[-2:] for row in made_rows()]
    for rows, text in (
        (made_rows(), CONTRACT),
        (labelled, CONTRACT.replace("months: 3", "months: 3\n  snapshot: Seen")),
        (dated, told(1).replace("\n  snapshot: Seen", "")),
    ):
        (tmp_path / "history.csv").write_text(as_csv(rows))
        report = checked(text)
        assert report.tables[0].used == len(rows)
        assert not any(UNKNOWN in said for said in (*report.notes, *report.problems))
