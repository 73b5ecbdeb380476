"""A company's tables as typed Parquet, after the check: what training and scoring read.

`write_history` makes the folder of the asset `customer_history`, `write_active` that of
`active_customers`: `train|valid|test.parquet`, the schema (`customers.json`), where they are from
(`dataset.json`), and of the history what the check said (`report.json`). A customer's rows, of
however many snapshots, stay in one split; where there are snapshots, the test rows are of the last
one and no other row is (`splits.snapshot_split`). Some rows are then in no split.

Names, zones, opt-outs and consents of the active lie apart in `people/people.parquet`: no model
reads them, and no prediction holds them. Who is active, and who doesn't want to be contacted, is
read from the company's tables each time: the history may be weeks old.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from churn_assets.customers.check import CUSTOMERS, Told, check, quiet
from churn_assets.customers.contract.expression import to_sql
from churn_assets.customers.contract.model import Contract, CustomerPart
from churn_assets.customers.fields import schema_of
from churn_assets.customers.people import PEOPLE as PEOPLE
from churn_assets.customers.quality.columns import as_level
from churn_assets.customers.quality.ids import every_id
from churn_assets.customers.quality.judging import USED, Judged
from churn_assets.customers.quality.languages import language_of
from churn_assets.customers.quality.leaving import gone_by_now, has_left, still_to_come
from churn_assets.customers.quality.report import QualityReport
from churn_assets.customers.quality.said import recorded_line
from churn_assets.customers.quality.tenure import months_of
from churn_assets.customers.quality.zones import zone_of
from churn_assets.customers.reading.sources import Places
from churn_assets.customers.schema import MONTHLY, TENURE, CustomerSchema, load_schema
from churn_assets.customers.splits import snapshot_split, write_splits
from churn_assets.customers.strangers import IDS
from churn_assets.datasets.errors import DataError
from churn_assets.datasets.splits import grouped_split, stratified_split
from churn_assets.datasets.tables import read_split, write_parquet
from churn_assets.domain.splits import SPLITS

LABEL, SNAPSHOT = "churn", "snapshot"
TAKEN_FROM, STAYERS = "taken_from", "those of the history who stayed"
"""What the `dataset.json` of `active_customers` says of whom they are, and one that it may say."""
LEAST_OF_A_KIND = 30
"""Customers who left, and who stayed, without whom neither splits nor folds hold both."""


def write_history(
    contract: Contract, places: Places, refused: Path, out: Path, told: Told = quiet
) -> QualityReport:
    """Check the contract's tables and write the labelled customers into the empty folder `out`.

    Returns:
        What the check found. The tables are written all the same: whoever goes on with them has to
        look at `problems`.

    Raises:
        ContractError: the contract has no customers, or two fields of one name.
        DataError: a table can't be read, lacks a column, or has too few customers to learn from.
    """
    schema, taken = schema_of(contract), _Taken(contract)
    report = check(contract, places, refused, told, taken, CUSTOMERS)
    frame = taken.frame("history", report)
    left = int(frame[LABEL].sum())
    if min(left, len(frame) - left) < LEAST_OF_A_KIND:
        raise DataError(
            f"{contract.name}: {len(frame):,} customers can be used, of whom {left:,} left: at "
            f"least {LEAST_OF_A_KIND} have to have left and as many to have stayed; with 1,000 "
            "rows trees are learnt, below that a logistic regression"
        )
    schema = _with_examples(schema, frame)
    schema.save(out)
    about = {"name": "customer_history", "contract": schema.contract}
    rates = write_splits(_split_history(schema, frame), out, about, LABEL)
    _write_ids(taken.ids["history"], out)
    facts = report.stored(rates)
    (out / "report.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return report


def write_active(
    contract: Contract, places: Places, refused: Path, history: Path, out: Path, told: Told = quiet
) -> int:
    """Write the customers who may be contacted into the empty folder `out`; how many they are.

    They are the contract's `active` table, or else whoever of the `history` hasn't left, as either
    is now: each as in their last snapshot. Who is in the history's splits stays in theirs.

    Args:
        history: the folder of `write_history`, which may have been made weeks ago.

    Raises:
        DataError: a table can't be read, nobody is active, or the contract lacks fields that the
            history has.
    """
    schema, before = load_schema(history), {part: read_split(history, part) for part in SPLITS}
    if schema is None:
        raise DataError(f"{history} holds customers of the built-in contract")
    taken = _Taken(contract)
    report = check(contract, places, refused, told, taken, CUSTOMERS)
    name = "active" if contract.tables and contract.tables.active else "history"
    frame, people = _latest(taken.frame(name, report)), taken.people.get(name)
    whom = "a table of their own"
    if name == "history":
        whom = "those of their last snapshot who stayed" if SNAPSHOT in frame else STAYERS
        left = frame[LABEL].astype(bool) & ~frame["customer_id"].isin(taken.to_leave)
        left |= frame["customer_id"].isin(taken.gone)
        frame = frame[~left].drop(columns=[LABEL])
    if frame.empty:
        raise DataError(f"{contract.name}: nobody is active: all of them have left")
    if gone := [field.column for field in schema.fields if field.name not in frame]:
        raise DataError(
            f"{contract.name}: models learnt from columns that the contract hasn't any more "
            f"({', '.join(gone)}): run the whole graph, `churn materialize`, first"
        )
    split = {i: part for part, rows in before.items() for i in rows["customer_id"]}
    ids = list(frame["customer_id"])
    others = zip(ids, grouped_split(ids), strict=True)
    frame = frame.assign(split=[split.get(i, other) for i, other in others])
    schema.save(out)
    about = {"name": "active_customers", "contract": schema.contract}
    write_splits(frame, out, about | {TAKEN_FROM: whom}, LABEL)
    _write_ids(taken.ids[name], out)
    _write_people(people, set(frame["customer_id"]), out)
    return len(frame)


class _Taken:
    """What the check's tables are, typed; given to it as `take`."""

    def __init__(self, contract: Contract) -> None:
        self.contract, self.schema = contract, schema_of(contract)
        self.frames: dict[str, pd.DataFrame] = {}
        self.people: dict[str, pd.DataFrame] = {}
        self.ids: dict[str, list[str]] = {}  # also of rows that aren't used
        self.gone: set[str] = set()  # of the history, by the date of leaving
        self.to_leave: set[str] = set()  # on a day that is still to come

    def __call__(self, connection: duckdb.DuckDBPyConnection, judged: Judged) -> None:
        part = self.contract.customers
        if part is None or judged.name not in ("history", "active"):
            return
        of_history = judged.name == "history" and part.tables.active is not None
        try:
            columns = dict(_columns(part, self.schema, judged))
            said = {} if of_history else dict(_people(self.contract, judged))
        except KeyError:
            return  # a column is missing, which the report says
        order = ", ".join(filter(None, (columns.get(SNAPSHOT), "file", "row")))
        listed = ", ".join(f'{sql} AS "{name}"' for name, sql in columns.items())
        query = f"SELECT {listed} FROM {judged.name} WHERE {USED} ORDER BY {order}"
        frame = connection.execute(query).df()
        self.frames[judged.name] = frame.apply(_whole_numbers)
        who = columns["customer_id"]
        self.ids[judged.name] = every_id(connection, judged, who, part.identity.id)
        if judged.name == "history" and (gone := gone_by_now(part.identity, judged)):
            query = f"SELECT {who} FROM history WHERE {USED} AND {gone}"
            self.gone = {customer for (customer,) in connection.execute(query).fetchall()}
        if judged.name == "history" and (to_come := still_to_come(part.identity, judged)):
            query = f"SELECT {to_come} AS waits FROM history WHERE {USED} ORDER BY {order}"
            told = connection.execute(query).df().assign(customer_id=frame["customer_id"])
            last = _latest(told)  # earlier snapshots may have another end, or none
            self.to_leave = set(last[last["waits"]]["customer_id"])
        if said:
            listed = ", ".join(f'{sql} AS "{name}"' for name, sql in said.items())
            query = f"SELECT {listed} FROM {judged.name} WHERE {USED} ORDER BY {order}"
            told = connection.execute(query).df().assign(customer_id=frame["customer_id"])
            self.people[judged.name] = _latest(told)

    def frame(self, name: str, report: QualityReport) -> pd.DataFrame:
        """A table's rows; raises DataError where they couldn't be typed or there are none."""
        found = self.frames.get(name)
        if found is None or found.empty:
            # Dagster's records keep it: without cells.
            unsaid = f"{name} has no rows that can be used"
            said = recorded_line(report.problems) if report.problems else unsaid
            raise DataError(f"{self.contract.name}: {said}")
        return found


