"""Columns that leak nothing, though by their rows alone it would look so: no check stops there."""

from __future__ import annotations

import random
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from churn_assets.customers.quality import leakage
from churn_assets.customers.quality.leakage import Candidate, find_leaks
from tests.customers.conftest import Checked, as_csv
from tests.customers.test_leaving import ending, spread, told

MONTHS, HORIZON = 12, 6
Signs = set[str]


def signs(rows: list[tuple[str, bool, str | None]], several: bool = False) -> Signs:
    """Of a column of words: rows of who, whether they left, and the word."""
    with duckdb.connect() as connection:
        connection.register("t", pd.DataFrame(rows, columns=["row", "y", "v"]))
        column = Candidate("Column", "v", False, "feature")
        return {leak.sign for leak in find_leaks(connection, "t", "y", [column], several=several)}


def monthly(seed: int, words: dict[int, str]) -> list[tuple[str, bool, str | None]]:
    """Each customer's rows up to the one after which they left; a seventh leave within the year."""
    draw, rows = random.Random(seed), []
    for i in range(500):
        last = draw.randrange(MONTHS * 7)
        months = range(min(last + 1, MONTHS))
        gone = last < MONTHS
        rows += [(f"c{i}", gone and month > last - HORIZON, words.get(i)) for month in months]
    return rows


def test_those_whom_a_manager_looks_after_rarely_leave() -> None:
    """Sixty leave at 1 %, the others at 25 %: nine in twenty of such tables were refused."""
    for seed in range(20):
        draw = random.Random(seed)
        managed = [(f"m{i}", draw.random() < 0.01, draw.choice("abcd")) for i in range(60)]
        others = [(f"o{i}", draw.random() < 0.25, None) for i in range(940)]
        assert not signs([*managed, *others]) & {"given", "missing"}


@pytest.mark.parametrize("alike", [True, False])
def test_a_customer_s_months_are_one_piece_of_evidence(alike: bool) -> None:
    """What fifteen customers have in every month: by rows it is had by 150 who stayed."""
    for seed in range(20):
        draw = random.Random(1_000 + seed)
        some = draw.sample(range(500), 15)
        words = {i: "x" if alike else draw.choice("abc") for i in some}
        assert signs(monthly(seed, words), several=True) == set()
        others = {i: "x" for i in range(500) if i not in words}
        assert signs(monthly(seed, others), several=True) == set()


def test_a_reason_for_leaving_in_months() -> None:
    """It stands in three quarters of the months within which somebody left."""
    draw = random.Random(3)
    rows = [
        (who, left, draw.choice("abc") if left and draw.random() < 0.75 else None)
        for who, left, _ in monthly(3, {})
    ]
    assert signs(rows, several=True) == {"given"}
    assert signs([(w, y, v or "none") for w, y, v in rows], several=True) == {"word"}


def test_the_check_counts_customers(checked: Checked, tmp_path: Path) -> None:
    """Of twelve snapshots: a note of eight customers of whom none left, and a reason."""
    draw = random.Random(5)
    rows = ending(spread(300))
    last = {row["Account"]: row["Seen"] for row in rows}
    stayed = sorted({row["Account"] for row in rows if not row["End"]})
    with_note = set(draw.sample(stayed, 8))
    lack = set(draw.sample(stayed, 25))
    left = 0
    for row in rows:
        gone = row["End"] != "" and row["Seen"] == last[row["Account"]]
        row["Note"] = "7" if row["Account"] in with_note else ""
        row["Visits"] = "" if row["Account"] in lack else "3"
        row["Reason"] = "price" if gone and draw.random() < 0.75 else ""
        left += row["Reason"] != ""
    (tmp_path / "history.csv").write_text(as_csv(rows))
    names = ("Note", "Visits", "Reason")
    features = "".join(
        f"  {n}: {{kind: {'category' if n == 'Reason' else 'number'}, required: false}}\n"
        for n in names
    )
    found = [leak for leak in checked(told(1) + features).leaks if leak.column in names]
    assert [(leak.column, leak.sign) for leak in found] == [("Reason", "given")]
    assert found[0].why == f"it is given for {left} customers, all of them such who left"


LOG = """\
name: Letters
campaign:
  table: {path: log.csv}
  customer: Account
  offer: {column: Rebate, levels: {none: 0, "5 %": 5}}
  outcome: {column: Said, yes: yes, no: no}
  features:
    Street: {kind: category}
    Club: {kind: category, required: false}
    Thanks: {kind: category, required: false}
left_out: {Letter: which of the eight}
"""


