"""`churn predict FILE` with a company's own table: whom its rows forbid to contact isn't."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from churn_assets.cli.customers.files import Row, read_customers
from churn_assets.cli.customers.refused import RefusedFile
from churn_assets.cli.predict import forbidden
from churn_assets.customers.contract.model import Contract
from churn_assets.customers.contract.yaml_lines import Document
from churn_assets.customers.fields import schema_of
from churn_assets.customers.people import PEOPLE, read_addressees
from churn_assets.customers.reading.sources import Places
from churn_assets.customers.schema import FILE, PermissionColumn, load_schema
from churn_assets.customers.tables import write_active, write_history
from churn_assets.serving.forms import Form, form_of
from tests.cli.conftest import Churn
from tests.customers.conftest import CONTRACT, Rows, as_csv, made_rows
from tests.customers.own_company import company_of, make_home

CONTACT = """\
contact:
  opt_out: {column: Ne pas contacter, yes: oui}
  channels:
    email: {consent: {column: Consentement e-mail, yes: oui, no: non}}
    call:
      opt_out: {column: Pas d'appels, yes: [oui, o], no: non}
      consent: {column: Consentement appels, yes: oui}
"""
CHANNELS = ("email", "call")
FREE = {
    "Ne pas contacter": "non",
    "Consentement e-mail": "oui",
    "Pas d'appels": "non",
    "Consentement appels": "oui",
}
NO_MAIL = {"Consentement e-mail": "non"}
NO_CALLS = {"Pas d'appels": "oui"}
SAID: list[tuple[dict[str, str], str | None]] = [
    ({}, None),
    ({"Ne pas contacter": "oui"}, "opt_out"),
    ({"Ne pas contacter": " OUI "}, "opt_out"),
    ({"Ne pas contacter": "à vérifier"}, "opt_out"),  # neither yes nor no
    ({"Ne pas contacter": "n/a"}, "opt_out"),
    ({"Ne pas contacter": ""}, None),  # says nothing
    ({"Ne pas contacter": "inconnu"}, "opt_out"),  # though the contract calls it missing
    (NO_MAIL, None),  # there are calls
    (NO_CALLS, None),
    (NO_MAIL | NO_CALLS, "consent"),
    (NO_MAIL | {"Consentement appels": "non"}, "consent"),
    ({"Consentement e-mail": ""} | NO_CALLS, "consent"),  # whose no is spelled out: unclear
    (NO_MAIL | {"Consentement appels": ""}, None),
    (NO_MAIL | {"Consentement appels": "inconnu"}, "consent"),
    (NO_MAIL | NO_CALLS | {"Ne pas contacter": "oui"}, "opt_out"),
]
"""What a row says differently from one that permits all, and the rule that forbids its contact."""


def contract(words: str = CONTRACT + CONTACT) -> Contract:
    value = Document.parse(words).value
    value["tables"]["history"]["missing"] = ["inconnu"]
    return Contract.model_validate(value)


def form() -> Form:
    return form_of(schema_of(contract()))


def rows_saying(said: list[dict[str, str]], count: int | None = None) -> Rows:
    """The company's customers; the first ones say something else than yes to everything."""
    others = [dict[str, str]()] * ((count or len(said)) - len(said))
    rows = made_rows(count or len(said))
    return [row | FREE | each for row, each in zip(rows, [*said, *others], strict=True)]


def saved(file: Path, rows: Rows) -> Path:
    """Written in the format of the file's name, numbers of Parquet as such."""
    if file.suffix == ".csv":
        file.write_text(as_csv(rows, ";"), encoding="utf-8")
        return file
    frame = pd.DataFrame(rows)
    for name in ("Months", "Monthly Fee", "Calls"):
        frame[name] = pd.to_numeric(frame[name])
    frame.to_parquet(file)
    return file


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_row_forbids_as_the_contract_reads_it(tmp_path: Path, suffix: str) -> None:
    """By an opt-out, or a no to each channel; what nobody understands is no permission."""
    file = saved(tmp_path / f"today.{suffix}", rows_saying([said for said, _ in SAID]))
    found = [row.rule for row in read_customers(file, form(), CHANNELS).rows]
    assert found == [rule for _, rule in SAID]
    of_email = [row.rule for row in read_customers(file, form(), ("email",)).rows]
    assert of_email[SAID.index((NO_MAIL, None))] == "consent"
    of_none = [row.rule for row in read_customers(file, form()).rows]
    assert set(of_none) == {None, "opt_out"}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_says_what_the_table_of_the_active_says(tmp_path: Path, suffix: str) -> None:
    """The same rows, read by the check and as a file: nobody may be contacted by one of them."""
    rows = rows_saying([said for said, _ in SAID], count=320)
    rows = [row | {"Cancelled": "no"} if i < len(SAID) else row for i, row in enumerate(rows)]
    words = (CONTRACT + CONTACT).replace("history.csv", f"history.{suffix}")
    agreed, places = contract(words), Places(tmp_path, tmp_path / "raw")
    file = saved(tmp_path / f"history.{suffix}", rows)
    history, active = tmp_path / "h", tmp_path / "a"
    history.mkdir()
    active.mkdir()
    write_history(agreed, places, tmp_path / "refused", history)
    write_active(agreed, places, tmp_path / "refused", history, active)
    known = read_addressees(active / PEOPLE, CHANNELS)
    schema = load_schema(history)
    assert schema is not None
    found = list(read_customers(file, form_of(schema), CHANNELS).rows)[: len(SAID)]
    for row, (_, rule) in zip(found, SAID, strict=True):
        assert row.rule == known.rule_against(row.customer["customer_id"]) == rule


def test_a_file_without_the_columns_forbids_nothing(tmp_path: Path) -> None:
    """The table of the active customers is asked all the same."""
    file = saved(tmp_path / "today.csv", made_rows(2))
    assert [row.rule for row in read_customers(file, form(), CHANNELS).rows] == [None, None]


def test_fields_named_as_in_requests_may_stand_beside_the_company_s_columns(tmp_path: Path) -> None:
    """A column that only permits is no unknown one."""
    file = tmp_path / "today.csv"
    names = "customer_id,plan,months,monthly_fee,paperless,Ne  pas contacter"
    file.write_text(f"{names}\nA1,Plus,7,39.9,true,oui\nA2,Plus,7,39.9,true,non\n")
    assert [row.rule for row in read_customers(file, form()).rows] == ["opt_out", None]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_refused_row_keeps_its_permissions(tmp_path: Path, suffix: str) -> None:
    """Mended and read again, it forbids what it forbade: a 0 of Parquet is none of 0,0."""
    words = CONTRACT.replace("history.csv}", "history.csv, format: {decimal: ',', delimiter: ;}}")
    words += 'contact: {opt_out: {column: Stop, yes: "1", no: "0"}}\n'
    theirs = form_of(schema_of(Contract.model_validate(Document.parse(words).value)))
    frame = pd.DataFrame(made_rows(3)).astype({"Months": int})
    for name in ("Monthly Fee", "Calls"):
        frame[name] = pd.to_numeric(frame[name])
    frame["Stop"] = [1.0, 0.0, None]
    file = tmp_path / f"today.{suffix}"
    if suffix == "csv":
        frame.to_csv(file, sep=";", decimal=",", index=False)
    else:
        frame.to_parquet(file)
    customers = read_customers(file, theirs)
    before = list(customers.rows)
    with RefusedFile(file, customers) as refused:
        refused.add([(row, "is to be mended") for row in before])
    assert refused.path is not None
    again = [row.rule for row in read_customers(refused.path, theirs).rows]
    expected = ["opt_out", "opt_out" if suffix == "csv" else None, "opt_out"]
    assert [row.rule for row in before] == again == expected


def test_of_a_customer_s_rows_one_that_forbids_is_enough() -> None:
    """An export of two contracts of one person; a row that is refused counts, too."""
    rows = [
        Row(1, [], {"customer_id": "A"}),
        Row(2, [], {"customer_id": "A"}, rule="opt_out"),
        Row(3, [], {"customer_id": "A"}, rule="consent"),
        Row(4, [], {"customer_id": "B"}, "name: can't be sent", "consent"),
        Row(5, [], {"customer_id": 7}, rule="consent"),
        Row(6, [], None, "has 2 cells where the header has 3"),
        Row(7, [], {"customer_id": "C"}),
    ]
    assert forbidden(rows) == {"A": "opt_out", "B": "consent"}


def test_a_release_of_before_forbids_nothing_by_a_file(tmp_path: Path) -> None:
    """Its `customers.json` names no such column; one of a contract without any stays as it was, so
    that earlier versions can read it."""
    schema_of(contract(CONTRACT)).save(tmp_path)
    assert "permissions" not in (tmp_path / FILE).read_text(encoding="utf-8")
    earlier = load_schema(tmp_path)
    assert earlier is not None
    assert earlier.permissions == ()
    file = saved(tmp_path / "today.csv", rows_saying([{"Ne pas contacter": "oui"}]))
    assert [row.rule for row in read_customers(file, form_of(earlier), CHANNELS).rows] == [None]
    schema_of(contract()).save(tmp_path)
    assert load_schema(tmp_path) == schema_of(contract())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the company's release serves; by its stored table A10007 opted out."""
    root = tmp_path_factory.mktemp("company")
    saved(root / "history.csv", rows_saying([], count=1200))
    (root / "customers.yaml").write_text(CONTRACT + CONTACT, encoding="utf-8")
    return make_home(company_of(root / "customers.yaml", root), tmp_path_factory)


def today() -> Rows:
    """Six rows of five customers, of whom the stored table knows the last one alone."""
    rows = rows_saying(
        [{}, {"Ne pas contacter": "oui"}, NO_MAIL | NO_CALLS, NO_MAIL, {}, {}], count=8
    )[:6]
    rows[4]["Account"] = rows[1]["Account"]
    rows[5]["Account"] = "A10007"
    return rows


EXPECTED = ["", "opt_out", "consent", "", "opt_out", "opt_out"]


def told(text: str) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_whom_the_file_forbids_to_contact_gets_no_message(
    churn: Churn, tmp_path: Path, suffix: str
) -> None:
    """The answer is no contact and says by which rule, as of who opted out in the stored table."""
    file = saved(tmp_path / f"aujourdhui.{suffix}", today())
    done = churn("predict", str(file), "--format", "csv")
    assert done.returncode == 0, done.stderr
    answers = told(done.stdout)
    assert [answer["excluded"] for answer in answers] == EXPECTED
    for answer in answers:
        assert (
            (answer["contact"] == "True") is bool(answer["message"]) is not bool(answer["excluded"])
        )
    alone = saved(tmp_path / f"une.{suffix}", today()[1:2])
    [answer] = told(churn("predict", str(alone), "--format", "csv").stdout)
    assert (answer["contact"], answer["message"], answer["excluded"]) == ("False", "", "opt_out")


def test_over_http_such_a_row_is_refused(churn: Churn, tmp_path: Path) -> None:
    """No request can say it: an answer would advise what the file forbids."""
    file = saved(tmp_path / "aujourdhui.csv", today())
    done = churn("predict", str(file), "--format", "csv", "--over-http")
    assert done.returncode == 1
    assert [(a["row"], a["excluded"]) for a in told(done.stdout)] == [
        ("1", ""),
        ("4", ""),
        ("6", "opt_out"),
    ]
    why = "by this file, which the API can't be told: predict without --over-http"
    assert done.stderr.splitlines()[:3] == [
        f"row 2: doesn't want to be contacted, {why}",
        f"row 3: has not consented, {why}",
        f"row 5: doesn't want to be contacted, {why}",
    ]
    refused = tmp_path / "aujourdhui.refused.csv"
    assert [row.rule for row in read_customers(refused, form(), CHANNELS).rows] == [
        "opt_out",
        "consent",
        None,
    ]
    again = churn("predict", str(refused), "--format", "csv", "--over-http")
    assert (again.returncode, again.stdout) == (1, "")


def test_ids_that_no_customer_has_are_named(churn: Churn, home: Path, tmp_path: Path) -> None:
    """An id that was written otherwise has no opt-out, no contact and no place in the control
    group: a table without its leading zeros contacted whom it mustn't, and nobody knew. No fault:
    tomorrow's customers are decided about as well."""
    active = pq.read_table(next(home.glob("store/objects/predictions/*/predictions.parquet")))
    rows = rows_saying([], count=8)[:3]
    rows[0]["Account"], rows[1]["Account"] = "A10007", "10007"
    rows[2]["Account"] = next(i for i in active["customer_id"].to_pylist() if i != "A10007")
    file = saved(tmp_path / "aujourdhui.csv", rows)
    done = churn("predict", str(file), "--format", "csv", "--no-record")
    assert done.returncode == 0
    assert [answer["excluded"] for answer in told(done.stdout)] == ["opt_out", "", ""]
    [line] = done.stderr.splitlines()
    assert line.startswith("1 of 3 ids are of no customer in the latest predictions or the history")
    assert "as '10007': what is known of customers (opt-outs, " in line
    saved(file, [rows[0], rows[2]])
    assert churn("predict", str(file), "--format", "csv", "--no-record").stderr == ""


def test_a_release_of_before_takes_no_word_for_a_permission() -> None:
    """Its form has the table's words for missing among what says nothing."""
    consent = PermissionColumn(
        name="consent", column="Mail", yes=("ja",), blank=("", "onbekend"), unclear=False
    )
    opt_out = PermissionColumn(
        name="opt_out", column="Stop", yes=("ja",), blank=("", "onbekend"), unclear=True
    )
    said = ("onbekend", "", None)
    assert [consent.says(cell) for cell in said] == [False, None, None]
    assert [opt_out.says(cell) for cell in said] == [True, None, None]
