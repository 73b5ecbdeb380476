"""What was filled in once customers had left, and joined onto all of their snapshots."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import cast

import duckdb
import pandas as pd
import pytest
from scipy.stats import binom

from churn_assets.customers.quality.hindsight import first_rows, had_by_survivors, known_too_early
from tests.customers.conftest import Checked, Rows, as_csv, made_rows
from tests.customers.test_guesses import decided, monthly
from tests.customers.test_inspect import inspected
from tests.customers.test_leaving import ending, spread, told

Row = tuple[str, str, bool, str | None, str | None]
KINDS = {"Why": "category", "State": "category", "Region": "category", "Late": "number"}
FEATURES = "".join(f"  {n}: {{kind: {k}, required: false}}\n" for n, k in KINDS.items())


def joined(rows: Rows) -> Rows:
    """A reason for leaving that two thirds gave, a state as of today, a region that is erased of
    who left, and how late they paid in the end: in all of a customer's rows."""
    draws = {row["Account"]: random.Random(row["Account"]) for row in rows}
    made = {}
    for row in rows:
        account, gone = row["Account"], row["End"] not in ("", "9999-12-31")
        if account not in made:
            draw = draws[account]
            reason = draw.choice(["price", "moved", ""]) if gone else ""
            state = draw.choice(["closed", "notice"] if gone else ["open"])
            region = "" if gone else draw.choice("abc")
            late = (
                draw.choice(["20", "30"]) if gone and draw.random() < 0.5 else draw.choice("0123")
            )
            made[account] = {"Why": reason, "State": state, "Region": region, "Late": late}
    return [row | made[row["Account"]] for row in rows]


@pytest.mark.parametrize("none", ["", "9999-12-31"])
def test_what_is_joined_onto_snapshots_of_long_before_leaks(
    none: str, checked: Checked, tmp_path: Path
) -> None:
    """A reason, a state, what was erased and a number; of whoever stays none of their own features
    does, and a day of the year 9999 is no leaving."""
    rows = joined(ending([end or none for end in spread()]))
    (tmp_path / "history.csv").write_text(as_csv(rows))
    report = checked(told(1) + FEATURES)
    found = {leak.column: leak for leak in report.leaks if leak.sign == "hindsight"}
    assert found.keys() == KINDS.keys()
    first = {row["Account"]: row for row in reversed(rows) if row["Seen"] == "2025-10-31"}
    away = [row for row in first.values() if row["End"] == none or row["End"] > "2025-11-30"]
    given = sum(row["Why"] != "" for row in away)
    later = sum(row["End"] != none for row in away)
    assert found["Why"].why == (
        f"in first snapshots, longer than the horizon before a leaving, it is given for {given} "
        f"customers, of whom {given} left later; of as many of the same months "
        f"{given * later / len(away):.0f} did"
    )
    assert found["State"].why.split("leaving, it ")[1].startswith("has one value for ")
    assert found["Region"].why.split("leaving, it ")[1].startswith("is missing for ")
    assert sum("leaks: in first snapshots" in problem for problem in report.problems) == len(KINDS)


def test_inspect_leaves_out_what_is_joined_and_asks(tmp_path: Path) -> None:
    """By customers' first snapshots: within the month after most of them nobody left."""
    rows = monthly()
    for row in rows:
        said = row["cancelled_on"] and int(row["customer_no"][1:]) % 3
        row["Grund"] = "zu teuer" if said else ""
    found = inspected(tmp_path, rows)
    assert "it is given for" in decided(found)["left_out.Grund"]
    assert "in first snapshots" in decided(found)["left_out.Grund"]


@pytest.mark.parametrize("name", ["Grund", "Reason", "motif", "MOTIVO", "Reden", "Årsak", "Orsak"])
def test_inspect_asks_about_a_reason_of_whatever(name: str, tmp_path: Path) -> None:
    """Of however few; "Reason for joining" says what it is."""
    rows = [row | {name: "ab"[i % 2], "Reason for joining": "ab"[i % 3 > 0]}
            for i, row in enumerate(made_rows())]  # fmt: skip
    found = inspected(tmp_path, rows)
    assert decided(found)[f"left_out.{name}"] == "it may be why they left"
    assert found.guesses["Reason for joining"] == "category"