def _columns(
    part: CustomerPart, schema: CustomerSchema, judged: Judged
) -> Iterator[tuple[str, str]]:
    """Name -> SQL of every column of a typed table; raises KeyError for one that isn't there."""
    identity, tenure = part.identity, part.tenure
    if identity.id:
        yield "customer_id", f"CAST({judged.value(identity.id, 'id')} AS VARCHAR)"
    else:
        # The row's number in its file, as `churn predict` and the console number a table's rows.
        yield "customer_id", "'R' || CASE file WHEN 0 THEN '' ELSE (file + 1) || '-' END || row"
    if judged.name == "history":
        yield LABEL, has_left(identity, judged)
    if identity.snapshot and not judged.lacks(identity.snapshot):
        yield SNAPSHOT, judged.value(identity.snapshot, "snapshot")
    for field in schema.fields:
        if tenure.since and field.name == TENURE:
            continue  # counted below
        value = judged.value(field.column, "feature" if field.feature else "")
        if field.levels:
            value = as_level(value, field.levels)
        yield field.name, value
    names = {field.name for field in schema.fields}
    if MONTHLY not in names:
        yield MONTHLY, to_sql(schema.monthly, lambda name: judged.value(name, "value"))
    if tenure.since or TENURE not in names:
        # Months beyond any number are a problem that the check names: null until it is mended.
        yield TENURE, f"TRY_CAST(floor({months_of(part, judged)}) AS BIGINT)"


