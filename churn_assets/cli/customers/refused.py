"""Refused rows in a file beside the one that was given: to be mended, and read again."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from churn_assets.cli.customers.files import NOTES, STDIN, Customers, Row


class RefusedFile:
    """A new file for refused rows as they were, with number and reason; made for the first one.

    CSV and Parquet rows become CSV, JSON becomes JSON Lines; a line that was no JSON stays as it
    was.

    Attributes:
        count: rows written.
        path: of the file; None before there is one.
    """

    def __init__(self, file: Path, customers: Customers) -> None:
        self.file, self.customers = file, customers
        self.count = 0
        self.path: Path | None = None
        self._out: IO[str] | None = None
        self._writer: Any = None
        columns = customers.columns
        self._kept = [i for i, name in enumerate(columns) if name not in NOTES]

    def __enter__(self) -> RefusedFile:
        return self

    def __exit__(self, *_: object) -> None:
        if self._out is not None:
            self._out.close()

    def add(self, refused: Iterable[tuple[Row, str]]) -> None:
        """Write rows, each with why it is refused."""
        for row, why in refused:
            out = self._out or self._opened()
            self.count += 1
            if self.customers.columns:
                # The notes come first: a row with too many cells keeps them all.
                dropped = set(range(len(self.customers.columns))) - set(self._kept)
                cells = [cell for i, cell in enumerate(row.raw) if i not in dropped]
                self._writer.writerow([row.number, why, *cells])
            else:
                out.write(f"{_noted_json(row, why)}\n")

    def _opened(self) -> IO[str]:
        columns, file = self.customers.columns, self.file
        suffix = ".csv" if columns else ".jsonl"
        stem = "customers" if str(file) == STDIN else file.stem.removesuffix(".refused")
        base = Path.cwd() if str(file) == STDIN else file.parent
        path, count = base / f"{stem}.refused{suffix}", 1
        while path.exists():
            count += 1
            path = base / f"{stem}-{count}.refused{suffix}"
        self._out, self.path = path.open("x", encoding=self.customers.encoding, newline=""), path
        if columns:
            self._writer = csv.writer(self._out, delimiter=self.customers.delimiter)
            self._writer.writerow([*NOTES, *(columns[i] for i in self._kept)])
        return self._out


def _noted_json(row: Row, why: str) -> str:
    if not isinstance(row.raw, dict):
        return str(row.raw)
    notes = dict(zip(NOTES, (row.number, why), strict=True))
    text = json.dumps(notes | row.raw, ensure_ascii=False)
    return text.encode(errors="backslashreplace").decode()  # half a character, as JSON escapes it
