"""Rows that are in a file twice: `churn predict` answers a customer once."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from churn_assets.cli.customers.files import Customers, Row, read_customers
from churn_assets.cli.predict import DOUBLED, decide, rows_of_one
from churn_assets.customers.contract.model import Contract
from churn_assets.customers.contract.yaml_lines import Document
from churn_assets.customers.fields import schema_of
from churn_assets.serving.forms import form_of
from churn_assets.serving.schemas import SAMPLE_REQUEST
from tests.cli.conftest import Churn
from tests.customers.conftest import CONTRACT


def asked(raws: list[Any], problems: dict[int, str] | None = None) -> tuple[list[int], list[int]]:
    """The numbers of the rows that were answered, and of those that were refused."""
    rows = [
        Row(n, raw, {"customer_id": str(n)}, (problems or {}).get(n, ""))
        for n, raw in enumerate(raws, 1)
    ]
    left_out = Counter[str]()

    def ask(customers: list[Any], _: Any) -> list[dict[str, Any]]:
        return [{"answer": {}, "errors": []} for _ in customers]

    parts = list(decide(Customers(rows), ask, left_out))
    answered = [answer["row"] for some, _ in parts for answer in some]
    refused = [row.number for _, some in parts for row, _ in some]
    assert left_out == Counter({DOUBLED: len(raws) - len(answered) - len(refused)})
    return answered, refused


def test_equal_rows_are_answered_once() -> None:
    """They were two lines of the answer, two contacts for whoever sends by it. Rows that differ
    in a cell stay, and so does the first of equal ones; also across what is asked at once."""
    first, other = ["131", "Basic", "7"], ["0000131", "Basic", "7"]
    assert asked([first, other, first, ["131", "Basic", "8"]]) == ([1, 2, 4], [])
    many = [[str(i % 700), "Basic", "7"] for i in range(1_400)]
    assert asked(many) == (list(range(1, 701)), [])
    assert asked([{"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1}]) == ([1, 3], [])


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("name", ["", "customer_id"])
def test_without_ids_equal_rows_are_customers_who_are_alike(
    name: str, suffix: str, tmp_path: Path
) -> None:
    """Their numbers name them: whoever was like an earlier one was left out."""
    value = Document.parse(CONTRACT).value
    del value["identity"]["id"]
    cells = {"Plan": "Basic", "Months": 3, "Monthly Fee": 20.5, "Calls": 1, "Paperless": "yes"}
    frame = pd.DataFrame([cells | ({name: "C7"} if name else {})] * 2)
    file = tmp_path / f"mine.{suffix}"
    frame.to_csv(file, index=False) if suffix == "csv" else frame.to_parquet(file)
    customers = read_customers(file, form_of(schema_of(Contract.model_validate(value))))
    left_out = Counter[str]()

    def ask(customers: list[Any], _: Any) -> list[dict[str, Any]]:
        return [{"answer": {}, "errors": []} for _ in customers]

    [(answers, refused)] = decide(customers, ask, left_out)
    assert [answer["customer_id"] for answer in answers] == (["C7"] if name else ["R1", "R2"])
    assert not refused
    assert left_out == ({DOUBLED: 1} if name else {})


def test_a_refused_row_is_refused_once() -> None:
    """The file of refused rows has it to be mended, once."""
    row = ["7", "?", ""]
    assert asked([row, row, ["8", "x", "1"]], {1: "is no number", 2: "is no number"}) == ([3], [1])


def test_several_rows_of_a_customer_are_told() -> None:
    """Who, how many rows, and what to do; nothing of customers with one."""
    assert rows_of_one({}) is rows_of_one({"A": 1, "B": 1}) is None
    told = rows_of_one({"A": 1, "B": 12, "C": 2, "D": 2, "E": 3})
    assert told is not None
    assert told.startswith(
        "19 rows are of 4 customers with several, as 'B' (12), 'C' (2), 'D' (2): "
    )
    assert "Keep the latest row, by its date, of each customer who hasn't left" in told


def test_a_history_is_said_to_be_one(churn: Churn, tmp_path: Path) -> None:
    """Why: a table with a row a month had each of them answered and recorded, and the command said
    how many rows there were."""
    months = [
        SAMPLE_REQUEST | {"customer_id": i, "tenure": n} for n in (7, 8) for i in ("C1", "C2")
    ]
    file = tmp_path / "history.json"
    file.write_text(json.dumps([*months, SAMPLE_REQUEST | {"customer_id": "C3"}]), encoding="utf-8")
    done = churn("predict", str(file), "--format", "csv", "--no-record")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 6
    assert "4 rows are of 2 customers with several, as 'C1' (2), 'C2' (2): each row" in done.stderr
    file.write_text(json.dumps(months[:2]), encoding="utf-8")
    done = churn("predict", str(file), "--format", "csv", "--no-record")
    assert (done.returncode, "with several" in done.stderr) == (0, False)
