"""Active customers whom the history says to have left: they stayed on a list, or came back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from churn_assets.customers.check import check
from churn_assets.customers.contract.model import load_contract
from churn_assets.customers.quality.said import recorded
from churn_assets.customers.reading.sources import Places
from churn_assets.datasets.config import DatasetsConfig
from tests.customers.conftest import CONTRACT, as_csv, made_rows

ACTIVE = CONTRACT.replace(
    "history: {path: history.csv}", "history: {path: history.csv}\n  active: {path: active.csv}"
)
SAID = "active: {} of the customers have left, says the history"


@pytest.fixture
def gone(tmp_path: Path) -> list[str]:
    """Who of the history left, with ids as ERPs write them."""
    rows = [row | {"Account": f"00{row['Account'][1:]}"} for row in made_rows()]
    (tmp_path / "history.csv").write_text(as_csv(rows))
    return sorted(row["Account"] for row in rows if row["Cancelled"] == "yes")


def problems(folder: Path, still: list[str], contract: str = ACTIVE) -> list[str]:
    """Of a table of active customers that has these among them."""
    active = [
        {key: cell for key, cell in row.items() if key != "Cancelled"}
        | {"Account": still[i] if i < len(still) else f"B{i}"}
        for i, row in enumerate(made_rows(300, seed=5))
    ]
    (folder / "active.csv").write_text(as_csv(active))
    (folder / "customers.yaml").write_text(contract)
    places = Places(folder, folder / "raw", DatasetsConfig())
    report = check(load_contract(folder / "customers.yaml"), places, folder / "refused")
    return report.problems


def test_the_command_names_them_and_the_rule_that_mends_it(tmp_path: Path, gone: list[str]) -> None:
    """The problem stopped every night's run and didn't say whose it was. The rule is typed in."""
    (said,) = problems(tmp_path, gone[:5])
    assert said.startswith(f"{SAID.format(5)} (as '{gone[0]}', '{gone[1]}', '{gone[2]}'): leave")
    [rule] = re.findall(r"leave_out: \[.*\]", said)
    mended = ACTIVE.replace("{path: history.csv}", f"{{path: history.csv, {rule}}}")
    assert problems(tmp_path, gone[:5], mended) == []


def test_of_one_and_of_many(tmp_path: Path, gone: list[str]) -> None:
    (one,) = problems(tmp_path, gone[:1])
    assert one.startswith(f"{SAID.format(1)} ('{gone[0]}'): leave")
    (many,) = problems(tmp_path, gone[:30])
    assert f'values: ["{gone[0]}", "{gone[1]}", "{gone[2]}", …]' in many
    assert gone[3] not in many


def test_records_have_their_number_alone(tmp_path: Path, gone: list[str]) -> None:
    """Dagster keeps what an asset says, and no erasure reaches it."""
    assert recorded(problems(tmp_path, gone[:5])) == [SAID.format(5)]
