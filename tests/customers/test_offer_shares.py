"""How a log's offers were made, against what its contract says, before anything is trained."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from scipy.stats import chi2_contingency, chisquare

from churn_assets.customers.quality.offers import CHANCE, by_chance
from tests.customers.conftest import Checked, Rows, as_csv, made_rows

CONTRACT = """\
name: Letters
campaign:
  table: {path: log.csv}
  offer: {column: Rebate, levels: {none: 0, "5 %": 5, "5 pct": 5, "15 %": 15}}
  outcome: {column: Cancelled, yes: yes, no: no}
  propensity: {none: 0.5, "5 %": 0.15, "5 pct": 0.1, "15 %": 0.25}
  features:
    Plan: {kind: category}
"""


def offered(none: int, five: int, fifteen: int) -> Rows:
    """Contacts with each offer; the middle one is written in two ways."""
    words = ["none"] * none + ["5 %"] * (five - 100) + ["5 pct"] * 100 + ["15 %"] * fifteen
    return [row | {"Rebate": word} for row, word in zip(made_rows(len(words)), words, strict=True)]


def said(checked: Checked, folder: Path, rows: Rows, contract: str = CONTRACT) -> list[str]:
    (folder / "log.csv").write_text(as_csv(rows))
    return [problem for problem in checked(contract).problems if "propensity" in problem]


@pytest.mark.parametrize("five", [218, 195, 193, 192, 190, 170])
def test_shares_that_chance_does_not_make(five: int, checked: Checked, tmp_path: Path) -> None:
    """Neither those of a log that is short of a few contacts: Pearson's test, and SciPy's bound."""
    made = (1_000 - five - 250, five, 250)
    p_value = chisquare(made, [500, 250, 250]).pvalue
    assert len(said(checked, tmp_path, offered(*made))) == (p_value < CHANCE)


def test_each_offer_s_share_is_told_with_what_to_do(checked: Checked, tmp_path: Path) -> None:
    """A p-value of a gate, after the training, told nobody which offer it was."""
    [problem] = said(checked, tmp_path, offered(600, 150, 250))
    assert "none: 60.0 % of contacts, the contract says 50 %" in problem
    assert "5 %: 15.0 % of contacts, the contract says 25 %" in problem
    assert "15 %: 25.0 % of contacts, the contract says 25 %" in problem
    assert "propensity: COLUMN" in problem
    mended = CONTRACT.replace("none: 0.5,", "none: 0.6,").replace('"5 %": 0.15', '"5 %": 0.05')
    assert not said(checked, tmp_path, offered(600, 150, 250), mended)


def test_a_customer_s_later_contacts_tell_nothing(checked: Checked, tmp_path: Path) -> None:
    """They may be more of the same: of 20 people with 20 letters each nothing is known."""
    rows = offered(200, 100, 100)
    twenty = [rows[i * 20] | {"Account": f"B{i}"} for i in range(20) for _ in range(20)]
    for number, row in enumerate(twenty):
        row["Months"] = str(number)
    first = rows + [row | {"Rebate": "none"} for row in twenty]
    of = CONTRACT.replace("  offer:", "  customer: Account\n  offer:")
    assert said(checked, tmp_path, first)
    assert not said(checked, tmp_path, first, of)


LOOKED = """\
name: Letters
campaign:
  table: {path: log.csv}
  offer: {column: Rebate, levels: {none: 0, "5 %": 5, "15 %": 15}}
  outcome: {column: Cancelled, yes: yes, no: no}
  features:
    Plan: {kind: category}
    Calls: {kind: number, required: false}
    Months: {kind: number}
"""
DEPENDS = "who got which offer depends on"
OFFERS = ("none", "5 %", "15 %")


def chosen(checked: Checked, folder: Path, rows: Rows, contract: str = LOOKED) -> list[str]:
    (folder / "log.csv").write_text(as_csv(rows))
    return [problem for problem in checked(contract).problems if DEPENDS in problem]


@pytest.mark.parametrize(
    ("column", "of"),
    [
        ("Plan", lambda row: "Max" if row["Plan"] == "Basic" else ""),
        ("Months", lambda row: "new" if int(row["Months"]) < 15 else ""),
        ("Calls", lambda row: "nobody knows" if row["Calls"] == "" else ""),
    ],
)
def test_offers_that_somebody_chose_are_told_with_the_feature(
    column: str, of: Callable[[dict[str, str]], str], checked: Checked, tmp_path: Path
) -> None:
    """Salespeople give most to whom they fear to lose: a gate said it, after a run of the graph."""
    draw = random.Random(1)
    rows = made_rows(2_000)
    for row in rows:
        row["Rebate"] = "15 %" if of(row) and draw.random() < 0.6 else draw.choice(OFFERS)
    [problem] = chosen(checked, tmp_path, rows)
    assert f"{DEPENDS} {column}," in problem
    assert "propensity: COLUMN" in problem
    by_row = LOOKED.replace("  features:", "  propensity: chance\n  features:")
    assert not chosen(checked, tmp_path, [row | {"chance": "0.3"} for row in rows], by_row)


def test_offers_that_were_drawn_depend_on_nothing(checked: Checked, tmp_path: Path) -> None:
    """Nor does a word that few customers have, or a number that all but one share."""
    draw = random.Random(2)
    rows = [row | {"Rebate": draw.choice(OFFERS)} for row in made_rows(600)]
    for number, row in enumerate(rows):
        row["Plan"] = f"tailored {number}" if number < 40 else row["Plan"]
        row["Months"] = "7" if number else "9"
    assert not chosen(checked, tmp_path, rows)


def test_later_offers_to_a_customer_may_follow_from_the_first(
    checked: Checked, tmp_path: Path
) -> None:
    """What somebody gets who accepted nothing depends on it, as it may."""
    draw = random.Random(3)
    first = [row | {"Rebate": draw.choice(OFFERS)} for row in made_rows(600)]
    later = [row | {"Rebate": "15 %", "Months": "80"} for row in first for _ in range(2)]
    of = LOOKED.replace("  offer:", "  customer: Account\n  offer:")
    assert chosen(checked, tmp_path, first + later)
    assert not chosen(checked, tmp_path, first + later, of)


def test_parts_are_compared_as_pearson_does() -> None:
    """The closed form is SciPy's; parts too small for it count as one."""
    table = [[40, 60, 20], [50, 45, 30], [30, 70, 45]]
    counts = [(str(i), k, n) for i, row in enumerate(table) for k, n in enumerate(row)]
    expected = chi2_contingency(table, correction=False).pvalue
    assert by_chance(counts, 3) == pytest.approx(expected, rel=1e-12)
    few = [(f"few {i}", k, 1) for i in range(30) for k in range(3)]
    whole = chi2_contingency([*table, [30, 30, 30]], correction=False).pvalue
    assert by_chance(counts + few, 3) == pytest.approx(whole, rel=1e-12)
    assert by_chance(few[:3], 3) == 1.0
    assert by_chance([("a", 1, 500), ("b", 1, 700)], 3) == 1.0
    assert by_chance([], 3) == 1.0
    rare = [(str(i), 3, 2) for i in range(3)]  # an offer that was made six times hides no other
    assert by_chance(counts + rare, 4) == pytest.approx(expected, rel=1e-12)
