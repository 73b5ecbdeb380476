"""Drift of what goes into the models, and of what comes out of them.

Both are told by effect sizes, which don't grow with the number of rows: the population stability
index of each column, and how well a classifier tells rows of then from rows of now on a subsample
of fixed size. A p-value would call every large table another one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from churn_assets.customers import counted
from churn_assets.customers.quality.drift import NOTABLE, Drift, drift
from churn_assets.customers.tables import LABEL, SNAPSHOT, STAYERS, TAKEN_FROM
from churn_assets.domain.statistics import Z95, auc_error
from churn_assets.outcomes.watching.finding import WORSE, Finding, State, beyond
from churn_assets.storage.protocol import ArtifactStore

SAMPLE = 2_000
"""Rows of either table that the classifier sees, however many there are."""
FEWEST = 200
"""Rows of either table below which drift isn't judged."""
MOST_WORDS = 50
"""Different words above which a column of text is names or ids, and is not compared."""
NOT_COMPARED = ("customer_id", LABEL, SNAPSHOT)
AUC_WARN, AUC_ERROR = 0.65, 0.80
PSI_ERROR = 2 * NOTABLE
SEED = 42
SHOWN = 5


COUNTED = "as_many_customers_are_active_as_lately"
NOT_COUNTED = Finding(COUNTED, "unknown", "Active customers were not counted twice yet.")


def customers_counted(store: ArtifactStore) -> Finding:
    """Whether as many customers are active as lately; raises what `counted.fall_of` raises."""
    if not counted.can_be_compared(store, counted.ACTIVE):
        return NOT_COUNTED
    fall = counted.fall_of(store, counted.ACTIVE)
    if fall is None:
        return Finding(COUNTED, "ok", "No tenth fewer customers are active than were lately.")
    return Finding(COUNTED, "warn", f"{counted.said_of(fall, counted.ACTIVE)}.", fall._asdict())


def customers_drift(history: Path, active: Path) -> Finding:
    """The customers of today against those that the models learnt from.

    Where today's are those of one table who haven't left, they are compared with those of then who
    hadn't: against all of them, the difference would be how leavers differ, which is no drift.
    A column that the contract has since made another kind of (a number then, words now) has no
    drift to measure: it is named, and what is left is judged.

    Args:
        history, active: folders of Parquet files: `customer_history` and `active_customers`.
    """
    name = "customers_are_like_those_learnt_from"
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")  # so that the same rows are drawn every time
        now = _view(connection, "now", active)
        which = f"WHERE NOT {LABEL}::BOOLEAN" if _are_stayers(active) else ""
        before = _view(connection, "before", history, which)
        if min(before, now) < FEWEST:
            return Finding(name, "unknown", f"Fewer than {FEWEST} customers: drift isn't judged.")
        columns, changed = _columns(connection)
        if not columns:
            return Finding(name, "unknown", "No column is as it was: there are none to compare.")
        if not changed and _same(connection, columns):
            return Finding(name, "ok", "Today's customers are those that the models learnt from.")
        # Imported here: most days there is nothing to tell apart, and it takes a second to load.
        from churn_assets.outcomes.watching.two_samples import telling_apart

        found = [
            drift(connection, f'"{c}"', ("before", f'"{c}"'), ("now", f'"{c}"'), numeric)
            for c, numeric in columns.items()
        ]
        told = telling_apart(
            _sample(connection, "before", columns), _sample(connection, "now", columns)
        )
    judged = _judged(name, "Today's customers", found, told["xgboost"], min(before, now, SAMPLE))
    return _naming(judged, changed) if changed else judged


def _naming(finding: Finding, changed: Mapping[str, tuple[str, str]]) -> Finding:
    """The finding, which names the columns that were left out of it; at least a warning."""
    named = list(changed)
    each = ", ".join(f"{c} ({changed[c][0]} then, {changed[c][1]} now)" for c in named[:SHOWN])
    more = f" and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
    left_out = f"Not compared until a release of today's contract serves: {each}{more}."
    states: list[State] = [finding.state, "warn"]
    return replace(
        finding,
        state=max(states, key=WORSE.__getitem__),
        sentence=f"{finding.sentence} {left_out}",
        figures=finding.figures | {"of_another_kind": named},
    )


def scores_drift(before: pd.DataFrame, now: pd.DataFrame) -> Finding:
    """What the models say of the customers lately against what they said of those before.

    Args:
        before, now: a row a customer; columns `churn_risk` and `accept_prob_0` .. `_3`.
    """
    name = "scores_are_as_before"
    rows = min(len(before), len(now))
    if rows < FEWEST:
        return Finding(
            name,
            "unknown",
            f"Scores aren't compared yet: that takes {FEWEST} customers before the last weeks and "
            f"{FEWEST} in them, by one release; there are {len(before):,} and {len(now):,}.",
        )
    with duckdb.connect() as connection:
        connection.register("earlier", before)
        connection.register("later", now)
        found = [
            drift(connection, c, ("earlier", c), ("later", c), numeric=True) for c in before.columns
        ]
    from sklearn.metrics import roc_auc_score  # here for the same reason

    labels = np.repeat([0, 1], [len(before), len(now)])
    risks = np.concatenate([before["churn_risk"], now["churn_risk"]])
    auc = float(roc_auc_score(labels, risks))
    return _judged(name, "The scores", found, max(auc, 1 - auc), rows)


