"""`churn predict FILE`: every format in and out, and what happens to rows that are refused."""

from __future__ import annotations

import csv
import gc
import gzip
import io
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from churn_assets.cli.customers.files import (
    CustomerFileError,
    Customers,
    Row,
    read_customers,
)
from churn_assets.cli.customers.refused import RefusedFile
from churn_assets.cli.predict import BATCH, decide
from churn_assets.serving.schemas import SAMPLE_REQUEST
from tests.cli.conftest import Churn

SECOND = SAMPLE_REQUEST | {"customer_id": "C2", "tenure": 5, "senior_citizen": True}
BOTH = [SAMPLE_REQUEST, SECOND]


def csv_text(rows: list[dict[str, Any]], delimiter: str = ",") -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, sorted({key for row in rows for key in row}), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def write_refused(file: Path, customers: Customers, refused: list[tuple[Row, str]]) -> Path:
    with RefusedFile(file, customers) as out:
        out.add(refused)
    assert out.path is not None
    return out.path


def save(file: Path, rows: list[dict[str, Any]]) -> Path:
    """Write customers in the format of the file's name."""
    suffix = file.suffix.lower()
    if suffix == ".parquet":
        pd.DataFrame(rows).to_parquet(file)  # gaps make `senior_citizen` an object column
    elif suffix == ".csv":
        file.write_text(csv_text(rows))
    elif suffix == ".json":
        file.write_text(json.dumps(rows))
    else:
        file.write_text("\n\n".join(map(json.dumps, rows)) + "\n")
    return file


@pytest.mark.parametrize("name", ["a.CSV", "a.json", "a.JsonL", "a.ndjson", "a.PARQUET"])
def test_every_format_reads_the_same_customers(tmp_path: Path, name: str) -> None:
    """Whatever exported the file and spelt its name, the API is sent the same."""
    rows = read_customers(save(tmp_path / name, BOTH)).rows
    assert [row.customer for row in rows] == BOTH
    assert [row.number for row in rows] == [1, 2]


def test_without_a_contract_a_point_stands_before_decimals(tmp_path: Path) -> None:
    """Refused as "thousands or decimals", it asked for a contract's format, which nobody has."""
    [row] = read_customers(
        save(tmp_path / "a.csv", [SAMPLE_REQUEST | {"monthly_charges": 70.125}])
    ).rows
    assert (row.problem, row.customer["monthly_charges"]) == ("", 70.125)


def test_one_object_is_one_customer(tmp_path: Path) -> None:
    """The specification's sample in a file is answered with the specification's JSON."""
    file = tmp_path / "one.json"
    file.write_text("\ufeff" + json.dumps(SAMPLE_REQUEST), encoding="utf-8")
    assert read_customers(file).single
    assert not read_customers(save(tmp_path / "list.json", [SAMPLE_REQUEST])).single


def test_spreadsheets_csv_is_understood(tmp_path: Path) -> None:
    """Excel in Europe: semicolons, decimal commas, a byte order mark, Yes and No, empty cells."""
    person = SAMPLE_REQUEST | {"monthly_charges": "89,99", "senior_citizen": "No", "tenure": "12.0"}
    text = csv_text([person | {"partner": ""}], ";")
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    [row] = read_customers(tmp_path / "a.csv").rows
    assert row.customer == SAMPLE_REQUEST | {"senior_citizen": False}


def test_a_file_is_read_as_the_check_reads_it(tmp_path: Path) -> None:
    """Latin-1, packed, pipes, marks of thousands, N/A: what `check` takes is no trouble here, and a
    quote that is never closed costs one row."""
    person = SAMPLE_REQUEST | {"name": "Zoë", "monthly_charges": "1,089.50", "total_charges": "N/A"}
    text = csv_text([person, person], "|") + '"C3|x\r\n'
    with gzip.open(tmp_path / "a.csv.gz", "wb") as file:
        file.write(text.encode("latin-1"))
    *read, broken = read_customers(tmp_path / "a.csv.gz").rows
    assert [row.customer for row in read] == [
        SAMPLE_REQUEST | {"name": "Zoë", "monthly_charges": 1089.5}
    ] * 2
    assert "has a quote that is not closed" in broken.problem


