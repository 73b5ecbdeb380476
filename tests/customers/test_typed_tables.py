"""From a contract to fields, and from its tables to what training reads."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from churn_assets.customers.contract.expression import evaluate
from churn_assets.customers.contract.model import Contract, ContractError, load_contract
from churn_assets.customers.contract.yaml_lines import Document
from churn_assets.customers.fields import field_name, schema_of
from churn_assets.customers.people import read_addressees
from churn_assets.customers.reading.sources import Places
from churn_assets.customers.schema import FILE, SchemaError, load_schema
from churn_assets.customers.tables import PEOPLE, STAYERS, TAKEN_FROM, write_active, write_history
from churn_assets.datasets.errors import DataError
from churn_assets.domain.splits import SPLITS
from tests.customers.conftest import CONTRACT, Rows, as_csv, made_rows


def contract(**changes: object) -> Contract:
    """The small company's, with other parts."""
    return Contract.model_validate(Document.parse(CONTRACT).value | changes)


def written(folder: Path, agreed: Contract, rows: Rows, active: Rows = ()) -> pd.DataFrame:  # type: ignore[assignment]
    """The history's rows with their split; both folders lie below `folder` afterwards."""
    (folder / "history.csv").write_text(as_csv(rows))
    if active:
        (folder / "active.csv").write_text(as_csv(active))
    history, now = folder / "history", folder / "active"
    history.mkdir()
    now.mkdir()
    places = Places(folder, folder / "raw")
    write_history(agreed, places, folder / "refused", history)
    write_active(agreed, places, folder / "refused", history, now)
    return whole(history)


def are_stayers(active: Path) -> bool:
    """Whether the folder says that they are those of the history who stayed."""
    return bool(json.loads((active / "dataset.json").read_text())[TAKEN_FROM] == STAYERS)


def whole(folder: Path) -> pd.DataFrame:
    parts = [pd.read_parquet(folder / f"{part}.parquet").assign(split=part) for part in SPLITS]
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("Seconds of Use", "seconds_of_use"),
        ("MonthlyCharges", "monthly_charges"),
        ("customerID", "customer_id"),
        ("StreamingTV", "streaming_tv"),
        ("Monthly Fee (EUR)", "monthly_fee_eur"),
        ("2nd line?", "column_2nd_line"),
        ("Übertragung", "übertragung"),
        ("%", "column_"),
    ],
)
def test_a_column_s_name_in_requests(column: str, name: str) -> None:
    """The names that a caller writes are what a programmer expects, and IBM's are the API's."""
    assert field_name(column) == name
    assert name.isidentifier()


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ({"Tone": {"kind": "number"}}, "'tone', which means something else"),
        ({"Model_Dump": {"kind": "number"}}, "'model_dump', which means something else"),
        ({"Tenure": {"kind": "number"}}, "'tenure', which is the customer's tenure"),
        ({"Partner": {"kind": "number"}}, "'partner', which is a flag"),
        (
            {"Big Spender": {"kind": "flag"}, "big-spender": {"kind": "flag"}},
            "'Big Spender' is too",
        ),
    ],
)
def test_a_name_that_is_taken_is_refused(features: dict[str, object], said: str) -> None:
    """A column must never be taken for what the product itself knows by that name."""
    with pytest.raises(ContractError, match=said):
        schema_of(contract(features=features))
    other = {name: {**kind, "field": f"own_{i}"} for i, (name, kind) in enumerate(features.items())}  # type: ignore[dict-item]
    names = {field.name for field in schema_of(contract(features=other)).fields}
    assert {f"own_{i}" for i in range(len(features))} <= names


def test_value_and_tenure_follow_from_the_fields() -> None:
    """In a request as in the table; what can't be told is said, not guessed."""
    agreed = contract(value={"monthly": "[Paid] / [Months]"})
    schema = schema_of(agreed)
    paid = next(field for field in schema.fields if field.name == "paid")
    assert (paid.feature, paid.required) == (False, True)
    row = schema.complete({"paid": 300, "months": 12.7})
    assert (row["monthly_charges"], row["tenure"]) == (300 / 12.7, 12)
    for wrong in ({"paid": 300, "months": 0}, {"paid": -3, "months": 1}, {"months": 1}):
        with pytest.raises(ValueError, match=r"monthly charges .* unknown or negative"):
            schema.complete(wrong)
    assert evaluate("-([a] - 2) * 3", {"a": 4.0}.get) == -6