def letters(draw: random.Random) -> list[dict[str, str]]:
    """Eight to each of 300 customers, most of whom always or never accept; a fifth are accepted."""
    rows = []
    for i in range(300):
        chance = draw.betavariate(0.06, 0.24)
        for letter in range(8):
            said = draw.random() < chance
            row = {"Account": f"A{i}", "Letter": str(letter), "Street": f"S{i}"}
            row |= {"Rebate": draw.choice(["none", "5 %"]), "Said": "yes" if said else "no"}
            row |= {"Club": "ab"[i % 2] if i > 5 else ""}
            rows.append(row | {"Thanks": "card" if said and draw.random() < 0.75 else ""})
    return rows


def test_a_customer_s_contacts_are_one_piece_of_evidence(checked: Checked, tmp_path: Path) -> None:
    """What names customers ranks their other contacts' answers, and six of them may never accept:
    eleven of twenty such logs were refused for one or the other."""
    for seed in range(8):
        rows = letters(random.Random(seed))
        (tmp_path / "log.csv").write_text(as_csv(rows))
        [leak] = checked(LOG).leaks
        accepted = len({row["Account"] for row in rows if row["Thanks"]})
        assert (leak.column, leak.sign) == ("Thanks", "given")
        assert leak.why == (
            f"it is given for {accepted} customers' contacts, all of them such that were accepted"
        )


Contacts = list[tuple[str, bool]]


def contacts(draw: random.Random, customers: int, each: int, rate: float) -> Contacts:
    """Whose each contact is, and whether it was accepted."""
    return [(f"c{i}", draw.random() < rate) for i in range(customers) for _ in range(each)]


def in_campaign(log: Contacts, columns: dict[str, list[str | None]]) -> set[tuple[str, str]]:
    """(column, sign) of columns of words in a campaign's log."""
    whose, accepted = zip(*log, strict=True)
    table = pd.DataFrame({"row": whose, "y": accepted, **columns})
    sought = [Candidate(name, name, False, "feature") for name in columns]
    with duckdb.connect() as connection:
        connection.register("frame", table)
        connection.execute("CREATE TABLE t AS SELECT * FROM frame")
        found = find_leaks(connection, "t", "y", sought, who="accepts", several=True)
        return {(leak.column, leak.sign) for leak in found}


@pytest.mark.parametrize(("customers", "each"), [(300, 12), (300, 20), (1_000, 24), (40, 30)])
def test_nearly_everybody_accepts_once(customers: int, each: int) -> None:
    """Why: of a dozen contacts one is nearly always accepted, so that whose they are told nothing:
    a note of three quarters of the acceptances was found in none of these logs."""
    draw = random.Random(1)
    log = contacts(draw, customers, each, 0.3)
    told = [said and draw.random() < 0.75 for _, said in log]
    refused = [not said and draw.random() < 0.75 for _, said in log]
    columns: dict[str, list[str | None]] = {
        "thanks": ["card" if t else None for t in told],
        "state": ["it's done" if t else draw.choice("ab") for t in told],
        "shop": [None if r else draw.choice("ab") for r in refused],
        "club": [draw.choice("ab") for _ in log],
        "street": [who for who, _ in log],
    }
    assert in_campaign(log, columns) == {
        ("thanks", "given"), ("state", "word"), ("shop", "missing"),
    }  # fmt: skip


@pytest.mark.parametrize("stays", [False, True])
def test_a_column_at_random_leaks_as_rarely_as_promised(
    stays: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 150 columns that some customers have at random, each time anew or from some contact on,
    as many look like leaks as chance allows at most, and not many fewer of the former."""
    chance, draw, columns = 0.2, random.Random(2), {}
    log = contacts(draw, 30, 8, 0.5)
    for number in range(150):
        cells: list[str | None] = [None] * len(log)
        for who in draw.sample(range(30), draw.randrange(2, 5)):
            first = draw.randrange(8)
            for contact in range(first, min(first + 3, 8) if stays else first + 1):
                cells[8 * who + contact] = "x"
        columns[f"v{number}"] = cells
    monkeypatch.setattr(leakage, "CHANCE", chance)
    given = sum(sign == "given" for _, sign in in_campaign(log, columns))
    assert given <= 150 * chance
    assert stays or given >= 10  # a quarter, an eighth or a sixteenth of them
