"""What a column that isn't there any more may be called now."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.customers.conftest import CONTRACT, Checked, as_csv, made_rows

SAID = CONTRACT.replace(
    "{path: history.csv}",
    "{path: history.csv, leave_out: [{column: Plane, values: test, reason: our own}]}",
)


def problems(checked: Checked, folder: Path, new: str, *others: str) -> list[str]:
    """Of a table whose Plan is called otherwise, with some columns more."""
    more = {"Plane": "live", **dict.fromkeys(others, "x")}
    rows = [{new if k == "Plan" else k: v for k, v in row.items()} | more for row in made_rows()]
    (folder / "history.csv").write_text(as_csv(rows))
    return checked(SAID).problems


@pytest.mark.parametrize("new", ["Plan name", "PlanName", "name_of_plans"])
def test_a_new_name_has_the_old_one_s_words(new: str, checked: Checked, tmp_path: Path) -> None:
    """Why: of Seats that became Seat count it asked "is it 'Status' now?", which the contract has
    for another thing."""
    lacking = f"history: history.csv has no column 'Plan'; is it {new!r} now?"
    assert problems(checked, tmp_path, new) == [lacking]
    assert problems(checked, tmp_path, new, "Plain") == [lacking]


def test_what_the_contract_names_is_no_new_name(checked: Checked, tmp_path: Path) -> None:
    """Also where nothing else is near."""
    assert problems(checked, tmp_path, "Tariff") == ["history: history.csv has no column 'Plan'"]