def test_the_schema_is_read_back_as_written(tmp_path: Path) -> None:
    """It travels with tables and releases; another version's is refused by name."""
    assert load_schema(tmp_path) is None
    schema = schema_of(contract())
    schema.save(tmp_path)
    assert load_schema(tmp_path) == schema
    (tmp_path / FILE).write_text('{"format": 3}')
    with pytest.raises(SchemaError, match=r"customers\.json"):
        load_schema(tmp_path)


def test_typed_values_and_splits(tmp_path: Path) -> None:
    """Words as the contract spells them, whole numbers as such, missing as missing."""
    rows = made_rows(400)
    rows[0] |= {"Plan": " basic ", "Months": "12.0", "Calls": ""}
    frame = written(tmp_path, contract(), rows)
    first = frame.set_index("customer_id").loc["A10000"]
    assert (first["plan"], first["months"], first["tenure"]) == ("Basic", 12, 12)
    assert first["monthly_charges"] == float(rows[0]["Monthly Fee"])
    assert pd.isna(first["calls"])
    assert frame["split"].value_counts().to_dict() == {"train": 320, "valid": 40, "test": 40}
    active = whole(tmp_path / "active")
    assert set(active["customer_id"]) == set(frame.loc[~frame["churn"], "customer_id"])
    assert "churn" not in active
    told = active.merge(frame, on="customer_id", suffixes=("", "_history"))
    assert (told["split"] == told["split_history"]).all()
    assert are_stayers(tmp_path / "active")


def test_a_level_is_typed_as_the_contract_spells_it(tmp_path: Path) -> None:
    """Also where it is a number with needless decimals, which the table may lack."""
    rows = [row | {"Seats": ("1", "2.0", "5")[i % 3]} for i, row in enumerate(made_rows(300))]
    features = Document.parse(CONTRACT).value["features"] | {
        "Seats": {"kind": "ordered", "levels": ["1.0", "2", "5.00"]}
    }
    frame = written(tmp_path, contract(features=features), rows).set_index("customer_id")
    assert list(frame.loc[["A10000", "A10001", "A10002"], "seats"]) == ["1.0", "2", "5.00"]


def test_a_new_name_of_a_plan_is_the_level_that_it_means(tmp_path: Path) -> None:
    """In another spelling, too; what is neither stays refused."""
    tables = {"history": {"path": "history.csv"}, "active": {"path": "active.csv"}}
    features = Document.parse(CONTRACT).value["features"]
    features["Plan"]["aliases"] = {"Plus 2026": "Plus"}
    rows = [{k: v for k, v in row.items() if k != "Cancelled"} for row in made_rows(300)]
    now = [row | {"Plan": row["Plan"].replace("Plus", "PLUS 2026")} for row in rows]
    now[0]["Plan"] = "Plus 2027"
    written(tmp_path, contract(tables=tables, features=features), made_rows(), now)
    active = whole(tmp_path / "active").set_index("customer_id")["plan"]
    assert active.to_dict() == {row["Account"]: row["Plan"] for row in rows[1:]}


def test_a_table_of_active_customers(tmp_path: Path) -> None:
    """Those whom the history knows stay in its split; new ones get one of their own."""
    tables = {"history": {"path": "history.csv"}, "active": {"path": "active.csv"}}
    known = made_rows(400)
    stayed = [row for row in known if row["Cancelled"] == "no"][:150]
    new = [row | {"Account": f"N{i}"} for i, row in enumerate(made_rows(100, seed=3))]
    rows = [{k: v for k, v in row.items() if k != "Cancelled"} for row in (*stayed, *new)]
    frame = written(tmp_path, contract(tables=tables), known, rows)
    active = whole(tmp_path / "active").set_index("customer_id")["split"]
    before = frame.set_index("customer_id")["split"]
    assert len(active) == 250
    assert not are_stayers(tmp_path / "active")
    for row in stayed:
        assert active[row["Account"]] == before[row["Account"]]


def test_without_ids_a_customer_is_the_row_in_the_file(tmp_path: Path) -> None:
    """`churn predict` names the rows of the same file the same, doubled ones or not."""
    rows = [{k: v for k, v in row.items() if k != "Account"} for row in made_rows(300)]
    doubled = [*rows[:5], rows[0], *rows[5:]]
    identity = {k: v for k, v in Document.parse(CONTRACT).value["identity"].items() if k != "id"}
    frame = written(tmp_path, contract(identity=identity), doubled)
    ids = set(frame["customer_id"])
    assert "R6" not in ids  # the doubled row
    assert {"R1", "R7", "R301"} <= ids
    seventh = frame[frame["customer_id"] == "R7"].iloc[0]
    assert str(seventh["months"]) == rows[5]["Months"]