def _people(contract: Contract, judged: Judged) -> Iterator[tuple[str, str]]:
    """Name -> SQL of what is needed to address somebody, or not to."""
    people, contact = contract.people, contract.contact
    if people.first_name:
        yield "first_name", judged.value(people.first_name, "people")
    if people.language:
        yield "language", language_of(people, judged)
    if people.zone:
        yield "zone", zone_of(people, judged)
    for flag in contact.flags():
        yield flag.name, judged.value(flag.said.column, flag.use)


def _latest(rows: pd.DataFrame) -> pd.DataFrame:
    """Each customer's last one of rows in the order of their snapshots."""
    return rows.drop_duplicates("customer_id", keep="last")


def _write_ids(ids: list[str], out: Path) -> None:
    (out / IDS).parent.mkdir()
    write_parquet(pd.DataFrame({"customer_id": ids}), out / IDS)


def _write_people(people: pd.DataFrame | None, known: set[str], out: Path) -> None:
    if people is not None:
        (out / PEOPLE).parent.mkdir()
        write_parquet(people[people["customer_id"].isin(known)], out / PEOPLE)


def _whole_numbers(column: pd.Series[Any]) -> pd.Series[Any]:
    """Numbers without decimals as such: 38, not 38.0, in requests and answers."""
    if column.dtype != np.float64:
        return column
    known = column.dropna()
    fits = (
        np.isfinite(known).all() and (known == known.round()).all() and (abs(known) < 2**53).all()
    )
    return column.astype("Int64" if column.hasnans else "int64") if fits else column


def _with_examples(schema: CustomerSchema, frame: pd.DataFrame) -> CustomerSchema:
    """The schema with each field's usual value, for documents and forms: nobody's own row."""
    fields = []
    for field in schema.fields:
        known = frame[field.name].dropna()
        usual: Any = field.example
        if usual is None and len(known):
            number = field.kind == "number"
            usual = (
                known.astype(float).quantile(interpolation="nearest") if number else known.mode()[0]
            )
            usual = usual.item() if hasattr(usual, "item") else usual
        if isinstance(usual, float) and usual.is_integer():
            usual = int(usual)
        fields.append(field.model_copy(update={"example": usual}))
    return schema.model_copy(update={"fields": tuple(fields)})


def _split_history(schema: CustomerSchema, frame: pd.DataFrame) -> pd.DataFrame:
    """The rows with their `split`; of snapshots, those that no split may hold are left out."""
    left = frame[LABEL].to_numpy(bool)
    if SNAPSHOT not in frame:
        return frame.assign(split=stratified_split(left))
    ids, seen = frame["customer_id"].to_numpy(), frame[SNAPSHOT].to_numpy()
    split = snapshot_split(schema.contract, ids, left, seen, schema.horizon_months).split
    return frame.assign(split=split)[split != ""]
