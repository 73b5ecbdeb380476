"""What a table's file is written in, by its name and its first bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from churn_assets.datasets.errors import DataError

TableFormat = Literal[".csv", ".csv.gz", ".parquet"]

SEPARATORS = (",", ";", "\t", "|")
MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
OTHER_FORMATS = {
    b"PAR1": "a Parquet file; name it .parquet",
    b"PK\x03\x04": "an Excel workbook or a zip archive; export it as CSV",
    b"\x1f\x8b": "a gzip file; name it .csv.gz",
}


def table_format(path: Path) -> TableFormat:
    """What a table's name says it is, in capitals or not.

    Raises:
        DataError: nothing that is read or written here; names what is.
    """
    name = path.name.lower()
    for known in (".csv", ".csv.gz", ".parquet"):
        if name.endswith(known):
            return known
    raise DataError(f"{path}: the name has to end in .csv, .csv.gz or .parquet")