def test_a_comma_that_may_be_either_is_not_guessed_at(tmp_path: Path) -> None:
    """1,250 is 1250 or 1.25: neither, until another cell tells which."""
    rows = [SAMPLE_REQUEST | {"monthly_charges": "1,250"}] * 2
    (tmp_path / "a.csv").write_text(csv_text(rows, ";"))
    assert [row.customer["monthly_charges"] for row in read_customers(tmp_path / "a.csv").rows] == [
        "1,250",
        "1,250",
    ]
    rows[1] = rows[1] | {"monthly_charges": "89,99"}
    (tmp_path / "a.csv").write_text(csv_text(rows, ";"))
    assert [row.customer["monthly_charges"] for row in read_customers(tmp_path / "a.csv").rows] == [
        1.25,
        89.99,
    ]


def test_gaps_of_parquet_are_missing_values(tmp_path: Path) -> None:
    """pandas writes whole numbers with gaps as floats and NaN; a gap is no zero."""
    rows = [SAMPLE_REQUEST | {"days_since_contact": 30}, SECOND]
    first, second = read_customers(save(tmp_path / "a.parquet", rows)).rows
    assert first.customer["days_since_contact"] == 30
    assert type(first.customer["days_since_contact"]) is int
    assert "days_since_contact" not in second.customer


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.xlsx", b"PK", "can't tell the format"),
        ("a.csv", b"", "a.csv is empty"),
        ("a.csv", b"\n\n", "a.csv: is empty"),
        ("a.jsonl", b"", "a.jsonl is empty"),
        ("a.json", b"\xff", "is not UTF-8"),
        ("a.csv", b"PK\x03\x04", "it is not CSV but"),
        ("a.csv", csv_text(BOTH).encode().replace(b"tenure", b"tenur"), "lacks the columns tenure"),
        (
            "a.csv",
            csv_text([SECOND]).encode().replace(b"senior_", b"senor_"),
            "'senor_citizen'; did you mean senior_citizen?",
        ),
        ("a.csv", csv_text(BOTH).splitlines()[0].encode(), "has a header and no rows"),
        ("a.json", b"{", "is not JSON"),
        ("a.json", b"[]", "has no customers"),
        ("a.parquet", b"PAR1", "is no Parquet file"),
    ],
)
def test_a_file_that_holds_no_customers_says_why(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    """One look must tell what to do with the file; no row is answered by guess."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CustomerFileError, match=re.escape(name)) as caught:
        read_customers(tmp_path / name)
    assert said in str(caught.value)


def test_a_number_of_too_many_digits_is_refused_with_its_row(tmp_path: Path) -> None:
    """One such line of JSON Lines costs none of the others."""
    long = json.dumps(SECOND | {"tenure": 7}).replace("7", "7" * 5_000, 1)
    file = tmp_path / "a.jsonl"
    file.write_text(f"{json.dumps(SAMPLE_REQUEST)}\n{long}\n{json.dumps(SECOND)}\n")
    rows = list(read_customers(file).rows)
    assert [row.problem for row in rows] == ["", "has a number of too many digits", ""]
    assert rows[1].raw == long


def test_a_long_row_is_refused_and_kept_whole(tmp_path: Path) -> None:
    """A cell too many shifts its neighbours: never cut silently, and written back with them all."""
    text = csv_text(BOTH)
    file = tmp_path / "a.csv"
    file.write_text(text.rstrip("\r\n") + ",extra\r\n")
    customers = read_customers(file)
    good, long = customers.rows
    assert good.customer == SAMPLE_REQUEST
    assert long.problem == "has 8 cells where the header has 7"
    path = write_refused(file, customers, [(long, long.problem)])
    assert path.name == "a.refused.csv"
    assert path.read_text().splitlines()[1].endswith(",extra")
    assert write_refused(path, customers, [(long, long.problem)]).name == "a-2.refused.csv"


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json", "a.parquet"])
def test_refused_rows_can_be_mended_and_read_again(tmp_path: Path, churn: Churn, name: str) -> None:
    """The others are answered; the file with the bad ones says which and why, and is input."""
    bad = SECOND | {"customer_id": "BAD", "tenure": -7}
    out = tmp_path / "answers.json"
    done = churn(
        "predict", str(save(tmp_path / name, [SAMPLE_REQUEST, bad, SECOND])), "--out", str(out)
    )
    assert done.returncode == 1
    assert "row 2: tenure: Input should be greater than or equal to 0" in done.stderr
    assert "2 answered, 1 refused" in done.stderr
    answers = json.loads(out.read_text())
    assert [(a["row"], a["customer_id"]) for a in answers] == [(1, "C12345"), (3, "C2")]
    [refused] = tmp_path.glob("a.refused.*")
    text = refused.read_text()
    assert "greater than or equal to 0" in text
    refused.write_text(text.replace("-7", "7"))
    [mended] = read_customers(refused).rows
    assert mended.customer == bad | {"tenure": 7}


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.parquet"])
def test_a_number_that_json_lacks_costs_one_row(tmp_path: Path, churn: Churn, name: str) -> None:
    """Why: 1e999 ended the command in a traceback where a server was asked, and nobody had an
    answer."""
    bad = SECOND | {"customer_id": "BAD", "monthly_charges": math.inf}
    file = save(tmp_path / name, [SAMPLE_REQUEST, bad, SECOND])
    if name == "a.jsonl":
        file.write_text(file.read_text().replace("Infinity", "1e999"))
    out = tmp_path / "answers.json"
    done = churn("predict", str(file), "--out", str(out), "--over-http")
    assert done.returncode == 1
    assert "row 2: monthly_charges: Input should be a finite number" in done.stderr
    assert "2 answered, 1 refused" in done.stderr
    assert [a["customer_id"] for a in json.loads(out.read_text())] == ["C12345", "C2"]


def test_what_no_json_can_say_is_refused_and_kept(tmp_path: Path) -> None:
    """However deep it stands; half a character is written back as it was escaped."""
    file = tmp_path / "a.jsonl"
    file.write_text('{"name": "Zo\\ud800"}\n{"tenure": [NaN]}\n{"\\udfff": 1}\n{"name": "Zoe"}\n')
    customers = read_customers(file)
    rows = list(customers.rows)
    half = "Input should be text without half a character (a lone surrogate)"
    assert [row.problem for row in rows] == [
        f"name: {half}",
        "tenure: Input should be a finite number",
        half,
        "",
    ]
    path = write_refused(file, customers, [(row, row.problem) for row in rows[:3]])
    assert [row.customer for row in read_customers(path).rows][::2] == [
        {"name": "Zo\ud800"},
        {"\udfff": 1},
    ]


def test_a_line_that_is_no_json_stays_as_it_was(tmp_path: Path) -> None:
    """Half a line can only be mended where it is."""
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps(SAMPLE_REQUEST) + '\n{"customer_id": \n[1]\n')
    customers = read_customers(file)
    refused = [(row, row.problem) for row in customers.rows if row.problem]
    assert [row.number for row, _ in refused] == [2, 3]
    assert write_refused(file, customers, refused).read_text() == '{"customer_id": \n[1]\n'


def test_table_csv_and_json_tell_the_same(tmp_path: Path, churn: Churn) -> None:
    """A table for people, CSV for spreadsheets, JSON for programs: the API's answer in each."""
    file = str(save(tmp_path / "a.csv", BOTH))
    table = churn("predict", file)
    assert table.returncode == 0, table.stderr
    answers = json.loads(churn("predict", file, "--format", "json").stdout)
    rows = list(csv.DictReader(io.StringIO(churn("predict", file, "--format", "csv").stdout)))
    for answer, row in zip(answers, rows, strict=True):
        assert row["customer_id"] == answer["customer_id"]
        assert row["customer_id"] in table.stdout
        assert float(row["churn_risk"]) == answer["metadata"]["churn_risk"]
        assert row["message"] == (answer["message"] or "")
    assert "churn_risk" not in table.stdout


def test_a_server_answers_a_file_alike(tmp_path: Path, churn: Churn) -> None:
    """Rows are judged by the same rules in this process and over HTTP."""
    file = str(save(tmp_path / "a.jsonl", [*BOTH, SECOND | {"contract": "For ever"}]))
    here = churn("predict", file, "--format", "json")
    there = churn("predict", file, "--format", "json", "--over-http")
    assert there.returncode == here.returncode == 1
    answers, others = json.loads(there.stdout), json.loads(here.stdout)
    keys = {row["metadata"].pop("decision_id") for row in [*answers, *others]}
    assert len(keys) == 4  # each answer is a decision of its own
    assert answers == others
    assert "row 3: contract: Input should be 'Month-to-month'" in here.stderr
    assert there.stderr.splitlines()[0] == here.stderr.splitlines()[0]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_a_long_file_is_never_held(tmp_path: Path, name: str) -> None:
    """A million rows take the memory of a few hundred: those that are asked about together."""
    count = 4 * BATCH
    people = [SAMPLE_REQUEST | {"customer_id": f"C{i}"} for i in range(count)]
    people[7] |= {"tenure": "seven"}
    held: list[int] = []

    def ask(customers: list[Any], _: Mapping[str, str]) -> list[dict[str, Any]]:
        held.append(sum(type(thing) is Row for thing in gc.get_objects()))
        return [{"answer": {}, "errors": []} for _ in customers]

    if name == "a.parquet":  # whose columns have one type each
        people[7] |= {"tenure": 7}
    customers = read_customers(save(tmp_path / name, people))
    answered = [answer for some, _ in decide(customers, ask) for answer in some]
    assert [a["customer_id"] for a in answered] == [f"C{i}" for i in range(count)]
    assert len(held) == 4
    assert max(held) <= 2 * BATCH


def test_a_file_that_changes_while_it_is_read_is_told(tmp_path: Path) -> None:
    """Half of the rows of one table and half of another's are nobody's customers."""
    file = save(tmp_path / "a.csv", BOTH)
    rows = iter(read_customers(file).rows)
    assert next(rows).number == 1
    save(file, [*BOTH, SECOND])
    with pytest.raises(CustomerFileError, match="it changed while it was read"):
        list(rows)


@pytest.mark.parametrize("kind", ["json", "csv", "jsonl"])
def test_standard_input_has_any_text_format(churn: Churn, kind: str) -> None:
    """A pipe has no name by which to tell the format."""
    lines = "\n".join(map(json.dumps, BOTH))
    text = {"json": json.dumps(BOTH), "csv": csv_text(BOTH), "jsonl": lines}[kind]
    done = churn("predict", "-", "--format", "csv", text=text)
    assert done.returncode == 0, done.stderr
    assert [row["customer_id"] for row in csv.DictReader(io.StringIO(done.stdout))] == [
        "C12345",
        "C2",
    ]


def test_a_folder_or_no_file_is_one_line(tmp_path: Path, churn: Churn) -> None:
    """A typing error in a path costs one look."""
    for name, said in ((str(tmp_path), "is a folder"), ("nope.csv", "No such file")):
        done = churn("predict", name)
        assert done.returncode == 1
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert "name it .csv or .json" in churn("predict", "--sample", "--out", "x.txt").stderr