def _judged(name: str, what: str, found: Sequence[Drift], auc: float, rows: int) -> Finding:
    """The finding of all columns' indices and the classifier's AUC on `rows` of either side."""
    error = auc_error(auc, rows, rows)
    moved = [one for one in found if one.psi > NOTABLE and one.psi > one.noise(len(found))]
    moved.sort(key=lambda one: -one.psi)
    states: list[State] = [beyond(auc - Z95 * error, AUC_WARN, AUC_ERROR)]
    states += [beyond(one.psi, NOTABLE, PSI_ERROR) for one in moved]
    state = max(states, key=WORSE.__getitem__)
    told = f"a classifier tells them apart with an AUC of {auc:.2f} (0.5: not at all)"
    columns = ", ".join(f"{one.column.strip(chr(34))} ({one.psi:.2f})" for one in moved[:SHOWN])
    if state == "ok":
        sentence = f"{what} are as they were: no column has moved notably; {told}."
    else:
        sentence = f"{what} have changed: {columns or 'how columns go together'}; {told}."
    figures: dict[str, Any] = {
        "auc": auc,
        "auc_error": error,
        "rows_compared": rows,
        "psi": {one.column.strip('"'): one.psi for one in found},
        "moved": [one.column.strip('"') for one in moved],
    }
    return Finding(name, state, sentence, figures)


def _are_stayers(active: Path) -> bool:
    """Whether `active_customers` are those of the history who haven't left. Of snapshots they
    aren't said to be: every row of those is of somebody who was active then."""
    facts = json.loads((active / "dataset.json").read_text(encoding="utf-8"))
    return bool(facts.get(TAKEN_FROM) == STAYERS)


def _view(connection: duckdb.DuckDBPyConnection, name: str, folder: Path, which: str = "") -> int:
    """Call the folder's rows `name`, those that `which` says; returns how many there are."""
    files = str(folder / "*.parquet").replace("'", "''")
    connection.execute(
        f"""CREATE VIEW {name} AS
        SELECT * FROM read_parquet('{files}', union_by_name = true) {which}"""  # noqa: S608
    )
    return int(connection.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0])  # noqa: S608


def _same(connection: duckdb.DuckDBPyConnection, columns: Mapping[str, bool]) -> bool:
    """Whether both tables hold the same customers, just as they were."""
    listed = ", ".join(f'"{column}"' for column in ("customer_id", *columns))
    query = f"""SELECT count(*) FROM
        ((SELECT {listed} FROM now EXCEPT SELECT {listed} FROM before)
        UNION ALL (SELECT {listed} FROM before EXCEPT SELECT {listed} FROM now))"""  # noqa: S608
    return bool(connection.execute(query).fetchall()[0][0] == 0)


def _columns(
    connection: duckdb.DuckDBPyConnection,
) -> tuple[Mapping[str, bool], Mapping[str, tuple[str, str]]]:
    """The columns of both tables that are compared -> whether they are numbers; and those that are
    of another kind now -> their kinds then and now."""
    before, now = (
        {row[0]: _kind(row[1]) for row in connection.execute(f"DESCRIBE {table}").fetchall()}
        for table in ("before", "now")
    )
    alike: dict[str, bool] = {}
    changed: dict[str, tuple[str, str]] = {}
    for column, kind in before.items():
        if column in NOT_COMPARED or column not in now:
            continue
        if now[column] != kind:
            changed[column] = (kind, now[column])
            continue
        words = connection.execute(f'SELECT count(DISTINCT "{column}") FROM before').fetchall()  # noqa: S608
        if kind == "numbers" or words[0][0] <= MOST_WORDS:
            alike[column] = kind == "numbers"
    return alike, changed


def _kind(sql: str) -> str:
    """What values of a type of DuckDB's are, in words; only those of one kind can be compared."""
    if sql in ("DOUBLE", "FLOAT") or "INT" in sql or sql.startswith("DECIMAL"):
        return "numbers"
    return "flags" if sql == "BOOLEAN" else "words"


def _sample(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, bool]
) -> pd.DataFrame:
    """`SAMPLE` rows of a table, the same ones every time."""
    names = ", ".join(f'"{column}"' for column in columns)
    return connection.execute(
        f"SELECT {names} FROM {table} USING SAMPLE reservoir({SAMPLE} ROWS) REPEATABLE ({SEED})"  # noqa: S608
    ).df()
