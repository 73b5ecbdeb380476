"""Who left, by the date of their leaving, and has later snapshots: they are customers again."""

from __future__ import annotations

from pathlib import Path

import pytest

from churn_assets.customers.contract.yaml_lines import Document
from churn_assets.customers.quality.report import QualityReport
from tests.customers.conftest import Checked, Rows, as_csv
from tests.customers.test_leaving import DAYS, ending, told
from tests.customers.test_typed_tables import contract, whole, written

LEFT, AGAIN = "2025-12-15", "2026-03-10"
TWO = told(1).replace("history.csv}", "history.csv}\n  active: {path: active.csv}")


def monthly(second_end: str = "") -> Rows:
    """Of every four customers one left in December for good; one came back after the next snapshot,
    with another end or none; one left in March; and one stayed. A snapshot has an end only if it is
    the last one before it, as an export of each month has it."""
    everyone = ["for good", "back", "in March", "stayed"] * 100
    rows = []
    for row in ending([""] * len(everyone)):
        kind, day = everyone[int(row["Account"][1:]) - 10_000], row["Seen"]
        gone = {"for good": DAYS[2:], "back": DAYS[2:3], "in March": DAYS[5:]}.get(kind, ())
        ends = {"for good": {DAYS[1]: LEFT}, "in March": {DAYS[4]: AGAIN}}.get(kind, {})
        if kind == "back":
            ends = {DAYS[1]: LEFT} | dict.fromkeys(DAYS[3:], second_end)
        if day not in gone:
            rows.append(row | {"Kind": kind, "End": ends.get(day, "")})
    return rows


def kinds(rows: Rows, ids: set[str]) -> set[str]:
    """Of which kinds these are; all of a kind, or none."""
    of = {row["Account"]: row["Kind"] for row in rows}
    assert all(sum(of[i] == kind for i in ids) == 100 for kind in {of[i] for i in ids})
    return {of[i] for i in ids}


@pytest.mark.parametrize(
    ("second_end", "active"),
    [
        ("", {"back", "stayed"}),
        ("2026-03-20", {"stayed"}),  # and left once more
        (LEFT, {"stayed"}),  # the old end, copied into every later row: no return
    ],
)
def test_who_came_back_is_active(second_end: str, active: set[str], tmp_path: Path) -> None:
    """They were never scored nor contacted again. Their leaving is still learnt from."""
    identity = Document.parse(told(1)).value["identity"]
    rows = monthly(second_end)
    left_out = {"Kind": "for the test"}
    frame = written(tmp_path, contract(identity=identity, left_out=left_out), rows)
    assert kinds(rows, set(whole(tmp_path / "active")["customer_id"])) == active
    left = frame[frame["churn"] & (frame["snapshot"].astype(str).str[:10] == DAYS[1])]
    of = {row["Account"]: row["Kind"] for row in rows}
    assert {of[who] for who in left["customer_id"]} == {"for good", "back"}
    if not second_end:
        later = frame[frame["snapshot"].astype(str).str[:10] >= DAYS[3]]
        back = later[later["customer_id"].map(of) == "back"]
        assert len(back) == 100  # of March, the newest, nobody knows yet
        assert not back["churn"].any()


def both(checked: Checked, folder: Path) -> QualityReport:
    rows = monthly()
    now = {row["Account"]: row | {"Seen": DAYS[-1], "End": ""} for row in rows}
    (folder / "history.csv").write_text(as_csv(rows))
    (folder / "active.csv").write_text(as_csv([*now.values()]))
    return checked(TWO + "left_out: {Kind: for the test}\n")


def test_the_check_does_not_stop_for_them(checked: Checked, tmp_path: Path) -> None:
    """It blocked each run, and named a rule that throws away what those people teach."""
    report = both(checked, tmp_path)
    [problem] = report.problems
    assert problem.startswith("active: 200 of the customers have left, says the history (as ")
    assert kinds(monthly(), set(report.still_listed)) == {"for good", "in March"}


def test_all_ids_of_a_long_rule_are_in_the_json_report(checked: Checked, tmp_path: Path) -> None:
    """The sentence has three and an ellipsis: nobody could copy it. What lies beside the table for
    months has no list of them."""
    report = both(checked, tmp_path)
    assert "`churn customers check --json` has all of them: still_listed" in report.problems[0]
    assert len(report.as_json()["still_listed"]) == 200
    assert "still_listed" not in report.stored(None)


CASES = {
    "entered late": (("", 4), ("2026-02-15", 5)),
    "once": (("2026-02-15", 3),),
    "back": (("2026-01-15", 2), ("", 5)),
    "back and left": (("2026-01-15", 2), ("", 3), ("2026-03-20", 5)),
    "revoked": (("2026-02-15", 3), ("", 4), ("", 5)),
}
"""Of each their snapshots: the end that stands in it, and which of the days it is of."""


def test_an_earlier_snapshot_is_no_return(checked: Checked, tmp_path: Path) -> None:
    """An end that was entered after a snapshot of a day behind it made them customers again."""
    rows = [row | {"Seen": DAYS[-1]} for row in ending([""] * 40, days=[DAYS[-1]])]
    for row, shots in zip(rows[: len(CASES)], CASES.values(), strict=True):
        rows += [row | {"End": end, "Seen": DAYS[at]} for end, at in shots]
    of = dict(zip((row["Account"] for row in rows), CASES, strict=False))
    rows = rows[len(CASES) :]
    now = {row["Account"]: row | {"Seen": DAYS[-1], "End": ""} for row in rows}
    (tmp_path / "history.csv").write_text(as_csv(rows))
    (tmp_path / "active.csv").write_text(as_csv([*now.values()]))
    still = {of[who] for who in checked(TWO).still_listed}
    assert still == {"entered late", "once", "back and left"}