def found(
    rows: list[Row], sign: Callable[[duckdb.DuckDBPyConnection, str, str], str] = known_too_early
) -> str:
    """Of a column: rows of who, the snapshot's day, whether they left, that day, and the cell."""
    frame = pd.DataFrame(rows, columns=["who", "seen", "gone", "until", "v"])
    with duckdb.connect() as connection:
        connection.register("t", frame)
        later, month = first_rows("who", "seen::DATE", "gone", "until::DATE")
        connection.sql("FROM t").project(
            f"who AS row, gone AS outcome, v, {later}, {month}"
        ).create("first")
        return sign(connection, "first", "v")


def one_a_customer(given: int, stayed: int, leavers: int = 300, stayers: int = 700) -> str:
    """What is found where so many who left later have a word, and so many who stayed."""
    left = [("2025-09-15", "x" if i < given else None) for i in range(leavers)]
    stay = [(None, "x" if i < stayed else None) for i in range(stayers)]
    return found([(f"{i}", "2025-01-31", False, *told) for i, told in enumerate(left + stay)])


def test_the_bounds_are_a_tenth_of_leavers_and_a_twentieth_of_expected_stayers() -> None:
    """Whatever many who left have tells of it, and so do some of those who stayed."""
    assert one_a_customer(30, 0)
    assert not one_a_customer(29, 0)
    assert one_a_customer(190, 6)  # 6 of 196, where chance has 137
    assert not one_a_customer(190, 7)
    assert not one_a_customer(280, 20)  # complaints of most who left, and of 3 % of the others
    assert one_a_customer(14, 0, 20, 40)
    assert not one_a_customer(13, 0, 20, 40)
    assert binom.cdf(0, 14, 40 / 60) < 1e-4


def test_of_who_came_first_the_most_have_left_and_that_is_no_leak() -> None:
    """What only the customers of the first month had, of whom all but one in fifty left since."""
    rows: list[Row] = []
    for month in range(1, 11):
        for i in range(100):
            left = i % 50 > 0 if month == 1 else i % 10 < 2
            until = "2025-12-15" if left else None
            cell = "old" if month == 1 else None
            rows.append((f"{month}-{i}", f"2025-{month:02}-28", False, until, cell))
    assert found(rows) == ""
    spread_out = [(who, "2025-01-28", *rest) for who, _, *rest in rows]
    assert "it is given for 100 customers" in found(spread_out)


def test_chance_is_no_leak() -> None:
    """Words that have nothing to do with leaving, of few values and of many."""
    for seed in range(50):
        draw = random.Random(seed)
        rows = [
            (f"{i}", f"2025-0{draw.randrange(1, 6)}-28", False,
             "2025-12-15" if draw.random() < 0.4 else None,
             draw.choice([*"abcdefgh", None]) if seed % 2 else draw.choice(["a", None]))
            for i in range(200)
        ]  # fmt: skip
        assert found(rows) == ""


def test_who_left_within_the_horizon_or_came_back_tells_nothing() -> None:
    """What is known of a leaving that is near may have been known on the day."""
    gone = [(f"g{i}", "2025-01-31", True, "2025-02-15", "notice") for i in range(100)]
    stay = [(f"s{i}", "2025-01-31", False, None, None) for i in range(100)]
    assert found([*gone, *stay]) == ""