def test_people_lie_apart(tmp_path: Path) -> None:
    """Whoever writes to customers needs a name and a no; models and predictions need neither."""
    rows = [
        row | {"First": f"Ana{i}", "Zone": "Europe/Lisbon", "No Mail": "yes" if i % 2 else "no"}
        for i, row in enumerate(made_rows(300))
    ]
    people = {"first_name": "First", "zone": "Zone"}
    contact = {"opt_out": {"column": "No Mail", "yes": "yes", "no": "no"}}
    frame = written(tmp_path, contract(people=people, contact=contact), rows)
    assert {"first_name", "First", "opt_out", "zone"}.isdisjoint(frame.columns)
    told = pd.read_parquet(tmp_path / "active" / PEOPLE).set_index("customer_id")
    assert set(told.index) == set(whole(tmp_path / "active")["customer_id"])
    for i, row in enumerate(rows):
        if row["Account"] in told.index:
            assert told.loc[row["Account"], "first_name"] == f"Ana{i}"
            assert told.loc[row["Account"], "opt_out"] == bool(i % 2)


FLAG_CELLS = ("ja", " Ja", "j", "ja, bitte", "n/a", "", "no", "nein")


def flags(tmp_path: Path, contact: dict[str, object], name: str) -> dict[str, bool | None]:
    """Cell of a flag -> what is stored of customers who have it; all of them are learnt from."""
    count = len(FLAG_CELLS)
    rows = [row | {"Flag": FLAG_CELLS[i % count]} for i, row in enumerate(made_rows(400))]
    assert len(written(tmp_path, contract(contact=contact), rows)) == 400
    told = pd.read_parquet(tmp_path / "active" / PEOPLE).set_index("customer_id")[name]
    found: dict[str, set[bool | None]] = {cell: set() for cell in FLAG_CELLS}
    for i, row in enumerate(rows):
        if row["Account"] in told.index:
            value = told[row["Account"]]
            found[FLAG_CELLS[i % count]].add(None if pd.isna(value) else bool(value))
    assert all(len(values) == 1 for values in found.values())
    return {cell: values.pop() for cell, values in found.items()}


def test_an_opt_out_that_cannot_be_read_is_no_permission(tmp_path: Path) -> None:
    """ "j" and "ja, bitte" are from people who said no to advertising; what isn't certainly a no to
    that keeps them out of campaigns, and nobody out of training."""
    told = flags(tmp_path, {"opt_out": {"column": "Flag", "yes": "ja"}}, "opt_out")
    assert told == dict.fromkeys(FLAG_CELLS, True) | {"": None, "no": False, "nein": False}


def test_with_both_answers_said_a_blank_opt_out_is_none_of_them(tmp_path: Path) -> None:
    """Nor is a word for no that the contract doesn't say."""
    said = {"column": "Flag", "yes": ["ja", "j"], "no": "nein"}
    told = flags(tmp_path, {"opt_out": said}, "opt_out")
    assert told == dict.fromkeys(FLAG_CELLS, True) | {"nein": False}


def test_a_consent_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    """Only who certainly consented has."""
    told = flags(tmp_path, {"consent": {"column": "Flag", "yes": "ja"}}, "consent")
    assert told == dict.fromkeys(FLAG_CELLS, False) | {"ja": True, " Ja": True, "": None}


def test_where_no_is_the_yes_other_words_for_no_are_not_guessed(tmp_path: Path) -> None:
    """A column "may be written to" whose "no" is the opt-out: "n" isn't the opposite of it."""
    told = flags(tmp_path, {"opt_out": {"column": "Flag", "yes": "no"}}, "opt_out")
    assert told == dict.fromkeys(FLAG_CELLS, True) | {"": None}


def test_an_opt_out_may_be_what_a_feature_calls_no(tmp_path: Path) -> None:
    """One column, two meanings: each is read by its own words."""
    contact = {"opt_out": {"column": "Paperless", "yes": "no", "no": "yes"}}
    rows = made_rows(300)
    written(tmp_path, contract(contact=contact), rows)
    told = pd.read_parquet(tmp_path / "active" / PEOPLE).set_index("customer_id")["opt_out"]
    for row in rows:
        if row["Account"] in told.index:
            assert told[row["Account"]] == (row["Paperless"] == "no")


