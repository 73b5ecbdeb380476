"""Delimited text as records, each with its line; a broken one never takes its neighbours along."""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from churn_assets.customers.reading.dialect import SAYS_DELIMITER, Dialect

_LONGEST = 100  # lines in one quoted cell


@dataclass(frozen=True, slots=True)
class Record:
    """One record.

    Attributes:
        cells: as text; empty where it can't be read.
        line: the text that it was read from; only where there is a problem.
        problem: why it is no record, beginning with a verb.
    """

    cells: list[str]
    line: str = ""
    problem: str = ""


class _Lines:
    """The lines of a text, which remembers those of the current record and takes them back."""

    def __init__(self, text: Iterator[str]) -> None:
        self.text = text
        self.back: deque[str] = deque()
        self.taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self.taken) == _LONGEST:
            raise csv.Error("a quote is not closed")
        line = self.back.popleft() if self.back else next(self.text)
        if "\0" in line:
            line = line.replace("\0", "\ufffd")
        self.taken.append(line)
        return line


def records(content: IO[bytes], dialect: Dialect) -> Iterator[Record]:
    """The records of a delimited text, the header first; lines without any character are skipped,
    as is a first line that says the delimiter (`sep=;`).

    What follows a broken record begins on the line after it begins: a quote that isn't closed
    costs one line, not the rest of the file.
    """
    text: Any = io.TextIOWrapper(content, encoding=dialect.encoding, newline="")
    lines = _Lines(text)
    if (first := text.readline()) and not SAYS_DELIMITER.fullmatch(first):
        lines.back.append(first)
    reader = csv.reader(lines, delimiter=dialect.delimiter, strict=True)
    width = 0
    while True:
        lines.taken.clear()
        problem = ""
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            if not lines.taken:
                break
            cells, problem = [], _in_words(error)
        if not problem and (not cells or (len(cells) == 1 < width and not cells[0].strip())):
            continue
        width = width or len(cells)
        if problem or len(cells) != width:
            line = lines.taken[0]
            if len(lines.taken) > 1:
                lines.back.extendleft(reversed(lines.taken[1:]))
                cells, problem = [], problem or "has a quote that is not closed"
            yield Record(cells, line.rstrip("\r\n"), problem)
        else:
            yield Record(cells)
    text.detach()


def _in_words(error: csv.Error) -> str:
    said = str(error)
    if "expected after" in said or "quote" in said or "end of data" in said:
        return "has a quote that is not closed, or not doubled within a cell"
    return f"can't be read: {said}"
