"""A small company's tables, made anew in every test, and what runs a check on them."""

from __future__ import annotations

import csv
import io
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from churn_assets.customers.check import check
from churn_assets.customers.contract.model import load_contract
from churn_assets.customers.quality.report import QualityReport
from churn_assets.customers.reading.sources import Places
from churn_assets.datasets.config import DatasetsConfig

Rows = list[dict[str, str]]

CONTRACT = """\
name: Lighthouse Broadband
tables:
  history: {path: history.csv}
identity:
  id: Account
  churned: {column: Cancelled, yes: yes, no: no}
  horizon_months: 3
value: {monthly: Monthly Fee, currency: EUR}
tenure: {months: Months}
features:
  Plan: {kind: category, label: plan, levels: [Basic, Plus, Max]}
  Months: {kind: number, label: tenure, unit: months, range: [0, 600]}
  Monthly Fee: {kind: number, label: monthly fee, unit: EUR, range: [0, 500]}
  Calls: {kind: number, label: calls to support, range: [0, 1000], required: false}
  Paperless: {kind: flag, label: paperless}
"""


def made_rows(count: int = 400, seed: int = 0) -> Rows:
    """Customers of an invented company, of whom those leave more who came lately."""
    draw = random.Random(seed)
    rows = []
    for number in range(count):
        months = draw.randrange(1, 72)
        left = draw.random() < 0.6 - months / 150
        rows.append(
            {
                "Account": f"A{10_000 + number}",
                "Plan": draw.choice(["Basic", "Plus", "Max"]),
                "Months": str(months),
                "Monthly Fee": f"{draw.randrange(1_000, 9_000) / 100:.2f}",
                "Calls": "" if draw.random() < 0.05 else str(draw.randrange(0, 12)),
                "Paperless": draw.choice(["yes", "no"]),
                "Cancelled": "yes" if left else "no",
            }
        )
    return rows


def as_csv(rows: Sequence[dict[str, str]], delimiter: str = ",") -> str:
    """The rows as delimited text with a header."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


Checked = Callable[..., QualityReport]


@pytest.fixture
def checked(tmp_path: Path) -> Checked:
    """Writes a contract into the test's folder, where its tables lie, and checks them."""

    def run(contract: str = CONTRACT, mirror: Path | None = None) -> QualityReport:
        file = tmp_path / "customers.yaml"
        file.write_text(contract, encoding="utf-8")
        places = Places(tmp_path, tmp_path / "raw", DatasetsConfig(mirror=mirror))
        return check(load_contract(file), places, tmp_path / "refused")

    return run


@pytest.fixture
def real_data() -> Path:
    """The mirror folder with the real tables."""
    mirror = os.environ.get("CHURN_DATA_MIRROR")
    if not mirror or not (Path(mirror) / "iranian_telecom").is_dir():
        pytest.skip("no real tables here: CHURN_DATA_MIRROR names no folder with iranian_telecom")
    return Path(mirror)