def test_regions_are_zones(tmp_path: Path) -> None:
    """A company knows where its customers live, by names of its own: the contract says which zone
    that is; a zone's own name needs no saying, and nobody's is guessed."""
    cells = ("Mainland", " azores", "europe/madrid", "")
    rows = [row | {"Region": cells[i % 4]} for i, row in enumerate(made_rows(300))]
    zones = {"Mainland": "Europe/Lisbon", "Azores": "Atlantic/Azores"}
    written(tmp_path, contract(people={"zone": "Region", "zones": zones}), rows)
    told = pd.read_parquet(tmp_path / "active" / PEOPLE).set_index("customer_id")["zone"]
    expected = ("Europe/Lisbon", "Atlantic/Azores", "Europe/Madrid", None)
    for i, row in enumerate(rows):
        if row["Account"] in told.index:
            found = told[row["Account"]]
            assert (None if pd.isna(found) else found) == expected[i % 4]
    known = read_addressees(tmp_path / "active" / PEOPLE)
    for customer_id, zone in told.items():
        assert known.zone_of(customer_id) == (None if pd.isna(zone) else zone)
    assert known.zone_of("nobody") is None


def test_snapshots_of_a_customer_stay_on_one_side(tmp_path: Path) -> None:
    """A model must be tried on customers and on a time that it knows nothing of."""
    identity = Document.parse(CONTRACT).value["identity"] | {"snapshot": "Seen"}
    rows = []
    for number, day in enumerate(("2026-01-31", "2026-02-28", "2026-03-31")):
        rows += [row | {"Seen": day} for row in made_rows(300, seed=number)]
    frame = written(tmp_path, contract(identity=identity), rows)
    sides = frame.groupby("customer_id")["split"].nunique()
    assert (sides == 1).all()
    test = frame[frame["split"] == "test"]
    assert set(test["snapshot"].astype(str).str[:10]) == {"2026-03-31"}
    others = frame.loc[frame["split"] != "test", "snapshot"].astype(str).str[:10]
    assert set(others) == {"2026-01-31", "2026-02-28"}
    assert not whole(tmp_path / "active")["customer_id"].duplicated().any()


def test_too_few_to_learn_from(tmp_path: Path) -> None:
    """Said before training, with the number that is needed."""
    rows = [row | {"Cancelled": "yes" if i < 10 else "no"} for i, row in enumerate(made_rows(200))]
    with pytest.raises(DataError, match=r"200 customers .* 10 left: at least 30"):
        written(tmp_path, contract(), rows)


def test_since_a_date(tmp_path: Path) -> None:
    """Months up to the latest date in the table; a request then gives `tenure` itself."""
    rows = [row | {"Since": f"20{20 + i % 6}-01-15"} for i, row in enumerate(made_rows(300))]
    agreed = contract(tenure={"since": "Since"})
    frame = written(tmp_path, agreed, rows).set_index("customer_id")
    assert frame.loc["A10005", "tenure"] == 0
    assert frame.loc["A10000", "tenure"] == 60
    schema = schema_of(agreed)
    assert schema.tenure is None
    assert schema.complete({"monthly_fee": 5, "tenure": 3})["tenure"] == 3


def test_months_beyond_any_number_are_a_problem(tmp_path: Path) -> None:
    """The check names them; reading the table doesn't end with an error of the data base."""
    rows = made_rows(300)
    rows[7]["Months"] = "99999999999999999999"
    agreed = contract(features={"Plan": {"kind": "category"}})
    frame = written(tmp_path, agreed, rows).set_index("customer_id")
    assert list(frame.index[frame["tenure"].isna()]) == ["A10007"]
    assert frame.loc["A10008", "tenure"] == int(rows[8]["Months"])
    report = json.loads((tmp_path / "history" / "report.json").read_text())
    assert report["problems"] == [
        "history: the tenure of 1 rows is unknown, negative or above 1,200 months; "
        "the first is history.csv:8 (Months '99999999999999999999')"
    ]


def test_the_examples_have_a_schema() -> None:
    """A contract that the check takes is one that can be learnt from."""
    examples = Path(__file__).resolve().parents[2] / "examples"
    schema = schema_of(load_contract(examples / "iranian_telecom" / "customers.yaml"))
    assert (
        schema.complete({"customer_value": 90, "subscription_length": 5})["monthly_charges"] == 10
    )
    with pytest.raises(ContractError, match="only a campaign"):
        schema_of(load_contract(examples / "charitable_mail" / "customers.yaml"))
