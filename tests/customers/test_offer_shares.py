"""The shares of a log's offers against those of its contract, before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest
from scipy.stats import chisquare

from churn_assets.customers.quality.offers import CHANCE
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