def switched(*, joined: bool) -> list[Row]:
    """Of twelve months: a renewal that is switched off up to eight months before the last paid day,
    which the table tells ahead; as it was on each day, or as it was in the end."""
    rows: list[Row] = []
    for i in range(600):
        end = 2 + i % 18 if i % 3 else None
        until = None if end is None else str(date(2025 + end // 12, end % 12 + 1, 15))
        for month in range(min(12, 12 if end is None else end)):
            away = None if end is None else end - month
            off = away is not None and (joined or away <= 1 + i % 8)
            seen = str(date(2025, month + 1, 1))
            rows.append((f"{i}", seen, away == 1, until, "off" if off else "on"))
    return rows


def test_a_renewal_that_was_switched_off_by_the_day_is_no_leak() -> None:
    """Why: of the first month's customers who had it off, all left and nobody stayed; so few of all
    who come to it."""
    assert found(switched(joined=False)) == ""
    assert "it has one value for" in found(switched(joined=True))


def risen(*, joined: bool) -> str:
    """Of customers of whom one in thirty leaves each month: half of those who are there in the
    thirteenth pay more from then on; as it was in each month, or joined onto all of theirs."""
    draw, rows = random.Random(7), list[Row]()
    for i in range(1500):
        start = 0 if i < 800 else draw.randrange(1, 20)
        end = start + int(draw.expovariate(1 / 30))
        has = end >= 12 and draw.random() < 0.5
        for month in range(start, min(end + 1, 20)):
            more = "yes" if has and (joined or month >= 12) else "no"
            seen = str(date(2025 + month // 12, month % 12 + 1, 1))
            rows.append((f"{i}", seen, month == end, None, more))
    return found(rows, had_by_survivors)


def test_what_was_written_onto_the_months_of_who_was_still_there() -> None:
    """Nobody who has it left before; what was so from some month on is none."""
    assert "0 left after snapshots up to 2025-12" in risen(joined=True)
    assert risen(joined=False) == ""


@pytest.mark.parametrize(
    ("share", "leaving"),
    [
        pytest.param(0.3, 0.0, id="who never leaves, as employees"),
        pytest.param(0.3, 0.2, id="who leaves seldom"),
        pytest.param(0.05, 1.0, id="what few have"),
        pytest.param(0.5, 1.0, id="what says nothing"),
    ],
)
def test_a_value_that_protects_is_no_suspicion(share: float, leaving: float) -> None:
    """Whoever has it leaves as seldom in any month."""
    draw, rows = random.Random(3), list[Row]()
    for i in range(2000):
        has = draw.random() < share
        for month in range(1, 13):
            gone = draw.random() < 0.03 * (leaving if has else 1)
            rows.append((f"{i}", f"2025-{month:02}-01", gone, None, "x" if has else "y"))
            if gone:
                break
    assert found(rows, had_by_survivors) == ""


def test_amounts_that_hardly_anybody_has_are_not_all_held_in_memory() -> None:
    """Of a column with as many values as customers, only what many have is read one by one."""
    read = []

    class Counting:
        def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
            self.connection = connection

        def execute(self, query: str, told: object = None) -> Counting:
            self.connection.execute(query, told)
            return self

        def fetchall(self) -> list[tuple[object, ...]]:
            rows = self.connection.fetchall()
            read.append(len(rows))
            return rows

    def counting(connection: duckdb.DuckDBPyConnection, source: str, value: str) -> str:
        return had_by_survivors(
            cast("duckdb.DuckDBPyConnection", Counting(connection)), source, value
        )

    rows = [
        (f"{i}", f"2025-{month:02}-01", month == i % 40, None, f"{i}.25")
        for i in range(1000)
        for month in range(1, min(i % 40, 12) + 1 if i % 40 else 13)
    ]
    assert found(rows, counting) == ""
    assert max(read) <= 10


def test_a_suspicion_is_told_and_refuses_nothing(checked: Checked, tmp_path: Path) -> None:
    """A rise of prices of half of those who were there, beside their months before."""
    rows = ending(spread(800))
    last = {row["Account"]: row["Seen"] for row in rows}
    for row in rows:
        there = last[row["Account"]] > "2026-02-01"
        row["Risen"] = "yes" if there and random.Random(row["Account"]).random() < 0.5 else "no"
    (tmp_path / "history.csv").write_text(as_csv(rows))
    report = checked(told(1) + "  Risen: {kind: flag}\n")
    assert [leak.sign for leak in report.leaks if leak.column == "Risen"] == ["survivors"]
    assert any("the feature Risen may leak: of who has one value" in n for n in report.notes)
    assert not any("Risen" in problem for problem in report.problems)
