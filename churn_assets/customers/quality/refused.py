"""Refused rows in a file that can be mended and read again.

Each row keeps its cells as they stand, with `refused_row` (file and row) and `refused_because` in
front. Named in the contract's `path` beside the table, a row of it takes the refused one's place.
"""

from __future__ import annotations

import csv
import filecmp
from collections.abc import Iterator
from pathlib import Path

import duckdb

from churn_assets.customers.contract.tables import Format
from churn_assets.customers.quality.judging import SPLIT, Judged
from churn_assets.customers.reading.table import NOTES
from churn_assets.storage.scratch import held_folder

_BATCH = 10_000


def write_refused(
    connection: duckdb.DuckDBPyConnection, judged: Judged, given: Format, folder: Path
) -> Path | None:
    """The refused rows of a table in a new file below `folder`; None if there are none.

    A file that is there is never changed: it may have been mended. An equal one is used again.
    """
    if not judged.refused:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    dialects = [file.dialect for file in judged.read.files if file.dialect]
    delimiter = given.delimiter or (dialects[0].delimiter if dialects else ",")
    with held_folder(folder, ".refused-") as held:
        made = held / "rows.csv"
        with made.open("x", encoding=given.encoding or "utf-8", newline="") as out:
            writer = csv.writer(out, delimiter=delimiter)
            writer.writerow([*NOTES, *judged.read.columns])
            writer.writerows(_rows(connection, judged, delimiter))
        path, count = folder / f"{judged.name}.refused.csv", 1
        while path.exists():
            if filecmp.cmp(path, made, shallow=False):
                return path
            count += 1
            path = folder / f"{judged.name}-{count}.refused.csv"
        return made.rename(path)


def _rows(
    connection: duckdb.DuckDBPyConnection, judged: Judged, delimiter: str
) -> Iterator[list[str | None]]:
    names = [file.name for file in judged.read.files]
    cells = ", ".join(f"c{i}" for i in range(len(judged.read.columns)))
    found = connection.execute(
        f"""SELECT file, row, problems, {cells} FROM {judged.name} WHERE problems IS NOT NULL
        ORDER BY file, row"""
    )
    while rows := found.fetchmany(_BATCH):
        for file, row, problems, *values in rows:
            why = "; ".join(": ".join(filter(None, said.split(SPLIT))) for said in problems)
            yield [f"{names[file]}:{row}", why, *values]
    found = connection.execute(
        f"SELECT file, row, problem, line FROM {judged.name}_broken ORDER BY file, row"
    )
    while rows := found.fetchmany(_BATCH):
        for file, row, problem, line in rows:
            dialect = judged.read.files[file].dialect
            mark = dialect.delimiter if dialect else delimiter
            [kept] = list(csv.reader([line], delimiter=mark)) or [[line]]
            yield [f"{names[file]}:{row}", problem, *kept]
